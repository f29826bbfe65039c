//! The page on the port of the API: its files for everybody, all else as if there were none.

use std::{fs, os::unix::fs::symlink};

use local::stack::Config;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    board::{Board, project},
    program::{Running, with_database},
    socket::Socket,
};

/// A project with the real template and these files.
fn project_with(files: &[(&str, &str)]) -> TempDir {
    let root = TempDir::new().unwrap();
    for real in ["template.yaml", "functions", "infra", "docs"] {
        symlink(project().join(real), root.path().join(real)).unwrap();
    }
    for (name, text) in files {
        let file = root.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    root
}

fn of(root: &TempDir) -> impl FnOnce(&mut Config) {
    let template = root.path().join("template.yaml");
    |config| config.template = template
}

/// The answer to a request whose path is sent as it is: a client would tidy it up. Its status and body.
async fn ask(board: &Board, method: &str, path: &str) -> (u16, String) {
    let address = board.url("").replace("http://", "");
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// `http://127.0.0.1:PORT` of an address there.
fn origin(address: &str) -> String {
    address.split('/').take(3).collect::<Vec<_>>().join("/")
}

/// That there is no such route, in the contract's words.
async fn assert_no_route(board: &Board, method: &str, path: &str) {
    let (status, body) = ask(board, method, path).await;
    let what = format!("{method} {path}: {status} {body}");
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{what}"));
    assert_eq!((status, &body["error"]["code"]), (404, &json!("NOT_FOUND")), "{what}");
}

#[tokio::test]
async fn the_page_of_this_project_is_there_for_everybody_with_a_strict_policy() {
    let board = Board::guarded().await;
    let page = board.request(Method::GET, "/").send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert_eq!(page.headers()["content-type"], "text/html");
    assert_eq!(page.headers()["cache-control"], "no-cache");
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let directive = |name: &str| policy.split("; ").find(|part| part.starts_with(name)).unwrap();
    assert_eq!(directive("default-src"), "default-src 'none'");
    assert_eq!(directive("script-src"), "script-src 'self'");
    assert_eq!(directive("frame-ancestors"), "frame-ancestors 'none'");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    // Where the browser is sent for large pictures.
    let announced = json!({"content_type": "image/png", "size": 9_000_000});
    let permission = board.member("alice").post("/api/upload/image", &announced).await.data();
    let store = origin(permission["upload"]["url"].as_str().unwrap());
    for name in ["img-src", "media-src", "connect-src"] {
        assert!(directive(name).split(' ').any(|source| source == store), "{store} in {policy}");
    }
    let socket = board.websocket_url();
    for source in [socket.replace("127.0.0.1", "localhost"), socket] {
        assert!(directive("connect-src").split(' ').any(|allowed| allowed == source), "{source} in {policy}");
    }

    for path in ["/config.js", "/motionboard.js"] {
        let file = board.request(Method::GET, path).send().await.unwrap();
        assert_eq!(file.status(), 200, "{path}");
        assert_eq!(file.headers()["content-type"], "text/javascript");
        assert_eq!(file.headers()["x-content-type-options"], "nosniff");
        let (etag, length) = (file.headers()["etag"].clone(), file.headers()["content-length"].clone());
        let again = board.request(Method::GET, path).header("if-none-match", etag).send().await.unwrap();
        assert_eq!(again.status(), 304, "{path}");
        let head = board.request(Method::HEAD, path).send().await.unwrap();
        assert_eq!((head.status().as_u16(), &head.headers()["content-length"]), (200, &length));
        assert!(head.bytes().await.unwrap().is_empty());
    }
    // The board itself is as closed as before.
    board.get("/api/workspaces").await.refused(401, "UNAUTHORIZED");
    board.stop().await;
}

#[tokio::test]
async fn what_is_no_file_of_the_page_goes_to_the_gateways() {
    let root = project_with(&[
        ("secret.txt", "secret"),
        ("web/index.html", "<!doctype html>"),
        ("web/app.js", "let a"),
        ("web/.env", "secret"),
        ("web/sub/app.js", "let b"),
        // Called like a route and like a page of the stack's own, which they are not.
        ("web/api/workspaces", "shadow"),
        ("web/_local/docs", "shadow"),
    ]);
    let board = Board::start_with(of(&root)).await;
    assert_eq!(ask(&board, "GET", "/?x=1").await, (200, "<!doctype html>".to_owned()));
    assert_eq!(ask(&board, "GET", "/sub/app.js").await, (200, "let b".to_owned()));
    for path in [
        "/nothing.js",
        "/sub",
        "/sub/",
        "/app.js/",
        "//",
        "//app.js",
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/sub/../../secret.txt",
        "/app.js%00",
        "/.env",
        "/%2eenv",
        "/template.yaml",
        "/_local/nothing",
        "/api/nothing",
        "/api/../app.js",
    ] {
        assert_no_route(&board, "GET", path).await;
        assert_eq!(ask(&board, "HEAD", path).await, (404, String::new()), "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        assert_no_route(&board, method, "/").await;
        assert_no_route(&board, method, "/app.js").await;
    }
    assert_eq!(ask(&board, "OPTIONS", "/").await, (204, String::new()));
    assert!(ask(&board, "GET", "/_local/docs").await.1.contains("Motionboard API"));

    // Both are opened at the address of the page, whatever it is called.
    let local = board.websocket_url().replace("127.0.0.1", "localhost");
    let mut socket = Socket::connect(&format!("{local}/")).await;
    let id = socket.create().await;
    assert_eq!(board.connect().await.create().await.len(), id.len());
    assert_eq!(board.workspaces().await[0]["_id"], id);
    board.stop().await;
}

#[tokio::test]
async fn a_project_without_a_page_has_only_the_gateways() {
    let root = project_with(&[]);
    let board = Board::start_with(of(&root)).await;
    for method in ["GET", "POST"] {
        assert_no_route(&board, method, "/").await;
    }
    board.connect().await.create().await;
    // Whoever begins to write one sees it at once.
    fs::create_dir(root.path().join("web")).unwrap();
    fs::write(root.path().join("web/index.html"), "new").unwrap();
    assert_eq!(ask(&board, "GET", "/").await, (200, "new".to_owned()));
    board.stop().await;
}

#[tokio::test]
async fn the_program_says_where_the_page_is() {
    let data = TempDir::new().unwrap();
    let mut stack = Running::start(with_database(data.path(), &[])).await;
    let page = stack.url.replace("127.0.0.1", "localhost");
    assert!(stack.said.contains(&format!("open {page}/ in a browser")), "{:?}", stack.said);
    stack.signal(libc::SIGINT);
    assert!(stack.end().await.success());
}
