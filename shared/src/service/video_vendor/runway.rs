//! Runway. <https://docs.dev.runwayml.com/api>
//!
//! Its key is a bearer, and each request names the version of the API. Pictures go as data URIs of at most 5 MB: an address would have to
//! answer `HEAD`, which a presigned one doesn't. Of low confidence, and read tolerantly: that a lack of credits is a 400 which only
//! its text tells apart, and what follows the first part of a `failureCode`.

use reqwest::StatusCode;
use serde_json::{Map, Value};

use super::{
    prompt::{Language, check_length, picture_uri, prompt},
    protocol::{
        ANY_SIDES, Call, ENDED_BY_VENDOR, FAILED, Fault, PICTURE_REFUSED, PICTURE_UNUSABLE, Picture,
        PictureLimits, Protocol, Reply, TaskState, VIDEO_REFUSED, WORDS_REFUSED, in_chinese,
    },
};
use crate::model::{GenerationId, ImageHeader, ImageKind, InvalidData, MotionParams};

const USUAL_MODEL: &str = "gen4.5";
/// What the model is told where nothing is set, since it must be told something.
const USUAL_PROMPT: &str = "Natural, subtle motion.";
/// In units of UTF-16.
const MAX_PROMPT_UNITS: usize = 1_000;
/// Of a data URI, whose base64 is a third longer than the picture.
const MAX_URI_BYTES: usize = 5_000_000;
const URI_HEAD_BYTES: usize = "data:image/jpeg;base64,".len();
/// Width and height in pixels of what the models make.
const RATIOS: [(u32, u32); 6] = [(1280, 720), (720, 1280), (1104, 832), (832, 1104), (960, 960), (1584, 672)];

pub(super) struct Runway {
    model: String,
    options: Map<String, Value>,
}

impl Runway {
    pub fn new(model: &str, options: Map<String, Value>) -> Self {
        Self { model: if model.is_empty() { USUAL_MODEL } else { model }.to_owned(), options }
    }
}

impl Protocol for Runway {
    fn usual_base_url(&self) -> &'static str {
        "https://api.dev.runwayml.com"
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("X-Runway-Version", "2024-11-06")]
    }

    fn picture_limits(&self) -> Option<PictureLimits> {
        Some(PictureLimits {
            kinds: &[ImageKind::Jpeg, ImageKind::Png, ImageKind::WebP],
            max_bytes: (MAX_URI_BYTES - URI_HEAD_BYTES) / 4 * 3,
            bounds: ANY_SIDES,
        })
    }

    fn order(&self, picture: &Picture, params: &MotionParams) -> Result<Map<String, Value>, InvalidData> {
        let mut text = prompt(params, Language::English);
        if text.is_empty() {
            USUAL_PROMPT.clone_into(&mut text);
        }
        check_length(text.encode_utf16().count(), MAX_PROMPT_UNITS)?;
        let mut order = Map::from_iter([
            ("ratio".to_owned(), ratio(&picture.header).into()),
            ("duration".to_owned(), 5.into()),
        ]);
        order.extend(self.options.clone());
        order.insert("model".to_owned(), self.model.as_str().into());
        order.insert("promptImage".to_owned(), picture_uri(picture).into());
        order.insert("promptText".to_owned(), text.into());
        Ok(order)
    }

    fn create(&self, order: Map<String, Value>, _: &GenerationId) -> Call {
        Call::post("/v1/image_to_video", order)
    }

    fn created(&self, reply: &Reply) -> Result<String, Fault> {
        if reply.status.is_success() {
            return reply.id("/id").ok_or_else(|| reply.broken());
        }
        Err(fault(reply))
    }

    fn query(&self, task_id: &str) -> Call {
        Call::get(format!("/v1/tasks/{task_id}"))
    }

    fn state(&self, reply: &Reply) -> Result<TaskState, Fault> {
        if reply.status != StatusCode::OK {
            return Err(fault(reply));
        }
        Ok(match reply.text("/status") {
            // Throttled is a task that waits for another one of the account.
            "PENDING" | "THROTTLED" | "RUNNING" => TaskState::Running,
            "SUCCEEDED" => TaskState::succeeded(Some(reply.text("/output/0"))),
            "FAILED" => failure(reply.text("/failureCode"), reply.text("/failure")),
            "CANCELLED" => TaskState::failed(ENDED_BY_VENDOR),
            "" => return Err(reply.broken()),
            other => TaskState::unknown(other),
        })
    }

    fn cancel(&self, task_id: &str) -> Option<Call> {
        Some(Call::delete(format!("/v1/tasks/{task_id}")))
    }
}

/// By the first parts of the code: further ones are diagnostic.
fn failure(code: &str, words: &str) -> TaskState {
    let is = |prefix: &str| code.starts_with(prefix);
    match code {
        _ if is("SAFETY.INPUT.IMAGE") => TaskState::failed(PICTURE_REFUSED),
        _ if is("SAFETY.INPUT") || is("INPUT_PREPROCESSING.SAFETY.TEXT") => TaskState::failed(WORDS_REFUSED),
        _ if is("SAFETY") => TaskState::failed(VIDEO_REFUSED),
        _ if is("INPUT_PREPROCESSING") || is("ASSET") => TaskState::failed(PICTURE_UNUSABLE),
        _ if is("INTERNAL.BAD_OUTPUT") => TaskState::failed("生成的视频质量不合格，请修改描述后重试"),
        _ => TaskState::Failed { reason: in_chinese(words, FAILED) },
    }
}

