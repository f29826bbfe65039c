//! The task of the polling state machine: asks the vendor about a task once, and records and tells what came of it. Every step may
//! be repeated (decision 4 in the house's design).

mod ask;

use std::sync::Arc;

use lambda_runtime::{Diagnostic, Error, LambdaEvent};
use serde::{Deserialize, Serialize};
use shared::{
    edge::{
        function::{note, serve},
        generations::Generations,
        settings::{self, Settings, SettingsError},
    },
    model::describe,
    service::{
        database::DatabaseError,
        polling::Poll,
        video_vendor::{VendorUnavailable, VideoVendor},
    },
};

/// What the polls of a process share.
struct App {
    generations: Generations,
    vendor: VideoVendor,
    keeps_videos: bool,
}

#[derive(Deserialize)]
struct Input {
    #[serde(flatten)]
    poll: Poll,
    /// There once the state machine has given up: all that is left is to record it.
    failure: Option<Failure>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failure {
    error: Option<String>,
}

/// What the state machine goes on by.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// Ask again.
    Generating,
    /// Ask again when the vendor wants to be asked.
    Busy,
    /// The vendor has the video: copy it.
    Made,
    /// It has ended, or is no longer this workspace's newest generation.
    Ended,
}

#[derive(Serialize)]
struct Output {
    status: Status,
    /// Of a busy vendor; 0 otherwise.
    retry_after_seconds: u64,
}

impl From<Status> for Output {
    fn from(status: Status) -> Self {
        Self { status, retry_after_seconds: 0 }
    }
}

/// Its names are what the state machine's retriers match.
#[derive(Debug, thiserror::Error)]
enum PollError {
    #[error(transparent)]
    VendorUnavailable(#[from] VendorUnavailable),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<PollError> for Diagnostic {
    fn from(error: PollError) -> Self {
        match error {
            PollError::VendorUnavailable(error) => {
                Self { error_type: "VendorUnavailable".to_owned(), error_message: describe(&error) }
            }
            PollError::Database(error) => error.into(),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(App::new, poll).await
}

impl App {
    async fn new(settings: Settings) -> Result<Self, SettingsError> {
        let database = settings.database().await?;
        Ok(Self {
            generations: settings.generations(&database)?,
            vendor: settings.video_vendor()?,
            keeps_videos: settings::keeps_videos()?,
        })
    }
}

async fn poll(app: Arc<App>, event: LambdaEvent<Input>) -> Result<Output, PollError> {
    let Input { poll, failure } = event.payload;
    if let Some(id) = &poll.correlation_id {
        note("correlation_id", id);
    }
    note("workspace_id", poll.workspace_id);
    note("generation_id", &poll.generation_id);
    if let Some(task_id) = &poll.task_id {
        note("task_id", task_id);
    }
    match failure {
        Some(failure) => {
            tracing::error!(error = failure.error, "execution given up");
            Ok(app.give_up(&poll).await?.into())
        }
        None => app.ask(&poll).await,
    }
}
