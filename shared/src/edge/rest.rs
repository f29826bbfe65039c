//! The REST envelope and the error codes (contract §1), and the loop that serves a REST route.

use std::{error::Error as StdError, future::Future, sync::Arc};

use lambda_http::{
    Body, Error, Request, RequestExt, Response,
    http::{HeaderValue, StatusCode, header},
    request::RequestContext,
    service_fn,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    deadline,
    function::{Live, note},
    settings::{Settings, SettingsError},
};
use crate::{
    model::{InvalidData, Owner, describe},
    service::{bucket::StoreError, database::DatabaseError, quotas::Exhausted},
};

/// After which a client may try again where a dependency can't be reached.
const RETRY_AFTER_SECONDS: u64 = 5;

/// Why a request is not carried out: what the client is told, and what is logged.
#[derive(Debug)]
pub struct RestError {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Option<Value>,
    remedy: Option<Remedy>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// What the client can do about an error, which a header says.
#[derive(Debug)]
enum Remedy {
    /// Send a token.
    Authenticate,
    /// Come back after so many seconds.
    RetryAfter(u64),
}

impl RestError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: None, remedy: None, cause: None }
    }

    fn caused_by(self, cause: impl StdError + Send + Sync + 'static) -> Self {
        Self { cause: Some(Box::new(cause)), ..self }
    }

    /// 401 `UNAUTHORIZED`. Why, is nobody's business who isn't let in.
    pub fn unauthorized() -> Self {
        let remedy = Some(Remedy::Authenticate);
        Self {
            remedy, ..Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "登录已失效，请重新登录")
        }
    }

    /// 404 `WORKSPACE_NOT_FOUND`
    pub fn workspace_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "WORKSPACE_NOT_FOUND", "工作空间不存在")
    }

    /// 404 `IMAGE_NOT_FOUND`
    pub fn image_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "IMAGE_NOT_FOUND", "图片不存在，请重新上传")
    }

    /// 404 `NOT_FOUND`
    pub fn video_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "视频不存在，请重新生成")
    }

    /// 409 `VIDEO_IN_PROGRESS`; the running task may not be known yet.
    pub fn video_in_progress(task_id: Option<&str>) -> Self {
        let details = Some(json!({"task_id": task_id}));
        Self {
            details, ..Self::new(StatusCode::CONFLICT, "VIDEO_IN_PROGRESS", "视频正在生成中，请等待完成")
        }
    }

    /// 413 `FILE_TOO_LARGE`
    pub fn file_too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "FILE_TOO_LARGE", "图片不能超过 10 MB")
    }

    /// 415 `UNSUPPORTED_FILE_TYPE`
    pub fn unsupported_file_type() -> Self {
        let message = "只支持 JPEG、PNG 和 WebP 格式的图片";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_FILE_TYPE", message)
    }

    /// 502 `THIRD_PARTY_ERROR`; `message` is for people.
    pub fn third_party(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "THIRD_PARTY_ERROR", message)
    }

    /// 502 `THIRD_PARTY_ERROR` with what is logged about it.
    pub fn third_party_failed(message: &str, cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::third_party(message).caused_by(cause)
    }

    /// 503 `SERVICE_UNAVAILABLE` with what is logged about it.
    pub fn unavailable_because(cause: impl StdError + Send + Sync + 'static) -> Self {
        let message = "服务暂时不可用，请稍后重试";
        let remedy = Some(Remedy::RetryAfter(RETRY_AFTER_SECONDS));
        Self { remedy, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", message) }
            .caused_by(cause)
    }

    fn into_response(self) -> Response<Body> {
        if let Some(cause) = &self.cause {
            tracing::error!(code = self.code, error = describe(&**cause), "request failed");
        }
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(details) = self.details {
            error["details"] = details;
        }
        let mut response = envelope(self.status, &json!({"success": false, "error": error}));
        // What isn't there now may be there in a moment.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers_mut().extend(self.remedy.map(|remedy| match remedy {
            Remedy::Authenticate => (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Remedy::RetryAfter(seconds) => (header::RETRY_AFTER, HeaderValue::from(seconds)),
        }));
        response
    }
}

/// 400 `INVALID_PARAMS`
impl From<InvalidData> for RestError {
    fn from(fault: InvalidData) -> Self {
        let details = Some(json!({"field": fault.field}));
        Self { details, ..Self::new(StatusCode::BAD_REQUEST, "INVALID_PARAMS", fault.message) }
    }
}

/// 503 where the database can't be reached, else 500 `DB_ERROR`
impl From<DatabaseError> for RestError {
    fn from(cause: DatabaseError) -> Self {
        if cause.is_unreachable() {
            return Self::unavailable_because(cause);
        }
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "DB_ERROR", "数据库操作失败，请稍后重试")
            .caused_by(cause)
    }
}

/// 503: the contract has no code of its own for a failing store.
impl From<StoreError> for RestError {
    fn from(cause: StoreError) -> Self {
        Self::unavailable_because(cause)
    }
}

/// 429 `RATE_LIMITED`
impl From<Exhausted> for RestError {
    fn from(exhausted: Exhausted) -> Self {
        let seconds = exhausted.retry_after.as_secs().max(1);
        let details = Some(json!({"limit": exhausted.limit, "retry_after_seconds": seconds}));
        let remedy = Some(Remedy::RetryAfter(seconds));
        Self {
            details,
            remedy,
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", exhausted.limit.message())
        }
    }
}

