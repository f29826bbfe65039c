//! Many owners with several connections each: they ping, one of each types, and all hear.
//!
//! Each update writes the time at which it was due, in microseconds since the start: so whoever is told of it knows how late
//! that is, and of two in the same place the larger is the later.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{interval_at, sleep, sleep_until, timeout},
};

use crate::{
    Bench,
    client::{Client, Push, lock},
    figures::Samples,
    owner::{handshake, token},
    tally::Tally,
};

/// Connections of each owner. The first types, the others are told.
pub const TABS: usize = 4;
pub const CONNECTS_PER_SECOND: u32 = 100;
const PING: Duration = Duration::from_secs(30);
/// What is written to in turn: fields of the owner's workspaces.
const WORKSPACES: usize = 2;
const FIELDS: [&str; 4] = ["camera_movement", "shot_type", "lighting", "motion_prompt"];
/// How long after the last acknowledgement the last push may come.
const LAST_PUSH: Duration = Duration::from_secs(5);

/// What was written last, to each field of each workspace.
type Written = [[u64; FIELDS.len()]; WORKSPACES];

struct Owner {
    name: String,
    tabs: Vec<Client>,
    workspaces: Vec<String>,
    sent: Mutex<Written>,
    acknowledged: Mutex<Written>,
}

/// The owners with all their connections. They stay open as long as somebody has this.
pub struct Crowd {
    start: Instant,
    owners: Vec<Owner>,
    tally: Mutex<Tally>,
    /// Updates so far: whose turn it is.
    turn: AtomicU64,
    pings: AtomicU64,
    pongs: AtomicU64,
}

impl Crowd {
    /// Opens all connections, at a bounded rate, makes the workspaces, and begins to ping. And how long each connection took.
    pub async fn gather(bench: &Bench, owners: usize) -> anyhow::Result<(Arc<Self>, Samples)> {
        let (sender, pushes) = mpsc::unbounded_channel();
        let (sender, begun) = (&sender, Instant::now());
        let connections = stream::iter(0..owners * TABS).map(|n| async move {
            let name = format!("owner {}", n / TABS);
            let due = begun + Duration::from_secs(1) * u32::try_from(n)? / CONNECTS_PER_SECOND;
            sleep_until(due.into()).await;
            let url = handshake(&bench.stack.websocket_url(), &name);
            let client = Client::connect(&url, sender.clone()).await.context("a connection was refused")?;
            anyhow::Ok((name, client, due.elapsed()))
        });
        let mut tabs: BTreeMap<String, Vec<Client>> = BTreeMap::new();
        let mut samples = Vec::new();
        for (name, client, took) in connections.buffered(64).try_collect::<Vec<_>>().await? {
            tabs.entry(name).or_default().push(client);
            samples.push(took);
        }
        let owners = stream::iter(tabs).map(|(name, tabs)| async move {
            let mut workspaces = Vec::new();
            for _ in 0..WORKSPACES {
                let id = tabs[0].create().await;
                ensure!(!id.is_empty(), "a workspace was not made");
                workspaces.push(id);
            }
            Ok(Owner { name, tabs, workspaces, sent: Mutex::default(), acknowledged: Mutex::default() })
        });
        let crowd = Arc::new(Self {
            owners: owners.buffered(8).try_collect().await?,
            start: Instant::now(),
            tally: Mutex::new(Tally::new()?),
            turn: AtomicU64::new(0),
            pings: AtomicU64::new(0),
            pongs: AtomicU64::new(0),
        });
        tokio::spawn(Arc::clone(&crowd).hear(pushes));
        crowd.ping();
        Ok((crowd, Samples::new(samples)))
    }

    /// Counts what nobody asked for: what other tabs are told, and the gateway's own errors.
    async fn hear(self: Arc<Self>, mut pushes: mpsc::UnboundedReceiver<Push>) {
        while let Some(Push { at, frame }) = pushes.recv().await {
            let mut tally = lock(&self.tally);
            if frame["type"] == "workspace.updated" {
                for value in frame["data"]["updates"].as_object().into_iter().flat_map(|paths| paths.values())
                {
                    tally.pushed += 1;
                    tally.push.record(
                        at.saturating_duration_since(self.start + Duration::from_micros(due_of(value))),
                    );
                }
            } else if let Some(message) = frame["message"].as_str() {
                *tally.refused.entry(message.to_owned()).or_default() += 1;
            }
        }
    }

