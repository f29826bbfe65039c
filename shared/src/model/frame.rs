use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, value::RawValue};

use super::{FieldUpdates, InvalidData, Members, OrderIndex, Timestamp, WorkspaceId};

/// How far a client's clock may be ahead of the server's (contract §6): 5 minutes, in milliseconds.
const MAX_CLOCK_LEAD_MS: i64 = 5 * 60 * 1000;
const MAX_ID_CHARS: usize = 64;

/// A frame of a client that is what the contract allows (§3, §6).
#[derive(Debug, PartialEq)]
pub struct Frame {
    /// Carried by whatever answers the frame.
    pub request_id: Option<String>,
    /// The tab or device.
    pub client_id: Option<String>,
    /// When the client sent it, by its own clock; when it was received, if the client doesn't say.
    pub sent_at: Timestamp,
    /// What it asks for.
    pub command: Command,
}

/// What a frame asks for.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Is anybody there?
    Ping,
    /// Make a workspace, by default after the last one.
    Create {
        /// Its place.
        order_index: Option<OrderIndex>,
    },
    /// Write some paths.
    Update {
        /// The workspace.
        workspace_id: WorkspaceId,
        /// The leaves.
        updates: FieldUpdates,
        /// Refuse if the workspace has changed since.
        unchanged_since: Option<Timestamp>,
    },
    /// Remove a workspace.
    Delete {
        /// The workspace.
        workspace_id: WorkspaceId,
    },
    /// Make no video any more.
    CancelVideo {
        /// The workspace.
        workspace_id: WorkspaceId,
    },
    /// Put workspaces in other places, all or none. Never empty.
    Reorder {
        /// The new places.
        places: Vec<(WorkspaceId, OrderIndex)>,
    },
}

impl Command {
    /// The `type` of the frame.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Create { .. } => "workspace.create",
            Self::Update { .. } => "workspace.update",
            Self::Delete { .. } => "workspace.delete",
            Self::CancelVideo { .. } => "video.cancel",
            Self::Reorder { .. } => "workspace.reorder",
        }
    }
}

/// A frame that can't be carried out, whatever is stored.
#[derive(Debug, PartialEq)]
pub struct RejectedFrame {
    /// The frame's, where it could be read.
    pub request_id: Option<String>,
    /// Why.
    pub refusal: Refusal,
}

/// Why a frame can't be carried out.
#[derive(Debug, PartialEq)]
pub enum Refusal {
    /// It is not what the contract allows.
    Invalid(InvalidData),
    /// It is valid but names a workspace by a text that is no id.
    UnknownWorkspace(String),
}

impl From<InvalidData> for Refusal {
    fn from(fault: InvalidData) -> Self {
        Self::Invalid(fault)
    }
}

/// The members beside `data`, unparsed: a fault in one must not hide the `request_id`.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    request_id: Option<&'a RawValue>,
    #[serde(borrow)]
    client_id: Option<&'a RawValue>,
}

impl Frame {
    /// Reads a text frame that was received at `now`.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, RejectedFrame> {
        let envelope =
            read_envelope(text).map_err(|fault| RejectedFrame { request_id: None, refusal: fault.into() })?;
        let request_id = short_string("request_id", envelope.request_id)
            .map_err(|fault| RejectedFrame { request_id: None, refusal: fault.into() })?;
        match Self::parse_rest(&envelope, now) {
            Ok((client_id, sent_at, command)) => Ok(Self { request_id, client_id, sent_at, command }),
            Err(refusal) => Err(RejectedFrame { request_id, refusal }),
        }
    }

    fn parse_rest(
        envelope: &Envelope<'_>,
        now: Timestamp,
    ) -> Result<(Option<String>, Timestamp, Command), Refusal> {
        let client_id = short_string("client_id", envelope.client_id)?;
        let kind: String =
            read("type", envelope.kind, "字符串")?.ok_or_else(|| InvalidData::new("type", "缺少 type"))?;
        if kind == "ping" {
            // It ignores its own timestamp, and has no data to speak of.
            return match envelope.data {
                Some(data) if !data.get().starts_with('{') => Err(not_an_object().into()),
                _ => Ok((client_id, now, Command::Ping)),
            };
        }
        let sent_at = sent_at(envelope.timestamp, now)?;
        let command = parse_command(&kind, envelope.data)?;
        Ok((client_id, sent_at, command))
    }
}

fn read_envelope(text: &str) -> Result<Envelope<'_>, InvalidData> {
    // serde would read an array as the members in turn.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(InvalidData::new("frame", "消息必须是 JSON 对象"));
    }
    serde_json::from_str(text).map_err(|_| InvalidData::new("frame", "消息不是有效的 JSON"))
}

fn read<T: DeserializeOwned>(
    field: &str,
    raw: Option<&RawValue>,
    kind: &str,
) -> Result<Option<T>, InvalidData> {
    raw.map(|raw| serde_json::from_str(raw.get()))
        .transpose()
        .map_err(|_| InvalidData::new(field, format!("{field} 必须是{kind}")))
}

