//! What becomes of videos that are not the newest any more: earlier takes are kept in `video.history`, and the files of those
//! that are not shown any more wait in `condemned`, as names, for the sweeper. Both are written with the change that makes a video an
//! earlier one, so that no death in between leaves a file that nobody knows of.

use futures_util::TryStreamExt;
use mongodb::{
    bson::{Bson, DateTime, Document, doc, oid::ObjectId},
    options::ReturnDocument,
};
use serde::Deserialize;

use super::{Workspaces, alive, moved_forward, only, remember};
use crate::{
    model::{Owner, RequestKey, Timestamp, VideoName, VideoStatus, WorkspaceId},
    service::{
        database::{DatabaseError, object_id, timestamp},
        metrics::Metric,
    },
};

/// How many earlier takes a workspace keeps (contract §7).
const KEPT_TAKES: i32 = 10;

/// Told to people of a generation that they cancelled.
pub const CANCELLED: &str = "已取消";

/// What became of a `video.cancel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// It is no longer made. The workspace's new `updated_at`.
    Cancelled(Timestamp),
    /// The same request cancelled it before.
    Repeat,
    /// Nothing was being made. The workspace's `updated_at`.
    NothingToCancel(Timestamp),
    /// There is no such workspace.
    NotFound,
}

/// Files that nobody is shown any more.
#[derive(Debug)]
pub struct Condemned {
    workspace: ObjectId,
    /// Whose they are.
    pub owner: Owner,
    condemned: Vec<String>,
}

impl Condemned {
    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = VideoName> {
        // What is no name has no file.
        self.condemned.iter().filter_map(|name| name.parse().ok())
    }
}

impl Workspaces {
    /// Ends the running generation, whatever the vendor still makes of it.
    pub async fn cancel_video(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        request: RequestKey,
    ) -> Result<Cancellation, DatabaseError> {
        #[derive(Deserialize)]
        struct Found {
            updated_at: DateTime,
            deleted_at: Option<DateTime>,
            #[serde(default)]
            recent: Vec<Document>,
        }
        let mut running = alive(owner, id);
        running.insert("video.status", VideoStatus::Generating.as_str());
        running.insert("recent.r", doc! {"$ne": request.short()});
        let end = doc! {"$set": {
            "video.status": VideoStatus::Failed.as_str(),
            "video.error": CANCELLED,
            // Of a request that is still at the vendor's: whoever repeats it isn't to wait.
            "video.generation.outcome": {"$ifNull": ["$video.generation.outcome", "unknown"]},
            // A copy of it may be under way.
            "condemned": condemned_with(running_file()),
            "updated_at": moved_forward(),
        }};
        let note = doc! {"$set": {"recent": remember(request)}};
        let documents = self.documents.clone_with_type::<Found>();
        let cancelled = documents
            .find_one_and_update(running, vec![end, note])
            .projection(doc! {"updated_at": 1})
            .return_document(ReturnDocument::After)
            .await?;
        if let Some(cancelled) = cancelled {
            Metric::GenerationsCancelled.count(1);
            return Ok(Cancellation::Cancelled(timestamp(cancelled.updated_at)));
        }
        // Deleted or not: a repeat is answered like the first.
        let any = doc! {"_id": object_id(id), "owner": owner.as_str()};
        let found = documents.find_one(any);
        let found =
            found.projection(doc! {"updated_at": 1, "deleted_at": 1, "recent": only(request)}).await?;
        Ok(match found {
            Some(found) if !found.recent.is_empty() => Cancellation::Repeat,
            Some(Found { updated_at, deleted_at: None, .. }) => {
                Cancellation::NothingToCancel(timestamp(updated_at))
            }
            _ => Cancellation::NotFound,
        })
    }

    /// Workspaces, also deleted ones and of whomever, with files that nobody is shown any more: at most `limit`.
    pub async fn condemned(&self, limit: i64) -> Result<Vec<Condemned>, DatabaseError> {
        #[derive(Deserialize)]
        struct Stored {
            #[serde(rename = "_id")]
            id: ObjectId,
            owner: String,
            condemned: Vec<String>,
        }
        let documents = self.documents.clone_with_type::<Stored>();
        let found = documents.find(doc! {"condemned": {"$gt": ""}}).limit(limit);
        let found = found.projection(doc! {"owner": 1, "condemned": 1}).await?;
        let condemned = found.map_ok(|Stored { id, owner, condemned }| Condemned {
            workspace: id,
            owner: Owner::from_stored(owner),
            condemned,
        });
        Ok(condemned.try_collect().await?)
    }

    /// Forgets files that are gone.
    pub async fn forget_condemned(&self, condemned: &Condemned) -> Result<(), DatabaseError> {
        let forget = doc! {"$pull": {"condemned": {"$in": &condemned.condemned}}};
        self.documents.update_one(doc! {"_id": condemned.workspace}, forget).await?;
        Ok(())
    }
}

/// The expression for the history with the newest video at its end, if that was finished. The oldest beyond 10 are dropped.
pub(super) fn history() -> Bson {
    doc! {"$slice": [takes(), -KEPT_TAKES]}.into()
}

/// The expression for `condemned` with the files that [`history`] drops.
pub(super) fn condemned_by_history() -> Bson {
    let dropped = doc! {"$subtract": [{"$size": takes()}, KEPT_TAKES]};
    let oldest = doc! {"$cond": [{"$gt": [dropped.clone(), 0]}, {"$slice": [takes(), dropped]}, []]};
    condemned_with(files_of(oldest.into()))
}

/// The expression for `condemned` with all files of the workspace, that of a running generation included.
pub(super) fn condemned_by_deletion() -> Bson {
    condemned_with(doc! {"$concatArrays": [files_of(takes()), running_file()]}.into())
}

/// All finished takes, the newest video included.
fn takes() -> Bson {
    let finished = doc! {"$and": [
        {"$eq": ["$video.status", VideoStatus::Completed.as_str()]},
        {"$eq": [{"$type": "$video.url"}, "string"]},
    ]};
    let newest = doc! {
        "task_id": "$video.task_id",
        "url": "$video.url",
        // Of a video from before it was noted: when its workspace last changed, which is not long after in most.
        "created_at": {"$ifNull": ["$video.generation.completed_at", "$updated_at"]},
    };
    doc! {"$concatArrays": [{"$ifNull": ["$video.history", []]}, {"$cond": [finished, [newest], []]}]}.into()
}

/// The names of those of `takes` that are kept in the bucket; a vendor's own address is none.
fn files_of(takes: Bson) -> Bson {
    let prefix = "/api/videos/";
    let kept = doc! {"$filter": {
        "input": takes, "as": "take",
        "cond": {"$eq": [{"$indexOfBytes": ["$$take.url", prefix]}, 0]},
    }};
    let length = i32::try_from(prefix.len()).unwrap_or_default();
    let name = doc! {"$substrBytes": ["$$take.url", length, -1]};
    doc! {"$map": {"input": kept, "as": "take", "in": name}}.into()
}

/// The name that the video of a running generation would have, in a list; an empty one where there is none.
fn running_file() -> Bson {
    let is_running = doc! {"$eq": ["$video.status", VideoStatus::Generating.as_str()]};
    doc! {"$cond": [is_running, [{"$concat": ["$video.generation.id", ".mp4"]}], []]}.into()
}

fn condemned_with(names: Bson) -> Bson {
    doc! {"$concatArrays": [{"$ifNull": ["$condemned", []]}, names]}.into()
}
