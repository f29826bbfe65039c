//! Kling, its endpoints of the first generation. <https://klingai.com/document-api>
//!
//! Its key is `<access key>:<secret key>`, of which each request shows a token that lives half an hour; or one key without a colon, which
//! is shown as it is. Orders carry the generation's id as `external_task_id`, by which a task without an answer is found. Errors may come
//! with status 200: the envelope's `code` decides. Of low confidence, and read tolerantly: what code a repeated `external_task_id`
//! gets, and whether a failed task says why in Chinese (it has no code).

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::hmac;
use serde_json::{Map, Value, json};

use super::{
    prompt::{Language, check_length, picture_uri, prompt},
    protocol::{
        ANY_SIDES, CONTENT_REFUSED, Call, FAILED, Fault, PICTURE_UNUSABLE, Picture, PictureLimits,
        PictureSource, Protocol, Reply, TaskState, in_chinese,
    },
};
use crate::model::{
    GenerationId, ImageBounds, ImageKind, InvalidData, MAX_IMAGE_BYTES, MotionParams, Timestamp, phrase,
};

const TASKS: &str = "/v1/videos/image2video";
const USUAL_MODEL: &str = "kling-v2-6";
const MAX_PROMPT_CHARS: usize = 2_500;
/// Seconds for which a token is good, and by which the vendor's clock may be behind.
const TOKEN_LIFE: i64 = 1_800;
const CLOCK_SKEW: i64 = 5;
/// The axes of the vendor's camera control.
const AXES: [&str; 6] = ["horizontal", "vertical", "pan", "tilt", "roll", "zoom"];

pub(super) struct Kling {
    model: String,
    options: Map<String, Value>,
}

impl Kling {
    pub fn new(model: &str, options: Map<String, Value>) -> Self {
        Self { model: if model.is_empty() { USUAL_MODEL } else { model }.to_owned(), options }
    }

    /// Whether the model moves the camera by numbers: as far as is known, only this one, in its better mode, for five seconds.
    fn has_camera_control(&self) -> bool {
        let option = |name: &str| self.options.get(name).and_then(Value::as_str);
        self.model == "kling-v1-5"
            && option("mode") == Some("pro")
            && option("duration").unwrap_or("5") == "5"
    }

    /// The movement as the vendor's own camera control, where both the model and the table have one.
    fn camera_control(&self, params: &MotionParams) -> Option<Value> {
        let choice = params.camera_movement.as_deref().filter(|_| self.has_camera_control())?;
        let (axis, amount) = phrase("camera_movement", choice)?.kling_camera.split_once('=')?;
        let amount: i32 = amount.parse().ok()?;
        let config = AXES.map(|name| (name.to_owned(), Value::from(if name == axis { amount } else { 0 })));
        Some(json!({"type": "simple", "config": Map::from_iter(config)}))
    }
}

