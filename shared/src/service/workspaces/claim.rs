//! The claim of a workspace for a generation, before the vendor is asked, and what an owner may claim.
//!
//! An owner's document in `quotas` has a slot for each generation that may be running: `slots: [{generation, workspace,
//! taken_at, until}]`. A slot is taken before the workspace is claimed, and nobody gives it back when the generation ends:
//! when there is none left, the workspaces tell which of them are free again. So no death in between costs more than that look.
//! The slot of a generation that was cancelled is `held` until the vendor has stopped too, or it would have been given up: the task
//! goes on, and is paid.

use std::time::Duration;

use futures_util::TryStreamExt;
use mongodb::bson::{DateTime, Document, doc, oid::ObjectId};
use serde::Deserialize;

use super::{Workspaces, alive, generation::Idempotency, moved_forward, takes};
use crate::{
    model::{GenerationId, Owner, Timestamp, VideoStatus, WorkspaceId},
    service::{
        database::{DatabaseError, literal, object_id},
        quotas::{Count, Exhausted, Limit, Quotas, Rate},
    },
};

/// How long after its slot was taken a claim may still come: longer than `generate-video` has for all of its work.
const CLAIM_TIME_MS: i64 = 60 * 1000;

/// A generation that is about to be claimed.
#[derive(Clone, Debug)]
pub struct NewGeneration {
    /// Its id.
    pub id: GenerationId,
    /// What a repeat of the request is recognised by.
    pub idempotency: Option<Idempotency>,
    /// After which it is given up.
    pub deadline: Duration,
    /// What the logs of its request go by.
    pub correlation_id: Option<String>,
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

/// What of an owner's document decides.
#[derive(Default, Deserialize)]
struct Counts {
    generations_per_day: Count,
    slots: Vec<Slot>,
}

/// A generation that may be running.
#[derive(Deserialize)]
struct Slot {
    generation: GenerationId,
    workspace: ObjectId,
    taken_at: DateTime,
    #[serde(default)]
    held: bool,
}

/// What a workspace says of a slot.
#[derive(Deserialize)]
struct Holder {
    #[serde(rename = "_id")]
    id: ObjectId,
    deleted_at: Option<DateTime>,
    video: Option<HeldVideo>,
}

#[derive(Deserialize)]
struct HeldVideo {
    status: VideoStatus,
    generation: Option<HeldGeneration>,
}

#[derive(Deserialize)]
struct HeldGeneration {
    id: GenerationId,
}

impl Workspaces {
    /// Claims the workspace for a generation: from now on its video is being made, and its last one is gone.
    pub async fn claim(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        generation: &NewGeneration,
        limits: GenerationLimits,
    ) -> Result<Claim, DatabaseError> {
        let quotas = Quotas::new(&self.database);
        let mut counts = take_slot(&quotas, owner, id, generation, limits).await?;
        if !counts.generations_per_day.granted && counts.generations_per_day.used < i64::from(limits.per_day)
        {
            self.free_slots(&quotas, owner, &counts.slots).await?;
            counts = take_slot(&quotas, owner, id, generation, limits).await?;
        }
        let Count { window, used, granted } = counts.generations_per_day;
        if !granted {
            let is_day_over = used >= i64::from(limits.per_day);
            let at_once = Exhausted::for_some_time(Limit::GenerationsAtOnce);
            return Ok(Claim::Exhausted(if is_day_over {
                Rate::GENERATIONS.exhausted_in(window)
            } else {
                at_once
            }));
        }

        let mut free = alive(owner, id);
        free.insert("video.status", doc! {"$ne": VideoStatus::Generating.as_str()});
        match self.change(free, claimed(generation)).await? {
            Some(updated_at) => Ok(Claim::Claimed(updated_at)),
            None => {
                // It was for nothing, and is given back. To die before that costs one of the day's.
                let same =
                    doc! {"slots.generation": generation.id.as_str(), "generations_per_day.window": window};
                let give_back = doc! {
                    "$pull": {"slots": {"generation": generation.id.as_str()}},
                    "$inc": {"generations_per_day.used": -1_i64},
                };
                quotas.update_where(owner, same, give_back).await?;
                Ok(Claim::Taken)
            }
        }
    }

