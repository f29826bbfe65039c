//! The video vendor: order a video, ask about its task, find a task whose creation got no answer, cancel one.
//!
//! What differs between vendors is a [`Protocol`]: what an order looks like, and what an answer means. It does no I/O. What is the same
//! for all is here: time-outs, what is tried again, and what is counted. `docs/vendors.md` says how to add one.

mod ark;
mod kling;
mod plain;
mod prompt;
mod protocol;
mod runway;
#[cfg(test)]
mod testing;

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, timeout};

use self::protocol::{Call, Fault, Protocol, Reply};
use super::{
    http::{self, NoClient},
    metrics::Metric,
};
use crate::model::{GenerationId, ImageKind, InvalidData, MotionParams};

pub use self::protocol::{Picture, PictureSource, TaskState};

/// How long all attempts to order may take: leaves `generate-video` time to look for a lost task and to record what came of it,
/// within its own 28 s.
const CREATE_TIME: Duration = Duration::from_secs(15);
/// An attempt that has less than this is not worth it.
const LEAST_TIME: Duration = Duration::from_secs(3);
/// After how long a busy vendor is asked again that doesn't say when. Doubled each time.
const BACK_OFF: Duration = Duration::from_secs(1);
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long looking for a lost task may take, each time and in all, and what lies before each look.
const FIND_TIMEOUT: Duration = Duration::from_secs(3);
const FIND_TIME: Duration = Duration::from_secs(7);
const FIND_AFTER: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];
/// How many states that nobody has heard of a process remembers having logged, and logs at all.
const MAX_UNKNOWN_STATES: usize = 16;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no task.
#[derive(Debug, thiserror::Error)]
pub enum CreateTaskError {
    /// There surely is none, and that is up to the person; `reason` is for people, in Chinese.
    // Not why: the vendor's own words may quote the person's.
    #[error("vendor refused")]
    Refused {
        /// Why.
        reason: String,
    },
    /// There surely is none, and that is up to whoever runs this: a key, money, a model.
    #[error("vendor account or settings: {code}")]
    Account {
        /// The vendor's code, or the status where it has none.
        code: String,
    },
    /// There surely is none: the vendor can't be reached, or has too much to do.
    #[error("vendor busy")]
    Busy,
    /// There may be one: the vendor was asked, and no answer, or none that says so, came back.
    #[error("vendor's answer unknown")]
    Unknown(#[from] VendorUnavailable),
}

impl CreateTaskError {
    /// What people are told, or `None` where nobody knows whether there is a task.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused { reason } => Some(reason),
            Self::Account { .. } => Some("视频生成服务暂时不可用，请联系管理员"),
            Self::Busy => Some("视频生成服务繁忙，请稍后重试"),
            Self::Unknown(_) => None,
        }
    }
}

/// The vendor gave no answer that says anything about a task.
#[derive(Debug, thiserror::Error)]
pub enum VendorUnavailable {
    /// It has none.
    #[error("no answer of the vendor")]
    NoAnswer(#[source] reqwest::Error),
    /// It is busy.
    #[error("the vendor is busy")]
    Busy {
        /// When it wants to be asked again, if it says so.
        retry_after: Option<Duration>,
    },
    /// It is broken, or doesn't let us in.
    #[error("the vendor answered {0}")]
    Answer(String),
}

impl From<reqwest::Error> for VendorUnavailable {
    fn from(error: reqwest::Error) -> Self {
        // The address has the task in it, and may have a key.
        Self::NoAnswer(error.without_url())
    }
}

/// What a vendor says of an order whose answer is lost.
#[derive(Debug, PartialEq, Eq)]
pub enum Lost {
    /// It has made this task of it.
    Found(String),
    /// It has made none.
    NoTask,
    /// It can't be asked.
    Untraceable,
}

/// What can be ordered: checked, and in the vendor's words.
#[derive(Debug)]
pub struct Order(Map<String, Value>);

/// Which vendor, and how it is used.
pub struct VendorSettings<'a> {
    /// `plain`, `ark`, `kling` or `runway`.
    pub vendor: &'a str,
    /// Its address; empty is the vendor's usual one.
    pub base_url: &'a str,
    /// Its model; empty is the protocol's default.
    pub model: &'a str,
    /// Members of an order under the vendor's own names, such as a resolution.
    pub options: Map<String, Value>,
    /// What is shown at its door.
    pub key: String,
}

/// A vendor.
pub struct VideoVendor {
    http: Client,
    base_url: String,
    key: String,
    protocol: Box<dyn Protocol>,
    unknown_states: Mutex<BTreeSet<String>>,
}

