//! The faults that can be switched on, and a client that follows the contract's rules through them.

use std::collections::BTreeMap;

use local::faults::{Chance, Fault};
use mongodb::bson::{DateTime, doc};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    board::{Board, PNG},
    slow_vendor::{SlowVendor, TASK},
    socket::{PATIENCE, Socket, now},
    studio::Studio,
};

/// Frames that a client has on the way at the same time.
const WINDOW: usize = 4;
const FRAMES: i64 = 60;

/// A client that repeats what was not acknowledged, with the same timestamps and request ids (contract §3).
struct Client {
    name: String,
    socket: Socket,
}

impl Client {
    async fn connect(board: &Board, name: &str) -> Self {
        Self { name: name.to_owned(), socket: reconnect(board).await }
    }

    fn frame(&self, request: &str, kind: &str, data: Value) -> Value {
        json!({"type": kind, "data": data, "timestamp": now(), "request_id": request, "client_id": self.name})
    }

    /// Sends the frames and repeats them until each is acknowledged: their answers, by request id.
    async fn carry_through(&mut self, frames: &[Value]) -> BTreeMap<String, Value> {
        let mut answers = BTreeMap::new();
        let is_open = |answers: &BTreeMap<String, Value>, frame: &Value| {
            !answers.contains_key(frame["request_id"].as_str().unwrap())
        };
        let carry_through = async {
            while answers.len() < frames.len() {
                for frame in frames.iter().filter(|frame| is_open(&answers, frame)) {
                    self.socket.send(frame).await;
                }
                let mut expected = frames.len() - answers.len();
                while expected > 0 {
                    let frame = self.socket.next().await;
                    // The gateway's own errors don't say of which frame they are.
                    let is_the_gateways = frame.get("type").is_none();
                    if let Some(request) = frame["request_id"].as_str() {
                        assert_ne!(frame["type"], "error", "{frame}");
                        let earlier = answers.insert(request.to_owned(), frame["data"].clone());
                        assert!(earlier.is_none_or(|earlier| earlier == frame["data"]), "{frame}");
                    }
                    if is_the_gateways || frame.get("request_id").is_some() {
                        expected -= 1;
                    }
                }
            }
        };
        timeout(PATIENCE * 2, carry_through).await.expect("never acknowledged");
        answers
    }
}

/// A refused handshake is tried again.
async fn reconnect(board: &Board) -> Socket {
    let connect = async {
        loop {
            if let Ok(socket) = Socket::try_connect(&board.websocket_url()).await {
                return socket;
            }
        }
    };
    timeout(PATIENCE, connect).await.expect("always refused")
}

/// Two clients write, and repeat what was not acknowledged; at the end everything is as they last wrote it.
async fn converges(chances: &[&str]) {
    let chances: Vec<Chance> = chances.iter().map(|chance| chance.parse().unwrap()).collect();
    let board = Board::start_with(|config| {
        config.faults.clone_from(&chances);
        config.seed = 20;
    })
    .await;
    let work = async |name: &str| {
        let mut client = Client::connect(&board, name).await;
        let create = client.frame("create", "workspace.create", json!({}));
        let created = client.carry_through(&[create]).await["create"].clone();
        let id = created["workspace_id"].as_str().unwrap().to_owned();
        let frames: Vec<Value> = (0..FRAMES)
            .map(|n| {
                let updates = json!({"form_data.number": n, format!("form_data.path_{}", n % 7): n});
                let data = json!({"workspace_id": id, "updates": updates});
                client.frame(&format!("{n}"), "workspace.update", data)
            })
            .collect();
        for window in frames.chunks(WINDOW) {
            client.carry_through(window).await;
        }
        id
    };
    let (one, two) = tokio::join!(work("one"), work("two"));
    for chance in &chances {
        assert!(board.faults().count(chance.fault) > 0, "{} never struck", chance.fault);
        board.faults().switch(chance.fault, 0.0);
    }
    let all = board.workspaces().await;
    assert_eq!(all.len(), 2, "a creation was carried out twice: {all:?}");
    for id in [one, two] {
        let form = board.workspace(&id).await["form_data"].clone();
        assert_eq!(form["number"], FRAMES - 1);
        for path in 0..7 {
            let newest = (0..FRAMES).rev().find(|n| n % 7 == path).unwrap();
            assert_eq!(form[format!("path_{path}")], newest, "{form}");
        }
    }
    board.stop().await;
}

#[tokio::test]
async fn a_client_that_repeats_converges_under_lost_and_refused_events() {
    converges(&["throttle:0.1", "drop:0.2"]).await;
}

#[tokio::test]
async fn a_client_that_repeats_converges_under_events_that_come_twice_and_out_of_order() {
    converges(&["repeat:0.3", "reorder:0.1", "delay:0.05"]).await;
}

#[tokio::test]
async fn a_client_that_repeats_converges_under_deaths() {
    converges(&["kill:0.15"]).await;
}

#[tokio::test]
async fn a_client_that_repeats_converges_under_everything() {
    converges(&[
        "throttle:0.05",
        "drop:0.05",
        "repeat:0.1",
        "reorder:0.05",
        "kill:0.05",
        "cut-sockets:0.2",
        "gone:0.5",
    ])
    .await;
}

