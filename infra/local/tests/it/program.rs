//! The program that `cargo run` starts, as a process.

use std::{
    path::Path,
    process::{ExitStatus, Stdio},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

use crate::{
    board::{mongodb_server, project},
    socket::{PATIENCE, Socket},
};

/// The program on a port that is free, run in the project's root.
pub fn program(data: &Path, options: &[&str]) -> Command {
    program_on("0", data, options)
}

pub fn program_on(port: &str, data: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.current_dir(project()).args(["--port", port, "--data"]).arg(data).args(options);
    command.env_remove("MONGODB_URI").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
}

/// The program with a database on the test's server.
pub fn with_database(data: &Path, options: &[&str]) -> Command {
    let mut command = program(data, options);
    let name = format!("MongoDatabase=process_{}", uuid::Uuid::new_v4().simple());
    command.env("MONGODB_URI", mongodb_server()).args(["--parameter", &name]);
    command
}

/// A program that is ready.
pub struct Running {
    child: Child,
    /// What it wrote before, line by line.
    pub said: Vec<String>,
    /// What it writes after that, line by line.
    pub output: mpsc::UnboundedReceiver<String>,
    errors: JoinHandle<String>,
    pub url: String,
}

impl Running {
    pub async fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, mut output) = mpsc::unbounded_channel();
        // Both are drained, so that neither the program nor cargo ever waits for a reader.
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let _ = sender.send(line);
            }
        });
        let mut errors = child.stderr.take().unwrap();
        let errors = tokio::spawn(async move {
            let mut text = String::new();
            errors.read_to_string(&mut text).await.unwrap();
            text
        });
        let mut said = Vec::new();
        let ready = async {
            while let Some(line) = output.recv().await {
                if let Some(rest) = line.strip_prefix("ready ") {
                    return rest.split_whitespace().next().unwrap().to_owned();
                }
                said.push(line);
            }
            panic!("ended before it was ready");
        };
        let url = timeout(PATIENCE * 4, ready).await.expect("never ready");
        Self { child, said, output, errors, url }
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: only sends a signal, to a child that was not waited for yet.
        assert_eq!(unsafe { libc::kill(self.child.id().unwrap() as i32, signal) }, 0);
    }

    pub async fn end(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("did not end").unwrap()
    }

    /// What it wrote to its standard error, once it has ended.
    pub async fn errors(self) -> String {
        self.errors.await.unwrap()
    }

    pub async fn socket(&self) -> Socket {
        Socket::connect(&self.url.replace("http://", "ws://")).await
    }

    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub async fn board(&self) -> Value {
        let answer = reqwest::get(format!("{}/api/workspaces", self.url)).await.unwrap();
        answer.json::<Value>().await.unwrap()["data"]["workspaces"].take()
    }

    /// All processes that were started by the program, or by one that was.
    pub fn descendants(&self) -> Vec<u32> {
        let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| {
                let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
                Some((id, stat(id)?[1].parse().ok()?))
            })
            .collect();
        let mut found = vec![self.child.id().unwrap()];
        let mut next = 0;
        while let Some(parent) = found.get(next).copied() {
            found.extend(parents.iter().filter(|(_, p)| *p == parent).map(|(id, _)| id));
            next += 1;
        }
        found.split_off(1)
    }
}

/// That the processes end: not that they have, since a process that was killed takes a moment.
pub async fn assert_all_end(processes: &[u32]) {
    let end = async {
        while processes.iter().any(|id| is_running(*id)) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, end).await.expect("left a process behind");
}

/// Whether a process is there, and not only waits for somebody to ask how it ended.
pub fn is_running(id: u32) -> bool {
    // One that has ended but that nobody has waited for is a zombie.
    stat(id).is_some_and(|stat| stat[0] != "Z")
}

/// What the operating system says of a process: its state, its parent, and more.
fn stat(id: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // `pid (name) state ppid …`, where the name may hold anything.
    Some(stat.rsplit(')').next()?.split_whitespace().map(str::to_owned).collect())
}
