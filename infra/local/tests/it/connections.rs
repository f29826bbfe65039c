//! Contract §3, §6: connections that come, fall silent and go.

use std::time::Duration;

use local::secrets::MONGODB_URI;
use mongodb::bson::{DateTime, doc};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{board::Board, socket::PATIENCE};

const CONNECTIONS: &str = "connections";

fn ago(seconds: i64) -> DateTime {
    DateTime::from_millis(DateTime::now().timestamp_millis() - seconds * 1000)
}

/// How many connections are taken for open. Of a closed one only the id is remembered.
async fn open_connections(board: &Board) -> u64 {
    board.rows(CONNECTIONS).count_documents(doc! {"closed_at": null}).await.unwrap()
}

/// Waits until `count` are open: they come and go with the `$connect` and `$disconnect` of the gateway.
async fn wait_for_rows(board: &Board, count: u64) {
    let arrives = async {
        while open_connections(board).await != count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, arrives).await.expect("connections neither came nor went");
}

#[tokio::test]
async fn a_connection_that_closes_is_forgotten() {
    let board = Board::start().await;
    let socket = board.connect().await;
    assert_eq!(open_connections(&board).await, 1);
    socket.close().await;
    wait_for_rows(&board, 0).await;
    board.stop().await;
}

#[tokio::test]
async fn a_client_that_vanishes_without_closing_is_forgotten() {
    let board = Board::start().await;
    let mut stays = board.connect().await;
    // A handshake by hand, and then nothing: not even a close frame.
    let address = board.websocket_url().replace("ws://", "");
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let handshake = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    stream.write_all(handshake.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    assert_eq!(open_connections(&board).await, 2);
    drop(stream);
    wait_for_rows(&board, 1).await;
    stays.create().await;
    board.stop().await;
}

#[tokio::test]
async fn a_silent_connection_is_told_nothing_and_closed_by_the_sweep() {
    let board = Board::start().await;
    let mut silent = board.connect().await;
    board.rows(CONNECTIONS).update_many(doc! {}, doc! {"$set": {"last_seen": ago(61)}}).await.unwrap();
    let mut alive = board.connect().await;
    let mut watching = board.connect().await;
    alive.create().await;
    watching.expect_push("workspace.created").await;
    board.sweep().await;
    assert_eq!(silent.frames_until_closed().await, Vec::<String>::new());
    wait_for_rows(&board, 2).await;
    alive.create().await;
    watching.expect_push("workspace.created").await;
    board.stop().await;
}

#[tokio::test]
async fn a_frame_that_is_still_under_way_does_not_bring_a_closed_connection_back() {
    let board = Board::start().await;
    let id = board.connect().await.create().await;
    wait_for_rows(&board, 0).await;
    for _ in 0..10 {
        let mut socket = board.connect().await;
        for n in 0..4 {
            let update = json!({"workspace_id": id, "updates": {"form_data.n": n}});
            let frame = socket.frame("workspace.update", update);
            socket.send(&frame).await;
        }
        socket.close().await;
    }
    wait_for_rows(&board, 0).await;
    // All that was under way has ended with the stack's functions: there is nobody left who could bring one back.
    board.stop_functions().await;
    assert_eq!(open_connections(&board).await, 0);
    board.stop().await;
}

#[tokio::test]
async fn any_frame_counts_against_silence() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    for text in [r#"{"type":"ping"}"#, "nonsense"] {
        board.rows(CONNECTIONS).update_many(doc! {}, doc! {"$set": {"last_seen": ago(59)}}).await.unwrap();
        socket.send_text(text).await;
        socket.next().await;
        let row = board.rows(CONNECTIONS).find_one(doc! {}).await.unwrap().unwrap();
        assert!(row.get_datetime("last_seen").unwrap() > &ago(30), "{text}");
    }
    board.sweep().await;
    socket.create().await;
    board.stop().await;
}

#[tokio::test]
async fn a_push_that_finds_its_connection_gone_forgets_exactly_that_one() {
    let board = Board::start().await;
    let mut mine = board.connect().await;
    let mut other = board.connect().await;
    let row = |id: &str, connected: i64| {
        let now = DateTime::now();
        doc! {"_id": id, "owner": "default", "connected_at": ago(connected), "last_seen": now, "expires_at": now}
    };
    // One that is gone, and one so young that its socket may not be open yet.
    board.rows(CONNECTIONS).insert_many([row("Z29uZQ==", 11), row("eW91bmc=", 1)]).await.unwrap();
    mine.create().await;
    other.expect_push("workspace.created").await;
    assert_eq!(open_connections(&board).await, 3);
    assert!(board.rows(CONNECTIONS).find_one(doc! {"_id": "Z29uZQ=="}).await.unwrap().is_none());
    board.stop().await;
}

