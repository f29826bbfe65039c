//! Pictures that nobody uses are removed after a day; those that somebody does are kept.

use std::time::Duration;

use mongodb::bson::{DateTime, doc};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::{
    board::{Board, PNG},
    socket::PATIENCE,
    studio::Studio,
};

/// Makes all pictures look as if they had been uploaded so many hours ago.
async fn age(board: &Board, hours: i64) {
    let then = DateTime::from_millis(DateTime::now().timestamp_millis() - hours * 60 * 60 * 1000);
    board.rows("uploads").update_many(doc! {}, doc! {"$set": {"at": then}}).await.unwrap();
}

/// A board sweeps when it starts. The next is a minute away once that has begun, and been killed.
async fn end_first_sweep(board: &Board) {
    let uploads = board.rows("uploads");
    let begun = async {
        while !uploads.list_index_names().await.unwrap().contains(&"removed".to_owned()) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, begun).await.expect("no sweep");
    board.kill("SweepStaleFunction");
}

async fn waiting(board: &Board) -> u64 {
    board.rows("uploads").count_documents(doc! {"removed_at": null}).await.unwrap()
}

#[tokio::test]
async fn what_nobody_uses_is_removed_after_a_day_and_what_is_used_stays() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let id = socket.create().await;
    let (used, named, unused) = (board.upload(PNG).await, board.upload(PNG).await, board.upload(PNG).await);
    let announced = json!({"content_type": "image/png", "size": 1000});
    board.post("/api/upload/image", &announced).await.data();
    assert_eq!(waiting(&board).await, 4);
    socket.update(&id, json!({"image_url": used})).await;
    let path = named.replace("/api/", "");
    socket.update(&id, json!({"image_path": path})).await;
    // One that is younger than a day stays too.
    age(&board, 23).await;
    board.sweep().await;
    assert_eq!(waiting(&board).await, 2);
    age(&board, 25).await;
    board.sweep().await;
    assert_eq!(waiting(&board).await, 0);
    assert_eq!([board.get(&used).await.status, board.get(&named).await.status], [200, 200]);
    board.get(&unused).await.refused(404, "IMAGE_NOT_FOUND");
    board.stop().await;
}

#[tokio::test]
async fn a_picture_that_is_about_to_be_removed_is_used_by_nobody() {
    let mut studio = Studio::open().await;
    let board = &studio.board;
    end_first_sweep(board).await;
    age(board, 25).await;
    let condemned = board.rows("uploads").update_many(doc! {}, doc! {"$set": {"condemned": true}}).await;
    assert_eq!(condemned.unwrap().modified_count, 1);
    board.send(studio.generate("x")).await.refused(404, "IMAGE_NOT_FOUND");
    let before = board.workspace(&studio.id).await;
    let updates = json!({"image_url": studio.image_url, "form_data.motion_prompt": "x"});
    let data = json!({"workspace_id": studio.id, "updates": updates});
    assert_eq!(studio.socket.refused("workspace.update", data).await.0, "INVALID_DATA");
    assert_eq!(board.workspace(&studio.id).await, before, "the frame is refused whole");
    // Nor once it is gone: what was refused is refused again, and who was away for a day is told.
    studio.board.sweep().await;
    studio.board.get(&studio.image_url).await.refused(404, "IMAGE_NOT_FOUND");
    assert_eq!(waiting(&studio.board).await, 0);
    let path = studio.image_url.replace("/api/", "");
    let data = json!({"workspace_id": studio.id, "updates": {"image_path": path}});
    let (code, context) = studio.socket.refused("workspace.update", data).await;
    assert_eq!((code.as_str(), &context["path"]), ("INVALID_DATA", &json!("image_path")));
    studio.board.send(studio.generate("x")).await.refused(404, "IMAGE_NOT_FOUND");
    studio.board.stop().await;
}

#[tokio::test]
async fn a_picture_that_was_only_made_a_video_of_stays() {
    let studio = Studio::open().await;
    studio.board.send(studio.generate("#stall")).await.data();
    age(&studio.board, 25).await;
    studio.board.sweep().await;
    assert_eq!(studio.board.get(&studio.image_url).await.status, 200);
    studio.board.stop().await;
}
