//! What talks to the outside, a module for each thing there. Errors are this room's own; nobody above sees an SDK.

pub mod chat;
pub mod connections;
pub mod database;
pub mod images;
pub mod polling;
pub mod push;
pub mod video_vendor;
pub mod workspaces;

use aws_config::{BehaviorVersion, SdkConfig};

/// The AWS settings that Lambda puts into the environment: region, credentials, and endpoints where they are not AWS's.
pub async fn aws_config() -> SdkConfig {
    aws_config::load_defaults(BehaviorVersion::latest()).await
}
