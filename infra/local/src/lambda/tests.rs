//! The pool and the Runtime API together, with processes that the tests play themselves: what is started is a shell script that
//! tells where its Runtime API is, and the test speaks to it over HTTP.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::*;

struct Host {
    functions: Functions,
    address: SocketAddr,
    directory: TempDir,
}

/// A process as the test plays it.
struct Process {
    api: String,
    http: reqwest::Client,
}

impl Host {
    async fn start(script: &str, timeout: Duration, reserved_concurrency: Option<usize>) -> Self {
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
        let endpoints = Endpoints { s3: String::new(), states: String::new(), management: String::new() };
        let address = listener.local_addr().unwrap();
        let binaries = Binaries::of([("f", binary)]);
        let functions =
            Functions::new(&[function], &binaries, address, &endpoints, &Spawner::new().unwrap()).unwrap();
        let router = functions.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { functions, address, directory }
    }

    /// A host whose processes the test plays.
    async fn played(timeout: Duration) -> Self {
        let script = "echo hello from $$; echo $AWS_LAMBDA_RUNTIME_API > $DIRECTORY/$$.new; mv $DIRECTORY/$$.new $DIRECTORY/$$.api; exec sleep 600";
        Self::start(script, timeout, None).await
    }

    fn invoke(&self, payload: &Value) -> tokio::task::JoinHandle<Result<Bytes, InvokeError>> {
        let (functions, payload) = (self.functions.clone(), payload.to_string());
        tokio::spawn(async move { functions.invoke("F", payload.into()).await })
    }

    /// The processes that have been started, at least `count`.
    async fn processes(&self, count: usize) -> Vec<Process> {
        loop {
            let files = fs::read_dir(self.directory.path()).unwrap().map(|file| file.unwrap().path());
            let files: Vec<PathBuf> =
                files.filter(|path| path.extension().is_some_and(|it| it == "api")).collect();
            if files.len() >= count {
                let api = |path| format!("{}/2018-06-01/runtime", fs::read_to_string(path).unwrap().trim());
                return files
                    .into_iter()
                    .map(|path| Process { api: api(path), http: reqwest::Client::new() })
                    .collect();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn process(&self) -> Process {
        self.processes(1).await.pop().unwrap()
    }
}

impl Process {
    async fn next(&self) -> (String, Value) {
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

    async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> u16 {
        self.http.post(format!("{}/{path}", self.api)).body(body).send().await.unwrap().status().as_u16()
    }
}

fn error_of(outcome: Result<Bytes, InvokeError>) -> FunctionError {
    match outcome.unwrap_err() {
        InvokeError::Function(error) => error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_process_serves_one_event_after_the_other() {
    let host = Host::played(Duration::from_secs(5)).await;
    let first = host.invoke(&json!(1));
    let process = host.process().await;
    let (id, event) = process.next().await;
    assert_eq!(event, json!(1));
    assert_eq!(process.post("invocation/nope/response", "x").await, 400);
    assert_eq!(process.post(&format!("invocation/{id}/response"), "\"one\"").await, 202);
    assert_eq!(first.await.unwrap().unwrap(), "\"one\"");

    // Asks before there is an event; the event goes to it, not to a new process.
    let asking = tokio::spawn(async move { (process.next().await, process) });
    while lock_resting(&host) == 0 {
        tokio::task::yield_now().await;
    }
    let second = host.invoke(&json!(2));
    let ((id, event), process) = asking.await.unwrap();
    assert_eq!(event, json!(2));
    let body = json!({"errorType": "Oops", "errorMessage": "no"}).to_string();
    process.post(&format!("invocation/{id}/error"), body).await;
    let error = error_of(second.await.unwrap());
    assert_eq!((error.error_type.as_str(), error.error_message.as_str()), ("Oops", "no"));
    assert_eq!(host.processes(1).await.len(), 1);
    host.functions.stop().await;
    assert!(matches!(host.invoke(&json!(3)).await.unwrap(), Err(InvokeError::Service(_))));
}

fn lock_resting(host: &Host) -> usize {
    host.functions.pools["F"].resting()
}

#[tokio::test]
async fn concurrent_events_get_processes_of_their_own() {
    let host = Host::played(Duration::from_secs(5)).await;
    let calls = [host.invoke(&json!(1)), host.invoke(&json!(2))];
    for process in host.processes(2).await {
        let (id, event) = process.next().await;
        process.post(&format!("invocation/{id}/response"), event.to_string()).await;
    }
    for (call, expected) in calls.into_iter().zip(["1", "2"]) {
        assert_eq!(call.await.unwrap().unwrap(), expected);
    }
}

#[tokio::test]
async fn a_slow_function_is_killed_at_its_timeout() {
    let host = Host::played(Duration::from_millis(50)).await;
    let call = host.invoke(&json!(1));
    let process = host.process().await;
    let (id, _) = process.next().await;
    let error = error_of(call.await.unwrap());
    assert_eq!(error.error_type, "Sandbox.Timedout");
    assert_eq!(error.error_message, format!("RequestId: {id} Error: Task timed out after 0.05 seconds"));
    // The next event gets a new process.
    let _call = host.invoke(&json!(2));
    host.processes(2).await;
}

#[tokio::test]
async fn an_answer_over_6_mb_is_an_error() {
    let host = Host::played(Duration::from_secs(5)).await;
    let call = host.invoke(&json!(1));
    let process = host.process().await;
    let (id, _) = process.next().await;
    assert_eq!(process.post(&format!("invocation/{id}/response"), vec![b'1'; RESPONSE_LIMIT + 1]).await, 413);
    assert_eq!(error_of(call.await.unwrap()).error_type, "Function.ResponseSizeTooLarge");
    let too_large = host.functions.invoke("F", vec![b'1'; REQUEST_LIMIT + 1].into()).await;
    assert!(matches!(too_large, Err(InvokeError::PayloadTooLarge)));
}

#[tokio::test]
async fn a_process_that_dies_is_reported_and_replaced() {
    let host = Host::start("echo $$ >> $DIRECTORY/starts; exit 3", Duration::from_secs(5), None).await;
    for starts in 1..=2 {
        let error = error_of(host.functions.invoke("F", "1".into()).await);
        assert_eq!(error.error_type, "Runtime.ExitError");
        assert!(error.error_message.contains("exit status: 3"), "{}", error.error_message);
        assert_eq!(fs::read_to_string(host.directory.path().join("starts")).unwrap().lines().count(), starts);
    }
}

#[tokio::test]
async fn reserved_concurrency_throttles() {
    let host = Host::start("exec sleep 600", Duration::from_secs(5), Some(0)).await;
    assert!(matches!(host.functions.invoke("F", "1".into()).await, Err(InvokeError::Throttled(_))));
}

#[tokio::test]
async fn the_invoke_api_tells_a_failed_function_from_an_unknown_one() {
    let host = Host::start("exit 3", Duration::from_secs(5), None).await;
    let post = async |name: &str| {
        let url = format!("http://{}/2015-03-31/functions/{name}/invocations", host.address);
        reqwest::Client::new().post(url).body("{}").send().await.unwrap()
    };
    let failed = post("arn:aws:lambda:us-east-1:123456789012:function:F").await;
    assert_eq!(
        (failed.status().as_u16(), failed.headers()["x-amz-function-error"].to_str().unwrap()),
        (200, "Unhandled")
    );
    let unknown = post("G").await;
    assert_eq!(unknown.status(), 404);
    assert_eq!(unknown.headers()["x-amzn-errortype"], "ResourceNotFoundException");
}
