//! The Runtime API, from which a process fetches its events. Each process has a path of its own, so that the answer to "next" is
//! known to be for that process.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;

use super::error::FunctionError;
use super::worker::{Worker, Workers};

const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");

pub fn router(workers: Arc<Workers>) -> Router {
    let api = "/rt/{process}/2018-06-01/runtime";
    Router::new()
        .route(&format!("{api}/invocation/next"), get(next))
        .route(&format!("{api}/invocation/{{request}}/response"), post(response))
        .route(&format!("{api}/invocation/{{request}}/error"), post(error))
        .route(&format!("{api}/init/error"), post(init_error))
        .with_state(workers)
}

async fn next(
    State(workers): State<Arc<Workers>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(process): Path<String>,
) -> Result<Response, Refusal> {
    let worker = find(&workers, &process)?;
    let event = worker.next(peer.port()).await;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [
        (REQUEST_ID, event.request_id),
        (DEADLINE, event.deadline_ms.to_string()),
        (FUNCTION_ARN, worker.pool.arn().to_owned()),
        (TRACE_ID, event.trace_id),
    ] {
        headers.insert(name, HeaderValue::try_from(value).map_err(|_| Refusal::NotAHeader)?);
    }
    Ok((headers, event.payload).into_response())
}

async fn response(
    State(workers): State<Arc<Workers>>,
    Path((process, request)): Path<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    let worker = find(&workers, &process)?;
    match to_bytes(body, super::RESPONSE_LIMIT).await {
        Ok(answer) => accept(worker.answer(&request, Ok(answer))),
        Err(_) => {
            worker.answer(&request, Err(FunctionError::response_too_large()));
            Err(Refusal::TooLarge)
        }
    }
}

async fn error(
    State(workers): State<Arc<Workers>>,
    Path((process, request)): Path<(String, String)>,
    body: Body,
) -> Result<Response, Refusal> {
    let worker = find(&workers, &process)?;
    let body = to_bytes(body, super::RESPONSE_LIMIT).await.map_err(|_| Refusal::TooLarge)?;
    accept(worker.answer(&request, Err(FunctionError::reported(body))))
}

async fn init_error(
    State(workers): State<Arc<Workers>>,
    Path(process): Path<String>,
    body: Body,
) -> Result<Response, Refusal> {
    let worker = find(&workers, &process)?;
    let body = to_bytes(body, super::RESPONSE_LIMIT).await.map_err(|_| Refusal::TooLarge)?;
    worker.init_failed(FunctionError::reported(body));
    accept(true)
}

fn find(workers: &Workers, process: &str) -> Result<Arc<Worker>, Refusal> {
    workers.get(process).ok_or(Refusal::UnknownProcess)
}

fn accept(is_known: bool) -> Result<Response, Refusal> {
    if !is_known {
        return Err(Refusal::UnknownRequest);
    }
    Ok((StatusCode::ACCEPTED, axum::Json(json!({ "status": "OK" }))).into_response())
}

enum Refusal {
    UnknownProcess,
    UnknownRequest,
    TooLarge,
    NotAHeader,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, kind, message) = match self {
            Self::UnknownProcess => (StatusCode::FORBIDDEN, "Forbidden", "this process is not known"),
            Self::UnknownRequest => (StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                "Exceeded maximum allowed payload size",
            ),
            Self::NotAHeader => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "not a header"),
        };
        (status, axum::Json(json!({ "errorType": kind, "errorMessage": message }))).into_response()
    }
}
