//! Makes a fresh server the primary of a replica set of one, and an old one so again on its new port.

use std::time::Duration;

use anyhow::{Context, anyhow};
use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::ClientOptions;
use tokio::time::interval;

/// The name of the set, part of the connection string.
pub(super) const NAME: &str = "rs0";

/// The server's error codes: <https://www.mongodb.com/docs/manual/reference/error-codes/>.
const ALREADY_INITIALIZED: i32 = 23;
const NOT_YET_INITIALIZED: i32 = 94;
const CONFIGURATION_IN_PROGRESS: i32 = 109;

/// Returns once the server on this port is the primary. The caller has the deadline.
pub(super) async fn ensure_primary(port: u16) -> anyhow::Result<()> {
    configure(port).await.context("cannot configure MongoDB's replica set")?;
    // Selecting a server for a command waits for a primary: the driver is told of it by the server itself.
    let client = connect(&format!("mongodb://127.0.0.1:{port}/?replicaSet={NAME}")).await?;
    client.database("admin").run_command(doc! {"ping": 1}).await.context("MongoDB did not become primary")?;
    client.shutdown().await;
    Ok(())
}

async fn configure(port: u16) -> anyhow::Result<()> {
    let client = connect(&format!("mongodb://127.0.0.1:{port}/?directConnection=true")).await?;
    let host = format!("127.0.0.1:{port}");
    // While it loads its old configuration the server accepts connections but refuses these commands, and it closes
    // all connections when it finds that it is no member of its own set. If it died, the caller knows.
    let mut ticks = interval(Duration::from_millis(20));
    loop {
        ticks.tick().await;
        match initiate_or_move(&client, &host).await {
            Ok(()) => break,
            Err(error) if is_temporary(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    client.shutdown().await;
    Ok(())
}

async fn initiate_or_move(client: &Client, host: &str) -> mongodb::error::Result<()> {
    let admin = client.database("admin");
    let config = doc! {"_id": NAME, "members": [{"_id": 0, "host": host}]};
    match admin.run_command(doc! {"replSetInitiate": config}).await {
        Ok(_) => return Ok(()),
        Err(error) if code(&error) == Some(ALREADY_INITIALIZED) => {}
        Err(error) => return Err(error),
    }
    let answer = admin.run_command(doc! {"replSetGetConfig": 1}).await?;
    match moved(answer, host).map_err(Error::custom)? {
        // By force: a member that does not find itself in its configuration can't be primary, and only a primary
        // may be asked politely.
        Some(config) => admin.run_command(doc! {"replSetReconfig": config, "force": true}).await.map(drop),
        None => Ok(()),
    }
}

/// The configuration with the member at `host`, or nothing if it is there already.
fn moved(answer: Document, host: &str) -> anyhow::Result<Option<Document>> {
    let mut config = answer.get_document("config").cloned().context("no configuration")?;
    let member = config
        .get_array_mut("members")?
        .first_mut()
        .and_then(|member| member.as_document_mut())
        .ok_or_else(|| anyhow!("a configuration without members"))?;
    if member.get_str("host").ok() == Some(host) {
        return Ok(None);
    }
    member.insert("host", host);
    Ok(Some(config))
}

fn is_temporary(error: &Error) -> bool {
    matches!(code(error), Some(NOT_YET_INITIALIZED | CONFIGURATION_IN_PROGRESS))
        || matches!(error.kind.as_ref(), ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. })
}

fn code(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}

pub(super) async fn connect(uri: &str) -> anyhow::Result<Client> {
    let options = ClientOptions::parse(uri).await?;
    Ok(Client::with_options(options)?)
}
