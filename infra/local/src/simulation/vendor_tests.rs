use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::super::testing::{bench, call, pass};
use super::*;

#[tokio::test]
async fn a_task_ends_with_a_video() {
    let bench = bench().await;
    let id = bench.accepted("人物转身").await;
    assert!(id.starts_with("task_"));
    let path = format!("/tasks/{id}");
    assert_eq!(bench.get(&path).await, (200, json!({"id": id, "status": "queued"})));
    let video = format!("/_local/videos/{id}.mp4");
    let watch = || call(bench.vendor.videos(), Method::GET, &video, &[], &Value::Null);
    assert_eq!(watch().await.status, 404);
    pass(Duration::from_secs(3)).await;
    assert_eq!(bench.get(&path).await, (200, json!({"id": id, "status": "running"})));
    pass(Duration::from_secs(5)).await;
    let done = json!({"id": id, "status": "succeeded", "video_url": format!("http://public:1{video}")});
    assert_eq!(bench.get(&path).await, (200, done));
    assert_eq!(watch().await.status, 200);
}

#[tokio::test]
async fn words_in_the_prompt_steer_it() {
    let bench = bench().await;
    let (status, refusal) = bench.create("跳舞 #refuse").await;
    assert_eq!((status, &refusal["error"]["code"]), (400, &json!("content_policy")));
    let failing = bench.accepted("#fail").await;
    let coded = bench.accepted("#fail:no_face").await;
    let stalled = bench.accepted("#stall #state:paused").await;
    let odd = bench.accepted("#end:vanished").await;
    let flaky = bench.accepted("#flaky").await;
    let busy = bench.accepted("#query:429").await;
    pass(Duration::from_secs(100)).await;
    let (_, failed) = bench.get(&format!("/tasks/{failing}")).await;
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&json!("failed"), &json!("generation_failed"))
    );
    assert_eq!(bench.get(&format!("/tasks/{coded}")).await.1["error"]["code"], "no_face");
    assert_eq!(bench.get(&format!("/tasks/{stalled}")).await.1["status"], "paused");
    assert_eq!(bench.get(&format!("/tasks/{odd}")).await.1, json!({"id": odd, "status": "vanished"}));
    for (id, expected) in [(flaky, [500, 200, 500, 200]), (busy, [429, 200, 200, 200])] {
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(bench.get(&format!("/tasks/{id}")).await.0);
        }
        assert_eq!(statuses, expected);
    }
    assert_eq!(bench.get("/tasks/task_none").await.0, 404);
}

#[tokio::test]
async fn a_creation_may_be_answered_with_an_error() {
    let bench = bench().await;
    for expected in [503, 503] {
        assert_eq!(bench.create("#create:503").await.0, expected);
    }
    for expected in [429, 201, 201] {
        assert_eq!(bench.create("#create:429").await.0, expected, "there was no room only the first time");
    }
    assert_eq!(bench.create("#accept:504").await.0, 504);
    let prompts: Vec<_> = bench.listed().await.iter().map(|task| task["prompt"].clone()).collect();
    assert_eq!(prompts, ["#create:429", "#create:429", "#accept:504"]);
}

#[tokio::test]
async fn what_has_not_ended_can_be_cancelled() {
    let mut bench = bench().await;
    let id = bench.accepted("#stall").await;
    let path = format!("/tasks/{id}");
    let cancel = async |bench: &super::super::testing::Bench, path: &str| {
        bench.ask(Protocol::Plain, Method::DELETE, path, &[], &Value::Null).await.status
    };
    assert_eq!(cancel(&bench, &path).await, 204);
    bench.reopen("http://public:1", Duration::from_secs(8));
    let (_, answer) = bench.get(&path).await;
    assert_eq!(answer["error"], json!({"code": "cancelled", "message": "已取消"}));
    assert_eq!((&answer["status"], &bench.listed().await[0]["cancelled"]), (&json!("failed"), &json!(true)));
    let ended = format!("/tasks/{}", bench.accepted("推进").await);
    pass(Duration::from_secs(8)).await;
    assert_eq!(cancel(&bench, &ended).await, 204);
    assert_eq!(bench.get(&ended).await.1["status"], "succeeded");
    assert_eq!(cancel(&bench, "/tasks/task_none").await, 404);
}

#[tokio::test]
async fn a_lost_task_is_accepted_without_an_answer() {
    let bench = bench().await;
    let listed = async {
        while bench.listed().await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = bench.create("#lost") => panic!("answered {answer:?}"),
        () = listed => {}
    }
    let listed = bench.listed().await;
    assert_eq!((listed.len(), &listed[0]["client_task_id"]), (1, &json!("mine")));
    assert_eq!((&listed[0]["protocol"], &listed[0]["request"]), (&json!("plain"), &Value::Null));
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
    let bad = bench.ask(Protocol::Plain, Method::POST, "/tasks", &[], &json!({"prompt": 1})).await;
    assert_eq!((bad.status, &bad.body["error"]["code"]), (400, &json!("invalid_request")));
    assert!(bench.listed().await.is_empty());
}

#[tokio::test]
async fn tasks_survive_a_restart() {
    let mut bench = bench().await;
    let first = bench.accepted("one").await;
    let before = bench.listed().await;
    bench.reopen("http://public:2", Duration::from_secs(99));
    assert_eq!(bench.listed().await, before);
    pass(Duration::from_secs(8)).await;
    let (_, answer) = bench.get(&format!("/tasks/{first}")).await;
    assert_eq!(answer["video_url"], format!("http://public:2/_local/videos/{first}.mp4"));
}
