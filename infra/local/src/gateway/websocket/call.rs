//! A message on its way through a function.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::connections::Connection;
use super::event::Event;
use super::{MESSAGE_LIMIT, WebSocketGateway};
use crate::lambda::InvokeError;

/// What a function of the WebSocket API answers. Without `statusCode` it is no answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    pub status_code: u16,
    #[serde(default)]
    headers: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    body: Option<String>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().flatten();
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallError {
    NoRoute,
    Throttled,
    TimedOut,
    Failed,
}

impl CallError {
    /// The gateway's own frame about it.
    pub fn message(self, connection_id: &str, request_id: &str) -> Value {
        let message = match self {
            Self::NoRoute => "Forbidden",
            Self::Throttled => "Too Many Requests",
            Self::TimedOut => "Endpoint request timed out",
            Self::Failed => "Internal server error",
        };
        json!({ "message": message, "connectionId": connection_id, "requestId": request_id })
    }
}

/// A frame from the client.
pub enum Message {
    Text(String),
    Binary(Bytes),
}

impl WebSocketGateway {
    /// Calls the function of the message's route, and sends back what there is to send back.
    pub async fn handle(self: Arc<Self>, connection: Arc<Connection>, message: Message) {
        let bytes = match &message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
        };
        let selected = self.selection.select(bytes);
        // A client cannot choose $connect or $disconnect.
        let chosen = selected.as_ref().filter(|key| !key.starts_with('$'));
        let found = chosen
            .and_then(|key| self.routes.get_key_value(key))
            .or_else(|| self.routes.get_key_value("$default"));
        let (route_key, route) = match found {
            Some((route_key, route)) => (route_key.as_str(), Some(route)),
            None => ("$default", None),
        };
        let event = match &message {
            Message::Text(text) => self.source.text(&connection, route_key, text),
            Message::Binary(bytes) => self.source.binary(&connection, route_key, bytes),
        };
        let request_id = event.request_id.clone();
        let outcome = match route {
            Some(route) => self.call(&route.function, selected.as_deref().unwrap_or(route_key), event).await,
            None => Err(CallError::NoRoute),
        };
        let reply = match outcome {
            Ok(answer) if answer.body.as_ref().is_some_and(|body| body.len() > MESSAGE_LIMIT) => {
                tracing::warn!("the answer is over 128 KB, more than a message may have");
                Some(CallError::Failed.message(&connection.id, &request_id).to_string())
            }
            Ok(answer) => {
                answer.body.filter(|body| !body.is_empty() && route.is_some_and(|route| route.two_way))
            }
            Err(error) => Some(error.message(&connection.id, &request_id).to_string()),
        };
        if let Some(reply) = reply {
            connection.answer(reply.into()).await;
        }
    }

    /// Calls a function within the integration's time.
    pub(super) async fn call(&self, function: &str, label: &str, event: Event) -> Result<Answer, CallError> {
        let functions = self.functions.clone();
        let (function, label) = (function.to_owned(), format!("WS {label}"));
        let shown = label.clone();
        let call = tokio::spawn(async move {
            let (outcome, report) = functions.call(&function, event.payload).await;
            let outcome = outcome
                .map_err(|error| {
                    let is_throttled = matches!(error, InvokeError::Throttled(_));
                    (if is_throttled { CallError::Throttled } else { CallError::Failed }, error.to_string())
                })
                .and_then(|answer| {
                    let answer = serde_json::from_slice::<Answer>(&answer);
                    answer.map_err(|error| (CallError::Failed, format!("the answer cannot be used: {error}")))
                });
            match outcome {
                Ok(answer) => {
                    report.log(label, answer.status_code);
                    Ok(answer)
                }
                Err((error, reason)) => {
                    report.because(reason).log(label, "error");
                    Err(error)
                }
            }
        });
        match timeout(self.limits.integration, call).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(CallError::Failed),
            Err(_) => {
                tracing::warn!("{shown}: no answer within {} s", self.limits.integration.as_secs());
                Err(CallError::TimedOut)
            }
        }
    }
}
