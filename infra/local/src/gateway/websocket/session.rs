//! An open socket: frames in, messages out, and every way in which it can end.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::FusedFuture;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt, SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message as Frame, Utf8Bytes};

use super::call::Message;
use super::{Connection, WebSocketGateway};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// How long the other side has to answer a close.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// How a connection ended, as `$disconnect` is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    pub code: u16,
    pub reason: String,
}

impl End {
    fn new(code: u16, reason: &str) -> Self {
        Self { code, reason: reason.to_owned() }
    }

    /// The client vanished.
    pub fn lost() -> Self {
        Self::new(1006, "Connection closed abnormally")
    }

    fn frame(&self) -> CloseFrame {
        CloseFrame { code: self.code.into(), reason: self.reason.clone().into() }
    }
}

/// Who ended it.
enum Leave {
    Client(End),
    Server(End),
    Lost,
}

/// A socket with which all is done but the closing.
pub struct Farewell {
    frames: SplitStream<Socket>,
    writer: JoinHandle<SplitSink<Socket, Frame>>,
    close: Option<(oneshot::Sender<CloseFrame>, CloseFrame)>,
}

/// Serves the socket until it ends.
pub async fn run(
    gateway: &Arc<WebSocketGateway>,
    connection: &Arc<Connection>,
    socket: Socket,
) -> (End, Farewell) {
    let (sink, mut frames) = socket.split();
    let (close, closing) = oneshot::channel();
    let writer = tokio::spawn(write(sink, connection.opened(), closing));
    let (end, close) = match read(gateway, connection, &mut frames).await {
        Leave::Client(end) => (end, None),
        Leave::Server(end) => {
            let frame = end.frame();
            (end, Some((close, frame)))
        }
        Leave::Lost => (End::lost(), None),
    };
    tracing::debug!("{} ended with {} {}", connection.id, end.code, end.reason);
    (end, Farewell { frames, writer, close })
}

async fn read(
    gateway: &Arc<WebSocketGateway>,
    connection: &Arc<Connection>,
    frames: &mut SplitStream<Socket>,
) -> Leave {
    let end_of_life = Instant::now() + gateway.limits.life;
    let mut stopping = gateway.stopping.subscribe();
    loop {
        let end_of_patience = connection.last_active().1 + gateway.limits.idle;
        tokio::select! {
            frame = frames.next() => {
                if let ControlFlow::Break(leave) = take(gateway, connection, frame) {
                    return leave;
                }
            }
            () = sleep_until(end_of_patience) => {
                // A message may have been sent in the meantime.
                if connection.last_active().1 + gateway.limits.idle <= Instant::now() {
                    return Leave::Server(End::new(1001, "Going away"));
                }
            }
            () = sleep_until(end_of_life) => return Leave::Server(End::new(1001, "Going away")),
            _ = stopping.wait_for(|stopping| *stopping) => return Leave::Server(End::new(1001, "Going away")),
            () = connection.end.notified() => return Leave::Server(End::new(1000, "Connection closed normally")),
        }
    }
}

fn take(
    gateway: &Arc<WebSocketGateway>,
    connection: &Arc<Connection>,
    frame: Option<Result<Frame, Error>>,
) -> ControlFlow<Leave> {
    let message = match frame {
        Some(Ok(Frame::Text(text))) => Message::Text(text.to_string()),
        Some(Ok(Frame::Binary(bytes))) => Message::Binary(bytes),
        Some(Ok(Frame::Close(Some(frame)))) => {
            return ControlFlow::Break(Leave::Client(End::new(frame.code.into(), &frame.reason)));
        }
        Some(Ok(Frame::Close(None))) => {
            return ControlFlow::Break(Leave::Client(End::new(
                1005,
                "Client-side close frame status not set",
            )));
        }
        // The library answers pings.
        Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => {
            connection.touch();
            return ControlFlow::Continue(());
        }
        Some(Err(Error::Capacity(_))) => {
            return ControlFlow::Break(Leave::Server(End::new(1009, "Message too big")));
        }
        Some(Err(Error::Utf8(_))) => {
            return ControlFlow::Break(Leave::Server(End::new(1007, "Invalid payload data")));
        }
        None | Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => {
            return ControlFlow::Break(Leave::Lost);
        }
        Some(Err(Error::Protocol(_))) => {
            return ControlFlow::Break(Leave::Server(End::new(1002, "Protocol error")));
        }
        Some(Err(_)) => return ControlFlow::Break(Leave::Lost),
    };
    connection.touch();
    // As in the cloud: each message starts its own invocation, they run concurrently, and the answers come as they finish.
    tokio::spawn(Arc::clone(gateway).handle(Arc::clone(connection), message));
    ControlFlow::Continue(())
}

/// Writes what is in the outbox, and at last the close.
async fn write(
    mut sink: SplitSink<Socket, Frame>,
    mut outbox: mpsc::Receiver<Bytes>,
    closing: oneshot::Receiver<CloseFrame>,
) -> SplitSink<Socket, Frame> {
    let mut closing = closing.fuse();
    loop {
        let frame = tokio::select! {
            biased;
            message = outbox.recv() => match message.map(|message| (Utf8Bytes::try_from(message.clone()), message)) {
                Some((Ok(text), _)) => Frame::Text(text),
                Some((Err(_), bytes)) => Frame::Binary(bytes),
                // Nobody will say how it closes.
                None if closing.is_terminated() => return sink,
                None => Frame::Close((&mut closing).await.ok()),
            },
            Ok(frame) = &mut closing => Frame::Close(Some(frame)),
        };
        let is_last = frame.is_close();
        if sink.send(frame).await.is_err() || is_last {
            return sink;
        }
    }
}

impl Farewell {
    /// Writes the close. What must be done after that nobody has to wait for.
    pub async fn say(self) {
        let stop_writing = self.writer.abort_handle();
        let Some((close, frame)) = self.close else {
            stop_writing.abort();
            // The client's close is answered by the library, while it is read on.
            tokio::spawn(timeout(CLOSE_LIMIT, read_on(self.frames)));
            return;
        };
        let _ = close.send(frame);
        match timeout(CLOSE_LIMIT, self.writer).await {
            Ok(Ok(sink)) => drop(tokio::spawn(timeout(CLOSE_LIMIT, linger(sink, self.frames)))),
            // A client that reads nothing any more.
            _ => stop_writing.abort(),
        }
    }
}

async fn read_on(mut frames: SplitStream<Socket>) {
    while frames.next().await.is_some() {}
}

/// Keeps the connection until the close is answered, so that the client can read it before the connection is gone.
async fn linger(sink: SplitSink<Socket, Frame>, mut frames: SplitStream<Socket>) {
    while let Some(Ok(frame)) = frames.next().await {
        if frame.is_close() {
            return;
        }
    }
    // The rest of a frame that was refused is still on its way. If it weren't read, the connection would be reset, and the
    // client might never see why.
    let Ok(mut socket) = sink.reunite(frames) else { return };
    let socket = socket.get_mut();
    let _ = socket.shutdown().await;
    let mut rest = [0; 8192];
    while socket.read(&mut rest).await.is_ok_and(|length| length > 0) {}
}
