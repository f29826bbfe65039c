//! Contract §3, §6: each frame and its answer, each error and its code.

use serde_json::{Value, json};

use crate::{
    board::Board,
    socket::{Socket, now},
};

const UNKNOWN: &str = "00ff10a2b3c4d5e6f7081920";

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn every_frame_has_its_answer_with_exactly_its_members() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let pong = socket.request("ping", json!({})).await;
    assert_eq!(pong["type"], "pong");
    assert!((pong["timestamp"].as_i64().unwrap() - now()).abs() < 60_000);
    // A ping ignores its own timestamp, and may have no data.
    assert_eq!(
        socket.exchange(&json!({"type": "ping", "request_id": "p", "timestamp": 1e15})).await["type"],
        "pong"
    );

    let created = socket.expect("workspace.create", json!({"order_index": 7}), "workspace.created").await;
    assert_eq!(keys(&created), ["created_at", "order_index", "workspace_id"]);
    assert_eq!(created["order_index"], 7);
    let id = created["workspace_id"].as_str().unwrap();

    let updates = json!({
        "form_data.camera_movement": "推进",
        "form_data.motion_prompt": "$100 bill, a.b and {$set: 1}",
        "form_data.checkboxes": {"loop": true, "deep": {"er": false}},
        "form_data.own": ["$x", 1, 2.5, null, true],
        "form_data.huge": 1e300,
        "image_path": "uploads/0123456789abcdef.jpg",
        "image_url": "/api/uploads/0123456789abcdef.jpg",
    });
    let data = json!({"workspace_id": id, "updates": updates});
    let confirmed = socket.expect("workspace.update", data, "workspace.sync_confirm").await;
    assert_eq!(keys(&confirmed), ["updated_at", "workspace_id"]);
    let stored = board.workspace(id).await;
    assert_eq!(stored["updated_at"], confirmed["updated_at"]);
    assert!(stored["updated_at"].as_str() > stored["created_at"].as_str());
    assert_eq!(stored["image_url"], "/api/uploads/0123456789abcdef.jpg");
    assert_eq!(
        stored["form_data"],
        json!({
            "camera_movement": "推进", "shot_type": "", "lighting": "", "motion_prompt": "$100 bill, a.b and {$set: 1}",
            "checkboxes": {"loop": true, "deep": {"er": false}}, "own": ["$x", 1, 2.5, null, true], "huge": 1e300,
        })
    );

    let reorder = json!({"reorder_map": {id: 9}});
    let reordered = socket.expect("workspace.reorder", reorder, "workspace.reorder_confirm").await;
    assert_eq!(reordered, json!({"success": true}));
    let moved = board.workspace(id).await;
    assert_eq!(moved["order_index"], 9);
    assert!(moved["updated_at"].as_str() > stored["updated_at"].as_str());

    let deleted = socket.expect("workspace.delete", json!({"workspace_id": id}), "workspace.deleted").await;
    assert_eq!(deleted, json!({"workspace_id": id}));
    assert!(board.workspaces().await.is_empty());
    board.stop().await;
}

