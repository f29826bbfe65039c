//! Each minute: closes connections that have gone silent or whose token has expired, ends claims that got no task and videos
//! past their deadline, and gives a new execution to tasks that have lost theirs (contract §3, §7; decisions 1 and 3 in the
//! house's design).

mod generations;

use futures_util::{StreamExt, stream};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use shared::{
    edge::{log, settings},
    model::describe,
    service::{
        connections::Connections,
        database::{Database, DatabaseError},
        polling::Polling,
        push::Pusher,
        workspaces::Workspaces,
    },
};
use tokio::sync::OnceCell;

/// How many of a kind one sweep takes on; what is left is the next one's.
const BATCH: i64 = 1_000;
const CONCURRENCY: usize = 32;

/// What the sweeps of a process share.
struct App {
    database: Database,
    indexes: OnceCell<()>,
    connections: Connections,
    workspaces: Workspaces,
    polling: Polling,
    pusher: Pusher,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let database = settings::database().await?;
    let aws = settings::aws()?;
    let app = App {
        indexes: OnceCell::new(),
        connections: Connections::new(&database),
        workspaces: Workspaces::new(&database),
        polling: settings::polling(&aws)?,
        pusher: settings::pusher(&aws, &database)?,
        database,
    };
    run(service_fn(|_: LambdaEvent<Value>| sweep(&app))).await
}

async fn sweep(app: &App) -> Result<(), Error> {
    // The sweeper runs within a minute of a deployment, and needs the indexes most, but it can do without.
    if let Err(error) = app.indexes.get_or_try_init(|| app.database.ensure_indexes()).await {
        tracing::error!(error = describe(&error), "indexes not made");
    }
    let (connections, generations) = tokio::join!(app.close_ended(), app.sweep_generations());
    // Each does its part whatever becomes of the other.
    connections?;
    Ok(generations?)
}

impl App {
    async fn close_ended(&self) -> Result<(), DatabaseError> {
        let ended = self.connections.ended(BATCH).await?;
        if ended.is_empty() {
            return Ok(());
        }
        tracing::info!(connections = ended.len(), "closing silent and unauthorized connections");
        stream::iter(ended)
            .for_each_concurrent(CONCURRENCY, |connection| async move {
                if let Err(error) = self.pusher.close(&connection.id).await {
                    tracing::warn!(connection_id = connection.id, error = describe(&error), "not forgotten");
                }
            })
            .await;
        Ok(())
    }
}
