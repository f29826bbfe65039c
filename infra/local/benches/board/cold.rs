//! A function by itself: from the start of its process to its first event and its first answer, and what it weighs.
//!
//! Measured at a Runtime API of a few lines, so that nothing else is in the figures.

use std::{
    collections::BTreeMap,
    io::Write,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::IntoResponse,
    routing::{get, post},
};
use flate2::{Compression, write::GzEncoder};
use local::secrets::{AUTH_SECRET, MONGODB_URI, arn};
use local::template::Blueprint;
use mongodb::bson::doc;
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    sync::{Mutex, mpsc},
};

use crate::{
    Bench,
    client::Client,
    figures::{Samples, Table, mb, ms},
    load::OWNER,
    owner::{handshake, token},
    process::resident,
};

const STARTS: usize = 30;

/// What the Runtime API and the measurement tell each other.
struct Api {
    asked: mpsc::UnboundedSender<Instant>,
    events: Mutex<mpsc::UnboundedReceiver<Value>>,
    answered: mpsc::UnboundedSender<Instant>,
}

async fn next(State(api): State<std::sync::Arc<Api>>) -> impl IntoResponse {
    let _ = api.asked.send(Instant::now());
    let event = api.events.lock().await.recv().await.unwrap_or_default();
    let deadline = jiff::Timestamp::now().as_millisecond() + 28_000;
    let headers = [
        ("lambda-runtime-aws-request-id", "bench".to_owned()),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:bench".to_owned(),
        ),
    ];
    (headers, event.to_string())
}

async fn answer(State(api): State<std::sync::Arc<Api>>, _body: Bytes) -> StatusCode {
    let _ = api.answered.send(Instant::now());
    StatusCode::ACCEPTED
}

/// A process of a function, and its Runtime API.
struct Process {
    child: Child,
    begun: Instant,
    asked: mpsc::UnboundedReceiver<Instant>,
    events: mpsc::UnboundedSender<Value>,
    answered: mpsc::UnboundedReceiver<Instant>,
    server: tokio::task::JoinHandle<()>,
}

impl Process {
    async fn start(binary: &Path, environment: &BTreeMap<&str, String>) -> anyhow::Result<Self> {
        let (ask, asked) = mpsc::unbounded_channel();
        let (events, fetch) = mpsc::unbounded_channel();
        let (say, answered) = mpsc::unbounded_channel();
        let api = Api { asked: ask, events: Mutex::new(fetch), answered: say };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answer))
            .with_state(std::sync::Arc::new(api));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        let mut command = Command::new(binary);
        command.env_clear().envs(environment).env("AWS_LAMBDA_RUNTIME_API", address.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let begun = Instant::now();
        Ok(Self { child: command.spawn()?, begun, asked, events, answered, server })
    }

    /// From the start until it asked for an event.
    async fn ready(&mut self) -> Duration {
        self.asked.recv().await.map_or(Duration::ZERO, |asked| asked - self.begun)
    }

    /// From the start until it answered `event`.
    async fn answered(&mut self, event: &Value) -> Duration {
        let _ = self.events.send(event.clone());
        self.answered.recv().await.map_or(Duration::ZERO, |answered| answered - self.begun)
    }

    async fn end(mut self) {
        let _ = self.child.kill().await;
        self.server.abort();
    }
}

pub async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let environment = environment(bench);
    let list = binary(bench, "list-workspaces")?;
    let (mut ready, mut answered) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let mut process = Process::start(list, &environment).await?;
        ready.push(process.ready().await);
        answered.push(process.answered(&list_event()).await);
        process.end().await;
    }
    let (ready, answered) = (Samples::new(ready), Samples::new(answered));
    table.row("exec to first /next, list-workspaces", "< 15 ms", format!("p50 {}", ms(ready.p50())));
    table.row("exec to first answer of a list", "< 25 ms", format!("p50 {}", ms(answered.p50())));

    let url = handshake(&bench.stack.websocket_url(), OWNER);
    let client = Client::connect(&url, mpsc::unbounded_channel().0).await?;
    let id = client.create().await;
    // The connection of the events, which no gateway has.
    let rows = bench.database.collection("connections");
    let now = mongodb::bson::DateTime::now();
    rows.insert_one(doc! {"_id": "bench", "owner": OWNER, "connected_at": now, "last_seen": now}).await?;
    for name in ["list-workspaces", "ws-message"] {
        let mut process = Process::start(binary(bench, name)?, &environment).await?;
        for n in 0..100 {
            process.ready().await;
            let event = if name == "ws-message" { update_event(&id, n) } else { list_event() };
            process.answered(&event).await;
        }
        let id = process.child.id().unwrap_or_default();
        table.row(format!("memory after 100 events, {name}"), "< 15 MB", mb(resident(id)));
        process.end().await;
    }
    for package in Blueprint::read(&bench.config.template)?.packages()? {
        let name = package.binary.as_str();
        let mut ready = Vec::new();
        for _ in 0..STARTS {
            let mut process = Process::start(binary(bench, name)?, &environment).await?;
            ready.push(process.ready().await);
            process.end().await;
        }
        let content = std::fs::read(binary(bench, name)?)?;
        let mut zip = GzEncoder::new(Vec::new(), Compression::best());
        zip.write_all(&content)?;
        let (size, zipped) = (mb(content.len() as u64), mb(zip.finish()?.len() as u64));
        table.row(
            format!("artefact {name}"),
            "zipped < 5 MB",
            format!("{zipped} of {size}, /next in {}", ms(Samples::new(ready).p50())),
        );
    }
    Ok(())
}