#[tokio::test]
async fn places_follow_the_last_one() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let place = async |socket: &mut Socket, data: Value| {
        let created = socket.expect("workspace.create", data, "workspace.created").await;
        (created["order_index"].as_i64().unwrap(), created["workspace_id"].as_str().unwrap().to_owned())
    };
    assert_eq!(place(&mut socket, json!({})).await.0, 0);
    assert_eq!(place(&mut socket, json!({"order_index": null})).await.0, 1);
    let (index, last) = place(&mut socket, json!({"order_index": 1_000_000})).await;
    assert_eq!(index, 1_000_000);
    assert_eq!(place(&mut socket, json!({})).await.0, 1_000_000);
    for workspace in board.workspaces().await {
        if workspace["order_index"] == 1_000_000 {
            let data = json!({"workspace_id": workspace["_id"]});
            socket.expect("workspace.delete", data, "workspace.deleted").await;
        }
    }
    assert_eq!(place(&mut socket, json!({})).await.0, 2);
    assert_eq!(
        socket.refused("workspace.delete", json!({"workspace_id": last})).await.0,
        "WORKSPACE_NOT_FOUND"
    );

    // Creations at the same time get places of their own.
    for request in 0..20 {
        let frame = json!({"type": "workspace.create", "data": {}, "timestamp": now(), "request_id": format!("c{request}")});
        socket.send(&frame).await;
    }
    let mut places = Vec::new();
    for _ in 0..20 {
        places.push(socket.next().await["data"]["order_index"].as_i64().unwrap());
    }
    places.sort_unstable();
    assert_eq!(places, (3..23).collect::<Vec<_>>());
    board.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_named_and_changes_nothing() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let id = socket.create().await;
    let with = json!({"form_data.x": {"y": 1}, "form_data.list": [1], "form_data.none": null});
    socket.update(&id, with).await;
    let before = board.workspace(&id).await;
    let update = |updates: Value| ("workspace.update", json!({"workspace_id": id, "updates": updates}));
    let long = "字".repeat(2_001);
    let cases = [
        ("workspace.nothing", json!({}), "type"),
        ("", json!({}), "type"),
        ("workspace.create", json!({"order_index": -1}), "order_index"),
        ("workspace.create", json!({"order_index": 1.5}), "order_index"),
        ("workspace.create", json!({"order_index": "1"}), "order_index"),
        ("workspace.create", json!([]), "data"),
        ("workspace.create", json!("x"), "data"),
        ("workspace.delete", json!({}), "workspace_id"),
        ("workspace.delete", json!({"workspace_id": 5}), "workspace_id"),
        ("workspace.update", json!({"workspace_id": id}), "updates"),
        ("workspace.update", json!({"updates": {"form_data.x": 1}}), "workspace_id"),
        ("workspace.update", json!({"workspace_id": id, "updates": []}), "updates"),
        (
            "workspace.update",
            json!({"workspace_id": id, "updates": {"form_data.z": 1}, "client_timestamp": "x"}),
            "client_timestamp",
        ),
        ("workspace.update", json!({"workspace_id": UNKNOWN, "updates": {"video": 1}}), "updates"),
        ("workspace.update", json!({"workspace_id": id, "updates": {}}), "updates"),
        ("workspace.reorder", json!({}), "reorder_map"),
        ("workspace.reorder", json!({"reorder_map": {}}), "reorder_map"),
        ("workspace.reorder", json!({"reorder_map": {(id.as_str()): "1"}}), "reorder_map"),
        ("workspace.reorder", json!({"reorder_map": {(id.as_str()): 1_000_001, UNKNOWN: 1}}), "reorder_map"),
    ];
    let updates = [
        (json!({"_id": "x"}), "_id"),
        (json!({"video.status": "completed"}), "video.status"),
        (json!({"updated_at": 1}), "updated_at"),
        (json!({"form_data.$x": 1}), "form_data.$x"),
        (json!({"form_data.a.b.c.d.e": 1}), "form_data.a.b.c.d.e"),
        (json!({"form_data": 1}), "form_data"),
        (json!({"form_data.q": {}}), "form_data.q"),
        (json!({"form_data.q": {"r": {}}, "form_data.s": 1}), "form_data.q.r"),
        (json!({"form_data.q": [[1]]}), "form_data.q"),
        (json!({"form_data.q": 9_007_199_254_740_993_i64}), "form_data.q"),
        (json!({"form_data.a": {"b": 1}, "form_data.a.b": 1}), "form_data.a.b"),
        (json!({"form_data.motion_prompt": long}), "form_data.motion_prompt"),
        (json!({"form_data.lighting": null}), "form_data.lighting"),
        (json!({"form_data.checkboxes": true}), "form_data.checkboxes"),
        (json!({"form_data.checkboxes.a": 1}), "form_data.checkboxes.a"),
        (json!({"image_path": "/etc/passwd"}), "image_path"),
        (json!({"image_url": "https://evil.example/0123456789abcdef.jpg"}), "image_url"),
        // What is stored stands in the way; the rest of the frame isn't written either.
        (json!({"form_data.good": 1, "form_data.x": 2}), "form_data.x"),
        (json!({"form_data.good": 1, "form_data.x": [2]}), "form_data.x"),
        (json!({"form_data.good": 1, "form_data.x.y.z": 2}), "form_data.x.y.z"),
        (json!({"form_data.good": 1, "form_data.list.z": 2}), "form_data.list.z"),
        (json!({"form_data.good": 1, "form_data.none.z": 2}), "form_data.none.z"),
        (json!({"form_data.good": 1, "form_data.motion_prompt.z": 2}), "form_data.motion_prompt.z"),
    ];
    for (kind, data, field) in cases {
        let (code, context) = socket.refused(kind, data.clone()).await;
        assert_eq!((code.as_str(), &context["field"]), ("INVALID_DATA", &json!(field)), "{data}");
    }
    for (updates, path) in updates {
        let (kind, data) = update(updates);
        let (code, context) = socket.refused(kind, data.clone()).await;
        assert_eq!((code.as_str(), &context["field"]), ("INVALID_DATA", &json!("updates")), "{data}");
        assert_eq!(context["path"], json!(path), "{data}");
    }
    assert_eq!(board.workspace(&id).await, before);
    board.stop().await;
}

