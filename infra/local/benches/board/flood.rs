//! What one client that floods does to all others, with the bounds as they come.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt, future::join_all};
use local::stack::Stack;
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    time::{Instant, interval, sleep, sleep_until},
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::{
    Bench,
    client::Client,
    figures::{Samples, Table, ms},
    owner::handshake,
};

/// Who works as people do: an edit twice a second.
const NORMAL: usize = 50;
const EDITS_PER_SECOND: u32 = 2;
const SPAN: Duration = Duration::from_secs(20);
/// Twenty times of what a connection may send.
const FLOOD_PER_SECOND: u64 = 1_000;

/// What became of the frames of who floods.
#[derive(Default)]
struct Flood {
    sent: AtomicUsize,
    confirmed: AtomicUsize,
    refused: AtomicUsize,
    closed: AtomicUsize,
}

pub async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let mut config = bench.config.clone();
    config.data.push("flood");
    config.parameters.insert("MongoDatabase".to_owned(), format!("{}_flood", bench.database.name()));
    config.parameters.remove("FramesPerSecond");
    let stack = Stack::start(config).await?;
    let url = stack.websocket_url();
    let mut clients = Vec::new();
    for n in 0..NORMAL {
        let pushes = mpsc::unbounded_channel().0;
        let client = Client::connect(&handshake(&url, &format!("normal {n}")), pushes).await?;
        let id = client.create().await;
        clients.push((client, id));
    }
    edits(&clients, Duration::from_secs(2)).await;
    let calm = edits(&clients, SPAN).await;
    let figures = shown(&calm);
    table.row(format!("{NORMAL} connections, {EDITS_PER_SECOND} updates/s each"), "–", figures);

    let flood = Arc::new(Flood::default());
    let flooding = tokio::spawn(run(handshake(&url, "mallory"), Arc::clone(&flood)));
    let stormy = edits(&clients, SPAN).await;
    flooding.abort();
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let figures = format!(
        "{}; of the flood's {} frames {} were carried out, {} refused, {} connections closed",
        shown(&stormy),
        count(&flood.sent),
        count(&flood.confirmed),
        count(&flood.refused),
        count(&flood.closed),
    );
    table.row(
        format!("the same beside a flood of {FLOOD_PER_SECOND} frames/s"),
        "the same but for the first second",
        figures,
    );
    drop(clients);
    stack.stop().await;
    bench.mongodb.database(&format!("{}_flood", bench.database.name())).drop().await?;
    Ok(())
}

fn shown(samples: &Samples) -> String {
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| ms(samples.quantile(share)));
    format!("p50 {p50}, p95 {p95}, p99 {p99}")
}

/// All edit at the same pace, one after the other.
async fn edits(clients: &[(Client, String)], span: Duration) -> Samples {
    let begun = Instant::now();
    let rounds = u32::try_from(span.as_secs()).unwrap_or_default() * EDITS_PER_SECOND;
    let each = clients.iter().enumerate().map(|(n, (client, id))| async move {
        let mut samples = Vec::new();
        let offset = Duration::from_secs(1) / EDITS_PER_SECOND * u32::try_from(n).unwrap_or_default();
        for round in 0..rounds {
            sleep_until(begun + offset / 50 + Duration::from_secs(1) * round / EDITS_PER_SECOND).await;
            samples.push(client.update(id, round as usize).await);
        }
        samples
    });
    Samples::new(join_all(each).await.concat())
}

/// Sends without waiting for answers, and comes back as soon as it may.
async fn run(url: String, flood: Arc<Flood>) {
    loop {
        let Ok((socket, _)) = connect_async(&url).await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (mut sink, mut frames) = socket.split();
        let create = json!({"type": "workspace.create", "data": {}, "request_id": "create"});
        if sink.send(Message::text(create.to_string())).await.is_err() {
            continue;
        }
        let created = frames.next().await.and_then(Result::ok).map(Message::into_data).unwrap_or_default();
        let created: Value = serde_json::from_slice(&created).unwrap_or_default();
        let id = created["data"]["workspace_id"].clone();
        let counted = Arc::clone(&flood);
        let reader = tokio::spawn(async move {
            while let Some(Ok(message)) = frames.next().await {
                let frame: HashMap<String, Value> =
                    serde_json::from_slice(&message.into_data()).unwrap_or_default();
                let is_confirmed = frame.get("type").is_some_and(|kind| kind == "workspace.sync_confirm");
                let counter = if is_confirmed { &counted.confirmed } else { &counted.refused };
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut pace = interval(Duration::from_millis(1_000 / FLOOD_PER_SECOND));
        for n in 0.. {
            pace.tick().await;
            let data = json!({"workspace_id": id, "updates": {"form_data.motion_prompt": format!("{n}")}});
            let frame = json!({"type": "workspace.update", "data": data});
            if reader.is_finished() || sink.send(Message::text(frame.to_string())).await.is_err() {
                break;
            }
            flood.sent.fetch_add(1, Ordering::Relaxed);
        }
        flood.closed.fetch_add(1, Ordering::Relaxed);
        reader.abort();
    }
}
