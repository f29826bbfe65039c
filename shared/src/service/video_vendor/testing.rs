//! What the tests of all protocols use.

use bytes::Bytes;
use reqwest::StatusCode;
use serde_json::Value;

use super::protocol::{Picture, PictureSource, Reply};
use crate::model::{ImageHeader, ImageKind, MotionParams};

pub const PNG_URI: &str = "data:image/png;base64,AAEC";

pub fn png() -> Picture {
    let header = ImageHeader { kind: ImageKind::Png, width: 640, height: 640 };
    Picture { header, source: PictureSource::Bytes(Bytes::from_static(&[0, 1, 2])) }
}

pub fn params(camera_movement: &str, motion_prompt: &str) -> MotionParams {
    MotionParams {
        camera_movement: Some(camera_movement.to_owned()),
        motion_prompt: Some(motion_prompt.to_owned()),
        ..MotionParams::default()
    }
}

pub fn reply(status: u16, body: Value) -> Reply {
    Reply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body }
}
