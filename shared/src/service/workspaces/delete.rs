use mongodb::bson::{Document, doc};

use super::{Workspaces, alive, moved_forward, only, remember, takes};
use crate::{
    model::{Owner, RequestKey, WorkspaceId},
    service::database::{DatabaseError, object_id},
};

/// How long a tombstone is kept, and with it the memory of what was asked of the workspace: 7 days.
const TOMBSTONE_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// What became of a `workspace.delete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// The workspace is gone now.
    Deleted,
    /// The same request deleted it before.
    Repeat,
    /// There was no such workspace.
    NotFound,
}

impl Workspaces {
    /// Leaves of a workspace only a tombstone, by which repeats are recognised.
    pub async fn delete(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        request: RequestKey,
    ) -> Result<Deletion, DatabaseError> {
        let bury = doc! {"$set": {
            "updated_at": moved_forward(),
            "deleted_at": "$$NOW",
            "condemned": takes::condemned_by_deletion(),
            "expires_at": {"$add": ["$$NOW", TOMBSTONE_MS]},
        }};
        let contents = ["form_data", "image_path", "image_url", "video", "ai_collaboration", "clocks"];
        let empty = doc! {"$unset": contents.to_vec()};
        let note = doc! {"$set": {"recent": remember(request)}};
        let written = self.documents.update_one(alive(owner, id), vec![bury, empty, note]).await?;
        if written.matched_count > 0 {
            return Ok(Deletion::Deleted);
        }
        let repeat = doc! {"_id": object_id(id), "owner": owner.as_str(), "recent": only(request)};
        let found: Option<Document> = self.documents.find_one(repeat).projection(doc! {"_id": 1}).await?;
        Ok(if found.is_some() { Deletion::Repeat } else { Deletion::NotFound })
    }
}
