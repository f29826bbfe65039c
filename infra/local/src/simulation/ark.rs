//! Volcengine Ark, Seedance: image to video, as its base address `…/api/v3` has it.
//!
//! | request | answer |
//! |---|---|
//! | `POST /contents/generations/tasks` | `{id}` |
//! | `GET /contents/generations/tasks/{id}` | the task, with times in Unix seconds |
//! | `DELETE /contents/generations/tasks/{id}` | `{}`: cancels what is queued, removes what has ended |
//!
//! An error is `{"error": {code, message, param, type}}`. Of the scenarios only that of a first frame is simulated. What
//! the models differ in isn't checked: a model may be an endpoint (`ep-…`), which doesn't tell.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::fields::{self, Flaw, Rule, Rules};
use super::protocol::Protocol;
use super::steering::{Trouble, Word, status_of};
use super::store::Vendor;
use super::task::{Order, Status, Task};
use super::{access, answer, picture};

const PROTOCOL: Protocol = Protocol::Ark;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// No text is too long: only advice bounds it.
const UNBOUNDED: usize = usize::MAX;
const FIELDS: &Rules = &[
    ("model", Rule::Filled),
    ("content", Rule::List),
    ("resolution", Rule::OneOf(&["480p", "720p", "1080p", "4k"])),
    ("ratio", Rule::OneOf(&["16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive"])),
    // -1: the model chooses.
    ("duration", Rule::Whole(-1, 30)),
    ("frames", Rule::Whole(29, 289)),
    ("camera_fixed", Rule::Flag),
    ("seed", Rule::Whole(-1, u32::MAX as i64)),
    ("watermark", Rule::Flag),
    ("return_last_frame", Rule::Flag),
    ("generate_audio", Rule::Flag),
    ("service_tier", Rule::OneOf(&["default", "flex"])),
    ("priority", Rule::Whole(i64::MIN, i64::MAX)),
    ("execution_expires_after", Rule::Whole(3_600, 259_200)),
    ("callback_url", Rule::Filled),
    ("safety_identifier", Rule::Text(64)),
    ("draft", Rule::Flag),
    ("tools", Rule::List),
    ("output_format", Rule::OneOf(&["mp4", "mov"])),
];
const TEXT_FIELDS: &Rules = &[("type", Rule::Any), ("text", Rule::Filled)];
const PICTURE_FIELDS: &Rules =
    &[("type", Rule::Any), ("role", Rule::OneOf(&["first_frame"])), ("image_url", Rule::Any)];
const URL_FIELDS: &Rules = &[("url", Rule::Text(UNBOUNDED))];

pub(super) fn router(vendor: Vendor) -> Router {
    Router::new()
        .route("/contents/generations/tasks", post(create))
        .route("/contents/generations/tasks/{id}", get(query).delete(cancel))
        .with_state(vendor)
}

/// A success, or an error, with the id that Ark gives every answer.
fn respond(result: Result<Value, Trouble>) -> Response {
    let mut response = match result {
        Ok(body) => Json(body).into_response(),
        Err(trouble) => failure(&trouble),
    };
    if let Ok(id) = HeaderValue::from_str(&uuid::Uuid::new_v4().simple().to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn failure(Trouble { code, message }: &Trouble) -> Response {
    let kind = match status_of(PROTOCOL, code) {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        429 => "TooManyRequests",
        500.. => "InternalServerError",
        _ => "BadRequest",
    };
    let message = message.as_deref().unwrap_or("The request has failed. This error is simulated.");
    let body = json!({"error": {"code": code, "message": message, "param": "", "type": kind}});
    answer::failure(PROTOCOL, code, body)
}

async fn create(
    State(vendor): State<Vendor>,
    headers: HeaderMap,
    body: Result<Json<Value>, JsonRejection>,
) -> Response {
    respond(accept(&vendor, &headers, body).await)
}

async fn accept(
    vendor: &Vendor,
    headers: &HeaderMap,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Value, Trouble> {
    access::ark(headers)?;
    let Json(request) = body.map_err(|rejection| invalid(rejection.body_text()))?;
    let wanted = read(&request)?;
    if let Some(trouble) = vendor.refuses(PROTOCOL, wanted.prompt) {
        return Err(trouble);
    }
    if Word::Refuse.is_in(wanted.prompt) {
        let message = "输入文本可能包含敏感信息，请修改后重试";
        return Err(Trouble::with("InputTextSensitiveContentDetected", message));
    }
    if picture::is_address(wanted.picture) {
        vendor.fetch_picture(wanted.picture).await.map_err(invalid)?;
    }
    let order = Order {
        image_url: picture::abbreviate(wanted.picture),
        prompt: wanted.prompt.to_owned(),
        ..Order::default()
    };
    let task = vendor.accept(PROTOCOL, order, picture::without_data(request, &[])).await?;
    Ok(json!({"id": task.id}))
}

fn invalid(message: impl Into<String>) -> Trouble {
    Trouble::with("InvalidParameter", message)
}

/// What counts in a request that is right.
struct Wanted<'a> {
    prompt: &'a str,
    picture: &'a str,
}

fn read(request: &Value) -> Result<Wanted<'_>, Trouble> {
    let wrong = |flaw: Flaw| flaw.as_trouble("InvalidParameter");
    let object = fields::check("", request, FIELDS).map_err(wrong)?;
    for name in ["model", "content"] {
        fields::required(object, name).map_err(|flaw| flaw.as_trouble("MissingParameter"))?;
    }
    if object.get("duration").is_some_and(|duration| [0, 1].contains(&duration.as_i64().unwrap_or_default()))
    {
        return Err(invalid("duration: it must be -1 or at least 2"));
    }
    if object.get("frames").and_then(Value::as_i64).is_some_and(|frames| (frames - 25) % 4 != 0) {
        return Err(invalid("frames: it must be 25 and a multiple of 4"));
    }
    let parts = object["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    read_content(parts).map_err(wrong)
}

fn read_content(parts: &[Value]) -> Result<Wanted<'_>, Flaw> {
    let (mut prompt, mut picture) = (None, None);
    for (index, part) in parts.iter().enumerate() {
        let path = format!("content[{index}]");
        let (found, what) = match part["type"].as_str() {
            Some("text") => {
                let object = fields::check(&path, part, TEXT_FIELDS)?;
                fields::required(object, "text")?;
                (prompt.replace(fields::text(object, "text")), "text")
            }
            Some("image_url") => (picture.replace(read_picture(&path, part)?), "image"),
            _ => return Err(Flaw::new(path, "only text and image_url are simulated")),
        };
        if found.is_some() {
            return Err(Flaw::new(path, format!("there is more than one {what}")));
        }
    }
    let picture = picture.ok_or_else(|| Flaw::new("content", "there is no image"))?;
    Ok(Wanted { prompt: prompt.unwrap_or_default(), picture })
}

fn read_picture<'a>(path: &str, part: &'a Value) -> Result<&'a str, Flaw> {
    let object = fields::check(path, part, PICTURE_FIELDS)?;
    let path = format!("{path}.image_url");
    let image_url = fields::required(object, "image_url")?;
    let url = fields::text(fields::check(&path, image_url, URL_FIELDS)?, "url");
    if !picture::is_address(url) {
        picture::in_data_uri(url).map_err(|reason| Flaw::new(path, reason))?;
    }
    Ok(url)
}

