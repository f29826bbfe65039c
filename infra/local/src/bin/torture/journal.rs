//! What clients did and were told, and when: all that the verdict is based on, and all of it from the wire.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;

use crate::view::PLACE;

/// What a client does, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Create,
    Update,
    /// An update with `client_timestamp`.
    LockedUpdate,
    Delete,
    Reorder,
    /// An update of another owner's workspace.
    Trespass,
    Cancel,
    Ping,
    List,
    Upload,
    Generate,
    Suggest,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The server said that it is stored.
    Acknowledged,
    /// The server said that it is not.
    Refused,
    /// Nobody said anything, for as long as the contract has a client ask. It may be carried out, even later.
    Unknown,
}

/// Something that a client did.
#[derive(Debug)]
pub struct Operation {
    pub kind: Kind,
    pub owner: usize,
    pub client: usize,
    /// By the client's clock.
    pub timestamp: i64,
    /// The workspace that it deletes, cancels or has a video made of.
    pub about: Option<String>,
    /// The vendor's task that it was answered with.
    pub task: Option<String>,
    pub writes: Vec<Write>,
    pub sent: Instant,
    pub end: Option<(End, Instant)>,
    /// Whether somebody else was told of it.
    pub is_told: bool,
}

/// A value that nobody else writes, in one place.
#[derive(Debug, Clone)]
pub struct Write {
    pub workspace: String,
    pub path: String,
    pub value: Value,
}

impl Operation {
    /// Something that begins now.
    pub fn new(kind: Kind, owner: usize, client: usize) -> Self {
        let (writes, sent) = (Vec::new(), Instant::now());
        Self {
            kind,
            owner,
            client,
            timestamp: 0,
            about: None,
            task: None,
            writes,
            sent,
            end: None,
            is_told: false,
        }
    }

    pub fn has_ended(&self, end: End) -> bool {
        self.end.is_some_and(|(found, _)| found == end)
    }

    /// When it was acknowledged.
    pub fn acknowledged(&self) -> Option<Instant> {
        self.end.filter(|(end, _)| *end == End::Acknowledged).map(|(_, at)| at)
    }
}

/// A workspace that somebody was told of.
#[derive(Debug)]
pub struct Known {
    pub owner: usize,
    pub created_by: usize,
    pub place: Value,
}

/// A picture that was acknowledged.
#[derive(Debug)]
pub struct Picture {
    pub owner: usize,
    pub url: String,
    pub bytes: Vec<u8>,
}

/// An exchange with the chat model that was answered.
#[derive(Debug)]
pub struct Suggestion {
    pub workspace: String,
    pub asked: String,
    pub answered: Instant,
}

/// All that is known.
#[derive(Default)]
pub struct Records {
    pub operations: Vec<Operation>,
    /// The operations that wrote a path of a workspace, in the order in which they were sent.
    pub by_path: HashMap<(String, String), Vec<usize>>,
    deletions: HashMap<String, Vec<usize>>,
    pub workspaces: HashMap<String, Known>,
    pub pictures: Vec<Picture>,
    pub suggestions: Vec<Suggestion>,
    /// What was told of a workspace with a certain `updated_at`.
    told: HashMap<(String, String), Value>,
    /// What is wrong, each once.
    pub violations: Vec<String>,
    known_violations: HashSet<String>,
}

/// The journal of a run.
#[derive(Default)]
pub struct Journal(Mutex<Records>);

impl Journal {
    /// What is in it.
    pub fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what is about to be sent: its number.
    pub fn begin(&self, operation: Operation) -> usize {
        self.records().begin(operation)
    }

    /// Notes how it ended.
    pub fn end(&self, number: usize, end: End) {
        self.records().operations[number].end = Some((end, Instant::now()));
    }

    /// Something that must never be.
    pub fn violation(&self, what: impl Into<String>) {
        self.records().violation(what);
    }

