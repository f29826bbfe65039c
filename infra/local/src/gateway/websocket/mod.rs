//! The WebSocket API: the handshake, with its `$connect`, and what belongs to all connections.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-overview.html>

mod call;
mod connections;
mod event;
mod selection;
mod session;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::body::Body;
use axum::http::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE, USER_AGENT,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, request};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use self::call::CallError;
pub use self::connections::{Connection, Connections, SendError};
use self::event::Source;
use self::selection::RouteSelection;
use self::session::End;
use crate::faults::{Fault, Faults};
use crate::lambda::Functions;
use crate::template::{WebSocketApi, WebSocketRoute};

/// A whole message. <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
pub const MESSAGE_LIMIT: usize = 128 * 1024;
const FRAME_LIMIT: usize = 32 * 1024;
/// As many permits as a semaphore can hand out at once: one for each session, all for who waits until none is left.
const SESSIONS: u32 = u32::MAX >> 3;

/// How long things may take; the same page as [`MESSAGE_LIMIT`].
#[derive(Clone, Copy)]
struct Limits {
    integration: Duration,
    idle: Duration,
    life: Duration,
}

impl Limits {
    const AWS: Self = Self {
        integration: Duration::from_secs(29),
        idle: Duration::from_secs(10 * 60),
        life: Duration::from_secs(2 * 60 * 60),
    };
}

/// The WebSocket API of the template.
pub struct WebSocketGateway {
    source: Source,
    routes: BTreeMap<String, WebSocketRoute>,
    selection: RouteSelection,
    functions: Functions,
    connections: Connections,
    faults: Faults,
    limits: Limits,
    stopping: watch::Sender<bool>,
    sessions: Arc<Semaphore>,
}

impl WebSocketGateway {
    /// Fails if the route selection isn't understood.
    pub fn new(
        api: &WebSocketApi,
        functions: Functions,
        connections: Connections,
        faults: &Faults,
    ) -> Result<Arc<Self>> {
        Ok(Arc::new(Self::with_limits(api, functions, connections, faults, Limits::AWS)?))
    }

    fn with_limits(
        api: &WebSocketApi,
        functions: Functions,
        connections: Connections,
        faults: &Faults,
        limits: Limits,
    ) -> Result<Self> {
        Ok(Self {
            source: Source { api_id: api.id.clone(), stage: api.stage.clone() },
            routes: api.routes.clone(),
            selection: RouteSelection::parse(&api.route_selection_expression)?,
            functions,
            connections,
            faults: faults.clone(),
            limits,
            stopping: watch::Sender::new(false),
            sessions: Arc::new(Semaphore::new(SESSIONS as usize)),
        })
    }

    /// Whether a request wants to become a WebSocket.
    pub fn is_upgrade(headers: &HeaderMap) -> bool {
        headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
    }

    /// Answers a handshake. The connection then lives in a task of its own.
    pub async fn serve(self: &Arc<Self>, mut request: Request<Body>, source_ip: IpAddr) -> Response {
        let path = request.uri().path();
        if path != "/" && path.strip_prefix('/') != Some(&self.source.stage) {
            return refusal(StatusCode::FORBIDDEN, "Forbidden");
        }
        let accept = match accept_key(&request) {
            Ok(accept) => accept,
            Err(status) => {
                let supported = [(SEC_WEBSOCKET_VERSION, "13")];
                return (supported, refusal(status, status.canonical_reason().unwrap_or_default()))
                    .into_response();
            }
        };
        let upgrade = hyper::upgrade::on(&mut request);
        let (parts, _) = request.into_parts();
        let (respond, response) = oneshot::channel();
        // A task of its own, because a client that leaves in the middle must be cleaned up after.
        tokio::spawn(Arc::clone(self).connect(parts, accept, source_ip, upgrade, respond));
        response.await.unwrap_or_else(|_| refusal(StatusCode::BAD_GATEWAY, "Internal server error"))
    }

