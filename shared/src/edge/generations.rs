//! How a generation ends: recorded, and told to its owner's connections.

use super::addresses::Addresses;
use crate::{
    model::{Event, OwnerKey, Timestamp, VideoStatus},
    service::{
        database::DatabaseError,
        polling::Poll,
        push::Pusher,
        workspaces::{
            Workspaces,
            generation::{Ending, Outcome, Snapshot},
        },
    },
};

/// The generations of all owners, as the functions of the state machine see them. Every step may be repeated.
pub struct Generations {
    /// Where they are.
    pub workspaces: Workspaces,
    pub(super) pusher: Pusher,
    pub(super) addresses: Addresses,
}

impl Generations {
    /// Ends a running generation, and tells it; or tells again how it has ended before, and is `false`.
    pub async fn end(&self, poll: &Poll, ending: Ending) -> Result<bool, DatabaseError> {
        let finished = self.workspaces.finish(&poll.owner, poll.workspace_id, &poll.generation_id, &ending);
        match finished.await? {
            Some(updated_at) => {
                tracing::info!("generation ended");
                self.tell(poll, ending.into_event(poll.workspace_id, updated_at)).await;
                Ok(true)
            }
            None => {
                self.tell_again(poll).await?;
                Ok(false)
            }
        }
    }

    /// Ends a claim that got no task, and tells it; or tells again how it has ended before.
    pub async fn fail_claim(&self, poll: &Poll, outcome: Outcome, error: &str) -> Result<(), DatabaseError> {
        let (owner, id) = (&poll.owner, poll.workspace_id);
        match self.workspaces.fail_claim(owner, id, &poll.generation_id, outcome, error).await? {
            Some(updated_at) => {
                let ending = Ending::Failed { error: error.to_owned() };
                self.tell(poll, ending.into_event(id, updated_at)).await;
            }
            None => self.tell_again(poll).await?,
        }
        Ok(())
    }

    /// The generation's workspace, where that is there and has no newer one.
    pub async fn newest(&self, poll: &Poll) -> Result<Option<Snapshot>, DatabaseError> {
        let snapshot = self.workspaces.snapshot(&poll.owner, poll.workspace_id).await?;
        let is_newest = |found: &Snapshot| {
            found.generation.as_ref().is_some_and(|newest| newest.id == poll.generation_id)
        };
        Ok(snapshot.filter(is_newest))
    }

    /// The generation has ended before this: perhaps in a run that died before it could tell. To be told twice does no
    /// harm.
    pub async fn tell_again(&self, poll: &Poll) -> Result<(), DatabaseError> {
        let Some(Snapshot { video, updated_at, .. }) = self.newest(poll).await? else { return Ok(()) };
        if matches!(video.status, VideoStatus::Completed | VideoStatus::Failed) {
            let event = Event::VideoStatus {
                workspace_id: poll.workspace_id,
                status: video.status,
                video_url: video.url,
                error: video.error,
                updated_at,
            };
            self.tell(poll, event).await;
        }
        Ok(())
    }

    async fn tell(&self, poll: &Poll, mut event: Event) {
        if let Event::VideoStatus { video_url: Some(url), .. } = &mut event {
            let key: OwnerKey = poll.owner.key();
            *url = self.addresses.of_video(&key, std::mem::take(url), Timestamp::now());
        }
        self.pusher.tell_all(&poll.owner, &event).await;
    }
}
