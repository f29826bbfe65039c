//! Paths, queries, headers and forms as no browser sends them.

use serde_json::Value;

use super::{raw, raw_get};
use crate::board::{Board, PNG};

const NAME: &str = "0123456789abcdef0123.png";

#[track_caller]
fn assert_code(shown: &str, answer: &(u16, String), status: u16, code: &str) {
    let body: Value = serde_json::from_str(&answer.1).unwrap_or_default();
    assert_eq!((answer.0, body["error"]["code"].as_str()), (status, Some(code)), "{shown}: {}", answer.1);
}

#[tokio::test]
async fn no_way_of_writing_a_path_leads_elsewhere() {
    let board = Board::start().await;
    let long = "a".repeat(20_000);
    for path in [
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "..%2f..%2fx.png",
        "%252e%252e%252f",
        "%00",
        "0123456789abcdef0123%00.png",
        "%ff%fe.png",
        "\\..\\..\\x.png",
        &format!("{NAME}%20"),
        &format!("{NAME}%0d%0aset-cookie:%20a=b"),
        &format!("{NAME};.html"),
        &format!("{long}.png"),
    ] {
        let answer = raw_get(&board, &format!("/api/uploads/{path}"), "").await;
        assert_code(path, &answer, 404, "IMAGE_NOT_FOUND");
        let answer = raw_get(&board, &format!("/api/videos/{path}"), "").await;
        assert_code(path, &answer, 404, "NOT_FOUND");
    }
    for path in [
        "/api/uploads/../workspaces",
        "/api/uploads/%2e%2e/workspaces",
        "/api//workspaces",
        "//api/workspaces",
        "/api/workspaces/",
        "/api/workspaces%2f",
        "/api/workspaces;x",
        "/API/WORKSPACES",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/studio/%2e%2e/%2e%2e/Cargo.toml",
        "/studio/..%2f..%2fCargo.toml",
        "/.git/config",
        "/index.html%00",
        "*",
    ] {
        assert_code(path, &raw_get(&board, path, "").await, 404, "NOT_FOUND");
    }
    for method in ["TRACE", "CONNECT", "PROPFIND", "get", "$WHERE"] {
        let request = format!("{method} /api/workspaces HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        assert_code(method, &raw(&board, request.as_bytes()).await, 404, "NOT_FOUND");
    }
    board.stop().await;
}

#[tokio::test]
async fn no_way_of_writing_a_query_or_a_header_does_harm() {
    let board = Board::start().await;
    let long = "A".repeat(15_000);
    for (query, field) in [
        ("limit=%2B1", "limit"),
        ("limit=+1", "limit"),
        ("limit=1%00", "limit"),
        ("limit=0x1", "limit"),
        ("limit=1e2", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=0&limit=1", "limit"),
        ("cursor=%ff", "cursor"),
        ("cursor=..%2f..%2f", "cursor"),
        (&format!("cursor={long}"), "cursor"),
    ] {
        let answer = raw_get(&board, &format!("/api/workspaces?{query}"), "").await;
        assert_code(query, &answer, 400, "INVALID_PARAMS");
        assert!(answer.1.contains(&format!("\"field\":\"{field}\"")), "{query}: {}", answer.1);
    }
    // Of another board, or of none: where it points to is where the page begins, and it shows nothing but one's own.
    for cursor in ["A".repeat(32), "_".repeat(32)] {
        let (status, body) = raw_get(&board, &format!("/api/workspaces?cursor={cursor}"), "").await;
        assert_eq!(status, 200, "{body}");
    }
    for header in [
        format!("x-a: {}", "b".repeat(64 * 1024)),
        format!("authorization: Bearer {}", "a".repeat(9_000)),
        format!("cookie: {}", "a=b; ".repeat(2_000)),
        format!("if-none-match: {}", "\"".repeat(9_000)),
        "if-none-match: *, W/".to_owned(),
        "origin: javascript:alert(1)".to_owned(),
        "host: a:b@c".to_owned(),
        "x-forwarded-for: 127.0.0.1".to_owned(),
        "x-http-method-override: DELETE".to_owned(),
        "range: bytes=0-0,-1".to_owned(),
        "expect: 100-continue".to_owned(),
        "upgrade: h2c".to_owned(),
    ] {
        let (status, body) = raw_get(&board, "/api/workspaces", &format!("{header}\r\n")).await;
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        let shown = &header[..header.len().min(40)];
        assert_eq!((status, &answer["success"]), (200, &true.into()), "{shown}: {body}");
        let (status, _) = raw_get(&board, &format!("/api/uploads/{NAME}"), &format!("{header}\r\n")).await;
        assert_eq!(status, 404, "{shown}");
    }
    board.stop().await;
}

#[tokio::test]
async fn a_body_whose_end_is_in_doubt_is_refused_and_hides_no_second_request() {
    let board = Board::start().await;
    let post =
        |rest: &str| format!("POST /api/ai/suggest HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{rest}");
    for (rest, status) in [
        ("content-length: 4\r\ncontent-length: 5\r\n\r\nabcde", 400),
        ("content-length: -1\r\n\r\n", 400),
        ("transfer-encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        ("transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
        ("x-a: b\r\n c\r\ncontent-length: 2\r\n\r\n{}", 400),
        ("transfer-encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n", 400),
        ("transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n", 400),
        // The end of the chunks is the end: what follows is not read as a request of its own.
        (
            "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nPOST /api/nothing HTTP/1.1\r\nhost: a\r\n\r\n",
            400,
        ),
    ] {
        let (answered, body) = raw(&board, post(rest).as_bytes()).await;
        assert_eq!(answered, status, "{rest:?}: {body}");
        assert!(!body.contains("HTTP/1.1"), "two answers to {rest:?}: {body}");
    }
    board.stop().await;
}

#[tokio::test]
async fn a_form_is_read_as_it_should_be_or_not_at_all() {
    let board = Board::start().await;
    let part =
        |head: &str, content: &[u8]| [b"--X\r\n", head.as_bytes(), b"\r\n\r\n", content, b"\r\n"].concat();
    let named = |more: &str| format!("Content-Disposition: form-data; name=\"image\"; filename=\"{more}\"");
    let good = part(&named("a.png"), PNG);
    let whole = |parts: &[&[u8]]| [parts.concat(), b"--X--\r\n".to_vec()].concat();
    let gif = part(&named("a.png"), b"GIF89a");
    let many = b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n".repeat(2_000);
    let nested = part(
        &format!("{}\r\nContent-Type: multipart/mixed; boundary=Y", named("a")),
        b"--Y\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--Y--",
    );
    let lines = (0..10_000).map(|line| format!("\r\nx{line}: y")).collect::<String>();
    for (what, content_type, body, answered) in [
        ("no boundary", "multipart/form-data", whole(&[&good]), 400),
        ("an empty one", "multipart/form-data; boundary=\"\"", whole(&[&good]), 400),
        ("another one", "multipart/form-data; boundary=Y", whole(&[&good]), 400),
        ("two of them", "multipart/form-data; boundary=Y; boundary=X", whole(&[&good]), 400),
        ("two types", "multipart/form-data; boundary=X, application/json", whole(&[&good]), 400),
        ("another kind", "multipart/mixed; boundary=X", whole(&[&good]), 400),
        (
            "line feeds",
            "multipart/form-data; boundary=X",
            whole(&[&good]).into_iter().filter(|byte| *byte != b'\r').collect(),
            400,
        ),
        ("no end", "multipart/form-data; boundary=X", good.clone(), 400),
        ("no name", "multipart/form-data; boundary=X", whole(&[&part("Content-Type: image/png", PNG)]), 400),
        ("no header", "multipart/form-data; boundary=X", whole(&[&part("nothing", PNG)]), 400),
        (
            "a header in the file's name",
            "multipart/form-data; boundary=X",
            whole(&[&part(&named("a\r\nX-Evil: 1\r\n"), PNG)]),
            400,
        ),
        (
            "thousands of headers",
            "multipart/form-data; boundary=X",
            whole(&[&part(&format!("{}{lines}", named("a")), PNG)]),
            400,
        ),
        ("a form in a form", "multipart/form-data; boundary=X", whole(&[&nested]), 415),
        ("the first counts", "multipart/form-data; boundary=X", whole(&[&gif, &good]), 415),
        ("and so it does", "multipart/form-data; boundary=X", whole(&[&good, &gif]), 200),
        ("thousands of parts", "multipart/form-data; boundary=X", whole(&[&many, &good]), 200),
        (
            "a path for a name",
            "multipart/form-data; boundary=X",
            whole(&[&part(&named("../../../etc/passwd\\\""), PNG)]),
            200,
        ),
        (
            "a long name",
            "multipart/form-data; boundary=X",
            whole(&[&part(&named(&"a".repeat(100_000)), PNG)]),
            200,
        ),
    ] {
        let head = format!(
            "POST /api/upload/image HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = raw(&board, &[head.as_bytes(), &body].concat()).await;
        assert_eq!(answer.0, answered, "{what}: {}", answer.1);
    }
    assert_eq!(board.rows("uploads").count_documents(mongodb::bson::doc! {}).await.unwrap(), 4);
    board.stop().await;
}

#[tokio::test]
async fn what_is_larger_than_a_function_takes_never_reaches_one() {
    let board = Board::start().await;
    for path in ["/api/generate/video", "/api/ai/suggest", "/api/upload/image"] {
        for (size, status) in [(6_200_000, 400), (6 * 1024 * 1024, 413), (10 * 1024 * 1024 + 1, 413)] {
            let body = format!("{{\"a\":\"{}\"}}", "x".repeat(size));
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let answer = raw(&board, [head, body].concat().as_bytes()).await;
            assert_eq!(answer.0, status, "{path} {size}: {}", answer.1);
        }
    }
    board.stop().await;
}