#[tokio::test]
async fn a_function_wakes_with_dead_connections_and_nobody_notices() {
    let mut studio = Studio::open().await;
    studio.board.faults().switch(Fault::CutSockets, 1.0);
    let id = studio.id.clone();
    for n in 0..10 {
        studio.socket.update(&id, json!({"form_data.n": n})).await;
    }
    let other = studio.socket.create().await;
    studio.socket.create().await;
    let order = json!({"reorder_map": {&id: 5, &other: 4}});
    studio.socket.expect("workspace.reorder", order.clone(), "workspace.reorder_confirm").await;
    studio.socket.expect("workspace.reorder", order, "workspace.reorder_confirm").await;
    for _ in 0..2 {
        assert_eq!(studio.board.workspaces().await.len(), 3);
        let image_url = studio.board.upload(PNG).await;
        assert_eq!(studio.board.get(&image_url).await.status, 200);
    }
    for _ in 0..2 {
        studio.board.send(studio.generate("walks")).await.data();
        studio.expect("generating").await;
        studio.expect("completed").await;
    }
    studio.board.sweep().await;
    studio.board.sweep().await;
    studio.socket.expect("workspace.delete", json!({"workspace_id": other}), "workspace.deleted").await;
    assert!(studio.board.faults().count(Fault::CutSockets) > 20);
    studio.board.stop().await;
}

#[tokio::test]
async fn a_live_connection_that_was_called_gone_comes_back_with_its_next_frame() {
    let board = Board::start().await;
    let (mut writer, mut other) = (board.connect().await, board.connect().await);
    let id = writer.create().await;
    other.expect_push("workspace.created").await;
    // A push may come before the socket is open: a younger row would stay.
    let earlier = DateTime::from_millis(DateTime::now().timestamp_millis() - 20_000);
    let rows = board.rows("connections");
    rows.update_many(doc! {}, doc! {"$set": {"connected_at": earlier, "last_seen": earlier}}).await.unwrap();
    board.faults().switch(Fault::Gone, 1.0);
    writer.update(&id, json!({"form_data.a": 1})).await;
    assert_eq!(board.faults().count(Fault::Gone), 1);
    board.faults().switch(Fault::Gone, 0.0);
    writer.update(&id, json!({"form_data.a": 2})).await;
    other.assert_no_push().await;
    writer.update(&id, json!({"form_data.a": 3})).await;
    assert_eq!(other.expect_push("workspace.updated").await["updates"], json!({"form_data.a": 3}));
    board.stop().await;
}

#[tokio::test]
async fn a_lost_disconnect_is_made_good_by_the_sweep() {
    let board = Board::start().await;
    board.faults().switch(Fault::LoseDisconnect, 1.0);
    board.connect().await.close().await;
    board.faults().struck(Fault::LoseDisconnect, 1).await;
    let rows = board.rows("connections");
    let open = async || rows.count_documents(doc! {"closed_at": null}).await.unwrap();
    assert_eq!(open().await, 1);
    let earlier = DateTime::from_millis(DateTime::now().timestamp_millis() - 61_000);
    rows.update_many(doc! {}, doc! {"$set": {"last_seen": earlier}}).await.unwrap();
    board.sweep().await;
    assert_eq!(open().await, 0);
    board.stop().await;
}

#[tokio::test]
async fn a_throttled_push_is_missed_by_one_and_harms_nobody() {
    let board = Board::start().await;
    let (mut writer, mut other) = (board.connect().await, board.connect().await);
    let id = writer.create().await;
    other.expect_push("workspace.created").await;
    board.faults().switch(Fault::ThrottlePush, 1.0);
    writer.update(&id, json!({"form_data.a": 1})).await;
    assert_eq!(board.faults().count(Fault::ThrottlePush), 1, "a push is not tried again");
    board.faults().switch(Fault::ThrottlePush, 0.0);
    other.assert_no_push().await;
    writer.update(&id, json!({"form_data.a": 2})).await;
    assert_eq!(other.expect_push("workspace.updated").await["updates"], json!({"form_data.a": 2}));
    board.stop().await;
}

#[tokio::test]
async fn a_throttled_or_full_store_of_pictures_is_unavailable_for_now() {
    let board = Board::start().await;
    for fault in [Fault::ThrottleS3, Fault::DiskFull] {
        board.faults().switch(fault, 1.0);
        let refused = board.send(board.form(PNG, "picture", "image/png")).await;
        assert!(refused.headers.contains_key("retry-after"));
        refused.refused(503, "SERVICE_UNAVAILABLE");
        board.faults().switch(fault, 0.0);
        let image_url = board.upload(PNG).await;
        assert_eq!(board.get(&image_url).await.status, 200);
    }
    board.stop().await;
}

#[tokio::test]
async fn a_start_that_is_throttled_or_finds_the_disk_full_is_left_to_the_sweeper() {
    for fault in [Fault::ThrottleStates, Fault::DiskFull] {
        let mut vendor = SlowVendor::start().await;
        let board = Board::start_with_parameter("VideoVendorUrl", &vendor.url).await;
        let mut studio = Studio::of(board).await;
        studio.board.faults().switch(fault, 1.0);
        vendor.answer.notify_one();
        assert_eq!(studio.board.send(studio.generate("walks")).await.data()["task_id"], TASK);
        studio.expect("generating").await;
        assert!(studio.board.faults().count(fault) > 0);
        studio.board.faults().switch(fault, 0.0);
        assert!(studio.board.executions().await.is_empty());
        studio.age("video.generation.polled_at", 121).await;
        studio.board.sweep().await;
        studio.expect("completed").await;
        assert_eq!(vendor.asked.len(), 1, "the vendor was asked once");
        vendor.asked.recv().await.unwrap();
        studio.board.stop().await;
    }
}
