//! The HTTP API: routes, limits, CORS, and the function's answer as an HTTP response.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api.html>

mod cors;
mod event;
mod response;
mod routes;

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use serde_json::json;
use tokio::time::timeout;

use self::cors::CorsPolicy;
use self::routes::Routes;
use super::ids;
use crate::lambda::{Functions, InvokeError, REQUEST_LIMIT};
use crate::log;
use crate::template;

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const BODY_LIMIT: usize = 10 * 1024 * 1024;
const INTEGRATION_LIMIT: Duration = Duration::from_secs(30);

const REQUEST_ID: HeaderName = HeaderName::from_static("apigw-requestid");

/// The HTTP API of the template.
pub struct HttpGateway {
    api_id: String,
    routes: Routes,
    cors: Option<CorsPolicy>,
    functions: Functions,
    integration_limit: Duration,
}

impl HttpGateway {
    /// Fails if two routes are the same, or one cannot be understood.
    pub fn new(api: &template::HttpApi, functions: Functions) -> anyhow::Result<Arc<Self>> {
        Self::with_limit(api, functions, INTEGRATION_LIMIT)
    }

    fn with_limit(
        api: &template::HttpApi,
        functions: Functions,
        integration_limit: Duration,
    ) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            api_id: api.id.clone(),
            routes: Routes::new(&api.routes)?,
            cors: api.cors.clone().map(CorsPolicy::new),
            functions,
            integration_limit,
        }))
    }

    /// Whether a function answers for this path.
    pub fn has_route(&self, method: &Method, path: &str) -> bool {
        self.routes.find(method, path).is_some()
    }

    /// Answers one request.
    pub async fn serve(&self, request: Request<Body>, source: IpAddr) -> Response {
        let (parts, body) = request.into_parts();
        let request_id = ids::id();
        let mut response = match &self.cors {
            Some(cors) if parts.method == Method::OPTIONS => cors.preflight(&parts.headers),
            Some(cors) => {
                let mut response = self.route(&parts, body, source, &request_id).await;
                cors.apply(&parts.headers, response.headers_mut());
                response
            }
            None => self.route(&parts, body, source, &request_id).await,
        };
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }

    async fn route(&self, parts: &request::Parts, body: Body, source: IpAddr, request_id: &str) -> Response {
        let what = format!("{} {}", parts.method, parts.uri.path());
        let Some(found) = self.routes.find(&parts.method, parts.uri.path()) else {
            log::refused(&what, StatusCode::NOT_FOUND.as_u16());
            return not_found();
        };
        let event = match to_bytes(body, BODY_LIMIT).await {
            Ok(body) => event::event(parts, &body, &found, &self.api_id, source, request_id),
            Err(error) if is_too_large(&error) => Bytes::new(),
            Err(_) => {
                log::refused(&what, StatusCode::BAD_REQUEST.as_u16());
                return message(StatusCode::BAD_REQUEST, "Bad Request");
            }
        };
        if event.is_empty() || event.len() > REQUEST_LIMIT {
            log::refused(&what, StatusCode::PAYLOAD_TOO_LARGE.as_u16());
            return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        }

        let (functions, function) = (self.functions.clone(), found.function.to_owned());
        let label = what.clone();
        let call = tokio::spawn(async move {
            let (outcome, report) = functions.call(&function, event).await;
            let answer = outcome.map_err(|error| (failure(&error), error.to_string())).and_then(|answer| {
                response::response(&answer).map_err(|reason| (INTERNAL, bad_answer(&reason)))
            });
            match answer {
                Ok(response) => {
                    report.log(label, response.status().as_u16());
                    response
                }
                Err(((status, text), reason)) => {
                    report.because(reason).log(label, status.as_u16());
                    message(status, text)
                }
            }
        });
        match timeout(self.integration_limit, call).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => message(INTERNAL.0, INTERNAL.1),
            Err(_) => {
                log::refused(&what, StatusCode::SERVICE_UNAVAILABLE.as_u16());
                message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
            }
        }
    }
}

/// Whether a body has no end within [`BODY_LIMIT`], rather than none at all.
fn is_too_large(error: &axum::Error) -> bool {
    error.source().is_some_and(|source| source.is::<LengthLimitError>())
}

/// The gateway's answer for most that goes wrong behind it.
const INTERNAL: (StatusCode, &str) = (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");

/// What the gateway answers for an invocation without an answer.
fn failure(error: &InvokeError) -> (StatusCode, &'static str) {
    match error {
        InvokeError::Throttled(_) | InvokeError::Stopped => {
            (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        }
        InvokeError::PayloadTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
        InvokeError::NotFound(_) | InvokeError::Function(_) | InvokeError::Service(_) => INTERNAL,
    }
}

fn bad_answer(reason: &str) -> String {
    format!("the answer cannot be made a response: {reason}")
}

/// The gateway's own answers.
fn message(status: StatusCode, text: &str) -> Response {
    (status, axum::Json(json!({ "message": text }))).into_response()
}

/// Here the local stack is kinder than the cloud: contract §1 gives it the envelope of all other errors.
fn not_found() -> Response {
    let body = json!({ "success": false, "error": { "code": "NOT_FOUND", "message": "接口不存在" } });
    (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests;
