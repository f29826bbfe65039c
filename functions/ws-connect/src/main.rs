//! `$connect`: remembers the connection, so that its owner's events reach it (contract §3).

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::{
    edge::{
        log, settings,
        websocket::{Event, Response},
    },
    model::{Owner, describe},
    service::connections::Connections,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let connections = Connections::new(&settings::database().await?);
    run(service_fn(|event: LambdaEvent<Event>| connect(&connections, event.payload))).await
}

async fn connect(connections: &Connections, event: Event) -> Result<Response, Error> {
    match connections.seen(&event.request_context.connection_id, &Owner::default()).await {
        Ok(()) => Ok(Response::ok()),
        Err(error) => {
            tracing::error!(error = describe(&error), "connection refused");
            Ok(Response::unavailable())
        }
    }
}
