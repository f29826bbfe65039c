//! What this process has, so that it can be seen that nothing is left.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Descriptors of the runtime and of a client's connections, which are closed a little later.
const SLACK: usize = 4;

/// What a process has.
#[derive(Debug, Clone, Copy)]
pub struct Belongings {
    descriptors: usize,
    children: usize,
    tasks: usize,
}

impl Belongings {
    /// Those of this process, now.
    pub fn now() -> Result<Self> {
        let descriptors = fs::read_dir("/proc/self/fd")?.count();
        Ok(Self { descriptors, children: children()?, tasks: Handle::current().metrics().num_alive_tasks() })
    }

    /// What there is more than before, once everything has ended; nothing if all is as it was.
    pub async fn left_since(before: Self) -> Result<Option<String>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let now = Self::now()?;
            let is_clean = now.children <= before.children
                && now.tasks <= before.tasks
                && now.descriptors <= before.descriptors + SLACK;
            if is_clean {
                return Ok(None);
            }
            if Instant::now() >= until {
                return Ok(Some(format!("left behind: {before:?} before, {now:?} after")));
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Processes that this one has started, the dead that nobody has waited for included.
fn children() -> Result<usize> {
    let own = std::process::id().to_string();
    let is_child = |entry: fs::DirEntry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // `pid (name) state ppid …`, where the name may hold anything.
        let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?.to_owned();
        (parent == own).then_some(())
    };
    Ok(fs::read_dir("/proc")?.flatten().filter_map(is_child).count())
}

/// Files that were begun and never finished.
pub fn unfinished(directory: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(unfinished(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "part" || extension == "damaged") {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}
