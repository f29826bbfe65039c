//! What clients do all day, chosen at random.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::client::Client;
use crate::journal::{Kind, Operation, Write};
use crate::plan::Phase;
use crate::view::PLACE;

/// Workspaces of an owner: so many that a repeat never comes when the newest 64 frames of one have forgotten it (contract §6).
const WORKSPACES: usize = 8;
const FEWEST: usize = 5;
/// Between two things that a client does, on average.
const THINKING: Duration = Duration::from_millis(250);
/// Frames of one client that are open at the same time.
const OPEN: usize = 8;

/// Where clients write.
const PATHS: [&str; 7] = [
    "form_data.motion_prompt",
    "form_data.camera_movement",
    "form_data.lighting",
    "form_data.note",
    "form_data.list",
    "form_data.deep.er.still",
    "form_data.deep.number",
];

impl Client {
    /// Works until `until`.
    pub async fn work(&mut self, phase: &Phase, until: Instant) {
        let mut next = Instant::now();
        while Instant::now() < until {
            self.step(next.min(until)).await;
            if Instant::now() < next {
                continue;
            }
            next = Instant::now() + THINKING.mul_f64(2.0 * self.random.f64());
            if phase.has_clocks() && self.random.u8(..) < 50 {
                self.clock.jump(&mut self.random);
            }
            if self.pending.len() < OPEN {
                self.act(phase).await;
            }
        }
    }

    /// Makes the workspaces that all will work on.
    pub async fn begin(&mut self) {
        for _ in 0..2 {
            self.create().await;
            self.settle_all().await;
        }
    }

    /// A few edits, so that all others have something to be told.
    pub async fn edit(&mut self) {
        for _ in 0..2 {
            self.update(Kind::Update).await;
            self.settle_all().await;
        }
    }

    async fn act(&mut self, phase: &Phase) {
        match self.random.u32(0..100) {
            0..56 => self.update(Kind::Update).await,
            56..60 => self.update(Kind::LockedUpdate).await,
            60..66 => self.create().await,
            66..68 => self.delete().await,
            68..74 => self.reorder().await,
            74..76 => self.trespass().await,
            76..78 => self.cancel().await,
            78..80 => {
                self.send(Kind::Ping, json!({}), Operation::new(Kind::Ping, self.owner, self.number)).await
            }
            80..83 => self.load(),
            83..94 => self.generate(phase.has_vendor()),
            94..97 => self.suggest(),
            97..98 => self.vanish(true).await,
            _ => self.vanish(false).await,
        }
    }

    fn operation(&self, kind: Kind, writes: Vec<Write>) -> Operation {
        Operation { writes, ..Operation::new(kind, self.owner, self.number) }
    }

    /// One of these at random.
    pub fn pick(&mut self, from: &[String]) -> Option<String> {
        self.random.choice(from).cloned()
    }

    async fn create(&mut self) {
        if self.view.ids().len() >= WORKSPACES {
            return;
        }
        let data = if self.random.bool() { json!({}) } else { json!({PLACE: self.random.u32(..1_000)}) };
        self.send(Kind::Create, data, self.operation(Kind::Create, Vec::new())).await;
    }

    async fn update(&mut self, kind: Kind) {
        let ids = self.view.ids();
        let free: Vec<_> = ids.into_iter().filter(|id| !self.reserved.contains(id)).collect();
        let Some(id) = self.pick(&free) else { return };
        let mut data = json!({"workspace_id": id});
        if kind == Kind::LockedUpdate {
            let seen = self.view.updated_at(&id).and_then(|at| at.parse::<jiff::Timestamp>().ok());
            let Some(seen) = seen.filter(|_| !self.is_busy_with(&id)) else { return };
            data["client_timestamp"] = seen.as_millisecond().into();
            self.reserved.push(id.clone());
        }
        let mut updates = Map::new();
        for _ in 0..self.random.usize(1..=3) {
            let path = *self.random.choice(PATHS.iter()).unwrap_or(&PATHS[0]);
            updates.insert(path.to_owned(), self.value(path));
        }
        let writes = updates.iter().map(|(path, value)| write(&id, path, value)).collect();
        data["updates"] = Value::Object(updates);
        self.send(kind, data, self.operation(kind, writes)).await;
    }

    /// A value that nothing else has, of the kind that goes there; some of them would be operators if anybody took them for such.
    fn value(&mut self, path: &str) -> Value {
        let name = self.unique();
        match path {
            "form_data.list" => json!([name, 1, true, null]),
            "form_data.deep.number" => {
                let made = name.rsplit('-').next().and_then(|made| made.parse().ok()).unwrap_or(0_u32);
                json!(self.number as u32 * 1_000_000 + made)
            }
            _ if self.random.bool() => json!(format!("${name}.$set {{\"$where\": 1}} 推进")),
            _ => json!(name),
        }
    }

    async fn delete(&mut self) {
        let ids = self.view.ids();
        if ids.len() <= FEWEST {
            return;
        }
        let Some(id) = self.pick(&ids) else { return };
        let operation = Operation { about: Some(id.clone()), ..self.operation(Kind::Delete, Vec::new()) };
        self.send(Kind::Delete, json!({"workspace_id": id}), operation).await;
    }

    async fn reorder(&mut self) {
        let mut ids = self.view.ids();
        self.random.shuffle(&mut ids);
        ids.truncate(3);
        if ids.is_empty() {
            return;
        }
        let places: Map<_, _> = ids.into_iter().map(|id| (id, json!(self.place()))).collect();
        let writes = places.iter().map(|(id, place)| write(id, PLACE, place)).collect();
        self.send(Kind::Reorder, json!({"reorder_map": places}), self.operation(Kind::Reorder, writes)).await;
    }

    /// A place that no other reorder has, of the 1,000,000 that there are: and none that a creation takes.
    fn place(&mut self) -> u64 {
        let name = self.unique();
        let made: u64 = name.rsplit('-').next().and_then(|made| made.parse().ok()).unwrap_or(0);
        10_000 + (made * 32 + self.number as u64) % 980_000
    }

    /// Tries to write what is another owner's.
    async fn trespass(&mut self) {
        let mut others: Vec<String> = {
            let records = self.journal.records();
            let others = records.workspaces.iter().filter(|(_, known)| known.owner != self.owner);
            others.map(|(id, _)| id.clone()).collect()
        };
        others.sort();
        let Some(id) = self.pick(&others) else { return };
        let value = json!(self.unique());
        let data = json!({"workspace_id": id, "updates": {"form_data.note": value}});
        let operation = self.operation(Kind::Trespass, vec![write(&id, "form_data.note", &value)]);
        self.send(Kind::Trespass, data, operation).await;
    }

    async fn cancel(&mut self) {
        let own = self.own();
        let made: Vec<_> = own.iter().filter(|id| self.is_making(id)).cloned().collect();
        // Mostly one that is being made.
        let Some(id) = self.pick(if made.is_empty() { &own } else { &made }) else { return };
        self.cancelled.insert(id.clone());
        let operation = Operation { about: Some(id.clone()), ..self.operation(Kind::Cancel, Vec::new()) };
        self.send(Kind::Cancel, json!({"workspace_id": id}), operation).await;
    }
}

fn write(workspace: &str, path: &str, value: &Value) -> Write {
    Write { workspace: workspace.to_owned(), path: path.to_owned(), value: value.clone() }
}
