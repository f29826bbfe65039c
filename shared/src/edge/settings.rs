//! The services that a function uses, made for its process from the environment that `template.yaml` gives it and from the
//! secrets that are named there.

use std::{env, str::FromStr, time::Duration};

use serde_json::{Map, Value};

use super::{
    access::Access, addresses::Addresses, generations::Generations, reader::Reader, secrets::Secrets,
    tokens::Tokens, websocket::Origins,
};
use crate::{
    model::ImageBounds,
    service::{
        aws::{self, SdkConfig},
        chat::{ChatModel, Format, ModelConfig},
        connections::Connections,
        database::{Database, DatabaseError},
        http::NoClient,
        images::Images,
        issuer::Issuer,
        polling::Polling,
        push::Pusher,
        secrets::{SecretError, SecretStore},
        video_source::VideoSource,
        video_vendor::{VendorSettings, VideoVendor},
        videos::Videos,
        workspaces::{Workspaces, claim::GenerationLimits},
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
    /// A variable is none of what it may be.
    #[error("environment variable {0} is not {1}")]
    Not(&'static str, &'static str),
    /// It isn't said who is let in.
    #[error("AUTHENTICATION must be openid, secret or off")]
    Authentication,
    /// A secret can't be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The secret of `AUTH_SECRET_ARN` could be guessed.
    #[error("the secret of AUTH_SECRET_ARN must have at least {MIN_SECRET_BYTES} bytes")]
    ShortSecret,
    /// The secret of `MONGODB_URI_ARN` leads nowhere.
    #[error("the secret of MONGODB_URI_ARN can't be used")]
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
    text(name)?.parse().map_err(|_| SettingsError::Not(name, "a number"))
}

/// The members of a JSON object.
fn object(name: &'static str) -> Result<Map<String, Value>, SettingsError> {
    serde_json::from_str(&text(name)?).map_err(|_| SettingsError::Not(name, "a JSON object"))
}

/// A switch.
fn is_on(name: &'static str) -> Result<bool, SettingsError> {
    match text(name)?.as_str() {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(SettingsError::Not(name, "on or off")),
    }
}

/// A number of seconds.
pub(super) fn seconds(name: &'static str) -> Result<Duration, SettingsError> {
    number(name).map(Duration::from_secs)
}

/// `KEEP_VIDEOS`: whether finished videos are copied into the bucket.
pub fn keeps_videos() -> Result<bool, SettingsError> {
    is_on("KEEP_VIDEOS")
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

/// Whether `AUTHENTICATION` keeps anybody out.
pub fn is_guarded() -> Result<bool, SettingsError> {
    Ok(!matches!(authentication()?, Authentication::Off))
}

/// `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, which Lambda sets.
fn aws() -> Result<SdkConfig, SettingsError> {
    let key = aws::Key {
        id: text("AWS_ACCESS_KEY_ID")?,
        secret: text("AWS_SECRET_ACCESS_KEY")?,
        session_token: env::var("AWS_SESSION_TOKEN").ok(),
    };
    Ok(aws::config(text("AWS_REGION")?, key)?)
}

/// What the services of a function are made of.
#[derive(Clone)]
pub struct Settings {
    aws: SdkConfig,
    secrets: Secrets,
}

impl Settings {
    /// From the environment and the secrets that it names.
    pub(super) async fn load() -> Result<Self, SettingsError> {
        let aws = aws()?;
        let secrets = Secrets::fetch(&SecretStore::new(&aws)?).await?;
        Ok(Self { aws, secrets })
    }

    /// With the secrets as they are now.
    pub(super) async fn reload(&self) -> Result<Self, SettingsError> {
        let secrets = Secrets::fetch(&SecretStore::new(&self.aws)?).await?;
        Ok(Self { aws: self.aws.clone(), secrets })
    }

    /// Whether the secrets are the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.secrets == other.secrets
    }

    fn secret(&self, name: &'static str) -> Result<&str, SettingsError> {
        self.secrets.get(name).ok_or(SettingsError::Missing(name))
    }

    /// `AUTHENTICATION`; `openid` goes with `TOKEN_ISSUER`, `TOKEN_AUDIENCE` and `TOKEN_OWNER_CLAIM`, `secret` with `AUTH_SECRET_ARN`,
    /// `TOKEN_OWNER_CLAIM` and, where it is not empty, `TOKEN_AUDIENCE`.
    pub fn access(&self) -> Result<Access, SettingsError> {
        let tokens = match authentication()? {
            Authentication::Off => return Ok(Access::Open),
            Authentication::OpenId => {
                let issuer = Issuer::new(text("TOKEN_ISSUER")?)?;
                Tokens::of_issuer(issuer, &text("TOKEN_AUDIENCE")?, text("TOKEN_OWNER_CLAIM")?)
            }
            Authentication::Secret => {
                let audience = text("TOKEN_AUDIENCE")?;
                let audience = (!audience.is_empty()).then_some(audience.as_str());
                Tokens::of_secrets(&self.auth_secrets()?, audience, text("TOKEN_OWNER_CLAIM")?)
            }
        };
        Ok(Access::Guarded(Box::new(tokens)))
    }

    /// Those of [`Self::access`] and [`Self::addresses`].
    pub fn reader(&self) -> Result<Reader, SettingsError> {
        Ok(Reader { access: self.access()?, addresses: self.addresses()? })
    }

    /// `AUTHENTICATION`, and `AUTH_SECRET_ARN` while that is on.
    pub fn addresses(&self) -> Result<Addresses, SettingsError> {
        if !is_guarded()? {
            return Ok(Addresses::Plain);
        }
        let secrets = self.auth_secrets()?;
        let (newest, former) = secrets.split_first().ok_or(SettingsError::ShortSecret)?;
        Ok(Addresses::signed_with(newest, former))
    }

    /// `AUTH_SECRET_ARN`: one secret, or several, each on a line. The first signs, and all are good, so that one can take the
    /// place of another while things that the other has signed are about.
    fn auth_secrets(&self) -> Result<Vec<&str>, SettingsError> {
        let secrets: Vec<&str> =
            self.secret("AUTH_SECRET_ARN")?.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let is_short = |secret: &&str| secret.len() < MIN_SECRET_BYTES;
        if secrets.is_empty() || secrets.iter().any(is_short) {
            Err(SettingsError::ShortSecret)
        } else {
            Ok(secrets)
        }
    }

    /// `ALLOWED_ORIGINS`.
    pub fn origins(&self) -> Result<Origins, SettingsError> {
        Ok(Origins::new(&text("ALLOWED_ORIGINS")?))
    }

    /// `GENERATIONS_AT_ONCE` and `GENERATIONS_PER_DAY`.
    pub fn generation_limits(&self) -> Result<GenerationLimits, SettingsError> {
        Ok(GenerationLimits {
            at_once: number("GENERATIONS_AT_ONCE")?,
            per_day: number("GENERATIONS_PER_DAY")?,
        })
    }

    /// `MIN_IMAGE_SIDE`, `MAX_IMAGE_SIDE` and `MAX_IMAGE_RATIO`.
    pub fn image_bounds(&self) -> Result<ImageBounds, SettingsError> {
        Ok(ImageBounds {
            min_side: number("MIN_IMAGE_SIDE")?,
            max_side: number("MAX_IMAGE_SIDE")?,
            max_ratio: number("MAX_IMAGE_RATIO")?,
        })
    }

    /// `MONGODB_URI_ARN` and `MONGODB_DATABASE`.
    pub async fn database(&self) -> Result<Database, SettingsError> {
        Ok(Database::connect(self.secret("MONGODB_URI_ARN")?, &text("MONGODB_DATABASE")?).await?)
    }

    /// `IMAGES_BUCKET`.
    pub fn images(&self) -> Result<Images, SettingsError> {
        Ok(Images::new(&self.aws, text("IMAGES_BUCKET")?))
    }

    /// `IMAGES_BUCKET`.
    pub fn videos(&self) -> Result<Videos, SettingsError> {
        Ok(Videos::new(&self.aws, text("IMAGES_BUCKET")?))
    }

    /// `VIDEO_VENDOR_URL`.
    pub fn video_source(&self) -> Result<VideoSource, SettingsError> {
        Ok(VideoSource::new(&text("VIDEO_VENDOR_URL")?)?)
    }

    /// Those of [`Self::database`], [`Self::pusher`] and [`Self::addresses`].
    pub fn generations(&self, database: &Database) -> Result<Generations, SettingsError> {
        Ok(Generations {
            workspaces: Workspaces::new(database),
            pusher: self.pusher(database)?,
            addresses: self.addresses()?,
        })
    }

    /// `WEBSOCKET_API_URL`.
    pub fn pusher(&self, database: &Database) -> Result<Pusher, SettingsError> {
        Ok(Pusher::new(&self.aws, &text("WEBSOCKET_API_URL")?, Connections::new(database)))
    }

    /// `STATE_MACHINE_ARN` and `POLL_SECONDS`.
    pub fn polling(&self) -> Result<Polling, SettingsError> {
        Ok(Polling::new(&self.aws, text("STATE_MACHINE_ARN")?, seconds("POLL_SECONDS")?))
    }

    /// `GENERATION_DEADLINE_SECONDS`.
    pub fn generation_deadline(&self) -> Result<Duration, SettingsError> {
        seconds("GENERATION_DEADLINE_SECONDS")
    }

    /// `VIDEO_VENDOR`, `VIDEO_VENDOR_URL`, `VIDEO_VENDOR_KEY_ARN`, `VIDEO_MODEL` and `VIDEO_OPTIONS`.
    pub fn video_vendor(&self) -> Result<VideoVendor, SettingsError> {
        let settings = VendorSettings {
            vendor: &text("VIDEO_VENDOR")?,
            base_url: &text("VIDEO_VENDOR_URL")?,
            model: &text("VIDEO_MODEL")?,
            options: object("VIDEO_OPTIONS")?,
            key: self.secret("VIDEO_VENDOR_KEY_ARN")?.trim().to_owned(),
        };
        VideoVendor::new(settings)?.ok_or(SettingsError::Not("VIDEO_VENDOR", "plain, ark, kling or runway"))
    }

    /// `CHAT_URL`, `CHAT_KEY_ARN`, `CHAT_MODEL`, `CHAT_FORMAT`, `CHAT_VISION` and `CHAT_OPTIONS`.
    pub fn chat_model(&self) -> Result<ChatModel, SettingsError> {
        let format = match text("CHAT_FORMAT")?.as_str() {
            "json_schema" => Format::JsonSchema,
            "json_object" => Format::JsonObject,
            "text" => Format::Text,
            _ => return Err(SettingsError::Not("CHAT_FORMAT", "json_schema, json_object or text")),
        };
        Ok(ChatModel::new(ModelConfig {
            base_url: text("CHAT_URL")?,
            key: self.secret("CHAT_KEY_ARN")?.to_owned(),
            model: text("CHAT_MODEL")?,
            format,
            has_vision: is_on("CHAT_VISION")?,
            options: object("CHAT_OPTIONS")?,
        })?)
    }
}
