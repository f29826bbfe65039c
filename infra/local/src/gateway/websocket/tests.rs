//! The gateway with a real client, and functions that the tests play.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, connect_async};

use super::*;
use crate::lambda::testing::Host;

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Api {
    host: Host,
    connections: Connections,
    gateway: Arc<WebSocketGateway>,
    url: String,
}

/// Echoes messages, and does what they say.
fn echo(event: &Value) -> Option<Value> {
    let body = event["body"].as_str().unwrap_or_default();
    match body {
        "fail" => Some(json!({"errorType": "Oops", "errorMessage": "no"})),
        "hang" => None,
        "nothing" => Some(Value::Null),
        "silence" => Some(json!({"statusCode": 200})),
        _ => match event["queryStringParameters"]["connect"].as_str() {
            Some("refuse") => Some(json!({"statusCode": 401})),
            Some("fail") => Some(json!({"errorType": "Oops", "errorMessage": "no"})),
            _ => {
                let (key, base64) = (&event["requestContext"]["routeKey"], &event["isBase64Encoded"]);
                let body = format!("{} {body} {base64}", key.as_str().unwrap());
                // A client that asked for none takes none.
                let asked = event["headers"]["Sec-WebSocket-Protocol"].is_string();
                let headers =
                    if asked { json!({"sec-websocket-PROTOCOL": "motionboard"}) } else { json!({}) };
                Some(json!({"statusCode": 200, "headers": headers, "body": body}))
            }
        },
    }
}

impl Api {
    async fn start(limits: Limits) -> Self {
        let host = Host::answering(echo).await;
        let route = |two_way| WebSocketRoute { function: "F".to_owned(), two_way };
        let routes = [
            ("$connect", false),
            ("$default", true),
            ("$disconnect", false),
            ("quiet", false),
            ("custom", true),
        ];
        let api = WebSocketApi {
            name: "Ws".to_owned(),
            id: "ws".to_owned(),
            stage: "prod".to_owned(),
            route_selection_expression: "$request.body.type".to_owned(),
            routes: routes.map(|(key, two_way)| (key.to_owned(), route(two_way))).into(),
        };
        let connections = Connections::default();
        let gateway = WebSocketGateway::with_limits(
            &api,
            host.functions.clone(),
            connections.clone(),
            &Faults::none(),
            limits,
        );
        let gateway = Arc::new(gateway.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let enter = async |State(gateway): State<Arc<WebSocketGateway>>,
                           ConnectInfo(peer): ConnectInfo<SocketAddr>,
                           request| { gateway.serve(request, peer.ip()).await };
        let router = Router::new().fallback(enter).with_state(Arc::clone(&gateway));
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { host, connections, gateway, url }
    }

    async fn aws() -> Self {
        Self::start(Limits::AWS).await
    }

    async fn connect(&self) -> Client {
        connect_async(&self.url).await.unwrap().0
    }

    async fn refused(&self, path: &str) -> u16 {
        match connect_async(format!("{}{path}", self.url)).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            other => panic!("{other:?}"),
        }
    }

    /// The context of the only `$disconnect`.
    async fn disconnected(&self) -> Value {
        self.host.event(|event| event["requestContext"]["eventType"] == "DISCONNECT").await["requestContext"]
            .take()
    }
}

async fn text(client: &mut Client) -> String {
    client.next().await.unwrap().unwrap().into_text().unwrap().to_string()
}

async fn ask(client: &mut Client, message: &str) -> String {
    client.send(message.into()).await.unwrap();
    text(client).await
}

