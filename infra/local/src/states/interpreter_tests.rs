use super::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio::time::Instant;

/// What happened in a run: the end, the states that were entered, the payloads of the calls, and how long it took by the paused clock.
struct Run {
    end: Result<Value, TaskError>,
    states: Vec<String>,
    calls: Vec<Value>,
    seconds: u64,
}

/// Runs to the end; `answer` is asked with the number of the call.
async fn run_with(
    machine: &StateMachine,
    input: Value,
    answer: impl Fn(usize) -> Result<Value, TaskError> + Send + Sync + 'static,
) -> Run {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let invoke: Invoke = Arc::new(move |_, payload| {
        let mut calls = seen.lock().unwrap();
        calls.push(payload);
        let answer = answer(calls.len());
        Box::pin(async move {
            // Stands for a function that hangs.
            if answer == Ok(json!("hang")) {
                std::future::pending::<()>().await;
            }
            answer
        })
    });
    let started = Instant::now();
    let mut position = Position::start(machine, input);
    let mut states = Vec::new();
    let end = loop {
        states.push(position.state.clone());
        match position.step(machine, &invoke).await {
            Step::To(next) => position = next,
            Step::End(end) => break end,
        }
    };
    Run { end, states, calls: calls.lock().unwrap().clone(), seconds: started.elapsed().as_secs() }
}

fn video_polling() -> StateMachine {
    let text = include_str!("../../../video-polling.asl.json");
    let substitutions = [("PollVideoFunctionArn", "poll-video"), ("KeepVideoFunctionArn", "keep-video")];
    let substitutions = substitutions.map(|(name, value)| (name.to_owned(), value.to_owned()));
    StateMachine::parse(text, &substitutions.into()).unwrap()
}

/// What is true of every interpreter of the language: infra/checks/state-machine.mjs holds another one to the same file.
#[tokio::test(start_paused = true)]
async fn takes_the_same_paths_as_another_interpreter() {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Path {
        name: String,
        #[serde(rename = "comment")]
        _comment: Option<String>,
        input: Value,
        answers: Vec<Value>,
        states: Vec<String>,
        seconds: u64,
        last_payload: Option<Value>,
        outcome: String,
        output: Option<Value>,
        error: Option<String>,
    }
    /// What an entry of `answers` stands for, as often as it says.
    fn answers(mut entry: Value) -> Vec<Result<Value, TaskError>> {
        let members = entry.as_object_mut().unwrap();
        let times = members.remove("times").map_or(1, |times| times.as_u64().unwrap());
        let answer = match (members.get("error"), members.get("hangs")) {
            (Some(error), _) => {
                Err(TaskError::new(error.as_str().unwrap(), members["cause"].as_str().unwrap()))
            }
            (None, Some(_)) => Ok(json!("hang")),
            (None, None) => Ok(entry),
        };
        (0..times).map(|_| answer.clone()).collect()
    }
    let paths: Vec<Path> =
        serde_json::from_str(include_str!("../../../checks/video-polling.paths.json")).unwrap();
    assert!(!paths.is_empty());
    for path in paths {
        let answers: Vec<_> = path.answers.into_iter().flat_map(answers).collect();
        let expected_calls = answers.len();
        let run = run_with(&video_polling(), path.input, move |call| answers[call - 1].clone()).await;
        assert_eq!((&run.states, run.seconds), (&path.states, path.seconds), "{}", path.name);
        assert_eq!(
            (run.calls.len(), run.calls.last()),
            (expected_calls, path.last_payload.as_ref()),
            "{}",
            path.name
        );
        let (outcome, output, error) = match run.end {
            Ok(output) => ("SUCCEEDED", Some(output), None),
            Err(error) => ("FAILED", None, Some(error.error)),
        };
        assert_eq!(
            (outcome, output, error),
            (path.outcome.as_str(), path.output, path.error),
            "{}",
            path.name
        );
    }
}

/// One task with these extra fields, then `Done`; `Caught` is for catchers.
fn task(extra: Value) -> StateMachine {
    let mut definition = json!({"StartAt": "T", "States": {
        "T": {
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 10, "Next": "Done",
            "Parameters": {"FunctionName": "f", "Payload.$": "$"},
        },
        "Done": {"Type": "Succeed"},
        "Caught": {"Type": "Succeed"},
    }});
    for (field, value) in extra.as_object().unwrap() {
        definition["States"]["T"][field] = value.clone();
    }
    StateMachine::parse(&definition.to_string(), &BTreeMap::new()).unwrap()
}

fn failure(error: &str) -> Result<Value, TaskError> {
    Err(TaskError::new(error, "because"))
}

