//! Contract §2, §6: suggestions of the AI.

use mongodb::bson::{DateTime, doc};
use serde_json::{Value, json};

use crate::board::Board;

#[tokio::test]
async fn a_suggestion_is_answered_kept_and_told() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let id = socket.create().await;
    let body = json!({
        "workspace_id": id, "user_input": "帮我优化运镜 $x",
        "context": {"current_params": {"camera_movement": "推进", "shot_type": "特写"}},
    });
    let suggestions = board.post("/api/ai/suggest", &body).await.data()["suggestions"].clone();
    assert!(suggestions["camera_movement"].is_string(), "{suggestions}");
    assert!(suggestions["reasoning"].as_str().is_some_and(|reason| !reason.is_empty()));

    let workspace = board.workspace(&id).await;
    let entry = &workspace["ai_collaboration"][0];
    assert_eq!((&entry["user_input"], &entry["suggestions"]), (&body["user_input"], &suggestions));
    assert!(entry["created_at"].as_str().unwrap().ends_with('Z'));
    assert!(workspace["updated_at"].as_str() > workspace["created_at"].as_str());
    let told = socket.expect_push("ai.suggested").await;
    assert_eq!(told, json!({"workspace_id": id, "entry": entry, "updated_at": workspace["updated_at"]}));

    // The context may be missing.
    board.post("/api/ai/suggest", &json!({"workspace_id": id, "user_input": "运镜"})).await.data();
    assert_eq!(board.workspace(&id).await["ai_collaboration"].as_array().unwrap().len(), 2);
    board.stop().await;
}

#[tokio::test]
async fn the_newest_fifty_are_kept() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let id = socket.create().await;
    let entry = |n: i32| {
        doc! {"user_input": format!("old {n}"), "suggestions": {"reasoning": "x"}, "created_at": DateTime::now()}
    };
    let full = doc! {"$set": {"ai_collaboration": (0..50).map(entry).collect::<Vec<_>>()}};
    board.rows("workspaces").update_one(doc! {}, full).await.unwrap();
    board.post("/api/ai/suggest", &json!({"workspace_id": id, "user_input": "new"})).await.data();
    let workspace = board.workspace(&id).await;
    let entries = workspace["ai_collaboration"].as_array().unwrap();
    assert_eq!(entries.len(), 50);
    assert_eq!((&entries[0]["user_input"], &entries[49]["user_input"]), (&json!("old 1"), &json!("new")));
    board.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_named_and_a_failing_model_is_502() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let id = socket.create().await;
    let post = async |body: Value| board.post("/api/ai/suggest", &body).await;
    post(json!("x")).await.invalid("body");
    post(json!({"user_input": "x"})).await.invalid("workspace_id");
    post(json!({"workspace_id": id})).await.invalid("user_input");
    post(json!({"workspace_id": id, "user_input": ""})).await.invalid("user_input");
    post(json!({"workspace_id": id, "user_input": "字".repeat(4_001)})).await.invalid("user_input");
    post(json!({"workspace_id": id, "user_input": "x", "context": 5})).await.invalid("context");
    let context = json!({"current_params": {"lighting": 5}});
    post(json!({"workspace_id": id, "user_input": "x", "context": context})).await.invalid("lighting");
    post(json!({"workspace_id": "xxx", "user_input": "x"})).await.refused(404, "WORKSPACE_NOT_FOUND");
    for words in ["#fail", "#garbage", "#refuse"] {
        post(json!({"workspace_id": id, "user_input": words})).await.refused(502, "THIRD_PARTY_ERROR");
    }
    assert_eq!(board.workspace(&id).await["ai_collaboration"], json!([]));
    socket.assert_no_push().await;
    board.stop().await;
}
