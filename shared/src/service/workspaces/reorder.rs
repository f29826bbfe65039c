use std::collections::HashMap;

use futures_util::TryStreamExt;
use mongodb::{
    ClientSession, Collection,
    bson::{Bson, DateTime, Document, doc, oid::ObjectId},
    error::Error as MongoError,
};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    Remembered, Workspaces, moved_forward, only, remember,
    update::{advanced_clocks, is_newest},
};
use crate::{
    model::{OrderIndex, Owner, Sender, Timestamp, WorkspaceId},
    service::database::{DatabaseError, TRANSACTION_TIMEOUT, literal, object_id, workspace_id},
};

/// What became of a `workspace.reorder`.
#[derive(Debug, PartialEq, Eq)]
pub enum Reordering {
    /// Done.
    Applied(
        /// The places that were written: not those that a newer frame of the client had written. They may be none.
        Vec<(WorkspaceId, OrderIndex)>,
    ),
    /// The request was carried out before.
    Repeat,
    /// There is no such workspace, and nothing was changed.
    NotFound(WorkspaceId),
}

/// The name of a workspace's place among the clocks.
const KEY: &str = "order_index";

#[derive(Deserialize)]
struct Before {
    #[serde(rename = "_id")]
    id: ObjectId,
    deleted_at: Option<DateTime>,
    #[serde(default)]
    recent: Vec<Remembered>,
    #[serde(default)]
    clocks: HashMap<String, Clock>,
}

#[derive(Deserialize)]
struct Clock {
    paths: HashMap<String, i64>,
}

impl Workspaces {
    /// Puts workspaces in other places, all or none, in one transaction.
    pub async fn reorder(
        &self,
        owner: &Owner,
        sender: &Sender,
        sent_at: Timestamp,
        places: &[(WorkspaceId, OrderIndex)],
    ) -> Result<Reordering, DatabaseError> {
        let ids: Vec<ObjectId> = places.iter().map(|(id, _)| object_id(*id)).collect();
        let filter = doc! {"_id": {"$in": &ids}, "owner": owner.as_str()};
        let pipeline = pipeline(sender, sent_at, ids, places);
        let mut session = self.database.client().start_session().await?;
        let (documents, sender, places) = (self.documents.clone(), sender.clone(), places.to_vec());
        let transaction = async move |session: &mut ClientSession| {
            let before = read(&documents, &mut *session, filter.clone(), &sender).await?;
            let reordering = judge(&before, &sender, sent_at, &places);
            if matches!(&reordering, Reordering::Applied(_)) {
                documents.update_many(filter.clone(), pipeline.clone()).session(session).await?;
            }
            Ok::<_, MongoError>(reordering)
        };
        let done = timeout(TRANSACTION_TIMEOUT, session.start_transaction().and_run2(transaction)).await;
        Ok(done.map_err(|_| DatabaseError::timed_out())??)
    }
}

async fn read(
    documents: &Collection<Document>,
    session: &mut ClientSession,
    filter: Document,
    sender: &Sender,
) -> Result<Vec<Before>, MongoError> {
    let projection = doc! {
        "deleted_at": 1,
        "recent": only(sender.request),
        format!("clocks.{}.paths.{KEY}", sender.client): 1,
    };
    let documents: Collection<Before> = documents.clone_with_type();
    let mut found = documents.find(filter).projection(projection).session(&mut *session).await?;
    found.stream(session).try_collect().await
}

fn judge(
    before: &[Before],
    sender: &Sender,
    sent_at: Timestamp,
    places: &[(WorkspaceId, OrderIndex)],
) -> Reordering {
    // All or none was carried out, so one that remembers the request is enough.
    if before.iter().any(|workspace| !workspace.recent.is_empty()) {
        return Reordering::Repeat;
    }
    let alive: HashMap<WorkspaceId, &Before> = before
        .iter()
        .filter(|workspace| workspace.deleted_at.is_none())
        .map(|workspace| (workspace_id(workspace.id), workspace))
        .collect();
    if let Some((unknown, _)) = places.iter().find(|(id, _)| !alive.contains_key(id)) {
        return Reordering::NotFound(*unknown);
    }
    let is_newest = |id: &WorkspaceId| {
        let clock = alive.get(id).and_then(|workspace| workspace.clocks.get(sender.client.as_str()));
        clock.and_then(|clock| clock.paths.get(KEY)).is_none_or(|last| *last <= sent_at.millis())
    };
    Reordering::Applied(places.iter().filter(|(id, _)| is_newest(id)).copied().collect())
}

fn pipeline(
    sender: &Sender,
    sent_at: Timestamp,
    ids: Vec<ObjectId>,
    places: &[(WorkspaceId, OrderIndex)],
) -> Vec<Document> {
    let indices: Vec<Bson> = places.iter().map(|(_, index)| index.get().into()).collect();
    let place = doc! {"$arrayElemAt": [literal(indices), {"$indexOfArray": [literal(ids), "$_id"]}]};
    let is_newest = is_newest(&sender.client, KEY, sent_at);
    let clock = doc! {KEY: {"$cond": [
        is_newest.clone(), sent_at.millis(), format!("$clocks.{}.paths.{KEY}", sender.client)
    ]}};
    vec![
        doc! {"$set": {
            "order_index": {"$cond": [is_newest.clone(), place, "$order_index"]},
            "updated_at": {"$cond": [is_newest, moved_forward(), "$updated_at"]},
            "clocks": advanced_clocks(&sender.client, clock),
        }},
        doc! {"$set": {"recent": remember(sender.request)}},
    ]
}
