//! The open WebSocket connections: who is told what happens to an owner's workspaces.

use std::time::Duration;

use futures_util::TryStreamExt;
use mongodb::{
    Collection,
    bson::{Bson, DateTime, Document, doc},
    options::{ReadConcern, ReturnDocument, WriteConcern},
};
use serde::Deserialize;

use super::database::{Database, DatabaseError, date, is_duplicate_key, literal, timestamp};
use crate::model::{Identity, Owner, Timestamp};

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

/// For how long an owner whose connection was closed for flooding gets no new one: else it would flood on the next.
const PENALTY: Duration = Duration::from_secs(30);

/// An open connection, as far as is known.
#[derive(Clone, Debug, Deserialize)]
pub struct Connection {
    /// The gateway's id of it.
    #[serde(rename = "_id")]
    pub id: String,
    connected_at: DateTime,
    token_expires_at: Option<DateTime>,
}

/// What of a row makes a [`Connection`], for a projection.
fn connection() -> Document {
    doc! {"connected_at": 1, "token_expires_at": 1}
}

impl Connection {
    /// Whether its socket is surely open, so that "gone" means gone.
    pub fn is_established(&self) -> bool {
        self.connected_at <= ago(OPENING)
    }

    /// Whether it may be told anything: its token is still good.
    fn is_authorized(&self) -> bool {
        self.token_expires_at.is_none_or(|end| end > DateTime::now())
    }
}

/// Who is told what happens on a connection.
#[derive(Debug)]
pub struct Audience {
    /// The owner's other connections.
    pub others: Vec<Connection>,
    /// Whether the connection itself is to be noted as alive.
    pub is_to_be_noted: bool,
    /// What the connection itself has sent.
    pub sent: Sent,
}

/// What a connection has sent, as far as it was counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sent {
    /// So many frames that hadn't drained away at that time.
    Frames(f64, Timestamp),
    /// So many that it was closed for it.
    TooMany,
}

/// The same in a row.
#[derive(Deserialize)]
struct Count {
    frames: f64,
    at: DateTime,
}

impl Sent {
    fn of(sent: Option<Count>, flooded_at: Option<DateTime>) -> Self {
        match (flooded_at, sent) {
            (Some(_), _) => Self::TooMany,
            (None, Some(count)) => Self::Frames(count.frames, timestamp(count.at)),
            (None, None) => Self::Frames(0.0, Timestamp::from_millis(0)),
        }
    }
}

/// The rows of the open connections.
#[derive(Clone, Debug)]
pub struct Connections(Collection<Document>);

impl Connections {
    /// Those in `database`.
    pub fn new(database: &Database) -> Self {
        Self(database.connections())
    }

    /// Remembers a connection that is about to open, unless its owner has as many as `most` then, or was closed one for flooding
    /// just now: `false`.
    pub async fn open(&self, id: &str, identity: &Identity, most: u32) -> Result<bool, DatabaseError> {
        #[derive(Deserialize)]
        struct Row {
            flooded_at: Option<DateTime>,
        }
        let is_guarded = identity.expires_at.is_some();
        // First to write and then to count: so of two that are one too many together at least one sees it. With the majority where
        // the row is all that says whose the connection is.
        let concern = if is_guarded { WriteConcern::majority() } else { WriteConcern::nodes(1) };
        self.note(id, identity, concern).await?;
        let mut counted = vec![doc! {"last_seen": {"$gt": ago(SILENCE)}}];
        if is_guarded {
            // Where all are one owner, what one of them did isn't laid to the others' charge.
            counted.push(doc! {"flooded_at": {"$gt": ago(PENALTY)}});
        }
        let counted = doc! {"owner": identity.owner.as_str(), "$or": counted};
        let rows = self.0.clone_with_type::<Row>();
        let found =
            rows.find(counted).projection(doc! {"_id": 0, "flooded_at": 1}).limit(i64::from(most) + 1);
        let found: Vec<Row> = found.read_concern(ReadConcern::local()).await?.try_collect().await?;
        let is_welcome = found.len() <= most as usize && found.iter().all(|row| row.flooded_at.is_none());
        if !is_welcome {
            self.forget_all(&[id.to_owned()]).await?;
        }
        Ok(is_welcome)
    }

    /// Notes that a connection is alive: `last_seen` is renewed if it is old.
    ///
    /// A connection whose row was lost, by a mistaken "gone" or by a sweep that came too early, is there again after it, as long
    /// as anybody knows whose it is. Not worth waiting for the majority: what a failover loses is made good by the next frame.
    pub async fn seen(&self, id: &str, identity: &Identity) -> Result<(), DatabaseError> {
        self.note(id, identity, WriteConcern::nodes(1)).await
    }

