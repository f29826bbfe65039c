//! Contract §1, §2: the envelope, the list, what the gateway itself answers.

use local::secrets::MONGODB_URI;
use mongodb::bson::doc;
use reqwest::Method;
use serde_json::{Value, json};

use crate::board::Board;

#[tokio::test]
async fn an_empty_board_and_a_new_workspace_have_the_shape_of_the_contract() {
    let board = Board::start().await;
    assert_eq!(board.get("/api/workspaces").await.data(), json!({"workspaces": [], "next_cursor": null}));

    let mut socket = board.connect().await;
    let created = socket.expect("workspace.create", json!({}), "workspace.created").await;
    let workspace = board.workspace(created["workspace_id"].as_str().unwrap()).await;
    assert_eq!(
        workspace,
        json!({
            "_id": created["workspace_id"], "order_index": 0, "image_path": null, "image_url": null,
            "form_data": {"camera_movement": "", "shot_type": "", "lighting": "", "motion_prompt": "", "checkboxes": {}},
            "video": {"status": "pending", "task_id": null, "url": null, "error": null, "history": []},
            "ai_collaboration": [], "created_at": created["created_at"], "updated_at": created["created_at"],
        })
    );
    let created_at = workspace["created_at"].as_str().unwrap();
    assert_eq!(created_at.len(), "2025-12-24T00:00:00.000Z".len());
    assert!(created_at.ends_with('Z'));
    board.stop().await;
}

#[tokio::test]
async fn the_list_is_in_order_and_comes_in_pages() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let mut ids = Vec::new();
    // Two share a place: the older comes first.
    for index in [5, 1, 3, 3, 2] {
        let created =
            socket.expect("workspace.create", json!({"order_index": index}), "workspace.created").await;
        ids.push(created["workspace_id"].clone());
    }
    let expected: Vec<&Value> = [1, 4, 2, 3, 0].iter().map(|index: &usize| &ids[*index]).collect();
    let listed = board.workspaces().await;
    assert_eq!(listed.iter().map(|workspace| &workspace["_id"]).collect::<Vec<_>>(), expected);

    let mut paged = Vec::new();
    let mut path = "/api/workspaces?limit=2".to_owned();
    loop {
        let page = board.get(&path).await.data();
        let workspaces = page["workspaces"].as_array().unwrap();
        paged.extend(workspaces.iter().map(|workspace| workspace["_id"].clone()));
        match page["next_cursor"].as_str() {
            Some(cursor) => {
                assert_eq!(workspaces.len(), 2);
                path = format!("/api/workspaces?limit=2&cursor={cursor}");
            }
            None => break,
        }
    }
    assert_eq!(paged.iter().collect::<Vec<_>>(), expected);
    // A page that is exactly full at the end says so.
    assert_eq!(board.get("/api/workspaces?limit=5").await.data()["next_cursor"], Value::Null);
    board.stop().await;
}

#[tokio::test]
async fn a_wrong_limit_or_cursor_is_named_and_nothing_is_clamped() {
    let board = Board::start().await;
    for limit in ["0", "201", "-1", "x", "", "1.5"] {
        board.get(&format!("/api/workspaces?limit={limit}")).await.invalid("limit");
    }
    for cursor in ["x", "", "AAAA"] {
        board.get(&format!("/api/workspaces?cursor={cursor}")).await.invalid("cursor");
    }
    assert!(board.get("/api/workspaces?limit=200").await.status.is_success());
    board.stop().await;
}

#[tokio::test]
async fn a_list_that_one_answer_cannot_hold_goes_on_with_a_cursor() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    socket.create().await;
    let rows = board.rows("workspaces");
    let first = rows.find_one(doc! {}).await.unwrap().unwrap();
    // Quotes count twice: the body travels as a JSON string.
    let big = "\"".repeat(60_000);
    let copies = (1..=80).map(|index| {
        let mut copy = first.clone();
        copy.insert("_id", mongodb::bson::oid::ObjectId::new());
        copy.insert("order_index", index);
        copy.get_document_mut("form_data").unwrap().insert("big", &big);
        copy
    });
    rows.insert_many(copies).await.unwrap();

    let mut seen = 0;
    let mut pages = 0;
    let mut path = "/api/workspaces".to_owned();
    loop {
        let page = board.get(&path).await.data();
        pages += 1;
        seen += page["workspaces"].as_array().unwrap().len();
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/workspaces?cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, 81);
    assert!((2..10).contains(&pages), "{pages} pages");
    board.stop().await;
}

#[tokio::test]
async fn what_is_no_route_is_404_in_the_envelope() {
    let board = Board::start().await;
    for (method, path) in [
        (Method::POST, "/"),
        (Method::GET, "/api/nothing"),
        (Method::GET, "/api/upload/image"),
        (Method::POST, "/api/workspaces"),
        (Method::DELETE, "/api/workspaces"),
        (Method::GET, "/api/uploads"),
        (Method::GET, "/api/uploads/a/b"),
    ] {
        let answer = board.send(board.request(method, path)).await;
        answer.refused(404, "NOT_FOUND");
    }
    board.stop().await;
}

#[tokio::test]
async fn a_page_of_another_origin_may_call_every_route() {
    let board = Board::start().await;
    let preflight = board
        .request(Method::OPTIONS, "/api/generate/video")
        .header("origin", "https://studio.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,idempotency-key");
    let answer = board.send(preflight).await;
    assert!(answer.status.is_success());
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    let allowed = |name: &str| answer.headers[name].to_str().unwrap().to_ascii_lowercase();
    assert!(allowed("access-control-allow-methods").contains("post"));
    for header in ["authorization", "content-type", "idempotency-key"] {
        assert!(allowed("access-control-allow-headers").contains(header), "{header}");
    }

    let request = board.request(Method::GET, "/api/workspaces").header("origin", "https://studio.example");
    let answer = board.send(request).await;
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    let exposed = answer.headers["access-control-expose-headers"].to_str().unwrap().to_ascii_lowercase();
    assert!(exposed.contains("etag") && exposed.contains("retry-after"), "{exposed}");
    board.stop().await;
}

#[tokio::test]
async fn only_the_configured_origins_may_call() {
    let board =
        Board::start_with_parameter("AllowedOrigins", "https://studio.example,https://other.example").await;
    for (origin, expected) in
        [("https://studio.example", Some("https://studio.example")), ("https://evil.example", None)]
    {
        let request = board.request(Method::GET, "/api/workspaces").header("origin", origin);
        let answer = board.send(request).await;
        assert!(answer.status.is_success());
        let allowed = answer.headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap());
        assert_eq!(allowed, expected);
    }
    board.stop().await;
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_503_with_a_time_to_come_back() {
    // Nothing listens on port 1.
    let board = Board::start_with_secret(MONGODB_URI, "mongodb://127.0.0.1:1/?directConnection=true").await;
    let answer = board.get("/api/workspaces").await;
    assert!(answer.headers.contains_key("retry-after"));
    answer.refused(503, "SERVICE_UNAVAILABLE");
    board.stop().await;
}