impl VideoVendor {
    /// The vendor of `settings`, or `None` where there is none of this name.
    pub fn new(settings: VendorSettings<'_>) -> Result<Option<Self>, NoClient> {
        let VendorSettings { vendor, base_url, model, options, key } = settings;
        let protocol: Box<dyn Protocol> = match vendor {
            "plain" => Box::new(plain::Plain),
            "ark" => Box::new(ark::Ark::new(model, options)),
            "kling" => Box::new(kling::Kling::new(model, options)),
            "runway" => Box::new(runway::Runway::new(model, options)),
            _ => return Ok(None),
        };
        let base_url = if base_url.is_empty() { protocol.usual_base_url() } else { base_url };
        let base_url = base_url.trim_end_matches('/').to_owned();
        let http = http::connecting_anew(CONNECT_TIMEOUT)?;
        Ok(Some(Self { http, base_url, key, protocol, unknown_states: Mutex::default() }))
    }

    /// Whether it wants the picture itself, and not its address.
    pub fn takes_bytes(&self) -> bool {
        self.protocol.picture_limits().is_some()
    }

    /// The order of a video of `picture`, or what is wrong with it in this vendor's eyes: before anything is claimed or paid.
    pub fn order(&self, picture: &Picture, params: &MotionParams) -> Result<Order, InvalidData> {
        if let Some(limits) = self.protocol.picture_limits() {
            if !limits.kinds.contains(&picture.header.kind) {
                let kinds = limits.kinds.iter().map(|kind| kind.label()).collect::<Vec<_>>().join("、");
                let message = format!("当前的视频服务只接受 {kinds} 图片，请转换格式后重新上传");
                return Err(InvalidData::new("image_url", message));
            }
            if picture.source.len() > limits.max_bytes {
                let most = limits.max_bytes / 1024;
                let message = format!("当前的视频服务只接受 {most} KB 以内的图片，请压缩后重新上传");
                return Err(InvalidData::new("image_url", message));
            }
            limits.bounds.check(&picture.header, "image_url")?;
        }
        self.protocol.order(picture, params).map(Order)
    }

    /// Asks for a video. The id of the task.
    ///
    /// A vendor that is busy has surely made nothing, and is asked again while there is time. Where nobody knows, the vendor is asked
    /// for the task by the generation's id, if it can be; the order itself is never sent twice.
    pub async fn create_task(
        &self,
        generation: &GenerationId,
        order: Order,
    ) -> Result<String, CreateTaskError> {
        if self.base_url.is_empty() {
            return Err(CreateTaskError::Refused { reason: "尚未配置视频生成服务".to_owned() });
        }
        let call = self.protocol.create(order.0, generation);
        let give_up = Instant::now() + CREATE_TIME;
        let mut back_off = BACK_OFF;
        loop {
            let reply = match self.send(&call, give_up.saturating_duration_since(Instant::now())).await {
                Ok(reply) => reply,
                // Nothing was sent.
                Err(error) if error.is_connect() || error.is_builder() => {
                    Metric::VendorErrors.count(1);
                    return Err(CreateTaskError::Busy);
                }
                Err(error) => return self.find_lost(generation, error.into()).await,
            };
            match self.protocol.created(&reply) {
                Ok(task_id) => return Ok(task_id),
                Err(Fault::Refused { reason }) => return Err(CreateTaskError::Refused { reason }),
                Err(Fault::Account { code }) => {
                    Metric::VendorAccountErrors.count(1);
                    return Err(CreateTaskError::Account { code });
                }
                Err(Fault::Busy { retry_after }) => {
                    let wait = retry_after.unwrap_or(back_off);
                    back_off *= 2;
                    let left = give_up.saturating_duration_since(Instant::now());
                    if wait.checked_add(LEAST_TIME).is_none_or(|time| time > left) {
                        return Err(CreateTaskError::Busy);
                    }
                    sleep(wait).await;
                }
                Err(Fault::Broken { code }) => {
                    return self.find_lost(generation, VendorUnavailable::Answer(code)).await;
                }
            }
        }
    }

