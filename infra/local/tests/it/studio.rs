//! A workspace of which a video is made.

use mongodb::bson::{DateTime, doc};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    board::{Board, PNG},
    socket::Socket,
};

/// A board with one workspace, a picture, and a connection that watches.
pub struct Studio {
    pub board: Board,
    pub socket: Socket,
    pub id: String,
    pub image_url: String,
}

impl Studio {
    pub async fn open() -> Self {
        Self::of(Board::start().await).await
    }

    pub async fn of(board: Board) -> Self {
        Self::of_picture(board, PNG).await
    }

    pub async fn of_picture(board: Board, picture: &[u8]) -> Self {
        let mut socket = board.connect().await;
        let id = socket.create().await;
        let image_url = board.upload(picture).await;
        Self { board, socket, id, image_url }
    }

    fn body(&self, prompt: &str) -> Value {
        json!({"workspace_id": self.id, "image_url": self.image_url, "params": {"motion_prompt": prompt}})
    }

    pub fn generate(&self, prompt: &str) -> RequestBuilder {
        self.board.request(Method::POST, "/api/generate/video").json(&self.body(prompt))
    }

    /// The next push, which must be of a video that has ended one way or the other, after one that it began.
    pub async fn outcome(&mut self) -> Value {
        self.expect("generating").await;
        self.socket.expect_push("video.status_update").await
    }

    pub async fn video(&self) -> Value {
        self.board.workspace(&self.id).await["video"].clone()
    }

    /// The next push, which must be of this status and show what the list shows.
    pub async fn expect(&mut self, status: &str) -> Value {
        let push = self.socket.expect_push("video.status_update").await;
        assert_eq!(push["status"], status, "{push}");
        assert_eq!(push["workspace_id"], self.id.as_str());
        push
    }

    /// Makes a row look as if this much time had passed.
    pub async fn age(&self, field: &str, seconds: i64) {
        let then = DateTime::from_millis(DateTime::now().timestamp_millis() - seconds * 1000);
        let changed =
            self.board.rows("workspaces").update_many(doc! {}, doc! {"$set": {field: then}}).await.unwrap();
        assert_eq!(changed.modified_count, 1);
    }
}
