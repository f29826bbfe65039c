//! Pictures that were uploaded, or may be, and are used nowhere yet: what nobody uses within a day is removed.
//!
//! `uploads` has a document `{_id: "<owner's key>/<name>", at, condemned, removed_at}` for each, from before the picture is there until it
//! is first used in a workspace or for a video. The sweeper condemns those that are too old, and then removes them: a picture is either
//! kept or condemned, in one write each, so that none that somebody uses disappears. Of a removed one the document stays for a while,
//! since a page may come back from an afternoon, or a month, without a network, and use what is gone.

use std::time::Duration;

use futures_util::TryStreamExt;
use mongodb::{
    Collection,
    bson::{DateTime, Document, doc},
};
use serde::Deserialize;

use super::database::{Database, DatabaseError};
use crate::model::{ImageName, OwnerKey};

/// How long a picture waits to be used: much longer than the permission to upload it lives.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long it is known that a picture was removed.
pub(super) const REMEMBERED: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The pictures of all owners that are used nowhere yet.
#[derive(Clone, Debug)]
pub struct Uploads(Collection<Document>);

impl Uploads {
    /// Those in `database`.
    pub fn new(database: &Database) -> Self {
        Self(database.uploads())
    }

    /// Says that there will be a picture.
    pub async fn announce(&self, owner: &OwnerKey, name: &ImageName) -> Result<(), DatabaseError> {
        let upload = doc! {"_id": id(owner, name), "at": DateTime::now(), "condemned": false};
        self.0.insert_one(upload).await?;
        Ok(())
    }

    /// Keeps a picture, since it is about to be used. `false` where it is too late for that.
    pub async fn keep(&self, owner: &OwnerKey, name: &ImageName) -> Result<bool, DatabaseError> {
        let id = id(owner, name);
        if self.0.delete_one(doc! {"_id": &id, "condemned": false}).await?.deleted_count > 0 {
            return Ok(true);
        }
        // Without a document it is kept already; with one it is condemned, or removed.
        Ok(self.0.find_one(doc! {"_id": id}).await?.is_none())
    }

    /// At most `limit` pictures that nobody has used in time, and that are not removed yet.
    pub async fn unused(&self, limit: i64) -> Result<Vec<(OwnerKey, ImageName)>, DatabaseError> {
        #[derive(Deserialize)]
        struct Upload {
            #[serde(rename = "_id")]
            id: String,
        }
        let patience_ms = i64::try_from(PATIENCE.as_millis()).unwrap_or(i64::MAX);
        let too_old = DateTime::from_millis(DateTime::now().timestamp_millis().saturating_sub(patience_ms));
        let unused = doc! {"removed_at": null, "at": {"$lt": too_old}};
        let found = self.0.clone_with_type::<Upload>().find(unused).limit(limit).await?;
        let found: Vec<Upload> = found.try_collect().await?;
        Ok(found.iter().filter_map(|upload| parts(&upload.id)).collect())
    }

    /// Sees to it that nobody uses a picture any more. `false` where somebody was faster.
    ///
    /// A write for each: one for many would not be repeated by the driver when it finds its connection dead.
    pub async fn condemn(&self, owner: &OwnerKey, name: &ImageName) -> Result<bool, DatabaseError> {
        let condemned = doc! {"$set": {"condemned": true}};
        Ok(self.0.update_one(doc! {"_id": id(owner, name)}, condemned).await?.matched_count > 0)
    }

    /// Remembers that a condemned picture was removed.
    pub async fn removed(&self, owner: &OwnerKey, name: &ImageName) -> Result<(), DatabaseError> {
        let removed = doc! {"$set": {"removed_at": DateTime::now()}};
        self.0.update_one(doc! {"_id": id(owner, name)}, removed).await?;
        Ok(())
    }
}

fn id(owner: &OwnerKey, name: &ImageName) -> String {
    format!("{owner}/{name}")
}

fn parts(id: &str) -> Option<(OwnerKey, ImageName)> {
    let (owner, name) = id.split_once('/')?;
    Some((owner.parse().ok()?, name.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ImageKind, Owner};

    #[test]
    fn an_id_is_taken_apart_into_what_it_was_made_of() {
        let (owner, name) = ("alice".parse::<Owner>().unwrap().key(), ImageName::random(ImageKind::Png));
        assert_eq!(parts(&id(&owner, &name)), Some((owner, name)));
    }
}
