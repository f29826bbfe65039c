//! An open socket: frames in, messages out, and every way in which it can end.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
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

/// Serves the socket until it is closed.
pub async fn run(gateway: &Arc<WebSocketGateway>, connection: &Arc<Connection>, socket: Socket) -> End {
    let (sink, mut frames) = socket.split();
    let (close, closing) = oneshot::channel();
    let writer = tokio::spawn(write(sink, connection.opened(), closing));
    let stop_writing = writer.abort_handle();
    let end = match read(gateway, connection, &mut frames).await {
        Leave::Client(end) => {
            // The library answers the close while it is read on.
            let _ = timeout(CLOSE_LIMIT, async { while frames.next().await.is_some() {} }).await;
            end
        }
        Leave::Server(end) => {
            let _ = close.send(end.frame());
            // A client that reads nothing any more can keep the writer busy for ever.
            let _ = timeout(CLOSE_LIMIT, finish(writer, frames)).await;
            end
        }
        Leave::Lost => End::lost(),
    };
    stop_writing.abort();
    tracing::debug!("{} ended with {} {}", connection.id, end.code, end.reason);
    end
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
    mut closing: oneshot::Receiver<CloseFrame>,
) -> SplitSink<Socket, Frame> {
    loop {
        let frame = tokio::select! {
            biased;
            message = outbox.recv() => match message.map(|message| (Utf8Bytes::try_from(message.clone()), message)) {
                Some((Ok(text), _)) => Frame::Text(text),
                Some((Err(_), bytes)) => Frame::Binary(bytes),
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

/// Waits until the close is written and answered, so that the client can read it before the connection is gone.
async fn finish(writer: tokio::task::JoinHandle<SplitSink<Socket, Frame>>, mut frames: SplitStream<Socket>) {
    let Ok(sink) = writer.await else { return };
    while let Some(Ok(_)) = frames.next().await {}
    let Ok(mut socket) = sink.reunite(frames) else { return };
    // Of a frame that was refused the rest is still on its way. If it weren't read, the connection would be reset, and the
    // client might never see why.
    let socket = socket.get_mut();
    let _ = socket.shutdown().await;
    let mut rest = [0; 8192];
    while socket.read(&mut rest).await.is_ok_and(|length| length > 0) {}
}
