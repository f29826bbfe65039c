use std::collections::{BTreeSet, HashMap};

use mongodb::{
    bson::{Bson, DateTime, Document, doc},
    options::ReturnDocument,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Remembered, Workspaces, alive, document::to_bson, moved_forward, only, remember};
use crate::{
    model::{ClientKey, FieldUpdates, InvalidData, Owner, Sender, Timestamp, UpdatePath, WorkspaceId, hex},
    service::database::{DatabaseError, OPERATION_TIMEOUT, date, literal, object_id, timestamp},
};

/// How much `form_data` a workspace takes, as stored (contract §3).
const MAX_FORM_BYTES: i32 = 64 * 1024;
/// How long a client's clocks are kept after its last write (contract §6).
const CLOCK_LIFE_MS: i64 = 10 * 60 * 1000;

/// What became of a `workspace.update`.
#[derive(Debug)]
pub enum Update {
    /// It is stored.
    Applied {
        /// The leaves that were written: not those that a newer frame of the client had written. They may be none.
        applied: FieldUpdates,
        /// The workspace's time after it.
        updated_at: Timestamp,
    },
    /// The request was carried out before.
    Repeat {
        /// As the first answer said it.
        updated_at: Timestamp,
    },
    /// The workspace has changed since the client last saw it.
    Conflict {
        /// Its current time.
        updated_at: Timestamp,
    },
    /// It doesn't go with what is stored.
    Invalid(InvalidData),
    /// There is no such workspace.
    NotFound,
}

#[derive(Deserialize)]
struct After {
    updated_at: DateTime,
    recent: Vec<Remembered>,
    clocks: HashMap<String, Clock>,
}

#[derive(Deserialize)]
struct Clock {
    paths: HashMap<String, i64>,
}

/// What tells why an update matched nothing.
#[derive(Deserialize)]
struct Unmatched {
    updated_at: DateTime,
    deleted_at: Option<DateTime>,
    #[serde(default)]
    recent: Vec<Remembered>,
    #[serde(default)]
    form_data: Map<String, Value>,
}

impl Workspaces {
    /// Writes `updates`, sent at `sent_at` by the client's clock, whole or not at all. With `unchanged_since`, only if
    /// the workspace hasn't changed since.
    ///
    /// One write does it all (decision 2 in the house's design): each path is set only where this client's own newest
    /// write to it is not newer, whatever order frames arrive in.
    pub async fn update(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        sender: &Sender,
        sent_at: Timestamp,
        mut updates: FieldUpdates,
        unchanged_since: Option<Timestamp>,
    ) -> Result<Update, DatabaseError> {
        loop {
            let filter = filter(owner, id, sender, &updates, unchanged_since);
            let after: Option<After> = self
                .documents
                .clone_with_type()
                .find_one_and_update(filter, pipeline(sender, sent_at, &updates))
                .projection(outcome(sender, &updates))
                .return_document(ReturnDocument::After)
                .max_time(OPERATION_TIMEOUT)
                .await?;
            if let Some(after) = after {
                let is_written =
                    after.recent.first().is_some_and(|newest| newest.r == sender.request.short());
                if !is_written {
                    let message = format!("表单内容不能超过 {} KiB", MAX_FORM_BYTES / 1024);
                    return Ok(Update::Invalid(InvalidData::new("updates", message)));
                }
                let newest = after.clocks.get(sender.client.as_str()).map(|clock| &clock.paths);
                updates.retain(|path| {
                    newest.and_then(|paths| paths.get(&clock_key(path))) == Some(&sent_at.millis())
                });
                return Ok(Update::Applied { applied: updates, updated_at: timestamp(after.updated_at) });
            }
            if let Some(reason) = self.why_unmatched(owner, id, sender, &updates, unchanged_since).await? {
                return Ok(reason);
            }
            // What stood in the way is gone again: another client's write came between. Then it is tried once more.
        }
    }

    async fn why_unmatched(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        sender: &Sender,
        updates: &FieldUpdates,
        unchanged_since: Option<Timestamp>,
    ) -> Result<Option<Update>, DatabaseError> {
        let found: Option<Unmatched> = self
            .documents
            .clone_with_type()
            .find_one(doc! {"_id": object_id(id), "owner": owner.as_str()})
            .projection(
                doc! {"updated_at": 1, "deleted_at": 1, "form_data": 1, "recent": only(sender.request)},
            )
            .await?;
        let Some(found) = found else { return Ok(Some(Update::NotFound)) };
        if let Some(first) = found.recent.first() {
            return Ok(Some(Update::Repeat { updated_at: timestamp(first.at) }));
        }
        if found.deleted_at.is_some() {
            return Ok(Some(Update::NotFound));
        }
        let updated_at = timestamp(found.updated_at);
        if unchanged_since.is_some_and(|since| since < updated_at) {
            return Ok(Some(Update::Conflict { updated_at }));
        }
        let form = Value::Object(found.form_data);
        let fault = updates.iter().find_map(|(path, _)| misplaced(path, &form));
        Ok(fault.map(Update::Invalid))
    }
}

