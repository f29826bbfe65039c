//! Kling, of the older generation: image to video.
//!
//! | request | answer |
//! |---|---|
//! | `POST /v1/videos/image2video` | the task, just submitted |
//! | `GET /v1/videos/image2video/{id}` | the task, by its id or by the client's own for it |
//!
//! Everything is in an envelope `{code, message, request_id, data}`, and a code other than 0 is an error whatever the HTTP
//! status is. There is no way to cancel. Which models know `camera_control` isn't documented well enough to be checked.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::fields::{self, Flaw, Rule, Rules};
use super::picture::Kind;
use super::protocol::Protocol;
use super::steering::{KLING_ERRORS, Trouble, Word};
use super::store::Vendor;
use super::task::{Order, Status, Task};
use super::{access, answer, picture};

const PROTOCOL: Protocol = Protocol::Kling;

const MAX_PICTURE_BYTES: usize = 10 << 20;
const MODELS: &[&str] = &[
    "kling-v1",
    "kling-v1-5",
    "kling-v1-6",
    "kling-v2-master",
    "kling-v2-1",
    "kling-v2-1-master",
    "kling-v2-5-turbo",
    "kling-v2-6",
    "kling-v3",
];
/// Those that know `sound`.
const MODELS_WITH_SOUND: [&str; 2] = ["kling-v2-6", "kling-v3"];
const FIELDS: &Rules = &[
    ("model_name", Rule::OneOf(MODELS)),
    ("mode", Rule::OneOf(&["std", "pro"])),
    ("duration", Rule::OneOf(&["5", "10"])),
    ("sound", Rule::OneOf(&["on", "off"])),
    ("image", Rule::Filled),
    ("image_tail", Rule::Filled),
    ("prompt", Rule::Text(2_500)),
    ("negative_prompt", Rule::Text(2_500)),
    ("cfg_scale", Rule::Number(0.0, 1.0)),
    ("static_mask", Rule::Filled),
    ("dynamic_masks", Rule::List),
    ("camera_control", Rule::Any),
    ("callback_url", Rule::Filled),
    ("external_task_id", Rule::Filled),
];
/// The members that hold bare base64.
const PICTURES: [&str; 3] = ["image", "image_tail", "static_mask"];
const CAMERA_FIELDS: &Rules = &[
    ("type", Rule::OneOf(&["simple", "down_back", "forward_up", "right_turn_forward", "left_turn_forward"])),
    ("config", Rule::Any),
];
const AXIS: Rule = Rule::Number(-10.0, 10.0);
const AXES: &Rules = &[
    ("horizontal", AXIS),
    ("vertical", AXIS),
    ("pan", AXIS),
    ("tilt", AXIS),
    ("roll", AXIS),
    ("zoom", AXIS),
];

pub(super) fn router(vendor: Vendor) -> Router {
    Router::new()
        .route("/v1/videos/image2video", post(create))
        .route("/v1/videos/image2video/{id}", get(query))
        .with_state(vendor)
}

/// The envelope. What the prompt of the request or of the task wants counts for the HTTP status.
fn respond(result: Result<Value, Trouble>, prompt: &str) -> Response {
    let request_id = uuid::Uuid::new_v4().to_string();
    let Trouble { code, message } = match result {
        Ok(data) => {
            let body = json!({"code": 0, "message": "SUCCEED", "request_id": request_id, "data": data});
            return Json(body).into_response();
        }
        Err(trouble) => trouble,
    };
    let known = KLING_ERRORS.iter().find(|(known, ..)| code == known.to_string()).map(|&(.., text)| text);
    let message = message.as_deref().or(known).unwrap_or("this error is simulated");
    let number: u64 = code.parse().unwrap_or(1200);
    let mut response = answer::failure(
        PROTOCOL,
        &code,
        json!({"code": number, "message": message, "request_id": request_id}),
    );
    if Word::In200.is_in(prompt) && matches!(number, 1200..=1203 | 1301) {
        *response.status_mut() = StatusCode::OK;
    }
    response
}

async fn create(
    State(vendor): State<Vendor>,
    headers: HeaderMap,
    body: Result<Json<Value>, JsonRejection>,
) -> Response {
    let prompt = body.as_ref().ok().and_then(|body| body["prompt"].as_str()).unwrap_or_default().to_owned();
    respond(accept(&vendor, &headers, body).await, &prompt)
}

