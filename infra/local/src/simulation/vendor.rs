//! The plain protocol, in the shape of the real ones.
//!
//! | request | answer |
//! |---|---|
//! | `POST /tasks` `{image_url, prompt, camera_movement, shot_type, lighting, client_task_id}` | 201 `{id}` |
//! | `GET /tasks/{id}` | `{id, status, video_url?, error?: {code, message}}` |
//! | `DELETE /tasks/{id}` | 204; a task that hasn't ended ends failed, as `cancelled` |
//! | `GET /tasks` | `{tasks: […]}`, everything that was accepted in any protocol, oldest first |
//!
//! `status` is `queued`, `running`, `succeeded` or `failed`. A refusal is 400, an unknown task 404, each with
//! `{"error": {"code", "message"}}`. The picture is really fetched, so an address that a real vendor could not read
//! fails here too. Words in the prompt steer it: [`super::steering`].

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::answer;
use super::protocol::Protocol;
use super::steering::{Trouble, Word, status_of};
use super::store::Vendor;
use super::task::{Order, Status, Task};

const PROTOCOL: Protocol = Protocol::Plain;

pub(super) fn router(vendor: Vendor) -> Router {
    Router::new()
        .route("/tasks", post(create).get(list))
        .route("/tasks/{id}", get(query).delete(cancel))
        .with_state(vendor)
}

async fn create(State(vendor): State<Vendor>, body: Result<Json<Order>, JsonRejection>) -> Response {
    let order = match body {
        Ok(Json(order)) => order,
        Err(rejection) => return failure(StatusCode::BAD_REQUEST, "invalid_request", &rejection.body_text()),
    };
    if let Some(trouble) = vendor.refuses(PROTOCOL, &order.prompt) {
        return trouble_answer(&trouble);
    }
    if order.has(Word::Refuse) {
        let message = "提示词未通过内容安全审核，请修改后重试";
        return failure(StatusCode::BAD_REQUEST, "content_policy", message);
    }
    if let Err(reason) = vendor.fetch_picture(&order.image_url).await {
        return failure(StatusCode::BAD_REQUEST, "invalid_image", &reason);
    }
    match vendor.accept(PROTOCOL, order, Value::Null).await {
        Ok(task) => (StatusCode::CREATED, Json(json!({"id": task.id}))).into_response(),
        Err(trouble) => trouble_answer(&trouble),
    }
}

async fn query(State(vendor): State<Vendor>, Path(id): Path<String>) -> Response {
    let Some(task) = vendor.find(PROTOCOL, &id) else { return unknown() };
    match vendor.stumbles(&task) {
        Some(trouble) => trouble_answer(&trouble),
        None => Json(described(&vendor, &task)).into_response(),
    }
}

fn described(vendor: &Vendor, task: &Task) -> Value {
    let status = task.status(vendor.now());
    let mut answer = json!({"id": task.id, "status": status.in_general()});
    match status {
        Status::Queued | Status::Running => {}
        Status::Odd(state) | Status::Ended(state) => answer["status"] = state.into(),
        Status::Succeeded => answer["video_url"] = vendor.video_address(task).into(),
        Status::Failed(code) => {
            let message = "视频生成失败：画面内容无法解析，请更换图片或描述后重试";
            answer["error"] = json!({"code": code.unwrap_or("generation_failed"), "message": message});
        }
        Status::Cancelled => answer["error"] = json!({"code": "cancelled", "message": "已取消"}),
    }
    answer
}

/// What has ended stays as it is.
async fn cancel(State(vendor): State<Vendor>, Path(id): Path<String>) -> Response {
    let cancelled = vendor.change(PROTOCOL, &id, |task, now| {
        if task.status(now).is_live() {
            task.cancelled_at = Some(now);
        }
        Ok(())
    });
    match cancelled.await {
        None => unknown(),
        Some(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Some(Err(trouble)) => trouble_answer(&trouble),
    }
}

async fn list(State(vendor): State<Vendor>) -> Json<Value> {
    let now = vendor.now();
    let tasks: Vec<_> = vendor
        .tasks()
        .values()
        .map(|task| {
            let Task { id, created_at, protocol, request, order, .. } = task;
            json!({
                "id": id, "status": task.status(now).in_general(), "created_at": created_at,
                "image_url": order.image_url, "prompt": order.prompt, "camera_movement": order.camera_movement,
                "shot_type": order.shot_type, "lighting": order.lighting, "client_task_id": order.client_task_id,
                "protocol": protocol, "request": request, "cancelled": task.cancelled_at.is_some(),
            })
        })
        .collect();
    Json(json!({"tasks": tasks}))
}

fn unknown() -> Response {
    failure(StatusCode::NOT_FOUND, "not_found", "任务不存在")
}

/// An error by its status.
fn trouble_answer(trouble: &Trouble) -> Response {
    let (code, message) = match status_of(PROTOCOL, &trouble.code) {
        401 | 403 => ("unauthorized", "密钥无效"),
        402 => ("no_credit", "余额不足"),
        404 => ("not_found", "任务不存在"),
        429 => ("rate_limited", "请求过于频繁，请稍后重试"),
        500.. => ("internal", "服务暂时不可用，请稍后重试"),
        _ => ("invalid_request", "请求无效"),
    };
    let message = trouble.message.as_deref().unwrap_or(message);
    answer::failure(PROTOCOL, &trouble.code, json!({"error": {"code": code, "message": message}}))
}

pub(super) fn failure(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({"error": {"code": code, "message": message}}))).into_response()
}

#[cfg(test)]
#[path = "vendor_tests.rs"]
mod tests;
