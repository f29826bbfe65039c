use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    CollaborationEntry, Created, FieldUpdates, InvalidData, OrderIndex, Timestamp, VideoStatus, Workspace,
    WorkspaceId,
};

/// What a client's frame is answered with (contract §3).
#[derive(Debug, Serialize)]
#[serde(tag = "type", content = "data")]
pub enum Answer {
    /// To `ping`.
    #[serde(rename = "pong")]
    Pong {},
    /// To `workspace.create`.
    #[serde(rename = "workspace.created")]
    Created(Created),
    /// To `workspace.update`: it is stored.
    #[serde(rename = "workspace.sync_confirm")]
    SyncConfirm {
        /// The workspace.
        workspace_id: WorkspaceId,
        /// Its time after the update.
        updated_at: Timestamp,
    },
    /// To `workspace.delete`.
    #[serde(rename = "workspace.deleted")]
    Deleted {
        /// The workspace.
        workspace_id: WorkspaceId,
    },
    /// To `workspace.reorder`.
    #[serde(rename = "workspace.reorder_confirm")]
    ReorderConfirm {
        /// Always true: a reorder that failed is an error.
        success: bool,
    },
    /// To `video.cancel`: it is no longer made.
    #[serde(rename = "video.cancelled")]
    VideoCancelled {
        /// The workspace.
        workspace_id: WorkspaceId,
    },
    /// To what could not be done.
    #[serde(rename = "error")]
    Error {
        /// For people, in Chinese.
        message: String,
        /// For programs.
        code: ErrorCode,
        /// What it is about.
        context: Map<String, Value>,
    },
}

/// The codes of an `error` frame (contract §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// No such workspace for this owner.
    WorkspaceNotFound,
    /// The frame is not what the contract allows.
    InvalidData,
    /// The database failed; the same frame may be sent again.
    DbError,
    /// The workspace has changed since `client_timestamp`.
    Conflict,
    /// The connection's token has expired, or nobody knows any more whose connection it is.
    Unauthorized,
    /// Too many frames came on the connection.
    RateLimited,
}

/// As much of a client's own words as an answer shows: a path of the contract is half as long, and an answer that no message holds
/// would be none.
const MAX_ECHO_CHARS: usize = 600;

fn clipped(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_ECHO_CHARS) {
        text.replace_range(end.., "…");
    }
    text
}

impl Answer {
    /// The answer to a frame that is wrong.
    pub fn invalid(fault: InvalidData) -> Self {
        let mut context = Map::from_iter([("field".to_owned(), fault.field.into())]);
        if let Some(path) = fault.path {
            context.insert("path".to_owned(), clipped(path).into());
        }
        Self::Error { message: clipped(fault.message), code: ErrorCode::InvalidData, context }
    }

    /// The answer to a frame about a workspace that isn't there; `id` is the client's own text.
    pub fn workspace_not_found(id: String) -> Self {
        Self::Error {
            message: "工作空间不存在".to_owned(),
            code: ErrorCode::WorkspaceNotFound,
            context: Map::from_iter([("workspace_id".to_owned(), clipped(id).into())]),
        }
    }

    /// The answer to a frame whose `client_timestamp` is older than the workspace.
    pub fn conflict(id: WorkspaceId, updated_at: Timestamp) -> Self {
        Self::changed("工作空间已被修改，请加载最新内容后重试", id, updated_at)
    }

    /// The answer to a cancellation where nothing is being made.
    pub fn nothing_to_cancel(id: WorkspaceId, updated_at: Timestamp) -> Self {
        Self::changed("没有正在生成的视频，无需取消", id, updated_at)
    }

    fn changed(message: &str, id: WorkspaceId, updated_at: Timestamp) -> Self {
        Self::Error {
            message: message.to_owned(),
            code: ErrorCode::Conflict,
            context: Map::from_iter([
                ("workspace_id".to_owned(), id.to_string().into()),
                ("updated_at".to_owned(), updated_at.to_string().into()),
            ]),
        }
    }

