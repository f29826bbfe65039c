//! API Gateway: the HTTP API and the WebSocket API on the public port, the management API on the internal one.

pub mod http;
mod ids;
pub mod management;
pub mod websocket;