fn binary<'a>(bench: &'a Bench, name: &str) -> anyhow::Result<&'a Path> {
    bench.binaries.get(name).ok_or_else(|| anyhow::anyhow!("{name} was not built"))
}

/// What the template gives the functions, all in one: each takes what it needs.
fn environment(bench: &Bench) -> BTreeMap<&'static str, String> {
    let text = |text: &str| text.to_owned();
    BTreeMap::from([
        ("MONGODB_URI_ARN", arn(MONGODB_URI)),
        ("MONGODB_DATABASE", text(bench.database.name())),
        ("AUTHENTICATION", text("secret")),
        ("AUTH_SECRET_ARN", arn(AUTH_SECRET)),
        ("TOKEN_ISSUER", text("")),
        ("TOKEN_AUDIENCE", text("")),
        ("TOKEN_OWNER_CLAIM", text("sub")),
        ("ALLOWED_ORIGINS", text("*")),
        ("MIN_IMAGE_SIDE", text("1")),
        ("MAX_IMAGE_SIDE", text("8192")),
        ("MAX_IMAGE_RATIO", text("100")),
        ("GENERATIONS_AT_ONCE", text("5")),
        ("GENERATIONS_PER_DAY", text("100")),
        ("SUGGESTIONS_PER_MINUTE", text("20")),
        ("UPLOADS_PER_HOUR", text("200")),
        ("BYTES_PER_OWNER", text("10737418240")),
        ("CONNECTIONS_PER_OWNER", text("100")),
        ("FRAMES_PER_SECOND", text("50")),
        ("IMAGES_BUCKET", text("bench")),
        ("WEBSOCKET_API_URL", text("http://127.0.0.1:1/bench")),
        ("STATE_MACHINE_ARN", text("arn:aws:states:us-east-1:000000000000:stateMachine:bench")),
        ("VIDEO_VENDOR", text("plain")),
        ("VIDEO_VENDOR_URL", text("")),
        ("VIDEO_VENDOR_KEY_ARN", text("")),
        ("VIDEO_MODEL", text("")),
        ("VIDEO_OPTIONS", text("{}")),
        ("KEEP_VIDEOS", text("on")),
        ("CHAT_URL", text("")),
        ("CHAT_KEY_ARN", text("")),
        ("CHAT_MODEL", text("")),
        ("CHAT_FORMAT", text("json_object")),
        ("CHAT_VISION", text("off")),
        ("CHAT_OPTIONS", text("{}")),
        ("POLL_SECONDS", text("5")),
        ("GENERATION_DEADLINE_SECONDS", text("1800")),
        ("STACK_NAME", text("bench")),
        ("SECRET_MAX_AGE_SECONDS", text("300")),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", text(bench.stack.internal_url())),
        ("AWS_REGION", text("us-east-1")),
        ("AWS_ACCESS_KEY_ID", text("bench")),
        ("AWS_SECRET_ACCESS_KEY", text("bench")),
        ("AWS_LAMBDA_FUNCTION_NAME", text("bench")),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", text("512")),
        ("AWS_LAMBDA_FUNCTION_VERSION", text("$LATEST")),
        ("AWS_LAMBDA_LOG_FORMAT", text("JSON")),
    ])
}

fn list_event() -> Value {
    json!({
        "version": "2.0", "routeKey": "GET /api/workspaces", "rawPath": "/api/workspaces", "rawQueryString": "",
        "headers": {"host": "localhost", "authorization": format!("Bearer {}", token(OWNER))}, "isBase64Encoded": false,
        "requestContext": {
            "accountId": "0", "apiId": "bench", "domainName": "localhost", "domainPrefix": "localhost",
            "http": {
                "method": "GET", "path": "/api/workspaces", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": "bench",
            },
            "requestId": "bench", "routeKey": "GET /api/workspaces", "stage": "$default",
            "time": "22/Nov/2026:00:00:00 +0000", "timeEpoch": 0,
        },
    })
}

fn update_event(id: &str, n: usize) -> Value {
    let data = json!({"workspace_id": id, "updates": {"form_data.motion_prompt": format!("人物转身 {n}")}});
    json!({
        "requestContext": {
            "routeKey": "$default", "messageId": format!("bench {n}"), "eventType": "MESSAGE", "connectionId": "bench",
            "connectedAt": 0, "requestTimeEpoch": 0, "requestId": "bench", "apiId": "bench", "stage": "prod",
            "domainName": "localhost", "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": json!({"type": "workspace.update", "data": data}).to_string(),
        "isBase64Encoded": false,
    })
}
