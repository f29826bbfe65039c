//! Runway: image to video.
//!
//! | request | answer |
//! |---|---|
//! | `POST /v1/image_to_video` | `{id}` |
//! | `GET /v1/tasks/{id}` | the task |
//! | `DELETE /v1/tasks/{id}` | 204: cancels what hasn't ended; in both cases there is no such task then |
//!
//! An error is `{"error": "…"}`, and nothing but the status says which.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::fields::{self, Flaw, Rule, Rules};
use super::protocol::Protocol;
use super::steering::{RUNWAY_ERRORS, Trouble, Word};
use super::store::Vendor;
use super::task::{Order, Status, Task};
use super::{access, answer, picture};

const PROTOCOL: Protocol = Protocol::Runway;

const MAX_PROMPT_UNITS: usize = 1_000;
const MAX_DATA_URI_BYTES: usize = 5 << 20;
const MAX_URL_CHARACTERS: usize = 2_048;
const FIELDS: &Rules = &[
    ("model", Rule::Filled),
    ("promptText", Rule::Filled),
    ("promptImage", Rule::Any),
    ("ratio", Rule::OneOf(&["1280:720", "720:1280", "1104:832", "832:1104", "960:960", "1584:672"])),
    ("duration", Rule::Whole(2, 10)),
    ("seed", Rule::Whole(0, u32::MAX as i64)),
    ("contentModeration", Rule::Any),
];
const MODERATION_FIELDS: &Rules = &[("publicFigureThreshold", Rule::OneOf(&["auto", "low"]))];
const FRAME_FIELDS: &Rules = &[("uri", Rule::Filled), ("position", Rule::OneOf(&["first"]))];

pub(super) fn router(vendor: Vendor) -> Router {
    Router::new()
        .route("/v1/image_to_video", post(create))
        .route("/v1/tasks/{id}", get(query).delete(cancel))
        .with_state(vendor)
}

fn failure(Trouble { code, message }: &Trouble) -> Response {
    let known = RUNWAY_ERRORS.iter().find(|(known, ..)| known == code).map(|&(.., text)| text);
    let message = message.as_deref().or(known).unwrap_or("The request has failed. This error is simulated.");
    answer::failure(PROTOCOL, code, json!({"error": message}))
}

fn respond(result: Result<Value, Trouble>) -> Response {
    match result {
        Ok(body) => Json(body).into_response(),
        Err(trouble) => failure(&trouble),
    }
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
    access::runway(headers)?;
    let Json(request) = body.map_err(|rejection| invalid(rejection.body_text()))?;
    let wanted = read(&request).map_err(|flaw| flaw.as_trouble("400"))?;
    if let Some(trouble) = vendor.refuses(PROTOCOL, wanted.prompt) {
        return Err(trouble);
    }
    // The real one moderates only during the task; the contract wants a refusal at once.
    if Word::Refuse.is_in(wanted.prompt) {
        return Err(invalid("提示词未通过内容安全审核，请修改后重试"));
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
    Trouble::with("400", message)
}

/// What counts in a request that is right.
#[derive(Debug)]
struct Wanted<'a> {
    prompt: &'a str,
    picture: &'a str,
}

fn read(request: &Value) -> Result<Wanted<'_>, Flaw> {
    let object = fields::check("", request, FIELDS)?;
    for name in ["model", "promptImage", "ratio"] {
        fields::required(object, name)?;
    }
    let prompt = fields::text(object, "promptText");
    if prompt.encode_utf16().count() > MAX_PROMPT_UNITS {
        return Err(Flaw::new("promptText", format!("it has more than {MAX_PROMPT_UNITS} UTF-16 units")));
    }
    if prompt.is_empty() && object["model"] == "gen4.5" {
        return Err(Flaw::new("promptText", "gen4.5 requires it"));
    }
    if let Some(moderation) = object.get("contentModeration") {
        fields::check("contentModeration", moderation, MODERATION_FIELDS)?;
    }
    let picture = first_frame(&object["promptImage"])?;
    check_picture(picture).map_err(|reason| Flaw::new("promptImage", reason))?;
    Ok(Wanted { prompt, picture })
}

/// The picture, by itself or as the only one of a list of frames.
fn first_frame(image: &Value) -> Result<&str, Flaw> {
    match image {
        Value::String(uri) => Ok(uri),
        Value::Array(frames) if frames.len() == 1 => {
            let frame = fields::check("promptImage[0]", &frames[0], FRAME_FIELDS)?;
            fields::required(frame, "position")?;
            Ok(fields::text(frame, "uri"))
        }
        _ => Err(Flaw::new("promptImage", "it must be a string or a list of one frame")),
    }
}

fn check_picture(uri: &str) -> Result<(), String> {
    if uri.starts_with("data:") {
        if uri.len() > MAX_DATA_URI_BYTES {
            return Err("a data URI must not be larger than 5 MB".to_owned());
        }
        return picture::in_data_uri(uri).map(drop);
    }
    let url: Option<Uri> = uri.parse().ok();
    let host = url.as_ref().filter(|url| url.scheme_str() == Some("https")).and_then(Uri::host);
    // A top-level domain is never a number; an address of version 6 is in brackets.
    let is_domain = host.and_then(|host| host.rsplit_once('.')).is_some_and(|(_, top)| {
        !top.is_empty() && top.chars().all(|c| c.is_alphanumeric() || c == '-') && top.parse::<u64>().is_err()
    });
    if !is_domain || uri.chars().count() > MAX_URL_CHARACTERS {
        return Err("it must be a data URI or an HTTPS URL on a domain name".to_owned());
    }
    Ok(())
}

async fn query(State(vendor): State<Vendor>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let found = access::runway(&headers).and_then(|()| vendor.asked(PROTOCOL, &id, unknown));
    respond(found.map(|task| described(&vendor, &task)))
}

fn unknown() -> Trouble {
    Trouble::with("404", "There is no such task.")
}

fn described(vendor: &Vendor, task: &Task) -> Value {
    let now = vendor.now();
    let created_at = Timestamp::from_millisecond(task.created_at).unwrap_or_default();
    let created_at = created_at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    let mut answer = json!({"id": task.id, "createdAt": created_at});
    let status = match task.status(now) {
        Status::Queued => "PENDING",
        Status::Running => {
            answer["progress"] = json!(task.progress(now));
            "RUNNING"
        }
        Status::Odd(state) | Status::Ended(state) => state,
        Status::Succeeded => {
            answer["output"] = json!([vendor.video_address(task)]);
            "SUCCEEDED"
        }
        Status::Failed(code) => {
            answer["failure"] = json!("视频生成失败：画面质量不佳，请更换图片或描述后重试");
            answer["failureCode"] = json!(code.unwrap_or("INTERNAL.BAD_OUTPUT.CODE01"));
            "FAILED"
        }
        Status::Cancelled => "CANCELLED",
    };
    answer["status"] = json!(status);
    answer
}

async fn cancel(State(vendor): State<Vendor>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if let Err(trouble) = access::runway(&headers) {
        return failure(&trouble);
    }
    let cancelled = vendor.change(PROTOCOL, &id, |task, now| {
        if task.status(now).is_live() {
            task.cancelled_at = Some(now);
        }
        task.is_removed = true;
        Ok(())
    });
    match cancelled.await.unwrap_or_else(|| Err(unknown())) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(trouble) => failure(&trouble),
    }
}

#[cfg(test)]
#[path = "runway_tests.rs"]
mod tests;
