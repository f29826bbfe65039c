//! What a client's page shows, by the contract's rules for receivers (§3).

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

/// The path of a workspace's place on the board, among those of its form.
pub const PLACE: &str = "order_index";

/// The workspaces as a client sees them.
#[derive(Default)]
pub struct View {
    workspaces: HashMap<String, Shown>,
    deleted: HashSet<String>,
    /// How many lists were asked for, and which of them was the newest that came.
    asked: u64,
    loaded: u64,
}

/// One workspace.
#[derive(Default)]
struct Shown {
    /// The newest `updated_at` that was seen.
    updated_at: String,
    paths: HashMap<String, (Value, String)>,
    /// How many lists had been asked for when it was first heard of: only a later one tells that it is gone.
    since: u64,
}

/// A workspace's values by path, of what clients write.
pub type Values = BTreeMap<String, Value>;

/// The values of a workspace in a list.
pub fn values(workspace: &Value) -> Values {
    let mut values = Values::from([(PLACE.to_owned(), workspace[PLACE].clone())]);
    collect("form_data", &workspace["form_data"], &mut values);
    values
}

fn collect(path: &str, value: &Value, values: &mut Values) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                collect(&format!("{path}.{name}"), value, values);
            }
        }
        leaf => drop(values.insert(path.to_owned(), leaf.clone())),
    }
}

impl View {
    /// A list is asked for: which answer it is.
    pub fn ask(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }

    /// The answer to the list that was asked for as the `number`th.
    pub fn load(&mut self, number: u64, list: &[Value]) {
        if number < self.loaded {
            return;
        }
        self.loaded = number;
        let ids: HashSet<&str> = list.iter().filter_map(|workspace| workspace["_id"].as_str()).collect();
        self.workspaces.retain(|id, shown| ids.contains(id.as_str()) || shown.since >= number);
        for workspace in list {
            self.show(workspace);
        }
    }

    /// Shows a workspace, unless it was deleted.
    pub fn show(&mut self, workspace: &Value) {
        let (Some(id), Some(at)) = (workspace["_id"].as_str(), workspace["updated_at"].as_str()) else {
            return;
        };
        if self.deleted.contains(id) {
            return;
        }
        let since = self.asked;
        self.workspaces.entry(id.to_owned()).or_insert_with(|| Shown { since, ..Shown::default() });
        for (path, value) in values(workspace) {
            self.apply(id, &path, value, at);
        }
    }

    /// A value that somebody else wrote, or that this client did and was confirmed, in a workspace that is shown.
    pub fn apply(&mut self, id: &str, path: &str, value: Value, at: &str) {
        let Some(shown) = self.workspaces.get_mut(id) else { return };
        if shown.updated_at.as_str() < at {
            shown.updated_at = at.to_owned();
        }
        let is_newer = shown.paths.get(path).is_none_or(|(_, last)| last.as_str() < at);
        if is_newer {
            shown.paths.insert(path.to_owned(), (value, at.to_owned()));
        }
    }

    /// The workspace is gone for good.
    pub fn delete(&mut self, id: &str) {
        self.deleted.insert(id.to_owned());
        self.workspaces.remove(id);
    }

    /// Something that the server said unasked: `false` where it is about a workspace that isn't known, of which only the list can
    /// say whether it is new or gone.
    pub fn hear(&mut self, kind: &str, data: &Value) -> bool {
        let id = data["workspace_id"].as_str().unwrap_or_default();
        let at = data["updated_at"].as_str().unwrap_or_default();
        match kind {
            "workspace.created" => self.show(&data["workspace"]),
            "workspace.updated" => {
                for (path, value) in data["updates"].as_object().into_iter().flatten() {
                    self.apply(id, path, value.clone(), at);
                }
            }
            "workspace.deleted" => self.delete(id),
            _ => {}
        }
        kind != "workspace.updated" || self.workspaces.contains_key(id) || self.deleted.contains(id)
    }

    /// The `updated_at` of a workspace, as far as is known.
    pub fn updated_at(&self, id: &str) -> Option<&str> {
        self.workspaces.get(id).map(|shown| shown.updated_at.as_str())
    }

    /// The ids of all that is shown, in an order that only they decide.
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.workspaces.keys().cloned().collect();
        ids.sort();
        ids
    }

    /// How it differs from the list, if it does.
    pub fn difference(&self, list: &[Value]) -> Option<String> {
        let listed: BTreeMap<&str, Values> = list
            .iter()
            .filter_map(|workspace| Some((workspace["_id"].as_str()?, values(workspace))))
            .collect();
        let ids = self.ids();
        if let Some(id) = ids.iter().find(|id| !listed.contains_key(id.as_str())) {
            return Some(format!("{id} is shown, and not there"));
        }
        for (id, values) in listed {
            let Some(shown) = self.workspaces.get(id) else {
                return Some(format!("{id} is there, and not shown"));
            };
            // A new order is told without a time: which of two is the newer, only the list says.
            for (path, value) in values.into_iter().filter(|(path, _)| path != PLACE) {
                let found = shown.paths.get(&path).map_or(&Value::Null, |(value, _)| value);
                if *found != value {
                    return Some(format!("{id} {path} is {value}, and {found} is shown"));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn workspace(id: &str, value: &str, at: &str) -> Value {
        json!({"_id": id, "order_index": 1, "form_data": {"a": value, "deep": {"b": 1}}, "updated_at": at})
    }

    #[test]
    fn newer_events_outlive_an_older_list_and_the_deleted_stays_so() {
        let mut view = View::default();
        assert!(
            !view.hear("workspace.updated", &json!({"workspace_id": "w", "updates": {}, "updated_at": "0"}))
        );
        view.hear("workspace.created", &json!({"workspace": workspace("w", "older", "0")}));
        let first = view.ask();
        view.hear(
            "workspace.updated",
            &json!({"workspace_id": "w", "updates": {"form_data.a": "new"}, "updated_at": "2"}),
        );
        view.hear("workspace.deleted", &json!({"workspace_id": "gone"}));
        view.load(first, &[workspace("w", "old", "1"), workspace("gone", "x", "1")]);
        assert_eq!(view.difference(&[workspace("w", "new", "2")]), None);
        assert!(view.difference(&[workspace("w", "other", "3")]).unwrap().contains("form_data.a"));
        assert_eq!((view.ids(), view.updated_at("w")), (vec!["w".to_owned()], Some("2")));
        // What was heard of since that list was asked for is not gone by it.
        view.hear("workspace.created", &json!({"workspace": workspace("late", "x", "5")}));
        view.load(first, &[workspace("w", "old", "1")]);
        assert_eq!(view.ids().len(), 2);
        let second = view.ask();
        view.load(second, &[workspace("w", "old", "1")]);
        assert_eq!(view.ids(), ["w"]);
    }
}
