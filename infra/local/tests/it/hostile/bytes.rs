//! A WebSocket below its messages: frames as no browser sends them, at the gateway's limits, and what they cost others.

use futures_util::{SinkExt, StreamExt};
use mongodb::bson::{Document, doc};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Message,
        protocol::frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

use crate::{board::Board, socket::PATIENCE};

const FRAME: usize = 32 * 1024;
const MESSAGE: usize = 128 * 1024;

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(board: &Board) -> Client {
    connect_async(board.websocket_url()).await.unwrap().0
}

/// The next text, or with which code it closes.
async fn next(client: &mut Client) -> Result<Value, u16> {
    loop {
        match timeout(PATIENCE, client.next()).await.expect("nothing came") {
            Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(frame))) => return Err(frame.map_or(1005, |frame| frame.code.into())),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Sends `text` in frames of `size` bytes.
async fn send_in_frames(client: &mut Client, text: &str, size: usize) {
    let mut rest = text;
    let mut kind = Data::Text;
    while !rest.is_empty() {
        let (frame, after) = rest.split_at(size.min(rest.len()));
        let frame = Frame::message(frame.to_owned(), OpCode::Data(kind), after.is_empty());
        client.send(Message::Frame(frame)).await.unwrap();
        (rest, kind) = (after, Data::Continue);
    }
}

/// A ping of this many bytes.
fn ping(size: usize) -> String {
    let frame =
        |padding: usize| format!(r#"{{"type":"ping","data":{{"padding":"{}"}}}}"#, "x".repeat(padding));
    frame(size - frame(0).len())
}

#[tokio::test]
async fn frames_and_messages_end_where_the_contract_says() {
    let board = Board::start().await;
    for (size, frame, closes) in [
        (FRAME, FRAME, None),
        (FRAME + 1, FRAME + 1, Some(1009)),
        (MESSAGE, FRAME, None),
        (MESSAGE + 1, FRAME, Some(1009)),
        (1_000, 1, None),
    ] {
        let mut client = connect(&board).await;
        send_in_frames(&mut client, &ping(size), frame).await;
        match (next(&mut client).await, closes) {
            (Ok(answer), None) => assert_eq!(answer["type"], "pong", "{size}: {answer}"),
            (Err(code), Some(closes)) => assert_eq!(code, closes, "{size}"),
            other => panic!("{size} in frames of {frame}: {other:?}"),
        }
    }
    board.stop().await;
}

#[tokio::test]
async fn bytes_that_are_no_frames_close_a_connection_and_harm_no_other() {
    let board = Board::start().await;
    let mut bystander = board.connect().await;
    for (what, bytes, code) in [
        ("not masked", b"\x81\x02{}".as_slice(), 1002),
        ("a reserved bit", b"\xC1\x82\0\0\0\0{}", 1002),
        ("a reserved kind", b"\x83\x82\0\0\0\0{}", 1002),
        ("the rest of nothing", b"\x80\x82\0\0\0\0{}", 1002),
        ("a ping in parts", b"\x09\x81\0\0\0\0x", 1002),
        ("a text within a text", b"\x01\x81\0\0\0\0{\x81\x81\0\0\0\0}", 1002),
        ("half a code", b"\x88\x81\0\0\0\0x", 1002),
        ("a code that nobody may send", b"\x88\x82\0\0\0\0\x03\xED", 1002),
        ("no UTF-8", b"\x81\x82\0\0\0\0\xFF\xFE", 1007),
        ("a slash in two bytes", b"\x81\x82\0\0\0\0\xC0\xAF", 1007),
        ("half a character", b"\x81\x83\0\0\0\0\xED\xA0\x80", 1007),
        ("more than there is", b"\x81\xFF\x3F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0", 1009),
    ] {
        let mut client = connect(&board).await;
        match client.get_mut() {
            MaybeTlsStream::Plain(stream) => stream.write_all(bytes).await.unwrap(),
            _ => panic!("not plain"),
        }
        assert_eq!(next(&mut client).await, Err(code), "{what}");
        bystander.expect("ping", json!({}), "pong").await;
    }
    // Control frames cost nobody an invocation, however many come.
    let mut client = connect(&board).await;
    for _ in 0..2_000 {
        client.feed(Message::Ping(vec![b'x'; 100].into())).await.unwrap();
    }
    client.send(Message::text(ping(100))).await.unwrap();
    assert_eq!(next(&mut client).await.unwrap()["type"], "pong");
    board.stop().await;
}

#[tokio::test]
async fn a_refusal_says_what_is_wrong_in_few_words_however_long_that_is() {
    let board = Board::start().await;
    let id = board.connect().await.create().await;
    let long = "x".repeat(100_000);
    let nul = "\u{1}".repeat(15_000);
    let mut client = connect(&board).await;
    for (kind, data, code) in [
        (
            "workspace.update",
            json!({"workspace_id": id, "updates": {(format!("form_data.{long}")): 1}}),
            "INVALID_DATA",
        ),
        (
            "workspace.update",
            json!({"workspace_id": id, "updates": {(format!("form_data.{nul}")): 1}}),
            "INVALID_DATA",
        ),
        (
            "workspace.update",
            json!({"workspace_id": id, "updates": {"form_data": {(long.as_str()): 1}}}),
            "INVALID_DATA",
        ),
        ("workspace.reorder", json!({"reorder_map": {(long.as_str()): "1"}}), "INVALID_DATA"),
        ("workspace.reorder", json!({"reorder_map": {(long.as_str()): 1}}), "WORKSPACE_NOT_FOUND"),
        ("workspace.delete", json!({"workspace_id": long}), "WORKSPACE_NOT_FOUND"),
        (&long, json!({}), "INVALID_DATA"),
    ] {
        let frame = json!({"type": kind, "data": data, "request_id": "r"}).to_string();
        send_in_frames(&mut client, &frame, FRAME).await;
        let answer = next(&mut client).await.unwrap();
        let shown = answer.to_string();
        assert_eq!(
            (&answer["data"]["code"], &answer["request_id"]),
            (&json!(code), &json!("r")),
            "{:.200}",
            shown
        );
        assert!(shown.len() < 16 * 1024, "{} bytes", shown.len());
    }
    board.stop().await;
}

#[tokio::test]
async fn the_database_gives_up_what_nobody_waits_for() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let database =
        board.rows("workspaces").client().database(board.rows("workspaces").namespace().db.as_str());
    database.run_command(doc! {"profile": 2}).await.unwrap();
    let id = socket.create().await;
    socket.update(&id, json!({"form_data.x": 1})).await;
    database.run_command(doc! {"profile": 0}).await.unwrap();
    let updates = doc! {"command.findAndModify": "workspaces", "command.update": {"$type": "array"}};
    let found = board.rows("system.profile").find_one(updates).await.unwrap();
    let command: Document = found.expect("no update").get_document("command").unwrap().clone();
    let most = command.get("maxTimeMS").and_then(|most| most.as_i32().map(i64::from).or(most.as_i64()));
    assert!(most.is_some_and(|most| most <= 15_000), "{most:?}");
    board.stop().await;
}