    /// The answer to a frame of a connection whose owner isn't known, or no more.
    pub fn unauthorized() -> Self {
        Self::Error {
            message: "登录已失效，请重新登录并重新连接".to_owned(),
            code: ErrorCode::Unauthorized,
            context: Map::new(),
        }
    }

    /// The answer to a frame that came too soon after too many others.
    pub fn rate_limited(retry_after_seconds: u32) -> Self {
        Self::Error {
            message: format!("消息过于频繁，请在 {retry_after_seconds} 秒后重试"),
            code: ErrorCode::RateLimited,
            context: Map::from_iter([("retry_after_seconds".to_owned(), retry_after_seconds.into())]),
        }
    }

    /// The answer to a frame that the database failed on.
    pub fn database_failed() -> Self {
        Self::Error {
            message: "数据库操作失败，请稍后重试".to_owned(),
            code: ErrorCode::DbError,
            context: Map::new(),
        }
    }

    /// The frame, as text. `request_id` is that of the frame that is answered.
    pub fn to_frame(&self, request_id: Option<&str>) -> String {
        frame(self, request_id)
    }
}

/// What the owner's other connections are told, or all of them (contract §3).
#[derive(Debug, Serialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// There is a new workspace.
    #[serde(rename = "workspace.created")]
    Created {
        /// What its creator was told.
        #[serde(flatten)]
        created: Created,
        /// All of it.
        workspace: Box<Workspace>,
    },
    /// Paths of a workspace have new values.
    #[serde(rename = "workspace.updated")]
    Updated {
        /// The workspace.
        workspace_id: WorkspaceId,
        /// The leaves that were applied.
        updates: FieldUpdates,
        /// Its time after the update.
        updated_at: Timestamp,
    },
    /// A workspace is gone.
    #[serde(rename = "workspace.deleted")]
    Deleted {
        /// The workspace.
        workspace_id: WorkspaceId,
    },
    /// Workspaces have new places.
    #[serde(rename = "workspace.reordered")]
    Reordered {
        /// The places that were applied, by id.
        #[serde(serialize_with = "as_map")]
        reorder_map: Vec<(WorkspaceId, OrderIndex)>,
    },
    /// A video got on.
    #[serde(rename = "video.status_update")]
    VideoStatus {
        /// The workspace.
        workspace_id: WorkspaceId,
        /// Where its video is.
        status: VideoStatus,
        /// Where a completed one can be watched.
        #[serde(skip_serializing_if = "Option::is_none")]
        video_url: Option<String>,
        /// Why a failed one failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// The workspace's time after the change.
        updated_at: Timestamp,
    },
    /// The AI proposed something.
    #[serde(rename = "ai.suggested")]
    Suggested {
        /// The workspace.
        workspace_id: WorkspaceId,
        /// What was asked and proposed.
        entry: CollaborationEntry,
        /// The workspace's time after the change.
        updated_at: Timestamp,
    },
}

impl Event {
    /// The frames that tell it, as text: one, unless an update is larger than a message may be. A push carries no
    /// `request_id`.
    pub fn to_frames(&self) -> Vec<String> {
        let whole = frame(self, None);
        match self {
            // Objects are taken apart into leaves, so that a frame that came in 32 KB may go out as several times that.
            Self::Updated { workspace_id, updates, updated_at } if whole.len() > MAX_MESSAGE_BYTES => {
                let (workspace_id, updated_at) = (*workspace_id, *updated_at);
                let part = |updates| frame(&Self::Updated { workspace_id, updates, updated_at }, None);
                updates.parts(MAX_MESSAGE_BYTES).into_iter().map(part).collect()
            }
            _ => vec![whole],
        }
    }
}

/// What the leaves of one message may take: the gateway's 128 KB (contract §4), less the rest of the frame.
const MAX_MESSAGE_BYTES: usize = 127 * 1024;

