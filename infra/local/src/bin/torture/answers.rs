//! What a client makes of what it is told, and what it must never be told.

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{Client, Done, PAUSE, Pending};
use crate::journal::{End, Kind};
use crate::view::PLACE;

impl Client {
    /// Takes what a request by REST led to.
    pub fn finish(&mut self, done: Done) {
        match done {
            Done::Listed(number, list) => {
                self.check_marks(&Value::Array(list.clone()).to_string());
                self.view.load(number, &list);
            }
            Done::Generated(workspace, picture) => {
                self.reserved.retain(|reserved| *reserved != workspace);
                self.ordered.insert(workspace, Instant::now());
                self.picture = picture.or(self.picture.take());
            }
            Done::Nothing => {}
        }
    }

    /// That nothing of another owner is in it.
    fn check_marks(&self, text: &str) {
        let mut marks = text.match_indices("owner-").map(|(at, _)| &text[at..]);
        if marks.any(|mark| !mark.starts_with(&self.mark)) {
            self.journal.violation(format!("owner {} was shown something of another owner", self.owner));
        }
    }

    /// Takes a frame of the server's.
    pub fn receive(&mut self, text: &str) {
        self.check_marks(text);
        let Ok(frame) = serde_json::from_str::<Value>(text) else {
            return self.journal.violation(format!("a frame that is no JSON: {text}"));
        };
        let data = &frame["data"];
        match (frame["request_id"].as_str(), frame["type"].as_str()) {
            (Some(request), Some(kind)) => self.answer(request, kind, data),
            (None, Some(kind)) => {
                self.journal.told(self.owner, data);
                if !self.view.hear(kind, data) && self.lists.is_empty() {
                    self.load();
                }
            }
            // The gateway's own error doesn't say of which frame it is: that is sent again when its time has come.
            (_, None) => {}
        }
    }

    fn answer(&mut self, request: &str, kind: &str, data: &Value) {
        let code = data["code"].as_str().filter(|_| kind == "error");
        if matches!(code, Some("DB_ERROR" | "THIRD_PARTY_ERROR" | "RATE_LIMITED" | "UNAUTHORIZED")) {
            if let Some(pending) = self.pending.get_mut(request) {
                pending.again = Instant::now() + PAUSE;
            }
            // Nobody knows any more whose the connection is: another one will say it.
            if code == Some("UNAUTHORIZED") {
                self.socket = None;
            }
            return;
        }
        let told = json!([kind, data]);
        let Some(pending) = self.pending.remove(request) else {
            // The answer to a repeat.
            if self.answered.get(request).is_some_and(|first| !is_same(first, &told)) {
                let first = &self.answered[request];
                self.journal.violation(format!("{request} was answered {first}, and then {told}"));
            }
            return;
        };
        self.answered.insert(request.to_owned(), told);
        match code {
            Some(code) => self.refused(&pending, code, data),
            None => self.acknowledged(&pending, data),
        }
    }

    fn refused(&mut self, pending: &Pending, code: &str, data: &Value) {
        self.settle(pending, End::Refused);
        let records = self.journal.records();
        let may_be_gone =
            |id: &str| !records.workspaces.contains_key(id) || records.deletions(id).next().is_some();
        let operation = &records.operations[pending.operation];
        let mut about = operation.writes.iter().map(|write| write.workspace.as_str());
        let is_expected = match (pending.kind, code) {
            (Kind::Trespass, "WORKSPACE_NOT_FOUND")
            | (Kind::LockedUpdate, "CONFLICT")
            | (Kind::Cancel, _) => true,
            (Kind::Delete, "WORKSPACE_NOT_FOUND") => {
                pending.workspace.as_deref().is_some_and(|id| records.deletions(id).nth(1).is_some())
            }
            (_, "WORKSPACE_NOT_FOUND") => about.any(may_be_gone),
            _ => false,
        };
        drop(records);
        if !is_expected {
            self.journal.violation(format!("a good frame was refused: {} → {data}", pending.text));
        }
        if matches!(code, "CONFLICT" | "WORKSPACE_NOT_FOUND") {
            self.load();
        }
    }

    fn acknowledged(&mut self, pending: &Pending, data: &Value) {
        self.settle(pending, End::Acknowledged);
        let text = |name: &str| data[name].as_str().unwrap_or_default();
        let id = text("workspace_id");
        let mut records = self.journal.records();
        match pending.kind {
            Kind::Create => {
                let created = records.created(id, self.owner, self.number, data[PLACE].clone());
                if !created {
                    records.violation(format!("two creations were answered with {id}"));
                }
                drop(records);
                let form_data =
                    json!({"camera_movement": "", "shot_type": "", "lighting": "", "motion_prompt": ""});
                let created = json!({
                    "_id": id, PLACE: data[PLACE], "form_data": form_data, "updated_at": data["created_at"],
                });
                self.view.show(&created);
                // To a repeat this is said even of one that was deleted since.
                if pending.is_repeated() {
                    self.load();
                }
            }
            Kind::Update | Kind::LockedUpdate => {
                for write in records.newest_writes(pending.operation) {
                    self.view.apply(id, &write.path, write.value.clone(), text("updated_at"));
                }
            }
            Kind::Delete => self.view.delete(id),
            // They want another one at once, while the vendor may still be at the last.
            Kind::Cancel if !self.reserved.iter().any(|reserved| reserved == id) => {
                drop(records);
                self.generate_again(id.to_owned());
            }
            Kind::Trespass => {
                records.violation(format!("another owner's workspace was written: {}", pending.text))
            }
            _ => {}
        }
    }
}

/// Whether two answers to the same request say the same. (What has conflicted once may conflict with something newer then.)
fn is_same(first: &Value, second: &Value) -> bool {
    first == second || first[0] == "error" && second[0] == "error" && first[1]["code"] == second[1]["code"]
}
