//! Contract §3, §6: several tabs in step, repeats, the optimistic lock.

use serde_json::{Value, json};

use crate::{board::Board, socket::now};

#[tokio::test]
async fn what_one_tab_changes_the_others_are_told() {
    let board = Board::start().await;
    let mut mine = board.connect().await;
    let mut other = board.connect().await;
    let created = mine.expect("workspace.create", json!({}), "workspace.created").await;
    let id = created["workspace_id"].as_str().unwrap();
    let mut told = other.expect_push("workspace.created").await;
    assert_eq!(told["workspace"].take(), board.workspace(id).await);
    told.as_object_mut().unwrap().remove("workspace");
    assert_eq!(told, created);

    let updated_at =
        mine.update(id, json!({"form_data.checkboxes": {"a": true}, "form_data.lighting": "$逆光"})).await;
    assert_eq!(
        other.expect_push("workspace.updated").await,
        json!({
            "workspace_id": id, "updated_at": updated_at,
            "updates": {"form_data.checkboxes.a": true, "form_data.lighting": "$逆光"},
        })
    );
    mine.expect("workspace.reorder", json!({"reorder_map": {id: 4}}), "workspace.reorder_confirm").await;
    assert_eq!(other.expect_push("workspace.reordered").await, json!({"reorder_map": {id: 4}}));
    mine.expect("workspace.delete", json!({"workspace_id": id}), "workspace.deleted").await;
    assert_eq!(other.expect_push("workspace.deleted").await, json!({"workspace_id": id}));
    // The sender is told nothing but its answers, and errors are nobody else's business.
    mine.refused("workspace.delete", json!({"workspace_id": id})).await;
    mine.assert_no_push().await;
    other.assert_no_push().await;
    board.stop().await;
}

#[tokio::test]
async fn a_second_connection_of_the_same_client_is_told_too() {
    let board = Board::start().await;
    let mut first = board.connect().await;
    let mut second = board.connect().await;
    let mut create = first.frame("workspace.create", json!({}));
    create["client_id"] = json!("tab");
    let mut hello = second.frame("ping", json!({}));
    hello["client_id"] = json!("tab");
    second.exchange(&hello).await;
    first.exchange(&create).await;
    second.expect_push("workspace.created").await;
    board.stop().await;
}

#[tokio::test]
async fn repeats_are_answered_like_the_first_and_change_nothing() {
    let board = Board::start().await;
    let mut mine = board.connect().await;
    let mut other = board.connect().await;
    let with_client = |mut frame: Value| {
        frame["client_id"] = json!("tab");
        frame
    };
    let data = |answer: &Value| (answer["type"].clone(), answer["data"].clone());

    let create = with_client(mine.frame("workspace.create", json!({})));
    let created = mine.exchange(&create).await;
    let id = created["data"]["workspace_id"].as_str().unwrap().to_owned();
    other.expect_push("workspace.created").await;
    assert_eq!(data(&mine.exchange(&create).await), data(&created));
    assert_eq!(board.workspaces().await.len(), 1);

    let updates = json!({"workspace_id": id, "updates": {"form_data.a": "mine"}});
    let update = with_client(mine.frame("workspace.update", updates));
    let updated = mine.exchange(&update).await;
    other.expect_push("workspace.updated").await;
    other.update(&id, json!({"form_data.a": "theirs"})).await;
    mine.expect_push("workspace.updated").await;
    // Also on another connection of the client.
    let mut reconnected = board.connect().await;
    assert_eq!(data(&reconnected.exchange(&update).await), data(&updated));
    assert_eq!(board.workspace(&id).await["form_data"]["a"], "theirs");

    let reorder = with_client(mine.frame("workspace.reorder", json!({"reorder_map": {(id.as_str()): 3}})));
    let reordered = mine.exchange(&reorder).await;
    other.expect_push("workspace.reordered").await;
    other
        .expect("workspace.reorder", json!({"reorder_map": {(id.as_str()): 8}}), "workspace.reorder_confirm")
        .await;
    mine.expect_push("workspace.reordered").await;
    assert_eq!(data(&mine.exchange(&reorder).await), data(&reordered));
    assert_eq!(board.workspace(&id).await["order_index"], 8);
    // The creation still answers with the place that it was first given.
    assert_eq!(data(&mine.exchange(&create).await), data(&created));

    let delete = with_client(mine.frame("workspace.delete", json!({"workspace_id": id})));
    let deleted = mine.exchange(&delete).await;
    other.expect_push("workspace.deleted").await;
    assert_eq!(data(&mine.exchange(&delete).await), data(&deleted));
    // What was done before the deletion is still known; what wasn't is not found.
    assert_eq!(data(&mine.exchange(&update).await), data(&updated));
    assert_eq!(data(&mine.exchange(&create).await), data(&created));
    assert_eq!(data(&mine.exchange(&reorder).await), data(&reordered));
    assert!(board.workspaces().await.is_empty());
    let late = json!({"workspace_id": id, "updates": {"form_data.a": "late"}});
    assert_eq!(mine.refused("workspace.update", late).await.0, "WORKSPACE_NOT_FOUND");
    // None of the repeats was told to anybody.
    other.assert_no_push().await;
    board.stop().await;
}

