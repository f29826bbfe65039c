//! A client's WebSocket.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, protocol::CloseFrame},
};

use crate::api::{Sender, check_frame};

/// Longer than anything that comes takes: only what never comes waits for so long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A connection, and the pushes that came while an answer was waited for.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pushes: VecDeque<Value>,
    next_request: u32,
}

/// The current time as a client's clock shows it: never the same twice, as the contract asks of clients.
pub fn now() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let now = jiff::Timestamp::now().as_millisecond();
    let last = LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(now.max(last + 1)));
    now.max(last.unwrap_or(0) + 1)
}

impl Socket {
    pub async fn connect(url: &str) -> Self {
        Self::try_connect(url).await.unwrap()
    }

    /// A connection, unless it is refused.
    pub async fn try_connect(url: &str) -> Result<Self, tokio_tungstenite::tungstenite::Error> {
        let (stream, _) = connect_async(url).await?;
        Ok(Self { stream, pushes: VecDeque::new(), next_request: 0 })
    }

    pub async fn send_text(&mut self, text: impl Into<String>) {
        self.stream.send(Message::text(text.into())).await.unwrap();
    }

    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.stream.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    pub async fn send(&mut self, frame: &Value) {
        self.send_text(frame.to_string()).await;
    }

    /// Sends, unless the other side is gone.
    pub async fn try_send(&mut self, frame: &Value) -> Option<()> {
        self.stream.send(Message::text(frame.to_string())).await.ok()
    }

    /// The next frame, unless the other side is gone.
    pub async fn try_next(&mut self) -> Option<Value> {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("no frame came")?.ok()? {
                Message::Text(text) => {
                    let frame = serde_json::from_str(&text).ok()?;
                    check_frame(Sender::Server, &frame);
                    return Some(frame);
                }
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// The next frame, whatever it is.
    pub async fn next(&mut self) -> Value {
        loop {
            let message = timeout(PATIENCE, self.stream.next()).await.expect("no frame came");
            match message.expect("closed").unwrap() {
                Message::Text(text) => {
                    let frame = serde_json::from_str(&text).unwrap();
                    check_frame(Sender::Server, &frame);
                    return frame;
                }
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// Sends `frame` as it is, and waits for what carries its `request_id`. What is carried out must be described as well.
    pub async fn exchange(&mut self, frame: &Value) -> Value {
        self.send(frame).await;
        let answer = self.answer_to(frame["request_id"].as_str().unwrap()).await;
        if answer["type"] != "error" {
            check_frame(Sender::Client, frame);
        }
        answer
    }

    pub async fn answer_to(&mut self, request_id: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["request_id"] == request_id {
                return frame;
            }
            assert!(frame.get("request_id").is_none(), "answer to another request: {frame}");
            assert!(frame.get("type").is_some(), "the gateway answered instead: {frame}");
            self.pushes.push_back(frame);
        }
    }

    /// A frame of its own of type `kind`, with a new `request_id` and the current time.
    pub fn frame(&mut self, kind: &str, data: Value) -> Value {
        self.next_request += 1;
        json!({"type": kind, "data": data, "timestamp": now(), "request_id": format!("r{}", self.next_request)})
    }

    /// Sends a frame of type `kind` and waits for its answer.
    pub async fn request(&mut self, kind: &str, data: Value) -> Value {
        let frame = self.frame(kind, data);
        self.exchange(&frame).await
    }

    /// Sends a frame of type `kind`, and takes only the answer of type `answer` with its `data`.
    #[track_caller]
    pub fn expect<'a>(
        &'a mut self,
        kind: &'a str,
        data: Value,
        answer: &'a str,
    ) -> impl Future<Output = Value> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let mut frame = self.request(kind, data).await;
            assert_eq!(frame["type"], answer, "at {caller}: {frame}");
            frame["data"].take()
        }
    }

    /// Sends a frame of type `kind`, and takes only an error: its code.
    pub async fn refused(&mut self, kind: &str, data: Value) -> (String, Value) {
        let mut error = self.request(kind, data).await;
        assert_eq!(error["type"], "error", "{error}");
        assert!(error["data"]["message"].as_str().is_some_and(|message| !message.is_ascii()), "{error}");
        assert!(error["data"]["context"].is_object(), "{error}");
        (error["data"]["code"].as_str().unwrap().to_owned(), error["data"]["context"].take())
    }

    /// A new workspace's id.
    pub async fn create(&mut self) -> String {
        let created = self.expect("workspace.create", json!({}), "workspace.created").await;
        created["workspace_id"].as_str().unwrap().to_owned()
    }

    /// Writes `updates`, which must be confirmed: the new `updated_at`.
    pub async fn update(&mut self, id: &str, updates: Value) -> String {
        let data = json!({"workspace_id": id, "updates": updates});
        let confirmed = self.expect("workspace.update", data, "workspace.sync_confirm").await;
        assert_eq!(confirmed["workspace_id"], id);
        confirmed["updated_at"].as_str().unwrap().to_owned()
    }

    /// The next push: its type and data. Other frames that come are not expected.
    pub async fn push(&mut self) -> (String, Value) {
        let mut push = match self.pushes.pop_front() {
            Some(push) => push,
            None => self.next().await,
        };
        assert!(push.get("request_id").is_none(), "an answer instead of a push: {push}");
        assert!(push["timestamp"].is_i64(), "{push}");
        (push["type"].as_str().unwrap().to_owned(), push["data"].take())
    }

    /// The data of the next push, which must be of type `kind`.
    pub async fn expect_push(&mut self, kind: &str) -> Value {
        let (found, data) = self.push().await;
        assert_eq!(found, kind, "{data}");
        data
    }

    /// That nothing was pushed so far: all that was sent before a ping's answer would be here before it.
    pub async fn assert_no_push(&mut self) {
        self.expect("ping", json!({}), "pong").await;
        assert!(self.pushes.is_empty(), "{:?}", self.pushes);
    }

    /// What comes until the other side closes.
    pub async fn frames_until_closed(&mut self) -> Vec<String> {
        let mut frames = Vec::new();
        while let Some(Ok(message)) = timeout(PATIENCE, self.stream.next()).await.expect("not closed") {
            if let Message::Text(text) = message {
                frames.push(text.to_string());
            }
        }
        frames
    }

    /// Waits until the other side closes: with which code, if it says one.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("not closed") {
                Some(Ok(Message::Close(frame))) => return frame.map(|CloseFrame { code, .. }| code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Closes, and waits until the other side has, too.
    pub async fn close(mut self) {
        self.stream.close(None).await.unwrap();
        self.closed().await;
    }
}
