//! `$disconnect`: forgets the connection. It may never come; the sweep and the first failing push do the same.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent};
use shared::{
    edge::{
        function::serve,
        settings::{Settings, SettingsError},
        websocket::{Event, Response},
    },
    service::{connections::Connections, database::DatabaseError},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(connections, disconnect).await
}

async fn connections(settings: Settings) -> Result<Connections, SettingsError> {
    Ok(Connections::new(&settings.database().await?))
}

async fn disconnect(
    connections: Arc<Connections>,
    event: LambdaEvent<Event>,
) -> Result<Response, DatabaseError> {
    let context = event.payload.request_context;
    context.note();
    connections.forget(&context.connection_id).await?;
    Ok(Response::ok())
}
