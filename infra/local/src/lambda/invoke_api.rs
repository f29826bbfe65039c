//! The Invoke API, so that `aws lambda invoke --endpoint-url …` and tests can call one function.
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use serde_json::json;

use super::{Functions, InvokeError, REQUEST_LIMIT};

pub fn router(functions: Functions) -> Router {
    Router::new().route("/2015-03-31/functions/{name}/invocations", post(invoke)).with_state(functions)
}

async fn invoke(
    State(functions): State<Functions>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(body) = to_bytes(body, REQUEST_LIMIT).await else {
        return refusal(&InvokeError::PayloadTooLarge);
    };
    // An event is JSON; the CLI sends nothing at all for none.
    let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
    let kind = headers
        .get("x-amz-invocation-type")
        .map_or("RequestResponse", |kind| kind.to_str().unwrap_or_default());
    match kind {
        "RequestResponse" => match functions.invoke(&name, body).await {
            Ok(answer) => answer.into_response(),
            Err(InvokeError::Function(error)) => {
                ([("x-amz-function-error", "Unhandled")], error.payload).into_response()
            }
            Err(error) => refusal(&error),
        },
        "Event" => {
            tokio::spawn(async move { functions.invoke(&name, body).await });
            StatusCode::ACCEPTED.into_response()
        }
        _ => refused(
            StatusCode::BAD_REQUEST,
            "InvalidParameterValueException",
            "InvocationType is not known here",
        ),
    }
}

fn refusal(error: &InvokeError) -> Response {
    let (status, kind) = match error {
        InvokeError::NotFound(_) => (StatusCode::NOT_FOUND, "ResourceNotFoundException"),
        InvokeError::PayloadTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException"),
        InvokeError::Throttled(_) => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
        InvokeError::Function(_) | InvokeError::Service(_) | InvokeError::Stopped => {
            (StatusCode::INTERNAL_SERVER_ERROR, "ServiceException")
        }
    };
    refused(status, kind, &error.to_string())
}

fn refused(status: StatusCode, kind: &str, message: &str) -> Response {
    (status, [("x-amzn-errortype", kind)], axum::Json(json!({ "Message": message }))).into_response()
}
