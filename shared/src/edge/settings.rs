//! The services that a function uses, made once for its process from the environment that `template.yaml` gives it.

use std::{env, str::FromStr, time::Duration};

use super::{access::Access, addresses::Addresses, tokens::Tokens, websocket::Origins};
use crate::{
    model::ImageBounds,
    service::{
        aws::{self, SdkConfig},
        chat::ChatModel,
        connections::Connections,
        database::{Database, DatabaseError},
        http::NoClient,
        images::Images,
        issuer::Issuer,
        polling::Polling,
        push::Pusher,
        video_vendor::VideoVendor,
        workspaces::claim::GenerationLimits,
    },
};

/// The shortest secret worth the name: as long as what it signs with it, RFC 7518 §3.2.
const MIN_SECRET_BYTES: usize = 32;

/// A function can't start with the environment that it has.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A variable is missing.
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    /// A variable is not what it should be.
    #[error("environment variable {0} is not a number")]
    NotANumber(&'static str),
    /// It isn't said who is let in.
    #[error("AUTHENTICATION must be openid, secret or off")]
    Authentication,
    /// `AUTH_SECRET` could be guessed.
    #[error("AUTH_SECRET must have at least {MIN_SECRET_BYTES} bytes")]
    ShortSecret,
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

/// A number. Public for the limits that only one function has.
pub fn number<T: FromStr>(name: &'static str) -> Result<T, SettingsError> {
    text(name)?.parse().map_err(|_| SettingsError::NotANumber(name))
}

fn seconds(name: &'static str) -> Result<Duration, SettingsError> {
    number(name).map(Duration::from_secs)
}

/// Who is let in.
enum Authentication {
    OpenId,
    Secret,
    Off,
}

/// `AUTHENTICATION`. What is none of the three lets nobody in.
fn authentication() -> Result<Authentication, SettingsError> {
    match text("AUTHENTICATION")?.as_str() {
        "openid" => Ok(Authentication::OpenId),
        "secret" => Ok(Authentication::Secret),
        "off" => Ok(Authentication::Off),
        _ => Err(SettingsError::Authentication),
    }
}

/// `AUTHENTICATION`; `openid` goes with `TOKEN_ISSUER`, `TOKEN_AUDIENCE` and `TOKEN_OWNER_CLAIM`, `secret` with `AUTH_SECRET`,
/// `TOKEN_OWNER_CLAIM` and, where it is not empty, `TOKEN_AUDIENCE`.
pub fn access() -> Result<Access, SettingsError> {
    let tokens = match authentication()? {
        Authentication::Off => return Ok(Access::Open),
        Authentication::OpenId => {
            let issuer = Issuer::new(text("TOKEN_ISSUER")?)?;
            Tokens::of_issuer(issuer, &text("TOKEN_AUDIENCE")?, text("TOKEN_OWNER_CLAIM")?)
        }
        Authentication::Secret => {
            let audience = text("TOKEN_AUDIENCE")?;
            let audience = (!audience.is_empty()).then_some(audience.as_str());
            Tokens::of_secret(&secret()?, audience, text("TOKEN_OWNER_CLAIM")?)
        }
    };
    Ok(Access::Guarded(Box::new(tokens)))
}

/// Whether `AUTHENTICATION` keeps anybody out.
pub fn is_guarded() -> Result<bool, SettingsError> {
    Ok(!matches!(authentication()?, Authentication::Off))
}

/// `AUTHENTICATION`, and `AUTH_SECRET` while that is on.
pub fn addresses() -> Result<Addresses, SettingsError> {
    Ok(if is_guarded()? { Addresses::signed_with(&secret()?) } else { Addresses::Plain })
}

fn secret() -> Result<String, SettingsError> {
    let secret = text("AUTH_SECRET")?;
    if secret.len() < MIN_SECRET_BYTES { Err(SettingsError::ShortSecret) } else { Ok(secret) }
}

/// `ALLOWED_ORIGINS`.
pub fn origins() -> Result<Origins, SettingsError> {
    Ok(Origins::new(&text("ALLOWED_ORIGINS")?))
}

/// `GENERATIONS_AT_ONCE` and `GENERATIONS_PER_DAY`.
pub fn generation_limits() -> Result<GenerationLimits, SettingsError> {
    Ok(GenerationLimits { at_once: number("GENERATIONS_AT_ONCE")?, per_day: number("GENERATIONS_PER_DAY")? })
}

/// `MIN_IMAGE_SIDE`, `MAX_IMAGE_SIDE` and `MAX_IMAGE_RATIO`.
pub fn image_bounds() -> Result<ImageBounds, SettingsError> {
    Ok(ImageBounds {
        min_side: number("MIN_IMAGE_SIDE")?,
        max_side: number("MAX_IMAGE_SIDE")?,
        max_ratio: number("MAX_IMAGE_RATIO")?,
    })
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
