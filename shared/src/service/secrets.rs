//! Secrets, in Secrets Manager.

use std::time::Duration;

use aws_sdk_secretsmanager::{Client, error::SdkError, operation::get_secret_value::GetSecretValueError};
use aws_types::SdkConfig;

use super::http::{self, NoClient, SdkClient};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A secret can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It can't be asked for.
    #[error("secret not fetched")]
    NotFetched(#[from] Box<SdkError<GetSecretValueError>>),
    /// It is bytes, not text.
    #[error("the secret is no text")]
    NoText,
}

/// The secrets of the account.
#[derive(Clone, Debug)]
pub struct SecretStore(Client);

impl SecretStore {
    /// Those that the key of `aws` may read.
    pub fn new(aws: &SdkConfig) -> Result<Self, NoClient> {
        // Asked so seldom that a connection which was kept would mostly be a dead one.
        let http = http::connecting_anew(CONNECT_TIMEOUT)?;
        let config = aws_sdk_secretsmanager::config::Builder::from(aws).http_client(SdkClient(http));
        Ok(Self(Client::from_conf(config.build())))
    }

    /// The current text of the secret `arn`, without the space around it: a line's end comes with nearly every way to store one.
    pub async fn text(&self, arn: &str) -> Result<String, SecretError> {
        let found = self.0.get_secret_value().secret_id(arn).send().await.map_err(Box::new)?;
        let text = found.secret_string.ok_or(SecretError::NoText)?;
        Ok(text.trim().to_owned())
    }
}
