//! Contract §7: a generation that is cancelled, whatever the vendor makes of it.

use local::simulation::Protocol;
use serde_json::{Value, json};

use crate::{
    board::Board,
    deaths::{at_a_slow_vendor, wait_while},
    slow_vendor::TASK,
    studio::Studio,
    vendors::PICTURE,
};

async fn vendor_has_cancelled(studio: &Studio, task_id: &Value) -> bool {
    let tasks = studio.board.vendor_tasks().await;
    tasks.iter().any(|task| task["id"] == *task_id && task["cancelled"] == true)
}

#[tokio::test]
async fn a_cancelled_video_is_told_and_cancelled_at_the_vendor() {
    let mut studio = Studio::open().await;
    let mut other = studio.board.connect().await;
    let task_id = studio.board.send(studio.generate("#stall")).await.data()["task_id"].clone();
    studio.expect("generating").await;
    other.expect_push("video.status_update").await;
    let cancel = studio.socket.frame("video.cancel", json!({"workspace_id": studio.id}));
    let answer = studio.socket.exchange(&cancel).await;
    assert_eq!(
        (&answer["type"], &answer["data"]),
        (&json!("video.cancelled"), &json!({"workspace_id": studio.id}))
    );
    for told in [studio.expect("failed").await, other.expect_push("video.status_update").await] {
        assert_eq!((&told["status"], &told["error"]), (&json!("failed"), &json!("已取消")));
    }
    let video = studio.video().await;
    assert_eq!((&video["status"], &video["error"]), (&json!("failed"), &json!("已取消")));
    // A repeat is answered like the first, and told to nobody.
    let again = studio.socket.exchange(&cancel).await;
    assert_eq!(again["data"], answer["data"]);
    other.assert_no_push().await;
    wait_while("the vendor's task goes on", async || !vendor_has_cancelled(&studio, &task_id).await).await;
    // And is begun anew at once.
    studio.board.send(studio.generate("better")).await.data();
    // The execution tells the end once more, in case that whoever cancelled died before it could.
    while studio.socket.expect_push("video.status_update").await["status"] != "completed" {}
    // Even now the repeat is none of a new cancellation.
    assert_eq!(studio.socket.exchange(&cancel).await["data"], answer["data"]);
    assert_eq!(studio.video().await["status"], "completed");
    studio.board.stop().await;
}

#[tokio::test]
async fn a_task_is_cancelled_though_another_was_begun_at_once() {
    let mut studio = Studio::open().await;
    let first = studio.board.send(studio.generate("#stall")).await.data()["task_id"].clone();
    let id = json!({"workspace_id": studio.id});
    studio.socket.expect("video.cancel", id, "video.cancelled").await;
    let second = studio.board.send(studio.generate("#stall")).await.data()["task_id"].clone();
    wait_while("the first task goes on", async || !vendor_has_cancelled(&studio, &first).await).await;
    assert!(!vendor_has_cancelled(&studio, &second).await);
    assert_eq!(studio.video().await["status"], "generating");
    studio.board.stop().await;
}

#[tokio::test]
async fn what_comes_after_the_cancellation_changes_nothing() {
    let mut studio = Studio::open().await;
    studio.board.send(studio.generate("walks")).await.data();
    studio.expect("generating").await;
    let id = json!({"workspace_id": studio.id});
    studio.socket.expect("video.cancel", id, "video.cancelled").await;
    let failed = studio.expect("failed").await;
    wait_while("the execution goes on", async || studio.board.executions().await != ["SUCCEEDED"]).await;
    let workspace = studio.board.workspace(&studio.id).await;
    assert_eq!(
        (&workspace["video"]["status"], &workspace["updated_at"]),
        (&json!("failed"), &failed["updated_at"])
    );
    studio.board.stop().await;
}

#[tokio::test]
async fn a_deleted_workspaces_task_is_cancelled_too() {
    let mut studio = Studio::open().await;
    let task_id = studio.board.send(studio.generate("#stall")).await.data()["task_id"].clone();
    let id = json!({"workspace_id": studio.id});
    studio.socket.expect("workspace.delete", id, "workspace.deleted").await;
    wait_while("the vendor's task goes on", async || !vendor_has_cancelled(&studio, &task_id).await).await;
    studio.board.stop().await;
}

