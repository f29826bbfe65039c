//! The generations of videos, as a workspace's document keeps them under `video.generation`:
//!
//! - `id`: what every later write of the generation is conditional on.
//! - `idempotency`: hashes of the `Idempotency-Key` and of the request that came with it.
//! - `outcome`: what became of asking the vendor, see [`Outcome`]; `null` while that isn't known.
//! - `polled_at`, `deadline_at`, `attempt`: by which the sweeper finds what was left lying.
//! - `source`: where the vendor has the finished video; `completed_at`: when its end was recorded.
//! - `claimed_at`, `correlation_id`: for metrics and logs. Generations from before there were those have none.

use std::time::Duration;

use mongodb::{
    bson::{DateTime, Document, doc},
    options::ReturnDocument,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Workspaces, alive, document, moved_forward, takes};
use crate::{
    model::{Event, GenerationId, ImageName, Owner, Timestamp, Video, VideoStatus, WorkspaceId},
    service::{
        database::{DatabaseError, literal, object_id, timestamp},
        metrics::Metric,
    },
};

/// What became of asking the vendor for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// There is a task.
    Accepted,
    /// There is surely none, so asking again costs nothing.
    Refused,
    /// There may be one: asking again may be paid twice.
    Unknown,
}

impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    const fn metric(self) -> Metric {
        match self {
            Self::Accepted => Metric::GenerationsStarted,
            Self::Refused => Metric::GenerationsRefused,
            Self::Unknown => Metric::GenerationsUnknown,
        }
    }
}

/// What a repeat of a request is recognised by: hashes of its `Idempotency-Key` and of all that it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Idempotency {
    /// Of the key.
    pub key: String,
    /// Of what it came with.
    pub request: String,
}

/// The newest generation of a workspace.
#[derive(Debug, Deserialize)]
pub struct Generation {
    /// Its id.
    pub id: GenerationId,
    /// What a repeat of its request is recognised by.
    #[serde(default)]
    pub idempotency: Option<Idempotency>,
    /// What became of asking the vendor; `None` while that isn't known.
    pub outcome: Option<Outcome>,
    /// Where the vendor has the finished video.
    #[serde(default)]
    pub source: Option<String>,
}

/// What of a workspace matters to its videos, and to suggestions for them.
#[derive(Debug)]
pub struct Snapshot {
    /// The form.
    pub form_data: Map<String, Value>,
    /// The picture, if it has one.
    pub image: Option<ImageName>,
    /// The newest video.
    pub video: Video,
    /// The generation of that video, if it ever had one.
    pub generation: Option<Generation>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// How a generation ends.
#[derive(Debug, Clone)]
pub enum Ending {
    /// With a video.
    Completed {
        /// Where it can be watched.
        url: String,
    },
    /// With a video that could not be kept, and is left where the vendor has it.
    NotKept {
        /// Where.
        url: String,
        /// Why, for the log.
        why: String,
    },
    /// Without.
    Failed {
        /// Why, in Chinese.
        error: String,
    },
    /// Past its deadline.
    Overdue,
}

/// Told to people of a generation that is past its deadline.
const OVERDUE: &str = "视频生成超时";

impl Ending {
    const fn metric(&self) -> Metric {
        match self {
            Self::Completed { .. } | Self::NotKept { .. } => Metric::GenerationsCompleted,
            Self::Failed { .. } => Metric::GenerationsFailed,
            Self::Overdue => Metric::GenerationsOverdue,
        }
    }

    /// What an owner's connections are told about it.
    pub fn into_event(self, workspace_id: WorkspaceId, updated_at: Timestamp) -> Event {
        let (status, video_url, error) = match self {
            Self::Completed { url } | Self::NotKept { url, .. } => (VideoStatus::Completed, Some(url), None),
            Self::Failed { error } => (VideoStatus::Failed, None, Some(error)),
            Self::Overdue => (VideoStatus::Failed, None, Some(OVERDUE.to_owned())),
        };
        Event::VideoStatus { workspace_id, status, video_url, error, updated_at }
    }
}

/// When a generation ended, and how long after its claim.
struct Ended {
    at: Timestamp,
    took: Option<Duration>,
}

impl Workspaces {
    /// What of a workspace matters to its videos, or `None` where there is no such workspace.
    pub async fn snapshot(&self, owner: &Owner, id: WorkspaceId) -> Result<Option<Snapshot>, DatabaseError> {
        #[derive(Deserialize)]
        struct Stored {
            form_data: Map<String, Value>,
            image_path: Option<String>,
            video: StoredVideo,
            updated_at: DateTime,
        }
        #[derive(Deserialize)]
        struct StoredVideo {
            #[serde(flatten)]
            video: document::StoredVideo,
            generation: Option<Generation>,
        }
        let stored: Option<Stored> = self
            .documents
            .clone_with_type()
            .find_one(alive(owner, id))
            .projection(doc! {"form_data": 1, "image_path": 1, "video": 1, "updated_at": 1})
            .await?;
        Ok(stored.map(|stored| Snapshot {
            form_data: stored.form_data,
            image: stored.image_path.and_then(|path| ImageName::from_image_path(&path).ok()),
            video: stored.video.video.into(),
            generation: stored.video.generation,
            updated_at: timestamp(stored.updated_at),
        }))
    }

