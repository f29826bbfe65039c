//! Executions on disk: a file for each, as it stands between two states, so that a restart of the stack goes on with it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tracing::warn;

use super::executions::{End, Execution};

/// How long an ended execution is known, and its name taken.
/// <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>, `name`.
const HISTORY: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The directory.
#[derive(Debug)]
pub(super) struct Store(PathBuf);

impl Store {
    /// Also returns what is in it, in the order in which it began, without what ended long ago.
    pub(super) fn open(directory: &Path) -> anyhow::Result<(Self, Vec<Execution>)> {
        let store = Self(directory.to_owned());
        let executions = store.load();
        Ok((
            store,
            executions.with_context(|| format!("cannot read the executions in {}", directory.display()))?,
        ))
    }

    fn load(&self) -> anyhow::Result<Vec<Execution>> {
        fs::create_dir_all(&self.0)?;
        let oldest = Timestamp::now() - HISTORY;
        let mut executions = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let Ok(execution) = serde_json::from_slice::<Execution>(&fs::read(&path)?) else {
                // No reason not to start: the sweeper gives a video that has lost its execution another.
                warn!("the execution in {} is damaged, and put aside", path.display());
                fs::rename(&path, path.with_extension("damaged"))?;
                continue;
            };
            match &execution.end {
                Some(End(ended, _)) if *ended < oldest => remove(&path)?,
                _ => executions.push(execution),
            }
        }
        executions.sort_by_key(|execution| execution.started);
        Ok(executions)
    }

    /// Replaces what was stored of it. (Blocking, but small; the caller holds a lock, so that the newest is the last.)
    pub(super) fn save(&self, execution: &Execution) -> io::Result<()> {
        // A name may hold characters, and be of a length, that no file system takes.
        let name: String = Sha256::digest(&execution.arn).iter().map(|byte| format!("{byte:02x}")).collect();
        let path = self.0.join(format!("{name}.json"));
        let half = path.with_extension("part");
        fs::write(&half, serde_json::to_vec(execution)?)?;
        fs::rename(&half, &path)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