impl Protocol for Kling {
    fn usual_base_url(&self) -> &'static str {
        "https://api-beijing.klingai.com"
    }

    fn token(&self, key: &str) -> String {
        match key.split_once(':') {
            Some((access_key, secret_key)) => token(access_key, secret_key, Timestamp::now().millis() / 1000),
            None => key.to_owned(),
        }
    }

    fn picture_limits(&self) -> Option<PictureLimits> {
        let max_bytes = usize::try_from(MAX_IMAGE_BYTES).unwrap_or(usize::MAX);
        let bounds = ImageBounds { min_side: 300, max_ratio: 2.5, ..ANY_SIDES };
        Some(PictureLimits { kinds: &[ImageKind::Jpeg, ImageKind::Png], max_bytes, bounds })
    }

    fn order(&self, picture: &Picture, params: &MotionParams) -> Result<Map<String, Value>, InvalidData> {
        let camera_control = self.camera_control(params);
        let mut words = params.clone();
        if camera_control.is_some() {
            words.camera_movement = None;
        }
        let prompt = prompt(&words, Language::Chinese);
        check_length(prompt.chars().count(), MAX_PROMPT_CHARS)?;
        let mut order = self.options.clone();
        order.insert("model_name".to_owned(), self.model.as_str().into());
        // Bare base64, and not a data URI.
        let image = match &picture.source {
            PictureSource::Bytes(bytes) => STANDARD.encode(bytes),
            PictureSource::Address(_) => picture_uri(picture),
        };
        order.insert("image".to_owned(), image.into());
        if !prompt.is_empty() {
            order.insert("prompt".to_owned(), prompt.into());
        }
        if let Some(camera_control) = camera_control {
            order.insert("camera_control".to_owned(), camera_control);
        }
        Ok(order)
    }

    fn create(&self, mut order: Map<String, Value>, generation: &GenerationId) -> Call {
        order.insert("external_task_id".to_owned(), json!(generation));
        Call::post(TASKS, order)
    }

    fn created(&self, reply: &Reply) -> Result<String, Fault> {
        match code(reply) {
            Some(0) => reply.id("/data/task_id").ok_or_else(|| reply.broken()),
            _ => Err(fault(reply)),
        }
    }

    fn query(&self, task_id: &str) -> Call {
        Call::get(format!("{TASKS}/{task_id}"))
    }

    fn state(&self, reply: &Reply) -> Result<TaskState, Fault> {
        if code(reply) != Some(0) {
            return Err(fault(reply));
        }
        Ok(match reply.text("/data/task_status") {
            "submitted" | "processing" => TaskState::Running,
            // The vendor's second generation of endpoints says `succeeded`.
            "succeed" | "succeeded" => {
                TaskState::succeeded(Some(reply.text("/data/task_result/videos/0/url")))
            }
            "failed" => {
                let words = reply.text("/data/task_status_msg");
                let is_moderation = ["content", "policy", "safety", "risk", "sensitive"]
                    .iter()
                    .any(|word| words.to_ascii_lowercase().contains(word));
                let otherwise = if is_moderation { CONTENT_REFUSED } else { FAILED };
                TaskState::Failed { reason: in_chinese(words, otherwise) }
            }
            "" => return Err(reply.broken()),
            other => TaskState::unknown(other),
        })
    }

    fn is_unknown(&self, reply: &Reply) -> bool {
        code(reply) == Some(1203)
    }

    fn find(&self, generation: &GenerationId) -> Option<Call> {
        Some(Call::get(format!("{TASKS}/{generation}")))
    }
}

/// The envelope's code: a number, or one written as text.
fn code(reply: &Reply) -> Option<i64> {
    match reply.body.get("code")? {
        Value::String(code) => code.parse().ok(),
        code => code.as_i64(),
    }
}

/// <https://klingai.com/document-api>, "error-codes".
fn fault(reply: &Reply) -> Fault {
    let Some(code) = code(reply) else { return reply.fault_by_status() };
    let message = reply.text("/message").to_ascii_lowercase();
    match code {
        1300 | 1301 => Fault::refused(CONTENT_REFUSED),
        1200 | 1201 if message.contains("image") || message.contains('图') => {
            Fault::refused(PICTURE_UNUSABLE)
        }
        1302 | 1303 => reply.busy(),
        // Key, money, rights, an address that is not let in, and parameters that this system made or somebody set.
        1000..=1004 | 1100..=1103 | 1200..=1203 | 1304 => Fault::account(&code.to_string()),
        _ if reply.status.is_success() || reply.status.is_server_error() => {
            Fault::Broken { code: code.to_string() }
        }
        _ => reply.fault_by_status(),
    }
}

