//! `$default`: every frame of a client. The answer rides back on the invocation, once what it says is stored; the owner's
//! other connections are told before that, since nothing runs on after the answer (contract §3).

mod carry_out;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::{
    edge::{
        log, settings,
        websocket::{Event, Response, connection_id},
    },
    model::{
        Answer, Command, Frame, InvalidData, Owner, Refusal, RejectedFrame, Sender, Timestamp, describe,
    },
    service::{aws_config, connections::Connections, push::Pusher, workspaces::Workspaces},
};

/// What the frames of a process share.
struct App {
    workspaces: Workspaces,
    connections: Connections,
    pusher: Pusher,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let (database, aws) = tokio::join!(settings::database(), aws_config());
    let database = database?;
    let app = App {
        workspaces: Workspaces::new(&database),
        connections: Connections::new(&database),
        pusher: settings::pusher(&aws, &database)?,
    };
    run(service_fn(|event: LambdaEvent<Event>| message(&app, event.payload))).await
}

async fn message(app: &App, event: Event) -> Result<Response, Error> {
    let owner = Owner::default();
    let connection_id = connection_id(&event)?;
    let frame = read(&event);
    // Any frame counts against silence, a bad one too.
    let seen = app.connections.seen(connection_id, &owner);
    let (request_id, answer) = match frame {
        Ok(Frame { request_id, command: Command::Ping, .. }) => {
            log_if_failed(seen.await);
            (request_id, Answer::Pong {})
        }
        Ok(Frame { request_id, client_id, sent_at, command }) => {
            let message_id = event.request_context.message_id.as_deref().unwrap_or_default();
            let client_id = client_id.as_deref();
            let kind = command.kind();
            let sender =
                Sender::new(&owner, client_id, connection_id, kind, request_id.as_deref(), message_id);
            let carried_out = app.carry_out(&owner, connection_id, &sender, sent_at, command);
            let (seen, answer) = tokio::join!(seen, carried_out);
            log_if_failed(seen);
            (request_id, answer)
        }
        Err(RejectedFrame { request_id, refusal }) => {
            log_if_failed(seen.await);
            let answer = match refusal {
                Refusal::Invalid(fault) => Answer::invalid(fault),
                Refusal::UnknownWorkspace(id) => Answer::workspace_not_found(id),
            };
            (request_id, answer)
        }
    };
    Ok(Response::frame(answer.to_frame(request_id.as_deref())))
}

fn read(event: &Event) -> Result<Frame, RejectedFrame> {
    if event.is_base64_encoded {
        let fault = InvalidData::new("frame", "不支持二进制消息，请发送 JSON 文本");
        return Err(RejectedFrame { request_id: None, refusal: fault.into() });
    }
    Frame::parse(event.body.as_deref().unwrap_or_default(), Timestamp::now())
}

/// A connection that isn't noted as alive is a matter for the log: the frame itself is none the worse.
fn log_if_failed<E: std::error::Error + 'static>(seen: Result<(), E>) {
    if let Err(error) = seen {
        tracing::warn!(error = describe(&error), "connection not noted as alive");
    }
}
