//! `$default`: every frame of a client. The answer rides back on the invocation, once what it says is stored; the owner's
//! other connections are told before that, since nothing runs on after the answer (contract §3).

mod carry_out;

use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::{
    edge::{
        log, settings,
        websocket::{Event, Response},
    },
    model::{
        Answer, Command, Frame, InvalidData, Owner, Refusal, RejectedFrame, Sender, Timestamp, describe,
    },
    service::{connections::Connections, push::Pusher, workspaces::Workspaces},
};
use tokio::time::timeout;

/// What the frames of a process share.
struct App {
    workspaces: Workspaces,
    connections: Connections,
    pusher: Pusher,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let database = settings::database().await?;
    let aws = settings::aws()?;
    let app = App {
        workspaces: Workspaces::new(&database),
        connections: Connections::new(&database),
        pusher: settings::pusher(&aws, &database)?,
    };
    run(service_fn(|event: LambdaEvent<Event>| message(&app, event))).await
}

/// How long a ping waits for the database, which it doesn't need.
const TIME_TO_NOTE: Duration = Duration::from_secs(1);
/// How long a frame may take: its client repeats it after 5 s, three times (contract §3).
const TIME_FOR_A_FRAME: Duration = Duration::from_secs(15);

async fn message(
    app: &App,
    LambdaEvent { payload: event, context }: LambdaEvent<Event>,
) -> Result<Response, Error> {
    let owner = Owner::default();
    let connection_id = event.request_context.connection_id.as_str();
    let (request_id, answer) = match read(&event) {
        Ok(Frame { request_id, command: Command::Ping, .. }) => {
            app.note(connection_id, &owner).await;
            (request_id, Answer::Pong {})
        }
        Ok(Frame { request_id, client_id, sent_at, command }) => {
            let message_id = event.request_context.message_id.as_deref().unwrap_or(&context.request_id);
            let client_id = client_id.as_deref();
            let kind = command.kind();
            let sender =
                Sender::new(&owner, client_id, connection_id, kind, request_id.as_deref(), message_id);
            let carried_out = app.carry_out(&owner, connection_id, &sender, sent_at, command);
            let answer = timeout(TIME_FOR_A_FRAME, carried_out).await.unwrap_or_else(|late| {
                tracing::error!(error = describe(&late), "frame failed");
                Answer::database_failed()
            });
            (request_id, answer)
        }
        Err(RejectedFrame { request_id, refusal }) => {
            app.note(connection_id, &owner).await;
            let answer = match refusal {
                Refusal::Invalid(fault) => Answer::invalid(fault),
                Refusal::UnknownWorkspace(id) => Answer::workspace_not_found(id),
            };
            (request_id, answer)
        }
    };
    Ok(Response::frame(answer.to_frame(request_id.as_deref())))
}

impl App {
    /// Any frame counts against silence, a bad one too. That it wasn't noted is a matter for the log: the frame itself is
    /// none the worse.
    async fn note(&self, connection_id: &str, owner: &Owner) {
        match timeout(TIME_TO_NOTE, self.connections.seen(connection_id, owner)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = describe(&error), "connection not noted as alive"),
            Err(_) => tracing::warn!("connection not noted as alive in time"),
        }
    }
}

fn read(event: &Event) -> Result<Frame, RejectedFrame> {
    if event.is_base64_encoded {
        let fault = InvalidData::new("frame", "不支持二进制消息，请发送 JSON 文本");
        return Err(RejectedFrame { request_id: None, refusal: fault.into() });
    }
    Frame::parse(event.body.as_deref().unwrap_or_default(), Timestamp::now())
}
