//! The open WebSocket connections: who is told what happens to an owner's workspaces.

use std::time::Duration;

use futures_util::TryStreamExt;
use mongodb::{
    Collection,
    bson::{Bson, DateTime, Document, doc},
    options::{ReadConcern, WriteConcern},
};
use serde::Deserialize;

use super::database::{Database, DatabaseError, is_duplicate_key, literal};
use crate::model::Owner;

/// A connection that was silent for this long is sent nothing, and is closed by the next sweep (contract §3).
const SILENCE: Duration = Duration::from_secs(60);
/// How old `last_seen` gets before a frame renews it: a write for each frame would hardly say more. As much earlier than
/// [`SILENCE`] may a connection be taken for silent, which one that pings every 30 s never notices.
const RENEWAL: Duration = Duration::from_secs(3);
/// The gateway closes a connection after 2 hours; a row that outlives that by more than this is forgotten by itself.
const LIFE: Duration = Duration::from_secs(2 * 60 * 60 + 10 * 60);
/// A younger connection's socket may not be open yet, so that a push to it is refused as if it were gone.
const OPENING: Duration = Duration::from_secs(10);
/// How long it is remembered that a connection is closed: longer than any frame of it can still be under way.
const CLOSED: Duration = Duration::from_secs(2 * 60);

/// An open connection, as far as is known.
#[derive(Clone, Debug, Deserialize)]
pub struct Connection {
    /// The gateway's id of it.
    #[serde(rename = "_id")]
    pub id: String,
    connected_at: DateTime,
}

impl Connection {
    /// Whether its socket is surely open, so that "gone" means gone.
    pub fn is_established(&self) -> bool {
        self.connected_at <= ago(OPENING)
    }
}

/// Who is told what happens on a connection.
#[derive(Debug)]
pub struct Audience {
    /// The owner's other connections.
    pub others: Vec<Connection>,
    /// Whether the connection itself is to be noted as alive.
    pub is_to_be_noted: bool,
}

/// The rows of the open connections.
#[derive(Clone, Debug)]
pub struct Connections(Collection<Document>);

impl Connections {
    /// Those in `database`.
    pub fn new(database: &Database) -> Self {
        Self(database.connections())
    }

    /// Remembers a connection that is about to open, or notes that one is alive: `last_seen` is renewed if it is old.
    ///
    /// A connection whose row was lost, by a mistaken "gone" or by a sweep that came too early, is there again after it.
    /// Not worth waiting for the majority: what a failover loses is made good by the next frame.
    pub async fn seen(&self, id: &str, owner: &Owner) -> Result<(), DatabaseError> {
        let keep_or = |field: &str, fresh: Bson| doc! {"$ifNull": [format!("${field}"), fresh]};
        let is_old = doc! {"$lt": ["$last_seen", {"$subtract": ["$$NOW", millis(RENEWAL)]}]};
        let renew = doc! {"$set": {
            "owner": keep_or("owner", literal(owner.as_str()).into()),
            "connected_at": keep_or("connected_at", "$$NOW".into()),
            "expires_at": keep_or("expires_at", doc! {"$add": ["$$NOW", millis(LIFE)]}.into()),
            "last_seen": {"$cond": [is_old, "$$NOW", "$last_seen"]},
        }};
        let open = doc! {"_id": id, "closed_at": null};
        match self.0.update_one(open, vec![renew]).upsert(true).write_concern(WriteConcern::nodes(1)).await {
            Ok(_) => Ok(()),
            // It is closed already: a frame that was still under way doesn't bring it back.
            Err(error) if is_duplicate_key(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets a connection that is closed, but for its id, so that a frame that is still under way doesn't bring it back.
    pub async fn forget(&self, id: &str) -> Result<(), DatabaseError> {
        let closed = doc! {"$replaceWith": {
            "_id": "$_id",
            "closed_at": "$$NOW",
            "expires_at": {"$add": ["$$NOW", millis(CLOSED)]},
        }};
        self.0.update_one(doc! {"_id": id}, vec![closed]).upsert(true).await?;
        Ok(())
    }

    /// Forgets connections that are closed.
    pub async fn forget_all(&self, ids: &[String]) -> Result<(), DatabaseError> {
        if !ids.is_empty() {
            self.0.delete_many(doc! {"_id": {"$in": ids}}).await?;
        }
        Ok(())
    }

    /// The connections of `owner` that were heard from lately, also those that the majority hasn't heard of yet.
    pub async fn of(&self, owner: &Owner) -> Result<Vec<Connection>, DatabaseError> {
        let filter = doc! {"owner": owner.as_str(), "last_seen": {"$gt": ago(SILENCE)}};
        let rows = self.0.clone_with_type();
        let found = rows.find(filter).projection(doc! {"connected_at": 1}).read_concern(ReadConcern::local());
        Ok(found.await?.try_collect().await?)
    }

    /// The other connections of `owner` beside `id`, and how `id` itself stands: in one read, so that for most frames there
    /// is nothing to write.
    pub async fn around(&self, id: &str, owner: &Owner) -> Result<Audience, DatabaseError> {
        #[derive(Deserialize)]
        struct Row {
            #[serde(rename = "_id")]
            id: String,
            connected_at: Option<DateTime>,
            last_seen: Option<DateTime>,
            closed_at: Option<DateTime>,
        }
        let heard = doc! {"owner": owner.as_str(), "last_seen": {"$gt": ago(SILENCE)}};
        let rows = self.0.clone_with_type::<Row>();
        let found = rows.find(doc! {"$or": [{"_id": id}, heard]}).read_concern(ReadConcern::local());
        let found = found.projection(doc! {"connected_at": 1, "last_seen": 1, "closed_at": 1}).await?;
        let found: Vec<Row> = found.try_collect().await?;
        let (own, others): (Vec<Row>, Vec<Row>) = found.into_iter().partition(|row| row.id == id);
        // A connection that is closed already stays so.
        let is_noted = |row: &Row| {
            row.closed_at.is_some() || row.last_seen.is_some_and(|last_seen| last_seen >= ago(RENEWAL))
        };
        let others = others.into_iter();
        let others =
            others.filter_map(|row| Some(Connection { id: row.id, connected_at: row.connected_at? }));
        Ok(Audience { others: others.collect(), is_to_be_noted: !own.iter().any(is_noted) })
    }

    /// The connections, of whomever, that were not heard from lately: at most `limit`, the longest silent first.
    pub async fn silent(&self, limit: i64) -> Result<Vec<Connection>, DatabaseError> {
        let filter = doc! {"last_seen": {"$lte": ago(SILENCE)}};
        let rows = self.0.clone_with_type();
        let found = rows.find(filter).sort(doc! {"last_seen": 1}).limit(limit);
        Ok(found.projection(doc! {"connected_at": 1}).await?.try_collect().await?)
    }
}

fn ago(duration: Duration) -> DateTime {
    DateTime::from_millis(DateTime::now().timestamp_millis().saturating_sub(millis(duration)))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