    /// The task of an order whose answer is lost, where the vendor knows it by the generation's id.
    async fn find_lost(
        &self,
        generation: &GenerationId,
        lost: VendorUnavailable,
    ) -> Result<String, CreateTaskError> {
        Metric::VendorErrors.count(1);
        // What was accepted just now may not be found at once.
        let looks = async {
            for wait in FIND_AFTER {
                sleep(wait).await;
                match self.find_task(generation).await {
                    Ok(Lost::Found(task_id)) => return Some(task_id),
                    Ok(Lost::Untraceable) => return None,
                    // Or the order is still on its way.
                    Ok(Lost::NoTask) | Err(_) => {}
                }
            }
            None
        };
        let found = timeout(FIND_TIME, looks).await.ok().flatten().ok_or(lost)?;
        tracing::warn!(task_id = found, "task found whose creation got no answer");
        Ok(found)
    }

    /// Looks for the task that was ordered for a generation.
    pub async fn find_task(&self, generation: &GenerationId) -> Result<Lost, VendorUnavailable> {
        let Some(call) = self.protocol.find(generation) else { return Ok(Lost::Untraceable) };
        let reply = self.send(&call, FIND_TIMEOUT).await?;
        if self.protocol.is_unknown(&reply) {
            return Ok(Lost::NoTask);
        }
        self.protocol.created(&reply).map(Lost::Found).map_err(unavailable)
    }

    /// Asks how a task is.
    pub async fn query_task(&self, task_id: &str) -> Result<TaskState, VendorUnavailable> {
        let state = self.query(task_id).await;
        Metric::VendorErrors.count(usize::from(state.is_err()));
        if let Ok(TaskState::Unknown { state }) = &state {
            self.note_unknown(state);
        }
        state
    }

    /// Logs a state that nobody has heard of, once: the task still ends, at its deadline at the latest.
    fn note_unknown(&self, state: &str) {
        let mut known = self.unknown_states.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MAX_UNKNOWN_STATES && known.insert(state.to_owned()) {
            tracing::warn!(state, "unknown vendor status, taken for running");
        }
    }

    async fn query(&self, task_id: &str) -> Result<TaskState, VendorUnavailable> {
        let reply = self.send(&self.protocol.query(task_id), QUERY_TIMEOUT).await?;
        if self.protocol.is_unknown(&reply) {
            return Ok(TaskState::Failed { reason: "视频服务中已没有这个任务".to_owned() });
        }
        self.protocol.state(&reply).map_err(|fault| match (unavailable(fault), reply.retry_after) {
            // Whatever is wrong: it says when it may be right again.
            (VendorUnavailable::Answer(_), retry_after @ Some(_)) => VendorUnavailable::Busy { retry_after },
            (unavailable, _) => unavailable,
        })
    }

    /// Cancels a task, as far as the vendor can, and as far as it has not ended: whether it is made no more.
    pub async fn cancel_task(&self, task_id: &str) -> Result<bool, VendorUnavailable> {
        let Some(call) = self.protocol.cancel(task_id) else { return Ok(false) };
        let reply = self.send(&call, QUERY_TIMEOUT).await?;
        match reply.status {
            status if status.is_success() => Ok(true),
            _ if self.protocol.is_unknown(&reply) => Ok(true),
            StatusCode::TOO_MANY_REQUESTS => Err(VendorUnavailable::Busy { retry_after: reply.retry_after }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Metric::VendorAccountErrors.count(1);
                Err(VendorUnavailable::Answer(reply.status.to_string()))
            }
            status if status.is_server_error() => Err(VendorUnavailable::Answer(status.to_string())),
            // It is too late for that.
            _ => Ok(false),
        }
    }

    async fn send(&self, call: &Call, timeout: Duration) -> Result<Reply, reqwest::Error> {
        Metric::VendorCalls.count(1);
        let url = format!("{}{}", self.base_url, call.path);
        let mut request: RequestBuilder = self.http.request(call.method.clone(), url).timeout(timeout);
        request = request.bearer_auth(self.protocol.token(&self.key));
        for (name, value) in self.protocol.headers() {
            request = request.header(*name, *value);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let (status, retry_after) = (response.status(), http::retry_after(response.headers()));
        let body = response.bytes().await?;
        // Not every answer is JSON: a gateway in between says what it has to say in HTML.
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Ok(Reply { status, retry_after, body })
    }
}

/// What a fault means to whoever asks about a task that there is.
fn unavailable(fault: Fault) -> VendorUnavailable {
    match fault {
        Fault::Busy { retry_after } => VendorUnavailable::Busy { retry_after },
        Fault::Broken { code } => VendorUnavailable::Answer(code),
        Fault::Account { code } => {
            Metric::VendorAccountErrors.count(1);
            VendorUnavailable::Answer(code)
        }
        Fault::Refused { reason } => VendorUnavailable::Answer(reason),
    }
}

impl ImageKind {
    const fn label(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
        }
    }
}
