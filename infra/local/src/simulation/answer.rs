//! What the errors of all vendors have in common.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;

use super::protocol::Protocol;
use super::steering::{is_capacity, of_proxy, status_of};

/// The error `code` with the vendor's body, or with a page where it is the error of a proxy before the vendor.
pub(super) fn failure(protocol: Protocol, code: &str, body: Value) -> Response {
    let status = StatusCode::from_u16(status_of(protocol, code)).unwrap_or(StatusCode::BAD_REQUEST);
    if let Some((number, text)) = of_proxy(protocol, code) {
        let page =
            format!("<html><head><title>{number} {text}</title></head><body>{number} {text}</body></html>");
        return (status, Html(page)).into_response();
    }
    let mut response = (status, Json(body)).into_response();
    if is_capacity(protocol, code) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
