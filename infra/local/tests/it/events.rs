//! The events of `infra/events`, which documents and other checks use too, by the Invoke API.

use std::fs;

use reqwest::Method;
use serde_json::{Map, Value};

use crate::board::{Board, project};

/// `list-workspaces` is `ListWorkspacesFunction`.
fn function(binary: &str) -> String {
    let words = binary.split('-').map(|word| word[..1].to_uppercase() + &word[1..]);
    words.chain(["Function".to_owned()]).collect()
}

#[tokio::test]
async fn every_function_answers_its_event() {
    let board = Board::start().await;
    let events = project().join("infra/events");
    let answers: Map<String, Value> =
        serde_json::from_slice(&fs::read(events.join("answers.json")).unwrap()).unwrap();
    assert_eq!(answers.len(), 12);
    for (binary, expected) in answers {
        let event = fs::read(events.join(format!("{binary}.json"))).unwrap();
        let url = format!("{}/2015-03-31/functions/{}/invocations", board.internal_url(), function(&binary));
        let answer: Value =
            board.request(Method::POST, &url).body(event).send().await.unwrap().json().await.unwrap();
        match expected {
            Value::Object(members) => {
                for (name, value) in members {
                    assert_eq!(answer[&name], value, "{binary}: {answer}");
                }
            }
            other => assert_eq!(answer, other, "{binary}"),
        }
    }
    board.stop().await;
}
