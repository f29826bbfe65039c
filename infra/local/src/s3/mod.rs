//! S3 on a loopback port: `s3s` speaks the protocol and checks signatures, `s3s-fs` keeps the files, and this module
//! adds what browsers and the functions need beyond that: CORS ([`cors`]) and exact conditional requests
//! (`objects`).
//!
//! Buckets are addressed by path (`/bucket/key`). They come from the template; a request can't make one.

pub mod cors;
mod objects;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::error;

use cors::CorsRule;
use objects::Objects;

use crate::faults::{Fault, Faults};

/// A bucket and what web pages may do with it.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Its name, by the rules of S3.
    pub name: String,
    /// `CorsConfiguration`; empty where the bucket has none.
    pub cors: Vec<CorsRule>,
}

/// The one key pair whose signatures are accepted.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID` of the functions.
    pub access_key: String,
    /// `AWS_SECRET_ACCESS_KEY` of the functions.
    pub secret_key: String,
}

/// The running service. Dropped, it takes no more connections.
#[derive(Debug)]
pub struct Handle {
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Handle {
    /// Lets running requests end, but not for long.
    pub async fn stop(self) {
        drop(self.stop);
        // What is still open then is a client that does not read; the task ends with the runtime.
        let _ = timeout(Duration::from_secs(2), self.server).await;
    }
}

/// Serves `buckets`, with their files under `root`, until the handle is stopped or dropped.
pub fn serve(
    listener: TcpListener,
    root: &Path,
    buckets: Vec<Bucket>,
    credentials: &Credentials,
    faults: &Faults,
) -> anyhow::Result<Handle> {
    for bucket in &buckets {
        let directory = root.join(&bucket.name);
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let files = FileSystem::new(root).map_err(|error| anyhow!("cannot use {}: {error:?}", root.display()))?;
    let names = buckets.iter().map(|bucket| bucket.name.clone()).collect();
    let mut service = S3ServiceBuilder::new(Objects::new(files, names));
    service
        .set_auth(SimpleAuth::from_single(credentials.access_key.as_str(), credentials.secret_key.as_str()));
    let front = Front {
        service: service.build(),
        cors: buckets.into_iter().map(|bucket| (bucket.name, bucket.cors)).collect(),
        faults: faults.clone(),
    };

    let router = Router::new().fallback(handle).with_state(Arc::new(front));
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let serving = axum::serve(listener, router).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        if let Err(error) = serving.await {
            error!("S3 ended: {error}");
        }
    });
    Ok(Handle { stop, server })
}

struct Front {
    service: S3Service,
    cors: HashMap<String, Vec<CorsRule>>,
    faults: Faults,
}

impl Front {
    async fn answer(&self, request: Request) -> Response {
        let (method, path) = (request.method(), request.uri().path());
        if self.faults.strikes(Fault::ThrottleS3, path) {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate.");
        }
        if *method == Method::PUT && self.faults.room(path).is_err() {
            let message = "We encountered an internal error. Please try again.";
            return refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message);
        }
        match self.service.call(request.map(s3s::Body::http_body_unsync)).await {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                error!("S3 failed: {error:?}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    (status, [(CONTENT_TYPE, "application/xml")], body).into_response()
}

async fn handle(State(front): State<Arc<Front>>, request: Request) -> Response {
    let bucket = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
    let rules = front.cors.get(bucket).map(Vec::as_slice).unwrap_or_default();
    if request.method() == Method::OPTIONS {
        return cors::preflight(rules, request.headers());
    }
    let access = cors::actual(rules, request.method(), request.headers());
    let mut response = front.answer(request).await;
    // On errors too: a page must be able to read a 412.
    response.headers_mut().extend(access);
    response
}

#[cfg(test)]
mod tests;
