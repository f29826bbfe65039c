use super::*;
use serde_json::json;

fn arn() -> BTreeMap<String, String> {
    [("PollVideoFunctionArn", "poll"), ("KeepVideoFunctionArn", "keep")]
        .map(|(name, function)| (name.to_owned(), format!("arn:aws:lambda:us-east-1:1:function:{function}")))
        .into()
}

fn load(definition: &Value) -> Result<StateMachine, String> {
    StateMachine::parse(&definition.to_string(), &BTreeMap::new()).map_err(|error| error.to_string())
}

/// A task with one field changed, in a machine that is right otherwise.
fn with_task(field: &str, value: Value) -> Result<StateMachine, String> {
    let mut definition = json!({
        "StartAt": "Poll",
        "States": {
            "Poll": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": "f", "Payload.$": "$"},
                "TimeoutSeconds": 60,
                "Next": "Done",
            },
            "Done": {"Type": "Succeed"},
        },
    });
    definition["States"]["Poll"][field] = value;
    load(&definition)
}

#[test]
fn takes_the_definition_of_the_product() {
    let text = include_str!("../../../video-polling.asl.json");
    let machine = StateMachine::parse(text, &arn()).unwrap();
    assert_eq!(machine.start, "Wait");
    let State::Task(poll) = &machine.states["Poll"] else { panic!("{machine:?}") };
    assert_eq!(poll.parameters.function_name, "arn:aws:lambda:us-east-1:1:function:poll");
    let State::Task(give_up) = &machine.states["GiveUp"] else { panic!("{machine:?}") };
    assert_eq!(give_up.result_path, ResultPath::Discard);
    let error = StateMachine::parse(text, &BTreeMap::new()).unwrap_err();
    assert_eq!(error.to_string(), "there is no substitution for ${PollVideoFunctionArn}");
}

#[test]
fn refuses_what_it_would_not_run_as_the_cloud_does() {
    for (field, value, sentence) in [
        ("HeartbeatSeconds", json!(1), "state Poll: unknown field `HeartbeatSeconds`"),
        ("InputPath", json!("$.x"), "state Poll: unknown field `InputPath`"),
        ("End", json!(true), "state Poll: unknown field `End`"),
        (
            "Resource",
            json!("arn:aws:states:::sqs:sendMessage"),
            "unknown variant `arn:aws:states:::sqs:sendMessage`",
        ),
        ("Parameters", json!({"FunctionName": "f"}), "missing field `Payload.$`"),
        (
            "Parameters",
            json!({"FunctionName": "f", "Payload.$": "$", "Qualifier": "1"}),
            "unknown field `Qualifier`",
        ),
        ("Parameters", json!({"FunctionName": "f", "Payload.$": "$$.Execution"}), "is not supported"),
        ("ResultSelector", json!({"a": "$.b"}), "has to end in .$"),
        ("ResultPath", json!("$.a[0]"), "the ResultPath \"$.a[0]\" is not supported"),
        ("TimeoutSeconds", json!(0), "state Poll: TimeoutSeconds must be at least 1"),
        ("Retry", json!([{"ErrorEquals": []}]), "ErrorEquals is empty"),
        (
            "Retry",
            json!([{"ErrorEquals": ["A"], "JitterStrategy": "FULL"}]),
            "unknown field `JitterStrategy`",
        ),
        ("Retry", json!([{"ErrorEquals": ["A"], "BackoffRate": 0.5}]), "BackoffRate must be at least 1"),
        ("Retry", json!([{"ErrorEquals": ["A", "States.ALL"]}]), "States.ALL must stand alone"),
        (
            "Retry",
            json!([{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["A"]}]),
            "Retry: States.ALL must come last",
        ),
        (
            "Catch",
            json!([{"ErrorEquals": ["A"], "Next": "Nowhere"}]),
            "the next state Nowhere does not exist",
        ),
        ("Next", json!("Nowhere"), "state Poll: the next state Nowhere does not exist"),
        ("Type", json!("Parallel"), "state Poll: the local stack does not run states of type Parallel"),
    ] {
        let error = with_task(field, value).unwrap_err();
        assert!(error.contains(sentence), "{field}: {error}");
    }
}

#[test]
fn refuses_other_fields_and_states_as_well() {
    let done = json!({"Type": "Succeed"});
    for (definition, sentence) in [
        (json!({"StartAt": "A", "States": {"Done": done}}), "StartAt names the state A"),
        (
            json!({"StartAt": "Done", "States": {"Done": done}, "TimeoutSeconds": 9}),
            "unknown field `TimeoutSeconds`",
        ),
        (
            json!({"StartAt": "Done", "States": {"Done": {"Type": "Succeed", "OutputPath": "$"}}}),
            "OutputPath",
        ),
        (
            json!({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 5, "Next": "Done"}, "Done": done}}),
            "state W: unknown field `Seconds`",
        ),
        (
            json!({"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": [
                {"Variable": "$.a", "NumericEquals": 1, "Next": "Done"}]}, "Done": done}}),
            "state C: unknown field `NumericEquals`",
        ),
        (
            json!({"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": []}}}),
            "state C: Choices is empty",
        ),
    ] {
        let error = load(&definition).unwrap_err();
        assert!(error.contains(sentence), "{error}");
    }
}

#[test]
fn errors_match_by_the_rules_of_aws() {
    let matching = |pattern: &str, error: &str| Errors(vec![pattern.to_owned()]).match_name(error);
    assert!(matching("VendorUnavailable", "VendorUnavailable"));
    assert!(!matching("VendorUnavailable", "Other"));
    for error in ["Other", "States.Timeout", "States.TaskFailed", "Lambda.Unknown"] {
        assert!(matching("States.ALL", error));
        assert_eq!(matching("States.TaskFailed", error), error != "States.Timeout");
    }
    for pattern in ["States.ALL", "States.TaskFailed", "States.Runtime"] {
        assert!(!matching(pattern, "States.Runtime"), "{pattern}");
        assert!(!matching(pattern, "States.DataLimitExceeded"), "{pattern}");
    }
    assert!(matching("States.DataLimitExceeded", "States.DataLimitExceeded"));
}

#[test]
fn delays_grow_up_to_a_limit() {
    let parse = |value: Value| serde_json::from_value::<Retrier>(value).unwrap();
    let limited =
        parse(json!({"ErrorEquals": ["A"], "IntervalSeconds": 2, "BackoffRate": 1.5, "MaxDelaySeconds": 5}));
    let seconds: Vec<f64> = (0..5).map(|retries| limited.delay(retries).as_secs_f64()).collect();
    assert_eq!(seconds, [2.0, 3.0, 4.5, 5.0, 5.0]);
    let default = parse(json!({"ErrorEquals": ["A"]}));
    assert_eq!(default.max_attempts, 3);
    assert_eq!(default.delay(2).as_secs(), 4);
    assert_eq!(default.delay(u32::MAX).as_secs(), 31_622_400);
}

#[test]
fn substitutions_are_escaped() {
    let text = r#"{"a": "${X}", "b": ${N}}"#;
    let values =
        BTreeMap::from([("X".to_owned(), "say \"hi\"".to_owned()), ("N".to_owned(), "5".to_owned())]);
    assert_eq!(substitute(text, &values).unwrap(), r#"{"a": "say \"hi\"", "b": 5}"#);
    assert!(substitute("${X", &values).is_err());
}
