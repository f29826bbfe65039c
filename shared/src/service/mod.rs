//! What talks to the outside, a module for each thing there. Errors are this room's own; nobody above sees an SDK.

pub mod chat;
pub mod connections;
pub mod database;
pub mod http;
pub mod images;
pub mod polling;
pub mod push;
pub mod video_vendor;
pub mod workspaces;

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, timeout::TimeoutConfig};

use self::http::{Http, TlsError};

/// The AWS settings that Lambda puts into the environment: region, credentials, and endpoints where they are not AWS's.
///
/// The SDK has no time-outs of its own: a service that accepts a connection and then says nothing would take all the time
/// that a function has.
pub async fn aws_config() -> Result<SdkConfig, TlsError> {
    let http = Http::keeping(Duration::from_secs(2))?;
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(4))
        .operation_timeout(Duration::from_secs(8))
        .build();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).timeout_config(timeouts);
    Ok(config.load().await)
}
