use futures_util::{StreamExt, stream};
use shared::{
    model::describe,
    service::{database::DatabaseError, workspaces::takes::Condemned},
};

use crate::{App, BATCH, CONCURRENCY};

impl App {
    pub async fn remove_condemned(&self) -> Result<(), DatabaseError> {
        let condemned = self.workspaces.condemned(BATCH).await?;
        if condemned.is_empty() {
            return Ok(());
        }
        tracing::info!(workspaces = condemned.len(), "removing videos that nobody is shown any more");
        stream::iter(condemned)
            .for_each_concurrent(CONCURRENCY, |condemned| async move {
                if let Err(error) = self.remove_videos(&condemned).await {
                    // The next sweep finds it again.
                    tracing::error!(error, "videos not removed");
                }
            })
            .await;
        Ok(())
    }

    /// To die between two of the steps costs nothing: the next sweep goes through all of them once more.
    async fn remove_videos(&self, condemned: &Condemned) -> Result<(), String> {
        let key = condemned.owner.key();
        for name in condemned.names() {
            self.videos.remove(&key, &name).await.map_err(|error| describe(&error))?;
        }
        self.workspaces.forget_condemned(condemned).await.map_err(|error| describe(&error))
    }
}