    /// Notes what an owner was told unasked.
    pub fn told(&self, owner: usize, data: &Value) {
        let mut records = self.records();
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        let (id, at) = (text("workspace_id"), text("updated_at"));
        let members = |name: &str| data[name].as_object().into_iter().flatten();
        let updates = members("updates").map(|(path, value)| (id.as_str(), path.as_str(), value));
        let places = members("reorder_map").map(|(id, place)| (id.as_str(), PLACE, place));
        for (id, path, value) in updates.chain(places) {
            let key = (id.to_owned(), path.to_owned());
            let mut numbers = records.by_path.get(&key).cloned().unwrap_or_default().into_iter();
            match numbers.find(|number| records.operations[*number].wrote(id, path, value)) {
                Some(number) => records.operations[number].is_told = true,
                None => records
                    .violation(format!("owner {owner} was told what nobody wrote: {id} {path} {value}")),
            }
        }
        let mut about = members("reorder_map").map(|(id, _)| id).chain([&id]);
        let is_foreign = |id: &&String| records.workspaces.get(*id).is_some_and(|known| known.owner != owner);
        if let Some(id) = about.find(is_foreign) {
            let what = format!("owner {owner} was told of another owner's {id}");
            records.violation(what);
        }
        if data["updates"].is_object() {
            let first = records.told.insert((id.clone(), at.clone()), data["updates"].clone());
            if first.is_some_and(|first| first != data["updates"]) {
                records.violation(format!("two changes of {id} have the same updated_at {at}"));
            }
        }
    }

    /// How many operations of each kind there were: sent, acknowledged, refused, unknown.
    pub fn counts(&self) -> BTreeMap<Kind, [usize; 4]> {
        let mut counts = BTreeMap::<Kind, [usize; 4]>::new();
        for operation in &self.records().operations {
            let count = counts.entry(operation.kind).or_default();
            count[0] += 1;
            match operation.end {
                Some((End::Acknowledged, _)) => count[1] += 1,
                Some((End::Refused, _)) => count[2] += 1,
                Some((End::Unknown, _)) | None => count[3] += 1,
            }
        }
        counts
    }
}

impl Operation {
    /// Whether it wrote this value there.
    pub fn wrote(&self, workspace: &str, path: &str, value: &Value) -> bool {
        self.writes
            .iter()
            .any(|write| write.workspace == workspace && write.path == path && write.value == *value)
    }
}

impl Records {
    /// Notes what is about to be sent: its number.
    pub fn begin(&mut self, operation: Operation) -> usize {
        let number = self.operations.len();
        for write in &operation.writes {
            let key = (write.workspace.clone(), write.path.clone());
            self.by_path.entry(key).or_default().push(number);
        }
        if let (Kind::Delete, Some(id)) = (operation.kind, &operation.about) {
            self.deletions.entry(id.clone()).or_default().push(number);
        }
        self.operations.push(operation);
        number
    }

    /// Notes a workspace; `false` where another creation made it.
    pub fn created(&mut self, id: &str, owner: usize, client: usize, place: Value) -> bool {
        let known = Known { owner, created_by: client, place };
        self.workspaces.insert(id.to_owned(), known).is_none()
    }

    /// The deletions of a workspace that were sent: of any, since one whose creation nobody answered can be seen and deleted, too.
    pub fn deletions(&self, id: &str) -> impl Iterator<Item = &Operation> {
        self.deletions.get(id).into_iter().flatten().map(|number| &self.operations[*number])
    }

    /// The writes of an operation after which its client has written nothing else there.
    pub fn newest_writes(&self, number: usize) -> Vec<Write> {
        let operation = &self.operations[number];
        let is_newest = |write: &&Write| {
            let key = (write.workspace.clone(), write.path.clone());
            let mut later =
                self.by_path.get(&key).into_iter().flatten().map(|other| &self.operations[*other]);
            !later.any(|other| other.client == operation.client && other.timestamp > operation.timestamp)
        };
        operation.writes.iter().filter(is_newest).cloned().collect()
    }

    /// Something that must never be, noted once.
    pub fn violation(&mut self, what: impl Into<String>) {
        let what = what.into();
        if self.known_violations.insert(what.clone()) {
            println!("VIOLATION: {what}");
            self.violations.push(what);
        }
    }
}