fn fault(reply: &Reply) -> Fault {
    // What is wrong is said in `error`, or in more members beside it.
    let words = reply.body.to_string().to_lowercase();
    match reply.status.as_u16() {
        400 if words.contains("credit") => Fault::account("credits"),
        400 if words.contains("image") || words.contains("asset") => Fault::refused(PICTURE_UNUSABLE),
        400 if words.contains("moderation") || words.contains("safety") => Fault::refused(WORDS_REFUSED),
        // What this system made of the form, or somebody set: no person can mend it.
        400 | 404 | 405 => Fault::account(reply.status.as_str()),
        _ => reply.fault_by_status(),
    }
}

/// The ratio that is nearest to the picture's: the vendor cuts off what is beyond it.
fn ratio(header: &ImageHeader) -> String {
    let side = |pixels: usize| f64::from(u32::try_from(pixels).unwrap_or(u32::MAX));
    let wanted = (side(header.width) / side(header.height)).ln();
    let distance = |(width, height): (u32, u32)| ((f64::from(width) / f64::from(height)).ln() - wanted).abs();
    let nearest = RATIOS.into_iter().min_by(|a, b| distance(*a).total_cmp(&distance(*b)));
    nearest.map(|(width, height)| format!("{width}:{height}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing::*, *};

    fn runway() -> Runway {
        Runway::new("", Map::new())
    }

    #[test]
    fn an_order_is_english_and_has_the_pictures_ratio() {
        let order = runway().order(&png(), &params("推进", "人物转身")).unwrap();
        assert_eq!(
            Value::Object(order),
            json!({
                "model": "gen4.5", "promptImage": PNG_URI, "ratio": "960:960", "duration": 5,
                "promptText": "人物转身\nCamera: the camera slowly dollies in",
            })
        );
        let order = runway().order(&png(), &MotionParams::default()).unwrap();
        assert_eq!(order["promptText"], USUAL_PROMPT);
        assert!(runway().order(&png(), &params("", &"𝄞".repeat(501))).is_err(), "counted in UTF-16");
        let Value::Object(options) = json!({"ratio": "720:1280", "duration": 10, "seed": 7}) else {
            unreachable!()
        };
        let order = Runway::new("gen4_turbo", options).order(&png(), &MotionParams::default()).unwrap();
        assert_eq!(
            (&order["ratio"], &order["duration"], &order["seed"]),
            (&json!("720:1280"), &json!(10), &json!(7))
        );
        for (width, height, expected) in [
            (1920, 1080, "1280:720"),
            (1080, 1920, "720:1280"),
            (800, 600, "1104:832"),
            (5000, 100, "1584:672"),
        ] {
            assert_eq!(ratio(&ImageHeader { kind: ImageKind::Png, width, height }), expected);
        }
    }

    #[test]
    fn errors_are_sorted_by_status_and_words() {
        let of = |status: u16, words: &str| runway().created(&reply(status, json!({"error": words})));
        assert_eq!(of(400, "You do not have enough credits"), Err(Fault::account("credits")));
        assert_eq!(of(400, "promptImage: invalid asset"), Err(Fault::refused(PICTURE_UNUSABLE)));
        assert_eq!(of(400, "duration: too long"), Err(Fault::account("400")));
        assert!(matches!(of(401, "key"), Err(Fault::Account { .. })));
        assert_eq!(of(429, "daily"), Err(Fault::Busy { retry_after: None }));
        for status in [500, 502, 503, 504] {
            assert!(matches!(of(status, ""), Err(Fault::Broken { .. })), "{status}");
        }
    }

    #[test]
    fn states_come_down_to_four() {
        let of = |body: Value| runway().state(&reply(200, body));
        for waiting in ["PENDING", "THROTTLED", "RUNNING"] {
            assert_eq!(of(json!({"status": waiting})), Ok(TaskState::Running));
        }
        assert_eq!(of(json!({"status": "NEW"})), Ok(TaskState::unknown("NEW")));
        let done = of(json!({"status": "SUCCEEDED", "output": ["https://x.example/v"]}));
        assert_eq!(done, Ok(TaskState::Succeeded { url: "https://x.example/v".to_owned() }));
        assert!(matches!(of(json!({"status": "SUCCEEDED", "output": []})), Ok(TaskState::Failed { .. })));
        for (code, reason) in [
            ("SAFETY.INPUT.TEXT", WORDS_REFUSED),
            ("SAFETY.INPUT.IMAGE.X", PICTURE_REFUSED),
            ("SAFETY.OUTPUT.VIDEO", VIDEO_REFUSED),
            ("INPUT_PREPROCESSING.SAFETY.TEXT", WORDS_REFUSED),
            ("INPUT_PREPROCESSING.INTERNAL", PICTURE_UNUSABLE),
            ("ASSET.INVALID", PICTURE_UNUSABLE),
            ("THIRD_PARTY.X", FAILED),
            ("", FAILED),
        ] {
            let body = json!({"status": "FAILED", "failure": "no", "failureCode": code});
            assert_eq!(of(body), Ok(TaskState::failed(reason)), "{code}");
        }
    }
}
