//! A client's WebSocket, with several frames under way at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// A frame that isn't answered by then is lost.
pub const PATIENCE: Duration = Duration::from_secs(10);

type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<Value>>>>;

/// A frame that nobody asked for.
pub struct Push {
    pub at: Instant,
    pub frame: Value,
}

/// A connection. Dropped, it is closed.
pub struct Client {
    sink: tokio::sync::Mutex<SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, Message>>,
    waiting: Waiting,
    reader: tokio::task::JoinHandle<()>,
}

impl Client {
    /// Connects; what is pushed goes to `pushes`.
    pub async fn connect(url: &str, pushes: mpsc::UnboundedSender<Push>) -> anyhow::Result<Self> {
        let (stream, _) = connect_async(url).await?;
        let (sink, mut frames) = stream.split();
        let waiting = Waiting::default();
        let answered = Arc::clone(&waiting);
        let reader = tokio::spawn(async move {
            while let Some(Ok(message)) = frames.next().await {
                let Ok(frame) = serde_json::from_slice::<Value>(&message.into_data()) else { continue };
                let id = frame["request_id"].as_str().map(str::to_owned);
                let waiter = id.and_then(|id| lock(&answered).remove(&id));
                // Nobody waits for either any more where the send fails.
                match waiter {
                    Some(waiter) => drop(waiter.send(frame)),
                    None => drop(pushes.send(Push { at: Instant::now(), frame })),
                }
            }
        });
        Ok(Self { sink: tokio::sync::Mutex::new(sink), waiting, reader })
    }

    /// Sends a frame, and waits for its answer: null if none came, or there is no connection any more.
    pub async fn request(&self, kind: &str, data: Value) -> Value {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let timestamp = jiff::Timestamp::now().as_millisecond();
        let frame = json!({"type": kind, "data": data, "timestamp": timestamp, "request_id": id});
        let (waiter, answer) = oneshot::channel();
        lock(&self.waiting).insert(id.clone(), waiter);
        let sent = self.sink.lock().await.send(Message::text(frame.to_string())).await;
        let answer = match sent {
            // The gateway's own errors don't say of which frame they are.
            Ok(()) => timeout(PATIENCE, answer).await.ok().and_then(Result::ok),
            Err(_) => None,
        };
        lock(&self.waiting).remove(&id);
        answer.unwrap_or_default()
    }

    /// Whether the connection is still there.
    pub fn is_open(&self) -> bool {
        !self.reader.is_finished()
    }

    /// A new workspace.
    pub async fn create(&self) -> String {
        let created = self.request("workspace.create", json!({})).await;
        created["data"]["workspace_id"].as_str().unwrap_or_default().to_owned()
    }

    /// Writes the prompt of a workspace: how long until it was acknowledged.
    pub async fn update(&self, id: &str, n: usize) -> Duration {
        let updates = json!({"form_data.motion_prompt": format!("人物转身 {n}")});
        let begun = Instant::now();
        let answer = self.request("workspace.update", json!({"workspace_id": id, "updates": updates})).await;
        let took = begun.elapsed();
        assert_eq!(answer["type"], "workspace.sync_confirm", "{answer}");
        took
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