#[tokio::test]
async fn a_connection_whose_row_was_lost_is_told_again_after_its_next_frame() {
    let board = Board::start().await;
    let mut mine = board.connect().await;
    let mut other = board.connect().await;
    board.rows(CONNECTIONS).delete_many(doc! {}).await.unwrap();
    other.request("ping", json!({})).await;
    mine.create().await;
    other.expect_push("workspace.created").await;
    board.stop().await;
}

#[tokio::test]
async fn a_database_that_goes_away_is_an_error_and_not_a_silence() {
    let data = tempfile::TempDir::new().unwrap();
    tokio::task::spawn_blocking(crate::board::mongodb_server).await.unwrap();
    let database =
        local::mongod::Database::open(None, data.path(), &crate::board::tools(), None).await.unwrap();
    let uri = database.uri().to_owned();
    let board = Board::start_with(|config| config.mongodb_uri = Some(uri)).await;
    let mut socket = board.connect().await;
    let id = socket.create().await;
    database.stop().await;
    let frames = [
        ("workspace.create", json!({})),
        ("workspace.create", json!({"order_index": 1})),
        ("workspace.update", json!({"workspace_id": id, "updates": {"form_data.x": 1}})),
        ("workspace.delete", json!({"workspace_id": id})),
        ("workspace.reorder", json!({"reorder_map": {(id.as_str()): 1}})),
    ];
    for (kind, data) in &frames {
        let frame = socket.frame(kind, data.clone());
        socket.send(&frame).await;
    }
    for _ in &frames {
        let error = socket.next().await;
        assert_eq!(error["data"]["code"], "DB_ERROR", "{error}");
    }
    socket.expect("ping", json!({}), "pong").await;
    let suggest = json!({"workspace_id": id, "user_input": "x"});
    let generate = json!({"workspace_id": id, "image_url": "/api/uploads/0123456789abcdef.png"});
    let (list, suggested, generated) = tokio::join!(
        board.get("/api/workspaces"),
        board.post("/api/ai/suggest", &suggest),
        board.post("/api/generate/video", &generate),
    );
    for answer in [list, suggested, generated] {
        answer.refused(503, "SERVICE_UNAVAILABLE");
    }
    board.stop_without_database().await;
}

#[tokio::test]
async fn a_refused_connection_is_an_http_error_at_the_handshake() {
    // Nothing listens on port 1, so that `$connect` can't remember anybody.
    let board = Board::start_with_secret(MONGODB_URI, "mongodb://127.0.0.1:1/?directConnection=true").await;
    match tokio_tungstenite::connect_async(board.websocket_url()).await {
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => assert_eq!(response.status(), 503),
        other => panic!("{other:?}"),
    }
    board.stop().await;
}

#[tokio::test]
async fn who_connects_while_a_write_is_held_up_is_told_of_it() {
    let board = Board::start().await;
    let mut writer = board.connect().await;
    let id = writer.create().await;
    // Somebody else's transaction holds the workspace.
    let workspaces = board.rows("workspaces");
    let mut session = workspaces.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let touch = workspaces.update_one(doc! {}, doc! {"$set": {"touched": true}}).session(&mut session);
    assert_eq!(touch.await.unwrap().modified_count, 1);
    let frame = writer
        .frame("workspace.update", json!({"workspace_id": id, "updates": {"form_data.motion_prompt": "x"}}));
    writer.send(&frame).await;
    // Long enough for the function to have looked up whom to tell, and to be a slow write.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut late = board.connect().await;
    assert_eq!(board.workspace(&id).await["form_data"]["motion_prompt"], "");
    session.abort_transaction().await.unwrap();
    assert_eq!(
        writer.answer_to(frame["request_id"].as_str().unwrap()).await["type"],
        "workspace.sync_confirm"
    );
    assert_eq!(
        late.expect_push("workspace.updated").await["updates"],
        json!({"form_data.motion_prompt": "x"})
    );
    board.stop().await;
}
