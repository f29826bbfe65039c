//! What differs between vendors, and what their answers come down to.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Method, StatusCode, Url};
use serde_json::{Map, Value};

use crate::model::{GenerationId, ImageBounds, ImageHeader, ImageKind, InvalidData, MotionParams};

/// As much of a vendor's word as fits a frame and a card on the board.
const MAX_REASON_CHARS: usize = 500;

/// A request to the vendor: a path below its base address, and a body of JSON.
pub(super) struct Call {
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
}

impl Call {
    pub fn get(path: String) -> Self {
        Self { method: Method::GET, path, body: None }
    }

    pub fn delete(path: String) -> Self {
        Self { method: Method::DELETE, path, body: None }
    }

    pub fn post(path: &str, body: Map<String, Value>) -> Self {
        Self { method: Method::POST, path: path.to_owned(), body: Some(Value::Object(body)) }
    }
}

/// What the vendor answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: StatusCode,
    pub retry_after: Option<Duration>,
    /// `null` where it is not JSON.
    pub body: Value,
}

impl Reply {
    /// Text in the answer, by JSON pointer; empty where there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The id in the answer, which some vendors write as a number.
    pub fn id(&self, pointer: &str) -> Option<String> {
        match self.body.pointer(pointer)? {
            Value::String(id) if !id.is_empty() => Some(id.clone()),
            Value::Number(id) => Some(id.to_string()),
            _ => None,
        }
    }

    /// That what came is no answer to the question: nobody knows what it means.
    pub fn broken(&self) -> Fault {
        Fault::Broken { code: self.status.to_string() }
    }

    pub const fn busy(&self) -> Fault {
        Fault::Busy { retry_after: self.retry_after }
    }

    /// What a status says where the vendor has no code.
    pub fn fault_by_status(&self) -> Fault {
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => self.busy(),
            StatusCode::UNAUTHORIZED
            | StatusCode::PAYMENT_REQUIRED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND => Fault::Account { code: self.status.to_string() },
            StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::UNPROCESSABLE_ENTITY => Fault::refused("视频生成服务拒绝了请求"),
            // Others, a 503 among them, may be a proxy's word after the request was passed on.
            _ => self.broken(),
        }
    }
}

/// What an answer comes down to that is not the one hoped for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Final, and up to the person: words or a picture that are not taken. `reason` is in Chinese.
    Refused { reason: String },
    /// Final, and up to whoever runs this: key, money, model, options.
    Account { code: String },
    /// Passing, and nothing was done.
    Busy { retry_after: Option<Duration> },
    /// Passing, and nobody knows what was done.
    Broken { code: String },
}

impl Fault {
    pub fn refused(reason: &str) -> Self {
        Self::Refused { reason: reason.to_owned() }
    }

    pub fn account(code: &str) -> Self {
        Self::Account { code: code.to_owned() }
    }
}

/// Told where the words were not let through.
pub(super) const WORDS_REFUSED: &str = "描述未通过视频服务的内容审核，请修改后重试";
/// Told where the picture was not let through.
pub(super) const PICTURE_REFUSED: &str = "图片未通过视频服务的内容审核，请更换图片";
/// Told where either was not let through, and it isn't said which.
pub(super) const CONTENT_REFUSED: &str = "内容未通过视频服务的审核，请修改描述或更换图片";
/// Told where the video was made and then not let through.
pub(super) const VIDEO_REFUSED: &str = "生成的视频未通过内容审核，请修改描述后重试";
/// Told where the picture can't be used.
pub(super) const PICTURE_UNUSABLE: &str = "视频服务无法使用这张图片，请更换图片";
/// Told where there is no more to say.
pub(super) const FAILED: &str = "视频生成失败，请稍后重试";
/// Told where the task ended as it should, with nothing.
pub(super) const NO_VIDEO: &str = "视频服务没有给出视频";
/// Told where the vendor's side ended the task.
pub(super) const ENDED_BY_VENDOR: &str = "视频服务取消了任务，请重试";

