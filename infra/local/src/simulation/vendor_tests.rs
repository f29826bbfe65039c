use super::*;
use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use hyper_util::service::TowerToHyperService;
use tempfile::TempDir;
use tokio::net::TcpListener;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n the rest";

/// A vendor, and a server with a picture for it to read.
struct Bench {
    data: TempDir,
    vendor: Vendor,
    pictures: String,
}

async fn bench() -> Bench {
    let data = TempDir::new().unwrap();
    let vendor =
        Vendor::open(data.path(), "http://public:1/", Duration::from_secs(8), &Faults::none()).unwrap();
    let router =
        Router::new().route("/a.png", get(|| async { PNG })).route("/a.txt", get(|| async { "just text" }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pictures = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Bench { data, vendor, pictures }
}

async fn call(router: Router, method: Method, path: &str, body: Value) -> (u16, Value) {
    use hyper::service::Service;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = TowerToHyperService::new(router).call(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

impl Bench {
    async fn create(&self, prompt: &str) -> (u16, Value) {
        self.create_from(&format!("{}/a.png", self.pictures), prompt).await
    }

    async fn create_from(&self, image_url: &str, prompt: &str) -> (u16, Value) {
        let order = json!({"image_url": image_url, "prompt": prompt, "client_task_id": "mine"});
        call(self.vendor.router(), Method::POST, "/tasks", order).await
    }

    async fn accepted(&self, prompt: &str) -> String {
        let (status, answer) = self.create(prompt).await;
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        call(self.vendor.router(), Method::GET, path, Value::Null).await
    }
}

/// The clock is stopped only now: the pictures came over a real socket.
async fn pass(duration: Duration) {
    tokio::time::pause();
    tokio::time::advance(duration).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_task_ends_with_a_video() {
    let bench = bench().await;
    let id = bench.accepted("人物转身").await;
    assert!(id.starts_with("task_"));
    let path = format!("/tasks/{id}");
    assert_eq!(bench.get(&path).await, (200, json!({"id": id, "status": "queued"})));
    let video = format!("/_local/videos/{id}.mp4");
    assert_eq!(call(bench.vendor.videos(), Method::GET, &video, Value::Null).await.0, 404);
    pass(Duration::from_secs(3)).await;
    assert_eq!(bench.get(&path).await, (200, json!({"id": id, "status": "running"})));
    pass(Duration::from_secs(5)).await;
    let done = json!({"id": id, "status": "succeeded", "video_url": format!("http://public:1{video}")});
    assert_eq!(bench.get(&path).await, (200, done));
    assert_eq!(call(bench.vendor.videos(), Method::GET, &video, Value::Null).await.0, 200);
}

#[tokio::test]
async fn words_in_the_prompt_steer_it() {
    let bench = bench().await;
    let (status, refusal) = bench.create("跳舞 #refuse").await;
    assert_eq!((status, &refusal["error"]["code"]), (400, &json!("content_policy")));
    let failing = bench.accepted("#fail").await;
    let stalled = bench.accepted("#stall").await;
    let flaky = bench.accepted("#flaky").await;
    pass(Duration::from_secs(100)).await;
    let (_, failed) = bench.get(&format!("/tasks/{failing}")).await;
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&json!("failed"), &json!("generation_failed"))
    );
    assert_eq!(bench.get(&format!("/tasks/{stalled}")).await.1["status"], "running");
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(bench.get(&format!("/tasks/{flaky}")).await.0);
    }
    assert_eq!(statuses, [500, 200, 500, 200]);
    assert_eq!(bench.get("/tasks/task_none").await.0, 404);
}

#[tokio::test]
async fn a_lost_task_is_accepted_without_an_answer() {
    let bench = bench().await;
    let listed = async {
        while bench.get("/tasks").await.1["tasks"] == json!([]) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = bench.create("#lost") => panic!("answered {answer:?}"),
        () = listed => {}
    }
    let (_, listed) = bench.get("/tasks").await;
    assert_eq!(listed["tasks"][0]["client_task_id"], "mine");
    assert_eq!(listed["tasks"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_picture_must_be_one() {
    let bench = bench().await;
    for path in ["/a.txt", "/missing.png"] {
        let (status, answer) = bench.create_from(&format!("{}{path}", bench.pictures), "x").await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!("invalid_image")), "{path}");
    }
    assert_eq!(bench.create_from("http://127.0.0.1:1/a.png", "x").await.0, 400);
    assert_eq!(bench.create_from("no address", "x").await.0, 400);
    let (status, answer) = call(bench.vendor.router(), Method::POST, "/tasks", json!({"prompt": 1})).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!("invalid_request")));
    assert_eq!(bench.get("/tasks").await.1, json!({"tasks": []}));
}

#[tokio::test]
async fn tasks_survive_a_restart() {
    let mut bench = bench().await;
    let first = bench.accepted("one").await;
    let before = bench.get("/tasks").await;
    bench.vendor =
        Vendor::open(bench.data.path(), "http://public:2", Duration::from_secs(99), &Faults::none()).unwrap();
    assert_eq!(bench.get("/tasks").await, before);
    pass(Duration::from_secs(8)).await;
    let (_, answer) = bench.get(&format!("/tasks/{first}")).await;
    assert_eq!(answer["video_url"], format!("http://public:2/_local/videos/{first}.mp4"));
}
