use mongodb::{
    ClientSession,
    bson::{DateTime, doc},
    error::Error as MongoError,
};
use serde::Deserialize;
use tokio::time::timeout;

use super::{Workspaces, document::new_document};
use crate::{
    model::{Created, OrderIndex, Owner, RequestKey, Timestamp, Workspace, WorkspaceId},
    service::database::{DatabaseError, TRANSACTION_TIMEOUT, is_duplicate_key, object_id, timestamp},
};

/// What became of a `workspace.create`.
#[derive(Debug)]
pub enum Creation {
    /// There is a new workspace.
    New(Box<Workspace>),
    /// The request was carried out before; this is its first answer, even if the workspace was deleted since.
    Repeat(Created),
}

impl Workspaces {
    /// Makes the workspace that `request` asks for: at `order_index`, or else one after the owner's last.
    pub async fn create(
        &self,
        owner: &Owner,
        request: RequestKey,
        order_index: Option<OrderIndex>,
    ) -> Result<Creation, DatabaseError> {
        let id = WorkspaceId::derive(owner, request);
        // A duplicate key means a repeat, or (in a transaction, and only for an owner's very first workspaces) that
        // another creation made the owner's document at the same moment: then this one is tried again.
        loop {
            let inserted = match order_index {
                Some(index) => self.insert(owner, id, index).await,
                None => timeout(TRANSACTION_TIMEOUT, self.append(owner, id))
                    .await
                    .map_err(|_| DatabaseError::timed_out())?,
            };
            match inserted {
                Ok(workspace) => return Ok(Creation::New(Box::new(workspace))),
                Err(error) if is_duplicate_key(&error) => {
                    if let Some(created) = self.first_answer(owner, id).await? {
                        return Ok(Creation::Repeat(created));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn insert(
        &self,
        owner: &Owner,
        id: WorkspaceId,
        index: OrderIndex,
    ) -> Result<Workspace, MongoError> {
        let workspace = Workspace::new(id, index, Timestamp::now());
        self.documents.insert_one(new_document(owner, &workspace)).await?;
        Ok(workspace)
    }

    /// Two creations at the same time must not get the same place, so each first writes the owner's document: the
    /// transactions of one owner then come one after the other.
    async fn append(&self, owner: &Owner, id: WorkspaceId) -> Result<Workspace, MongoError> {
        let mut session = self.database.client().start_session().await?;
        let (this, owner) = (self.clone(), owner.clone());
        let transaction = async move |session: &mut ClientSession| this.append_in(session, &owner, id).await;
        session.start_transaction().and_run2(transaction).await
    }

    async fn append_in(
        &self,
        session: &mut ClientSession,
        owner: &Owner,
        id: WorkspaceId,
    ) -> Result<Workspace, MongoError> {
        let lock = doc! {"$inc": {"creations": 1}};
        let owners = self.database.owners();
        owners.update_one(doc! {"_id": owner.as_str()}, lock).upsert(true).session(&mut *session).await?;
        let last = self
            .documents
            .find_one(doc! {"owner": owner.as_str(), "deleted_at": null})
            .sort(doc! {"order_index": -1})
            .projection(doc! {"order_index": 1})
            .session(&mut *session)
            .await?;
        let last = last.and_then(|last| last.get_i32("order_index").ok());
        let index = last.map_or(OrderIndex::FIRST, |last| OrderIndex::from_stored(last).next());
        let workspace = Workspace::new(id, index, Timestamp::now());
        self.documents.insert_one(new_document(owner, &workspace)).session(session).await?;
        Ok(workspace)
    }

    async fn first_answer(&self, owner: &Owner, id: WorkspaceId) -> Result<Option<Created>, DatabaseError> {
        #[derive(Deserialize)]
        struct First {
            created_index: i32,
            created_at: DateTime,
        }
        let first: Option<First> = self
            .documents
            .clone_with_type()
            .find_one(doc! {"_id": object_id(id), "owner": owner.as_str()})
            .projection(doc! {"created_index": 1, "created_at": 1})
            .await?;
        Ok(first.map(|first| Created {
            workspace_id: id,
            order_index: OrderIndex::from_stored(first.created_index),
            created_at: timestamp(first.created_at),
        }))
    }
}
