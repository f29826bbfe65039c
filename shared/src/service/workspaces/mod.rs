//! The workspaces in MongoDB: one operation in each file, each of them a single atomic write or a transaction.
//!
//! Beside what the contract shows, a document has `owner`, `schema`, and what order and repeats are judged by:
//!
//! - `clocks`: `{<client>: {seen, paths: {<hash of the path>: timestamp}}}`, the newest timestamp that each client wrote
//!   each path with, dropped 10 minutes after the client's last write by the server's clock.
//! - `recent`: the newest 64 requests that changed it, `[{r: <request>, at: <updated_at as answered>}]`, and cancellations, which
//!   also have `was_idle`: whether there was nothing to cancel.
//! - `video.generation`: see [`generation`]; `condemned`: see [`takes`].
//! - `created_index`: the place that the first answer to its creation named.
//! - `deleted_at`, `expires_at`: those of a tombstone, which keeps `recent` so that repeats are still recognised.

pub mod claim;
mod create;
mod delete;
mod document;
pub mod generation;
mod list;
mod reorder;
pub mod stale;
mod suggestions;
pub mod takes;
mod update;

use mongodb::{
    Collection,
    bson::{Bson, DateTime, Document, doc},
    options::ReturnDocument,
};
use serde::Deserialize;

pub use create::Creation;
pub use delete::Deletion;
pub use list::{Cursor, Page, ParseCursorError};
pub use reorder::Reordering;
pub use update::Update;

use super::database::{Database, DatabaseError, object_id, timestamp};
use crate::model::{Owner, RequestKey, Timestamp, WorkspaceId};

/// How many requests a workspace remembers (contract §6).
const REMEMBERED_REQUESTS: i32 = 64;

/// The workspaces of all owners.
#[derive(Clone, Debug)]
pub struct Workspaces {
    database: Database,
    documents: Collection<Document>,
}

impl Workspaces {
    /// Those in `database`.
    pub fn new(database: &Database) -> Self {
        Self { documents: database.workspaces(), database: database.clone() }
    }

    /// Changes the workspace that `filter` finds by `stage`, which moves `updated_at`: to what, or `None` if there is none.
    async fn change(&self, filter: Document, stage: Document) -> Result<Option<Timestamp>, DatabaseError> {
        #[derive(Deserialize)]
        struct After {
            updated_at: DateTime,
        }
        let after: Option<After> = self
            .documents
            .clone_with_type()
            .find_one_and_update(filter, vec![stage])
            .projection(doc! {"updated_at": 1})
            .return_document(ReturnDocument::After)
            .await?;
        Ok(after.map(|after| timestamp(after.updated_at)))
    }
}

/// A request that changed a workspace.
#[derive(Debug, Deserialize)]
struct Remembered {
    r: i64,
    at: DateTime,
}

/// The filter for a workspace that is there.
fn alive(owner: &Owner, id: WorkspaceId) -> Document {
    doc! {"_id": object_id(id), "owner": owner.as_str(), "deleted_at": null}
}

/// The expression for the `updated_at` after a change: the server's time, and strictly more than before.
fn moved_forward() -> Bson {
    doc! {"$max": ["$$NOW", {"$add": ["$updated_at", 1]}]}.into()
}

/// The expression for `recent` with `request` in front. To be used in a stage after the one that moves `updated_at`.
fn remember(request: RequestKey) -> Bson {
    remember_with(request, Document::new())
}

/// The same, with `more` about it.
fn remember_with(request: RequestKey, more: Document) -> Bson {
    let mut newest = doc! {"r": request.short(), "at": "$updated_at"};
    newest.extend(more);
    doc! {"$slice": [{"$concatArrays": [[newest], "$recent"]}, REMEMBERED_REQUESTS]}.into()
}

/// What finds `request` in `recent`: in a filter, and in a projection that shows nothing else of it.
fn only(request: RequestKey) -> Bson {
    doc! {"$elemMatch": {"r": request.short()}}.into()
}
