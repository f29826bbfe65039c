//! Runs a state machine, one state at a time.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::{sleep, timeout};

use super::definition::{Choice, Fail, State, StateMachine, Task, Wait};
use super::millis;
use super::path::Path;

/// <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
const MAX_DATA_BYTES: usize = 262_144;
const MAX_EVENTS: usize = 25_000;
const MAX_ERROR_CHARACTERS: usize = 256;
const MAX_CAUSE_CHARACTERS: usize = 32_768;

/// Why a task, or a whole execution, failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskError {
    /// A name that `ErrorEquals` can match: of the function's own error type, or one such as
    /// `Lambda.TooManyRequestsException`.
    pub error: String,
    /// For people; AWS puts the whole error payload of a function here.
    pub cause: String,
}

/// Calls a function, by name or ARN.
pub(super) type Invoke =
    Arc<dyn Fn(String, Value) -> BoxFuture<'static, Result<Value, TaskError>> + Send + Sync>;

/// Where an execution stands between two states: all that has to be stored for it to survive a restart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Position {
    state: String,
    data: Value,
    /// Events in its history so far.
    events: usize,
    /// When it came before `state`.
    #[serde(with = "millis")]
    since: Timestamp,
    /// How much of a wait has passed already.
    #[serde(skip)]
    waited: Duration,
}

/// What a state leads to.
#[derive(Debug)]
pub(super) enum Step {
    To(Position),
    End(Result<Value, TaskError>),
}

impl Position {
    /// Before the first state.
    pub(super) fn start(machine: &StateMachine, input: Value) -> Self {
        // ExecutionStarted is the first event.
        Self {
            state: machine.start.clone(),
            data: input,
            events: 1,
            since: Timestamp::now(),
            waited: Duration::ZERO,
        }
    }

    /// The same in another process, some time later.
    pub(super) fn resumed(self) -> Self {
        // A clock that went backwards makes no wait longer than it was.
        let waited = Duration::try_from(Timestamp::now().duration_since(self.since)).unwrap_or_default();
        Self { waited, ..self }
    }

    /// Runs the state that it stands before.
    pub(super) async fn step(self, machine: &StateMachine, invoke: &Invoke) -> Step {
        let Some(state) = machine.states.get(&self.state) else {
            // Not possible with the machine that it began with; a stored one may have been edited since.
            return Step::End(Err(runtime(format!("There is no state '{}'", self.state))));
        };
        match self.run(state, invoke).await {
            Ok(step) => step,
            Err(error) => Step::End(Err(error.limited())),
        }
    }

    async fn run(mut self, state: &State, invoke: &Invoke) -> Result<Step, TaskError> {
        self.record(1)?; // …StateEntered
        match state {
            State::Wait(wait) => {
                sleep(seconds(wait, &self.data)?.saturating_sub(self.waited)).await;
                self.leave(&wait.next)
            }
            State::Choice(choice) => {
                let next = choose(choice, &self.data)?;
                self.leave(next)
            }
            State::Task(task) => {
                let next = self.run_task(task, invoke).await?;
                self.leave(next)
            }
            State::Succeed => {
                self.record(1)?;
                // ExecutionSucceeded may be the 25,000th event.
                Ok(Step::End(Ok(self.data)))
            }
            State::Fail(Fail { error, cause }) => {
                Err(TaskError { error: error.clone(), cause: cause.clone() })
            }
        }
    }

    fn leave(mut self, next: &str) -> Result<Step, TaskError> {
        self.record(1)?; // …StateExited
        let (since, waited) = (Timestamp::now(), Duration::ZERO);
        Ok(Step::To(Self { state: next.to_owned(), since, waited, ..self }))
    }

    /// The last event is reserved for the end of the execution:
    /// <https://docs.aws.amazon.com/step-functions/latest/dg/bp-history-limit.html>.
    fn record(&mut self, events: usize) -> Result<(), TaskError> {
        self.events += events;
        if self.events >= MAX_EVENTS {
            return Err(runtime(format!(
                "The execution reached the maximum number of history events ({MAX_EVENTS})."
            )));
        }
        Ok(())
    }

    /// Attempts, retries and catches; the name of the next state.
    async fn run_task<'a>(&mut self, task: &'a Task, invoke: &Invoke) -> Result<&'a str, TaskError> {
        // Each retrier counts for itself, anew on each visit of the state.
        let mut retries = vec![0; task.retry.len()];
        loop {
            self.record(3)?; // TaskScheduled, TaskStarted, and how it ended
            let error = match attempt(task, &self.data, invoke).await {
                Ok(output) => {
                    self.data = output;
                    return Ok(&task.next);
                }
                Err(error) => error.limited(),
            };
            if let Some(delay) = delay_before_retry(task, &mut retries, &error) {
                sleep(delay).await;
                continue;
            }
            let Some(catcher) =
                task.catch.iter().find(|catcher| catcher.error_equals.match_name(&error.error))
            else {
                return Err(error);
            };
            let output = json!({"Error": error.error, "Cause": error.cause});
            let caught = catcher.result_path.apply(self.data.take(), output);
            self.data = within_limit(caught.ok_or_else(result_path_mismatch)?)?;
            return Ok(&catcher.next);
        }
    }
}

