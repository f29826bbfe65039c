//! The bucket, in which pictures and videos are: how it is talked to.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    config::{Builder, RequestChecksumCalculation, http::HttpResponse},
    error::SdkError,
    presigning::PresigningConfig,
};
use aws_types::SdkConfig;

/// The bucket failed.
#[derive(Debug, thiserror::Error)]
#[error("bucket failed")]
pub struct StoreError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl StoreError {
    pub(super) fn of(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(source))
    }
}

impl<E, R> From<SdkError<E, R>> for StoreError
where
    E: std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    fn from(source: SdkError<E, R>) -> Self {
        Self::of(source)
    }
}

pub(super) fn client(aws: &SdkConfig) -> Client {
    // Where S3 is somewhere else, a bucket has no name of its own in DNS.
    let is_elsewhere = std::env::var("AWS_ENDPOINT_URL_S3").is_ok_and(|url| !url.is_empty());
    // A presigned upload must not ask for a checksum that a browser would have to compute.
    let config = Builder::from(aws)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .force_path_style(is_elsewhere)
        .build();
    Client::from_conf(config)
}

pub(super) fn expiring(life: Duration) -> Result<PresigningConfig, StoreError> {
    PresigningConfig::expires_in(life).map_err(StoreError::of)
}

/// A HEAD has no body to carry an error code in, so its status has to do.
pub(super) fn absent_or<T, E>(error: SdkError<E, HttpResponse>) -> Result<Option<T>, StoreError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    match error.raw_response().map(|response| response.status().as_u16()) {
        Some(404) => Ok(None),
        _ => Err(error.into()),
    }
}
