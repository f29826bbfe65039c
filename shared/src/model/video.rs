use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    InvalidData, Members, Timestamp,
    update::{MAX_PARAM_CHARS, PARAM_NAMES},
};

/// Where a workspace's video is (contract §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VideoStatus {
    /// Nothing was asked for yet.
    #[default]
    Pending,
    /// The vendor is at it.
    Generating,
    /// There is a video.
    Completed,
    /// There will be none.
    Failed,
}

impl VideoStatus {
    /// The status as it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Generating => "generating",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// The newest video of a workspace, and those before it (contract §2, §7).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Video {
    /// Where it is.
    pub status: VideoStatus,
    /// The vendor's task, once it is known.
    pub task_id: Option<String>,
    /// Where a completed one can be watched.
    pub url: Option<String>,
    /// Why a failed one failed, in Chinese.
    pub error: Option<String>,
    /// The finished videos before it, oldest first: the newest 10.
    pub history: Vec<Take>,
}

impl Video {
    /// Where each of its videos can be watched.
    pub fn urls_mut(&mut self) -> impl Iterator<Item = &mut String> {
        self.url.iter_mut().chain(self.history.iter_mut().map(|take| &mut take.url))
    }
}

/// An earlier video of a workspace (contract §7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Take {
    /// The vendor's task.
    pub task_id: Option<String>,
    /// Where it can be watched.
    pub url: String,
    /// When it was finished.
    pub created_at: Timestamp,
}

/// One generation of a video: what every later write of it is conditional on. Also the name of its execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GenerationId(String);

impl GenerationId {
    /// A new one.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for GenerationId {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// The parameters of a shot, each at most 2,000 characters. What is `None` is taken from the workspace's form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MotionParams {
    /// Camera movement, such as 推进.
    pub camera_movement: Option<String>,
    /// Shot type, such as 特写.
    pub shot_type: Option<String>,
    /// Lighting, such as 自然光.
    pub lighting: Option<String>,
    /// What moves, and how.
    pub motion_prompt: Option<String>,
}

impl MotionParams {
    /// Reads those that `members` holds.
    pub fn parse(members: Members<'_>) -> Result<Self, InvalidData> {
        let [camera_movement, shot_type, lighting, motion_prompt] = PARAM_NAMES.map(|name| {
            let text = members.optional_str(name)?;
            if text.is_some_and(|text| text.chars().count() > MAX_PARAM_CHARS) {
                return Err(InvalidData::new(name, format!("{name} 不能超过 {MAX_PARAM_CHARS} 个字符")));
            }
            Ok(text.map(str::to_owned))
        });
        Ok(Self {
            camera_movement: camera_movement?,
            shot_type: shot_type?,
            lighting: lighting?,
            motion_prompt: motion_prompt?,
        })
    }

    /// With what is missing taken from `form_data` (contract §6).
    pub fn or_form(self, form_data: &Map<String, Value>) -> Self {
        let filled =
            |given: Option<String>, name| given.or_else(|| form_data.get(name)?.as_str().map(str::to_owned));
        Self {
            camera_movement: filled(self.camera_movement, "camera_movement"),
            shot_type: filled(self.shot_type, "shot_type"),
            lighting: filled(self.lighting, "lighting"),
            motion_prompt: filled(self.motion_prompt, "motion_prompt"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_form_fills_in_what_is_missing() {
        let given = json!({"camera_movement": "环绕", "lighting": null});
        let form =
            json!({"camera_movement": "推进", "lighting": "逆光", "motion_prompt": "", "shot_type": 3});
        let params = MotionParams::parse(Members::of(&given, "params").unwrap()).unwrap();
        assert_eq!(
            params.or_form(form.as_object().unwrap()),
            MotionParams {
                camera_movement: Some("环绕".into()),
                shot_type: None,
                lighting: Some("逆光".into()),
                motion_prompt: Some(String::new()),
            }
        );
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        let given = json!({"shot_type": ["x"]});
        let fault = MotionParams::parse(Members::of(&given, "params").unwrap()).unwrap_err();
        assert_eq!(fault.field, "shot_type");
    }
}
