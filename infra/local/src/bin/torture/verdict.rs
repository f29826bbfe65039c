//! Whether everything is as the contract promises, from what was acknowledged and what the list shows once all is quiet.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use serde_json::Value;

use crate::journal::{End, Kind, Operation, Records, Suggestion};
use crate::view::{PLACE, values};

/// How many exchanges with the chat model are kept (contract §2).
const EXCHANGES: usize = 50;

/// What is wrong with the board of `owner`, which was `list` when it was asked for at `asked`. No frame was under way then.
pub fn check(records: &Records, owner: usize, list: &[Value], asked: Instant) -> Vec<String> {
    let mut wrong = workspaces(records, owner, list);
    for workspace in list {
        let id = workspace["_id"].as_str().unwrap_or_default();
        let Some(known) = records.workspaces.get(id) else { continue };
        let shown = values(workspace);
        for (path, value) in &shown {
            let numbers = records.by_path.get(&(id.to_owned(), path.clone()));
            let operations: Vec<_> =
                numbers.into_iter().flatten().map(|number| &records.operations[*number]).collect();
            let is_first = if path == PLACE { *value == known.place } else { value == "" };
            if let Some(what) = written(&operations, id, path, value, is_first) {
                wrong.push(format!("{id} {path}: {what}"));
            }
        }
        // What was acknowledged, of which nothing at all is left.
        for ((_, path), numbers) in records.by_path.iter().filter(|((other, _), _)| other == id) {
            let is_acknowledged = |number: &usize| records.operations[*number].acknowledged().is_some();
            if !shown.contains_key(path) && numbers.iter().any(is_acknowledged) {
                wrong.push(format!("{id} {path}: an acknowledged write is lost"));
            }
        }
        wrong.extend(suggestions(records, workspace, asked));
        wrong.extend(newest_task(records, workspace, asked));
    }
    wrong
}

/// What was told to somebody although it was refused.
pub fn told_and_refused(records: &Records) -> Vec<String> {
    let is_wrong = |operation: &&Operation| operation.is_told && operation.has_ended(End::Refused);
    let refused = records.operations.iter().filter(is_wrong);
    refused.map(|operation| format!("refused, but told to others: {:?}", operation.writes)).collect()
}

/// Each that was created once and not deleted is there once, and no other.
fn workspaces(records: &Records, owner: usize, list: &[Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    let is_deleted = |id: &str| records.deletions(id).any(|deletion| deletion.acknowledged().is_some());
    let mut listed = HashSet::new();
    let mut unknown = 0;
    for workspace in list {
        let id = workspace["_id"].as_str().unwrap_or_default();
        if !listed.insert(id) {
            wrong.push(format!("{id} is in the list twice"));
        }
        match records.workspaces.get(id) {
            None => unknown += 1,
            Some(known) if known.owner != owner => {
                wrong.push(format!("{id} is owner {}'s, and owner {owner} sees it", known.owner));
            }
            Some(_) if is_deleted(id) => wrong.push(format!("{id} was deleted, and is there")),
            Some(_) => {}
        }
    }
    let is_creation = |operation: &&Operation| {
        operation.kind == Kind::Create && operation.owner == owner && operation.has_ended(End::Unknown)
    };
    let open = records.operations.iter().filter(is_creation).count();
    if unknown > open {
        wrong
            .push(format!("owner {owner} has {unknown} workspaces of {open} creations that nobody answered"));
    }
    for (id, known) in &records.workspaces {
        if known.owner == owner && records.deletions(id).next().is_none() && !listed.contains(id.as_str()) {
            wrong.push(format!("{id} was created, and is lost"));
        }
    }
    wrong
}

/// Whether `value` may be where these operations wrote; `is_first`: it is what was there before all of them.
fn written(operations: &[&Operation], id: &str, path: &str, value: &Value, is_first: bool) -> Option<String> {
    let acknowledged =
        || operations.iter().filter_map(|operation| Some((operation, operation.acknowledged()?)));
    let Some(writer) = operations.iter().find(|operation| operation.wrote(id, path, value)) else {
        return match acknowledged().next() {
            Some(_) if is_first => Some("all acknowledged writes are lost".to_owned()),
            None if is_first => None,
            _ => Some(format!("nobody wrote {value}")),
        };
    };
    if writer.has_ended(End::Refused) {
        return Some(format!("{value} was refused, and is there"));
    }
    for (later, _) in acknowledged() {
        if later.client == writer.client && later.timestamp > writer.timestamp {
            return Some(format!(
                "client {} wrote something newer than {value}, which was acknowledged and is lost",
                writer.client
            ));
        }
        let is_after = writer.acknowledged().is_some_and(|stored| later.sent > stored);
        if later.client != writer.client && is_after {
            return Some(format!(
                "{value} of client {} is there, over an acknowledged write of client {} that came later",
                writer.client, later.client
            ));
        }
    }
    None
}

fn suggestions(records: &Records, workspace: &Value, listed: Instant) -> Vec<String> {
    let id = workspace["_id"].as_str().unwrap_or_default();
    let entries = workspace["ai_collaboration"].as_array().map_or(&[][..], Vec::as_slice);
    let found: HashSet<_> = entries.iter().filter_map(|entry| entry["user_input"].as_str()).collect();
    let is_lost = |suggestion: &&Suggestion| {
        suggestion.workspace == id
            && suggestion.answered < listed
            && entries.len() < EXCHANGES
            && !found.contains(suggestion.asked.as_str())
    };
    let lost = records.suggestions.iter().filter(is_lost);
    lost.map(|suggestion| format!("{id}: the answered suggestion {} is lost", suggestion.asked)).collect()
}

/// That the video is the one that was ordered last, where it is known which that is.
fn newest_task(records: &Records, workspace: &Value, listed: Instant) -> Option<String> {
    let id = workspace["_id"].as_str()?;
    let about = |kind: Kind| {
        records.operations.iter().filter(move |op| op.kind == kind && op.about.as_deref() == Some(id))
    };
    let newest = about(Kind::Generate).max_by_key(|order| order.sent)?;
    let is_settled = about(Kind::Generate).all(|order| {
        order
            .end
            .is_some_and(|(end, at)| end != End::Unknown && (std::ptr::eq(order, newest) || at < newest.sent))
    });
    let (task, answered) = (newest.task.as_deref()?, newest.acknowledged()?);
    let shown = workspace["video"]["task_id"].as_str();
    let is_cancelled = about(Kind::Cancel)
        .any(|cancel| cancel.end.is_none_or(|(end, at)| end == End::Unknown || at > newest.sent));
    let is_right = shown == Some(task) || shown.is_none() && is_cancelled;
    (is_settled && answered < listed && !is_right)
        .then(|| format!("{id} shows the task {shown:?}, and {task} was ordered last"))
}

/// What was paid for more than once, of the tasks that the vendor has accepted.
pub fn paid_twice(tasks: &[Value]) -> Vec<String> {
    let mut paid = HashMap::<&str, usize>::new();
    for task in tasks {
        let prompt = task["prompt"].as_str().unwrap_or_default();
        let token = prompt.split_whitespace().find(|word| word.starts_with("order-"));
        *paid.entry(token.unwrap_or(prompt)).or_default() += 1;
    }
    let twice = paid.into_iter().filter(|(_, times)| *times > 1);
    twice.map(|(token, times)| format!("{token} has {times} tasks at the vendor")).collect()
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
