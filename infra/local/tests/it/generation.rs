//! Contract §2, §6: a video from the request to the pushed result, and everything that can go wrong on the way.

use mongodb::bson::{DateTime, doc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{board::Board, studio::Studio};

#[tokio::test]
async fn a_video_is_made_and_pushed_and_can_be_watched() {
    let mut studio = Studio::open().await;
    let form = json!({"form_data.camera_movement": "推进", "form_data.lighting": "逆光"});
    studio.socket.update(&studio.id, form).await;
    let started = studio.board.send(studio.generate("人物转身 $100 a.b")).await.data();
    let task_id = started["task_id"].as_str().unwrap().to_owned();
    assert_eq!(started, json!({"task_id": task_id, "status": "generating"}));
    let generating = studio.expect("generating").await;
    // Who was told of it is up to date: that the claim got its task changes nothing that was told.
    let known =
        generating["updated_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let locked = json!({"workspace_id": studio.id, "updates": {"form_data.x": 1}, "client_timestamp": known});
    studio.socket.expect("workspace.update", locked, "workspace.sync_confirm").await;
    let completed = studio.expect("completed").await;
    assert!(completed["updated_at"].as_str() > generating["updated_at"].as_str());
    let stored = studio.board.workspace(&studio.id).await;
    assert_eq!(stored["updated_at"], completed["updated_at"]);
    let url = completed["video_url"].as_str().unwrap();
    assert!(url.starts_with("/api/videos/"), "{url}");
    assert_eq!(
        stored["video"],
        json!({"status": "completed", "task_id": task_id, "url": url, "error": null, "history": []})
    );

    let location = studio.board.location(url).await;
    let video =
        studio.board.request(Method::GET, &location).header("range", "bytes=4-7").send().await.unwrap();
    assert_eq!(video.status(), 206);
    assert_eq!(video.headers()["content-type"], "video/mp4");
    assert_eq!(video.bytes().await.unwrap(), "ftyp");

    // What the request didn't say came from the form, and the vendor could read the picture.
    let tasks = studio.board.vendor_tasks().await;
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0]["prompt"], "人物转身 $100 a.b");
    assert_eq!(tasks[0]["camera_movement"], "推进");
    assert_eq!(tasks[0]["lighting"], "逆光");

    // A new generation forgets the last one's result at once.
    studio.board.send(studio.generate("#stall")).await.data();
    studio.expect("generating").await;
    let video = studio.video().await;
    assert_eq!(
        (&video["status"], &video["url"], &video["error"]),
        (&json!("generating"), &Value::Null, &Value::Null)
    );
    studio.board.stop().await;
}

#[tokio::test]
async fn of_two_requests_at_the_same_time_one_wins() {
    let mut studio = Studio::open().await;
    let requests = (0..6).map(|_| studio.board.send(studio.generate("#stall")));
    let answers = futures_util::future::join_all(requests).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 5));
    let task_id = studio.video().await["task_id"].clone();
    assert_eq!(won[0].body["data"]["task_id"], task_id);
    for answer in lost {
        let details = answer.refused(409, "VIDEO_IN_PROGRESS");
        assert!(details["task_id"].is_null() || details["task_id"] == task_id, "{details}");
    }
    let late = studio.board.send(studio.generate("late")).await;
    assert_eq!(late.refused(409, "VIDEO_IN_PROGRESS")["task_id"], task_id);
    assert_eq!(studio.board.vendor_tasks().await.len(), 1);
    studio.expect("generating").await;
    studio.socket.assert_no_push().await;
    studio.board.stop().await;
}

