//! The executions that ask the vendor about a task until it has ended.

use std::time::Duration;

use aws_sdk_sfn::{Client, error::SdkError, operation::start_execution::StartExecutionError};
use aws_types::SdkConfig;
use serde::{Deserialize, Serialize};

use crate::model::{GenerationId, Owner, Timestamp, WorkspaceId};

/// The input of an execution, and so of `poll-video`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Poll {
    /// Whose it is.
    pub owner: Owner,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The generation.
    pub generation_id: GenerationId,
    /// The vendor's task; `None` where nobody knows whether there is one.
    pub task_id: Option<String>,
    /// Seconds between two questions.
    pub poll_seconds: u32,
    /// When it is given up, in Unix milliseconds.
    pub deadline_ms: i64,
    /// What the logs of the request that began it go by; executions from before there was such a thing have none.
    #[serde(default)]
    pub correlation_id: Option<String>,
}

/// A task that is to be asked about.
#[derive(Clone, Copy, Debug)]
pub struct Polled<'a> {
    /// Whose it is.
    pub owner: &'a Owner,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The generation.
    pub generation_id: &'a GenerationId,
    /// The vendor's task; `None` where nobody knows whether there is one.
    pub task_id: Option<&'a str>,
    /// When it is given up.
    pub deadline: Timestamp,
    /// What the logs of the request that began it go by.
    pub correlation_id: Option<&'a str>,
}

impl Poll {
    /// Whether it is to be given up by now.
    pub fn is_overdue(&self) -> bool {
        Timestamp::now().millis() >= self.deadline_ms
    }
}

/// An execution could not be started.
#[derive(Debug, thiserror::Error)]
#[error("execution not started")]
pub struct StartError(#[source] Box<SdkError<StartExecutionError>>);

/// The state machine.
#[derive(Clone, Debug)]
pub struct Polling {
    client: Client,
    state_machine_arn: String,
    interval: Duration,
}

impl Polling {
    /// The state machine `state_machine_arn`, asking every `interval` (whole seconds).
    pub fn new(aws: &SdkConfig, state_machine_arn: String, interval: Duration) -> Self {
        Self { client: Client::new(aws), state_machine_arn, interval }
    }

    /// Starts the execution of a generation, or its `attempt`th replacement. The name is the same for the same
    /// generation and attempt, so that it is started once however often this is called.
    pub async fn start(&self, task: Polled<'_>, attempt: i32) -> Result<(), StartError> {
        let poll = Poll {
            owner: task.owner.clone(),
            workspace_id: task.workspace_id,
            generation_id: task.generation_id.clone(),
            task_id: task.task_id.map(str::to_owned),
            poll_seconds: u32::try_from(self.interval.as_secs()).unwrap_or(u32::MAX),
            deadline_ms: task.deadline.millis(),
            correlation_id: task.correlation_id.map(str::to_owned),
        };
        let name = match attempt {
            0 => task.generation_id.to_string(),
            _ => format!("{}-{attempt}", task.generation_id),
        };
        // Strings and integers: there is nothing in it that could fail.
        let input = serde_json::to_string(&poll).unwrap_or_default();
        let start = self.client.start_execution().state_machine_arn(&self.state_machine_arn);
        // The execution goes on with the trace of whoever starts it, which Lambda names here.
        let start = start.set_trace_header(std::env::var("_X_AMZN_TRACE_ID").ok());
        match start.name(name).input(input).send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_execution_already_exists() => Ok(()),
            Err(error) => Err(StartError(Box::new(error))),
        }
    }
}
