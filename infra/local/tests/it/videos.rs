//! Contract §7: finished videos are kept in the bucket, and earlier takes with them.

use mongodb::bson::{DateTime, doc};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{board::Board, studio::Studio};

/// The file at the end of the way from `url`.
async fn watch(board: &Board, url: &str) -> Response {
    let location = board.location(url).await;
    board.request(Method::GET, &location).send().await.unwrap()
}

async fn make(studio: &mut Studio, prompt: &str) -> String {
    studio.board.send(studio.generate(prompt)).await.data();
    let ended = studio.outcome().await;
    assert_eq!(ended["status"], "completed", "{ended}");
    ended["video_url"].as_str().unwrap().to_owned()
}

/// The input of the newest execution, as `keep-video` is given it.
async fn keep_again(studio: &Studio) -> (Value, Vec<Value>) {
    let input = studio.board.execution_input().await;
    studio.board.invoke_and_listen("KeepVideoFunction", &input).await
}

#[tokio::test]
async fn a_finished_video_is_in_the_bucket_whole() {
    let mut studio = Studio::open().await;
    let url = make(&mut studio, "walks").await;
    assert!(url.starts_with("/api/videos/") && url.ends_with(".mp4"), "{url}");
    let task_id = studio.video().await["task_id"].as_str().unwrap().to_owned();
    let vendors = studio.board.request(Method::GET, &format!("/_local/videos/{task_id}.mp4")).send().await;
    let video = watch(&studio.board, &url).await;
    assert_eq!(video.headers()["content-type"], "video/mp4");
    assert_eq!(video.bytes().await.unwrap(), vendors.unwrap().bytes().await.unwrap());
    // A player of another origin may read it.
    let location = studio.board.location(&url).await;
    let seek = studio.board.request(Method::GET, &location).header("range", "bytes=-5");
    let seek = seek.header("origin", "null").send().await.unwrap();
    assert_eq!(
        (seek.status().as_u16(), seek.headers()["access-control-allow-origin"].as_bytes()),
        (206, &b"*"[..])
    );
    for unknown in [
        "0123456789abcdef0123.mp4",
        "0123456789abcdef0123.png",
        "short.mp4",
        "..%2Fuploads%2F0123456789abcdef",
    ] {
        studio.board.get(&format!("/api/videos/{unknown}")).await.refused(404, "NOT_FOUND");
    }
    studio.board.stop().await;
}

#[tokio::test]
async fn a_large_video_is_kept_in_parts() {
    let mut studio = Studio::open().await;
    let url = make(&mut studio, "#big:20").await;
    let video = watch(&studio.board, &url).await.bytes().await.unwrap();
    let task_id = studio.video().await["task_id"].as_str().unwrap().to_owned();
    let vendors = studio.board.request(Method::GET, &format!("/_local/videos/{task_id}.mp4")).send().await;
    assert_eq!(video.len(), 20 << 20);
    assert!(video == vendors.unwrap().bytes().await.unwrap(), "not the same bytes");
    studio.board.stop().await;
}

#[tokio::test]
async fn a_download_that_breaks_off_is_begun_again() {
    let mut studio = Studio::open().await;
    let url = make(&mut studio, "#cut #big:20").await;
    assert!(url.starts_with("/api/videos/"), "{url}");
    assert_eq!(watch(&studio.board, &url).await.bytes().await.unwrap().len(), 20 << 20);
    studio.board.stop().await;
}

#[tokio::test]
async fn what_cannot_be_kept_is_left_at_the_vendors_address() {
    let mut studio = Studio::open().await;
    for words in ["#gone", "#page", "#elsewhere"] {
        let url = make(&mut studio, words).await;
        assert!(url.contains("/_local/videos/"), "{words}: {url}");
        assert_eq!(studio.video().await["url"], url.as_str());
    }
    studio.board.stop().await;
}

#[tokio::test]
async fn keeping_can_be_turned_off() {
    let mut studio = Studio::of(Board::start_with_parameter("KeepVideos", "off").await).await;
    let url = make(&mut studio, "walks").await;
    assert!(url.contains("/_local/videos/"), "{url}");
    studio.board.stop().await;
}

#[tokio::test]
async fn a_copy_that_is_repeated_copies_nothing_and_tells_the_end_again() {
    let mut studio = Studio::open().await;
    let url = make(&mut studio, "walks").await;
    let (answer, lines) = keep_again(&studio).await;
    assert_eq!(answer, json!({"status": "ended"}));
    assert_eq!(studio.expect("completed").await["video_url"], url.as_str());
    assert!(!lines.iter().any(|line| line["message"] == "video kept"), "{lines:?}");
    // As if the first had died after the copy and before it could say so.
    let undone = doc! {"$set": {"video.status": "generating", "video.url": null}};
    studio.board.rows("workspaces").update_one(doc! {}, undone).await.unwrap();
    let (_, lines) = keep_again(&studio).await;
    assert_eq!(studio.expect("completed").await["video_url"], url.as_str());
    assert!(!lines.iter().any(|line| line["message"] == "video kept"), "{lines:?}");
    assert_eq!(watch(&studio.board, &url).await.status(), 200);
    studio.board.stop().await;
}

