//! The services that a function uses, made once for its process from the environment that `template.yaml` gives it.

use std::{env, time::Duration};

use crate::service::{
    aws::{self, SdkConfig},
    chat::ChatModel,
    connections::Connections,
    database::{Database, DatabaseError},
    http::NoClient,
    images::Images,
    polling::Polling,
    push::Pusher,
    video_vendor::VideoVendor,
};

/// A function can't start with the environment that it has.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A variable is missing.
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    /// A variable is not what it should be.
    #[error("environment variable {0} is not a whole number")]
    NotANumber(&'static str),
    /// `MONGODB_URI` leads nowhere.
    #[error("MONGODB_URI can't be used")]
    Database(#[from] DatabaseError),
    /// No HTTP client can be made.
    #[error(transparent)]
    Http(#[from] NoClient),
}

fn text(name: &'static str) -> Result<String, SettingsError> {
    env::var(name).map_err(|_| SettingsError::Missing(name))
}

fn seconds(name: &'static str) -> Result<Duration, SettingsError> {
    text(name)?.parse().map(Duration::from_secs).map_err(|_| SettingsError::NotANumber(name))
}

/// `MONGODB_URI` and `MONGODB_DATABASE`.
pub async fn database() -> Result<Database, SettingsError> {
    Ok(Database::connect(&text("MONGODB_URI")?, &text("MONGODB_DATABASE")?).await?)
}

/// `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, which Lambda sets.
pub fn aws() -> Result<SdkConfig, SettingsError> {
    let key = aws::Key {
        id: text("AWS_ACCESS_KEY_ID")?,
        secret: text("AWS_SECRET_ACCESS_KEY")?,
        session_token: env::var("AWS_SESSION_TOKEN").ok(),
    };
    Ok(aws::config(text("AWS_REGION")?, key)?)
}

/// `IMAGES_BUCKET`.
pub fn images(aws: &SdkConfig) -> Result<Images, SettingsError> {
    Ok(Images::new(aws, text("IMAGES_BUCKET")?))
}

/// `WEBSOCKET_API_URL`.
pub fn pusher(aws: &SdkConfig, database: &Database) -> Result<Pusher, SettingsError> {
    Ok(Pusher::new(aws, &text("WEBSOCKET_API_URL")?, Connections::new(database)))
}

/// `STATE_MACHINE_ARN` and `POLL_SECONDS`.
pub fn polling(aws: &SdkConfig) -> Result<Polling, SettingsError> {
    Ok(Polling::new(aws, text("STATE_MACHINE_ARN")?, seconds("POLL_SECONDS")?))
}

/// `GENERATION_DEADLINE_SECONDS`.
pub fn generation_deadline() -> Result<Duration, SettingsError> {
    seconds("GENERATION_DEADLINE_SECONDS")
}

/// `VIDEO_VENDOR_URL` and `VIDEO_VENDOR_KEY`.
pub fn video_vendor() -> Result<VideoVendor, SettingsError> {
    Ok(VideoVendor::new(&text("VIDEO_VENDOR_URL")?, text("VIDEO_VENDOR_KEY")?)?)
}

/// `CHAT_URL`, `CHAT_KEY` and `CHAT_MODEL`.
pub fn chat_model() -> Result<ChatModel, SettingsError> {
    Ok(ChatModel::new(&text("CHAT_URL")?, text("CHAT_KEY")?, text("CHAT_MODEL")?)?)
}
