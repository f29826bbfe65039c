use mongodb::bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    model::{CollaborationEntry, OrderIndex, Owner, Suggestions, Take, Video, VideoStatus, Workspace},
    service::database::{date, object_id, timestamp, workspace_id},
};

/// Raised when the shape of the documents changes; a reader accepts the previous one too.
const SCHEMA: i32 = 1;

/// What of a stored workspace is shown.
#[derive(Deserialize)]
pub(super) struct Stored {
    #[serde(rename = "_id")]
    id: ObjectId,
    order_index: i32,
    image_path: Option<String>,
    image_url: Option<String>,
    form_data: Map<String, Value>,
    video: StoredVideo,
    ai_collaboration: Vec<StoredEntry>,
    created_at: DateTime,
    updated_at: DateTime,
}

/// A video as it is stored. Those from before there was a history have none.
#[derive(Deserialize)]
pub(super) struct StoredVideo {
    status: VideoStatus,
    task_id: Option<String>,
    url: Option<String>,
    error: Option<String>,
    #[serde(default)]
    history: Vec<StoredTake>,
}

#[derive(Deserialize)]
struct StoredTake {
    task_id: Option<String>,
    url: String,
    created_at: DateTime,
}

impl From<StoredVideo> for Video {
    fn from(stored: StoredVideo) -> Self {
        let StoredVideo { status, task_id, url, error, history } = stored;
        let history = history.into_iter().map(|take| Take {
            task_id: take.task_id,
            url: take.url,
            created_at: timestamp(take.created_at),
        });
        Self { status, task_id, url, error, history: history.collect() }
    }
}

#[derive(Deserialize)]
struct StoredEntry {
    user_input: String,
    suggestions: Suggestions,
    created_at: DateTime,
}

/// The projection to [`Stored`].
pub(super) fn shown() -> Document {
    doc! {"schema": 0, "owner": 0, "clocks": 0, "recent": 0, "created_index": 0, "deleted_at": 0, "video.generation": 0, "condemned": 0}
}

impl From<Stored> for Workspace {
    fn from(stored: Stored) -> Self {
        let entries = stored.ai_collaboration.into_iter().map(|entry| CollaborationEntry {
            user_input: entry.user_input,
            suggestions: entry.suggestions,
            created_at: timestamp(entry.created_at),
        });
        Self {
            id: workspace_id(stored.id),
            order_index: OrderIndex::from_stored(stored.order_index),
            image_path: stored.image_path,
            image_url: stored.image_url,
            form_data: stored.form_data,
            video: stored.video.into(),
            ai_collaboration: entries.collect(),
            created_at: timestamp(stored.created_at),
            updated_at: timestamp(stored.updated_at),
        }
    }
}

/// The document of a new workspace.
pub(super) fn new_document(owner: &Owner, workspace: &Workspace) -> Document {
    doc! {
        "_id": object_id(workspace.id),
        "schema": SCHEMA,
        "owner": owner.as_str(),
        "order_index": workspace.order_index.get(),
        "created_index": workspace.order_index.get(),
        "image_path": null,
        "image_url": null,
        "form_data": to_bson(&Value::Object(workspace.form_data.clone())),
        "video": {"status": workspace.video.status.as_str(), "task_id": null, "url": null, "error": null, "history": []},
        "ai_collaboration": [],
        "created_at": date(workspace.created_at),
        "updated_at": date(workspace.updated_at),
        "deleted_at": null,
        "clocks": {},
        "recent": [],
    }
}

/// `value` as MongoDB stores it: whole numbers as 64-bit integers, others as doubles.
pub(super) fn to_bson(value: &Value) -> Bson {
    match value {
        Value::Null => Bson::Null,
        Value::Bool(bool) => Bson::Boolean(*bool),
        Value::String(text) => Bson::String(text.clone()),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Bson::Int64(integer),
            None => Bson::Double(number.as_f64().unwrap_or_default()),
        },
        Value::Array(items) => Bson::Array(items.iter().map(to_bson).collect()),
        Value::Object(members) => {
            Bson::Document(members.iter().map(|(name, value)| (name.clone(), to_bson(value))).collect())
        }
    }
}
