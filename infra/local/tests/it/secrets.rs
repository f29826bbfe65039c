//! Secrets that are rotated while the board runs.

use std::time::Duration;

use local::secrets::{AUTH_SECRET, MONGODB_URI};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    board::{Board, mongodb_server},
    member::{SECRET, hs256, in_seconds, signed, token},
    socket::PATIENCE,
};

/// Of each function there is one process, so that it is not a new one that knows a new secret.
const ONE_FORGETFUL_PROCESS: [(&str, &str); 2] = [("SecretMaxAgeSeconds", "1"), ("ReservedConcurrency", "1")];
const OTHER: &str = "another secret of at least 32 characters";

/// Asks for the list until the answer has this status: how long a process may use what it has is a matter of its clock.
async fn until(board: &Board, token: &str, wanted: u16) {
    let give_up = Instant::now() + PATIENCE;
    let list = || board.request(Method::GET, "/api/workspaces").bearer_auth(token);
    // Not by `Board::send`: while the process isn't done with the last request, the gateway has an answer of its own.
    while list().send().await.unwrap().status() != wanted {
        assert!(Instant::now() < give_up, "never {wanted}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Asks for the list until the function says `message`: what else it says then, and the answer's status.
async fn until_said(board: &Board, token: &str, message: &str) -> (Value, Value) {
    let give_up = Instant::now() + PATIENCE;
    let mut event: Value =
        serde_json::from_str(include_str!("../../../events/list-workspaces.json")).unwrap();
    event["headers"]["authorization"] = format!("Bearer {token}").into();
    loop {
        let (answer, lines) = board.try_to_listen("ListWorkspacesFunction", &event).await;
        if let Some(line) = lines.into_iter().find(|line| line["message"] == message) {
            return (line, answer.unwrap()["statusCode"].clone());
        }
        assert!(Instant::now() < give_up, "never {message}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_secret_that_is_rotated_is_used_without_a_new_process() {
    let board = Board::guarded_with(&ONE_FORGETFUL_PROCESS).await;
    let alice = token("alice");
    let claims = json!({"sub": "alice", "exp": in_seconds(600)});
    let by_other = signed(&json!({"alg": "HS256", "typ": "JWT"}), &claims, hs256(OTHER.as_bytes()));
    until(&board, &alice, 200).await;
    until(&board, &by_other, 401).await;
    // Both are good...
    board.rotate(AUTH_SECRET, &format!("{SECRET}\n{OTHER}\n"));
    assert_eq!(until_said(&board, &alice, "secrets have changed").await.1, 200);
    until(&board, &by_other, 200).await;
    until(&board, &alice, 200).await;
    // ...and then only the new one.
    board.rotate(AUTH_SECRET, OTHER);
    until_said(&board, &by_other, "secrets have changed").await;
    until(&board, &alice, 401).await;
    until(&board, &by_other, 200).await;
    board.stop().await;
}

#[tokio::test]
async fn a_text_that_cannot_be_used_changes_nothing_where_there_was_a_good_one() {
    let board = Board::guarded_with(&ONE_FORGETFUL_PROCESS).await;
    let alice = token("alice");
    until(&board, &alice, 200).await;
    board.rotate(AUTH_SECRET, "too short");
    let (said, status) = until_said(&board, &alice, "secrets not renewed").await;
    assert_eq!(status, 200);
    assert_eq!(said["error"], "the secret of AUTH_SECRET_ARN must have at least 32 bytes");
    assert!(!said.to_string().contains("too short"));
    board.stop().await;
}

#[tokio::test]
async fn the_database_is_where_the_newest_connection_string_says() {
    let board = Board::start_with_parameters(&ONE_FORGETFUL_PROCESS).await;
    until(&board, "", 200).await;
    board.rotate(MONGODB_URI, "mongodb://127.0.0.1:1/?directConnection=true&serverSelectionTimeoutMS=100");
    until(&board, "", 503).await;
    board.rotate(MONGODB_URI, mongodb_server());
    until(&board, "", 200).await;
    board.stop().await;
}

#[tokio::test]
async fn another_connection_string_takes_over_while_frames_come() {
    // Stands for another user: the same server under another address.
    let board = Board::start_with_parameter("SecretMaxAgeSeconds", "1").await;
    let mut socket = board.connect().await;
    let id = socket.create().await;
    let other = mongodb_server().replace("127.0.0.1", "localhost");
    board.rotate(MONGODB_URI, &other);
    let until = Instant::now() + Duration::from_secs(3);
    let mut last = 0;
    while Instant::now() < until {
        last += 1;
        socket.update(&id, json!({"form_data.motion_prompt": last.to_string()})).await;
    }
    assert_eq!(board.workspace(&id).await["form_data"]["motion_prompt"], last.to_string());
    board.stop().await;
}
