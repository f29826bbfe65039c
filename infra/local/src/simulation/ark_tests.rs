use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::super::ARK_KEY;
use super::super::testing::{Bench, Heard, PNG, bench, data_uri, pass};
use super::*;

const TASKS: &str = "/contents/generations/tasks";

async fn ask(bench: &Bench, method: Method, path: &str, body: &Value) -> Heard {
    let key = format!("Bearer {ARK_KEY}");
    bench.ask(PROTOCOL, method, path, &[("authorization", &key)], body).await
}

fn request(prompt: &str) -> Value {
    json!({
        "model": "doubao-seedance-1-5-pro-251215",
        "content": [
            {"type": "text", "text": prompt},
            {"type": "image_url", "role": "first_frame", "image_url": {"url": data_uri("png", PNG)}},
        ],
        "resolution": "720p", "ratio": "adaptive", "duration": 5, "seed": -1, "watermark": false,
    })
}

async fn create(bench: &Bench, prompt: &str) -> Heard {
    ask(bench, Method::POST, TASKS, &request(prompt)).await
}

/// The path of a new task.
async fn accepted(bench: &Bench, prompt: &str) -> String {
    let heard = create(bench, prompt).await;
    assert_eq!(heard.status, 200, "{}", heard.body);
    format!("{TASKS}/{}", heard.body["id"].as_str().unwrap())
}

async fn get(bench: &Bench, path: &str) -> Value {
    ask(bench, Method::GET, path, &Value::Null).await.body
}

#[tokio::test]
async fn a_task_ends_with_a_video_and_what_it_took() {
    let bench = bench().await;
    let path = accepted(&bench, "推进").await;
    let queued = get(&bench, &path).await;
    assert_eq!((&queued["status"], &queued["error"]), (&json!("queued"), &Value::Null));
    assert!(queued.get("content").is_none() && queued["created_at"].as_i64().unwrap() < 100_000_000_000);
    pass(Duration::from_secs(3)).await;
    assert_eq!(get(&bench, &path).await["status"], "running");
    pass(Duration::from_secs(5)).await;
    let done = get(&bench, &path).await;
    let id = done["id"].as_str().unwrap();
    assert!(id.starts_with("cgt-"));
    assert_eq!(done["content"]["video_url"], format!("http://public:1/_local/videos/{id}.mp4"));
    assert_eq!(
        (&done["status"], &done["ratio"], &done["seed"]),
        (&json!("succeeded"), &json!("16:9"), &json!(71))
    );
    assert_eq!(done["updated_at"].as_i64().unwrap() - done["created_at"].as_i64().unwrap(), 8);
    let listed = &bench.listed().await[0];
    assert_eq!((&listed["protocol"], &listed["prompt"]), (&json!("ark"), &json!("推进")));
    let kept = "data:image/png;base64,<17 bytes>";
    assert_eq!(listed["request"]["content"][1]["image_url"]["url"], kept);
    assert_eq!(listed["image_url"], kept);
    assert_eq!(bench.get(&format!("/tasks/{id}")).await.0, 404, "it is no task of the plain protocol");
}

