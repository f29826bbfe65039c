//! JSON: operators of MongoDB in the place of values and names, documents without end, and what parsers disagree about.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    board::{Answer, Board, PNG},
    socket::{Socket, now},
    studio::Studio,
};

/// What a driver that takes objects for values would carry out.
fn operators() -> [Value; 5] {
    [
        json!({"$ne": null}),
        json!({"$where": "sleep(5000) || true"}),
        json!({"$set": {"video.status": "completed"}}),
        json!({"$literal": "00ff10a2b3c4d5e6f7081920"}),
        json!([{"$gt": ""}, "$$ROOT"]),
    ]
}

/// What means something to a database, a shell or a script, and is nothing but a text here.
const TEXTS: [&str; 7] = [
    "$where",
    "$$ROOT",
    "$form_data.motion_prompt",
    "{\"$ne\": null}",
    "__proto__",
    "a\u{0}b\u{202e}c",
    "'; return true; //",
];

fn replaced(body: &Value, pointer: &str, value: &Value) -> Value {
    let mut body = body.clone();
    *body.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value.clone();
    body
}

#[tokio::test]
async fn an_operator_in_the_place_of_a_value_is_refused_by_every_route() {
    let studio = Studio::open().await;
    let before = studio.board.workspaces().await;
    let params = json!({"camera_movement": "a", "shot_type": "a", "lighting": "a", "motion_prompt": "a"});
    let (id, image_url) = (&studio.id, &studio.image_url);
    let generate = json!({"workspace_id": id, "image_url": image_url, "params": params});
    let suggest = json!({"workspace_id": id, "user_input": "a", "context": {"current_params": params}});
    let upload = json!({"content_type": "image/png", "size": 70});
    for (path, body, members) in [
        (
            "/api/generate/video",
            &generate,
            &["/workspace_id", "/image_url", "/params/camera_movement", "/params/motion_prompt"][..],
        ),
        (
            "/api/ai/suggest",
            &suggest,
            &[
                "/workspace_id",
                "/user_input",
                "/context/current_params/shot_type",
                "/context/current_params/lighting",
            ],
        ),
        ("/api/upload/image", &upload, &["/content_type", "/size"]),
    ] {
        for (member, operator) in members.iter().flat_map(|member| operators().map(|o| (member, o))) {
            let field = member.rsplit('/').next().unwrap();
            studio.board.post(path, &replaced(body, member, &operator)).await.invalid(field);
        }
        // In the place of an object they are one, whose members nobody knows.
        for operator in operators() {
            let answer = studio.board.post(path, &operator).await;
            assert_eq!(answer.status, 400, "{path} {operator}: {}", answer.body);
        }
    }
    for query in ["limit[$gt]=0&cursor={}", "cursor={}", "limit={}"] {
        let query = query.replace("{}", "%7B%22%24ne%22%3Anull%7D");
        let (status, _) = super::raw_get(&studio.board, &format!("/api/workspaces?{query}"), "").await;
        assert_eq!(status, 400, "{query}");
    }
    assert_eq!(studio.board.workspaces().await, before);
    assert_eq!(studio.board.vendor_tasks().await.len(), 0);
    studio.board.stop().await;
}

#[tokio::test]
async fn an_operator_in_the_place_of_a_value_or_a_name_is_refused_in_every_frame() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let id = socket.create().await;
    socket.update(&id, json!({"form_data.checkboxes.loop": true, "form_data.x": 1})).await;
    let before = board.workspaces().await;
    let update = |updates: Value| ("workspace.update", json!({"workspace_id": id, "updates": updates}));
    for operator in operators() {
        let mut cases = vec![
            ("workspace.create", json!({"order_index": operator})),
            ("workspace.delete", json!({"workspace_id": operator})),
            ("video.cancel", json!({"workspace_id": operator})),
            ("workspace.update", json!({"workspace_id": operator, "updates": {"form_data.x": 2}})),
            (
                "workspace.update",
                json!({"workspace_id": id, "updates": {"form_data.x": 2}, "client_timestamp": operator}),
            ),
            ("workspace.reorder", json!({"reorder_map": {(id.as_str()): operator}})),
            ("workspace.reorder", json!({"reorder_map": {"$where": operator}})),
        ];
        for path in [
            "form_data.x",
            "form_data.motion_prompt",
            "form_data.checkboxes.loop",
            "form_data",
            "image_path",
            "image_url",
        ] {
            cases.push(update(json!({(path): operator})));
        }
        for (kind, data) in cases {
            let (code, _) = socket.refused(kind, data.clone()).await;
            assert_eq!(code, "INVALID_DATA", "{kind} {data}");
        }
        for member in ["type", "data", "timestamp", "request_id", "client_id"] {
            let good = json!({"type": "workspace.delete", "data": {"workspace_id": id}, "timestamp": now(),
                              "request_id": "r", "client_id": "c"});
            socket.send(&replaced(&good, &format!("/{member}"), &operator)).await;
            let error = socket.next().await;
            assert_eq!(error["data"]["code"], "INVALID_DATA", "{member} {operator}: {error}");
        }
    }
    for name in [
        "$set",
        "$where",
        "form_data.$",
        "form_data.x.$",
        "form_data.a$b",
        "form_data.\u{0}",
        "form_data.a\u{0}b",
        ".",
        "form_data..x",
        "clocks",
        "recent",
        "owner",
        "$$ROOT",
        "__proto__",
        "form_data/x",
    ] {
        let (kind, data) = update(json!({(name): 1, "form_data.good": 1}));
        assert_eq!(socket.refused(kind, data).await.0, "INVALID_DATA", "{name:?}");
        let (kind, data) = update(json!({"form_data": {"good": 1, (name): 1}}));
        let is_a_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_a_name {
            assert_eq!(socket.refused(kind, data).await.0, "INVALID_DATA", "{name:?}");
        }
    }
    assert_eq!(board.workspaces().await, before);
    board.stop().await;
}