#[tokio::test]
async fn what_is_no_frame_is_an_error_and_the_connection_stays_open() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    for text in
        ["", "{", "[]", "null", "\"ping\"", "[\"ping\",{}]", "{\"data\":{}}", "{\"type\":5,\"data\":{}}"]
    {
        socket.send_text(text).await;
        let error = socket.next().await;
        assert_eq!(error["type"], "error", "{text}");
        assert_eq!(error["data"]["code"], "INVALID_DATA", "{text}");
        assert!(error["data"]["context"].is_object());
    }
    socket.send_binary(br#"{"type":"ping"}"#).await;
    assert_eq!(socket.next().await["data"]["code"], "INVALID_DATA");

    let id = socket.create().await;
    let far_ahead = now() + 6 * 60 * 1000;
    for (member, value) in [
        ("timestamp", json!(far_ahead)),
        ("timestamp", json!("now")),
        ("request_id", json!("")),
        ("request_id", json!("x".repeat(65))),
        ("request_id", json!(5)),
        ("client_id", json!("")),
        ("client_id", json!({})),
    ] {
        let mut frame = json!({"type": "workspace.delete", "data": {"workspace_id": id}});
        frame[member] = value;
        socket.send(&frame).await;
        let error = socket.next().await;
        assert_eq!(error["data"]["code"], "INVALID_DATA", "{frame}");
        assert_eq!(error["data"]["context"]["field"], member, "{frame}");
    }
    // A number that is none doesn't hide whose frame it was.
    let text = format!(
        r#"{{"type":"workspace.update","request_id":"big","data":{{"workspace_id":"{id}","updates":{{"form_data.x":1e400}}}}}}"#
    );
    socket.send_text(text).await;
    assert_eq!(socket.answer_to("big").await["data"]["code"], "INVALID_DATA");
    assert_eq!(board.workspaces().await.len(), 1);
    board.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let id = socket.create().await;
    for unknown in [UNKNOWN, "xxx", ""] {
        for (kind, data) in [
            ("workspace.update", json!({"workspace_id": unknown, "updates": {"form_data.x": 1}})),
            ("workspace.delete", json!({"workspace_id": unknown})),
            ("workspace.reorder", json!({"reorder_map": {(id.as_str()): 5, unknown: 6}})),
        ] {
            let (code, context) = socket.refused(kind, data).await;
            assert_eq!(code, "WORKSPACE_NOT_FOUND");
            assert_eq!(context["workspace_id"], unknown);
        }
    }
    // All or nothing.
    assert_eq!(board.workspace(&id).await["order_index"], 0);
    board.stop().await;
}

#[tokio::test]
async fn a_form_takes_64_kib_and_a_frame_32() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let id = socket.create().await;
    socket.update(&id, json!({"form_data.a": "x".repeat(30_000)})).await;
    socket.update(&id, json!({"form_data.b": "x".repeat(30_000)})).await;
    let before = board.workspace(&id).await;
    // Two that would fit alone, at the same time.
    let mut answers = Vec::new();
    for name in ["c", "d", "e"] {
        let data = json!({"workspace_id": id, "updates": {(format!("form_data.{name}")): "x".repeat(3_000)}});
        let frame = socket.frame("workspace.update", data);
        socket.send(&frame).await;
    }
    for _ in 0..3 {
        answers.push(socket.next().await["type"].as_str().unwrap().to_owned());
    }
    answers.sort();
    assert_eq!(answers, ["error", "error", "workspace.sync_confirm"]);
    let (code, context) = socket
        .refused(
            "workspace.update",
            json!({"workspace_id": id, "updates": {"form_data.f": "x".repeat(9_000)}}),
        )
        .await;
    assert_eq!((code.as_str(), &context["field"]), ("INVALID_DATA", &json!("updates")));
    let after = board.workspace(&id).await;
    let sizes = [&before, &after].map(|workspace| workspace["form_data"].to_string().len());
    assert!(sizes[1] - sizes[0] < 4_000, "{sizes:?}");

    socket.send_text(format!(r#"{{"type":"ping","data":{{"pad":"{}"}}}}"#, "x".repeat(32 * 1024))).await;
    assert_eq!(socket.closed().await, Some(1009));
    board.stop().await;
}
