use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::super::testing::{Bench, Heard, PNG, bench, data_uri, pass};
use super::*;

const CREATE: &str = "/v1/image_to_video";
const HEADERS: [(&str, &str); 2] =
    [("authorization", "Bearer key_simulated"), ("x-runway-version", "2024-11-06")];

async fn ask(bench: &Bench, method: Method, path: &str, body: &Value) -> Heard {
    bench.ask(PROTOCOL, method, path, &HEADERS, body).await
}

fn request(prompt: &str) -> Value {
    json!({
        "model": "gen4.5", "promptImage": data_uri("png", PNG), "promptText": prompt, "ratio": "1280:720",
        "duration": 5, "seed": 7,
    })
}

async fn create(bench: &Bench, prompt: &str) -> Heard {
    ask(bench, Method::POST, CREATE, &request(prompt)).await
}

/// The path of a new task.
async fn accepted(bench: &Bench, prompt: &str) -> String {
    let heard = create(bench, prompt).await;
    assert_eq!(heard.status, 200, "{}", heard.body);
    format!("/v1/tasks/{}", heard.body["id"].as_str().unwrap())
}

async fn get(bench: &Bench, path: &str) -> Value {
    ask(bench, Method::GET, path, &Value::Null).await.body
}

fn members(body: &Value) -> Vec<&str> {
    body.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_task_makes_progress_and_ends_with_a_video() {
    let bench = bench().await;
    let path = accepted(&bench, "推进").await;
    let pending = get(&bench, &path).await;
    assert_eq!(
        (&pending["status"], members(&pending)),
        (&json!("PENDING"), vec!["createdAt", "id", "status"])
    );
    pass(Duration::from_secs(5)).await;
    let running = get(&bench, &path).await;
    let progress = running["progress"].as_f64().unwrap();
    assert!(running["status"] == "RUNNING" && (0.5..0.9).contains(&progress), "{running}");
    pass(Duration::from_secs(3)).await;
    let done = get(&bench, &path).await;
    let id = done["id"].as_str().unwrap();
    assert_eq!(members(&done), ["createdAt", "id", "output", "status"]);
    assert_eq!(done["output"], json!([format!("http://public:1/_local/videos/{id}.mp4")]));
    assert!(done["createdAt"].as_str().unwrap().parse::<Timestamp>().is_ok());
    assert_eq!(bench.listed().await[0]["request"]["promptImage"], "data:image/png;base64,<17 bytes>");
}

#[tokio::test]
async fn only_what_is_documented_is_taken() {
    let bench = bench().await;
    let too_large = format!("data:image/png;base64,{}", "A".repeat(5 << 20));
    for (name, value) in [
        ("model", json!("")),
        ("promptText", json!("😀".repeat(501))),
        ("promptText", json!("")),
        ("promptImage", json!(format!("{}/a.png", bench.pictures))),
        ("promptImage", json!("https://127.0.0.1/a.png")),
        ("promptImage", json!("https://[::1]/a.png")),
        ("promptImage", json!("https://localhost/a.png")),
        ("promptImage", json!(data_uri("jpeg", PNG))),
        ("promptImage", json!(too_large)),
        ("promptImage", json!([{"uri": data_uri("png", PNG), "position": "last"}])),
        ("ratio", json!("16:9")),
        ("duration", json!(11)),
        ("duration", json!(5.0)),
        ("seed", json!(-1)),
        ("watermark", json!(false)),
        ("contentModeration", json!({"publicFigureThreshold": "high"})),
    ] {
        let mut bad = request("x");
        bad[name] = value;
        let heard = ask(&bench, Method::POST, CREATE, &bad).await;
        assert_eq!((heard.status, heard.body["error"].is_string()), (400, true), "{name} {}", heard.body);
    }
    assert!(bench.listed().await.is_empty());
    let mut good = request(&"😀".repeat(500));
    good["promptImage"] = json!([{"uri": data_uri("png", PNG), "position": "first"}]);
    assert_eq!(ask(&bench, Method::POST, CREATE, &good).await.status, 200);

    let with = async |headers: &[(&str, &str)]| {
        bench.ask(PROTOCOL, Method::POST, CREATE, headers, &request("x")).await.status
    };
    assert_eq!(with(&HEADERS[..1]).await, 400);
    assert_eq!(with(&HEADERS[1..]).await, 401);
    assert_eq!(with(&[HEADERS[0], ("x-runway-version", "2024-09-13")]).await, 400);
    assert_eq!(with(&[("authorization", "Bearer key_other"), HEADERS[1]]).await, 401);
}

#[tokio::test]
async fn words_in_the_prompt_steer_it() {
    let bench = bench().await;
    assert_eq!(create(&bench, "#refuse").await.status, 400);
    let poor = create(&bench, "#create:credits").await;
    assert!(poor.status == 400 && poor.body["error"].as_str().unwrap().contains("credits"));
    let busy = create(&bench, "#create:429").await;
    assert_eq!((busy.status, &busy.headers["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(create(&bench, "#create:429").await.status, 200);
    assert_eq!(create(&bench, "#create:503").await.status, 503);
    assert_eq!(create(&bench, "#accept:504").await.status, 504);
    assert_eq!(bench.listed().await.len(), 2);

    let throttled = accepted(&bench, "#state:THROTTLED").await;
    let failing = accepted(&bench, "#fail").await;
    let unsafe_one = accepted(&bench, "#fail:SAFETY.INPUT.TEXT").await;
    let ended = accepted(&bench, "#end:CANCELLED").await;
    let asked = accepted(&bench, "#query:502").await;
    pass(Duration::from_secs(4)).await;
    let waiting = get(&bench, &throttled).await;
    assert_eq!((&waiting["status"], waiting.get("progress")), (&json!("THROTTLED"), None));
    pass(Duration::from_secs(4)).await;
    assert_eq!(get(&bench, &throttled).await["status"], "SUCCEEDED");
    let failed = get(&bench, &failing).await;
    assert_eq!(members(&failed), ["createdAt", "failure", "failureCode", "id", "status"]);
    assert_eq!(failed["failureCode"], "INTERNAL.BAD_OUTPUT.CODE01");
    assert_eq!(get(&bench, &unsafe_one).await["failureCode"], "SAFETY.INPUT.TEXT");
    assert_eq!(get(&bench, &ended).await["status"], "CANCELLED");
    assert_eq!(ask(&bench, Method::GET, &asked, &Value::Null).await.status, 502);
    assert_eq!(get(&bench, &asked).await["status"], "SUCCEEDED");
}

#[tokio::test]
async fn what_is_cancelled_is_not_there_any_more() {
    let mut bench = bench().await;
    let path = accepted(&bench, "#stall").await;
    let delete = async |bench: &Bench| ask(bench, Method::DELETE, &path, &Value::Null).await.status;
    assert_eq!(delete(&bench).await, 204);
    bench.reopen("http://public:1", Duration::from_secs(8));
    assert_eq!(ask(&bench, Method::GET, &path, &Value::Null).await.status, 404);
    assert_eq!(delete(&bench).await, 404);
    let listed = bench.listed().await;
    assert_eq!((listed.len(), &listed[0]["cancelled"]), (1, &json!(true)));
}