    async fn connect(
        self: Arc<Self>,
        parts: request::Parts,
        accept: HeaderValue,
        source_ip: IpAddr,
        upgrade: OnUpgrade,
        respond: oneshot::Sender<Response>,
    ) {
        let Ok(_session) = Arc::clone(&self.sessions).acquire_owned().await else { return };
        let text = |name: HeaderName| {
            parts
                .headers
                .get(name)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .unwrap_or_default()
        };
        let connection = self.connections.add(source_ip, text(USER_AGENT), text(HOST));
        let protocol = match self.ask_to_connect(&connection, &parts).await {
            Ok(protocol) => protocol,
            Err(response) => {
                self.connections.remove(&connection);
                let _ = respond.send(response);
                return;
            }
        };
        let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        headers.extend(protocol.map(|protocol| (SEC_WEBSOCKET_PROTOCOL, protocol)));
        let _ = respond.send(response);

        let Ok(upgraded) = upgrade.await else {
            self.connections.remove(&connection);
            return self.tell_disconnect(&connection, &End::lost()).await;
        };
        let config = WebSocketConfig::default()
            .max_frame_size(Some(FRAME_LIMIT))
            .max_message_size(Some(MESSAGE_LIMIT));
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        let (end, farewell) = session::run(&self, &connection, socket).await;
        self.connections.remove(&connection);
        tokio::join!(farewell.say(), self.tell_disconnect(&connection, &end));
    }

    /// `$connect`: the subprotocol that the function chose, or the refusal.
    async fn ask_to_connect(
        &self,
        connection: &Connection,
        parts: &request::Parts,
    ) -> Result<Option<HeaderValue>, Response> {
        let Some(route) = self.routes.get("$connect") else { return Ok(None) };
        let event = self.source.connect(connection, parts);
        let request_id = event.request_id.clone();
        match self.call(&route.function, "$connect", event).await {
            Ok(answer) if (200..300).contains(&answer.status_code) => {
                let protocol = answer.header("sec-websocket-protocol");
                Ok(protocol.and_then(|protocol| HeaderValue::try_from(protocol).ok()))
            }
            Ok(answer) => {
                let status = StatusCode::from_u16(answer.status_code).unwrap_or(StatusCode::BAD_GATEWAY);
                Err(status.into_response())
            }
            Err(error) => {
                let status = match error {
                    CallError::Throttled => StatusCode::TOO_MANY_REQUESTS,
                    CallError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
                    CallError::Failed | CallError::NoRoute => StatusCode::BAD_GATEWAY,
                };
                Err((status, axum::Json(error.message(&connection.id, &request_id))).into_response())
            }
        }
    }

    async fn tell_disconnect(&self, connection: &Connection, end: &End) {
        if self.faults.strikes(Fault::LoseDisconnect, &connection.id) {
            return;
        }
        if let Some(route) = self.routes.get("$disconnect") {
            let event = self.source.disconnect(connection, end);
            // Nobody is left to be told of a failure; the log has it.
            let _ = self.call(&route.function, "$disconnect", event).await;
        }
    }

    /// Closes all connections and waits until their `$disconnect` has run.
    pub async fn stop(&self) {
        self.stopping.send_replace(true);
        let _ = self.sessions.acquire_many(SESSIONS).await;
    }
}

/// RFC 6455, section 4.2: what a handshake must have.
fn accept_key(request: &Request<Body>) -> Result<HeaderValue, StatusCode> {
    let headers = request.headers();
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(StatusCode::UPGRADE_REQUIRED);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|_| request.method() == Method::GET);
    let accept = key.and_then(|key| HeaderValue::try_from(derive_accept_key(key.as_bytes())).ok());
    accept.ok_or(StatusCode::BAD_REQUEST)
}

fn refusal(status: StatusCode, message: &str) -> Response {
    (status, axum::Json(json!({ "message": message }))).into_response()
}

#[cfg(test)]
mod tests;
