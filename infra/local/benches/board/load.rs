//! The board under load, through its front door.

use std::{
    fmt,
    future::Future,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::join_all, stream};
use mongodb::bson::doc;
use serde_json::json;
use tokio::{
    sync::mpsc,
    time::{sleep_until, timeout},
};

use crate::{
    Bench,
    bare::Bare,
    client::{Client, PATIENCE, Push},
    figures::{Samples, Table, ms},
    owner::{handshake, token},
};

pub const CONNECTIONS: usize = 16;
pub const FIXED_RATE: u32 = 200;
const REPETITIONS: usize = 2_000;
const SPAN: Duration = Duration::from_secs(5);

/// What many did at the same time.
pub struct Rate {
    pub per_second: f64,
    pub samples: Samples,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99) = (ms(self.samples.p50()), ms(self.samples.p99()));
        write!(f, "{:.0}/s, p50 {p50}, p99 {p99}", self.per_second)
    }
}

/// One after the other.
pub async fn sequentially(mut work: impl AsyncFnMut(usize) -> Duration) -> Samples {
    let mut samples = Vec::with_capacity(REPETITIONS);
    for n in 0..REPETITIONS + 100 {
        let took = work(n).await;
        // The first are still warming up.
        if n >= 100 {
            samples.push(took);
        }
    }
    Samples::new(samples)
}

/// On each of the connections one after the other, for a while.
pub async fn concurrently<F: Future<Output = Duration>>(work: impl Fn(usize, usize) -> F) -> Rate {
    join_all((0..CONNECTIONS).map(|connection| work(connection, 0))).await;
    let begun = Instant::now();
    let work = &work;
    let each = join_all((0..CONNECTIONS).map(|connection| async move {
        let mut samples = Vec::new();
        while begun.elapsed() < SPAN {
            samples.push(work(connection, samples.len() + 1).await);
        }
        samples
    }));
    let samples: Vec<Duration> = each.await.concat();
    #[expect(clippy::cast_precision_loss)]
    let per_second = samples.len() as f64 / begun.elapsed().as_secs_f64();
    Rate { per_second, samples: Samples::new(samples) }
}

/// At a rate that doesn't wait for answers, on the connections in turn.
pub async fn at_fixed_rate<F: Future<Output = Duration>>(work: impl Fn(usize, usize) -> F) -> Samples {
    let begun = tokio::time::Instant::now();
    let total = FIXED_RATE * u32::try_from(SPAN.as_secs()).unwrap_or_default();
    let work = &work;
    let each = join_all((0..total).map(|n| async move {
        sleep_until(begun + Duration::from_secs(1) * n / FIXED_RATE).await;
        work(n as usize % CONNECTIONS, n as usize).await
    }));
    Samples::new(each.await)
}

pub async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    lists(bench, table).await?;
    connects(bench, table).await?;
    for connections in [10, 100, 500, 1_000] {
        pushes(bench, connections, table).await?;
    }
    Ok(())
}

/// Whose the board is where one owner has it all.
pub const OWNER: &str = "bench";

async fn client(bench: &Bench, owner: &str) -> anyhow::Result<Client> {
    Client::connect(&handshake(&bench.stack.websocket_url(), owner), mpsc::unbounded_channel().0).await
}

pub async fn updates(bench: &Bench, bare: &Bare, table: &mut Table) -> anyhow::Result<()> {
    let one = client(bench, OWNER).await?;
    let id = one.create().await;
    let alone = sequentially(async |n| one.update(&id, n).await).await;
    let times = alone.p50().as_secs_f64() / bare.one.p50().as_secs_f64();
    let figures = format!("p50 {}, p99 {}: {times:.1} × bare", ms(alone.p50()), ms(alone.p99()));
    table.row("workspace.update, 1 connection", "p50 ≤ 2 × bare", figures);

    let mut clients = Vec::new();
    for n in 0..CONNECTIONS {
        let client = client(bench, &format!("bench {n}")).await?;
        let id = client.create().await;
        clients.push((client, id));
    }
    let clients = &clients;
    let update = |connection: usize, n| {
        let (client, id) = &clients[connection];
        client.update(id, n)
    };
    let many = concurrently(update).await;
    let share = many.per_second / bare.many.per_second;
    let figures = format!("{many}: {share:.2} × bare");
    let aim = "≥ 0.5 × bare, p99 < 30 ms";
    table.row(format!("workspace.update, {CONNECTIONS} connections, an owner each"), aim, figures);
    let fixed = at_fixed_rate(update).await;
    let over = fixed.p99().saturating_sub(bare.fixed.p99());
    let figures = format!("p50 {}, p99 {}: {} over bare", ms(fixed.p50()), ms(fixed.p99()), ms(over));
    table.row(format!("workspace.update, {FIXED_RATE}/s"), "p99 ≤ bare + 4 ms", figures);

    let fresh = one.create().await;
    for round in 0..5 {
        for n in 0..2_000 {
            one.update(&fresh, round * 2_000 + n).await;
        }
    }
    let worn = sequentially(async |n| one.update(&fresh, n).await).await;
    let figures = format!("p50 {}, before {}", ms(worn.p50()), ms(alone.p50()));
    table.row("workspace.update after 10,000 updates", "flat", figures);
    Ok(())
}

