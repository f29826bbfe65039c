//! A function whose processes the tests play themselves: what is started is a shell script that tells where its Runtime API is,
//! and the test speaks to it over HTTP.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::{Binaries, Endpoints, Functions, InvokeError};
use crate::faults::Faults;
use crate::process::Spawner;
use crate::sync::lock;
use crate::template;

/// Tells where the Runtime API is, in one step, and then only lives.
const PLAYED: &str = "echo hello from $$; echo $AWS_LAMBDA_RUNTIME_API > $DIRECTORY/$$.new; \
    mv $DIRECTORY/$$.new $DIRECTORY/$$.api; exec sleep 600";

/// The function `F`, with what it needs.
pub struct Host {
    pub functions: Functions,
    pub faults: Faults,
    pub url: String,
    pub directory: TempDir,
    /// What [`Host::answering`] has got.
    pub events: Arc<Mutex<Vec<Value>>>,
}

/// A process as the test plays it.
pub struct Process {
    pub api: String,
    /// Of the operating system.
    pub id: u32,
    http: reqwest::Client,
}

impl Host {
    pub async fn start(script: &str, timeout: Duration, reserved_concurrency: Option<usize>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("bootstrap");
        // Written by a child: were it open for writing here, a fork of another test would keep it from being run.
        let write = r#"printf '#!/bin/sh\n%s\n' "$1" > "$2" && chmod 755 "$2""#;
        let mut shell = std::process::Command::new("sh");
        assert!(shell.args(["-c", write, "sh", script]).arg(&binary).status().unwrap().success());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let function = template::Function {
            name: "F".to_owned(),
            arn: "arn:aws:lambda:us-east-1:123456789012:function:F".to_owned(),
            binary: "f".to_owned(),
            directory: directory.path().to_owned(),
            handler: "bootstrap".to_owned(),
            timeout,
            memory_mb: 128,
            reserved_concurrency,
            environment: BTreeMap::from([("DIRECTORY".to_owned(), directory.path().display().to_string())]),
            log_format: "JSON".to_owned(),
            log_level: None,
            schedules: Vec::new(),
        };
        let endpoints = Endpoints {
            s3: String::new(),
            states: String::new(),
            secrets: String::new(),
            management: String::new(),
        };
        let address = listener.local_addr().unwrap();
        let binaries = Binaries::of([("f", binary)]);
        let (spawner, faults) = (Spawner::new().unwrap(), Faults::none());
        let functions =
            Functions::new(&[function], &binaries, address, &endpoints, &spawner, &faults).unwrap();
        let router = functions.router();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { functions, faults, url: format!("http://{address}"), directory, events: Arc::default() }
    }

    /// A host whose processes the test plays.
    pub async fn played(timeout: Duration) -> Self {
        Self::start(PLAYED, timeout, None).await
    }

    /// A host whose processes all answer with `answer`: with an error if it has an `errorType`, never if there is none.
    pub async fn answering(answer: impl Fn(&Value) -> Option<Value> + Send + Sync + 'static) -> Self {
        let host = Self::played(Duration::from_secs(60)).await;
        let (directory, events, answer) =
            (host.directory.path().to_owned(), Arc::clone(&host.events), Arc::new(answer));
        tokio::spawn(async move {
            let mut known = HashSet::new();
            loop {
                for path in api_files(&directory) {
                    if known.insert(path.clone()) {
                        let (process, events, answer) =
                            (Process::new(&path), Arc::clone(&events), Arc::clone(&answer));
                        tokio::spawn(async move { process.play(&events, &*answer).await });
                    }
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        host
    }

    /// Waits for an event that [`Host::answering`] gets.
    pub async fn event(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            if let Some(event) = lock(&self.events).iter().find(|event| is_it(event)) {
                return event.clone();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub fn invoke(&self, payload: &Value) -> tokio::task::JoinHandle<Result<Bytes, InvokeError>> {
        let (functions, payload) = (self.functions.clone(), payload.to_string());
        tokio::spawn(async move { functions.invoke("F", payload.into()).await })
    }

    /// The processes that have been started, at least `count`.
    pub async fn processes(&self, count: usize) -> Vec<Process> {
        loop {
            let files = api_files(self.directory.path());
            if files.len() >= count {
                return files.iter().map(|path| Process::new(path)).collect();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn process(&self) -> Process {
        self.processes(1).await.pop().unwrap()
    }
}

fn api_files(directory: &Path) -> Vec<PathBuf> {
    // The directory is gone once the host is.
    let files = fs::read_dir(directory).into_iter().flatten().filter_map(|file| Some(file.ok()?.path()));
    files.filter(|path| path.extension().is_some_and(|extension| extension == "api")).collect()
}

impl Process {
    fn new(path: &Path) -> Self {
        let api = fs::read_to_string(path).unwrap();
        let id = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        Self { api: format!("{}/2018-06-01/runtime", api.trim()), id, http: reqwest::Client::new() }
    }

    async fn play(
        &self,
        events: &Mutex<Vec<Value>>,
        answer: &(dyn Fn(&Value) -> Option<Value> + Send + Sync),
    ) {
        loop {
            let (id, event) = self.next().await;
            lock(events).push(event.clone());
            let Some(answer) = answer(&event) else { return std::future::pending().await };
            let path = if answer.get("errorType").is_some() { "error" } else { "response" };
            self.post(&format!("invocation/{id}/{path}"), answer.to_string()).await;
        }
    }

    /// Waits until the operating system shows it in `state`: `T` is stopped.
    pub async fn wait_for_state(&self, state: &str) {
        loop {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.id)).unwrap();
            // `pid (name) state …`, where the name may hold anything.
            if stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()) == Some(state) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub async fn next(&self) -> (String, Value) {
        let response = self.http.get(format!("{}/invocation/next", self.api)).send().await.unwrap();
        assert_eq!(
            response.headers()["lambda-runtime-invoked-function-arn"],
            "arn:aws:lambda:us-east-1:123456789012:function:F"
        );
        assert!(response.headers()["lambda-runtime-trace-id"].to_str().unwrap().starts_with("Root=1-"));
        let deadline: u128 =
            response.headers()["lambda-runtime-deadline-ms"].to_str().unwrap().parse().unwrap();
        assert!(deadline > 1_700_000_000_000);
        let id = response.headers()["lambda-runtime-aws-request-id"].to_str().unwrap().to_owned();
        (id, response.json().await.unwrap())
    }

    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> u16 {
        self.http.post(format!("{}/{path}", self.api)).body(body).send().await.unwrap().status().as_u16()
    }
}