#[tokio::test]
async fn where_nothing_is_made_nothing_is_cancelled() {
    let mut studio = Studio::open().await;
    let id = json!({"workspace_id": studio.id});
    let (code, context) = studio.socket.refused("video.cancel", id.clone()).await;
    let updated_at = studio.board.workspace(&studio.id).await["updated_at"].clone();
    assert_eq!(code, "CONFLICT");
    assert_eq!(context, json!({"workspace_id": studio.id, "updated_at": updated_at}));
    for unknown in ["00ff10a2b3c4d5e6f7081920", "xxx"] {
        let (code, _) = studio.socket.refused("video.cancel", json!({"workspace_id": unknown})).await;
        assert_eq!(code, "WORKSPACE_NOT_FOUND");
    }
    let (code, context) = studio.socket.refused("video.cancel", json!({})).await;
    assert_eq!((code.as_str(), &context["field"]), ("INVALID_DATA", &json!("workspace_id")));
    studio.board.send(studio.generate("walks")).await.data();
    studio.expect("generating").await;
    studio.expect("completed").await;
    assert_eq!(studio.socket.refused("video.cancel", id).await.0, "CONFLICT");
    assert_eq!(studio.video().await["status"], "completed");
    studio.board.stop().await;
}

#[tokio::test]
async fn a_task_is_cancelled_though_the_vendor_fails_when_it_is_asked() {
    let mut studio = Studio::open().await;
    let task_id = studio.board.send(studio.generate("#stall #flaky")).await.data()["task_id"].clone();
    let id = json!({"workspace_id": studio.id});
    studio.socket.expect("video.cancel", id, "video.cancelled").await;
    wait_while("the vendor's task goes on", async || !vendor_has_cancelled(&studio, &task_id).await).await;
    studio.board.stop().await;
}

#[tokio::test]
async fn what_is_cancelled_while_it_is_ordered_is_cancelled_at_the_vendor() {
    let (mut studio, mut vendor, request) = at_a_slow_vendor().await;
    let id = json!({"workspace_id": studio.id});
    studio.socket.expect("video.cancel", id, "video.cancelled").await;
    assert_eq!(studio.expect("failed").await["error"], "已取消");
    vendor.answer.notify_one();
    let answer = request.await.unwrap();
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["message"], "已取消");
    assert_eq!(vendor.cancelled.recv().await.as_deref(), Some(TASK));
    assert_eq!(studio.video().await["status"], "failed");
    studio.board.stop().await;
}

#[tokio::test]
async fn a_repeat_of_a_cancellation_that_came_too_late_ends_no_later_video() {
    let mut studio = Studio::open().await;
    let cancel = studio.socket.frame("video.cancel", json!({"workspace_id": studio.id}));
    let late = studio.socket.exchange(&cancel).await;
    assert_eq!(late["data"]["code"], "CONFLICT");
    studio.board.send(studio.generate("#stall")).await.data();
    let repeated = studio.socket.exchange(&cancel).await;
    assert_eq!(repeated["data"]["code"], "CONFLICT");
    assert_eq!(studio.video().await["status"], "generating");
    studio.board.stop().await;
}

#[tokio::test]
async fn to_cancel_is_no_way_around_the_bound_of_videos_at_once() {
    let start = |vendor| {
        Board::start_with(move |config| {
            config.vendor = vendor;
            config.parameters.insert("GenerationsAtOnce".to_owned(), "1".to_owned());
        })
    };
    // Kling can't cancel: what was begun goes on, and is paid.
    let mut studio = Studio::of_picture(start(Some(Protocol::Kling)).await, PICTURE).await;
    studio.board.send(studio.generate("#stall")).await.data();
    let id = json!({"workspace_id": studio.id});
    studio.socket.expect("video.cancel", id, "video.cancelled").await;
    studio.board.send(studio.generate("walks")).await.refused(429, "RATE_LIMITED");
    studio.board.stop().await;
    // Until it ends there, of which it is asked as before.
    let mut studio = Studio::of_picture(start(Some(Protocol::Kling)).await, PICTURE).await;
    studio.board.send(studio.generate("walks")).await.data();
    let id = json!({"workspace_id": studio.id});
    studio.socket.expect("video.cancel", id, "video.cancelled").await;
    wait_while("there is no room", async || studio.board.send(studio.generate("walks")).await.status != 200)
        .await;
    studio.board.stop().await;
    // The plain vendor can, and then there is room again.
    let mut studio = Studio::of(start(None).await).await;
    let task_id = studio.board.send(studio.generate("#stall")).await.data()["task_id"].clone();
    let id = json!({"workspace_id": studio.id});
    studio.socket.expect("video.cancel", id, "video.cancelled").await;
    wait_while("the vendor's task goes on", async || !vendor_has_cancelled(&studio, &task_id).await).await;
    wait_while("there is no room", async || studio.board.send(studio.generate("walks")).await.status != 200)
        .await;
    studio.board.stop().await;
}
