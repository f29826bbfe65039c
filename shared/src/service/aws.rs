//! How the SDK is set up: by what Lambda puts into the environment.
//!
//! `aws-config` finds the same there. It also brings all the other places where it would look, profiles, STS and the metadata
//! services, none of which a Lambda has.

use std::{env, time::Duration};

use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, SharedCredentialsProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
pub use aws_types::SdkConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use super::http::{self, NoClient, SdkClient};

/// What requests are signed with.
pub struct Key {
    /// `AWS_ACCESS_KEY_ID`.
    pub id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret: String,
    /// `AWS_SESSION_TOKEN`, which the keys of a role have.
    pub session_token: Option<String>,
}

/// The SDK's settings for `region`.
///
/// The SDK has no time-outs of its own: a service that accepts a connection and then says nothing would take all the time
/// that a function has.
pub fn config(region: String, key: Key) -> Result<SdkConfig, NoClient> {
    let credentials = Credentials::new(key.id, key.secret, key.session_token, None, "Lambda");
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(4))
        .operation_timeout(Duration::from_secs(8))
        .build();
    Ok(SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .service_config(Environment)
        .http_client(SdkClient(http::keeping_connections(Duration::from_secs(2))?))
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts)
        .build())
}

/// The settings of a single service, such as `AWS_ENDPOINT_URL_S3`, or for all of them `AWS_ENDPOINT_URL`. One that is empty is
/// none: the template has both, empty, so that `sam local` can set them.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
#[derive(Debug)]
struct Environment;

impl LoadServiceConfig for Environment {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        set(&format!("{}_{service}", key.env())).or_else(|| set(key.env()))
    }
}