    /// Ends a running generation. The new `updated_at`, or `None` where it is no longer the workspace's, or has ended.
    pub async fn finish(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        generation: &GenerationId,
        ending: &Ending,
    ) -> Result<Option<Timestamp>, DatabaseError> {
        let failed =
            |error: &str| doc! {"video.status": VideoStatus::Failed.as_str(), "video.error": literal(error)};
        let mut change = match ending {
            Ending::Completed { url } | Ending::NotKept { url, .. } => {
                doc! {
                    "video.status": VideoStatus::Completed.as_str(),
                    "video.url": literal(url),
                    "video.generation.completed_at": "$$NOW",
                }
            }
            Ending::Failed { error } => failed(error),
            Ending::Overdue => failed(OVERDUE),
        };
        if !matches!(ending, Ending::Completed { .. }) {
            // What was copied of it is shown to nobody.
            change.insert("condemned", takes::condemned_with(takes::running_file()));
        }
        let Some(ended) = self.change_running(owner, id, generation, change).await? else { return Ok(None) };
        ending.metric().count(1);
        if let Ending::NotKept { why, .. } = ending {
            let generation_id = generation.as_str();
            tracing::error!(generation_id, error = why, "video not kept: left at the vendor's address");
            Metric::VideosNotKept.count(1);
        }
        if let Some(took) = ended.took {
            Metric::VendorTime.time(took);
        }
        Ok(Some(ended.at))
    }

    /// Ends a claim that got no task, and keeps why for repeats of the request.
    pub async fn fail_claim(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        generation: &GenerationId,
        outcome: Outcome,
        error: &str,
    ) -> Result<Option<Timestamp>, DatabaseError> {
        let change = doc! {
            "video.status": VideoStatus::Failed.as_str(),
            "video.error": literal(error),
            "video.generation.outcome": outcome.as_str(),
        };
        let ended = self.change_running(owner, id, generation, change).await?;
        if ended.is_some() {
            outcome.metric().count(1);
        }
        Ok(ended.map(|ended| ended.at))
    }

    async fn change_running(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        generation: &GenerationId,
        mut change: Document,
    ) -> Result<Option<Ended>, DatabaseError> {
        #[derive(Deserialize)]
        struct After {
            updated_at: DateTime,
            video: EndedVideo,
        }
        #[derive(Deserialize)]
        struct EndedVideo {
            generation: EndedGeneration,
        }
        #[derive(Deserialize)]
        struct EndedGeneration {
            claimed_at: Option<DateTime>,
        }
        change.insert("updated_at", moved_forward());
        let documents = self.documents.clone_with_type::<After>();
        let after = documents
            .find_one_and_update(running(owner, id, generation), vec![doc! {"$set": change}])
            .projection(doc! {"updated_at": 1, "video.generation.claimed_at": 1})
            .return_document(ReturnDocument::After)
            .await?;
        Ok(after.map(|After { updated_at, video }| {
            let claimed_at = video.generation.claimed_at;
            let took =
                claimed_at.and_then(|at| updated_at.timestamp_millis().checked_sub(at.timestamp_millis()));
            let took = took.and_then(|took| u64::try_from(took).ok()).map(Duration::from_millis);
            Ended { at: timestamp(updated_at), took }
        }))
    }

    /// Records the task of a running generation, and that somebody works on it: when the vendor has accepted, and again at
    /// each poll, in case the database failed at that moment. `false` where it isn't running any more.
    ///
    /// `updated_at` stays: the task completes the claim, of which clients were told, and they are told nothing of the task.
    pub async fn record_task(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        generation: &GenerationId,
        task_id: &str,
    ) -> Result<bool, DatabaseError> {
        let task = doc! {"video.task_id": task_id, "video.generation.outcome": Outcome::Accepted.as_str()};
        self.note_work(owner, id, generation, task).await
    }

    /// Records where the vendor has the finished video of a running generation: nothing but the copying of it is to be done any
    /// more. `false` where it isn't running any more.
    pub async fn record_source(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        generation: &GenerationId,
        source: &str,
    ) -> Result<bool, DatabaseError> {
        self.note_work(owner, id, generation, doc! {"video.generation.source": source}).await
    }

    /// Notes that somebody works on a running generation, so that the sweeper gives it to nobody else. `false` where it isn't
    /// running any more.
    pub async fn is_running(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        generation: &GenerationId,
    ) -> Result<bool, DatabaseError> {
        self.note_work(owner, id, generation, doc! {}).await
    }

    async fn note_work(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        generation: &GenerationId,
        change: Document,
    ) -> Result<bool, DatabaseError> {
        let mut note = doc! {"$currentDate": {"video.generation.polled_at": true}};
        if !change.is_empty() {
            note.insert("$set", change);
        }
        Ok(self.documents.update_one(running(owner, id, generation), note).await?.matched_count > 0)
    }
}

/// The filter for a workspace whose running generation is `generation`.
pub(super) fn running(owner: &Owner, id: WorkspaceId, generation: &GenerationId) -> Document {
    doc! {
        "_id": object_id(id),
        "owner": owner.as_str(),
        "deleted_at": null,
        "video.status": VideoStatus::Generating.as_str(),
        "video.generation.id": generation.as_str(),
    }
}
