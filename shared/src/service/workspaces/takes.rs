//! What becomes of videos that are not the newest any more: earlier takes are kept in `video.history`, and the files of those
//! that are not shown any more wait in `condemned`, as names, for the sweeper. Both are written with the change that makes a video an
//! earlier one, so that no death in between leaves a file that nobody knows of.

use futures_util::TryStreamExt;
use mongodb::{
    bson::{Bson, DateTime, doc, oid::ObjectId},
    options::ReturnDocument,
};
use serde::Deserialize;

use super::{Workspaces, alive, generation::Outcome, moved_forward, only, remember_with};
use crate::{
    model::{GenerationId, Owner, RequestKey, Timestamp, VideoName, VideoStatus, WorkspaceId, describe},
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
    /// Ends the running generation, whatever the vendor still makes of it. That there is none is remembered too: a repeat that comes
    /// after the next one was begun must not end that.
    pub async fn cancel_video(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        request: RequestKey,
    ) -> Result<Cancellation, DatabaseError> {
        #[derive(Deserialize)]
        struct Found {
            updated_at: DateTime,
            #[serde(default)]
            recent: Vec<Remembered>,
            video: Option<FoundVideo>,
        }
        #[derive(Deserialize)]
        struct Remembered {
            #[serde(default)]
            was_idle: bool,
        }
        #[derive(Deserialize)]
        struct FoundVideo {
            generation: Option<FoundGeneration>,
        }
        #[derive(Deserialize)]
        struct FoundGeneration {
            id: GenerationId,
            source: Option<String>,
        }
        let is_running = doc! {"$eq": ["$video.status", VideoStatus::Generating.as_str()]};
        let note = doc! {"$set": {"recent": remember_with(request, doc! {"was_idle": {"$not": [is_running.clone()]}})}};
        let ended = doc! {"$mergeObjects": ["$video", {
            "status": VideoStatus::Failed.as_str(),
            "error": CANCELLED,
            "generation": {"$mergeObjects": ["$video.generation", {
                // Of a request that is still at the vendor's: whoever repeats it isn't to wait.
                "outcome": {"$ifNull": ["$video.generation.outcome", Outcome::Unknown.as_str()]},
            }]},
        }]};
        let end = doc! {"$set": {
            "video": {"$cond": [is_running.clone(), ended, "$video"]},
            // A copy of it may be under way.
            "condemned": condemned_with(running_file()),
            "updated_at": {"$cond": [is_running, moved_forward(), "$updated_at"]},
        }};
        let shown = doc! {"updated_at": 1, "recent": {"$slice": 1}, "video.generation.id": 1, "video.generation.source": 1};
        let mut unknown = alive(owner, id);
        unknown.insert("recent.r", doc! {"$ne": request.short()});
        let documents = self.documents.clone_with_type::<Found>();
        let after = documents.find_one_and_update(unknown, vec![note, end]).projection(shown);
        if let Some(Found { updated_at, recent, video }) =
            after.return_document(ReturnDocument::After).await?
        {
            let updated_at = timestamp(updated_at);
            if recent.first().is_some_and(|newest| newest.was_idle) {
                return Ok(Cancellation::NothingToCancel(updated_at));
            }
            Metric::GenerationsCancelled.count(1);
            // What the vendor has made already is only copied.
            let at_vendor =
                video.and_then(|video| video.generation).filter(|generation| generation.source.is_none());
            if let Some(generation) = at_vendor
                && let Err(error) = self.hold_slot(owner, &generation.id).await
            {
                // It is cancelled all the same, and that is to be told.
                tracing::warn!(error = describe(&error), "slot of a cancelled generation not held");
            }
            return Ok(Cancellation::Cancelled(updated_at));
        }
        // Deleted or not: a repeat is answered like the first.
        let any = doc! {"_id": object_id(id), "owner": owner.as_str(), "recent.r": request.short()};
        let found =
            documents.find_one(any).projection(doc! {"updated_at": 1, "recent": only(request)}).await?;
        Ok(match found {
            Some(Found { updated_at, recent, .. }) if recent.first().is_some_and(|first| first.was_idle) => {
                Cancellation::NothingToCancel(timestamp(updated_at))
            }
            Some(_) => Cancellation::Repeat,
            None => Cancellation::NotFound,
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
pub(super) fn running_file() -> Bson {
    let is_running = doc! {"$eq": ["$video.status", VideoStatus::Generating.as_str()]};
    doc! {"$cond": [is_running, [{"$concat": ["$video.generation.id", ".mp4"]}], []]}.into()
}

pub(super) fn condemned_with(names: Bson) -> Bson {
    doc! {"$concatArrays": [{"$ifNull": ["$condemned", []]}, names]}.into()
}
