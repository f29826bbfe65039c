//! The last task of the polling state machine: copies the finished video from the vendor, which will delete it, into the bucket, and
//! records and tells that it is there (contract §7). Every step may be repeated: the file of a generation has one name, and is there
//! whole or not at all.

// The SDK's futures within a stream within a future nest deeply.
#![recursion_limit = "256"]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lambda_runtime::{Diagnostic, Error, LambdaEvent};
use serde::Serialize;
use shared::{
    edge::{
        function::{note, serve},
        generations::Generations,
        settings::{Settings, SettingsError},
    },
    model::{VideoName, VideoStatus, describe},
    service::{
        bucket::StoreError,
        database::DatabaseError,
        metrics::Metric,
        polling::Poll,
        video_source::{Incoming, SourceError, VideoSource},
        videos::{PutError, Videos},
        workspaces::generation::Ending,
    },
};
use tokio::time::sleep;

/// How often it is noted that somebody works on the generation: the sweeper gives one to somebody else that is silent for two minutes.
const NOTE_EVERY: Duration = Duration::from_secs(30);
/// After how long it is looked again for a video that isn't there.
const ABSENT_FOR: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(5)];

/// What the copies of a process share.
struct App {
    generations: Generations,
    videos: Videos,
    source: VideoSource,
}

#[derive(Serialize)]
struct Output {
    status: &'static str,
}

/// Why the copy is to be tried again.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("video not available: {0}")]
    Source(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<KeepError> for Diagnostic {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::Source(_) => {
                Self { error_type: "VideoUnavailable".to_owned(), error_message: describe(&error) }
            }
            KeepError::Store(_) => {
                Self { error_type: "BucketError".to_owned(), error_message: describe(&error) }
            }
            KeepError::Database(error) => error.into(),
        }
    }
}

/// What came of a copy.
enum Copied {
    /// It is in the bucket.
    Kept,
    /// It never will be.
    Unusable(String),
    /// Nobody waits for it any more.
    Unwanted,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(App::new, keep).await
}

impl App {
    async fn new(settings: Settings) -> Result<Self, SettingsError> {
        let database = settings.database().await?;
        Ok(Self {
            generations: settings.generations(&database)?,
            videos: settings.videos()?,
            source: settings.video_source()?,
        })
    }

    /// Copies what is at `source`, unless it was copied before.
    async fn copy(&self, poll: &Poll, name: &VideoName, source: &str) -> Result<Copied, KeepError> {
        let key = poll.owner.key();
        if self.videos.exists(&key, name).await? {
            return Ok(Copied::Kept);
        }
        let begun = Instant::now();
        let stored = async {
            let incoming = self.open(source).await.map_err(PutError::Source)?;
            self.videos.put(&key, name, incoming.chunks()).await
        };
        let stored = tokio::select! {
            stored = stored => stored,
            () = self.until_unwanted(poll) => return Ok(Copied::Unwanted),
        };
        match stored {
            Ok(bytes) => {
                Metric::VideosKept.count(1);
                Metric::KeepTime.time(begun.elapsed());
                tracing::info!(bytes, "video kept");
                Ok(Copied::Kept)
            }
            Err(PutError::Source(SourceError::Unavailable(why))) => Err(KeepError::Source(why)),
            Err(PutError::Source(never)) => Ok(Copied::Unusable(never.to_string())),
            Err(PutError::Store(error)) => Err(error.into()),
        }
    }

    /// Opens the video. What is not there at once may be so a moment later, in another place of the vendor's.
    async fn open(&self, source: &str) -> Result<Incoming, SourceError> {
        for wait in ABSENT_FOR {
            match self.source.open(source).await {
                Err(SourceError::Absent(_)) => sleep(wait).await,
                other => return other,
            }
        }
        self.source.open(source).await
    }

    /// Notes again and again that somebody works on the generation, until it isn't running any more.
    async fn until_unwanted(&self, poll: &Poll) {
        let workspaces = &self.generations.workspaces;
        loop {
            sleep(NOTE_EVERY).await;
            match workspaces.is_running(&poll.owner, poll.workspace_id, &poll.generation_id).await {
                Ok(true) => {}
                Ok(false) => return,
                // No reason to lose what is copied already.
                Err(error) => tracing::warn!(error = describe(&error), "copy not noted"),
            }
        }
    }

    /// Removes what was copied for nobody. What is shown stays.
    async fn remove_unwanted(&self, poll: &Poll, name: &VideoName) -> Result<(), KeepError> {
        let snapshot = self.generations.workspaces.snapshot(&poll.owner, poll.workspace_id).await?;
        let url = name.url();
        let is_shown = snapshot.is_some_and(|mut found| found.video.urls_mut().any(|shown| *shown == url));
        if !is_shown {
            self.videos.remove(&poll.owner.key(), name).await?;
        }
        Ok(())
    }
}

async fn keep(app: Arc<App>, event: LambdaEvent<Poll>) -> Result<Output, KeepError> {
    let poll = event.payload;
    if let Some(id) = &poll.correlation_id {
        note("correlation_id", id);
    }
    note("workspace_id", poll.workspace_id);
    note("generation_id", &poll.generation_id);
    let name = VideoName::of(&poll.generation_id);
    // Noted first: an attempt may end before it is due to be noted the next time.
    let (is_running, newest) = tokio::join!(
        app.generations.workspaces.is_running(&poll.owner, poll.workspace_id, &poll.generation_id),
        app.generations.newest(&poll),
    );
    let newest = newest?.filter(|newest| newest.video.status == VideoStatus::Generating);
    let source = newest.and_then(|newest| newest.generation).and_then(|generation| generation.source);
    let Some(source) = source.filter(|_| matches!(is_running, Ok(true))) else {
        is_running?;
        app.remove_unwanted(&poll, &name).await?;
        app.generations.tell_again(&poll).await?;
        return Ok(Output { status: "ended" });
    };
    let ending = match app.copy(&poll, &name, &source).await? {
        Copied::Kept => Ending::Completed { url: name.url() },
        Copied::Unusable(why) => Ending::NotKept { url: source, why },
        Copied::Unwanted => Ending::NotKept { url: source, why: "not running any more".to_owned() },
    };
    if !app.generations.end(&poll, ending).await? {
        app.remove_unwanted(&poll, &name).await?;
    }
    Ok(Output { status: "ended" })
}
