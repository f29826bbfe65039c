//! The management API, with which functions write to connections.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde_json::json;

use crate::faults::{Fault, Faults};

use super::websocket::{Connection, Connections, MESSAGE_LIMIT, SendError};

#[derive(Clone)]
struct Stage {
    name: Arc<str>,
    connections: Connections,
    faults: Faults,
}

/// `/{stage}/@connections/{id}`.
pub fn router(stage: &str, connections: Connections, faults: Faults) -> Router {
    let routes = get(describe).post(post).delete(disconnect);
    Router::new().route("/{stage}/@connections/{id}", routes).with_state(Stage {
        name: stage.into(),
        connections,
        faults,
    })
}

/// Typed by `x-amzn-errortype`: the SDK reads nothing else.
enum Refusal {
    Gone,
    WrongStage,
    TooLarge,
    TooMany,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, kind, message) = match self {
            Self::Gone => (StatusCode::GONE, "GoneException", "The connection is gone"),
            Self::WrongStage => (StatusCode::FORBIDDEN, "ForbiddenException", "Forbidden"),
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeException", "The message is over 128 KB")
            }
            Self::TooMany => (
                StatusCode::TOO_MANY_REQUESTS,
                "LimitExceededException",
                "Too many messages, or too many that wait for this connection",
            ),
        };
        (status, [("x-amzn-errortype", kind)], axum::Json(json!({ "message": message }))).into_response()
    }
}

impl Stage {
    fn find(&self, stage: &str, id: &str) -> Result<Arc<Connection>, Refusal> {
        if *stage != *self.name {
            return Err(Refusal::WrongStage);
        }
        self.connections.open(id).ok_or(Refusal::Gone)
    }
}

async fn post(
    State(stage): State<Stage>,
    Path((name, id)): Path<(String, String)>,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let connection = stage.find(&name, &id)?;
    if stage.faults.strikes(Fault::HangPush, &id) {
        // Until who asks gives up.
        std::future::pending::<()>().await;
    }
    if stage.faults.strikes(Fault::ThrottlePush, &id) {
        return Err(Refusal::TooMany);
    }
    if stage.faults.strikes(Fault::Gone, &id) {
        return Err(Refusal::Gone);
    }
    let message = to_bytes(body, MESSAGE_LIMIT).await.map_err(|_| Refusal::TooLarge)?;
    match connection.send(message) {
        Ok(()) => Ok(StatusCode::OK),
        Err(SendError::Gone) => Err(Refusal::Gone),
        Err(SendError::Full) => Err(Refusal::TooMany),
    }
}

async fn describe(
    State(stage): State<Stage>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let connection = stage.find(&name, &id)?;
    let time = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    let answer = json!({
        "connectedAt": time(connection.connected_at),
        "identity": { "sourceIp": connection.source_ip, "userAgent": connection.user_agent },
        "lastActiveAt": time(connection.last_active().0),
    });
    Ok(axum::Json(answer).into_response())
}

async fn disconnect(
    State(stage): State<Stage>,
    Path((name, id)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    let connection = stage.find(&name, &id)?;
    stage.connections.remove(&connection);
    connection.end.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn serve(connections: &Connections) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = router("prod", connections.clone(), Faults::none());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    #[tokio::test]
    async fn posts_and_refusals() {
        let connections = Connections::default();
        let url = serve(&connections).await;
        let connection = connections.add([127, 0, 0, 1].into(), "browser".to_owned(), "localhost".to_owned());
        let encoded = connection.id.replace('=', "%3D");
        let post = async |path: String, body: Vec<u8>| {
            let response =
                reqwest::Client::new().post(format!("{url}/{path}")).body(body).send().await.unwrap();
            let kind =
                response.headers().get("x-amzn-errortype").map(|kind| kind.to_str().unwrap().to_owned());
            (response.status().as_u16(), kind.unwrap_or_default())
        };
        let path = || format!("prod/@connections/{encoded}");
        // In the middle of $connect it isn't open.
        assert_eq!(post(path(), b"x".to_vec()).await, (410, "GoneException".to_owned()));
        let mut outbox = connection.opened();
        assert_eq!(post(path(), b"x".to_vec()).await, (200, String::new()));
        assert_eq!(outbox.recv().await.unwrap(), "x");
        assert_eq!(post(path(), vec![b'x'; MESSAGE_LIMIT]).await.0, 200);
        assert_eq!(
            post(path(), vec![b'x'; MESSAGE_LIMIT + 1]).await,
            (413, "PayloadTooLargeException".to_owned())
        );
        assert_eq!(
            post(format!("dev/@connections/{encoded}"), Vec::new()).await,
            (403, "ForbiddenException".to_owned())
        );
        // A socket that doesn't keep up holds nobody up.
        while connection.send("x".into()).is_ok() {}
        assert_eq!(post(path(), b"x".to_vec()).await, (429, "LimitExceededException".to_owned()));
        drop(outbox);
        assert_eq!(post(path(), b"x".to_vec()).await.0, 410);
    }

    #[tokio::test]
    async fn describes_and_disconnects() {
        let connections = Connections::default();
        let url = serve(&connections).await;
        let connection = connections.add([127, 0, 0, 1].into(), "browser".to_owned(), "localhost".to_owned());
        let _outbox = connection.opened();
        let url = format!("{url}/prod/@connections/{}", connection.id);
        let answer: serde_json::Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
        assert_eq!(answer["identity"], json!({"sourceIp": "127.0.0.1", "userAgent": "browser"}));
        assert!(answer["connectedAt"].as_str().unwrap().parse::<Timestamp>().is_ok());
        let delete = async || reqwest::Client::new().delete(&url).send().await.unwrap().status().as_u16();
        assert_eq!((delete().await, delete().await), (204, 410));
        connection.end.notified().await;
    }
}