async fn lists(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let rows = bench.database.collection::<mongodb::bson::Document>("workspaces");
    let mut typical = rows.find_one(doc! {"deleted_at": null}).await?.unwrap_or_default();
    typical.insert("owner", OWNER);
    typical.insert("image_path", "uploads/999abf7d43484ed9b441b4621a63d4af.png");
    typical.insert("image_url", "/api/uploads/999abf7d43484ed9b441b4621a63d4af.png");
    let token = token(OWNER);
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{}/api/workspaces", bench.stack.url());
    for workspaces in [10, 50, 100, 1_000] {
        rows.delete_many(doc! {}).await?;
        let copies = (0..workspaces).map(|n| {
            typical.insert("_id", mongodb::bson::oid::ObjectId::new());
            typical.insert("order_index", n);
            typical.clone()
        });
        rows.insert_many(copies).await?;
        let samples = sequentially(async |_| {
            let begun = Instant::now();
            let answer = http.get(&url).bearer_auth(&token).send().await;
            let body = match answer {
                Ok(answer) => answer.bytes().await.unwrap_or_default(),
                Err(_) => bytes::Bytes::new(),
            };
            assert!(body.len() > workspaces as usize * 200, "not a list");
            begun.elapsed()
        });
        let samples = samples.await;
        let aim = if workspaces == 50 { "p50 < 2.5 ms" } else { "at most linear" };
        let figures = format!("p50 {}, p99 {}", ms(samples.p50()), ms(samples.p99()));
        table.row(format!("GET /api/workspaces, {workspaces} workspaces"), aim, figures);
    }
    rows.delete_many(doc! {}).await?;
    Ok(())
}

async fn connects(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let mut samples = Vec::new();
    for _ in 0..300 {
        let begun = Instant::now();
        let client = client(bench, OWNER).await?;
        samples.push(begun.elapsed());
        drop(client);
    }
    let samples = Samples::new(samples);
    let figures = format!("p50 {}, p99 {}", ms(samples.p50()), ms(samples.p99()));
    table.row("connect", "p50 < 3 ms", figures);
    Ok(())
}

async fn pushes(bench: &Bench, connections: usize, table: &mut Table) -> anyhow::Result<()> {
    let rows = bench.database.collection::<mongodb::bson::Document>("connections");
    rows.delete_many(doc! {}).await?;
    let (sender, mut pushed) = mpsc::unbounded_channel();
    let url = handshake(&bench.stack.websocket_url(), OWNER);
    let others = stream::iter(0..connections).map(|_| Client::connect(&url, sender.clone())).buffered(8);
    let others: Vec<anyhow::Result<Client>> = others.collect().await;
    assert!(others.iter().all(Result::is_ok), "a connection was refused");
    let one = client(bench, OWNER).await?;
    let id = one.create().await;
    all_of(&mut pushed, connections).await;
    let (mut samples, mut late) = (Vec::new(), 0);
    for n in 0..20 {
        let begun = Instant::now();
        let answered = one.update(&id, n);
        let (_, last) = tokio::join!(answered, all_of(&mut pushed, connections));
        match last {
            Some(last) => samples.push(last - begun),
            None => late += 1,
        }
    }
    one.request("workspace.delete", json!({"workspace_id": id})).await;
    let samples = Samples::new(samples);
    let aim = if connections == 500 { "last < 150 ms" } else { "at most linear" };
    let mut figures = format!("last p50 {}, max {}", ms(samples.p50()), ms(samples.quantile(1.0)));
    if late > 0 {
        figures += &format!("; {late} of 20 not told to all within a second");
    }
    table.row(format!("one change pushed to {connections} connections"), aim, figures);
    Ok(())
}

/// When the last of so many pushes came; `None` if not all of them did.
async fn all_of(pushed: &mut mpsc::UnboundedReceiver<Push>, connections: usize) -> Option<Instant> {
    let mut last = None;
    for _ in 0..connections {
        last = timeout(PATIENCE, pushed.recv()).await.ok()?.map(|push| push.at);
    }
    last
}
