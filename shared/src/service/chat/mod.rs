//! The chat model that proposes parameters: any OpenAI-compatible `POST /chat/completions`.
//!
//! What is said to it is in [`prompt`], what the service's answer means in [`answer`], what the model's text is worth in
//! [`content`]. Here is how often it is asked: once more where the service was busy or broken, and once to repair an answer that
//! is not what was asked for.

mod answer;
mod content;
mod prompt;

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, header};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep};

pub use content::Fault;
pub use prompt::{Picture, Question};

use self::answer::{Failure, Retry, Said};
use super::http::{self, NoClient};
use crate::model::{Suggestions, describe};

/// How long all questions about one wish may take: with the picture before and the database after it, less than the 26 s that
/// `suggest-params` has.
const PATIENCE: Duration = Duration::from_secs(22);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// In less than this no model answers, so it isn't asked.
const SHORTEST_ATTEMPT: Duration = Duration::from_secs(2);
/// Before a service that doesn't say when is asked again; up to twice as long, so that not all who were refused return together.
const PAUSE: Duration = Duration::from_millis(500);

/// There are no suggestions.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// No model is configured.
    #[error("no chat model configured")]
    NotConfigured,
    /// The key, the account's money, or how we ask is at fault: for whoever runs the board.
    #[error("chat service turned us away with {status}, {}", code.as_deref().unwrap_or("without a code"))]
    Denied {
        /// The status of its answer.
        status: u16,
        /// The service's own word for it.
        code: Option<String>,
    },
    /// Too much is asked of the service, by us or by all.
    #[error("chat service busy")]
    Busy,
    /// The service failed.
    #[error("chat service failed with {0}")]
    Broken(u16),
    /// The service couldn't be talked to, or didn't answer in time.
    #[error("chat service unavailable")]
    Unavailable(#[source] reqwest::Error),
    /// The service won't answer about what it was asked, or shown: for whoever asked.
    #[error("refused by the chat service's moderation")]
    Refused,
    /// The answer is not what was asked for.
    #[error("unusable answer of the chat model: {0}")]
    Unusable(Fault),
}

/// How a model can be made to answer in JSON. Said by whoever runs the board: a host's name doesn't tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// It takes a schema, and its answers keep to it.
    JsonSchema,
    /// It takes no schema; its answers are JSON.
    JsonObject,
    /// It can only be asked.
    Text,
}

/// A model of a chat service. Without `Debug`, which would show the key.
#[derive(Clone)]
pub struct ModelConfig {
    /// Where the service is, such as `https://api.openai.com/v1`. Empty: there is none.
    pub base_url: String,
    /// Its bearer key.
    pub key: String,
    /// The model's name there.
    pub model: String,
    /// How it can be made to answer in JSON.
    pub format: Format,
    /// Whether it sees pictures.
    pub has_vision: bool,
    /// Further members of each request, as the vendor calls them. What this module sets itself wins.
    pub options: Map<String, Value>,
}

/// The model, and a way to it.
#[derive(Clone)]
pub struct ChatModel {
    http: Client,
    config: ModelConfig,
}

impl ChatModel {
    /// That of `config`.
    pub fn new(config: ModelConfig) -> Result<Self, NoClient> {
        Ok(Self { http: http::connecting_anew(CONNECT_TIMEOUT)?, config })
    }

    /// Whether a picture is worth fetching.
    pub fn has_vision(&self) -> bool {
        self.config.has_vision && !self.config.base_url.is_empty()
    }

    /// What the model proposes.
    pub async fn suggest(&self, question: &Question<'_>) -> Result<Suggestions, ChatError> {
        if self.config.base_url.is_empty() {
            return Err(ChatError::NotConfigured);
        }
        let mut attempts = Attempts { ends: Instant::now() + PATIENCE, retries: 1 };
        let mut messages = prompt::messages(question);
        let said = self.ask(&messages, &mut attempts).await?;
        let fault = match content::read(&said) {
            Ok(suggestions) => return Ok(suggestions),
            Err(fault) if fault.is_final() || attempts.left() < SHORTEST_ATTEMPT => {
                return Err(ChatError::Unusable(fault));
            }
            Err(fault) => fault,
        };
        tracing::info!(fault = fault.to_string(), "chat model asked to repair its answer");
        messages.extend(prompt::repair(&said.text, &fault));
        let said = self.ask(&messages, &mut attempts).await?;
        content::read(&said).map_err(ChatError::Unusable)
    }

    /// What the model says next. Each question is good by itself, so that asking twice costs money and nothing else.
    async fn ask(&self, messages: &[Value], attempts: &mut Attempts) -> Result<Said, ChatError> {
        let body = Bytes::from(prompt::request(&self.config, messages).to_string());
        loop {
            let Failure { error, retry } = match self.post(body.clone(), attempts.left()).await {
                Ok(said) => return Ok(said),
                Err(failure) => failure,
            };
            let Some(pause) = attempts.again(retry) else { return Err(error) };
            tracing::info!(reason = describe(&error), "chat model asked again");
            sleep(pause).await;
        }
    }

    async fn post(&self, body: Bytes, timeout: Duration) -> Result<Said, Failure> {
        let unavailable = |error: reqwest::Error| Failure {
            error: ChatError::Unavailable(error.without_url()),
            retry: Retry::Soon,
        };
        let url = format!("{}/chat/completions", self.config.base_url.trim_end_matches('/'));
        let request = self.http.post(url).bearer_auth(&self.config.key).timeout(timeout);
        let request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        let response = request.send().await.map_err(unavailable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(unavailable)?;
        answer::read(status, &headers, &body)
    }
}

/// What is left of time and patience.
struct Attempts {
    ends: Instant,
    retries: u32,
}

impl Attempts {
    fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// After which pause to ask again, if at all.
    fn again(&mut self, retry: Retry) -> Option<Duration> {
        let pause = match retry {
            Retry::Never => return None,
            Retry::Now => Duration::ZERO,
            Retry::Soon => PAUSE.mul_f64(1.0 + f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 256.0),
            Retry::After(pause) => pause,
        };
        let is_worth_it = pause.checked_add(SHORTEST_ATTEMPT).is_some_and(|time| time <= self.left());
        self.retries = if is_worth_it { self.retries.checked_sub(1)? } else { return None };
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_asked_again_once_and_only_if_time_remains() {
        let attempts = || Attempts { ends: Instant::now() + PATIENCE, retries: 1 };
        let soon = attempts().again(Retry::Soon).unwrap();
        assert!((PAUSE..PAUSE * 2).contains(&soon), "{soon:?}");
        assert_eq!(attempts().again(Retry::Never), None);
        assert_eq!(attempts().again(Retry::After(Duration::from_secs(3))), Some(Duration::from_secs(3)));
        for too_long in [PATIENCE, Duration::MAX] {
            assert_eq!(attempts().again(Retry::After(too_long)), None);
        }
        let mut once = attempts();
        assert_eq!(once.again(Retry::Now), Some(Duration::ZERO));
        assert_eq!(once.again(Retry::Now), None);
        let mut late = attempts();
        tokio::time::advance(PATIENCE - Duration::from_secs(1)).await;
        assert_eq!(late.again(Retry::Now), None);
    }
}
