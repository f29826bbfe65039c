//! `$connect`: lets in whom it should, and remembers the connection, so that its owner's events reach it (contract §3, §7).

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::{
    edge::{
        access::{Access, AccessError},
        log, settings,
        tokens::TokenError,
        websocket::{Handshake, Origins, Response},
    },
    model::describe,
    service::connections::Connections,
};

/// What the handshakes of a process share.
struct App {
    access: Access,
    origins: Origins,
    connections: Connections,
    per_owner: u32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let app = App {
        access: settings::access()?,
        origins: settings::origins()?,
        connections: Connections::new(&settings::database().await?),
        per_owner: settings::number("CONNECTIONS_PER_OWNER")?,
    };
    run(service_fn(|event: LambdaEvent<Handshake>| connect(&app, event.payload))).await
}

async fn connect(app: &App, handshake: Handshake) -> Result<Response, Error> {
    if !app.origins.allow(handshake.origin()) {
        tracing::info!(origin = handshake.origin(), "connection refused: origin not allowed");
        return Ok(Response::forbidden());
    }
    let identity = match app.access.admit(handshake.token()).await {
        Ok(identity) => identity,
        Err(error @ AccessError::Token(TokenError::Unchecked(_))) => {
            tracing::error!(error = describe(&error), "connection refused");
            return Ok(Response::unavailable());
        }
        Err(error) => {
            tracing::info!(reason = describe(&error), "connection refused");
            return Ok(Response::unauthorized());
        }
    };
    match app.connections.open(&handshake.request_context.connection_id, &identity, app.per_owner).await {
        Ok(true) if handshake.offers_protocol() => Ok(Response::ok_with_protocol()),
        Ok(true) => Ok(Response::ok()),
        Ok(false) => {
            tracing::info!("connection refused: its owner has too many");
            Ok(Response::too_many())
        }
        Err(error) => {
            tracing::error!(error = describe(&error), "connection refused");
            Ok(Response::unavailable())
        }
    }
}