fn name(run: Run) -> String {
    run.end.unwrap_err().error
}

#[tokio::test(start_paused = true)]
async fn polls_until_the_video_is_there() {
    let input = json!({"poll_seconds": 5, "workspace_id": "w"});
    let run = run_with(&video_polling(), input.clone(), |call| {
        let status = if call < 4 { "generating" } else { "completed" };
        Ok(json!({"status": status, "retry_after_seconds": 0, "more": 1}))
    })
    .await;
    let poll = json!({"status": "completed", "retry_after_seconds": 0});
    assert_eq!(run.end, Ok(json!({"poll_seconds": 5, "workspace_id": "w", "poll": poll})));
    assert_eq!(run.seconds, 20);
    assert_eq!(run.calls.len(), 4);
    assert_eq!(run.calls[0], input);
    assert_eq!(run.calls[1]["poll"], json!({"status": "generating", "retry_after_seconds": 0}));
}

#[tokio::test(start_paused = true)]
async fn gives_up_after_the_retries_and_keeps_the_reason() {
    // The first call and 12 retries of States.ALL fail; the thirteenth retry would be GiveUp's first call.
    let run = run_with(&video_polling(), json!({"poll_seconds": 1}), |call| match call {
        1..=13 => failure("Unexpected"),
        _ => Ok(json!({})),
    })
    .await;
    assert_eq!(run.calls.len(), 14);
    let failed = json!({"poll_seconds": 1, "failure": {"Error": "Unexpected", "Cause": "because"}});
    assert_eq!(run.calls[13], failed);
    assert_eq!(run.end, Ok(failed), "GiveUp's result is discarded");
    // 1 + 2 + 4 + 8 + 16, then 30 seven times, and the wait before.
    assert_eq!(run.seconds, 1 + 31 + 7 * 30);
}