#[tokio::test]
async fn only_what_is_documented_is_taken() {
    let bench = bench().await;
    let picture = request("x")["content"][1].clone();
    let of = |url: String| json!([{"type": "image_url", "image_url": {"url": url}}]);
    let last = json!([{"type": "image_url", "role": "last_frame", "image_url": picture["image_url"]}]);
    for (name, value) in [
        ("model", json!("")),
        ("resolution", json!("720P")),
        ("duration", json!("5")),
        ("duration", json!(1)),
        ("frames", json!(30)),
        ("watermark", json!("false")),
        ("seed", json!(null)),
        ("camera_movement", json!("推进")),
        ("content", json!([{"type": "text", "text": "x"}])),
        ("content", json!([picture, picture])),
        ("content", json!([{"type": "image_url", "image_url": "https://x/y"}])),
        ("content", last),
        ("content", of(data_uri("jpeg", PNG))),
        ("content", of(data_uri("PNG", PNG))),
        ("content", of(format!("{}/a.txt", bench.pictures))),
    ] {
        let mut bad = request("x");
        bad[name] = value;
        let heard = ask(&bench, Method::POST, TASKS, &bad).await;
        assert_eq!((heard.status, &heard.body["error"]["code"]), (400, &json!("InvalidParameter")), "{bad}");
    }
    let mut bad = request("x");
    bad.as_object_mut().unwrap().remove("model");
    let heard = ask(&bench, Method::POST, TASKS, &bad).await;
    assert_eq!(heard.body["error"]["code"], "MissingParameter");
    assert!(bench.listed().await.is_empty());

    let good = json!({"model": "ep-1", "content": of(format!("{}/a.webp", bench.pictures))});
    assert_eq!(ask(&bench, Method::POST, TASKS, &good).await.status, 200);
    let heard = bench.ask(PROTOCOL, Method::POST, TASKS, &[("authorization", "Bearer x")], &good).await;
    assert_eq!((heard.status, &heard.body["error"]["code"]), (401, &json!("AuthenticationError")));
    assert!(heard.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn words_in_the_prompt_steer_it() {
    let bench = bench().await;
    let refused = create(&bench, "#refuse").await;
    assert_eq!(
        (refused.status, &refused.body["error"]["code"]),
        (400, &json!("InputTextSensitiveContentDetected"))
    );
    let prompt = "#create:RateLimitExceeded.EndpointRPMExceeded";
    let busy = create(&bench, prompt).await;
    assert_eq!((busy.status, &busy.headers["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(create(&bench, prompt).await.status, 200);
    for _ in 0..2 {
        let poor = create(&bench, "#create:AccountOverdueError").await;
        assert_eq!((poor.status, poor.headers.get("retry-after")), (403, None));
    }
    let proxy = create(&bench, "#accept:502").await;
    assert_eq!((proxy.status, &proxy.body), (502, &Value::Null), "a page, no JSON");
    assert_eq!(create(&bench, "#accept:InternalServiceError").await.status, 500);
    assert_eq!(bench.listed().await.len(), 3);

    let failing = accepted(&bench, "#fail").await;
    let coded = accepted(&bench, "#fail:OutputAudioSensitiveContentDetected").await;
    let expired = accepted(&bench, "#end:expired").await;
    let flaky = accepted(&bench, "#flaky").await;
    let asked = accepted(&bench, "#query:ServerOverloaded").await;
    pass(Duration::from_secs(8)).await;
    let failed = get(&bench, &failing).await;
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&json!("failed"), &json!("OutputVideoSensitiveContentDetected"))
    );
    assert_eq!(get(&bench, &coded).await["error"]["code"], "OutputAudioSensitiveContentDetected");
    assert_eq!(get(&bench, &expired).await["status"], "expired");
    assert_eq!(get(&bench, &flaky).await["error"]["code"], "InternalServiceError");
    assert_eq!(get(&bench, &flaky).await["status"], "succeeded");
    assert_eq!(ask(&bench, Method::GET, &asked, &Value::Null).await.status, 429);
    assert_eq!(ask(&bench, Method::GET, &asked, &Value::Null).await.status, 200);
}

#[tokio::test]
async fn only_what_is_queued_is_cancelled_and_what_has_ended_removed() {
    let mut bench = bench().await;
    let (first, second) = (accepted(&bench, "one").await, accepted(&bench, "two").await);
    let delete = async |bench: &Bench, path: &str| {
        let heard = ask(bench, Method::DELETE, path, &Value::Null).await;
        (heard.status, heard.body)
    };
    assert_eq!(delete(&bench, &first).await, (200, json!({})));
    bench.reopen("http://public:1", Duration::from_secs(8));
    assert_eq!(get(&bench, &first).await["status"], "cancelled");
    assert_eq!(delete(&bench, &first).await.0, 400);
    pass(Duration::from_secs(3)).await;
    assert_eq!(delete(&bench, &second).await.1["error"]["code"], "InvalidParameter");
    pass(Duration::from_secs(5)).await;
    assert_eq!(delete(&bench, &second).await, (200, json!({})));
    let gone = ask(&bench, Method::GET, &second, &Value::Null).await;
    assert_eq!((gone.status, &gone.body["error"]["code"]), (404, &json!("ResourceNotFound")));
    assert_eq!(delete(&bench, &second).await.0, 404);
    let cancelled: Vec<_> = bench.listed().await.iter().map(|task| task["cancelled"].clone()).collect();
    assert_eq!(cancelled, [true, false]);
}