#[tokio::test]
async fn a_text_that_means_something_elsewhere_is_kept_as_it_is() {
    let studio = Studio::open().await;
    let board = &studio.board;
    let mut socket = board.connect().await;
    for (turn, text) in TEXTS.into_iter().enumerate() {
        let mut created = socket.frame("workspace.create", json!({}));
        // Where it is a name to us: of a request, of a client, under whose hash its clocks are kept.
        (created["request_id"], created["client_id"]) = (json!(text), json!(text));
        let id = socket.exchange(&created).await["data"]["workspace_id"].as_str().unwrap().to_owned();
        let updates = json!({
            "form_data.motion_prompt": text, "form_data.list": [text, 1], "form_data.__proto__": text,
            "form_data.constructor.prototype": text,
        });
        let mut update = socket.frame("workspace.update", json!({"workspace_id": id, "updates": updates}));
        (update["request_id"], update["client_id"]) = (json!(format!("u{text}")), json!(text));
        let first = socket.exchange(&update).await;
        assert_eq!(first["type"], "workspace.sync_confirm", "{text:?}: {first}");
        assert_eq!(socket.exchange(&update).await["data"], first["data"], "a repeat, {text:?}");
        let asked = json!({"workspace_id": id, "user_input": text,
                           "context": {"current_params": {"lighting": text}, "$where": "1"}, "$set": {"owner": "x"}});
        board.post("/api/ai/suggest", &asked).await.data();
        let request = board
            .request(Method::POST, "/api/generate/video")
            .header("idempotency-key", text.replace(|c: char| !(' '..='~').contains(&c), ""))
            .json(&json!({"workspace_id": id, "image_url": studio.image_url, "params": {"motion_prompt": text}}));
        board.send(request).await.data();

        let stored = board.workspace(&id).await;
        let form = &stored["form_data"];
        assert_eq!(form["motion_prompt"], text);
        assert_eq!(form["list"], json!([text, 1]));
        assert_eq!((&form["__proto__"], &form["constructor"]["prototype"]), (&json!(text), &json!(text)));
        assert_eq!(stored["ai_collaboration"][0]["user_input"], text);
        assert_eq!(board.vendor_tasks().await.len(), turn + 1, "{text:?}");
    }
    studio.board.stop().await;
}

/// What opens and closes 10,000 and 100,000 times.
fn depths() -> [String; 3] {
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    [
        format!("{open}1{close}"),
        format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)),
        // And never closes.
        open.repeat(10),
    ]
}

#[tokio::test]
async fn a_document_without_end_is_refused_by_every_route() {
    let board = Board::start().await;
    for path in ["/api/generate/video", "/api/ai/suggest", "/api/upload/image"] {
        for deep in depths() {
            for body in [
                deep.clone(),
                format!(
                    r#"{{"workspace_id":"x","image_url":"x","user_input":"x","size":1,"params":{deep},"context":{deep}}}"#
                ),
            ] {
                let request = board.request(Method::POST, path).header("content-type", "application/json");
                board.send(request.body(body)).await.invalid("body");
            }
        }
    }
    board.stop().await;
}

