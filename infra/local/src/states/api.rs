//! The API of Step Functions: AWS JSON 1.0, a `POST` with the operation in `X-Amz-Target`.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html>

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::executions::{End, Execution, Machines, NotStarted, Outcome};
use super::interpreter::TaskError;
use crate::faults::Fault;

/// Of the input's text, in characters.
const MAX_INPUT: usize = 262_144;
const MAX_RESULTS: usize = 1_000;
const START: &str = "AWSStepFunctions.StartExecution";

pub(super) fn router(machines: Machines) -> Router {
    Router::new().route("/", post(operation)).with_state(machines)
}

async fn operation(State(machines): State<Machines>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if target == START && machines.faults().strikes(Fault::HangStart, "StartExecution") {
        // Until who asks gives up.
        std::future::pending::<()>().await;
    }
    let answer = match target.strip_prefix("AWSStepFunctions.") {
        _ if machines.faults().strikes(Fault::ThrottleStates, target) => {
            Err(Refusal("ThrottlingException", "Rate exceeded".to_owned()))
        }
        Some("StartExecution") => parse(&body).and_then(|request| start(&machines, request)),
        Some("DescribeExecution") => parse(&body).and_then(|request| describe(&machines, request)),
        Some("ListExecutions") => parse(&body).and_then(|request| list(&machines, request)),
        Some("StopExecution") => parse(&body).and_then(|request| stop(&machines, request)),
        _ => {
            Err(Refusal("UnknownOperationException", format!("the local stack has no operation {target:?}")))
        }
    };
    let mut response = match answer {
        Ok(answer) => answer.to_string().into_response(),
        Err(refusal) => refusal.into_response(),
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    response
}

/// An error: its type, by which an SDK knows it, and a message.
struct Refusal(&'static str, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"__type": self.0, "message": self.1}).to_string();
        (StatusCode::BAD_REQUEST, [("x-amzn-errortype", self.0)], body).into_response()
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| match error.is_data() {
        true => Refusal("ValidationException", error.to_string()),
        false => Refusal("SerializationException", error.to_string()),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartExecution {
    state_machine_arn: String,
    name: Option<String>,
    input: Option<String>,
}

fn start(machines: &Machines, request: StartExecution) -> Result<Value, Refusal> {
    let name = request.name.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    if !is_name(&name) {
        return Err(Refusal("InvalidName", format!("Invalid Name: '{name}'")));
    }
    let text = request.input.unwrap_or_else(|| "{}".to_owned());
    if text.chars().count() > MAX_INPUT {
        let message = format!("input must have a length of at most {MAX_INPUT} characters");
        return Err(Refusal("ValidationException", message));
    }
    let input = serde_json::from_str(&text).map_err(|error| {
        Refusal("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{error}'"))
    })?;
    match machines.start(&request.state_machine_arn, &name, input) {
        Ok(execution) => Ok(json!({"executionArn": execution.arn, "startDate": seconds(execution.started)})),
        Err(NotStarted::NoSuchMachine) => Err(no_such_machine(&request.state_machine_arn)),
        Err(NotStarted::Exists) => {
            Err(Refusal("ExecutionAlreadyExists", format!("Execution Already Exists: '{name}'")))
        }
        Err(NotStarted::NotStored(error)) => {
            tracing::error!("the execution {name} cannot be stored: {error}");
            Err(Refusal("ServiceUnavailable", "the execution cannot be stored".to_owned()))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribeExecution {
    execution_arn: String,
}

fn describe(machines: &Machines, request: DescribeExecution) -> Result<Value, Refusal> {
    let arn = request.execution_arn;
    let execution = machines.find(&arn).ok_or_else(|| no_such_execution(&arn))?;
    let mut answer = summary(&execution);
    answer["input"] = execution.input.to_string().into();
    match &execution.end {
        Some(End(_, Outcome::Succeeded(output))) => answer["output"] = output.to_string().into(),
        Some(End(_, Outcome::Failed(reason) | Outcome::Aborted(reason))) => {
            answer["error"] = reason.error.as_str().into();
            answer["cause"] = reason.cause.as_str().into();
        }
        None => {}
    }
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListExecutions {
    state_machine_arn: String,
    status_filter: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// Newest first. The token is how many executions there were before the ones already listed: new ones don't move it.
fn list(machines: &Machines, request: ListExecutions) -> Result<Value, Refusal> {
    if !machines.knows(&request.state_machine_arn) {
        return Err(no_such_machine(&request.state_machine_arn));
    }
    let executions = machines.executions();
    let end = match request.next_token {
        None => executions.len(),
        Some(token) => {
            token.parse().map_err(|_| Refusal("InvalidToken", format!("Invalid Token: '{token}'")))?
        }
    };
    let limit = match request.max_results {
        None | Some(0) => 100,
        Some(limit) => limit.min(MAX_RESULTS),
    };
    let mut matching = executions.iter().enumerate().take(end).rev().filter(|(_, execution)| {
        execution.machine_arn == request.state_machine_arn
            && request.status_filter.as_deref().is_none_or(|wanted| wanted == status(execution))
    });
    let page: Vec<_> = matching.by_ref().take(limit).collect();
    let mut answer =
        json!({"executions": page.iter().map(|(_, execution)| summary(execution)).collect::<Vec<_>>()});
    if let (Some((last, _)), Some(_)) = (page.last(), matching.next()) {
        answer["nextToken"] = last.to_string().into();
    }
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StopExecution {
    execution_arn: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    cause: String,
}

fn stop(machines: &Machines, request: StopExecution) -> Result<Value, Refusal> {
    let StopExecution { execution_arn: arn, error, cause } = request;
    let time = machines.stop(&arn, TaskError { error, cause }).ok_or_else(|| no_such_execution(&arn))?;
    Ok(json!({"stopDate": seconds(time)}))
}

fn summary(execution: &Execution) -> Value {
    let mut summary = json!({
        "executionArn": execution.arn,
        "stateMachineArn": execution.machine_arn,
        "name": execution.name,
        "status": status(execution),
        "startDate": seconds(execution.started),
    });
    if let Some(End(time, _)) = execution.end {
        summary["stopDate"] = seconds(time);
    }
    summary
}

fn status(execution: &Execution) -> &'static str {
    match &execution.end {
        None => "RUNNING",
        Some(End(_, Outcome::Succeeded(_))) => "SUCCEEDED",
        Some(End(_, Outcome::Failed(_))) => "FAILED",
        Some(End(_, Outcome::Aborted(_))) => "ABORTED",
    }
}

/// AWS JSON writes times as seconds with a fraction.
fn seconds(time: Timestamp) -> Value {
    json!(time.as_millisecond() as f64 / 1_000.0)
}

/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>, `name`.
fn is_name(name: &str) -> bool {
    let forbidden = |character: char| {
        character.is_whitespace() || character.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(character)
    };
    (1..=80).contains(&name.chars().count()) && !name.chars().any(forbidden)
}

fn no_such_machine(arn: &str) -> Refusal {
    Refusal("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{arn}'"))
}

fn no_such_execution(arn: &str) -> Refusal {
    Refusal("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'"))
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
