use futures_util::{StreamExt, stream};
use shared::{
    model::{ImageName, OwnerKey, describe},
    service::database::DatabaseError,
};

use crate::{App, BATCH, CONCURRENCY};

impl App {
    pub async fn remove_unused(&self) -> Result<(), DatabaseError> {
        let unused = self.uploads.unused(BATCH).await?;
        if unused.is_empty() {
            return Ok(());
        }
        tracing::info!(pictures = unused.len(), "removing pictures that nobody has used");
        stream::iter(unused)
            .for_each_concurrent(CONCURRENCY, |(owner, name)| async move {
                if let Err(error) = self.remove(&owner, &name).await {
                    // The next sweep finds it again.
                    tracing::error!(error, "picture not removed");
                }
            })
            .await;
        Ok(())
    }

    /// To die between two of the steps costs nothing: the next sweep goes through all of them once more.
    async fn remove(&self, owner: &OwnerKey, name: &ImageName) -> Result<(), String> {
        let is_unused = self.uploads.condemn(owner, name).await.map_err(|error| describe(&error))?;
        if is_unused {
            self.images.remove(owner, name).await.map_err(|error| describe(&error))?;
            self.uploads.removed(owner, name).await.map_err(|error| describe(&error))?;
        }
        Ok(())
    }
}
