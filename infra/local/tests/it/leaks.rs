//! A thousand connections come and go, and leave nothing behind: no row, process, file, descriptor, thread or task.

use std::{collections::BTreeSet, path::Path, time::Duration};

use futures_util::{TryStreamExt, future::join_all};
use mongodb::bson::{Document, doc};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::{
    board::Board,
    program::{Running, is_running, with_database},
    socket::{PATIENCE, Socket},
};

const CONNECTIONS: usize = 1_000;
const AT_ONCE: usize = 40;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Half of them close, the other half just vanish.
async fn come_and_go(url: &str) {
    let visits = (0..AT_ONCE).map(|n| async move {
        let mut socket = Socket::connect(url).await;
        socket.expect("ping", json!({}), "pong").await;
        if n % 2 == 0 {
            socket.close().await;
        }
    });
    join_all(visits).await;
}

/// What a process has open, and what lies in its directories.
#[derive(Debug, PartialEq)]
struct Belongings {
    descriptors: usize,
    threads: usize,
    processes: usize,
    zombies: usize,
    files: BTreeSet<String>,
}

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

fn files(directory: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => drop(found.insert(path.display().to_string())),
        }
    }
    found
}

fn belongings(stack: &Running, directories: [&Path; 2]) -> Belongings {
    let process = Path::new("/proc").join(stack.id().to_string());
    let processes = stack.descendants();
    Belongings {
        descriptors: entries(&process.join("fd")),
        threads: entries(&process.join("task")),
        zombies: processes.iter().filter(|id| !is_running(**id)).count(),
        processes: processes.len(),
        files: directories.into_iter().flat_map(files).collect(),
    }
}

/// Waits until nothing changes any more.
async fn settled(look: &impl Fn() -> Belongings) -> Belongings {
    let mut last = look();
    loop {
        sleep(LOOK_EVERY * 10).await;
        let now = look();
        if now == last {
            return now;
        }
        last = now;
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_program_keeps_nothing_of_a_thousand_connections() {
    let (data, temporary) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut command = with_database(data.path(), &[]);
    command.env("TMPDIR", temporary.path());
    let mut stack = Running::start(command).await;
    let url = stack.url.replace("http://", "ws://");
    // The processes that so many at once need are there after a few rounds.
    for _ in 0..3 {
        come_and_go(&url).await;
    }
    let look = || belongings(&stack, [data.path(), temporary.path()]);
    let before = settled(&look).await;
    for _ in 0..CONNECTIONS / AT_ONCE {
        come_and_go(&url).await;
    }
    // Each process of a function has a pipe and some connections; there may be a few more of them, and each has ended or is one
    // of the at most 32 of its function.
    let is_as_before = |after: &Belongings| {
        let more = after.processes.saturating_sub(before.processes);
        after.descriptors <= before.descriptors + 4 * more + 8
            && after.threads <= before.threads + 2
            && after.processes <= 3 * 32 + 2
            && after.zombies == 0
            && after.files == before.files
    };
    let settles = async {
        while !is_as_before(&look()) {
            sleep(LOOK_EVERY).await;
        }
    };
    assert!(timeout(PATIENCE, settles).await.is_ok(), "before {before:?}, after {:?}", look());
    stack.signal(libc::SIGINT);
    assert!(stack.end().await.success());
    let errors = stack.errors().await;
    assert!(!errors.contains("panicked"), "{errors}");
}

#[tokio::test]
async fn a_gateway_keeps_no_task_and_no_row_of_a_thousand_connections() {
    let board = Board::start().await;
    come_and_go(&board.websocket_url()).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = (tasks(), board.processes());
    for _ in 0..CONNECTIONS / AT_ONCE {
        come_and_go(&board.websocket_url()).await;
    }
    // Each process of a function has two tasks of its own, and some connections to what the stack serves.
    let most = |processes: usize| before.0 + 6 * processes.saturating_sub(before.1);
    let rows = board.rows("connections");
    let open = async || -> Vec<Document> {
        rows.find(doc! {"closed_at": null}).await.unwrap().try_collect().await.unwrap()
    };
    let settles = async {
        while board.sockets() > 0 || tasks() > most(board.processes()) || !open().await.is_empty() {
            sleep(LOOK_EVERY).await;
        }
    };
    let settled = timeout(PATIENCE, settles).await;
    let after = (tasks(), board.processes());
    assert!(settled.is_ok(), "{} sockets, {before:?} → {after:?}, {:?}", board.sockets(), open().await);
    board.stop().await;
}
