//! The tasks of all simulated video vendors, which survive a restart of the stack, and what a creation and a query have
//! in common whatever the protocol.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde_json::Value;
use tokio::time::Instant;
use tracing::{info, warn};

use super::picture;
use super::protocol::Protocol;
use super::steering::{Trouble, Word, internal, is_capacity};
use super::task::{Order, Task};
use super::video;
use crate::faults::{Fault, Faults};
use crate::sync::lock;

/// A vendor reads the picture itself, with limits of its own.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

type Tasks = BTreeMap<(i64, String), Task>;

/// The simulated video vendors and their tasks.
#[derive(Clone)]
pub struct Vendor(Arc<Inner>);

struct Inner {
    /// A file for each task.
    directory: PathBuf,
    public_base: String,
    duration: Duration,
    faults: Faults,
    clock: Clock,
    http: reqwest::Client,
    /// Oldest first.
    tasks: Mutex<Tasks>,
    /// Held while a file is written, so that what is decided before is still so after.
    writing: tokio::sync::Mutex<()>,
    /// How often each task was asked about.
    queries: Mutex<HashMap<String, u64>>,
    /// The prompts whose first creation there was no room for.
    turned_away: Mutex<HashSet<(Protocol, String)>>,
    /// The tasks whose video was cut off once.
    cut: Mutex<HashSet<String>>,
}

impl Vendor {
    /// Takes up the tasks stored in `data/vendor`.
    ///
    /// Finished videos have addresses under `public_base` (such as `http://127.0.0.1:3001`), where [`Vendor::videos`]
    /// has to be served. A new task takes `duration`.
    pub fn open(data: &Path, public_base: &str, duration: Duration, faults: &Faults) -> anyhow::Result<Self> {
        let directory = data.join("vendor");
        let tasks =
            load(&directory).with_context(|| format!("cannot read the tasks in {}", directory.display()))?;
        Ok(Self(Arc::new(Inner {
            directory,
            public_base: public_base.trim_end_matches('/').to_owned(),
            duration,
            faults: faults.clone(),
            clock: Clock::start(),
            // Pictures are on this machine: a proxy in the environment could not reach them.
            http: reqwest::Client::builder().timeout(FETCH_TIMEOUT).no_proxy().build()?,
            tasks: Mutex::new(tasks),
            writing: tokio::sync::Mutex::default(),
            queries: Mutex::default(),
            turned_away: Mutex::default(),
            cut: Mutex::default(),
        })))
    }

    /// Unix milliseconds.
    pub(super) fn now(&self) -> i64 {
        self.0.clock.now()
    }

