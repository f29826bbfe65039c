use std::time::{Duration, Instant};

use shared::{
    edge::function::note,
    model::{
        Answer, Command, Created, Event, FieldUpdates, Identity, InvalidData, OrderIndex, Owner, Sender,
        Timestamp, WorkspaceId, describe,
    },
    service::{
        database::DatabaseError,
        metrics::Metric,
        push::log_unknown_audience,
        workspaces::{
            Creation, Deletion, Reordering, Update,
            generation::Ending,
            takes::{CANCELLED, Cancellation},
        },
    },
};

use crate::App;

/// A page that connects while a write runs, and loads its list before the write shows there, has to be told of it, too: where the
/// write took so long that it can have done both, whom to tell is looked up again.
const SLOW_WRITE: Duration = Duration::from_millis(20);

/// What came of a write: the answer, and what the owner's other connections are told, if anything.
type Written = (Answer, Option<Event>);

impl App {
    /// Carries out a frame of the connection `connection_id`, and tells the owner's other connections.
    pub async fn carry_out(
        &self,
        identity: &Identity,
        connection_id: &str,
        sender: &Sender,
        sent_at: Timestamp,
        command: Command,
    ) -> Answer {
        let owner = &identity.owner;
        let write = async {
            match command {
                Command::Ping => Ok((Answer::Pong {}, None)),
                Command::Create { order_index } => self.create(owner, sender, order_index).await,
                Command::Update { workspace_id, updates, unchanged_since } => {
                    self.update(owner, sender, sent_at, workspace_id, updates, unchanged_since).await
                }
                Command::Delete { workspace_id } => self.delete(owner, sender, workspace_id).await,
                Command::CancelVideo { workspace_id } => self.cancel_video(owner, sender, workspace_id).await,
                Command::Reorder { places } => self.reorder(owner, sender, sent_at, &places).await,
            }
        };
        // Whom to tell is looked up while the write runs, and the connection is noted as alive if it has to be.
        let look = async {
            let audience = self.connections.around(connection_id, owner).await;
            if audience.as_ref().map_or(true, |audience| audience.is_to_be_noted) {
                self.note(connection_id, identity).await;
            }
            audience
        };
        let begun = Instant::now();
        let (written, audience) = tokio::join!(write, look);
        if let Ok(audience) = &audience {
            self.sessions.learn(connection_id, audience.sent, Timestamp::now());
        }
        match written {
            Ok((answer, event)) => {
                if let Some(event) = event {
                    let mut others = audience.map(|audience| audience.others);
                    if begun.elapsed() > SLOW_WRITE
                        && let Ok(now) = self.connections.beside(connection_id, owner).await
                    {
                        others = Ok(now);
                    }
                    match others {
                        Ok(others) => self.pusher.tell(others, &event).await,
                        Err(error) => log_unknown_audience(&error),
                    }
                }
                answer
            }
            Err(error) => {
                tracing::error!(error = describe(&error), "frame failed");
                Answer::database_failed()
            }
        }
    }

    async fn create(
        &self,
        owner: &Owner,
        sender: &Sender,
        order_index: Option<OrderIndex>,
    ) -> Result<Written, DatabaseError> {
        Ok(match self.workspaces.create(owner, sender.request, order_index).await? {
            Creation::New(workspace) => {
                note("workspace_id", workspace.id);
                let created = Created {
                    workspace_id: workspace.id,
                    order_index: workspace.order_index,
                    created_at: workspace.created_at,
                };
                (Answer::Created(created), Some(Event::Created { created, workspace }))
            }
            Creation::Repeat(created) => (Answer::Created(created), None),
        })
    }

    async fn update(
        &self,
        owner: &Owner,
        sender: &Sender,
        sent_at: Timestamp,
        workspace_id: WorkspaceId,
        updates: FieldUpdates,
        unchanged_since: Option<Timestamp>,
    ) -> Result<Written, DatabaseError> {
        note("workspace_id", workspace_id);
        // Before the write that uses them: a picture that is kept for nothing does no harm.
        for (path, name) in updates.images() {
            if !self.uploads.keep(&owner.key(), &name).await? {
                let fault = InvalidData::at_path(path.as_str(), "图片上传已超过一天，请重新上传");
                return Ok((Answer::invalid(fault), None));
            }
        }
        let updated = self.workspaces.update(owner, workspace_id, sender, sent_at, updates, unchanged_since);
        Ok(match updated.await? {
            Update::Applied { applied: mut updates, updated_at } => {
                updates.show_image_url(|name| self.addresses.of(&owner.key(), name, Timestamp::now()));
                let is_told = !updates.is_empty();
                let event = Event::Updated { workspace_id, updates, updated_at };
                (Answer::SyncConfirm { workspace_id, updated_at }, is_told.then_some(event))
            }
            Update::Repeat { updated_at } => (Answer::SyncConfirm { workspace_id, updated_at }, None),
            Update::Conflict { updated_at } => {
                Metric::Conflicts.count(1);
                (Answer::conflict(workspace_id, updated_at), None)
            }
            Update::Invalid(fault) => (Answer::invalid(fault), None),
            Update::NotFound => (Answer::workspace_not_found(workspace_id.to_string()), None),
        })
    }

    async fn delete(
        &self,
        owner: &Owner,
        sender: &Sender,
        workspace_id: WorkspaceId,
    ) -> Result<Written, DatabaseError> {
        note("workspace_id", workspace_id);
        Ok(match self.workspaces.delete(owner, workspace_id, sender.request).await? {
            Deletion::Deleted => (Answer::Deleted { workspace_id }, Some(Event::Deleted { workspace_id })),
            Deletion::Repeat => (Answer::Deleted { workspace_id }, None),
            Deletion::NotFound => (Answer::workspace_not_found(workspace_id.to_string()), None),
        })
    }

    /// Whatever the vendor still makes is cancelled by the execution, which asks about it anyway.
    async fn cancel_video(
        &self,
        owner: &Owner,
        sender: &Sender,
        workspace_id: WorkspaceId,
    ) -> Result<Written, DatabaseError> {
        note("workspace_id", workspace_id);
        Ok(match self.workspaces.cancel_video(owner, workspace_id, sender.request).await? {
            Cancellation::Cancelled(updated_at) => {
                let error = CANCELLED.to_owned();
                let event = Ending::Failed { error }.into_event(workspace_id, updated_at);
                // Of a video's status the sender is told like all others (contract §3).
                self.pusher.tell_all(owner, &event).await;
                (Answer::VideoCancelled { workspace_id }, None)
            }
            Cancellation::Repeat => (Answer::VideoCancelled { workspace_id }, None),
            Cancellation::NothingToCancel(updated_at) => {
                (Answer::nothing_to_cancel(workspace_id, updated_at), None)
            }
            Cancellation::NotFound => (Answer::workspace_not_found(workspace_id.to_string()), None),
        })
    }

    async fn reorder(
        &self,
        owner: &Owner,
        sender: &Sender,
        sent_at: Timestamp,
        places: &[(WorkspaceId, OrderIndex)],
    ) -> Result<Written, DatabaseError> {
        let confirm = Answer::ReorderConfirm { success: true };
        Ok(match self.workspaces.reorder(owner, sender, sent_at, places).await? {
            Reordering::Applied(reorder_map) => {
                let is_told = !reorder_map.is_empty();
                (confirm, is_told.then_some(Event::Reordered { reorder_map }))
            }
            Reordering::Repeat => (confirm, None),
            Reordering::NotFound(id) => (Answer::workspace_not_found(id.to_string()), None),
        })
    }
}
