//! How much an owner may ask for: so much in each minute, hour or day of UTC, and so many bytes.
//!
//! A document of `quotas` has for each thing that is counted `{window, used, granted}`: which minute, hour or day since 1970 it
//! counts, how much of it is used, and whether the last who asked got something. Looking and counting are one write, so that
//! two who ask at once never get the last one both. What is counted before it is done stays counted if it fails: who fails often
//! asks often.

use std::time::Duration;

use mongodb::{
    ClientSession, Collection,
    bson::{Document, doc},
    error::Error as MongoError,
    options::ReturnDocument,
};
use serde::{Serialize, Serializer};

use super::database::{Database, DatabaseError, is_duplicate_key, literal};
use crate::model::{Owner, Timestamp};

/// How long to wait for what has no end that is known.
const SOME_TIME: Duration = Duration::from_secs(30);
/// The same for what hardly changes by itself.
const LONG_TIME: Duration = Duration::from_secs(60 * 60);

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Videos that are being made at the same time.
    GenerationsAtOnce,
    /// Videos begun in a day of UTC.
    GenerationsPerDay,
    /// Questions to the chat model in a minute.
    SuggestionsPerMinute,
    /// Uploads in an hour, permissions to upload included.
    UploadsPerHour,
    /// Of all stored pictures together.
    BytesPerOwner,
}

impl Limit {
    const fn as_str(self) -> &'static str {
        match self {
            Self::GenerationsAtOnce => "generations_at_once",
            Self::GenerationsPerDay => "generations_per_day",
            Self::SuggestionsPerMinute => "suggestions_per_minute",
            Self::UploadsPerHour => "uploads_per_hour",
            Self::BytesPerOwner => "bytes_per_owner",
        }
    }

    /// For people: what to do.
    pub const fn message(self) -> &'static str {
        match self {
            Self::GenerationsAtOnce => "同时生成的视频已达上限，请等待其中一个完成后再试",
            Self::GenerationsPerDay => "今天生成视频的次数已用完，请明天再试",
            Self::SuggestionsPerMinute => "请求建议过于频繁，请稍后再试",
            Self::UploadsPerHour => "上传过于频繁，请稍后再试",
            Self::BytesPerOwner => "图片总容量已达上限，请联系管理员",
        }
    }

    /// The length of what is counted in one go, in milliseconds.
    const fn window_ms(self) -> i64 {
        match self {
            Self::SuggestionsPerMinute => 60 * 1000,
            Self::UploadsPerHour => 60 * 60 * 1000,
            Self::GenerationsPerDay | Self::GenerationsAtOnce | Self::BytesPerOwner => 24 * 60 * 60 * 1000,
        }
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An owner has had all that there is for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// Of what.
    pub limit: Limit,
    /// When there may be more.
    pub retry_after: Duration,
}

impl Exhausted {
    /// Of something that comes free in its own time.
    pub const fn for_some_time(limit: Limit) -> Self {
        Self { limit, retry_after: SOME_TIME }
    }
}

/// The counts of all owners.
#[derive(Clone, Debug)]
pub struct Quotas(Collection<Document>);

impl Quotas {
    /// Those in `database`.
    pub fn new(database: &Database) -> Self {
        Self(database.quotas())
    }

    /// Takes one of what `limit` counts, of which there are `most` in a window.
    pub async fn take(
        &self,
        owner: &Owner,
        limit: Limit,
        most: u32,
    ) -> Result<Result<(), Exhausted>, DatabaseError> {
        let taken = match self.try_take(owner, limit, most, None).await {
            // Another first count of this owner was made at the same moment.
            Err(error) if is_duplicate_key(&error) => self.try_take(owner, limit, most, None).await,
            taken => taken,
        };
        Ok(taken?)
    }

    /// The same as a part of the transaction of `session`: two transactions of one owner never both come to an end unless one
    /// began after the other had.
    pub(super) async fn take_in(
        &self,
        owner: &Owner,
        limit: Limit,
        most: u32,
        session: &mut ClientSession,
    ) -> Result<Result<(), Exhausted>, MongoError> {
        self.try_take(owner, limit, most, Some(session)).await
    }

    async fn try_take(
        &self,
        owner: &Owner,
        limit: Limit,
        most: u32,
        session: Option<&mut ClientSession>,
    ) -> Result<Result<(), Exhausted>, MongoError> {
        let (name, window_ms) = (limit.as_str(), limit.window_ms());
        let window = doc! {"$toLong": {"$floor": {"$divide": [{"$toLong": "$$NOW"}, window_ms]}}};
        let is_same = doc! {"$eq": [format!("${name}.window"), window.clone()]};
        let used = doc! {"$cond": [is_same, format!("${name}.used"), 0]};
        let grant = doc! {"$lt": ["$$used", i64::from(most)]};
        let count = doc! {"$let": {"vars": {"used": used}, "in": {
            "window": window,
            "used": {"$add": ["$$used", {"$cond": [grant.clone(), 1, 0]}]},
            "granted": grant,
        }}};
        let filter = doc! {"_id": owner.as_str()};
        let update = self.0.find_one_and_update(filter, vec![doc! {"$set": {name: count}}]);
        let update = update.upsert(true).return_document(ReturnDocument::After).projection(doc! {name: 1});
        let after = match session {
            Some(session) => update.session(session).await?,
            None => update.await?,
        };
        let after = after.unwrap_or_default();
        let count = after.get_document(name).cloned().unwrap_or_default();
        if count.get_bool("granted").unwrap_or_default() {
            return Ok(Ok(()));
        }
        let window = count.get_i64("window").unwrap_or_default();
        let left = (window + 1) * window_ms - Timestamp::now().millis();
        let retry_after = Duration::from_millis(u64::try_from(left).unwrap_or_default());
        Ok(Err(Exhausted { limit, retry_after }))
    }

    /// Adds `bytes` to what an owner has stored, if that stays within `most`.
    pub async fn add_bytes(
        &self,
        owner: &Owner,
        bytes: u64,
        most: u64,
    ) -> Result<Result<(), Exhausted>, DatabaseError> {
        let full = Exhausted { limit: Limit::BytesPerOwner, retry_after: LONG_TIME };
        let Some(room) = most.checked_sub(bytes) else { return Ok(Err(full)) };
        // Who has counted at all has a document, see `take`; who has stored nothing has no bytes in it.
        let has_room = doc! {"_id": owner.as_str(), "bytes": {"$not": {"$gt": as_long(room)}}};
        let written = self.0.update_one(has_room, doc! {"$inc": {"bytes": as_long(bytes)}}).await?;
        Ok(if written.matched_count == 0 { Err(full) } else { Ok(()) })
    }

    /// Corrects what an owner has stored: pictures that were announced and never came, or were removed, are counted until then.
    pub async fn set_bytes(&self, owner: &Owner, bytes: u64) -> Result<(), DatabaseError> {
        let set = doc! {"$set": {"bytes": literal(as_long(bytes))}};
        self.0.update_one(doc! {"_id": owner.as_str()}, vec![set]).await?;
        Ok(())
    }
}

fn as_long(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