fn frame(body: &impl Serialize, request_id: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Frame<'a, T> {
        #[serde(flatten)]
        body: &'a T,
        timestamp: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a str>,
    }
    let frame = Frame { body, timestamp: Timestamp::now().millis(), request_id };
    // Every key is a string and every number finite, so there is nothing that could fail.
    serde_json::to_string(&frame).unwrap_or_default()
}

fn as_map<S: serde::Serializer>(
    places: &[(WorkspaceId, OrderIndex)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(places.iter().map(|(id, index)| (id, index)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(frame: &str) -> Value {
        let mut frame: Value = serde_json::from_str(frame).unwrap();
        assert!(frame["timestamp"].take().is_i64());
        frame
    }

    #[test]
    fn answers_carry_the_request_id_and_pushes_do_not() {
        assert_eq!(
            read(&Answer::Pong {}.to_frame(Some("r1"))),
            json!({"type": "pong", "data": {}, "timestamp": null, "request_id": "r1"})
        );
        let workspace_id = "00ff10a2b3c4d5e6f7081920".parse().unwrap();
        assert_eq!(
            read(&Event::Deleted { workspace_id }.to_frames()[0]),
            json!({"type": "workspace.deleted", "data": {"workspace_id": "00ff10a2b3c4d5e6f7081920"}, "timestamp": null})
        );
    }

    #[test]
    fn a_creation_is_pushed_with_the_whole_workspace() {
        let id = "00ff10a2b3c4d5e6f7081920".parse().unwrap();
        let at = Timestamp::from_millis(0);
        let created = Created { workspace_id: id, order_index: OrderIndex::FIRST, created_at: at };
        let workspace = Box::new(Workspace::new(id, OrderIndex::FIRST, at));
        let frame = read(&Event::Created { created, workspace }.to_frames()[0]);
        assert_eq!(frame["data"]["workspace_id"], "00ff10a2b3c4d5e6f7081920");
        assert_eq!(frame["data"]["created_at"], "1970-01-01T00:00:00.000Z");
        assert_eq!(frame["data"]["workspace"]["_id"], frame["data"]["workspace_id"]);
    }

    #[test]
    fn errors_name_the_field_and_the_path() {
        let answer = Answer::invalid(InvalidData::at_path("form_data.$", "x"));
        let frame = read(&answer.to_frame(None));
        assert_eq!(frame["data"]["code"], "INVALID_DATA");
        assert_eq!(frame["data"]["context"], json!({"field": "updates", "path": "form_data.$"}));
    }

    #[test]
    fn an_update_that_no_message_holds_is_told_in_parts() {
        let leaves = (0..1_000).map(|n| (format!("{}{n}", "x".repeat(60)), json!(n))).collect::<Map<_, _>>();
        let written = json!({"form_data": {"a".repeat(60): {"b".repeat(60): leaves}}});
        let raw = serde_json::value::to_raw_value(&written).unwrap();
        let updates = FieldUpdates::parse(&raw).unwrap();
        let workspace_id = "00ff10a2b3c4d5e6f7081920".parse().unwrap();
        let event = Event::Updated { workspace_id, updates, updated_at: Timestamp::from_millis(0) };
        let frames = event.to_frames();
        assert!(frames.len() > 1 && frames.iter().all(|frame| frame.len() < 128 * 1024), "{}", frames.len());
        let told = frames.iter().map(|frame| read(frame)["data"]["updates"].as_object().unwrap().len());
        assert_eq!(told.sum::<usize>(), 1_000);
    }

    #[test]
    fn a_reorder_is_a_map_by_id() {
        let places = vec![("00ff10a2b3c4d5e6f7081920".parse().unwrap(), OrderIndex::FIRST)];
        let frame = read(&Event::Reordered { reorder_map: places }.to_frames()[0]);
        assert_eq!(frame["data"], json!({"reorder_map": {"00ff10a2b3c4d5e6f7081920": 0}}));
    }
}
