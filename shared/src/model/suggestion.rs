use serde::{Deserialize, Serialize};

use super::{InvalidData, Timestamp};

/// What a person asks of the AI: 1 to 4,000 characters (contract §6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct UserInput(String);

impl UserInput {
    const MAX_CHARS: usize = 4_000;

    /// `text`, if it is neither empty nor too long.
    pub fn new(text: &str) -> Result<Self, InvalidData> {
        if text.is_empty() || text.chars().count() > Self::MAX_CHARS {
            let message = format!("user_input 必须是 1 到 {} 个字符", Self::MAX_CHARS);
            return Err(InvalidData::new("user_input", message));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the AI proposes: new values for some of the parameters, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestions {
    /// Another camera movement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera_movement: Option<String>,
    /// Another shot type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shot_type: Option<String>,
    /// Another lighting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lighting: Option<String>,
    /// Another motion prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub motion_prompt: Option<String>,
    /// Why.
    pub reasoning: String,
}

/// One exchange with the AI, as a workspace keeps it.
#[derive(Clone, Debug, Serialize)]
pub struct CollaborationEntry {
    /// What was asked.
    pub user_input: String,
    /// What was proposed.
    pub suggestions: Suggestions,
    /// When.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_count_not_bytes() {
        assert!(UserInput::new("").is_err());
        assert!(UserInput::new(&"字".repeat(4_000)).is_ok());
        assert!(UserInput::new(&"字".repeat(4_001)).is_err());
    }
}
