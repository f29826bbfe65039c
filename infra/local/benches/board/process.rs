//! The program that `cargo run` starts: how soon it is ready, and what it weighs.

use std::{process::Stdio, time::Instant};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::{
    Bench,
    figures::{Table, mb, ms},
};

pub async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let data = TempDir::new()?;
    let root = bench.config.template.parent().unwrap_or(&bench.config.template).to_owned();
    for start in ["first start", "start"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
        command.current_dir(&root).args(["--release", "--port", "0", "--data"]).arg(data.path());
        command.env_remove("MONGODB_URI").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let begun = Instant::now();
        let mut child = command.kill_on_drop(true).spawn()?;
        let Some(output) = child.stdout.take() else { continue };
        let mut output = BufReader::new(output).lines();
        while let Some(line) = output.next_line().await? {
            if line.starts_with("ready ") {
                break;
            }
        }
        table.row(format!("{start} to ready, with its own mongod"), "< 2.5 s", ms(begun.elapsed()));
        let id = child.id().unwrap_or_default();
        if start == "start" {
            // The schedule's first call has come and gone by then.
            while output.next_line().await?.is_some_and(|line| !line.contains("rate(")) {}
            let weight = tree(id).into_iter().map(resident).sum();
            table.row("memory of the idle stack, with mongod", "< 300 MB", mb(weight));
        }
        // SAFETY: only sends a signal, to a child that was not waited for yet.
        unsafe { libc::kill(i32::try_from(id)?, libc::SIGINT) };
        child.wait().await?;
    }
    Ok(())
}

/// The resident memory of a process, in bytes.
pub fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() * 1024
}

/// A process and all that it started.
pub fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(id) = found.get(next).copied() {
        let threads = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
        for thread in threads {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
        next += 1;
    }
    found
}