fn short_string(field: &str, raw: Option<&RawValue>) -> Result<Option<String>, InvalidData> {
    let text: Option<String> = read(field, raw, "字符串")?;
    match &text {
        Some(text) if !(1..=MAX_ID_CHARS).contains(&text.chars().count()) => {
            Err(InvalidData::new(field, format!("{field} 必须是 1 到 {MAX_ID_CHARS} 个字符")))
        }
        _ => Ok(text),
    }
}

fn sent_at(raw: Option<&RawValue>, now: Timestamp) -> Result<Timestamp, InvalidData> {
    match read::<i64>("timestamp", raw, " Unix 毫秒整数")? {
        None => Ok(now),
        Some(millis) if millis < 0 => Err(InvalidData::new("timestamp", "timestamp 不能是负数")),
        Some(millis) if millis > now.millis() + MAX_CLOCK_LEAD_MS => {
            Err(InvalidData::new("timestamp", "timestamp 比服务器时间快 5 分钟以上，请校准时钟"))
        }
        Some(millis) => Ok(Timestamp::from_millis(millis)),
    }
}

fn not_an_object() -> InvalidData {
    InvalidData::new("data", "data 必须是 JSON 对象")
}

fn parse_command(kind: &str, data: Option<&RawValue>) -> Result<Command, Refusal> {
    let members = || -> Result<Value, InvalidData> {
        let data = data.ok_or_else(|| InvalidData::new("data", "缺少 data"))?;
        serde_json::from_str(data.get()).map_err(|_| not_an_object())
    };
    match kind {
        "workspace.create" => {
            let index = Members::of(&members()?, "data")?.optional_integer("order_index")?;
            let order_index = index.map(|index| OrderIndex::new(index, "order_index")).transpose()?;
            Ok(Command::Create { order_index })
        }
        "workspace.update" => parse_update(data),
        "workspace.delete" => {
            let members = members()?;
            let workspace_id = known(Members::of(&members, "data")?.str("workspace_id")?)?;
            Ok(Command::Delete { workspace_id })
        }
        "video.cancel" => {
            let members = members()?;
            let workspace_id = known(Members::of(&members, "data")?.str("workspace_id")?)?;
            Ok(Command::CancelVideo { workspace_id })
        }
        "workspace.reorder" => parse_reorder(Members::of(&members()?, "data")?),
        _ => Err(InvalidData::new("type", "未知的消息类型").into()),
    }
}

/// `updates` stays unparsed until its values are looked at one by one: see [`super::LeafValue::parse`].
fn parse_update(data: Option<&RawValue>) -> Result<Command, Refusal> {
    let data = data.ok_or_else(|| InvalidData::new("data", "缺少 data"))?;
    let mut members: BTreeMap<String, &RawValue> =
        serde_json::from_str(data.get()).map_err(|_| not_an_object())?;
    let updates = members.remove("updates").filter(|raw| raw.get() != "null");
    let mut rest = Map::new();
    for name in ["workspace_id", "client_timestamp"] {
        if let Some(value) = read(name, members.remove(name), "字符串或数字")? {
            rest.insert(name.to_owned(), value);
        }
    }
    let rest = Value::Object(rest);
    let rest = Members::of(&rest, "data")?;
    let id = rest.str("workspace_id")?;
    let unchanged_since = rest.optional_integer("client_timestamp")?.map(Timestamp::from_millis);
    let updates = FieldUpdates::parse(updates.ok_or_else(|| InvalidData::new("updates", "缺少 updates"))?)?;
    Ok(Command::Update { workspace_id: known(id)?, updates, unchanged_since })
}

fn parse_reorder(data: Members<'_>) -> Result<Command, Refusal> {
    let map = data.object("reorder_map")?;
    if map.is_empty() {
        return Err(InvalidData::new("reorder_map", "reorder_map 不能为空").into());
    }
    // What is invalid wins over what is unknown, so all the places are read before the first id.
    let indices = Members::of_map(map);
    let places: Vec<(&String, OrderIndex)> = map
        .keys()
        .map(|id| Ok((id, OrderIndex::new(indices.integer(id)?, id)?)))
        .collect::<Result<_, InvalidData>>()
        .map_err(|fault| InvalidData { field: "reorder_map".to_owned(), path: Some(fault.field), ..fault })?;
    let places = places.into_iter().map(|(id, index)| Ok((known(id)?, index)));
    Ok(Command::Reorder { places: places.collect::<Result<_, Refusal>>()? })
}

