//! The plain protocol, in the shape of the real ones: `POST /tasks` → `{"id"}`, `GET /tasks/{id}` →
//! `{"status": "queued" | "running" | "succeeded" | "failed", "video_url"?, "error"?: {"code", "message"}}`, `DELETE /tasks/{id}`.
//!
//! It is what the local stack simulates unless it is told otherwise, and what a gateway of one's own may speak.

use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    prompt::picture_uri,
    protocol::{Call, FAILED, Fault, Picture, PictureLimits, Protocol, Reply, TaskState, in_chinese},
};
use crate::model::{GenerationId, InvalidData, MotionParams};

pub(super) struct Plain;

impl Protocol for Plain {
    fn usual_base_url(&self) -> &'static str {
        ""
    }

    fn picture_limits(&self) -> Option<PictureLimits> {
        None
    }

    fn order(&self, picture: &Picture, params: &MotionParams) -> Result<Map<String, Value>, InvalidData> {
        let text = |text: &Option<String>| Value::from(text.as_deref().unwrap_or_default());
        Ok(Map::from_iter([
            ("image_url".to_owned(), picture_uri(picture).into()),
            ("prompt".to_owned(), text(&params.motion_prompt)),
            ("camera_movement".to_owned(), text(&params.camera_movement)),
            ("shot_type".to_owned(), text(&params.shot_type)),
            ("lighting".to_owned(), text(&params.lighting)),
        ]))
    }

    fn create(&self, mut order: Map<String, Value>, generation: &GenerationId) -> Call {
        order.insert("client_task_id".to_owned(), json!(generation));
        Call::post("/tasks", order)
    }

    fn created(&self, reply: &Reply) -> Result<String, Fault> {
        match reply.status {
            status if status.is_success() => reply.id("/id").ok_or_else(|| reply.broken()),
            _ => Err(match reply.fault_by_status() {
                Fault::Refused { reason } => {
                    Fault::Refused { reason: in_chinese(reply.text("/error/message"), &reason) }
                }
                other => other,
            }),
        }
    }

    fn query(&self, task_id: &str) -> Call {
        Call::get(format!("/tasks/{task_id}"))
    }

    fn state(&self, reply: &Reply) -> Result<TaskState, Fault> {
        if reply.status != StatusCode::OK {
            return Err(reply.fault_by_status());
        }
        Ok(match reply.text("/status") {
            "queued" | "running" => TaskState::Running,
            "succeeded" => TaskState::succeeded(Some(reply.text("/video_url"))),
            "failed" => TaskState::Failed { reason: in_chinese(reply.text("/error/message"), FAILED) },
            "" => return Err(reply.broken()),
            other => TaskState::unknown(other),
        })
    }

    fn cancel(&self, task_id: &str) -> Option<Call> {
        Some(Call::delete(format!("/tasks/{task_id}")))
    }
}