/// 200 with `data` in the envelope.
pub fn ok(data: &impl Serialize) -> Response<Body> {
    #[derive(Serialize)]
    struct Success<'a, T> {
        success: bool,
        data: &'a T,
    }
    envelope(StatusCode::OK, &Success { success: true, data })
}

fn envelope(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    // Every key is a string and every number finite, so there is nothing that could fail.
    let mut response = Response::new(Body::Text(serde_json::to_string(body).unwrap_or_default()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// The body of `request` as JSON.
pub fn json_body(request: &Request) -> Result<Value, InvalidData> {
    serde_json::from_slice(request.body()).map_err(|_| InvalidData::new("body", "请求体不是有效的 JSON"))
}

/// The text of a header, where the request has it.
pub fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Serves a REST route for as long as the process lives, each request by `handle` with what `make` has made of the settings: it gets
/// what whoever is let in asks for, and as whom. What it fails with is logged here and nowhere else.
pub async fn serve<A, M, MF, H, HF>(make: M, handle: H) -> Result<(), Error>
where
    A: Send + Sync,
    M: Fn(Settings) -> MF + Send + Sync,
    MF: Future<Output = Result<A, SettingsError>> + Send,
    H: Fn(Arc<A>, Request, Owner) -> HF + Sync,
    HF: Future<Output = Result<Response<Body>, RestError>> + Send,
{
    let make = &make;
    let guarded = |settings: Settings| async move {
        let access = settings.access()?;
        Ok((access, Arc::new(make(settings).await?)))
    };
    let handle = &handle;
    serve_unguarded(guarded, |guarded, request| async move {
        let (access, app) = &*guarded;
        let owner = access.owner(&request).await?;
        handle(Arc::clone(app), request, owner).await
    })
    .await
}

/// The same for a route that finds out by itself who may ask.
pub async fn serve_unguarded<A, M, MF, H, HF>(make: M, handle: H) -> Result<(), Error>
where
    A: Send + Sync,
    M: Fn(Settings) -> MF + Send + Sync,
    MF: Future<Output = Result<A, SettingsError>> + Send,
    H: Fn(Arc<A>, Request) -> HF + Sync,
    HF: Future<Output = Result<Response<Body>, RestError>> + Send,
{
    let live = Live::start(make).await?;
    let (live, handle) = (&live, &handle);
    lambda_http::run(service_fn(|request: Request| async move {
        let context = request.lambda_context();
        let answered = |app| async {
            if let Some(id) = gateway_id(&request) {
                note("correlation_id", id);
            }
            let answer = deadline::within(&context, handle(app, request)).await;
            let answer = answer.unwrap_or_else(|late| Err(RestError::unavailable_because(late)));
            // Within the span of the event, since it logs.
            answer.unwrap_or_else(RestError::into_response)
        };
        Ok::<_, Error>(live.with(&context, answered).await)
    }))
    .await
}

/// The gateway's id of a request, which its access log and the header `apigw-requestid` of the answer show too.
pub fn gateway_id(request: &Request) -> Option<String> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => context.request_id.clone(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::quotas::Limit;

    fn read(response: Response<Body>) -> (u16, Value) {
        let status = response.status().as_u16();
        (status, serde_json::from_slice(response.body()).unwrap())
    }

    #[test]
    fn errors_have_the_envelope_of_the_contract() {
        let (status, body) = read(RestError::from(InvalidData::new("size", "太小")).into_response());
        assert_eq!(status, 400);
        assert_eq!(
            body,
            json!({"success": false, "error": {"code": "INVALID_PARAMS", "message": "太小", "details": {"field": "size"}}})
        );
        let (status, body) = read(RestError::video_in_progress(None).into_response());
        assert_eq!(status, 409);
        assert_eq!(body["error"]["details"], json!({"task_id": null}));
        assert_eq!(read(RestError::workspace_not_found().into_response()).1["error"].get("details"), None);
    }

    #[test]
    fn unavailable_says_when_to_come_back() {
        let response = RestError::unavailable_because(std::fmt::Error).into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "5");
    }

    #[test]
    fn who_asks_too_much_is_told_what_and_for_how_long() {
        let exhausted = Exhausted {
            limit: Limit::SuggestionsPerMinute,
            retry_after: std::time::Duration::from_millis(300),
        };
        let response = RestError::from(exhausted).into_response();
        assert_eq!(response.headers()["retry-after"], "1");
        let (status, body) = read(response);
        assert_eq!(status, 429);
        assert_eq!(body["error"]["code"], "RATE_LIMITED");
        let details = json!({"limit": "suggestions_per_minute", "retry_after_seconds": 1});
        assert_eq!(body["error"]["details"], details);
    }

    #[test]
    fn a_stranger_learns_nothing_but_how_to_be_let_in() {
        let response = RestError::unauthorized().into_response();
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let (status, body) = read(response);
        assert_eq!((status, &body["error"]["code"]), (401, &json!("UNAUTHORIZED")));
        assert_eq!(body["error"].get("details"), None);
    }
}
