//! `$default`: every frame of a client. The answer rides back on the invocation, once what it says is stored; the owner's
//! other connections are told before that, since nothing runs on after the answer (contract §3).

mod carry_out;
mod sessions;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lambda_runtime::{Context, Error, LambdaEvent};
use shared::{
    edge::{
        addresses::Addresses,
        function::serve,
        settings::{self, Settings, SettingsError},
        websocket::{Event, Response},
    },
    model::{
        Answer, Command, Frame, Identity, InvalidData, Refusal, RejectedFrame, Sender, Timestamp, describe,
    },
    service::{
        connections::Connections, metrics::Metric, push::Pusher, uploads::Uploads, workspaces::Workspaces,
    },
};
use tokio::time::timeout;

use crate::sessions::{Refused, Sessions};

/// What the frames of a process share.
struct App {
    workspaces: Workspaces,
    uploads: Uploads,
    connections: Connections,
    sessions: Sessions,
    pusher: Pusher,
    addresses: Addresses,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(App::new, message).await
}

/// How long a frame waits for what is only noted about it, which it doesn't need.
const TIME_TO_NOTE: Duration = Duration::from_secs(1);
/// How long a frame may take: its client repeats it after 5 s, three times (contract §3).
const TIME_FOR_A_FRAME: Duration = Duration::from_secs(15);

async fn message(
    app: Arc<App>,
    LambdaEvent { payload: event, context }: LambdaEvent<Event>,
) -> Result<Response, Error> {
    let (now, begun) = (Timestamp::now(), Instant::now());
    event.request_context.note();
    let frame = read(&event, now);
    let is_write = frame.as_ref().is_ok_and(|frame| !matches!(frame.command, Command::Ping));
    let (Ok(Frame { request_id, .. }) | Err(RejectedFrame { request_id, .. })) = &frame;
    let request_id = request_id.clone();
    let connection_id = event.request_context.connection_id.as_str();
    let work = async {
        match app.sessions.admit(connection_id, now).await {
            Ok(identity) => app.answer(&event, &context, &identity, frame).await,
            Err(refused) => {
                app.turn_away(connection_id, &refused).await;
                refused.answer()
            }
        }
    };
    let answer = timeout(TIME_FOR_A_FRAME, work).await.unwrap_or_else(|late| {
        tracing::error!(error = describe(&late), "frame failed");
        Answer::database_failed()
    });
    if is_write {
        Metric::AcknowledgementTime.time(begun.elapsed());
    }
    Ok(Response::frame(answer.to_frame(request_id.as_deref())))
}

impl App {
    async fn new(settings: Settings) -> Result<Self, SettingsError> {
        let database = settings.database().await?;
        let connections = Connections::new(&database);
        let (is_guarded, per_second) = (settings::is_guarded()?, settings::number("FRAMES_PER_SECOND")?);
        Ok(Self {
            workspaces: Workspaces::new(&database),
            uploads: Uploads::new(&database),
            sessions: Sessions::new(connections.clone(), is_guarded, per_second),
            connections,
            pusher: settings.pusher(&database)?,
            addresses: settings.addresses()?,
        })
    }

    async fn answer(
        &self,
        event: &Event,
        context: &Context,
        identity: &Identity,
        frame: Result<Frame, RejectedFrame>,
    ) -> Answer {
        let connection_id = event.request_context.connection_id.as_str();
        match frame {
            Ok(Frame { command: Command::Ping, .. }) => {
                self.note(connection_id, identity).await;
                Answer::Pong {}
            }
            Ok(Frame { request_id, client_id, sent_at, command }) => {
                let message_id = event.request_context.message_id.as_deref().unwrap_or(&context.request_id);
                let (client_id, request_id) = (client_id.as_deref(), request_id.as_deref());
                let (owner, kind) = (&identity.owner, command.kind());
                let sender = Sender::new(owner, client_id, connection_id, kind, request_id, message_id);
                self.carry_out(identity, connection_id, &sender, sent_at, command).await
            }
            Err(RejectedFrame { refusal, .. }) => {
                self.note(connection_id, identity).await;
                match refusal {
                    Refusal::Invalid(fault) => Answer::invalid(fault),
                    Refusal::UnknownWorkspace(id) => Answer::workspace_not_found(id),
                }
            }
        }
    }

    /// Closes a connection that floods, and logs what failed.
    async fn turn_away(&self, connection_id: &str, refused: &Refused) {
        match refused {
            Refused::TooFast { is_flood: true, .. } => {
                tracing::warn!("connection closed for flooding");
                if let Err(error) = self.pusher.close_flooding(connection_id).await {
                    tracing::warn!(error = describe(&error), "not forgotten");
                }
            }
            Refused::Unknown(error) => tracing::error!(error = describe(error), "frame failed"),
            Refused::Unauthorized | Refused::TooFast { .. } => {}
        }
    }

    /// Any frame counts against silence, a bad one too. That it wasn't noted is a matter for the log: the frame itself is
    /// none the worse.
    async fn note(&self, connection_id: &str, identity: &Identity) {
        match timeout(TIME_TO_NOTE, self.connections.seen(connection_id, identity)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = describe(&error), "connection not noted as alive"),
            Err(_) => tracing::warn!("connection not noted as alive in time"),
        }
    }
}

fn read(event: &Event, now: Timestamp) -> Result<Frame, RejectedFrame> {
    if event.is_base64_encoded {
        let fault = InvalidData::new("frame", "不支持二进制消息，请发送 JSON 文本");
        return Err(RejectedFrame { request_id: None, refusal: fault.into() });
    }
    Frame::parse(event.body.as_deref().unwrap_or_default(), now)
}
