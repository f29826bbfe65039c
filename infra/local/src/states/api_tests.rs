use super::super::StateMachine;
use super::*;
use crate::faults::Faults;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::sleep;

const ARN: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:polling";

/// A machine that ends after ten seconds of waiting, with what its function answered.
fn machines() -> (Machines, TempDir) {
    let data = tempfile::tempdir().unwrap();
    (machines_in(data.path()), data)
}

fn machines_in(directory: &Path) -> Machines {
    let text = include_str!("../../../video-polling.asl.json");
    let substitutions = [("PollVideoFunctionArn", "poll"), ("KeepVideoFunctionArn", "keep")];
    let substitutions = substitutions.map(|(name, arn)| (name.to_owned(), arn.to_owned())).into();
    let machine = StateMachine::parse(text, &substitutions).unwrap();
    let machines = BTreeMap::from([(ARN.to_owned(), machine)]);
    let machines = Machines::open(directory, machines, &Faults::none(), |function, _| async move {
        Ok(json!({"status": format!("asked {function}"), "retry_after_seconds": 0}))
    });
    machines.unwrap()
}

async fn call(machines: &Machines, operation: &str, body: Value) -> (u16, Value) {
    use hyper::service::Service;
    let request = Request::post("/")
        .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
        .body(Body::from(body.to_string()))
        .unwrap();
    let service = hyper_util::service::TowerToHyperService::new(machines.router());
    let response = service.call(request).await.unwrap();
    assert_eq!(response.headers()[CONTENT_TYPE], "application/x-amz-json-1.0");
    let status = response.status().as_u16();
    let kind = response.headers().get("x-amzn-errortype").map(|value| value.to_str().unwrap().to_owned());
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let answer: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(answer["__type"].as_str(), kind.as_deref());
    (status, answer)
}

async fn start_named(machines: &Machines, name: &str, input: &str) -> (u16, Value) {
    call(machines, "StartExecution", json!({"stateMachineArn": ARN, "name": name, "input": input})).await
}

