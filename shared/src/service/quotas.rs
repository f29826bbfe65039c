//! How much an owner may ask for: so much in each minute, hour or day of UTC, and so many bytes.
//!
//! A document of `quotas` has for each thing that is counted `{window, used, granted}`: which minute, hour or day since 1970 it
//! counts, how much of it is used, and whether the last who asked got something. Looking and counting are one write, so that
//! two who ask at once never get the last one both. What is counted before it is done stays counted if it fails: who fails often
//! asks often.

use std::{collections::HashMap, time::Duration};

use mongodb::{
    Collection,
    bson::{Bson, Document, doc},
    error::Error as MongoError,
    options::ReturnDocument,
};
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};

use super::database::{Database, DatabaseError, is_duplicate_key};
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
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A limit of so many in each minute, hour or day.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    limit: Limit,
    window_ms: i64,
}

impl Rate {
    /// [`Limit::GenerationsPerDay`]
    pub const GENERATIONS: Self = Self { limit: Limit::GenerationsPerDay, window_ms: 24 * 60 * 60 * 1000 };
    /// [`Limit::SuggestionsPerMinute`]
    pub const SUGGESTIONS: Self = Self { limit: Limit::SuggestionsPerMinute, window_ms: 60 * 1000 };
    /// [`Limit::UploadsPerHour`]
    pub const UPLOADS: Self = Self { limit: Limit::UploadsPerHour, window_ms: 60 * 60 * 1000 };

    /// The name of the count in the document.
    pub(super) const fn name(self) -> &'static str {
        self.limit.as_str()
    }

    /// The expression for the count after one more is asked for, of which there are `most`: granted if there is one left and
    /// `also` holds.
    pub(super) fn counted(self, most: u32, also: impl Into<Bson>) -> Document {
        let name = self.name();
        let window = doc! {"$toLong": {"$floor": {"$divide": [{"$toLong": "$$NOW"}, self.window_ms]}}};
        let is_same = doc! {"$eq": [format!("${name}.window"), window.clone()]};
        let used = doc! {"$cond": [is_same, format!("${name}.used"), 0_i64]};
        let grant = doc! {"$and": [{"$lt": ["$$used", i64::from(most)]}, also.into()]};
        doc! {"$let": {"vars": {"used": used}, "in": {
            "window": window,
            "used": {"$add": ["$$used", {"$cond": [grant.clone(), 1_i64, 0_i64]}]},
            "granted": grant,
        }}}
    }

    /// Why nothing was granted in the window `window`.
    pub(super) fn exhausted_in(self, window: i64) -> Exhausted {
        let left = (window + 1) * self.window_ms - Timestamp::now().millis();
        let retry_after = Duration::from_millis(u64::try_from(left).unwrap_or_default());
        Exhausted { limit: self.limit, retry_after }
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

/// What was counted.
#[derive(Default, Deserialize)]
pub(super) struct Count {
    /// Since 1970.
    pub window: i64,
    /// In it.
    pub used: i64,
    /// Whether the last who asked got something.
    pub granted: bool,
}

/// The counts of all owners.
#[derive(Clone, Debug)]
pub struct Quotas(Collection<Document>);

impl Quotas {
    /// Those in `database`.
    pub fn new(database: &Database) -> Self {
        Self(database.quotas())
    }

    /// Takes one of what `rate` counts, of which there are `most` in a window.
    pub async fn take(
        &self,
        owner: &Owner,
        rate: Rate,
        most: u32,
    ) -> Result<Result<(), Exhausted>, DatabaseError> {
        let count = doc! {"$set": {rate.name(): rate.counted(most, true)}};
        let shown = doc! {"_id": 0, rate.name(): 1};
        let mut after: HashMap<String, Count> = self.update(owner, vec![count], shown).await?;
        let count = after.remove(rate.name()).unwrap_or_default();
        Ok(if count.granted { Ok(()) } else { Err(rate.exhausted_in(count.window)) })
    }

    /// Changes the document of `owner`, which is made if there is none: what `shown` shows of it afterwards.
    pub(super) async fn update<T: Default + DeserializeOwned + Send + Sync>(
        &self,
        owner: &Owner,
        pipeline: Vec<Document>,
        shown: Document,
    ) -> Result<T, MongoError> {
        let documents = self.0.clone_with_type::<T>();
        let update = |pipeline: Vec<Document>, shown: Document| {
            let update = documents.find_one_and_update(doc! {"_id": owner.as_str()}, pipeline).upsert(true);
            update.return_document(ReturnDocument::After).projection(shown)
        };
        let after = match update(pipeline.clone(), shown.clone()).await {
            // Another first count of this owner was made at the same moment.
            Err(error) if is_duplicate_key(&error) => update(pipeline, shown).await?,
            after => after?,
        };
        Ok(after.unwrap_or_default())
    }

    /// Changes the document of `owner` if `condition` holds for it.
    pub(super) async fn update_where(
        &self,
        owner: &Owner,
        mut condition: Document,
        change: Document,
    ) -> Result<(), MongoError> {
        condition.insert("_id", owner.as_str());
        self.0.update_one(condition, change).await?;
        Ok(())
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

    /// How much an owner has stored, as far as it was counted.
    pub async fn bytes(&self, owner: &Owner) -> Result<u64, DatabaseError> {
        let found = self.0.find_one(doc! {"_id": owner.as_str()}).projection(doc! {"bytes": 1}).await?;
        let bytes = found.and_then(|found| found.get_i64("bytes").ok());
        Ok(bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default())
    }

    /// Corrects what an owner has stored, unless something was counted since it was `counted`: pictures that were announced and
    /// never came, or were removed, are counted until then.
    pub async fn correct_bytes(&self, owner: &Owner, counted: u64, stored: u64) -> Result<(), DatabaseError> {
        let set = doc! {"$set": {"bytes": as_long(stored)}};
        Ok(self.update_where(owner, doc! {"bytes": as_long(counted)}, set).await?)
    }
}

fn as_long(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
