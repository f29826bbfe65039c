//! A video vendor that a test holds back.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Json, Router,
    body::Body,
    extract::Path,
    http::StatusCode,
    routing::{get, post},
};
use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc},
};

/// The only task of a [`SlowVendor`].
pub const TASK: &str = "task_1";

/// A vendor that answers when the test lets it.
pub struct SlowVendor {
    pub url: String,
    /// Each request for a task.
    pub asked: mpsc::UnboundedReceiver<()>,
    pub answer: Arc<Notify>,
    /// Each request for its video, which comes half and then stops while this is so.
    pub watched: mpsc::UnboundedReceiver<()>,
    pub stops: Arc<AtomicBool>,
    /// Each task that is cancelled.
    pub cancelled: mpsc::UnboundedReceiver<String>,
}

impl SlowVendor {
    pub async fn start() -> Self {
        let (ask, asked) = mpsc::unbounded_channel();
        let answer = Arc::new(Notify::new());
        let may_answer = Arc::clone(&answer);
        let create = move || {
            let (ask, may_answer) = (ask.clone(), Arc::clone(&may_answer));
            async move {
                ask.send(()).unwrap();
                may_answer.notified().await;
                (StatusCode::CREATED, Json(json!({"id": TASK})))
            }
        };
        let (watch, watched) = mpsc::unbounded_channel();
        let stops = Arc::new(AtomicBool::new(false));
        let may_stop = Arc::clone(&stops);
        let video = async move || {
            watch.send(()).unwrap();
            let rest = if may_stop.load(Ordering::Relaxed) {
                stream::pending().left_stream()
            } else {
                stream::iter([Ok("the rest")]).right_stream()
            };
            Body::from_stream(stream::iter([Ok::<_, Infallible>("\0\0\0\x18ftypmp42")]).chain(rest))
        };
        let (tell, cancelled) = mpsc::unbounded_channel();
        let cancel = async move |Path(id): Path<String>| {
            tell.send(id).unwrap();
            StatusCode::NO_CONTENT
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let done = json!({"id": TASK, "status": "succeeded", "video_url": format!("{url}/1.mp4")});
        let router = Router::new()
            .route("/tasks", post(create))
            .route("/tasks/{id}", get(async || Json(done)).delete(cancel))
            .route("/1.mp4", get(video));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked, answer, watched, stops, cancelled }
    }
}