fn known(id: &str) -> Result<WorkspaceId, Refusal> {
    id.parse().map_err(|_| Refusal::UnknownWorkspace(id.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "00ff10a2b3c4d5e6f7081920";
    const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);

    fn parse(text: &str) -> Result<Frame, RejectedFrame> {
        Frame::parse(text, NOW)
    }

    fn command(kind: &str, data: Value) -> Result<Command, Refusal> {
        parse(&json!({"type": kind, "data": data}).to_string())
            .map(|frame| frame.command)
            .map_err(|rejected| rejected.refusal)
    }

    #[track_caller]
    fn assert_invalid(kind: &str, data: Value, field: &str) {
        match command(kind, data) {
            Err(Refusal::Invalid(fault)) => assert_eq!(fault.field, field),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_ping_needs_nothing_but_its_type() {
        for text in [
            r#"{"type":"ping"}"#,
            r#"{"type":"ping","data":{},"timestamp":99999999999999}"#,
            r#" {"type":"ping","data":null,"timestamp":"soon"}"#,
        ] {
            assert_eq!(parse(text).unwrap().command, Command::Ping, "{text}");
        }
        assert!(parse(r#"{"type":"ping","data":5}"#).is_err());
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for text in
            ["", "{", "[]", r#"["ping"]"#, "null", "1", r#"{"data":{}}"#, r#"{"type":5}"#, r#"{"type":"x"}"#]
        {
            let rejected = parse(text).expect_err(text);
            assert!(matches!(rejected.refusal, Refusal::Invalid(_)), "{text}");
        }
    }

    #[test]
    fn a_refusal_carries_the_request_id_even_where_a_number_is_no_number() {
        let text = format!(
            r#"{{"type":"workspace.update","request_id":"r1","data":{{"workspace_id":"{ID}","updates":{{"form_data.x":1e400}}}}}}"#
        );
        let rejected = parse(&text).unwrap_err();
        assert_eq!(rejected.request_id.as_deref(), Some("r1"));
        assert_eq!(rejected.refusal, Refusal::Invalid(InvalidData::at_path("form_data.x", "数字超出范围")));
    }

    #[test]
    fn ids_beside_the_data_count_characters() {
        let with = |request_id: &str| parse(&json!({"type": "ping", "request_id": request_id}).to_string());
        assert_eq!(with(&"字".repeat(64)).unwrap().request_id, Some("字".repeat(64)));
        assert!(with(&"字".repeat(65)).is_err());
        assert!(with("").is_err());
        assert!(parse(r#"{"type":"ping","client_id":5}"#).is_err());
        assert_eq!(parse(r#"{"type":"ping","client_id":null}"#).unwrap().client_id, None);
    }

    #[test]
    fn a_timestamp_may_be_missing_but_not_far_ahead() {
        let at = |timestamp: Value| {
            let frame =
                json!({"type": "workspace.delete", "data": {"workspace_id": ID}, "timestamp": timestamp});
            parse(&frame.to_string()).map(|frame| frame.sent_at.millis())
        };
        assert_eq!(at(Value::Null).unwrap(), NOW.millis());
        assert_eq!(at(json!(5)).unwrap(), 5);
        assert_eq!(at(json!(NOW.millis() + 300_000)).unwrap(), NOW.millis() + 300_000);
        for bad in [json!(NOW.millis() + 300_001), json!(-1), json!("5"), json!(1.5), json!(true)] {
            assert!(at(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn commands_read_their_members() {
        assert_eq!(command("workspace.create", json!({})), Ok(Command::Create { order_index: None }));
        assert_eq!(
            command("workspace.create", json!({"order_index": 3})),
            Ok(Command::Create { order_index: Some(OrderIndex::from_stored(3)) })
        );
        assert_invalid("workspace.create", json!({"order_index": "3"}), "order_index");
        assert_invalid("workspace.create", json!({"order_index": 1_000_001}), "order_index");
        assert_invalid("workspace.create", json!([]), "data");
        assert_invalid("workspace.create", Value::Null, "data");
        assert_invalid("workspace.delete", json!({}), "workspace_id");
        assert_invalid("workspace.update", json!({"workspace_id": ID}), "updates");
        assert_invalid("workspace.update", json!({"workspace_id": ID, "updates": null}), "updates");
        assert_invalid(
            "workspace.update",
            json!({"workspace_id": 5, "updates": {"form_data.x": 1}}),
            "workspace_id",
        );
        assert_invalid(
            "workspace.update",
            json!({"workspace_id": ID, "updates": {"form_data.x": 1}, "client_timestamp": "1"}),
            "client_timestamp",
        );
        assert_invalid("workspace.reorder", json!({"reorder_map": {}}), "reorder_map");
        assert_invalid("workspace.reorder", json!({"reorder_map": {ID: null}}), "reorder_map");
        assert_invalid("workspace.reorder", json!({"reorder_map": {ID: -1}}), "reorder_map");
    }

    #[test]
    fn invalid_wins_over_unknown() {
        assert_eq!(
            command("workspace.delete", json!({"workspace_id": "xxx"})),
            Err(Refusal::UnknownWorkspace("xxx".into()))
        );
        assert_invalid(
            "workspace.update",
            json!({"workspace_id": "xxx", "updates": {"video": 1}}),
            "updates",
        );
        assert_invalid("workspace.reorder", json!({"reorder_map": {"xxx": 1, ID: "1"}}), "reorder_map");
        assert_eq!(
            command("workspace.reorder", json!({"reorder_map": {"xxx": 1, ID: 1}})),
            Err(Refusal::UnknownWorkspace("xxx".into()))
        );
    }
}
