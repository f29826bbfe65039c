//! Volcengine Ark: Seedance, image to video. <https://www.volcengine.com/docs/82379/1520757>
//!
//! Its key is a bearer. A task is found by its own id alone, so that an order without an answer stays unknown. Of low confidence, and
//! read tolerantly: whether `expired` is a state or not (the official SDK lacks it), `failure_reason` in place of `error` (an SDK of
//! 2025), the place of moderation codes (refusal or failed task).

use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    prompt::{Language, picture_uri, prompt},
    protocol::{
        CONTENT_REFUSED, Call, ENDED_BY_VENDOR, FAILED, Fault, PICTURE_REFUSED, PICTURE_UNUSABLE, Picture,
        PictureLimits, Protocol, Reply, TaskState, VIDEO_REFUSED, WORDS_REFUSED, in_chinese,
    },
};
use crate::model::{GenerationId, ImageBounds, ImageKind, InvalidData, MotionParams};

const TASKS: &str = "/contents/generations/tasks";
const USUAL_MODEL: &str = "doubao-seedance-1-5-pro-251215";

pub(super) struct Ark {
    model: String,
    options: Map<String, Value>,
}

impl Ark {
    pub fn new(model: &str, options: Map<String, Value>) -> Self {
        Self { model: if model.is_empty() { USUAL_MODEL } else { model }.to_owned(), options }
    }
}

impl Protocol for Ark {
    fn usual_base_url(&self) -> &'static str {
        "https://ark.cn-beijing.volces.com/api/v3"
    }

    fn picture_limits(&self) -> Option<PictureLimits> {
        // Below 30 MB.
        Some(PictureLimits {
            kinds: &[ImageKind::Jpeg, ImageKind::Png, ImageKind::WebP],
            max_bytes: 30_000_000 - 1,
            bounds: ImageBounds { min_side: 300, max_side: 6_000, max_ratio: 2.5 },
        })
    }

    fn order(&self, picture: &Picture, params: &MotionParams) -> Result<Map<String, Value>, InvalidData> {
        // Moves of the camera are words: there is no field for them. Nor is there a length that is refused.
        // Two hyphens would begin a parameter in an older style of prompts, and the price is nothing for a person to set.
        let text = prompt(params, Language::Chinese).replace("--", "——");
        let text = (!text.is_empty()).then(|| json!({"type": "text", "text": text}));
        let image = json!({
            "type": "image_url", "role": "first_frame", "image_url": {"url": picture_uri(picture)},
        });
        let mut order = self.options.clone();
        order.insert("model".to_owned(), self.model.as_str().into());
        order.insert("content".to_owned(), text.into_iter().chain([image]).collect());
        Ok(order)
    }

    fn create(&self, order: Map<String, Value>, _: &GenerationId) -> Call {
        Call::post(TASKS, order)
    }

    fn is_unknown(&self, reply: &Reply) -> bool {
        let code = reply.text("/error/code");
        let is_about_us = ["InvalidEndpoint", "Model"].iter().any(|prefix| code.starts_with(prefix));
        reply.status == StatusCode::NOT_FOUND && !code.is_empty() && !is_about_us
    }

    fn created(&self, reply: &Reply) -> Result<String, Fault> {
        if reply.status.is_success() {
            return reply.id("/id").ok_or_else(|| reply.broken());
        }
        Err(fault(reply))
    }

    fn query(&self, task_id: &str) -> Call {
        Call::get(format!("{TASKS}/{task_id}"))
    }

    fn state(&self, reply: &Reply) -> Result<TaskState, Fault> {
        if reply.status != StatusCode::OK {
            return Err(fault(reply));
        }
        Ok(match reply.text("/status") {
            "queued" | "running" => TaskState::Running,
            "succeeded" => TaskState::succeeded(Some(reply.text("/content/video_url"))),
            "failed" => {
                let refused = refusal(reply.text("/error/code"), reply.text("/error/param"));
                let words = [reply.text("/error/message"), reply.text("/failure_reason")].concat();
                match refused {
                    Some(reason) => TaskState::failed(reason),
                    None => TaskState::Failed { reason: in_chinese(&words, FAILED) },
                }
            }
            "cancelled" => TaskState::failed(ENDED_BY_VENDOR),
            "expired" => TaskState::failed("视频服务排队超时，请稍后重试"),
            "" => return Err(reply.broken()),
            other => TaskState::unknown(other),
        })
    }

    /// Only a task that still waits can be cancelled; others are refused, which is as good.
    fn cancel(&self, task_id: &str) -> Option<Call> {
        Some(Call::delete(format!("{TASKS}/{task_id}")))
    }
}

/// What is up to the person, by code: its further parts, after points, are diagnostic.
fn refusal(code: &str, parameter: &str) -> Option<&'static str> {
    Some(match code {
        _ if code.starts_with("InputTextSensitiveContentDetected")
            || code.starts_with("InputTextRiskDetection") =>
        {
            WORDS_REFUSED
        }
        _ if code.contains("PrivacyInformation") => "图片中可能有真人面孔，视频服务不接受，请更换图片",
        _ if code.starts_with("InputImageSensitiveContentDetected")
            || code.starts_with("InputImageRiskDetection") =>
        {
            PICTURE_REFUSED
        }
        _ if code.starts_with("Output") => VIDEO_REFUSED,
        _ if code.starts_with("Input") => CONTENT_REFUSED,
        _ if code.starts_with("InvalidParameter") && parameter.contains("image") => PICTURE_UNUSABLE,
        _ => return None,
    })
}