    /// Each connection pings, as the contract wants it, all of them spread over the half minute.
    fn ping(self: &Arc<Self>) {
        let begun = Instant::now();
        let connections = u32::try_from(self.owners.len() * TABS).unwrap_or(u32::MAX);
        for n in 0..connections {
            let crowd = Arc::clone(self);
            tokio::spawn(async move {
                let tab = &crowd.owners[n as usize / TABS].tabs[n as usize % TABS];
                let mut pace = interval_at((begun + PING * n / connections).into(), PING);
                while tab.is_open() {
                    pace.tick().await;
                    crowd.pings.fetch_add(1, Ordering::Relaxed);
                    if tab.request("ping", json!({})).await["type"] == "pong" {
                        crowd.pongs.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    }

    /// Sends updates at a rate that doesn't wait for answers, on the owners in turn, and waits for what is still to come.
    /// `look` sees what was counted in each tenth of `span`.
    pub async fn run(
        self: &Arc<Self>,
        per_second: u64,
        span: Duration,
        mut look: impl FnMut(&Tally),
    ) -> anyhow::Result<Tally> {
        let begun = Instant::now();
        let total = per_second * span.as_secs();
        let mut updates = JoinSet::new();
        let mut whole = Tally::new()?;
        for n in 0..total {
            let due = begun + Duration::from_micros(n * 1_000_000 / per_second);
            sleep_until(due.into()).await;
            updates.spawn(Arc::clone(self).update(due));
            while updates.try_join_next().is_some() {}
            if (n + 1) % (total / 10).max(1) == 0 && n + 1 < total {
                let tenth = std::mem::replace(&mut *lock(&self.tally), Tally::new()?);
                look(&tenth);
                whole.add(&tenth);
            }
        }
        while updates.join_next().await.is_some() {}
        let acknowledged = whole.acknowledged + lock(&self.tally).acknowledged;
        let all_told = async {
            while whole.pushed + lock(&self.tally).pushed < acknowledged * (TABS as u64 - 1) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        // If not, that is what is measured.
        let _ = timeout(LAST_PUSH, all_told).await;
        let last = std::mem::replace(&mut *lock(&self.tally), Tally::new()?);
        look(&last);
        whole.add(&last);
        Ok(whole)
    }

    /// One update by whoever's turn it is.
    async fn update(self: Arc<Self>, due: Instant) {
        let turn = usize::try_from(self.turn.fetch_add(1, Ordering::Relaxed)).unwrap_or_default();
        let owner = &self.owners[turn % self.owners.len()];
        let round = turn / self.owners.len();
        let (workspace, field) = (round % WORKSPACES, round / WORKSPACES % FIELDS.len());
        let micros = u64::try_from((due - self.start).as_micros()).unwrap_or(u64::MAX);
        lock(&owner.sent)[workspace][field] = micros;
        lock(&self.tally).sent += 1;
        let path = format!("form_data.{}", FIELDS[field]);
        let data = json!({
            "workspace_id": owner.workspaces[workspace],
            "updates": {path: format!("{micros} 镜头缓缓推进，人物转身")},
        });
        let answer = owner.tabs[0].request("workspace.update", data).await;
        let mut tally = lock(&self.tally);
        if answer["type"] == "workspace.sync_confirm" {
            tally.acknowledged += 1;
            // From when it was due: a sender that is late hides nothing.
            tally.acknowledgement.record(due.elapsed());
            let written = &mut lock(&owner.acknowledged)[workspace][field];
            *written = micros.max(*written);
        } else {
            let what = answer["data"]["code"].as_str().unwrap_or("no answer in 10 s");
            *tally.refused.entry(what.to_owned()).or_default() += 1;
        }
    }

    /// How many pings were answered, of how many.
    pub fn pings(&self) -> String {
        format!("{} of {}", self.pongs.load(Ordering::Relaxed), self.pings.load(Ordering::Relaxed))
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.owners.iter().flat_map(|owner| &owner.tabs).filter(|tab| tab.is_open()).count()
    }

    /// Reads all boards by REST: whether each field holds what was acknowledged last, or something later that was sent.
    pub async fn missing(&self, bench: &Bench) -> anyhow::Result<String> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("{}/api/workspaces", bench.stack.url());
        let (mut fields, mut lost) = (0, 0);
        for owner in &self.owners {
            let answer = http.get(&url).bearer_auth(token(&owner.name)).send().await?.error_for_status()?;
            let board: Value = serde_json::from_slice(&answer.bytes().await?)?;
            let Some(listed) = board["data"]["workspaces"].as_array() else { bail!("not a list") };
            let listed: HashMap<&str, &Value> =
                listed.iter().filter_map(|workspace| Some((workspace["_id"].as_str()?, workspace))).collect();
            let (sent, acknowledged) = (*lock(&owner.sent), *lock(&owner.acknowledged));
            for (w, id) in owner.workspaces.iter().enumerate() {
                for (f, field) in FIELDS.iter().enumerate() {
                    let stored =
                        listed.get(id.as_str()).map_or(0, |found| due_of(&found["form_data"][field]));
                    fields += 1;
                    if !(acknowledged[w][f]..=sent[w][f]).contains(&stored) {
                        lost += 1;
                    }
                }
            }
        }
        Ok(format!("{lost} of {fields} fields without what was acknowledged last"))
    }
}

/// The time that an update has written.
fn due_of(value: &Value) -> u64 {
    let number = value.as_str().and_then(|text| text.split(' ').next()?.parse().ok());
    number.unwrap_or_default()
}
