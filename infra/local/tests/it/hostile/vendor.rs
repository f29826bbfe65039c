//! A vendor that names, as its video, what is nobody's business but ours.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::Redirect,
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::board::{Board, PNG};

/// Something of ours that listens on the inner network: nobody may come.
async fn secret_service() -> (u16, Arc<AtomicUsize>) {
    let visits = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let six = TcpListener::bind(("::1", port)).await.ok();
    for listener in [Some(listener), six].into_iter().flatten() {
        let visits = Arc::clone(&visits);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                visits.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    (port, visits)
}

/// A vendor whose task `n` has its video at the `n`th address, and which is known as `host`: only that is trusted.
async fn vendor(host: &str, addresses: &[String]) -> String {
    async fn task(State(addresses): State<Arc<Vec<String>>>, Path(id): Path<usize>) -> Json<Value> {
        Json(json!({"id": id.to_string(), "status": "succeeded", "video_url": addresses[id]}))
    }
    async fn create(Json(order): Json<Value>) -> (StatusCode, Json<Value>) {
        (StatusCode::CREATED, Json(json!({"id": order["prompt"]})))
    }
    async fn leave(Path(to): Path<String>) -> Redirect {
        Redirect::temporary(&to)
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{host}:{}", listener.local_addr().unwrap().port());
    let addresses: Vec<String> = addresses.iter().map(|address| address.replace("{vendor}", &base)).collect();
    let router = Router::new()
        .route("/tasks", post(create))
        .route("/tasks/{id}", get(task))
        .route("/to/{*to}", get(leave))
        .with_state(Arc::new(addresses));
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

/// Has a video made for each address: what the list then shows of it.
async fn outcomes(host: &str, addresses: &[String]) -> Vec<Value> {
    let vendor = vendor(host, addresses).await;
    let board = Board::start_with_parameter("VideoVendorUrl", &vendor).await;
    let mut socket = board.connect().await;
    let image_url = board.upload(PNG).await;
    let mut ids = Vec::new();
    for number in 0..addresses.len() {
        let id = socket.create().await;
        let params = json!({"motion_prompt": number.to_string()});
        let body = json!({"workspace_id": id, "image_url": image_url, "params": params});
        board.post("/api/generate/video", &body).await.data();
        ids.push(id);
    }
    let mut ended = 0;
    while ended < addresses.len() {
        let push = socket.expect_push("video.status_update").await;
        ended += usize::from(push["status"] != "generating");
    }
    let mut videos = Vec::new();
    for id in ids {
        videos.push(board.workspace(&id).await["video"].clone());
    }
    board.stop().await;
    videos
}

#[tokio::test]
async fn nothing_of_ours_is_fetched_however_it_is_written() {
    let (port, visits) = secret_service().await;
    let hosts = [
        "127.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "127。0。0。1",
        "①②⑦.0.0.1",
        "%31%32%37.0.0.1",
        "user:password@127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
    ];
    let mut addresses: Vec<String> =
        hosts.iter().map(|host| format!("https://{host}:{port}/v.mp4")).collect();
    // Without encryption only the vendor's own host is asked; and where that sends us, is looked at like any other.
    addresses.push(format!("http://127.0.0.1:{port}/v.mp4"));
    addresses.push(format!("{{vendor}}/to/https://127.0.0.1:{port}/v.mp4"));
    addresses.push(format!("{{vendor}}/to/http://127.0.0.1:{port}/v.mp4"));
    addresses.push(format!("{{vendor}}/to/https://[::ffff:7f00:1]:{port}/v.mp4"));
    addresses.push(format!("{{vendor}}/to/{{vendor}}/to/https://127.1:{port}/v.mp4"));
    // A name that leads to us, where the vendor is known by its address.
    let names = [
        "https://localhost:{port}/v.mp4",
        "https://LOCALHOST:{port}/",
        "{vendor}/to/https://localhost:{port}/v.mp4",
    ]
    .map(|address| address.replace("{port}", &port.to_string()));
    for (host, addresses) in [("localhost", addresses.as_slice()), ("127.0.0.1", &names)] {
        for (address, video) in addresses.iter().zip(outcomes(host, addresses).await) {
            assert_eq!(video["status"], "completed", "{address}: {video}");
            assert!(!video["url"].as_str().unwrap().starts_with("/api/videos/"), "kept {address}");
        }
    }
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_address_that_no_page_should_follow_is_no_video() {
    let addresses = [
        "javascript:alert(document.domain)",
        " \tJaVaScRiPt:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "ftp://vendor.example/v.mp4",
        "//vendor.example/v.mp4",
        "/api/uploads/0123456789abcdef0123.png",
        "vbscript:x",
        "https://",
    ]
    .map(str::to_owned);
    for (address, video) in addresses.iter().zip(outcomes("localhost", &addresses).await) {
        assert_eq!((&video["status"], &video["url"]), (&json!("failed"), &Value::Null), "{address}: {video}");
        assert!(!video["error"].as_str().unwrap().contains(address.as_str()), "{video}");
    }
}