#[tokio::test]
async fn a_creation_that_is_sent_twice_at_once_makes_one_workspace() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let frame = socket.frame("workspace.create", json!({}));
    for _ in 0..8 {
        socket.send(&frame).await;
    }
    let first = socket.next().await;
    for _ in 0..7 {
        assert_eq!(socket.next().await["data"], first["data"]);
    }
    assert_eq!(board.workspaces().await.len(), 1);
    board.stop().await;
}

#[tokio::test]
async fn a_frame_that_is_sent_many_times_at_once_is_carried_out_once() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let mut other = board.connect().await;
    let id = socket.create().await;
    other.expect_push("workspace.created").await;
    // The lock makes a second execution a conflict with the first.
    let known =
        board.workspace(&id).await["updated_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let lock = known.as_millisecond();
    let update = json!({"workspace_id": id, "updates": {"form_data.a": 1}, "client_timestamp": lock});
    for (kind, data, told) in [
        ("workspace.update", update, "workspace.updated"),
        ("workspace.reorder", json!({"reorder_map": {(id.as_str()): 5}}), "workspace.reordered"),
        ("workspace.delete", json!({"workspace_id": id}), "workspace.deleted"),
    ] {
        let frame = socket.frame(kind, data);
        for _ in 0..8 {
            socket.send(&frame).await;
        }
        let first = socket.next().await;
        assert_ne!(first["type"], "error", "{first}");
        for _ in 0..7 {
            let again = socket.next().await;
            assert_eq!((&again["type"], &again["data"]), (&first["type"], &first["data"]));
        }
        other.expect_push(told).await;
        other.assert_no_push().await;
    }
    board.stop().await;
}

#[tokio::test]
async fn an_update_of_a_thousand_leaves_is_told_whole() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let mut other = board.connect().await;
    let id = socket.create().await;
    other.expect_push("workspace.created").await;
    let leaves: serde_json::Map<String, Value> =
        (0..1_000).map(|n| (format!("leaf_{n}"), json!(n))).collect();
    let deep = json!({"a".repeat(64): {"b".repeat(64): leaves}});
    let updated_at = socket.update(&id, json!({"form_data": deep})).await;
    // As leaves it is more than one message holds.
    let mut told = 0;
    while told < 1_000 {
        let push = other.expect_push("workspace.updated").await;
        assert_eq!(push["updated_at"], updated_at);
        told += push["updates"].as_object().unwrap().len();
    }
    assert_eq!(told, 1_000);
    other.assert_no_push().await;
    board.stop().await;
}

#[tokio::test]
async fn sixty_four_frames_are_remembered() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let id = socket.create().await;
    let data =
        json!({"workspace_id": id, "updates": {"form_data.a": 1}, "client_timestamp": now() + 1_000_000});
    let first = socket.frame("workspace.update", data);
    let answer = socket.exchange(&first).await;
    for n in 0..63 {
        socket.update(&id, json!({"form_data.b": n})).await;
    }
    assert_eq!(socket.exchange(&first).await["data"], answer["data"]);
    board.stop().await;
}

#[tokio::test]
async fn the_optimistic_lock_refuses_what_is_out_of_date_but_not_itself() {
    let board = Board::start().await;
    let mut mine = board.connect().await;
    let mut other = board.connect().await;
    let id = mine.create().await;
    other.expect_push("workspace.created").await;
    let millis = |date: &str| date.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let seen = millis(&mine.update(&id, json!({"form_data.a": 1})).await);
    other.expect_push("workspace.updated").await;

    let locked = |value: u8, client_timestamp: i64| json!({"workspace_id": id, "updates": {"form_data.a": value}, "client_timestamp": client_timestamp});
    let (code, context) = mine.refused("workspace.update", locked(9, seen - 1)).await;
    assert_eq!(code, "CONFLICT");
    assert_eq!(millis(context["updated_at"].as_str().unwrap()), seen);

    let frame = mine.frame("workspace.update", locked(2, seen));
    let confirmed = mine.exchange(&frame).await;
    assert_eq!(confirmed["type"], "workspace.sync_confirm", "{confirmed}");
    // Its repeat is no conflict with itself.
    assert_eq!(mine.exchange(&frame).await["data"], confirmed["data"]);
    // Somebody else changed it meanwhile.
    let current = other.update(&id, json!({"form_data.b": 1})).await;
    let (code, context) = mine
        .refused("workspace.update", locked(3, millis(confirmed["data"]["updated_at"].as_str().unwrap())))
        .await;
    assert_eq!((code.as_str(), context["updated_at"].as_str().unwrap()), ("CONFLICT", current.as_str()));
    assert_eq!(board.workspace(&id).await["form_data"]["a"], 2);
    board.stop().await;
}

#[tokio::test]
async fn updated_at_strictly_increases() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let id = socket.create().await;
    let mut last = String::new();
    for n in 0..30 {
        let updated_at = socket.update(&id, json!({"form_data.n": n})).await;
        assert!(updated_at > last, "{updated_at} after {last}");
        last = updated_at;
    }
    board.stop().await;
}
