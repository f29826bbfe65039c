//! The video vendor: create a task, ask about a task.
//!
//! The protocol is a plain one, in the shape of the real vendors': `POST /tasks` → `{"id"}`, `GET /tasks/{id}` →
//! `{"status": "queued" | "running" | "succeeded" | "failed", "video_url"?, "error"?: {"code", "message"}}`.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    http::{self, NoClient},
    metrics::Metric,
};
use crate::model::{GenerationId, MotionParams};

/// Leaves `generate-video` time to record what came of it, within its own 28 s.
const CREATE_TIMEOUT: Duration = Duration::from_secs(15);
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_REASON_CHARS: usize = 500;

/// Why there is no task.
#[derive(Debug, thiserror::Error)]
pub enum CreateTaskError {
    /// There surely is none; `reason` is for people, in Chinese.
    #[error("vendor refused: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// There may be one: the vendor was asked, and no answer, or none that says so, came back.
    #[error("vendor's answer unknown")]
    Unknown(#[from] VendorUnavailable),
}

/// The vendor gave no answer that says anything about a task.
#[derive(Debug, thiserror::Error)]
pub enum VendorUnavailable {
    /// It has none.
    #[error("no answer of the vendor")]
    NoAnswer(#[source] reqwest::Error),
    /// It is busy, broken, or doesn't let us in.
    #[error("the vendor answered {0}")]
    Answer(StatusCode),
}

impl From<reqwest::Error> for VendorUnavailable {
    fn from(error: reqwest::Error) -> Self {
        // The address has the task in it, and may have a key.
        Self::NoAnswer(error.without_url())
    }
}

/// How a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// It has not ended.
    Running,
    /// There is a video.
    Succeeded {
        /// Where.
        url: String,
    },
    /// There will be none.
    Failed {
        /// Why, in Chinese.
        reason: String,
    },
}

/// The vendor at one address.
#[derive(Clone, Debug)]
pub struct VideoVendor {
    http: Client,
    base_url: String,
    key: String,
}

#[derive(Serialize)]
struct NewTask<'a> {
    image_url: &'a str,
    prompt: &'a str,
    camera_movement: &'a str,
    shot_type: &'a str,
    lighting: &'a str,
    client_task_id: &'a str,
}

#[derive(Deserialize)]
struct CreatedTask {
    id: String,
}

#[derive(Deserialize)]
struct Task {
    status: String,
    video_url: Option<String>,
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Refusal {
    error: Fault,
}

#[derive(Deserialize)]
struct Fault {
    message: String,
}

impl Fault {
    /// The vendor's word, as far as it fits a frame and a card on the board.
    fn into_reason(self) -> String {
        self.message.chars().take(MAX_REASON_CHARS).collect()
    }
}

impl VideoVendor {
    /// The vendor at `base_url`. Empty: there is none, and every task is refused.
    pub fn new(base_url: &str, key: String) -> Result<Self, NoClient> {
        let http = http::connecting_anew(CONNECT_TIMEOUT)?;
        Ok(Self { http, base_url: base_url.trim_end_matches('/').to_owned(), key })
    }

    /// Asks for a video of the picture at `image_url`. The id of the task.
    pub async fn create_task(
        &self,
        generation: &GenerationId,
        image_url: &str,
        params: &MotionParams,
    ) -> Result<String, CreateTaskError> {
        let refused = |reason: &str| CreateTaskError::Refused { reason: reason.to_owned() };
        if self.base_url.is_empty() {
            return Err(refused("尚未配置视频生成服务"));
        }
        Metric::VendorCalls.count(1);
        let failed = |error| {
            Metric::VendorErrors.count(1);
            Err(error)
        };
        let text = |text: &'_ Option<String>| text.clone().unwrap_or_default();
        let task = NewTask {
            image_url,
            prompt: &text(&params.motion_prompt),
            camera_movement: &text(&params.camera_movement),
            shot_type: &text(&params.shot_type),
            lighting: &text(&params.lighting),
            client_task_id: generation.as_str(),
        };
        let request = self.http.post(format!("{}/tasks", self.base_url)).bearer_auth(&self.key).json(&task);
        let response = match request.timeout(CREATE_TIMEOUT).send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => {
                return failed(refused("无法连接视频生成服务，请稍后重试"));
            }
            Err(error) => return failed(VendorUnavailable::from(error).into()),
        };
        match response.status() {
            status if status.is_success() => match response.json::<CreatedTask>().await {
                Ok(created) => Ok(created.id),
                Err(error) => failed(VendorUnavailable::from(error).into()),
            },
            StatusCode::TOO_MANY_REQUESTS => failed(refused("视频生成服务繁忙，请稍后重试")),
            StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => {
                failed(refused("视频生成服务暂时不可用，请联系管理员"))
            }
            StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::UNPROCESSABLE_ENTITY => {
                Err(CreateTaskError::Refused { reason: fault(response).await })
            }
            // Others, a 503 among them, may be a proxy's word after the request was passed on.
            status => failed(VendorUnavailable::Answer(status).into()),
        }
    }

    /// Asks how a task is.
    pub async fn query_task(&self, task_id: &str) -> Result<TaskState, VendorUnavailable> {
        Metric::VendorCalls.count(1);
        let state = self.query(task_id).await;
        Metric::VendorErrors.count(usize::from(state.is_err()));
        state
    }

    async fn query(&self, task_id: &str) -> Result<TaskState, VendorUnavailable> {
        let request = self.http.get(format!("{}/tasks/{task_id}", self.base_url)).bearer_auth(&self.key);
        let response = request.timeout(QUERY_TIMEOUT).send().await?;
        match response.status() {
            status if status.is_success() => {}
            StatusCode::NOT_FOUND => {
                return Ok(TaskState::Failed { reason: "视频服务中已没有这个任务".to_owned() });
            }
            status => return Err(VendorUnavailable::Answer(status)),
        }
        let task: Task = response.json().await?;
        Ok(match (task.status.as_str(), task.video_url) {
            ("succeeded", Some(url)) => TaskState::Succeeded { url },
            ("succeeded", None) => TaskState::Failed { reason: "视频服务没有给出视频".to_owned() },
            ("failed", _) => TaskState::Failed {
                reason: task.error.map_or_else(|| "视频生成失败".to_owned(), Fault::into_reason),
            },
            ("queued" | "running", _) => TaskState::Running,
            (unknown, _) => {
                // It still ends: at the deadline at the latest.
                tracing::warn!(task_id, status = unknown, "unknown vendor status, taken for running");
                TaskState::Running
            }
        })
    }
}

async fn fault(response: Response) -> String {
    match response.json::<Refusal>().await {
        Ok(refusal) => refusal.error.into_reason(),
        Err(_) => "视频生成服务拒绝了请求".to_owned(),
    }
}