/// A vendor's own words where they are Chinese, `otherwise` where they would be no help to whoever reads the board.
pub(super) fn in_chinese(words: &str, otherwise: &str) -> String {
    let is_chinese = words.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
    if is_chinese { words.chars().take(MAX_REASON_CHARS).collect() } else { otherwise.to_owned() }
}

/// How a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// It has not ended.
    Running,
    /// The vendor says something new, which counts as running.
    Unknown {
        /// What it says.
        state: String,
    },
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

impl TaskState {
    pub(super) fn failed(reason: &str) -> Self {
        Self::Failed { reason: reason.to_owned() }
    }

    pub(super) fn unknown(state: &str) -> Self {
        Self::Unknown { state: state.chars().take(64).collect() }
    }

    /// Success, if there is an address that a page may follow: what cannot be kept is shown where the vendor has it.
    pub(super) fn succeeded(url: Option<&str>) -> Self {
        let is_of_web = |url: &str| Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        match url.filter(|url| is_of_web(url)) {
            Some(url) => Self::Succeeded { url: url.to_owned() },
            None => Self::failed(NO_VIDEO),
        }
    }
}

/// A picture that a video is to be made of.
#[derive(Debug)]
pub struct Picture {
    /// What it declares.
    pub header: ImageHeader,
    /// How it is handed over.
    pub source: PictureSource,
}

/// How a picture is handed over.
#[derive(Debug)]
pub enum PictureSource {
    /// By an address at which anybody can read it for a while.
    Address(String),
    /// As it is.
    Bytes(Bytes),
}

impl PictureSource {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Address(_) => 0,
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// What pictures a vendor takes that wants the bytes.
pub(super) struct PictureLimits {
    pub kinds: &'static [ImageKind],
    /// Of the picture, before it is written as base64.
    pub max_bytes: usize,
    /// Of its sides. What the vendor says nothing of is left open.
    pub bounds: ImageBounds,
}

/// No bounds of a picture's sides but those of what may be uploaded, `MaxImageSide` at its largest.
pub(super) const ANY_SIDES: ImageBounds =
    ImageBounds { min_side: 1, max_side: 99_999, max_ratio: f64::INFINITY };

/// A vendor's language. It does no I/O.
pub(super) trait Protocol: Send + Sync {
    /// Where the vendor is, if nobody says otherwise; empty where there is no such place.
    fn usual_base_url(&self) -> &'static str;

    /// What it is shown, made of the secret.
    fn token(&self, key: &str) -> String {
        key.to_owned()
    }

    /// What each request carries beside that.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Of pictures that are handed over as they are; `None` where the vendor wants an address.
    fn picture_limits(&self) -> Option<PictureLimits>;

    /// The order of a video, or what the person must change first.
    fn order(&self, picture: &Picture, params: &MotionParams) -> Result<Map<String, Value>, InvalidData>;

    /// Orders.
    fn create(&self, order: Map<String, Value>, generation: &GenerationId) -> Call;

    /// The id of the task in the answer to an order, or to [`Self::find`].
    fn created(&self, reply: &Reply) -> Result<String, Fault>;

    /// Asks about a task.
    fn query(&self, task_id: &str) -> Call;

    /// How the task is.
    fn state(&self, reply: &Reply) -> Result<TaskState, Fault>;

    /// Whether the answer says, in the vendor's own shape, that there is no such task: a 404 alone may be anybody's, and a task that
    /// is taken for gone is paid for nothing.
    fn is_unknown(&self, reply: &Reply) -> bool {
        reply.status == StatusCode::NOT_FOUND && reply.body.get("error").is_some()
    }

    /// Asks for the task by what the order was sent with, where the vendor keeps that.
    fn find(&self, _generation: &GenerationId) -> Option<Call> {
        None
    }

    /// Cancels a task, where the vendor can.
    fn cancel(&self, _task_id: &str) -> Option<Call> {
        None
    }
}