    pub(super) fn tasks(&self) -> MutexGuard<'_, Tasks> {
        lock(&self.0.tasks)
    }

    /// A task that this vendor still knows. Kling finds one by the client's own id for it too.
    pub(super) fn find(&self, protocol: Protocol, id: &str) -> Option<Task> {
        let tasks = self.tasks();
        let mut known = tasks.values().filter(|task| task.protocol == protocol && !task.is_removed);
        let by_id = known.clone().find(|task| task.id == id);
        by_id
            .or_else(|| known.find(|task| protocol == Protocol::Kling && task.order.client_task_id == id))
            .cloned()
    }

    /// A task that is asked about, unless there is none, which is `unknown`, or the question is to fail.
    pub(super) fn asked(
        &self,
        protocol: Protocol,
        id: &str,
        unknown: impl Fn() -> Trouble,
    ) -> Result<Task, Trouble> {
        let task = self.find(protocol, id).ok_or_else(unknown)?;
        match self.stumbles(&task) {
            Some(trouble) => Err(trouble),
            None => Ok(task),
        }
    }

    /// The task of any protocol, and even a removed one: the address of a video outlives the record.
    pub(super) fn with_video(&self, id: &str) -> Option<Task> {
        self.tasks().values().find(|task| task.id == id).cloned()
    }

    /// Where a browser finds the video of a task.
    pub(super) fn video_address(&self, task: &Task) -> String {
        video::address(&self.0.public_base, &task.id)
    }

    /// Where everybody reaches this machine.
    pub(super) fn public_base(&self) -> &str {
        &self.0.public_base
    }

    /// The picture at an address.
    pub(super) async fn fetch_picture(&self, url: &str) -> Result<picture::Kind, String> {
        picture::fetch(&self.0.http, url).await
    }

    /// The error with which the prompt wants its creation refused, before anything is accepted.
    pub(super) fn refuses(&self, protocol: Protocol, prompt: &str) -> Option<Trouble> {
        let code = Word::Create.value_in(prompt)?;
        let strikes =
            !is_capacity(protocol, code) || lock(&self.0.turned_away).insert((protocol, prompt.to_owned()));
        strikes.then(|| Trouble::new(code))
    }

    /// Takes a task, durably before it is acknowledged, like one that costs money. What is wrong then is wrong only with
    /// the answer, where the prompt or a fault wants it so; and there may be none at all.
    pub(super) async fn accept(
        &self,
        protocol: Protocol,
        order: Order,
        request: Value,
    ) -> Result<Task, Trouble> {
        let is_lost = order.has(Word::Lost);
        let task = self.take(protocol, order, request).await?;
        if is_lost || self.0.faults.strikes(Fault::VendorTimeout, "a task") {
            // The connection stays open; only the client can end it.
            return std::future::pending().await;
        }
        match Word::Accept.value_in(&task.order.prompt) {
            Some(code) => Err(Trouble::new(code)),
            None => Ok(task),
        }
    }

    async fn take(&self, protocol: Protocol, order: Order, request: Value) -> Result<Task, Trouble> {
        let _writing = self.0.writing.lock().await;
        let own = &order.client_task_id;
        if protocol == Protocol::Kling && !own.is_empty() && self.find(protocol, own).is_some() {
            // The code is undocumented: that of a bad parameter is the likeliest.
            return Err(Trouble::with("1201", format!("external_task_id: {own} is taken")));
        }
        let task = Task::new(protocol, order, request, self.now(), self.0.duration);
        self.store(task.clone()).await.map_err(|error| broken(protocol, &error))?;
        info!(task = task.id, %protocol, "the simulated vendor accepted a task");
        Ok(task)
    }

    /// Changes the task durably, if it is there and `change` agrees.
    pub(super) async fn change<T>(
        &self,
        protocol: Protocol,
        id: &str,
        change: impl FnOnce(&mut Task, i64) -> Result<T, Trouble>,
    ) -> Option<Result<T, Trouble>> {
        let _writing = self.0.writing.lock().await;
        let mut task = self.find(protocol, id)?;
        let changed = change(&mut task, self.now());
        if changed.is_ok()
            && let Err(error) = self.store(task).await
        {
            return Some(Err(broken(protocol, &error)));
        }
        Some(changed)
    }

    async fn store(&self, task: Task) -> std::io::Result<()> {
        self.0.faults.room(&task.id)?;
        let path = self.0.directory.join(format!("{}.json", task.id));
        let half = path.with_extension("part");
        tokio::fs::write(&half, serde_json::to_vec_pretty(&task)?).await?;
        tokio::fs::rename(&half, &path).await?;
        self.tasks().insert((task.created_at, task.id.clone()), task);
        Ok(())
    }

    /// Counts a query of the task, and says with which error it is to be answered: the first one where the prompt names
    /// one, and the first, the third, and so on of a `#flaky` one, so that even a short video meets one.
    pub(super) fn stumbles(&self, task: &Task) -> Option<Trouble> {
        let count = {
            let mut queries = lock(&self.0.queries);
            let count = queries.entry(task.id.clone()).or_default();
            *count += 1;
            *count
        };
        match Word::Query.value_in(&task.order.prompt) {
            Some(code) if count == 1 => Some(Trouble::new(code)),
            _ if count % 2 == 1 && task.order.has(Word::Flaky) => Some(Trouble::new(internal(task.protocol))),
            _ => None,
        }
    }

    /// Whether this download of the task's video is the one that is cut off.
    pub(super) fn cuts(&self, task: &Task) -> bool {
        task.order.has(Word::Cut) && lock(&self.0.cut).insert(task.id.clone())
    }
}

fn broken(protocol: Protocol, error: &std::io::Error) -> Trouble {
    warn!("the simulated vendor cannot store a task: {error}");
    Trouble::with(internal(protocol), error.to_string())
}

fn load(directory: &Path) -> anyhow::Result<Tasks> {
    std::fs::create_dir_all(directory)?;
    let mut tasks = Tasks::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let task: Task = serde_json::from_slice(&std::fs::read(&path)?)
                .with_context(|| format!("{} is damaged", path.display()))?;
            tasks.insert((task.created_at, task.id.clone()), task);
        }
    }
    Ok(tasks)
}

/// Wall-clock time that tests can move: a task outlives the process, so its times can't be tokio's, but what passes
/// while the process runs is measured by tokio.
#[derive(Debug)]
struct Clock {
    wall: SystemTime,
    started: Instant,
}

impl Clock {
    fn start() -> Self {
        Self { wall: SystemTime::now(), started: Instant::now() }
    }

    /// Unix milliseconds.
    fn now(&self) -> i64 {
        let since_epoch = self.wall.duration_since(UNIX_EPOCH).unwrap_or_default() + self.started.elapsed();
        i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
    }
}