async fn accept(
    vendor: &Vendor,
    headers: &HeaderMap,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Value, Trouble> {
    access::kling(headers, vendor.now() / 1_000)?;
    let Json(request) = body.map_err(|rejection| Trouble::with("1200", rejection.body_text()))?;
    let object = read(&request).map_err(|flaw| flaw.as_trouble("1201"))?;
    let prompt = fields::text(object, "prompt");
    if let Some(trouble) = vendor.refuses(PROTOCOL, prompt) {
        return Err(trouble);
    }
    if Word::Refuse.is_in(prompt) {
        return Err(Trouble::new("1301"));
    }
    for name in ["image", "image_tail"] {
        check_at_address(vendor, fields::text(object, name))
            .await
            .map_err(|reason| Flaw::new(name, reason).as_trouble("1201"))?;
    }
    let order = Order {
        image_url: picture::abbreviate(fields::text(object, "image")),
        prompt: prompt.to_owned(),
        client_task_id: fields::text(object, "external_task_id").to_owned(),
        ..Order::default()
    };
    let task = vendor.accept(PROTOCOL, order, picture::without_data(request, &PICTURES)).await?;
    Ok(head(&task, "submitted", task.created_at))
}

fn read(request: &Value) -> Result<&Map<String, Value>, Flaw> {
    let object = fields::check("", request, FIELDS)?;
    let has = |name: &str| object.contains_key(name);
    if !has("image") && !has("image_tail") {
        return Err(Flaw::new("image", "it or image_tail is required"));
    }
    let has_masks = has("static_mask") || has("dynamic_masks");
    if [has("image_tail"), has_masks, has("camera_control")].into_iter().filter(|there| *there).count() > 1 {
        return Err(Flaw::new("camera_control", "image_tail, masks and camera_control exclude one another"));
    }
    let model = object.get("model_name").and_then(Value::as_str).unwrap_or("kling-v1");
    if has("cfg_scale") && model.starts_with("kling-v2") {
        return Err(Flaw::new("cfg_scale", format!("{model} does not know it")));
    }
    if has("sound") && !MODELS_WITH_SOUND.contains(&model) {
        return Err(Flaw::new("sound", format!("{model} does not know it")));
    }
    if let Some(camera) = object.get("camera_control") {
        check_camera(camera)?;
    }
    for name in ["image", "image_tail"].into_iter().filter(|name| has(name)) {
        check_inside(fields::text(object, name)).map_err(|reason| Flaw::new(name, reason))?;
    }
    Ok(object)
}

fn check_camera(camera: &Value) -> Result<(), Flaw> {
    let object = fields::check("camera_control", camera, CAMERA_FIELDS)?;
    let kind = fields::required(object, "type")?;
    match object.get("config") {
        None if kind != "simple" => Ok(()),
        Some(config) if kind == "simple" => {
            let axes = fields::check("camera_control.config", config, AXES)?;
            match axes.values().filter(|value| value.as_f64() != Some(0.0)).count() {
                1 => Ok(()),
                _ => Err(Flaw::new("camera_control.config", "exactly one value must not be 0")),
            }
        }
        _ => Err(Flaw::new("camera_control.config", "it belongs to the type simple, and only to it")),
    }
}

/// A picture in the request itself.
fn check_inside(image: &str) -> Result<(), String> {
    if picture::is_address(image) {
        return Ok(());
    }
    if image.starts_with("data:") {
        return Err("the base64 must not have a data URI's head".to_owned());
    }
    let (kind, size) = picture::in_base64(image)?;
    if size > MAX_PICTURE_BYTES {
        return Err("图片不得超过 10 MB".to_owned());
    }
    check_kind(kind)
}

async fn check_at_address(vendor: &Vendor, image: &str) -> Result<(), String> {
    match picture::is_address(image) {
        true => check_kind(vendor.fetch_picture(image).await?),
        false => Ok(()),
    }
}

fn check_kind(kind: Kind) -> Result<(), String> {
    match kind {
        Kind::Jpeg | Kind::Png => Ok(()),
        Kind::WebP => Err("图片必须是 JPEG 或 PNG".to_owned()),
    }
}

async fn query(State(vendor): State<Vendor>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if let Err(trouble) = access::kling(&headers, vendor.now() / 1_000) {
        return respond(Err(trouble), "");
    }
    let Some(task) = vendor.find(PROTOCOL, &id) else {
        return respond(Err(Trouble::with("1203", "the task does not exist")), "");
    };
    let answer = match vendor.stumbles(&task) {
        Some(trouble) => Err(trouble),
        None => Ok(described(&vendor, &task)),
    };
    respond(answer, &task.order.prompt)
}

/// What is always told of a task.
fn head(task: &Task, status: &str, updated_at: i64) -> Value {
    let mut info = json!({});
    if !task.order.client_task_id.is_empty() {
        info["external_task_id"] = json!(task.order.client_task_id);
    }
    json!({
        "task_id": task.id, "task_status": status, "task_info": info,
        "created_at": task.created_at, "updated_at": updated_at,
    })
}

fn described(vendor: &Vendor, task: &Task) -> Value {
    let now = vendor.now();
    let (status, message) = match task.status(now) {
        Status::Queued => ("submitted", ""),
        Status::Running => ("processing", ""),
        Status::Odd(state) | Status::Ended(state) => (state, ""),
        Status::Succeeded => ("succeed", ""),
        Status::Failed(reason) => ("failed", reason.unwrap_or("画面内容无法解析，请更换图片或描述后重试")),
        // Nothing cancels one here.
        Status::Cancelled => ("failed", "已取消"),
    };
    let mut answer = head(task, status, task.updated_at(now));
    answer["task_status_msg"] = json!(message);
    if task.status(now) == Status::Succeeded {
        let duration = task.request["duration"].as_str().unwrap_or("5");
        let video =
            json!({"id": format!("v{}", task.id), "url": vendor.video_address(task), "duration": duration});
        answer["task_result"] = json!({"videos": [video]});
    }
    answer
}

#[cfg(test)]
#[path = "kling_tests.rs"]
mod tests;
