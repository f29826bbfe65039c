//! The simulated video vendor: a plain protocol in the shape of the real ones.
//!
//! | request | answer |
//! |---|---|
//! | `POST /tasks` `{image_url, prompt, camera_movement, shot_type, lighting, client_task_id}` | 201 `{id}` |
//! | `GET /tasks/{id}` | `{id, status, video_url?, error?: {code, message}}` |
//! | `GET /tasks` | `{tasks: […]}`, everything that was accepted, oldest first |
//!
//! `status` is `queued`, `running`, `succeeded` or `failed`. A refusal is 400, an unknown task 404, each with
//! `{"error": {"code", "message"}}`. The picture is really fetched, so an address that a real vendor could not read
//! fails here too. Words in the prompt steer it: contract, section 5.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path as PathParameter, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::info;

use super::task::{Order, Status, Task, Word};
use super::video;
use crate::faults::{Fault, Faults};

/// A vendor reads the picture itself, with limits of its own.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_IMAGE_BYTES: usize = 30 << 20;

/// The vendor and its tasks, which survive a restart of the stack.
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
    tasks: Mutex<BTreeMap<(i64, String), Task>>,
    /// How often each `#flaky` task was asked about.
    queries: Mutex<HashMap<String, u64>>,
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
            tasks: Mutex::new(
                tasks.into_iter().map(|task| ((task.created_at, task.id.clone()), task)).collect(),
            ),
            queries: Mutex::default(),
        })))
    }

    /// The vendor's API. `POST /tasks` with `#lost` never answers: whoever shuts the server down gracefully must not
    /// wait for it.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/tasks", post(create).get(list))
            .route("/tasks/{id}", get(query))
            .with_state(self.clone())
    }

    /// `GET /_local/videos/{task}.mp4`, for the port that browsers see.
    pub fn videos(&self) -> Router {
        Router::new().route("/_local/videos/{name}", get(watch)).with_state(self.clone())
    }

    fn tasks(&self) -> MutexGuard<'_, BTreeMap<(i64, String), Task>> {
        // Nothing in here can panic half-way through a change.
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: &str) -> Option<Task> {
        self.tasks().values().find(|task| task.id == id).cloned()
    }

    /// Durable before it is acknowledged, like a task that costs money.
    async fn accept(&self, order: Order) -> std::io::Result<Task> {
        let task = Task::new(order, self.0.clock.now(), self.0.duration);
        let path = self.0.directory.join(format!("{}.json", task.id));
        let half = path.with_extension("part");
        tokio::fs::write(&half, serde_json::to_vec_pretty(&task)?).await?;
        tokio::fs::rename(&half, &path).await?;
        self.tasks().insert((task.created_at, task.id.clone()), task.clone());
        info!(task = task.id, "the simulated vendor accepted a task");
        Ok(task)
    }

    /// Whether this query is one of those that fail: the first, the third, and so on, so that even a short video
    /// meets one.
    fn stumbles(&self, task: &Task) -> bool {
        if !task.order.has(Word::Flaky) {
            return false;
        }
        let mut queries = self.0.queries.lock().unwrap_or_else(PoisonError::into_inner);
        let count = queries.entry(task.id.clone()).or_default();
        *count += 1;
        *count % 2 == 1
    }

    async fn check_image(&self, url: &str) -> Result<(), String> {
        let unreachable = |error: reqwest::Error| format!("无法读取图片：{}", error.without_url());
        let response = self.0.http.get(url).send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(format!("无法读取图片：HTTP {}", response.status().as_u16()));
        }
        let bytes = response.bytes().await.map_err(unreachable)?;
        if bytes.len() > MAX_IMAGE_BYTES {
            return Err("图片过大".to_owned());
        }
        if !is_image(&bytes) {
            return Err("地址的内容不是 JPEG、PNG 或 WebP 图片".to_owned());
        }
        Ok(())
    }

    fn status_answer(&self, task: &Task) -> Value {
        let status = task.status(self.0.clock.now());
        let mut answer = json!({"id": task.id, "status": status});
        match status {
            Status::Queued | Status::Running => {}
            Status::Succeeded => answer["video_url"] = video::address(&self.0.public_base, &task.id).into(),
            Status::Failed => {
                let message = "视频生成失败：画面内容无法解析，请更换图片或描述后重试";
                answer["error"] = json!({"code": "generation_failed", "message": message});
            }
        }
        answer
    }
}

async fn create(State(vendor): State<Vendor>, body: Result<Json<Order>, JsonRejection>) -> Response {
    let order = match body {
        Ok(Json(order)) => order,
        Err(rejection) => return failure(StatusCode::BAD_REQUEST, "invalid_request", &rejection.body_text()),
    };
    if order.has(Word::Refuse) {
        let message = "提示词未通过内容安全审核，请修改后重试";
        return failure(StatusCode::BAD_REQUEST, "content_policy", message);
    }
    if let Err(reason) = vendor.check_image(&order.image_url).await {
        return failure(StatusCode::BAD_REQUEST, "invalid_image", &reason);
    }
    let lost = order.has(Word::Lost) || vendor.0.faults.strikes(Fault::VendorTimeout, "a task");
    match vendor.accept(order).await {
        // The connection stays open; only the client can end it.
        Ok(_) if lost => std::future::pending().await,
        Ok(task) => (StatusCode::CREATED, Json(json!({"id": task.id}))).into_response(),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, "internal", &error.to_string()),
    }
}

async fn query(State(vendor): State<Vendor>, PathParameter(id): PathParameter<String>) -> Response {
    match vendor.find(&id) {
        None => failure(StatusCode::NOT_FOUND, "not_found", "任务不存在"),
        Some(task) if vendor.stumbles(&task) => {
            failure(StatusCode::INTERNAL_SERVER_ERROR, "internal", "服务暂时不可用，请稍后重试")
        }
        Some(task) => Json(vendor.status_answer(&task)).into_response(),
    }
}

async fn list(State(vendor): State<Vendor>) -> Json<Value> {
    let now = vendor.0.clock.now();
    let tasks: Vec<_> = vendor
        .tasks()
        .values()
        .map(|task| {
            let Task { id, created_at, order, .. } = task;
            json!({
                "id": id, "status": task.status(now), "created_at": created_at, "image_url": order.image_url,
                "prompt": order.prompt, "camera_movement": order.camera_movement, "shot_type": order.shot_type,
                "lighting": order.lighting, "client_task_id": order.client_task_id,
            })
        })
        .collect();
    Json(json!({"tasks": tasks}))
}

async fn watch(
    State(vendor): State<Vendor>,
    PathParameter(name): PathParameter<String>,
    headers: axum::http::HeaderMap,
) -> Response {
    let task = name.strip_suffix(".mp4").and_then(|id| vendor.find(id));
    match task.map(|task| task.status(vendor.0.clock.now())) {
        Some(Status::Succeeded) => video::answer(&headers),
        _ => failure(StatusCode::NOT_FOUND, "not_found", "视频不存在"),
    }
}

fn failure(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({"error": {"code": code, "message": message}}))).into_response()
}

fn is_image(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
        || bytes.starts_with(b"\x89PNG\r\n\x1a\n")
        || (bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"))
}

fn load(directory: &Path) -> anyhow::Result<Vec<Task>> {
    std::fs::create_dir_all(directory)?;
    let mut tasks = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let task = serde_json::from_slice(&std::fs::read(&path)?);
            tasks.push(task.with_context(|| format!("{} is damaged", path.display()))?);
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

#[cfg(test)]
#[path = "vendor_tests.rs"]
mod tests;