#[tokio::test(start_paused = true)]
async fn retriers_count_for_themselves_and_anew_on_each_visit() {
    let retry = json!({"Retry": [
        {"ErrorEquals": ["A"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1},
        {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 10, "MaxAttempts": 1, "BackoffRate": 1},
    ]});
    let run = run_with(&task(retry.clone()), json!({}), |call| match call {
        1 | 3 => failure("A"),
        2 => failure("B"),
        _ => Ok(json!("fine")),
    })
    .await;
    assert_eq!((run.calls.len(), run.seconds), (4, 12));
    assert_eq!(run.end.unwrap()["Payload"], "fine");
    // A retrier that is used up is not replaced by a later one that matches too.
    let run = run_with(&task(retry), json!({}), |_| failure("A")).await;
    assert_eq!((run.calls.len(), name(run)), (3, "A".into()));
    let none = json!({"Retry": [{"ErrorEquals": ["A"], "MaxAttempts": 0}]});
    assert_eq!(run_with(&task(none), json!({}), |_| failure("A")).await.calls.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_hangs_times_out_and_can_be_retried() {
    let retry = json!({"Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}]});
    let run =
        run_with(&task(retry), json!({}), |call| Ok(json!(if call == 1 { "hang" } else { "fine" }))).await;
    assert_eq!((run.seconds, run.end.is_ok()), (11, true));
    let failed = json!({"Retry": [{"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 1}]});
    let run = run_with(&task(failed), json!({}), |_| Ok(json!("hang"))).await;
    assert_eq!((run.seconds, name(run)), (10, "States.Timeout".into()));
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_function_comes_in_an_envelope() {
    let run = run_with(&task(json!({})), json!({"in": 1}), |_| Ok(json!({"out": 2}))).await;
    let envelope = json!({"ExecutedVersion": "$LATEST", "Payload": {"out": 2}, "StatusCode": 200});
    assert_eq!(run.end, Ok(envelope), "the default ResultPath replaces the input");
    let selecting =
        json!({"ResultSelector": {"x.$": "$.Payload.out", "code.$": "$.StatusCode"}, "ResultPath": "$.r.s"});
    let run = run_with(&task(selecting), json!({"in": 1}), |_| Ok(json!({"out": 2}))).await;
    assert_eq!(run.end, Ok(json!({"in": 1, "r": {"s": {"x": 2, "code": 200}}})));
}

#[tokio::test(start_paused = true)]
async fn a_catcher_puts_the_error_where_its_result_path_says() {
    let error = json!({"Error": "A", "Cause": "because"});
    for (path, output) in [
        (json!("$"), error.clone()),
        (json!("$.failure"), json!({"in": 1, "failure": error})),
        (Value::Null, json!({"in": 1})),
    ] {
        let catch =
            json!({"Catch": [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": path, "Next": "Caught"}]});
        let run = run_with(&task(catch), json!({"in": 1}), |_| failure("A")).await;
        assert_eq!(run.end, Ok(output));
    }
    let other = json!({"Catch": [{"ErrorEquals": ["B"], "Next": "Caught"}]});
    assert_eq!(name(run_with(&task(other), json!({}), |_| failure("A")).await), "A");
}

#[tokio::test(start_paused = true)]
async fn a_path_that_finds_nothing_ends_the_execution_uncaught() {
    let extra = json!({
        "ResultSelector": {"status.$": "$.Payload.status"},
        "Retry": [{"ErrorEquals": ["States.ALL"]}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
    });
    let run = run_with(&task(extra), json!({}), |_| Ok(json!({}))).await;
    assert_eq!(run.calls.len(), 1);
    let error = run.end.unwrap_err();
    assert_eq!(error.error, "States.Runtime");
    assert!(error.cause.starts_with("The JSONPath '$.Payload.status' specified for the field 'status.$'"));
}

#[tokio::test(start_paused = true)]
async fn too_much_data_is_caught_by_its_name_only() {
    let big = || Ok(json!("x".repeat(MAX_DATA_BYTES)));
    let all = json!({"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]});
    assert_eq!(name(run_with(&task(all), json!({}), move |_| big()).await), "States.DataLimitExceeded");
    let named = json!({"Catch": [{"ErrorEquals": ["States.DataLimitExceeded"], "ResultPath": null, "Next": "Caught"}]});
    assert_eq!(run_with(&task(named), json!({"in": 1}), move |_| big()).await.end, Ok(json!({"in": 1})));
}

#[tokio::test(start_paused = true)]
async fn a_result_without_a_place_is_an_error_that_can_be_caught() {
    let extra = json!({"ResultPath": "$.a.b", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]});
    let run = run_with(&task(extra), json!({"a": 1}), |_| Ok(json!(1))).await;
    assert_eq!(run.end.unwrap()["Error"], "States.ResultPathMatchFailure");
}

#[tokio::test(start_paused = true)]
async fn waits_only_for_whole_seconds() {
    for wrong in [json!("5"), json!(-1), json!(1.5), json!(null), json!(100_000_000)] {
        let run = run_with(&video_polling(), json!({"poll_seconds": wrong}), |_| Ok(json!({}))).await;
        assert_eq!((run.calls.len(), name(run)), (0, "States.Runtime".into()));
    }
    assert_eq!(name(run_with(&video_polling(), json!({}), |_| Ok(json!({}))).await), "States.Runtime");
}

#[tokio::test(start_paused = true)]
async fn choices_compare_strings_exactly() {
    let choice = |default: bool| {
        let mut state = json!({"Type": "Choice", "Choices": [
            {"Variable": "$.a", "StringEquals": "yes", "Next": "Done"}]});
        if default {
            state["Default"] = "No".into();
        }
        let states = json!({"C": state, "Done": {"Type": "Succeed"},
            "No": {"Type": "Fail", "Error": "Refused", "Cause": "by default"}});
        StateMachine::parse(&json!({"StartAt": "C", "States": states}).to_string(), &BTreeMap::new()).unwrap()
    };
    let run =
        async |machine: StateMachine, input: Value| run_with(&machine, input, |_| failure("unused")).await;
    assert!(run(choice(true), json!({"a": "yes"})).await.end.is_ok());
    let refused = run(choice(true), json!({"a": true})).await.end;
    assert_eq!(refused, Err(TaskError::new("Refused", "by default")));
    assert_eq!(name(run(choice(false), json!({"a": "no"})).await), "States.NoChoiceMatched");
    assert_eq!(name(run(choice(true), json!({})).await), "States.Runtime");
}

#[tokio::test(start_paused = true)]
async fn history_ends_at_25000_events() {
    let input = json!({"poll_seconds": 5});
    let generating = json!({"status": "generating", "retry_after_seconds": 0});
    let run = run_with(&video_polling(), input, move |_| Ok(generating.clone())).await;
    // One event at the start and nine for each turn; facts of AWS, not of this program.
    assert_eq!(run.calls.len(), (25_000 - 1) / 9);
    let error = run.end.unwrap_err();
    assert_eq!(error.cause, "The execution reached the maximum number of history events (25000).");
}

#[tokio::test(start_paused = true)]
async fn a_long_error_is_cut() {
    let run = run_with(&task(json!({})), json!({}), |_| {
        Err(TaskError::new(&"长".repeat(300), "因".repeat(40_000)))
    })
    .await;
    let error = run.end.unwrap_err();
    assert_eq!((error.error.chars().count(), error.cause.chars().count()), (256, 32_768));
}