#[tokio::test(start_paused = true)]
async fn an_execution_runs_and_can_be_described() {
    let (machines, _data) = machines();
    let (status, started) = start_named(&machines, "g1", r#"{"poll_seconds": 10}"#).await;
    assert_eq!(status, 200);
    let arn = started["executionArn"].as_str().unwrap();
    assert_eq!(arn, "arn:aws:states:us-east-1:000000000000:execution:polling:g1");
    assert!(started["startDate"].as_f64().unwrap() > 1.7e9);
    let (_, running) = call(&machines, "DescribeExecution", json!({"executionArn": arn})).await;
    assert_eq!(
        (&running["status"], &running["input"]),
        (&json!("RUNNING"), &json!(r#"{"poll_seconds":10}"#))
    );
    sleep(Duration::from_secs(11)).await;
    let (_, ended) = call(&machines, "DescribeExecution", json!({"executionArn": arn})).await;
    assert_eq!(ended["status"], "SUCCEEDED");
    let output: Value = serde_json::from_str(ended["output"].as_str().unwrap()).unwrap();
    assert_eq!(output["poll"]["status"], "asked poll");
    assert!(ended["stopDate"].is_f64());
}

#[tokio::test(start_paused = true)]
async fn a_repeated_start_is_the_same_while_it_runs() {
    let (machines, _data) = machines();
    let first = start_named(&machines, "g", r#"{"poll_seconds": 10}"#).await;
    assert_eq!(start_named(&machines, "g", r#"{ "poll_seconds":10 }"#).await, first);
    let (status, other) = start_named(&machines, "g", r#"{"poll_seconds": 11}"#).await;
    assert_eq!((status, &other["__type"]), (400, &json!("ExecutionAlreadyExists")));
    sleep(Duration::from_secs(11)).await;
    let (_, again) = start_named(&machines, "g", r#"{"poll_seconds": 10}"#).await;
    assert_eq!(again["__type"], "ExecutionAlreadyExists");
    let (_, listed) = call(&machines, "ListExecutions", json!({"stateMachineArn": ARN})).await;
    assert_eq!(listed["executions"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bad_start_is_refused_by_type() {
    let (machines, _data) = machines();
    for (request, expected) in [
        (json!({"stateMachineArn": format!("{ARN}x"), "name": "a"}), "StateMachineDoesNotExist"),
        (json!({"stateMachineArn": ARN, "name": "a b"}), "InvalidName"),
        (json!({"stateMachineArn": ARN, "name": "a".repeat(81)}), "InvalidName"),
        (json!({"stateMachineArn": ARN, "name": "a", "input": "{"}), "InvalidExecutionInput"),
        (
            json!({"stateMachineArn": ARN, "input": format!("\"{}\"", "x".repeat(262_143))}),
            "ValidationException",
        ),
        (json!({"name": "a"}), "ValidationException"),
    ] {
        let (status, answer) = call(&machines, "StartExecution", request).await;
        assert_eq!((status, &answer["__type"]), (400, &json!(expected)));
    }
    let (_, unknown) = call(&machines, "DeleteStateMachine", json!({})).await;
    assert_eq!(unknown["__type"], "UnknownOperationException");
    let (_, missing) = call(&machines, "DescribeExecution", json!({"executionArn": "x"})).await;
    assert_eq!(missing["__type"], "ExecutionDoesNotExist");
    let (status, unnamed) = call(&machines, "StartExecution", json!({"stateMachineArn": ARN})).await;
    assert_eq!(status, 200, "a name is optional: {unnamed}");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_execution_does_nothing_more() {
    let (machines, _data) = machines();
    let (_, started) = start_named(&machines, "g", r#"{"poll_seconds": 10}"#).await;
    let arn = started["executionArn"].clone();
    let request = json!({"executionArn": arn, "error": "Enough", "cause": "of it"});
    let (status, stopped) = call(&machines, "StopExecution", request).await;
    assert!(status == 200 && stopped["stopDate"].is_f64());
    sleep(Duration::from_secs(60)).await;
    let (_, ended) = call(&machines, "DescribeExecution", json!({"executionArn": arn})).await;
    assert_eq!((&ended["status"], &ended["error"]), (&json!("ABORTED"), &json!("Enough")));
}

#[tokio::test(start_paused = true)]
async fn a_list_is_newest_first_and_paged() {
    let (machines, _data) = machines();
    for name in ["a", "b", "c"] {
        start_named(&machines, name, r#"{"poll_seconds": 10}"#).await;
    }
    start_named(&machines, "broken", "{}").await;
    tokio::task::yield_now().await;
    let names = |answer: &Value| -> Vec<String> {
        let executions = answer["executions"].as_array().unwrap();
        executions.iter().map(|execution| execution["name"].as_str().unwrap().to_owned()).collect()
    };
    let (_, failed) =
        call(&machines, "ListExecutions", json!({"stateMachineArn": ARN, "statusFilter": "FAILED"})).await;
    assert_eq!(names(&failed), ["broken"]);
    let query = json!({"stateMachineArn": ARN, "statusFilter": "RUNNING", "maxResults": 2});
    let (_, first) = call(&machines, "ListExecutions", query.clone()).await;
    assert_eq!(names(&first), ["c", "b"]);
    let mut rest = query;
    rest["nextToken"] = first["nextToken"].clone();
    let (_, second) = call(&machines, "ListExecutions", rest).await;
    assert_eq!((names(&second), second.get("nextToken")), (vec!["a".to_owned()], None));
    machines.shutdown();
}

#[tokio::test(start_paused = true)]
async fn executions_go_on_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let before = machines_in(data.path());
    let (_, running) = start_named(&before, "running", r#"{"poll_seconds": 3600}"#).await;
    let (_, ended) = start_named(&before, "ended", r#"{"poll_seconds": 1}"#).await;
    sleep(Duration::from_secs(2)).await;
    before.shutdown();
    tokio::task::yield_now().await;

    // As if almost all of the hour had passed while the stack was down: files know only the wall's clock.
    for file in std::fs::read_dir(data.path()).unwrap() {
        let path = file.unwrap().path();
        let mut stored: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let since = stored["position"]["since"].as_i64().unwrap();
        stored["position"]["since"] = json!(since - 3_590_000);
        std::fs::write(path, stored.to_string()).unwrap();
    }
    let after = machines_in(data.path());
    let status = async |started: &Value| {
        let query = json!({"executionArn": started["executionArn"]});
        call(&after, "DescribeExecution", query).await.1["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (status(&running).await, status(&ended).await),
        ("RUNNING".to_owned(), "SUCCEEDED".to_owned())
    );
    // Its name is still its own.
    let (refused, _) = start_named(&after, "running", r#"{"poll_seconds": 1}"#).await;
    assert_eq!(refused, 400);
    sleep(Duration::from_secs(11)).await;
    assert_eq!(status(&running).await, "SUCCEEDED");
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten() {
    let data = tempfile::tempdir().unwrap();
    let before = machines_in(data.path());
    let (_, started) = start_named(&before, "old", r#"{"poll_seconds": 60}"#).await;
    call(&before, "StopExecution", json!({"executionArn": started["executionArn"]})).await;
    let path = std::fs::read_dir(data.path()).unwrap().next().unwrap().unwrap().path();
    let mut stored: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    // What cannot be read is put aside.
    std::fs::write(data.path().join("half.json"), "{").unwrap();
    let ended = stored["end"][0].as_i64().unwrap();
    stored["end"][0] = json!(ended - 91 * 24 * 60 * 60 * 1000);
    std::fs::write(&path, stored.to_string()).unwrap();
    let (status, _) = start_named(&machines_in(data.path()), "old", r#"{"poll_seconds": 60}"#).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn the_sdk_understands_answers_and_errors() {
    use aws_sdk_sfn::config::{BehaviorVersion, Credentials, Region};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (machines, _data) = machines();
    let router = machines.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config = aws_sdk_sfn::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(address)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "secret", None, None, "test"))
        .build();
    let client = aws_sdk_sfn::Client::from_conf(config);
    let start = || client.start_execution().state_machine_arn(ARN).name("g").input(r#"{"poll_seconds": 60}"#);

    let arn = start().send().await.unwrap().execution_arn;
    assert_eq!(start().send().await.unwrap().execution_arn, arn);
    let other = start().input("{}").send().await.unwrap_err().into_service_error();
    assert!(other.is_execution_already_exists(), "{other:?}");
    let nowhere = start().state_machine_arn("arn:x").send().await.unwrap_err().into_service_error();
    assert!(nowhere.is_state_machine_does_not_exist(), "{nowhere:?}");
    let described = client.describe_execution().execution_arn(&arn).send().await.unwrap();
    assert_eq!(described.status.as_str(), "RUNNING");
    client.stop_execution().execution_arn(&arn).send().await.unwrap();
    let listed = client.list_executions().state_machine_arn(ARN).send().await.unwrap();
    assert_eq!(listed.executions[0].status.as_str(), "ABORTED");
}
