use futures_util::{StreamExt, stream};
use shared::{model::describe, service::database::DatabaseError};

use crate::{App, BATCH, CONCURRENCY};

impl App {
    /// To die between the two steps costs nothing: the next sweep removes the picture once more.
    pub async fn remove_unused(&self) -> Result<(), DatabaseError> {
        let condemned = self.uploads.condemned(BATCH).await?;
        if condemned.is_empty() {
            return Ok(());
        }
        tracing::info!(pictures = condemned.len(), "removing pictures that nobody has used");
        stream::iter(condemned)
            .for_each_concurrent(CONCURRENCY, |(owner, name)| async move {
                if let Err(error) = self.images.remove(&owner, &name).await {
                    tracing::error!(error = describe(&error), "picture left to the next sweep");
                } else if let Err(error) = self.uploads.removed(&owner, &name).await {
                    tracing::error!(error = describe(&error), "picture removed but not noted as such");
                }
            })
            .await;
        Ok(())
    }
}