async fn query(State(vendor): State<Vendor>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let found = access::ark(&headers).and_then(|()| vendor.asked(PROTOCOL, &id, unknown));
    respond(found.map(|task| described(&vendor, &task)))
}

fn unknown() -> Trouble {
    Trouble::with("ResourceNotFound", "The specified task was not found.")
}

fn described(vendor: &Vendor, task: &Task) -> Value {
    let now = vendor.now();
    let status = task.status(now);
    let mut answer = json!({
        "id": task.id,
        "model": task.request["model"],
        "status": match status {
            Status::Queued => "queued",
            Status::Running => "running",
            Status::Odd(state) | Status::Ended(state) => state,
            Status::Succeeded => "succeeded",
            Status::Failed(_) => "failed",
            Status::Cancelled => "cancelled",
        },
        "error": null,
        "created_at": task.created_at / 1_000,
        "updated_at": task.updated_at(now) / 1_000,
    });
    match status {
        Status::Succeeded => add_result(&mut answer, vendor, task),
        Status::Failed(code) => {
            let code = code.unwrap_or("OutputVideoSensitiveContentDetected");
            answer["error"] =
                json!({"code": code, "message": "生成的视频可能包含敏感信息，请更换图片或描述后重试"});
        }
        _ => {}
    }
    answer
}

/// What is told of a finished video: what was asked for, and what the vendor chose where it was left to it. There is no
/// `last_frame_url`, since there is no such picture.
fn add_result(answer: &mut Value, vendor: &Vendor, task: &Task) {
    const TOKENS: u64 = 108_900;
    let asked = |name: &str, free: &[Value], chosen: Value| match &task.request[name] {
        Value::Null => chosen,
        value if free.contains(value) => chosen,
        value => value.clone(),
    };
    answer["content"] = json!({"video_url": vendor.video_address(task)});
    answer["usage"] = json!({"completion_tokens": TOKENS, "total_tokens": TOKENS});
    answer["seed"] = asked("seed", &[json!(-1)], json!(71));
    answer["resolution"] = asked("resolution", &[], json!("720p"));
    answer["ratio"] = asked("ratio", &[json!("adaptive")], json!("16:9"));
    answer["duration"] = asked("duration", &[json!(-1)], json!(5));
    answer["framespersecond"] = json!(24);
    answer["service_tier"] = asked("service_tier", &[], json!("default"));
}

/// What runs, and what was cancelled, is refused. With which error isn't documented: the likeliest.
async fn cancel(State(vendor): State<Vendor>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if let Err(trouble) = access::ark(&headers) {
        return respond(Err(trouble));
    }
    let cancelled = vendor.change(PROTOCOL, &id, |task, now| {
        match task.status(now) {
            Status::Queued => task.cancelled_at = Some(now),
            Status::Running | Status::Odd(_) | Status::Cancelled | Status::Ended("cancelled") => {
                return Err(invalid("The task is running or cancelled, and cannot be deleted."));
            }
            Status::Succeeded | Status::Failed(_) | Status::Ended(_) => task.is_removed = true,
        }
        Ok(json!({}))
    });
    respond(cancelled.await.unwrap_or_else(|| Err(unknown())))
}

#[cfg(test)]
#[path = "ark_tests.rs"]
mod tests;
