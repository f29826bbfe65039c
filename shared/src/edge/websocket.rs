//! The events of the WebSocket API.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html>

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use serde::Serialize;

/// An event of a route of the WebSocket API.
pub type Event = ApiGatewayWebsocketProxyRequest;

/// The event names no connection, so it is none of the gateway's.
#[derive(Debug, thiserror::Error)]
#[error("event without a connection id")]
pub struct NoConnection;

/// The connection that `event` is about.
pub fn connection_id(event: &Event) -> Result<&str, NoConnection> {
    event.request_context.connection_id.as_deref().ok_or(NoConnection)
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