async fn closed(client: &mut Client) -> u16 {
    loop {
        match client.next().await {
            Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_life_from_connect_to_disconnect() {
    let api = Api::aws().await;
    let mut request = format!("{}/prod?token=t", api.url).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "motionboard, secret".parse().unwrap());
    let (mut client, response) = connect_async(request).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "motionboard");
    assert_eq!(ask(&mut client, "hi").await, "$default hi false");
    assert_eq!(ask(&mut client, r#"{"type":"custom"}"#).await, r#"custom {"type":"custom"} false"#);
    // A client cannot pretend to connect.
    assert_eq!(ask(&mut client, r#"{"type":"$connect"}"#).await, r#"$default {"type":"$connect"} false"#);
    client.send(Message::Binary("\0".into())).await.unwrap();
    assert_eq!(text(&mut client).await, "$default AA== true");
    client.send(Message::Ping("p".into())).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong("p".into()));
    client.close(Some(CloseFrame { code: CloseCode::Normal, reason: "bye".into() })).await.unwrap();
    let context = api.disconnected().await;
    assert_eq!(
        (&context["disconnectStatusCode"], &context["disconnectReason"]),
        (&json!(1000), &json!("bye"))
    );
    let connect = api.host.event(|event| event["requestContext"]["eventType"] == "CONNECT").await;
    assert_eq!(connect["requestContext"]["connectionId"], context["connectionId"]);
    assert_eq!(connect["queryStringParameters"]["token"], "t");
}

#[tokio::test]
async fn a_handshake_can_be_refused() {
    let api = Api::aws().await;
    assert_eq!(api.refused("/?connect=refuse").await, 401);
    assert_eq!(api.refused("/?connect=fail").await, 502);
    assert_eq!(api.refused("/other").await, 403);
    let bad = reqwest::get(api.url.replace("ws://", "http://")).await.unwrap();
    assert_eq!(
        (bad.status().as_u16(), &bad.headers()["sec-websocket-version"]),
        (426, &HeaderValue::from_static("13"))
    );
    assert!(lock_events(&api).iter().all(|event| event["requestContext"]["eventType"] != "DISCONNECT"));
}

fn lock_events(api: &Api) -> Vec<Value> {
    crate::sync::lock(&api.host.events).clone()
}

#[tokio::test]
async fn errors_are_told_by_the_gateway() {
    let api = Api::start(Limits { integration: Duration::from_millis(300), ..Limits::AWS }).await;
    let mut client = api.connect().await;
    for (message, told) in [
        ("fail", "Internal server error"),
        ("nothing", "Internal server error"),
        ("hang", "Endpoint request timed out"),
    ] {
        let error: Value = serde_json::from_str(&ask(&mut client, message).await).unwrap();
        assert_eq!(error["message"], told);
        assert_eq!(
            (error["connectionId"].as_str().unwrap().len(), error["requestId"].as_str().unwrap().len()),
            (16, 16)
        );
    }
}

#[tokio::test]
async fn answers_only_where_there_are_some_and_as_they_are_finished() {
    let api = Api::aws().await;
    let mut client = api.connect().await;
    // The first never ends, the second is one-way, the third has no body: none of them holds up the last.
    for message in ["hang", r#"{"type":"quiet"}"#, "silence"] {
        client.send(message.into()).await.unwrap();
    }
    assert_eq!(ask(&mut client, "last").await, "$default last false");
}

#[tokio::test]
async fn a_frame_over_32_kib_is_1009() {
    let api = Api::aws().await;
    let mut client = api.connect().await;
    let largest = "x".repeat(FRAME_LIMIT);
    assert!(ask(&mut client, &largest).await.starts_with("$default xxx"));
    // More than fits any buffer: the close must arrive nevertheless.
    let (mut sink, mut frames) = client.split();
    let send = tokio::spawn(async move { sink.send("x".repeat(8 << 20).into()).await });
    loop {
        match frames.next().await {
            Some(Ok(Message::Close(Some(frame)))) => break assert_eq!(frame.code, CloseCode::Size),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    let _ = send.await;
    drop(frames);
    assert_eq!(api.disconnected().await["disconnectStatusCode"], 1009);
}

#[tokio::test]
async fn a_message_over_128_kb_is_1009() {
    let api = Api::aws().await;
    let mut client = api.connect().await;
    let send = async |client: &mut Client, frames: usize| {
        for at in 0..frames {
            let kind = OpCode::Data(if at == 0 { Data::Text } else { Data::Continue });
            let frame = Frame::message("x".repeat(FRAME_LIMIT), kind, at + 1 == frames);
            client.send(Message::Frame(frame)).await.unwrap();
        }
    };
    // The echo would be over the limit itself.
    send(&mut client, 3).await;
    assert!(text(&mut client).await.starts_with("$default xxx"));
    send(&mut client, 5).await;
    assert_eq!(closed(&mut client).await, 1009);
}

#[tokio::test]
async fn silence_ends_a_connection() {
    let api = Api::start(Limits { idle: Duration::from_millis(100), ..Limits::AWS }).await;
    let mut client = api.connect().await;
    assert_eq!(closed(&mut client).await, 1001);
    assert!(client.next().await.is_none());
    let context = api.disconnected().await;
    assert_eq!(
        (&context["disconnectStatusCode"], &context["disconnectReason"]),
        (&json!(1001), &json!("Going away"))
    );
}

#[tokio::test]
async fn no_connection_lives_for_ever() {
    let api = Api::start(Limits { life: Duration::from_millis(100), ..Limits::AWS }).await;
    assert_eq!(closed(&mut api.connect().await).await, 1001);
}

#[tokio::test]
async fn a_client_that_vanishes_is_disconnected() {
    let api = Api::aws().await;
    drop(api.connect().await);
    assert_eq!(api.disconnected().await["disconnectStatusCode"], 1006);
}

#[tokio::test]
async fn the_server_can_speak_first_and_hang_up() {
    let api = Api::aws().await;
    let mut client = api.connect().await;
    let connect = api.host.event(|event| event["requestContext"]["eventType"] == "CONNECT").await;
    let id = connect["requestContext"]["connectionId"].as_str().unwrap();
    let connection = loop {
        // The client may know of the handshake before the gateway has the socket.
        match api.connections.open(id) {
            Some(connection) => break connection,
            None => tokio::task::yield_now().await,
        }
    };
    connection.send("pushed".into()).unwrap();
    assert_eq!(text(&mut client).await, "pushed");
    api.connections.remove(&connection);
    connection.end.notify_one();
    assert_eq!(closed(&mut client).await, 1000);
    assert_eq!(connection.send("late".into()), Err(SendError::Gone));
    assert_eq!(api.disconnected().await["disconnectStatusCode"], 1000);
}

#[tokio::test]
async fn stopping_closes_all_and_waits_for_their_disconnect() {
    let api = Api::aws().await;
    let mut client = api.connect().await;
    let leave = async {
        assert_eq!(closed(&mut client).await, 1001);
        // Reading on, it answers the close.
        assert!(client.next().await.is_none());
    };
    tokio::join!(api.gateway.stop(), leave);
    assert!(lock_events(&api).iter().any(|event| event["requestContext"]["eventType"] == "DISCONNECT"));
}
