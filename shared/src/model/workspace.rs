use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{CollaborationEntry, InvalidData, Owner, RequestKey, Timestamp, Video, hex};

/// The id of a workspace: 24 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkspaceId([u8; 12]);

impl WorkspaceId {
    /// The id of the workspace that `request` of `owner` creates: a repeat of the request finds it by this id.
    pub fn derive(owner: &Owner, request: RequestKey) -> Self {
        let digest =
            Sha256::new().chain_update(owner.as_str()).chain_update([0]).chain_update(request.as_bytes());
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&digest.finalize()[..12]);
        Self(bytes)
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// The bytes that the digits stand for.
    pub const fn to_bytes(self) -> [u8; 12] {
        self.0
    }
}

/// The text is no id, so there is no such workspace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a workspace")]
pub struct ParseWorkspaceIdError;

impl FromStr for WorkspaceId {
    type Err = ParseWorkspaceIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.as_bytes();
        if digits.len() != 24 {
            return Err(ParseWorkspaceIdError);
        }
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(ParseWorkspaceIdError),
        };
        let mut bytes = [0; 12];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl Serialize for WorkspaceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WorkspaceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A place on the board: an integer from 0 to 1,000,000 (contract §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct OrderIndex(i32);

impl OrderIndex {
    const MAX: i32 = 1_000_000;

    /// The place of the first workspace on an empty board.
    pub const FIRST: Self = Self(0);

    /// `value` as a place; `field` is what the client calls it.
    pub fn new(value: i64, field: &str) -> Result<Self, InvalidData> {
        match i32::try_from(value) {
            Ok(index @ 0..=Self::MAX) => Ok(Self(index)),
            _ => Err(InvalidData::new(field, format!("{field} 必须是 0 到 {} 之间的整数", Self::MAX))),
        }
    }

    /// The place after this one; the last place has none after it.
    pub fn next(self) -> Self {
        Self((self.0 + 1).min(Self::MAX))
    }

    /// The number.
    pub const fn get(self) -> i32 {
        self.0
    }

    /// The place that was stored as `value`.
    pub const fn from_stored(value: i32) -> Self {
        Self(value)
    }
}

/// A workspace, in the shape in which the contract shows it (§2).
#[derive(Clone, Debug, Serialize)]
pub struct Workspace {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: WorkspaceId,
    /// Its place on the board.
    pub order_index: OrderIndex,
    /// `uploads/<name>` of its picture.
    pub image_path: Option<String>,
    /// `/api/uploads/<name>` of its picture.
    pub image_url: Option<String>,
    /// The form: `camera_movement`, `shot_type`, `lighting`, `motion_prompt`, `checkboxes`, and names of the page's own.
    pub form_data: Map<String, Value>,
    /// Its newest video.
    pub video: Video,
    /// What was asked of the AI and what it proposed, oldest first.
    pub ai_collaboration: Vec<CollaborationEntry>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Strictly increases with every change.
    pub updated_at: Timestamp,
}

impl Workspace {
    /// A new, empty workspace (contract §2).
    pub fn new(id: WorkspaceId, order_index: OrderIndex, created_at: Timestamp) -> Self {
        let empty = || Value::String(String::new());
        let form_data = [
            ("camera_movement", empty()),
            ("shot_type", empty()),
            ("lighting", empty()),
            ("motion_prompt", empty()),
            ("checkboxes", Value::Object(Map::new())),
        ];
        Self {
            id,
            order_index,
            image_path: None,
            image_url: None,
            form_data: form_data.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(),
            video: Video::default(),
            ai_collaboration: Vec::new(),
            created_at,
            updated_at: created_at,
        }
    }
}

/// What a `workspace.create` made, as its first answer said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Created {
    /// The new workspace.
    pub workspace_id: WorkspaceId,
    /// The place that it was created at.
    pub order_index: OrderIndex,
    /// When.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_24_lower_case_hex_digits() {
        let text = "00ff10a2b3c4d5e6f7081920";
        assert_eq!(text.parse::<WorkspaceId>().unwrap().to_string(), text);
        for bad in [
            "",
            "xxx",
            "00FF10a2b3c4d5e6f7081920",
            "00ff10a2b3c4d5e6f708192",
            "00ff10a2b3c4d5e6f70819201",
            "é0ff10a2b3c4d5e6f708192",
        ] {
            assert_eq!(bad.parse::<WorkspaceId>(), Err(ParseWorkspaceIdError), "{bad}");
        }
    }

    #[test]
    fn places_end_at_a_million() {
        assert!(OrderIndex::new(-1, "order_index").is_err());
        assert!(OrderIndex::new(1_000_001, "order_index").is_err());
        let last = OrderIndex::new(1_000_000, "order_index").unwrap();
        assert_eq!(last.next(), last);
        assert_eq!(OrderIndex::FIRST.next().get(), 1);
    }

    #[test]
    fn a_new_workspace_has_the_shape_of_the_contract() {
        let id = "00ff10a2b3c4d5e6f7081920".parse().unwrap();
        let workspace = Workspace::new(id, OrderIndex::FIRST, Timestamp::from_millis(0));
        assert_eq!(
            serde_json::to_value(workspace).unwrap(),
            json!({
                "_id": "00ff10a2b3c4d5e6f7081920", "order_index": 0, "image_path": null, "image_url": null,
                "form_data": {"camera_movement": "", "shot_type": "", "lighting": "", "motion_prompt": "", "checkboxes": {}},
                "video": {"status": "pending", "task_id": null, "url": null, "error": null, "history": []},
                "ai_collaboration": [], "created_at": "1970-01-01T00:00:00.000Z", "updated_at": "1970-01-01T00:00:00.000Z"
            })
        );
    }
}
