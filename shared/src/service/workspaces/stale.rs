//! The generations that were left lying, which the sweeper finds by `polled_at` and `deadline_at`.

use std::time::Duration;

use futures_util::TryStreamExt;
use mongodb::bson::{DateTime, doc};
use serde::Deserialize;

use super::{Workspaces, generation::running};
use crate::{
    model::{GenerationId, Owner, Timestamp, VideoStatus, WorkspaceId},
    service::database::{DatabaseError, timestamp, workspace_id},
};

/// Told to people of a claim without a task, where nobody could find out whether the vendor has accepted: `generate-video` died on
/// the way.
pub const OUTCOME_UNKNOWN: &str = "生成请求中断，结果未知，为避免重复计费不会自动重试";

/// A claim that has no task after this long is abandoned, and a task that wasn't asked about for this long has lost its
/// execution (decision 3 in the house's design).
pub const ABANDONED_AFTER: Duration = Duration::from_secs(2 * 60);

/// A generation that was left lying.
#[derive(Debug)]
pub struct Stale {
    /// Whose it is.
    pub owner: Owner,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Its id.
    pub id: GenerationId,
    /// The vendor's task, if there is one.
    pub task_id: Option<String>,
    /// Where the vendor has the finished video.
    pub source: Option<String>,
    /// When it is given up.
    pub deadline: Timestamp,
    /// How many executions were started for it after the first.
    pub attempt: i32,
    /// What the logs of its request go by.
    pub correlation_id: Option<String>,
}

impl Workspaces {
    /// Takes over a generation that lost its execution: `false` where somebody else was faster.
    pub async fn take_over(&self, stale: &Stale) -> Result<bool, DatabaseError> {
        let mut filter = running(&stale.owner, stale.workspace_id, &stale.id);
        filter.insert("video.generation.attempt", stale.attempt);
        let take = doc! {
            "$inc": {"video.generation.attempt": 1},
            "$currentDate": {"video.generation.polled_at": true},
        };
        Ok(self.documents.update_one(filter, take).await?.matched_count > 0)
    }

    /// Running generations, of whomever, that were left lying or are past their deadline: at most `limit`.
    pub async fn stale(&self, limit: i64) -> Result<Vec<Stale>, DatabaseError> {
        #[derive(Deserialize)]
        struct Stored {
            #[serde(rename = "_id")]
            id: mongodb::bson::oid::ObjectId,
            owner: String,
            video: StoredVideo,
        }
        #[derive(Deserialize)]
        struct StoredVideo {
            task_id: Option<String>,
            generation: StoredGeneration,
        }
        #[derive(Deserialize)]
        struct StoredGeneration {
            id: GenerationId,
            deadline_at: DateTime,
            attempt: i32,
            correlation_id: Option<String>,
            source: Option<String>,
        }
        let now = DateTime::now();
        let abandoned_ms = i64::try_from(ABANDONED_AFTER.as_millis()).unwrap_or(i64::MAX);
        let abandoned = DateTime::from_millis(now.timestamp_millis().saturating_sub(abandoned_ms));
        let filter = doc! {
            "video.status": VideoStatus::Generating.as_str(),
            "deleted_at": null,
            "$or": [
                // A claim is not polled, so its `polled_at` is when it was made.
                {"video.generation.polled_at": {"$lt": abandoned}},
                // One that is finished and only copied has all the time that it needs.
                {
                    "video.generation.deadline_at": {"$lt": now}, "video.task_id": {"$ne": null},
                    "video.generation.source": null,
                },
            ],
        };
        let documents = self.documents.clone_with_type::<Stored>();
        let found = documents
            .find(filter)
            .sort(doc! {"video.generation.polled_at": 1})
            .limit(limit)
            .projection(doc! {"owner": 1, "video": 1});
        let stale = found.await?.map_ok(|stored| Stale {
            owner: Owner::from_stored(stored.owner),
            workspace_id: workspace_id(stored.id),
            id: stored.video.generation.id,
            task_id: stored.video.task_id,
            source: stored.video.generation.source,
            deadline: timestamp(stored.video.generation.deadline_at),
            attempt: stored.video.generation.attempt,
            correlation_id: stored.video.generation.correlation_id,
        });
        Ok(stale.try_collect().await?)
    }
}