#[tokio::test]
async fn a_repeat_with_the_same_key_gets_the_first_answer() {
    let mut studio = Studio::open().await;
    let with_key =
        |prompt: &str, key: &str| studio.board.send(studio.generate(prompt).header("idempotency-key", key));
    let answers = futures_util::future::join_all((0..4).map(|_| with_key("walks", "k1"))).await;
    let first = answers[0].body.clone();
    for answer in answers {
        assert_eq!((answer.status.as_u16(), &answer.body), (200, &first));
    }
    with_key("runs", "k1").await.invalid("Idempotency-Key");
    with_key("runs", "k2").await.refused(409, "VIDEO_IN_PROGRESS");
    with_key("runs", "").await.invalid("Idempotency-Key");
    with_key("runs", &"k".repeat(256)).await.invalid("Idempotency-Key");
    studio.expect("generating").await;
    studio.expect("completed").await;
    // Also after the end, and even though a 409 was between.
    let with_key =
        |prompt: &str, key: &str| studio.board.send(studio.generate(prompt).header("idempotency-key", key));
    assert_eq!(with_key("walks", "k1").await.body, first);
    assert_eq!(studio.board.vendor_tasks().await.len(), 1);
    // Another key is another generation, and so is none.
    assert_ne!(with_key("walks", "k2").await.data()["task_id"], first["data"]["task_id"]);
    studio.board.stop().await;
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason_and_may_be_tried_again() {
    let mut studio = Studio::open().await;
    let refused = studio.board.send(studio.generate("#refuse").header("idempotency-key", "k")).await;
    let reason = refused.body["error"]["message"].clone();
    refused.refused(502, "THIRD_PARTY_ERROR");
    studio.expect("generating").await;
    let failed = studio.expect("failed").await;
    assert_eq!(failed["error"], reason);
    assert_eq!(
        studio.video().await,
        json!({"status": "failed", "task_id": null, "url": null, "error": reason, "history": []})
    );
    assert!(studio.board.vendor_tasks().await.is_empty());
    // Not replayed but asked again.
    studio
        .board
        .send(studio.generate("#refuse").header("idempotency-key", "k"))
        .await
        .refused(502, "THIRD_PARTY_ERROR");
    studio.expect("generating").await;
    studio.expect("failed").await;
    studio.board.send(studio.generate("better")).await.data();
    studio.expect("generating").await;
    studio.expect("completed").await;
    assert_eq!(studio.video().await["error"], Value::Null);
    studio.board.stop().await;
}

#[tokio::test]
async fn a_task_that_fails_is_failed_with_its_reason() {
    let mut studio = Studio::open().await;
    studio.board.send(studio.generate("#fail")).await.data();
    studio.expect("generating").await;
    let failed = studio.expect("failed").await;
    assert!(failed["error"].as_str().is_some_and(|error| !error.is_ascii()), "{failed}");
    assert!(failed.get("video_url").is_none());
    assert_eq!(studio.video().await["error"], failed["error"]);
    studio.board.stop().await;
}

#[tokio::test]
async fn a_vendor_that_fails_now_and_then_is_asked_again() {
    let mut studio = Studio::open().await;
    studio.board.send(studio.generate("#flaky")).await.data();
    studio.expect("generating").await;
    studio.expect("completed").await;
    studio.board.stop().await;
}

#[tokio::test]
async fn a_video_that_never_ends_is_given_up_at_the_deadline() {
    let mut studio = Studio::of(Board::start_with_parameter("GenerationDeadlineSeconds", "2").await).await;
    studio.board.send(studio.generate("#stall")).await.data();
    studio.expect("generating").await;
    let failed = studio.expect("failed").await;
    assert_eq!(failed["error"], "视频生成超时");
    studio.board.stop().await;
}

#[tokio::test]
async fn a_task_that_may_have_been_accepted_is_not_asked_for_again() {
    let mut studio = Studio::open().await;
    let lost = studio.board.send(studio.generate("#lost").header("idempotency-key", "k"));
    let socket = &mut studio.socket;
    // Told while the vendor is still silent, and the first thing that comes.
    let (lost, (told, told_at)) = tokio::join!(lost, async {
        let told = socket.expect_push("video.status_update").await;
        (told, tokio::time::Instant::now())
    });
    assert_eq!(told["status"], "generating");
    assert!(told_at.elapsed() > std::time::Duration::from_secs(5));
    let first = lost.body.clone();
    lost.refused(502, "THIRD_PARTY_ERROR");
    assert_eq!(studio.expect("failed").await["error"], first["error"]["message"]);
    let again = studio.board.send(studio.generate("#lost").header("idempotency-key", "k")).await;
    assert_eq!((again.status.as_u16(), &again.body), (502, &first));
    assert_eq!(studio.board.vendor_tasks().await.len(), 1);
    studio.board.stop().await;
}

#[tokio::test]
async fn a_request_that_is_wrong_changes_nothing() {
    let mut studio = Studio::open().await;
    let post = async |body: Value| studio.board.post("/api/generate/video", &body).await;
    let (id, image_url) = (&studio.id, &studio.image_url);
    post(json!([])).await.invalid("body");
    post(json!({"image_url": image_url})).await.invalid("workspace_id");
    post(json!({"workspace_id": 5, "image_url": image_url})).await.invalid("workspace_id");
    post(json!({"workspace_id": id})).await.invalid("image_url");
    for url in [
        "https://evil.example/a.png",
        "/api/uploads/../x.png",
        "/api/uploads/short.png",
        "uploads/0123456789abcdef.png",
    ] {
        post(json!({"workspace_id": id, "image_url": url})).await.invalid("image_url");
    }
    post(json!({"workspace_id": id, "image_url": image_url, "params": 5})).await.invalid("params");
    post(json!({"workspace_id": id, "image_url": image_url, "params": {"shot_type": 5}}))
        .await
        .invalid("shot_type");
    for unknown in ["00ff10a2b3c4d5e6f7081920", "xxx"] {
        post(json!({"workspace_id": unknown, "image_url": image_url}))
            .await
            .refused(404, "WORKSPACE_NOT_FOUND");
    }
    let absent = "/api/uploads/0123456789abcdef0123.png";
    post(json!({"workspace_id": id, "image_url": absent})).await.refused(404, "IMAGE_NOT_FOUND");

    // Uploaded under the type of a picture, but none.
    let text = b"this is no picture";
    let permission = json!({"content_type": "image/png", "size": text.len()});
    let permission = studio.board.post("/api/upload/image", &permission).await.data();
    let mut put = studio.board.request(Method::PUT, permission["upload"]["url"].as_str().unwrap());
    for (name, value) in permission["upload"]["headers"].as_object().unwrap() {
        put = put.header(name, value.as_str().unwrap());
    }
    assert!(put.body(text.to_vec()).send().await.unwrap().status().is_success());
    let body = json!({"workspace_id": id, "image_url": permission["image_url"]});
    post(body).await.refused(415, "UNSUPPORTED_FILE_TYPE");

    assert_eq!(studio.video().await["status"], "pending");
    studio.socket.assert_no_push().await;
    studio.board.stop().await;
}

#[tokio::test]
async fn a_workspace_that_is_deleted_meanwhile_stays_deleted() {
    let mut studio = Studio::open().await;
    studio.board.send(studio.generate("walks")).await.data();
    studio.expect("generating").await;
    studio.socket.expect("workspace.delete", json!({"workspace_id": studio.id}), "workspace.deleted").await;
    let poll = json!({
        "owner": "default", "workspace_id": studio.id, "generation_id": "x", "task_id": "task_x", "poll_seconds": 1,
        "deadline_ms": i64::MAX,
    });
    assert_eq!(
        studio.board.invoke("PollVideoFunction", &poll).await,
        json!({"status": "ended", "retry_after_seconds": 0})
    );
    assert!(studio.board.workspaces().await.is_empty());
    studio.socket.assert_no_push().await;
    studio.board.stop().await;
}

/// A claim that nobody finished: what is left when `generate-video` dies before it knows the task.
pub async fn abandon(studio: &Studio) {
    let now = DateTime::now();
    let in_an_hour = DateTime::from_millis(now.timestamp_millis() + 3_600_000);
    let video = doc! {
        "status": "generating", "task_id": null, "url": null, "error": null,
        "generation": {
            "id": "abandoned", "idempotency": null, "outcome": null, "polled_at": now,
            "deadline_at": in_an_hour, "attempt": 0,
        },
    };
    studio.board.rows("workspaces").update_one(doc! {}, doc! {"$set": {"video": video}}).await.unwrap();
}

#[tokio::test]
async fn an_abandoned_claim_is_swept_and_never_asked_for_again() {
    let mut studio = Studio::open().await;
    abandon(&studio).await;
    studio.board.sweep().await;
    assert_eq!(studio.video().await["status"], "generating");
    studio.age("video.generation.polled_at", 121).await;
    studio.board.sweep().await;
    let failed = studio.expect("failed").await;
    assert!(failed["error"].as_str().unwrap().contains("结果未知"));
    assert!(studio.board.vendor_tasks().await.is_empty());
    // Swept once.
    studio.board.sweep().await;
    studio.socket.assert_no_push().await;
    studio.board.stop().await;
}

#[tokio::test]
async fn a_task_that_lost_its_execution_gets_another() {
    let mut studio = Studio::open().await;
    let task_id = studio.board.send(studio.generate("walks")).await.data()["task_id"].clone();
    studio.expect("generating").await;
    studio.expect("completed").await;
    // As if the execution had never been: the task is there, and nobody asks about it.
    abandon(&studio).await;
    let known =
        doc! {"$set": {"video.task_id": task_id.as_str().unwrap(), "video.generation.outcome": "accepted"}};
    studio.board.rows("workspaces").update_one(doc! {}, known).await.unwrap();
    studio.age("video.generation.polled_at", 121).await;
    studio.board.sweep().await;
    studio.expect("completed").await;
    studio.board.stop().await;
}

#[tokio::test]
async fn the_sweeper_gives_up_what_is_past_its_deadline() {
    let mut studio = Studio::open().await;
    studio.board.send(studio.generate("#stall")).await.data();
    studio.expect("generating").await;
    studio.age("video.generation.deadline_at", 1).await;
    studio.board.sweep().await;
    assert_eq!(studio.expect("failed").await["error"], "视频生成超时");
    studio.board.stop().await;
}

#[tokio::test]
async fn a_poll_that_is_repeated_tells_the_end_again_and_changes_nothing() {
    let mut studio = Studio::open().await;
    let task_id = studio.board.send(studio.generate("walks")).await.data()["task_id"].clone();
    studio.expect("generating").await;
    let completed = studio.expect("completed").await;
    let row = studio.board.rows("workspaces").find_one(doc! {}).await.unwrap().unwrap();
    let generation = row.get_document("video").unwrap().get_document("generation").unwrap();
    let poll = json!({
        "owner": "default", "workspace_id": studio.id, "generation_id": generation.get_str("id").unwrap(),
        "task_id": task_id, "poll_seconds": 1, "deadline_ms": 0,
    });
    assert_eq!(
        studio.board.invoke("PollVideoFunction", &poll).await,
        json!({"status": "ended", "retry_after_seconds": 0})
    );
    assert_eq!(studio.expect("completed").await, completed);
    // One of an older generation is none of this workspace's business any more.
    let mut older = poll.clone();
    older["generation_id"] = json!("older");
    assert_eq!(
        studio.board.invoke("PollVideoFunction", &older).await,
        json!({"status": "ended", "retry_after_seconds": 0})
    );
    studio.socket.assert_no_push().await;
    assert_eq!(studio.video().await["status"], "completed");
    studio.board.stop().await;
}