fn filter(
    owner: &Owner,
    id: WorkspaceId,
    sender: &Sender,
    updates: &FieldUpdates,
    unchanged_since: Option<Timestamp>,
) -> Document {
    let mut filter = alive(owner, id);
    filter.insert("recent.r", doc! {"$ne": sender.request.short()});
    if let Some(since) = unchanged_since {
        filter.insert("updated_at", doc! {"$lte": date(since)});
    }
    // A dotted `$set` would silently replace a scalar on its way, write into every element of an array, and put a
    // scalar where children are.
    let ancestors: BTreeSet<&str> = updates.iter().flat_map(|(path, _)| path.ancestors()).collect();
    let kind = |path: &str| doc! {"$type": format!("${path}")};
    let mut conditions: Vec<Document> =
        ancestors.into_iter().map(|ancestor| doc! {"$in": [kind(ancestor), ["missing", "object"]]}).collect();
    conditions.extend(updates.iter().map(|(path, _)| doc! {"$ne": [kind(path.as_str()), "object"]}));
    filter.insert("$expr", doc! {"$and": conditions});
    filter
}

/// The stages of the write. All values from outside are literals, and all paths are [`UpdatePath`]s.
fn pipeline(sender: &Sender, sent_at: Timestamp, updates: &FieldUpdates) -> Vec<Document> {
    let mut set = doc! {"before": "$$ROOT"};
    let mut applied = Vec::new();
    let mut clock = Document::new();
    for (path, value) in updates.iter() {
        let key = clock_key(path);
        let is_newest = is_newest(&sender.client, &key, sent_at);
        set.insert(
            path.as_str(),
            doc! {"$cond": [is_newest.clone(), literal(to_bson(value.as_json())), format!("${path}")]},
        );
        clock.insert(&key, doc! {"$max": [last_write(&sender.client, &key), sent_at.millis()]});
        applied.push(is_newest);
    }
    set.insert("updated_at", doc! {"$cond": [{"$or": applied}, moved_forward(), "$updated_at"]});
    set.insert("clocks", advanced_clocks(&sender.client, clock));
    vec![
        doc! {"$set": set},
        doc! {"$set": {"recent": remember(sender.request)}},
        // Too large a form only shows once it is written: then everything is as it was.
        doc! {"$replaceWith": {
            "$cond": [{"$gt": [{"$bsonSize": "$form_data"}, MAX_FORM_BYTES]}, "$before", "$$ROOT"]
        }},
        doc! {"$unset": "before"},
    ]
}

/// The projection to [`After`].
fn outcome(sender: &Sender, updates: &FieldUpdates) -> Document {
    let mut shown = doc! {"_id": 0, "updated_at": 1, "recent": {"$slice": 1}};
    for (path, _) in updates.iter() {
        shown.insert(format!("clocks.{}.paths.{}", sender.client, clock_key(path)), 1);
    }
    shown
}

/// The name of `path` among the clocks: 8 bytes of its hash, since with its dots it would be more than one name, and at its
/// full length a client's clocks could be larger than the form.
fn clock_key(path: &UpdatePath) -> String {
    hex(&Sha256::digest(path.as_str())[..8])
}

/// The expression for when `client` last wrote what `key` stands for; missing, and so less than any number, if never.
fn last_write(client: &ClientKey, key: &str) -> Bson {
    doc! {"$getField": {"field": key, "input": format!("$clocks.{client}.paths")}}.into()
}

/// The expression for whether nothing newer of `client` has written what `key` stands for.
pub(super) fn is_newest(client: &ClientKey, key: &str, sent_at: Timestamp) -> Bson {
    doc! {"$lte": [last_write(client, key), sent_at.millis()]}.into()
}

/// The expression for `clocks` after a write of `client`: its own with `paths` over them, those of others unless they
/// are old. The server's time decides what is old.
pub(super) fn advanced_clocks(client: &ClientKey, paths: Document) -> Bson {
    let is_young = doc! {"$gte": ["$$clock.v.seen", {"$subtract": ["$$NOW", CLOCK_LIFE_MS]}]};
    let young = doc! {"$filter": {"input": {"$objectToArray": "$clocks"}, "as": "clock", "cond": is_young}};
    let own = doc! {
        "seen": "$$NOW",
        "paths": {"$mergeObjects": [format!("$clocks.{client}.paths"), paths]},
    };
    doc! {"$mergeObjects": [{"$arrayToObject": young}, {client.as_str(): own}]}.into()
}

/// Why `path` can't be written where `form` is what it is.
fn misplaced(path: &UpdatePath, form: &Value) -> Option<InvalidData> {
    let stored = |path: &str| {
        let names = path.split('.').skip(1);
        names.into_iter().try_fold(form, |value, name| value.get(name))
    };
    if let Some(ancestor) = path.ancestors().find(|a| stored(a).is_some_and(|value| !value.is_object())) {
        return Some(InvalidData::at_path(path.as_str(), format!("{ancestor} 已经有值，不能再有下级字段")));
    }
    let is_parent =
        path.as_str().starts_with("form_data.") && stored(path.as_str()).is_some_and(Value::is_object);
    is_parent.then(|| InvalidData::at_path(path.as_str(), format!("{path} 已经有下级字段，不能再直接赋值")))
}
