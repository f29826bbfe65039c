//! The task of the polling state machine: asks the vendor about a task once, and records and tells how it ended. Every
//! step may be repeated (decision 4 in the house's design).

use std::sync::Arc;

use lambda_runtime::{Diagnostic, Error, LambdaEvent};
use serde::{Deserialize, Serialize};
use shared::{
    edge::{
        function::{note, serve},
        settings::{Settings, SettingsError},
    },
    model::{Event, VideoStatus, describe},
    service::{
        database::DatabaseError,
        polling::Poll,
        push::Pusher,
        video_vendor::{TaskState, VendorUnavailable, VideoVendor},
        workspaces::{Workspaces, generation::Ending},
    },
};

/// What the polls of a process share.
struct App {
    workspaces: Workspaces,
    vendor: VideoVendor,
    pusher: Pusher,
}

#[derive(Deserialize)]
struct Input {
    #[serde(flatten)]
    poll: Poll,
    /// There once the state machine has given up asking: all that is left is to record it.
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
    /// It has ended, or is no longer this workspace's newest generation.
    Ended,
}

#[derive(Serialize)]
struct Output {
    status: Status,
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

async fn poll(app: Arc<App>, event: LambdaEvent<Input>) -> Result<Output, PollError> {
    let Input { poll, failure } = event.payload;
    if let Some(id) = &poll.correlation_id {
        note("correlation_id", id);
    }
    note("workspace_id", poll.workspace_id);
    note("generation_id", &poll.generation_id);
    note("task_id", &poll.task_id);
    let status = match failure {
        Some(failure) => {
            tracing::error!(error = failure.error, "polling given up");
            let error = "无法查询视频状态，已放弃等待".to_owned();
            app.end(&poll, Ending::Failed { error }).await?
        }
        None => app.ask(&poll).await?,
    };
    Ok(Output { status })
}

impl App {
    async fn new(settings: Settings) -> Result<Self, SettingsError> {
        let database = settings.database().await?;
        Ok(Self {
            workspaces: Workspaces::new(&database),
            vendor: settings.video_vendor()?,
            pusher: settings.pusher(&database)?,
        })
    }

    async fn ask(&self, poll: &Poll) -> Result<Status, PollError> {
        let (is_running, state) = tokio::join!(
            self.workspaces.record_task(&poll.owner, poll.workspace_id, &poll.generation_id, &poll.task_id),
            self.vendor.query_task(&poll.task_id),
        );
        if !is_running? {
            self.tell_again(poll).await?;
            return Ok(Status::Ended);
        }
        match state {
            Ok(TaskState::Succeeded { url }) => self.end(poll, Ending::Completed { url }).await,
            Ok(TaskState::Failed { reason }) => self.end(poll, Ending::Failed { error: reason }).await,
            Ok(TaskState::Running) | Err(_) if poll.is_overdue() => self.end(poll, Ending::Overdue).await,
            Ok(TaskState::Running) => Ok(Status::Generating),
            Err(unavailable) => Err(unavailable.into()),
        }
    }

    async fn end(&self, poll: &Poll, ending: Ending) -> Result<Status, PollError> {
        let finished = self.workspaces.finish(&poll.owner, poll.workspace_id, &poll.generation_id, &ending);
        match finished.await? {
            Some(updated_at) => {
                tracing::info!("generation ended");
                let event = ending.into_event(poll.workspace_id, updated_at);
                self.pusher.tell_all(&poll.owner, &event).await;
            }
            None => self.tell_again(poll).await?,
        }
        Ok(Status::Ended)
    }

    /// The generation has ended before this: perhaps in a run that died before it could tell. To be told twice does no
    /// harm.
    async fn tell_again(&self, poll: &Poll) -> Result<(), DatabaseError> {
        let Some(snapshot) = self.workspaces.snapshot(&poll.owner, poll.workspace_id).await? else {
            return Ok(());
        };
        let is_newest = snapshot.generation.is_some_and(|newest| newest.id == poll.generation_id);
        if is_newest && matches!(snapshot.video.status, VideoStatus::Completed | VideoStatus::Failed) {
            let event = Event::VideoStatus {
                workspace_id: poll.workspace_id,
                status: snapshot.video.status,
                video_url: snapshot.video.url,
                error: snapshot.video.error,
                updated_at: snapshot.updated_at,
            };
            self.pusher.tell_all(&poll.owner, &event).await;
        }
        Ok(())
    }
}
