use std::time::Duration;

use axum::http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::super::KLING_KEY;
use super::super::testing::{Bench, Heard, PNG, WEBP, base64_of, bench, data_uri, pass};
use super::*;

const VIDEOS: &str = "/v1/videos/image2video";

fn token(bench: &Bench) -> String {
    let (access, secret) = KLING_KEY.split_once(':').unwrap();
    let now = bench.vendor.now() / 1_000;
    let claims = json!({"iss": access, "exp": now + 1800, "nbf": now - 5});
    let key = EncodingKey::from_secret(secret.as_bytes());
    format!("Bearer {}", encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap())
}

async fn ask(bench: &Bench, method: Method, path: &str, body: &Value) -> Heard {
    bench.ask(PROTOCOL, method, path, &[("authorization", &token(bench))], body).await
}

fn request(prompt: &str) -> Value {
    json!({"model_name": "kling-v2-6", "mode": "pro", "duration": "10", "image": base64_of(PNG), "prompt": prompt})
}

async fn create(bench: &Bench, prompt: &str) -> (u16, Value) {
    let heard = ask(bench, Method::POST, VIDEOS, &request(prompt)).await;
    (heard.status, heard.body["code"].clone())
}

/// The path of a new task.
async fn accepted(bench: &Bench, prompt: &str) -> String {
    let heard = ask(bench, Method::POST, VIDEOS, &request(prompt)).await;
    assert_eq!((heard.status, &heard.body["code"]), (200, &json!(0)), "{}", heard.body);
    format!("{VIDEOS}/{}", heard.body["data"]["task_id"].as_str().unwrap())
}

async fn get(bench: &Bench, path: &str) -> Value {
    ask(bench, Method::GET, path, &Value::Null).await.body
}

#[tokio::test]
async fn a_task_ends_with_a_video_and_is_found_by_both_ids() {
    let mut bench = bench().await;
    let mut wanted = request("推进");
    wanted["external_task_id"] = json!("job-1");
    let made = ask(&bench, Method::POST, VIDEOS, &wanted).await;
    let data = &made.body["data"];
    assert_eq!((made.status, &data["task_status"]), (200, &json!("submitted")));
    assert_eq!(data["task_info"], json!({"external_task_id": "job-1"}));
    assert!(data["created_at"].as_i64().unwrap() > 1_000_000_000_000 && made.body["request_id"].is_string());
    let again = ask(&bench, Method::POST, VIDEOS, &wanted).await;
    assert_eq!((again.status, &again.body["code"]), (400, &json!(1201)), "an id is taken once");
    bench.reopen("http://public:1", Duration::from_secs(8));
    assert_eq!(ask(&bench, Method::POST, VIDEOS, &wanted).await.status, 400, "even after a restart");
    pass(Duration::from_secs(3)).await;
    let external = format!("{VIDEOS}/job-1");
    assert_eq!(get(&bench, &external).await["data"]["task_status"], "processing");
    pass(Duration::from_secs(5)).await;
    let done = get(&bench, &external).await["data"].clone();
    let id = done["task_id"].as_str().unwrap();
    assert_eq!(get(&bench, &format!("{VIDEOS}/{id}")).await["data"], done);
    assert_eq!((&done["task_status"], &done["task_status_msg"]), (&json!("succeed"), &json!("")));
    let video = &done["task_result"]["videos"][0];
    assert_eq!(video["url"], format!("http://public:1/_local/videos/{id}.mp4"));
    assert_eq!(video["duration"], "10");
    let listed = &bench.listed().await[0];
    assert_eq!((&listed["protocol"], &listed["client_task_id"]), (&json!("kling"), &json!("job-1")));
    assert_eq!(
        (&listed["request"]["image"], &listed["image_url"]),
        (&json!("<17 bytes>"), &json!("<17 bytes>"))
    );
}

