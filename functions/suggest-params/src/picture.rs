//! The workspace's picture, for a model that sees. Suggestions are better with it, and good without: nothing that goes wrong here
//! is worth refusing them.

use std::time::Duration;

use shared::{
    model::{ImageName, OwnerKey, describe},
    service::{bucket::StoreError, chat::Picture, images::Images},
};
use tokio::time::timeout;

/// As much of the request's time as the model can do without.
const PATIENCE: Duration = Duration::from_secs(2);

/// The picture, if it is there and can be shown to a model.
pub async fn fetch(images: &Images, owner: &OwnerKey, name: &ImageName) -> Option<Picture> {
    match timeout(PATIENCE, read(images, owner, name)).await {
        Ok(Ok(picture)) => {
            if picture.is_none() {
                tracing::info!("picture missing, too large, or none: asked without it");
            }
            picture
        }
        Ok(Err(error)) => {
            tracing::warn!(error = describe(&error), "picture not read: asked without it");
            None
        }
        Err(_) => {
            tracing::warn!("picture not read in time: asked without it");
            None
        }
    }
}

async fn read(images: &Images, owner: &OwnerKey, name: &ImageName) -> Result<Option<Picture>, StoreError> {
    match images.get(owner, name).await? {
        Some(stored) if stored.size <= Picture::MAX_BYTES => Ok(Picture::new(stored.bytes().await?)),
        _ => Ok(None),
    }
}