/// The first retrier that matches decides, even if it has no attempts left.
fn delay_before_retry(task: &Task, retries: &mut [u32], error: &TaskError) -> Option<Duration> {
    let position = task.retry.iter().position(|retrier| retrier.error_equals.match_name(&error.error))?;
    let (retrier, count) = (task.retry.get(position)?, retries.get_mut(position)?);
    if *count >= retrier.max_attempts {
        return None;
    }
    let delay = retrier.delay(*count);
    *count += 1;
    Some(delay)
}

/// One call of the function, up to the state's output.
async fn attempt(task: &Task, input: &Value, invoke: &Invoke) -> Result<Value, TaskError> {
    let payload = resolve(&task.parameters.payload, "Payload.$", input)?.clone();
    let call = invoke(task.parameters.function_name.clone(), payload);
    let limit = Duration::from_secs(task.timeout_seconds.into());
    let answer = match timeout(limit, call).await {
        Ok(answer) => answer?,
        Err(_) => return Err(TaskError::new("States.Timeout", "")),
    };
    // What the integration makes of Lambda's answer:
    // https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
    let result = within_limit(json!({"ExecutedVersion": "$LATEST", "Payload": answer, "StatusCode": 200}))?;
    let selected = match &task.result_selector {
        None => result,
        Some(selector) => {
            let mut selected = Map::new();
            for (name, path) in &selector.0 {
                selected.insert(name.clone(), resolve(path, &format!("{name}.$"), &result)?.clone());
            }
            Value::Object(selected)
        }
    };
    let output = task.result_path.apply(input.clone(), selected).ok_or_else(result_path_mismatch)?;
    within_limit(output)
}

fn seconds(wait: &Wait, data: &Value) -> Result<Duration, TaskError> {
    match resolve(&wait.seconds_path, "SecondsPath", data)?.as_u64() {
        Some(seconds) if seconds <= 99_999_999 => Ok(Duration::from_secs(seconds)),
        _ => Err(runtime(format!(
            "The SecondsPath '{}' does not refer to a whole number of seconds",
            wait.seconds_path.as_str()
        ))),
    }
}

fn choose<'a>(choice: &'a Choice, data: &Value) -> Result<&'a str, TaskError> {
    for rule in &choice.choices {
        let Some(value) = rule.variable.find(data) else {
            let path = rule.variable.as_str();
            let message = "The choice state's condition path references an invalid value.";
            return Err(runtime(format!("Invalid path '{path}': {message}")));
        };
        if value.as_str() == Some(&rule.string_equals) {
            return Ok(&rule.next);
        }
    }
    match &choice.default {
        Some(next) => Ok(next),
        None => {
            Err(TaskError::new("States.NoChoiceMatched", "No choice rule matched, and there is no Default"))
        }
    }
}

fn resolve<'a>(path: &Path, field: &str, data: &'a Value) -> Result<&'a Value, TaskError> {
    path.find(data).ok_or_else(|| {
        let path = path.as_str();
        runtime(format!(
            "The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{data}'"
        ))
    })
}

fn within_limit(data: Value) -> Result<Value, TaskError> {
    if data.to_string().len() > MAX_DATA_BYTES {
        let cause = "The state/task returned a result with a size exceeding the maximum number of bytes service limit.";
        return Err(TaskError::new("States.DataLimitExceeded", cause));
    }
    Ok(data)
}

fn runtime(cause: String) -> TaskError {
    TaskError::new("States.Runtime", cause)
}

fn result_path_mismatch() -> TaskError {
    TaskError::new(
        "States.ResultPathMatchFailure",
        "The ResultPath cannot be applied to the input of the state",
    )
}

impl TaskError {
    fn new(error: &str, cause: impl Into<String>) -> Self {
        Self { error: error.to_owned(), cause: cause.into() }
    }

    fn limited(self) -> Self {
        Self {
            error: self.error.chars().take(MAX_ERROR_CHARACTERS).collect(),
            cause: self.cause.chars().take(MAX_CAUSE_CHARACTERS).collect(),
        }
    }
}

#[cfg(test)]
#[path = "interpreter_tests.rs"]
mod tests;