    /// Frees those of `slots` whose generation has surely ended. That of a deleted workspace hasn't: the vendor's task goes on, and
    /// is paid; its slot is free when it would have been given up.
    async fn free_slots(&self, quotas: &Quotas, owner: &Owner, slots: &[Slot]) -> Result<(), DatabaseError> {
        let ids: Vec<ObjectId> = slots.iter().map(|slot| slot.workspace).collect();
        let holders = self.documents.clone_with_type::<Holder>();
        let found = holders.find(doc! {"_id": {"$in": ids}, "owner": owner.as_str()});
        let found =
            found.projection(doc! {"deleted_at": 1, "video.status": 1, "video.generation.id": 1}).await?;
        let found: Vec<Holder> = found.try_collect().await?;
        let now = DateTime::now().timestamp_millis();
        let has_ended = |slot: &&Slot| {
            let is_too_late = slot.taken_at.timestamp_millis() + CLAIM_TIME_MS < now;
            match found.iter().find(|holder| holder.id == slot.workspace) {
                _ if slot.held => false,
                Some(holder) if holder.deleted_at.is_some() => false,
                Some(Holder { video: Some(HeldVideo { status, generation: Some(held) }), .. })
                    if held.id == slot.generation =>
                {
                    *status != VideoStatus::Generating
                }
                // The claim never came, or it did and there is a newer one.
                _ => is_too_late,
            }
        };
        let ended: Vec<&str> = slots.iter().filter(has_ended).map(|slot| slot.generation.as_str()).collect();
        let free = doc! {"$pull": {"slots": {"generation": {"$in": ended}}}};
        Ok(quotas.update_where(owner, Document::new(), free).await?)
    }
}

impl Workspaces {
    /// Keeps the slot of a generation that has ended here and not at the vendor's.
    pub(super) async fn hold_slot(&self, owner: &Owner, id: &GenerationId) -> Result<(), DatabaseError> {
        let held = doc! {"$set": {"slots.$.held": true}};
        let same = doc! {"slots.generation": id.as_str()};
        Ok(Quotas::new(&self.database).update_where(owner, same, held).await?)
    }

    /// Gives the slot of a generation back, which has ended at the vendor's too.
    pub async fn free_slot(&self, owner: &Owner, id: &GenerationId) -> Result<(), DatabaseError> {
        let free = doc! {"$pull": {"slots": {"generation": id.as_str()}}};
        Ok(Quotas::new(&self.database).update_where(owner, Document::new(), free).await?)
    }
}

/// Takes a slot and one of the day's generations, both or neither.
async fn take_slot(
    quotas: &Quotas,
    owner: &Owner,
    id: WorkspaceId,
    generation: &NewGeneration,
    limits: GenerationLimits,
) -> Result<Counts, DatabaseError> {
    let per_day = Rate::GENERATIONS.name();
    let deadline_ms = i64::try_from(generation.deadline.as_millis()).unwrap_or(i64::MAX);
    let slot = doc! {
        "generation": literal(generation.id.as_str()),
        "workspace": object_id(id),
        "taken_at": "$$NOW",
        "until": {"$add": ["$$NOW", deadline_ms]},
    };
    let running = doc! {"$filter": {
        "input": {"$ifNull": ["$slots", []]}, "as": "slot", "cond": {"$gt": ["$$slot.until", "$$NOW"]}
    }};
    let is_free = doc! {"$lt": [{"$size": "$slots"}, i64::from(limits.at_once)]};
    let taken =
        doc! {"$cond": [format!("${per_day}.granted"), {"$concatArrays": ["$slots", [slot]]}, "$slots"]};
    let pipeline = vec![
        doc! {"$set": {"slots": running}},
        doc! {"$set": {per_day: Rate::GENERATIONS.counted(limits.per_day, is_free)}},
        doc! {"$set": {"slots": taken}},
    ];
    Ok(quotas.update(owner, pipeline, doc! {"_id": 0, per_day: 1, "slots": 1}).await?)
}

/// The stage that makes a workspace the generation's.
fn claimed(generation: &NewGeneration) -> Document {
    let idempotency = generation.idempotency.as_ref();
    let idempotency = idempotency.map(|given| doc! {"key": &given.key, "request": &given.request});
    let deadline_ms = i64::try_from(generation.deadline.as_millis()).unwrap_or(i64::MAX);
    let video = doc! {
        "status": VideoStatus::Generating.as_str(), "task_id": null, "url": null, "error": null,
        "history": takes::history(),
        "generation": {
            "id": generation.id.as_str(),
            "idempotency": literal(idempotency),
            "outcome": null,
            "polled_at": "$$NOW",
            "deadline_at": {"$add": ["$$NOW", deadline_ms]},
            "attempt": literal(0),
            "claimed_at": "$$NOW",
            "correlation_id": literal(generation.correlation_id.as_deref()),
        },
    };
    // `$mergeObjects`, since `$set` with a bare object would keep members of the last generation.
    doc! {"$set": {
        "video": {"$mergeObjects": [video]},
        "condemned": takes::condemned_by_history(),
        "updated_at": moved_forward(),
    }}
}