#[tokio::test]
async fn a_copy_that_nobody_waits_for_is_removed() {
    let mut studio = Studio::open().await;
    let url = make(&mut studio, "walks").await;
    // As if it had been cancelled while it was copied.
    let cancelled = doc! {"$set": {"video.status": "failed", "video.url": null, "video.error": "已取消"}};
    studio.board.rows("workspaces").update_one(doc! {}, cancelled).await.unwrap();
    keep_again(&studio).await;
    studio.expect("failed").await;
    studio.board.get(&url).await.refused(404, "NOT_FOUND");
    studio.board.stop().await;
}

#[tokio::test]
async fn a_video_whose_copying_was_given_up_is_shown_at_the_vendors() {
    let mut studio = Studio::open().await;
    make(&mut studio, "walks").await;
    let undone = doc! {"$set": {"video.status": "generating", "video.url": null}};
    studio.board.rows("workspaces").update_one(doc! {}, undone.clone()).await.unwrap();
    // By the state machine...
    let mut input = studio.board.execution_input().await;
    input["failure"] = json!({"Error": "BucketError", "Cause": "{}"});
    let (_, lines) = studio.board.invoke_and_listen("PollVideoFunction", &input).await;
    assert!(studio.expect("completed").await["video_url"].as_str().unwrap().contains("/_local/videos/"));
    let says = |line: &Value| line["message"] == "video not kept: left at the vendor's address";
    assert!(lines.iter().any(says), "{lines:?}");
    // ...and by the sweeper, once nobody works on it any more: not while somebody does.
    studio.board.rows("workspaces").update_one(doc! {}, undone).await.unwrap();
    studio.age("video.generation.deadline_at", 1).await;
    studio.age("video.generation.polled_at", 1).await;
    studio.board.sweep().await;
    assert_eq!(studio.video().await["status"], "generating");
    studio.age("video.generation.polled_at", 121).await;
    studio.board.sweep().await;
    assert!(studio.expect("completed").await["video_url"].as_str().unwrap().contains("/_local/videos/"));
    studio.board.stop().await;
}

#[tokio::test]
async fn earlier_takes_are_kept_and_their_files_go_with_them() {
    let mut studio = Studio::open().await;
    let first = make(&mut studio, "first").await;
    let task_id = studio.video().await["task_id"].clone();
    let finished = studio.board.workspace(&studio.id).await["updated_at"].clone();
    // One that fails is no take.
    studio.board.send(studio.generate("#fail")).await.data();
    let history = json!([{"task_id": task_id, "url": first, "created_at": finished}]);
    assert_eq!(studio.video().await["history"], history);
    assert_eq!(studio.outcome().await["status"], "failed");
    let second = make(&mut studio, "second").await;
    assert_eq!(studio.video().await["history"], history);

    // Ten more, as the list would show them; the next generation drops the oldest two.
    let take = |number: i32| doc! {"task_id": "t", "url": format!("https://x.example/{number}"), "created_at": DateTime::now()};
    let more: Vec<_> = (0..9).map(take).collect();
    let grow = doc! {"$push": {"video.history": {"$each": more}}};
    studio.board.rows("workspaces").update_one(doc! {}, grow).await.unwrap();
    make(&mut studio, "third").await;
    let takes = studio.video().await["history"].as_array().unwrap().clone();
    assert_eq!(takes.len(), 10);
    assert_eq!((&takes[0]["url"], &takes[9]["url"]), (&json!("https://x.example/0"), &json!(second)));
    assert_eq!(watch(&studio.board, &first).await.status(), 200, "not before the sweep");
    studio.board.sweep().await;
    studio.board.get(&first).await.refused(404, "NOT_FOUND");
    assert_eq!(watch(&studio.board, &second).await.status(), 200);

    let third = studio.video().await["url"].as_str().unwrap().to_owned();
    let id = json!({"workspace_id": studio.id});
    studio.socket.expect("workspace.delete", id, "workspace.deleted").await;
    studio.board.sweep().await;
    for gone in [&second, &third] {
        studio.board.get(gone).await.refused(404, "NOT_FOUND");
    }
    let row = studio.board.rows("workspaces").find_one(doc! {}).await.unwrap().unwrap();
    assert!(row.get_array("condemned").unwrap().is_empty());
    studio.board.stop().await;
}
