//! `$connect`: lets in whom it should, and remembers the connection, so that its owner's events reach it (contract §3, §7).

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent};
use shared::{
    edge::{
        access::{Access, AccessError},
        function::serve,
        settings::{self, Settings, SettingsError},
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
    serve(App::new, connect).await
}

impl App {
    async fn new(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self {
            access: settings.access()?,
            origins: settings.origins()?,
            connections: Connections::new(&settings.database().await?),
            per_owner: settings::number("CONNECTIONS_PER_OWNER")?,
        })
    }
}

async fn connect(app: Arc<App>, event: LambdaEvent<Handshake>) -> Result<Response, Error> {
    let handshake = event.payload;
    handshake.request_context.note();
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