    async fn note(&self, id: &str, identity: &Identity, concern: WriteConcern) -> Result<(), DatabaseError> {
        let keep_or = |field: &str, fresh: Bson| doc! {"$ifNull": [format!("${field}"), fresh]};
        let is_old = doc! {"$lt": ["$last_seen", {"$subtract": ["$$NOW", millis(RENEWAL)]}]};
        let renew = doc! {"$set": {
            "owner": keep_or("owner", literal(identity.owner.as_str()).into()),
            "token_expires_at": keep_or("token_expires_at", literal(identity.expires_at.map(date)).into()),
            "connected_at": keep_or("connected_at", "$$NOW".into()),
            "expires_at": keep_or("expires_at", doc! {"$add": ["$$NOW", millis(LIFE)]}.into()),
            "last_seen": {"$cond": [is_old, "$$NOW", "$last_seen"]},
        }};
        self.upsert_open(id, renew, concern).await
    }

    /// Whose a connection is; `None` where it isn't known, or is long closed.
    pub async fn identity(&self, id: &str) -> Result<Option<Identity>, DatabaseError> {
        #[derive(Deserialize)]
        struct Row {
            owner: String,
            token_expires_at: Option<DateTime>,
        }
        let rows = self.0.clone_with_type::<Row>();
        let row = rows.find_one(doc! {"_id": id, "owner": {"$ne": null}}).read_concern(ReadConcern::local());
        let row = row.projection(doc! {"_id": 0, "owner": 1, "token_expires_at": 1}).await?;
        Ok(row.map(|row| Identity {
            owner: Owner::from_stored(row.owner),
            expires_at: row.token_expires_at.map(timestamp),
        }))
    }

    /// Has the next sweep close a connection that is open, though nobody knows whose it is: its row was lost, or is from a time when
    /// everybody was let in.
    pub async fn condemn(&self, id: &str) -> Result<(), DatabaseError> {
        let end = doc! {"$set": {
            "token_expires_at": {"$ifNull": ["$token_expires_at", "$$NOW"]},
            "connected_at": {"$ifNull": ["$connected_at", "$$NOW"]},
            "expires_at": {"$ifNull": ["$expires_at", {"$add": ["$$NOW", millis(LIFE)]}]},
        }};
        self.upsert_open(id, end, WriteConcern::nodes(1)).await
    }

