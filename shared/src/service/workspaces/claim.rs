//! The claim of a workspace for a generation, before the vendor is asked, and what an owner may claim.

use std::time::Duration;

use mongodb::{
    ClientSession,
    bson::{DateTime, Document, doc},
    error::Error as MongoError,
    options::ReturnDocument,
};
use serde::Deserialize;
use tokio::time::timeout;

use super::{Workspaces, alive, generation::Idempotency, moved_forward};
use crate::{
    model::{GenerationId, Owner, Timestamp, VideoStatus, WorkspaceId},
    service::{
        database::{DatabaseError, TRANSACTION_TIMEOUT, is_duplicate_key, literal, timestamp},
        quotas::{Exhausted, Limit, Quotas},
    },
};

/// A generation that is about to be claimed.
#[derive(Clone, Debug)]
pub struct NewGeneration {
    /// Its id.
    pub id: GenerationId,
    /// What a repeat of the request is recognised by.
    pub idempotency: Option<Idempotency>,
    /// After which it is given up.
    pub deadline: Duration,
}

/// How many generations an owner may have.
#[derive(Clone, Copy, Debug)]
pub struct GenerationLimits {
    /// Running at the same time.
    pub at_once: u32,
    /// Begun in a day of UTC.
    pub per_day: u32,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The workspace is the generation's. Its new `updated_at`.
    Claimed(Timestamp),
    /// Another generation is running, or the workspace isn't there.
    Taken,
    /// The owner has had enough for now; nothing has changed.
    Exhausted(Exhausted),
}

impl Workspaces {
    /// Claims the workspace for a generation: from now on its video is being made, and its last one is gone.
    ///
    /// A transaction, since the claim and the owner's counts belong together: a claim that died would be counted for nothing, a
    /// count that died would be a claim for nothing. All of an owner's claims write his counts, so that of two that would be one
    /// too many together, one is tried again when the other is done.
    pub async fn claim(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        generation: &NewGeneration,
        limits: GenerationLimits,
    ) -> Result<Claim, DatabaseError> {
        loop {
            let claimed = timeout(TRANSACTION_TIMEOUT, self.try_claim(owner, id, generation, limits)).await;
            match claimed.map_err(|_| DatabaseError::timed_out())? {
                Ok(claim) => return Ok(claim),
                Err(error) => match error.get_custom::<Exhausted>() {
                    Some(exhausted) => return Ok(Claim::Exhausted(*exhausted)),
                    // Another first count of this owner was made at the same moment.
                    None if is_duplicate_key(&error) => {}
                    None => return Err(error.into()),
                },
            }
        }
    }

    async fn try_claim(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        generation: &NewGeneration,
        limits: GenerationLimits,
    ) -> Result<Claim, MongoError> {
        let mut session = self.database.client().start_session().await?;
        let (this, owner, pipeline) = (self.clone(), owner.clone(), pipeline(generation));
        let transaction = async move |session: &mut ClientSession| {
            this.claim_in(session, &owner, id, pipeline.clone(), limits).await
        };
        session.start_transaction().and_run2(transaction).await
    }

    async fn claim_in(
        &self,
        session: &mut ClientSession,
        owner: &Owner,
        id: WorkspaceId,
        pipeline: Vec<Document>,
        limits: GenerationLimits,
    ) -> Result<Claim, MongoError> {
        #[derive(Deserialize)]
        struct After {
            updated_at: DateTime,
        }
        let mut free = alive(owner, id);
        free.insert("video.status", doc! {"$ne": VideoStatus::Generating.as_str()});
        let documents = self.documents.clone_with_type::<After>();
        let claim = documents.find_one_and_update(free, pipeline).projection(doc! {"updated_at": 1});
        let claim = claim.return_document(ReturnDocument::After).session(&mut *session).await?;
        let Some(after) = claim else { return Ok(Claim::Taken) };

        let running = doc! {"owner": owner.as_str(), "deleted_at": null, "video.status": VideoStatus::Generating.as_str()};
        let count = self.documents.count_documents(running).limit(u64::from(limits.at_once) + 1);
        if count.session(&mut *session).await? > u64::from(limits.at_once) {
            // As an error, so that the transaction is undone.
            return Err(MongoError::custom(Exhausted::for_some_time(Limit::GenerationsAtOnce)));
        }
        let quotas = Quotas::new(&self.database);
        match quotas.take_in(owner, Limit::GenerationsPerDay, limits.per_day, session).await? {
            Ok(()) => Ok(Claim::Claimed(timestamp(after.updated_at))),
            Err(exhausted) => Err(MongoError::custom(exhausted)),
        }
    }
}

fn pipeline(generation: &NewGeneration) -> Vec<Document> {
    let idempotency = generation.idempotency.as_ref();
    let idempotency = idempotency.map(|given| doc! {"key": &given.key, "request": &given.request});
    let deadline_ms = i64::try_from(generation.deadline.as_millis()).unwrap_or(i64::MAX);
    let video = doc! {
        "status": VideoStatus::Generating.as_str(), "task_id": null, "url": null, "error": null,
        "generation": {
            "id": generation.id.as_str(),
            "idempotency": literal(idempotency),
            "outcome": null,
            "polled_at": "$$NOW",
            "deadline_at": {"$add": ["$$NOW", deadline_ms]},
            "attempt": literal(0),
        },
    };
    // `$mergeObjects`, since `$set` with a bare object would keep members of the last generation.
    vec![doc! {"$set": {"video": {"$mergeObjects": [video]}, "updated_at": moved_forward()}}]
}