/// A token as of RFC 7519, signed with HS256. By hand, since the functions' JWT crate is set up to verify alone.
fn token(access_key: &str, secret_key: &str, now: i64) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"iss": access_key, "exp": now + TOKEN_LIFE, "nbf": now - CLOCK_SKEW});
    let signed = format!("{}.{}", part(json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret_key.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    fn kling(model: &str) -> Kling {
        let Value::Object(options) = json!({"mode": "pro"}) else { unreachable!() };
        Kling::new(model, options)
    }

    #[test]
    fn an_order_has_bare_base64_and_the_generations_id() {
        let order = kling("").order(&png(), &params("推进", "人物转身")).unwrap();
        let call = kling("").create(order, &"g1".parse().unwrap_or_else(|_| unreachable!()));
        assert_eq!(
            call.body.unwrap(),
            json!({
                "model_name": "kling-v2-6", "mode": "pro", "image": PNG_URI.strip_prefix("data:image/png;base64,").unwrap(),
                "prompt": "人物转身\n镜头：镜头缓慢向前推进", "external_task_id": "g1",
            })
        );
        let long = kling("").order(&png(), &params("", &"字".repeat(2_501))).unwrap_err();
        assert_eq!(long.field, "motion_prompt");
    }

    #[test]
    fn the_camera_moves_by_numbers_where_the_model_can_do_it() {
        let order = kling("kling-v1-5").order(&png(), &params("左移", "人物转身")).unwrap();
        assert_eq!(order["prompt"], "人物转身");
        assert_eq!(
            order["camera_control"],
            json!({"type": "simple", "config": {"horizontal": -5, "vertical": 0, "pan": 0, "tilt": 0, "roll": 0, "zoom": 0}})
        );
        // Neither a movement that the control lacks, nor a person's own words.
        for words in ["环绕", "像鸟一样"] {
            let order = kling("kling-v1-5").order(&png(), &params(words, "")).unwrap();
            assert!(
                order.get("camera_control").is_none() && order["prompt"].as_str().unwrap().contains("镜头")
            );
        }
    }

    #[test]
    fn every_movement_of_the_table_is_one_axis_within_its_range() {
        for row in crate::model::vocabulary().iter().filter(|row| !row.kling_camera.is_empty()) {
            let (axis, amount) = row.kling_camera.split_once('=').unwrap();
            assert!(AXES.contains(&axis), "{row:?}");
            assert!((-10..=10).contains(&amount.parse::<i32>().unwrap()), "{row:?}");
        }
    }

    #[test]
    fn the_code_decides_whatever_the_status_is() {
        let of = |status: u16, code: i64, message: &str| {
            kling("").created(&reply(status, json!({"code": code, "message": message})))
        };
        for status in [200, 400] {
            assert_eq!(of(status, 1301, ""), Err(Fault::refused(CONTENT_REFUSED)));
            assert_eq!(of(status, 1201, "Image is too small"), Err(Fault::refused(PICTURE_UNUSABLE)));
            assert_eq!(of(status, 1201, "mode"), Err(Fault::account("1201")));
        }
        for (status, code) in
            [(401, 1000), (401, 1004), (429, 1100), (429, 1101), (429, 1102), (403, 1103), (429, 1304)]
        {
            assert_eq!(of(status, code, ""), Err(Fault::account(&code.to_string())));
        }
        for code in [1302, 1303] {
            assert_eq!(of(429, code, ""), Err(Fault::Busy { retry_after: None }));
        }
        for (status, code) in [(500, 5000), (503, 5001), (504, 5002), (200, 5000), (200, 7)] {
            assert_eq!(of(status, code, ""), Err(Fault::Broken { code: code.to_string() }));
        }
        assert!(matches!(kling("").created(&reply(504, Value::Null)), Err(Fault::Broken { .. })));
        assert!(kling("").is_unknown(&reply(404, json!({"code": 1203}))));
        assert!(!kling("").is_unknown(&reply(404, json!({"code": 1202}))));
        assert!(!kling("").is_unknown(&reply(404, Value::Null)));
    }

    #[test]
    fn states_come_down_to_four() {
        let of = |data: Value| kling("").state(&reply(200, json!({"code": 0, "data": data})));
        assert_eq!(of(json!({"task_status": "submitted"})), Ok(TaskState::Running));
        assert_eq!(of(json!({"task_status": "dreaming"})), Ok(TaskState::unknown("dreaming")));
        let done =
            json!({"task_status": "succeed", "task_result": {"videos": [{"url": "https://x.example/v"}]}});
        assert_eq!(of(done), Ok(TaskState::Succeeded { url: "https://x.example/v".to_owned() }));
        let failed = |words: &str| of(json!({"task_status": "failed", "task_status_msg": words}));
        assert_eq!(failed("content check did not pass"), Ok(TaskState::failed(CONTENT_REFUSED)));
        assert_eq!(failed("图片分辨率过低"), Ok(TaskState::failed("图片分辨率过低")));
        assert_eq!(failed("oops"), Ok(TaskState::failed(FAILED)));
    }

    #[test]
    fn a_token_is_signed_and_lives_half_an_hour() {
        let token = token("access", "secret", 1_000_000);
        let parts: Vec<&str> = token.split('.').collect();
        let read =
            |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        assert_eq!(read(parts[0]), json!({"alg": "HS256", "typ": "JWT"}));
        assert_eq!(read(parts[1]), json!({"iss": "access", "exp": 1_001_800, "nbf": 999_995}));
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let signed = format!("{}.{}", parts[0], parts[1]);
        hmac::verify(&key, signed.as_bytes(), &URL_SAFE_NO_PAD.decode(parts[2]).unwrap()).unwrap();
        assert_eq!(kling("").token("one-key"), "one-key");
    }
}