fn fault(reply: &Reply) -> Fault {
    let (code, parameter) = (reply.text("/error/code"), reply.text("/error/param"));
    match (reply.status.as_u16(), refusal(code, parameter)) {
        (400, Some(reason)) => Fault::refused(reason),
        // The free quota is gone, or a cap of one's own is reached: that doesn't pass by itself.
        (429, _) if code.starts_with("QuotaExceeded") || code.starts_with("SetLimitExceeded") => {
            Fault::account(code)
        }
        (429, _) => reply.busy(),
        // A parameter that this system made, or that somebody set: no person can mend it.
        (400 | 401 | 403 | 404, _) if !code.is_empty() => Fault::account(code),
        _ => reply.fault_by_status(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    fn ark() -> Ark {
        let Value::Object(options) = json!({"resolution": "720p", "model": "x"}) else { unreachable!() };
        Ark::new("", options)
    }

    #[test]
    fn an_order_is_a_text_and_a_picture_in_the_words_of_the_vendor() {
        let order = ark().order(&png(), &params("推进", "人物转身")).unwrap();
        assert_eq!(
            Value::Object(order),
            json!({
                "model": USUAL_MODEL, "resolution": "720p",
                "content": [
                    {"type": "text", "text": "人物转身\n镜头：镜头缓慢向前推进"},
                    {"type": "image_url", "role": "first_frame", "image_url": {"url": PNG_URI}},
                ],
            })
        );
        let order = ark().order(&png(), &MotionParams::default()).unwrap();
        assert_eq!(order["content"].as_array().map(Vec::len), Some(1));
        let order = ark().order(&png(), &params("", "人物转身 --rs 1080p --dur 12")).unwrap();
        assert_eq!(order["content"][0]["text"], "人物转身 ——rs 1080p ——dur 12");
    }

    #[test]
    fn errors_are_sorted_by_code() {
        let of = |status: u16, code: &str, parameter: &str| {
            ark()
                .created(&reply(status, json!({"error": {"code": code, "message": "m", "param": parameter}})))
        };
        for (code, reason) in [
            ("InputTextSensitiveContentDetected", WORDS_REFUSED),
            ("InputTextRiskDetection", WORDS_REFUSED),
            ("InputImageSensitiveContentDetected.PolicyViolation", PICTURE_REFUSED),
            ("InputImageRiskDetection", PICTURE_REFUSED),
            ("OutputTextRiskDetection", VIDEO_REFUSED),
        ] {
            assert_eq!(of(400, code, ""), Err(Fault::refused(reason)), "{code}");
        }
        assert_eq!(
            of(400, "InvalidParameter.x", "content[1].image_url"),
            Err(Fault::refused(PICTURE_UNUSABLE))
        );
        for (status, code) in [
            (400, "InvalidParameter"),
            (400, "MissingParameter"),
            (401, "AuthenticationError"),
            (403, "AccountOverdueError"),
            (404, "ModelNotOpen"),
            (429, "QuotaExceeded"),
            (429, "SetLimitExceeded"),
        ] {
            assert_eq!(of(status, code, ""), Err(Fault::account(code)), "{code}");
        }
        assert_eq!(of(429, "ServerOverloaded", ""), Err(Fault::Busy { retry_after: None }));
        assert!(matches!(of(500, "InternalServiceError", ""), Err(Fault::Broken { .. })));
        assert!(matches!(ark().created(&reply(502, Value::Null)), Err(Fault::Broken { .. })));
        assert!(matches!(ark().created(&reply(200, json!({}))), Err(Fault::Broken { .. })));
    }

    #[test]
    fn a_task_is_gone_only_if_the_vendor_says_so() {
        let of = |body: Value| ark().is_unknown(&reply(404, body));
        assert!(of(json!({"error": {"code": "ResourceNotFound"}})));
        for other in ["InvalidEndpointOrModel.NotFound", "ModelNotOpen", ""] {
            assert!(!of(json!({"error": {"code": other}})), "{other}");
        }
        assert!(!of(Value::Null));
    }

    #[test]
    fn states_come_down_to_four() {
        let of = |body: Value| ark().state(&reply(200, body));
        assert_eq!(of(json!({"status": "queued", "error": null})), Ok(TaskState::Running));
        assert_eq!(of(json!({"status": "paused"})), Ok(TaskState::unknown("paused")));
        let url = "https://x.example/v.mp4";
        let done = json!({"status": "succeeded", "content": {"video_url": url}});
        assert_eq!(of(done), Ok(TaskState::Succeeded { url: url.to_owned() }));
        let failed = |error: Value| of(json!({"status": "failed", "error": error}));
        let code = json!({"code": "OutputVideoSensitiveContentDetected.PolicyViolation", "message": "m"});
        assert_eq!(failed(code), Ok(TaskState::failed(VIDEO_REFUSED)));
        assert_eq!(failed(json!({"code": "X", "message": "bad"})), Ok(TaskState::failed(FAILED)));
        let older = json!({"status": "failed", "failure_reason": "显存不足"});
        assert_eq!(of(older), Ok(TaskState::failed("显存不足")));
        for ended in ["cancelled", "expired"] {
            assert!(matches!(of(json!({"status": ended})), Ok(TaskState::Failed { .. })), "{ended}");
        }
        assert!(of(json!({})).is_err() && of(json!("x")).is_err());
    }
}
