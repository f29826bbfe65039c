//! Small histories, each right or wrong in one way.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::journal::{Known, Write};

const PATH: &str = "form_data.note";

/// What happened, second by second.
struct History {
    start: Instant,
    records: Records,
}

impl History {
    /// One workspace, `w`, of owner 0.
    fn new() -> Self {
        let mut records = Records::default();
        let known = Known { owner: 0, created_by: 0, place: json!(7) };
        records.workspaces.insert("w".to_owned(), known);
        Self { start: Instant::now(), records }
    }

    fn at(&self, second: u64) -> Instant {
        self.start + Duration::from_secs(second)
    }

    /// A client writes a value, and it ends so; by the client's clock at its own second.
    fn wrote(&mut self, client: usize, value: &str, sent: u64, end: Option<(End, u64)>) -> &mut Self {
        let write = Write { workspace: "w".to_owned(), path: PATH.to_owned(), value: json!(value) };
        let operation = Operation {
            timestamp: i64::try_from(sent).unwrap(),
            writes: vec![write],
            sent: self.at(sent),
            end: end.map(|(end, second)| (end, self.at(second))),
            ..Operation::new(Kind::Update, 0, client)
        };
        self.records.begin(operation);
        self
    }

    fn operation(&mut self, kind: Kind, sent: u64, end: (End, u64), task: Option<&str>) -> &mut Self {
        self.records.begin(Operation {
            about: Some("w".to_owned()),
            task: task.map(str::to_owned),
            sent: self.at(sent),
            end: Some((end.0, self.at(end.1))),
            ..Operation::new(kind, 0, 0)
        });
        self
    }

    fn check(&self, list: &[Value]) -> Vec<String> {
        check(&self.records, 0, list, self.at(100))
    }

    /// What is wrong where the list shows this value.
    fn shows(&self, value: Option<&str>) -> Vec<String> {
        let mut form = json!({"motion_prompt": ""});
        if let Some(value) = value {
            form["note"] = json!(value);
        }
        self.check(&[json!({"_id": "w", "order_index": 7, "form_data": form})])
    }

    fn shows_task(&self, task: Value) -> Vec<String> {
        self.check(&[json!({"_id": "w", "order_index": 7, "form_data": {}, "video": {"task_id": task}})])
    }
}

#[track_caller]
fn assert_one(wrong: &[String], about: &str) {
    assert!(wrong.len() == 1 && wrong[0].contains(about), "{wrong:?}");
}

const ACKNOWLEDGED: End = End::Acknowledged;

#[test]
fn what_was_acknowledged_last_is_there() {
    let mut history = History::new();
    assert_eq!(history.shows(None), Vec::<String>::new());
    history.wrote(1, "a", 1, Some((ACKNOWLEDGED, 2)));
    assert!(history.shows(Some("a")).is_empty());
    assert_one(&history.shows(None), "an acknowledged write is lost");
    assert_one(&history.shows(Some("x")), "nobody wrote");
    // Of one client the newest, even if it was sent before the older was acknowledged.
    history.wrote(1, "b", 2, Some((ACKNOWLEDGED, 3)));
    assert!(history.shows(Some("b")).is_empty());
    assert_one(&history.shows(Some("a")), "client 1 wrote something newer");
    // Of two clients, whose frames overlapped, either.
    history.wrote(2, "c", 2, Some((ACKNOWLEDGED, 5)));
    assert!(history.shows(Some("b")).is_empty() && history.shows(Some("c")).is_empty());
    history.wrote(3, "d", 6, Some((ACKNOWLEDGED, 7)));
    assert!(history.shows(Some("d")).is_empty());
    for old in ["b", "c"] {
        assert_one(&history.shows(Some(old)), "over an acknowledged write of client 3");
    }
}

#[test]
fn what_nobody_answered_may_be_there_and_what_was_refused_may_not() {
    let mut history = History::new();
    history.wrote(1, "a", 1, Some((ACKNOWLEDGED, 2)));
    history.wrote(2, "b", 3, Some((End::Unknown, 20))).wrote(3, "c", 4, None);
    history.wrote(4, "d", 5, Some((End::Refused, 6)));
    for value in ["a", "b", "c"] {
        assert!(history.shows(Some(value)).is_empty(), "{value}");
    }
    assert_one(&history.shows(Some("d")), "was refused, and is there");
    history.records.operations[3].is_told = true;
    assert_one(&told_and_refused(&history.records), "told to others");
}

#[test]
fn what_was_created_is_there_once_and_what_was_deleted_is_not() {
    let mut history = History::new();
    assert_one(&history.check(&[]), "was created, and is lost");
    let workspace = json!({"_id": "w", "order_index": 7, "form_data": {}});
    assert_one(&history.check(&[workspace.clone(), workspace.clone()]), "twice");
    let other = json!({"_id": "v", "order_index": 8, "form_data": {}});
    assert_one(&history.check(&[workspace.clone(), other.clone()]), "1 workspaces of 0 creations");
    history.operation(Kind::Create, 1, (End::Unknown, 20), None);
    assert!(history.check(&[workspace.clone(), other]).is_empty());
    assert_one(
        &check(&history.records, 1, std::slice::from_ref(&workspace), history.at(100)),
        "is owner 0's",
    );
    history.operation(Kind::Delete, 30, (End::Unknown, 50), None);
    assert!(history.check(&[]).is_empty() && history.check(std::slice::from_ref(&workspace)).is_empty());
    history.operation(Kind::Delete, 51, (ACKNOWLEDGED, 52), None);
    assert_one(&history.check(&[workspace]), "was deleted, and is there");
}

#[test]
fn the_video_is_the_one_that_was_ordered_last() {
    let mut history = History::new();
    history.operation(Kind::Generate, 1, (ACKNOWLEDGED, 2), Some("one"));
    history.operation(Kind::Cancel, 3, (ACKNOWLEDGED, 4), None);
    assert!(history.shows_task(Value::Null).is_empty());
    history.operation(Kind::Generate, 5, (ACKNOWLEDGED, 6), Some("two"));
    assert!(history.shows_task(json!("two")).is_empty());
    assert_one(&history.shows_task(json!("one")), "two was ordered last");
    assert_one(&history.shows_task(Value::Null), "two was ordered last");
    // One whose end nobody knows may come late.
    history.operation(Kind::Generate, 1, (End::Unknown, 40), None);
    assert!(history.shows_task(json!("one")).is_empty());
}

#[test]
fn an_answered_suggestion_is_there_and_a_task_is_paid_once() {
    let mut history = History::new();
    let (workspace, asked) = ("w".to_owned(), "brighter".to_owned());
    history.records.suggestions.push(Suggestion { workspace, asked, answered: history.at(1) });
    let shows = |entries: Value| {
        history.check(&[json!({"_id": "w", "order_index": 7, "form_data": {}, "ai_collaboration": entries})])
    };
    assert!(shows(json!([{"user_input": "brighter"}])).is_empty());
    assert_one(&shows(json!([])), "brighter is lost");
    let task = |prompt: &str| json!({"prompt": prompt});
    assert!(paid_twice(&[task("order-1 #fail"), task("order-2")]).is_empty());
    assert_one(
        &paid_twice(&[task("推进 order-1 x"), task("order-2"), task("order-1")]),
        "order-1 has 2 tasks",
    );
}
