//! Contract §3, §6: frames of one client that are processed at the same time, twice and out of order.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use crate::{
    board::Board,
    socket::{Socket, now},
};

/// A shuffle that is the same every time.
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for end in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(end, (seed >> 33) as usize % (end + 1));
    }
}

async fn confirm_all(socket: &mut Socket, frames: usize) {
    for _ in 0..frames {
        let answer = socket.next().await;
        assert_eq!(answer["type"], "workspace.sync_confirm", "{answer}");
    }
}

#[tokio::test]
async fn two_hundred_shuffled_frames_converge_to_the_newest_value_of_each_path() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let id = socket.create().await;
    let start = now();
    let paths =
        ["form_data.motion_prompt", "form_data.lighting", "form_data.a", "form_data.b.c", "form_data.b.d"];
    let mut newest = BTreeMap::new();
    let mut frames: Vec<Value> = (0..200)
        .map(|n| {
            let path = paths[n % paths.len()];
            let value = format!("value {n}");
            newest.insert(path, value.clone());
            json!({
                "type": "workspace.update", "timestamp": start + n as i64, "request_id": format!("n{n}"), "client_id": "tab",
                "data": {"workspace_id": id, "updates": {path: value}},
            })
        })
        .collect();
    shuffle(&mut frames, 42);
    for frame in &frames {
        socket.send(frame).await;
    }
    confirm_all(&mut socket, frames.len()).await;
    let stored = board.workspace(&id).await;
    for (path, value) in newest {
        let pointer = format!("/{}", path.replace('.', "/"));
        assert_eq!(stored.pointer(&pointer), Some(&json!(value)), "{path}");
    }
    board.stop().await;
}

#[tokio::test]
async fn an_older_frame_stays_dead_but_applies_to_what_nothing_newer_has_written() {
    let board = Board::start().await;
    let mut mine = board.connect().await;
    let mut other = board.connect().await;
    let id = mine.create().await;
    other.expect_push("workspace.created").await;
    let at = now();
    let frame = |client: &str, request: &str, timestamp: i64, updates: Value| {
        json!({
            "type": "workspace.update", "timestamp": timestamp, "request_id": request, "client_id": client,
            "data": {"workspace_id": id, "updates": updates},
        })
    };
    mine.exchange(&frame("me", "new", at, json!({"form_data.a": "new"}))).await;
    other.expect_push("workspace.updated").await;
    // Another client's clock doesn't matter: the last to arrive wins.
    let theirs = other.exchange(&frame("you", "theirs", at - 60_000, json!({"form_data.a": "theirs"}))).await;
    assert_eq!(mine.expect_push("workspace.updated").await["updates"], json!({"form_data.a": "theirs"}));

    // Wholly superseded: confirmed with the current time, told to nobody.
    let dead = mine.exchange(&frame("me", "dead", at - 1, json!({"form_data.a": "dead"}))).await;
    assert_eq!(dead["data"]["updated_at"], theirs["data"]["updated_at"]);
    other.assert_no_push().await;
    // Half superseded: only the other half is applied and told.
    let half = mine
        .exchange(&frame("me", "half", at - 1, json!({"form_data.a": "dead", "form_data.b": "live"})))
        .await;
    let told = other.expect_push("workspace.updated").await;
    assert_eq!(
        told,
        json!({"workspace_id": id, "updates": {"form_data.b": "live"}, "updated_at": half["data"]["updated_at"]})
    );
    // Of equal timestamps the last to arrive wins.
    mine.exchange(&frame("me", "equal", at, json!({"form_data.a": "equal"}))).await;
    let form = &board.workspace(&id).await["form_data"];
    assert_eq!((&form["a"], &form["b"]), (&json!("equal"), &json!("live")));
    board.stop().await;
}

#[tokio::test]
async fn the_newest_reorder_wins_for_each_workspace() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let (a, b) = (socket.create().await, socket.create().await);
    let at = now();
    let reorder = |request: &str, timestamp: i64, map: Value| json!({"type": "workspace.reorder", "timestamp": timestamp, "request_id": request, "data": {"reorder_map": map}});
    let mut other = board.connect().await;
    socket.exchange(&reorder("new", at, json!({(a.as_str()): 10}))).await;
    assert_eq!(other.expect_push("workspace.reordered").await, json!({"reorder_map": {(a.as_str()): 10}}));
    let answer = socket.exchange(&reorder("old", at - 1, json!({(a.as_str()): 20, (b.as_str()): 21}))).await;
    assert_eq!(answer["type"], "workspace.reorder_confirm");
    assert_eq!(other.expect_push("workspace.reordered").await, json!({"reorder_map": {(b.as_str()): 21}}));
    socket.exchange(&reorder("older", at - 2, json!({(a.as_str()): 30, (b.as_str()): 31}))).await;
    other.assert_no_push().await;
    assert_eq!(board.workspace(&a).await["order_index"], 10);
    assert_eq!(board.workspace(&b).await["order_index"], 21);
    board.stop().await;
}

/// What one frame of the property writes: path → value.
type Written = BTreeMap<usize, u8>;

const PATHS: [&str; 4] = ["form_data.a", "form_data.b.c", "form_data.b.d", "form_data.motion_prompt"];

fn history() -> impl Strategy<Value = (Vec<Written>, Vec<usize>, u64)> {
    let frame = proptest::collection::btree_map(0..PATHS.len(), any::<u8>(), 1..=PATHS.len());
    proptest::collection::vec(frame, 1..8).prop_flat_map(|frames| {
        let repeats = proptest::collection::vec(0..frames.len(), 0..6);
        (Just(frames), repeats, any::<u64>())
    })
}

/// Any interleaving, repetition and reordering of one client's frames gives the same document.
#[tokio::test(flavor = "multi_thread")]
async fn any_history_of_one_client_gives_the_same_document() {
    let board = Board::start().await;
    let socket = RefCell::new(board.connect().await);
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    let converges = |history| {
        let mut socket = socket.borrow_mut();
        let converged = converges(&board, &mut socket, history);
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(converged))
    };
    TestRunner::new(config).run(&history(), converges).unwrap();
    board.stop().await;
}

async fn converges(
    board: &Board,
    socket: &mut Socket,
    (frames, repeats, seed): (Vec<Written>, Vec<usize>, u64),
) -> Result<(), TestCaseError> {
    let id = socket.create().await;
    let start = now();
    let mut expected: HashMap<&str, String> = HashMap::new();
    let mut sent: Vec<Value> = Vec::new();
    for (n, frame) in frames.iter().enumerate() {
        let updates: BTreeMap<&str, String> =
            frame.iter().map(|(path, value)| (PATHS[*path], format!("{value} of frame {n}"))).collect();
        expected.extend(updates.clone());
        sent.push(json!({
            "type": "workspace.update", "timestamp": start + n as i64, "request_id": format!("{id}-{n}"),
            "client_id": "tab", "data": {"workspace_id": id, "updates": updates},
        }));
    }
    sent.extend(repeats.iter().map(|n| sent[*n].clone()).collect::<Vec<_>>());
    shuffle(&mut sent, seed);
    for frame in &sent {
        socket.send(frame).await;
    }
    confirm_all(socket, sent.len()).await;
    let stored = board.workspace(&id).await;
    socket.expect("workspace.delete", json!({"workspace_id": id}), "workspace.deleted").await;
    for (path, value) in expected {
        let found = stored.pointer(&format!("/{}", path.replace('.', "/")));
        prop_assert_eq!(found, Some(&json!(value)), "{} in {}", path, stored["form_data"]);
    }
    Ok(())
}