#[tokio::test]
async fn only_what_is_documented_is_taken() {
    let bench = bench().await;
    let camera = |kind: &str, config: Value| json!({"type": kind, "config": config});
    for (name, value) in [
        ("model_name", json!("kling-v9")),
        ("mode", json!("fast")),
        ("duration", json!(5)),
        ("duration", json!("7")),
        ("image", json!(data_uri("png", PNG))),
        ("image", json!(base64_of(WEBP))),
        ("image", json!("no base64")),
        ("image", json!(format!("{}/a.webp", bench.pictures))),
        ("prompt", json!("长".repeat(2_501))),
        ("cfg_scale", json!(0.5)),
        ("seed", json!(1)),
        ("external_task_id", json!("")),
        ("camera_control", json!({"type": "spin"})),
        ("camera_control", json!({"type": "simple"})),
        ("camera_control", camera("down_back", json!({"zoom": 1}))),
        ("camera_control", camera("simple", json!({"zoom": 0, "pan": 0}))),
        ("camera_control", camera("simple", json!({"zoom": 1, "pan": 1}))),
        ("camera_control", camera("simple", json!({"zoom": 11}))),
        ("camera_control", camera("simple", json!({"dolly": 1}))),
    ] {
        let mut bad = request("x");
        bad[name] = value;
        let heard = ask(&bench, Method::POST, VIDEOS, &bad).await;
        assert_eq!((heard.status, &heard.body["code"]), (400, &json!(1201)), "{name} {}", heard.body);
    }
    let mut both = request("x");
    both["camera_control"] = json!({"type": "down_back"});
    both["image_tail"] = both["image"].clone();
    assert_eq!(ask(&bench, Method::POST, VIDEOS, &both).await.status, 400);
    assert!(bench.listed().await.is_empty());

    for camera in [json!({"type": "forward_up"}), camera("simple", json!({"zoom": -10, "pan": 0}))] {
        let mut good = request("x");
        good["camera_control"] = camera;
        good["image"] = json!(format!("{}/a.png", bench.pictures));
        assert_eq!(ask(&bench, Method::POST, VIDEOS, &good).await.status, 200);
    }
    let heard = bench.ask(PROTOCOL, Method::GET, &format!("{VIDEOS}/1"), &[], &Value::Null).await;
    assert_eq!((heard.status, &heard.body["code"]), (401, &json!(1001)));
    let heard = ask(&bench, Method::GET, &format!("{VIDEOS}/1"), &Value::Null).await;
    assert_eq!((heard.status, &heard.body["code"]), (404, &json!(1203)));
}

#[tokio::test]
async fn words_in_the_prompt_steer_it() {
    let bench = bench().await;
    assert_eq!(create(&bench, "#refuse").await, (400, json!(1301)));
    assert_eq!(create(&bench, "#refuse #in200").await, (200, json!(1301)));
    assert_eq!(create(&bench, "#create:1200 #in200").await, (200, json!(1200)));
    assert_eq!(create(&bench, "#create:1102 #in200").await, (429, json!(1102)));
    assert_eq!(create(&bench, "#create:1303").await, (429, json!(1303)));
    assert_eq!(create(&bench, "#create:1303").await, (200, json!(0)));
    assert_eq!(create(&bench, "#create:5001").await, (503, json!(5001)));
    assert_eq!(create(&bench, "#accept:5002").await, (504, json!(5002)));
    assert_eq!(bench.listed().await.len(), 2);

    let failing = accepted(&bench, "#fail").await;
    let told = accepted(&bench, "#fail:no_face").await;
    let odd = accepted(&bench, "#end:lapsed").await;
    let flaky = accepted(&bench, "#flaky").await;
    let asked = accepted(&bench, "#query:1203 #in200").await;
    pass(Duration::from_secs(8)).await;
    let failed = get(&bench, &failing).await["data"].clone();
    assert_eq!((&failed["task_status"], failed["task_status_msg"] == ""), (&json!("failed"), false));
    assert!(failed.get("task_result").is_none());
    assert_eq!(get(&bench, &told).await["data"]["task_status_msg"], "no_face");
    assert_eq!(get(&bench, &odd).await["data"]["task_status"], "lapsed");
    assert_eq!(ask(&bench, Method::GET, &flaky, &Value::Null).await.status, 500);
    assert_eq!(get(&bench, &flaky).await["code"], 0);
    let heard = ask(&bench, Method::GET, &asked, &Value::Null).await;
    assert_eq!((heard.status, &heard.body["code"]), (200, &json!(1203)));
    assert_eq!(get(&bench, &asked).await["code"], 0);
    assert_eq!(ask(&bench, Method::DELETE, &asked, &Value::Null).await.status, 405);
}
