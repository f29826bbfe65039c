//! `$disconnect`: forgets the connection. It may never come; the sweep and the first failing push do the same.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::{
    edge::{
        log, settings,
        websocket::{Event, Response},
    },
    service::connections::Connections,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let connections = Connections::new(&settings::database().await?);
    run(service_fn(|event: LambdaEvent<Event>| disconnect(&connections, event.payload))).await
}

async fn disconnect(connections: &Connections, event: Event) -> Result<Response, Error> {
    connections.forget(&event.request_context.connection_id).await?;
    Ok(Response::ok())
}
