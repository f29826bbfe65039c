//! The events of the WebSocket API.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html>

use serde::{Deserialize, Serialize};

/// What there is to know of an event of a route of the WebSocket API. The rest of it, and there is much, isn't even parsed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Where it comes from.
    pub request_context: RequestContext,
    /// The frame, if there is one.
    pub body: Option<String>,
    /// Whether the frame was binary.
    #[serde(default)]
    pub is_base64_encoded: bool,
}

/// Where an event comes from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestContext {
    /// The connection that it is about.
    pub connection_id: String,
    /// The same for each delivery of a frame.
    pub message_id: Option<String>,
}

/// What a route answers. The gateway sends the body of a two-way route back on the socket.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl Response {
    /// Nothing to say.
    pub const fn ok() -> Self {
        Self { status_code: 200, body: None }
    }

    /// `frame` goes back on the socket.
    pub const fn frame(frame: String) -> Self {
        Self { status_code: 200, body: Some(frame) }
    }

    /// The service can't be reached now: at `$connect`, the handshake is refused with this status.
    pub const fn unavailable() -> Self {
        Self { status_code: 503, body: None }
    }
}