#[tokio::test]
async fn a_document_without_end_is_refused_in_every_frame() {
    let board = Board::start().await;
    let mut socket = board.connect().await;
    let id = socket.create().await;
    let array = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let object = format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    let unclosed = "[".repeat(30_000);
    for deep in [array, object, unclosed] {
        let frames = [
            deep.clone(),
            format!(r#"{{"type":{deep},"data":{{}}}}"#),
            format!(r#"{{"type":"workspace.create","data":{deep}}}"#),
            format!(r#"{{"type":"workspace.create","data":{{"order_index":{deep}}}}}"#),
            format!(r#"{{"type":"workspace.create","data":{{}},"timestamp":{deep}}}"#),
            format!(r#"{{"type":"workspace.create","data":{{}},"client_id":{deep}}}"#),
            format!(r#"{{"type":"workspace.delete","data":{{"workspace_id":{deep}}}}}"#),
            format!(r#"{{"type":"workspace.reorder","data":{{"reorder_map":{deep}}}}}"#),
            format!(r#"{{"type":"workspace.reorder","data":{{"reorder_map":{{"{id}":{deep}}}}}}}"#),
            format!(r#"{{"type":"workspace.update","data":{{"workspace_id":"{id}","updates":{deep}}}}}"#),
            format!(
                r#"{{"type":"workspace.update","data":{{"workspace_id":"{id}","updates":{{"form_data":{deep}}}}}}}"#
            ),
            format!(
                r#"{{"type":"workspace.update","data":{{"workspace_id":"{id}","updates":{{"form_data.x":{deep}}}}}}}"#
            ),
        ];
        for frame in frames {
            let shown = frame.chars().take(100).collect::<String>();
            socket.send_text(frame).await;
            let error = socket.next().await;
            assert_eq!(error["data"]["code"], "INVALID_DATA", "{shown}: {error}");
        }
    }
    assert_eq!(board.workspaces().await.len(), 1);
    board.stop().await;
}

#[tokio::test]
async fn what_parsers_disagree_about_has_a_clear_answer() {
    let board = Board::start().await;
    let ask = async |body: &[u8]| -> Answer {
        let request =
            board.request(Method::POST, "/api/upload/image").header("content-type", "application/json");
        board.send(request.body(body.to_vec())).await
    };
    let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for body in [
        b"".as_slice(),
        b"\0",
        b"\xEF\xBB\xBF{\"content_type\":\"image/png\",\"size\":1}",
        &utf16,
        b"+AHs-+AH0-",
        b"{\"content_type\":\"\xC0\xAF\",\"size\":1}",
        b"{\"content_type\":\"\xED\xA0\x80\",\"size\":1}",
        b"{\"content_type\":\"\\ud800\",\"size\":1}",
        b"{\"content_type\":\"image/png\",\"size\":1}{}",
        b"{\"content_type\":\"image/png\",\"size\":NaN}",
        b"{\"content_type\":\"image/png\",\"size\":1e400}",
        b"{'content_type':'image/png','size':1}",
        b"{\"content_type\":\"image/png\",\"size\":1,}",
    ] {
        ask(body).await.invalid("body");
    }
    for size in ["-0", "1.0", "1e0", "9223372036854775808", "18446744073709551617", "-1", "true", "[1]"] {
        ask(format!(r#"{{"content_type":"image/png","size":{size}}}"#).as_bytes()).await.invalid("size");
    }
    // The last of two members is the one that counts, for what is checked as for what is done.
    ask(br#"{"content_type":"image/png","content_type":"image/gif","size":1}"#)
        .await
        .refused(415, "UNSUPPORTED_FILE_TYPE");
    for injected in ["image/png\\r\\nx-amz-acl: public-read", "image/png\\u0000", "image\\\\png"] {
        ask(format!(r#"{{"content_type":"{injected}","size":1}}"#).as_bytes())
            .await
            .refused(415, "UNSUPPORTED_FILE_TYPE");
    }
    assert_eq!(board.rows("uploads").count_documents(mongodb::bson::doc! {}).await.unwrap(), 0);

    let mut socket = board.connect().await;
    for frame in [
        "\u{feff}{\"type\":\"ping\"}",
        "{\"type\":\"ping\"}{}",
        "{\"type\":\"ping\",\"type\":\"workspace.create\",\"data\":{}}",
        "{\"type\":\"ping\",\"data\":{\"a\":\"\\x\"}}",
        "{\"type\":\"workspace.create\",\"data\":{},\"request_id\":\"\\ud800\"}",
        "{\"type\":\"workspace.create\",\"data\":{},\"timestamp\":1e400}",
        "{\"type\":\"workspace.create\",\"data\":{},\"timestamp\":-0}",
        "{\"type\":\"$connect\",\"data\":{}}",
        "{\"type\":\"__proto__\",\"data\":{}}",
    ] {
        socket.send_text(frame).await;
        assert_eq!(socket.next().await["data"]["code"], "INVALID_DATA", "{frame}");
    }
    assert!(board.workspaces().await.is_empty());
    assert_largest_and_smallest_numbers_survive(&board, &mut socket).await;
    board.stop().await;
}

async fn assert_largest_and_smallest_numbers_survive(board: &Board, socket: &mut Socket) {
    let id = socket.create().await;
    for (number, stored) in
        [("-0", json!(0)), ("1e-99999", json!(0.0)), ("1e300", json!(1e300)), ("0.1e1", json!(1.0))]
    {
        let frame = format!(
            r#"{{"type":"workspace.update","request_id":"{number}","data":{{"workspace_id":"{id}","updates":{{"form_data.x":{number}}}}}}}"#
        );
        socket.send_text(frame).await;
        let answer = socket.answer_to(number).await;
        assert_eq!(answer["type"], "workspace.sync_confirm", "{number}: {answer}");
        assert_eq!(board.workspace(&id).await["form_data"]["x"].as_f64(), stored.as_f64(), "{number}");
    }
    assert_eq!(board.send(board.form(PNG, "x", "image/png")).await.status, 200);
}
