//! What the tests of all protocols share.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::{Protocol, Vendor, router};
use crate::faults::Faults;

pub(super) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n the rest";
pub(super) const WEBP: &[u8] = b"RIFF1234WEBP the rest";

/// Vendors, and a server with a picture for them to read.
pub(super) struct Bench {
    pub data: TempDir,
    pub vendor: Vendor,
    pub pictures: String,
}

pub(super) async fn bench() -> Bench {
    let data = TempDir::new().unwrap();
    let vendor =
        Vendor::open(data.path(), "http://public:1/", Duration::from_secs(8), &Faults::none()).unwrap();
    let router = Router::new()
        .route("/a.png", get(|| async { PNG }))
        .route("/a.webp", get(|| async { WEBP }))
        .route("/a.txt", get(|| async { "just text" }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pictures = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Bench { data, vendor, pictures }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Heard {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

pub(super) async fn call(
    router: Router,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Heard {
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_string())).unwrap();
    let response = TowerToHyperService::new(router).call(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    Heard { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default() }
}

impl Bench {
    /// A request to a path of a protocol.
    pub async fn ask(
        &self,
        protocol: Protocol,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Heard {
        let path = format!("{}{path}", protocol.path());
        call(router(&self.vendor), method, &path, headers, body).await
    }

    pub async fn create(&self, prompt: &str) -> (u16, Value) {
        self.create_from(&format!("{}/a.png", self.pictures), prompt).await
    }

    pub async fn create_from(&self, image_url: &str, prompt: &str) -> (u16, Value) {
        let order = json!({"image_url": image_url, "prompt": prompt, "client_task_id": "mine"});
        let heard = self.ask(Protocol::Plain, Method::POST, "/tasks", &[], &order).await;
        (heard.status, heard.body)
    }

    /// The id of a task of the plain protocol.
    pub async fn accepted(&self, prompt: &str) -> String {
        let (status, answer) = self.create(prompt).await;
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    /// A path of the plain protocol.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let heard = self.ask(Protocol::Plain, Method::GET, path, &[], &Value::Null).await;
        (heard.status, heard.body)
    }

    /// All tasks.
    pub async fn listed(&self) -> Vec<Value> {
        self.get("/tasks").await.1["tasks"].as_array().unwrap().clone()
    }

    /// The vendors after a restart.
    pub fn reopen(&mut self, public_base: &str, duration: Duration) {
        self.vendor = Vendor::open(self.data.path(), public_base, duration, &Faults::none()).unwrap();
    }
}

/// The clock is stopped only now: the pictures came over a real socket.
pub(super) async fn pass(duration: Duration) {
    tokio::time::pause();
    tokio::time::advance(duration).await;
    tokio::time::resume();
}

pub(super) fn base64_of(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn data_uri(subtype: &str, bytes: &[u8]) -> String {
    format!("data:image/{subtype};base64,{}", base64_of(bytes))
}
