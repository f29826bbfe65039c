//! Each minute: closes connections that have gone silent or whose token has expired, ends claims that got no task and videos
//! past their deadline, gives a new execution to tasks that have lost theirs (contract §3, §7; decisions 1 and 3 in the
//! house's design), and removes pictures that nobody has used for a day and videos that nobody is shown any more.

mod generations;
mod uploads;
mod videos;

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use lambda_runtime::{Error, LambdaEvent};
use serde_json::Value;
use shared::{
    edge::{
        function::serve,
        settings::{Settings, SettingsError},
    },
    model::describe,
    service::{
        connections::Connections,
        database::{Database, DatabaseError},
        images::Images,
        metrics::Metric,
        polling::Polling,
        push::Pusher,
        uploads::Uploads,
        videos::Videos,
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
    uploads: Uploads,
    images: Images,
    videos: Videos,
    polling: Polling,
    pusher: Pusher,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(App::new, sweep).await
}

async fn sweep(app: Arc<App>, _: LambdaEvent<Value>) -> Result<(), DatabaseError> {
    // The sweeper runs within a minute of a deployment, and needs the indexes most, but it can do without.
    if let Err(error) = app.indexes.get_or_try_init(|| app.database.ensure_indexes()).await {
        tracing::error!(error = describe(&error), "indexes not made");
    }
    let (connections, generations, uploads, videos) =
        tokio::join!(app.close_ended(), app.sweep_generations(), app.remove_unused(), app.remove_condemned());
    // Each does its part whatever becomes of the others.
    connections?;
    generations?;
    uploads?;
    videos
}

impl App {
    async fn new(settings: Settings) -> Result<Self, SettingsError> {
        let database = settings.database().await?;
        Ok(Self {
            indexes: OnceCell::new(),
            connections: Connections::new(&database),
            workspaces: Workspaces::new(&database),
            uploads: Uploads::new(&database),
            images: settings.images()?,
            videos: settings.videos()?,
            polling: settings.polling()?,
            pusher: settings.pusher(&database)?,
            database,
        })
    }

    async fn close_ended(&self) -> Result<(), DatabaseError> {
        let ended = self.connections.ended(BATCH).await?;
        if ended.is_empty() {
            return Ok(());
        }
        tracing::info!(connections = ended.len(), "closing silent and unauthorized connections");
        Metric::ConnectionsSwept.count(ended.len());
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