    /// Changes the row of a connection, or makes it, unless the connection is closed.
    async fn upsert_open(
        &self,
        id: &str,
        stage: Document,
        concern: WriteConcern,
    ) -> Result<(), DatabaseError> {
        let open = doc! {"_id": id, "closed_at": null};
        match self.0.update_one(open, vec![stage]).upsert(true).write_concern(concern).await {
            Ok(_) => Ok(()),
            // It is closed already: a frame that was still under way doesn't bring it back.
            Err(error) if is_duplicate_key(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds `frames` to what a connection has sent, of which `per_second` drain away each second.
    pub async fn count_frames(&self, id: &str, frames: u32, per_second: u32) -> Result<Sent, DatabaseError> {
        #[derive(Default, Deserialize)]
        struct Row {
            sent: Option<Count>,
            flooded_at: Option<DateTime>,
        }
        let seconds = doc! {"$divide": [{"$subtract": ["$$NOW", {"$ifNull": ["$sent.at", "$$NOW"]}]}, 1000]};
        let drained = doc! {"$multiply": [seconds, per_second]};
        let left = doc! {"$max": [0, {"$subtract": [{"$ifNull": ["$sent.frames", 0]}, drained]}]};
        // Null where the row was made by an upsert, which takes that over from its filter, or missing.
        let is_open = doc! {"$lte": ["$closed_at", null]};
        let count = doc! {"$set": {
            "sent": {"frames": {"$toDouble": {"$add": [left, frames]}}, "at": "$$NOW"},
            "last_seen": {"$cond": [is_open, "$$NOW", "$$REMOVE"]},
        }};
        let rows = self.0.clone_with_type::<Row>();
        let counted = rows.find_one_and_update(doc! {"_id": id}, vec![count]);
        let counted = counted.projection(doc! {"_id": 0, "sent": 1, "flooded_at": 1});
        let counted = counted.return_document(ReturnDocument::After).write_concern(WriteConcern::nodes(1));
        let row = counted.await?.unwrap_or_default();
        Ok(Sent::of(row.sent, row.flooded_at))
    }

    /// Forgets a connection that is closed, but for what frames of it that are still under way need: whose it is, and that
    /// they don't bring it back.
    pub async fn forget(&self, id: &str) -> Result<(), DatabaseError> {
        self.close(id, doc! {}).await
    }

    /// The same for one that was closed for flooding.
    pub async fn forget_flooding(&self, id: &str) -> Result<(), DatabaseError> {
        self.close(id, doc! {"flooded_at": "$$NOW"}).await
    }

    async fn close(&self, id: &str, with: Document) -> Result<(), DatabaseError> {
        let mut closed = doc! {
            "_id": "$_id",
            "owner": "$owner",
            "token_expires_at": "$token_expires_at",
            // A second word of the same end, such as `$disconnect` after a flood, changes nothing of the first.
            "flooded_at": "$flooded_at",
            "closed_at": "$$NOW",
            "expires_at": {"$add": ["$$NOW", millis(CLOSED)]},
        };
        closed.extend(with);
        self.0.update_one(doc! {"_id": id}, vec![doc! {"$replaceWith": closed}]).upsert(true).await?;
        Ok(())
    }

    /// Forgets connections that turned out to be gone. What is left of one that was closed meanwhile stays.
    pub async fn forget_all(&self, ids: &[String]) -> Result<(), DatabaseError> {
        if !ids.is_empty() {
            self.0.delete_many(doc! {"_id": {"$in": ids}, "closed_at": null}).await?;
        }
        Ok(())
    }

    /// The connections of `owner` that were heard from lately, also those that the majority hasn't heard of yet.
    pub async fn of(&self, owner: &Owner) -> Result<Vec<Connection>, DatabaseError> {
        let filter = doc! {"owner": owner.as_str(), "last_seen": {"$gt": ago(SILENCE)}};
        let rows = self.0.clone_with_type();
        let found = rows.find(filter).projection(connection()).read_concern(ReadConcern::local());
        let found: Vec<Connection> = found.await?.try_collect().await?;
        Ok(found.into_iter().filter(Connection::is_authorized).collect())
    }

    /// The other connections of `owner` beside `id`.
    pub async fn beside(&self, id: &str, owner: &Owner) -> Result<Vec<Connection>, DatabaseError> {
        let all = self.of(owner).await?;
        Ok(all.into_iter().filter(|connection| connection.id != id).collect())
    }

    /// The other connections of `owner` beside `id`, and how `id` itself stands: in one read, so that for most frames there
    /// is nothing to write.
    pub async fn around(&self, id: &str, owner: &Owner) -> Result<Audience, DatabaseError> {
        #[derive(Deserialize)]
        struct Row {
            #[serde(rename = "_id")]
            id: String,
            connected_at: Option<DateTime>,
            token_expires_at: Option<DateTime>,
            last_seen: Option<DateTime>,
            closed_at: Option<DateTime>,
            sent: Option<Count>,
            flooded_at: Option<DateTime>,
        }
        let heard = doc! {"owner": owner.as_str(), "last_seen": {"$gt": ago(SILENCE)}};
        let rows = self.0.clone_with_type::<Row>();
        let found = rows.find(doc! {"$or": [{"_id": id}, heard]}).read_concern(ReadConcern::local());
        let mut shown = connection();
        shown.extend(doc! {"last_seen": 1, "closed_at": 1, "sent": 1, "flooded_at": 1});
        let found = found.projection(shown).await?;
        let found: Vec<Row> = found.try_collect().await?;
        let (own, others): (Vec<Row>, Vec<Row>) = found.into_iter().partition(|row| row.id == id);
        // A connection that is closed already stays so.
        let is_noted = |row: &Row| {
            row.closed_at.is_some() || row.last_seen.is_some_and(|last_seen| last_seen >= ago(RENEWAL))
        };
        let others = others.into_iter().filter_map(|row| {
            let Row { id, token_expires_at, .. } = row;
            Some(Connection { id, connected_at: row.connected_at?, token_expires_at })
        });
        let others = others.filter(Connection::is_authorized).collect();
        let is_to_be_noted = !own.iter().any(is_noted);
        let (sent, flooded_at) =
            own.into_iter().next().map_or((None, None), |row| (row.sent, row.flooded_at));
        Ok(Audience { others, is_to_be_noted, sent: Sent::of(sent, flooded_at) })
    }

    /// The connections, of whomever, that are to be closed: those that were not heard from lately and those whose token has
    /// expired; at most `limit`.
    pub async fn ended(&self, limit: i64) -> Result<Vec<Connection>, DatabaseError> {
        let filter = doc! {"closed_at": null, "$or": [
            {"last_seen": {"$lte": ago(SILENCE)}},
            {"token_expires_at": {"$lte": DateTime::now()}},
        ]};
        let rows = self.0.clone_with_type();
        let found = rows.find(filter).limit(limit).projection(connection());
        Ok(found.read_concern(ReadConcern::local()).await?.try_collect().await?)
    }
}

fn ago(duration: Duration) -> DateTime {
    DateTime::from_millis(DateTime::now().timestamp_millis().saturating_sub(millis(duration)))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
