//! Where in a state's data a value is read, and where a result is put.

use serde::Deserialize;
use serde_json::{Map, Value};
use serde_json_path::JsonPath;

/// Names in a `ResultPath`: data that nests too deeply overflows the stack of whoever walks over it.
const MAX_NAMES: usize = 32;

/// A JSONPath to one value, such as `$.poll.status`. Paths that can select several values are not supported.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Path {
    text: String,
    path: JsonPath,
}

impl Path {
    /// The value, if it is there.
    pub(super) fn find<'a>(&self, data: &'a Value) -> Option<&'a Value> {
        self.path.query(data).at_most_one().ok().flatten()
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for Path {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // `$$` is the context object; the others select any number of values.
        if text.starts_with("$$") || text.contains("..") || text.contains(['*', '?', ':', ',', '@']) {
            return Err(format!(
                "the path {text:?} is not supported, only one to a single value of the state's input is"
            ));
        }
        match JsonPath::parse(&text) {
            Ok(path) => Ok(Self { text, path }),
            Err(error) => Err(format!("{text:?} is not a JSONPath: {error}")),
        }
    }
}

/// `ResultPath`: what becomes of a result.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(try_from = "Option<String>")]
pub(super) enum ResultPath {
    /// `null`: the state's input is its output.
    Discard,
    /// `$`, the default: the result is the output.
    #[default]
    Replace,
    /// `$.a.b`: the result is put into the input, at these names.
    Insert { parents: Vec<String>, last: String },
}

impl TryFrom<Option<String>> for ResultPath {
    type Error = String;

    fn try_from(text: Option<String>) -> Result<Self, String> {
        let Some(text) = text else { return Ok(Self::Discard) };
        if text == "$" {
            return Ok(Self::Replace);
        }
        let is_name = |name: &str| {
            !name.is_empty()
                && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
        };
        let is_path = |names: &&str| names.split('.').count() <= MAX_NAMES && names.split('.').all(is_name);
        let mut names: Vec<String> = match text.strip_prefix("$.").filter(is_path) {
            Some(names) => names.split('.').map(str::to_owned).collect(),
            None => {
                return Err(format!("the ResultPath {text:?} is not supported, only null, $ and $.name are"));
            }
        };
        match names.pop() {
            Some(last) => Ok(Self::Insert { parents: names, last }),
            None => Ok(Self::Replace),
        }
    }
}

impl ResultPath {
    /// The state's output, or nothing where the input has no place for the result (`States.ResultPathMatchFailure`).
    pub(super) fn apply(&self, mut input: Value, result: Value) -> Option<Value> {
        match self {
            Self::Discard => Some(input),
            Self::Replace => Some(result),
            Self::Insert { parents, last } => {
                let mut place = input.as_object_mut()?;
                for name in parents {
                    let child = place.entry(name.as_str()).or_insert_with(|| Value::Object(Map::new()));
                    place = child.as_object_mut()?;
                }
                place.insert(last.clone(), result);
                Some(input)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(text: &str) -> Result<Path, String> {
        Path::try_from(text.to_owned())
    }

    #[test]
    fn finds_one_value() {
        let data = json!({"a": {"b": [1, {"c d": null}]}});
        assert_eq!(parse("$").unwrap().find(&data), Some(&data));
        assert_eq!(parse("$.a.b[0]").unwrap().find(&data), Some(&json!(1)));
        assert_eq!(parse("$.a.b[1]['c d']").unwrap().find(&data), Some(&Value::Null));
        assert_eq!(parse("$.a.x.y").unwrap().find(&data), None);
        for refused in
            ["$$.Execution.Name", "$..a", "$.a[*]", "$.a[0:1]", "$.a['b','c']", "a.b", "$.", "States.UUID()"]
        {
            assert!(parse(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn puts_a_result_in_its_place() {
        let apply = |path: Option<&str>, input: Value| {
            let path = ResultPath::try_from(path.map(str::to_owned)).unwrap();
            path.apply(input, json!("new"))
        };
        assert_eq!(apply(None, json!({"a": 1})), Some(json!({"a": 1})));
        assert_eq!(apply(Some("$"), json!({"a": 1})), Some(json!("new")));
        assert_eq!(apply(Some("$.a"), json!({"a": 1, "b": 2})), Some(json!({"a": "new", "b": 2})));
        assert_eq!(apply(Some("$.x.y"), json!({"a": 1})), Some(json!({"a": 1, "x": {"y": "new"}})));
        assert_eq!(apply(Some("$.a.b"), json!({"a": 1})), None);
        assert_eq!(apply(Some("$.a"), json!([1])), None);
        let deep = format!("${}", ".a".repeat(100_000));
        for refused in ["", "a", "$.a[0]", "$.", "$.a..b", "$['a']", &deep] {
            assert!(ResultPath::try_from(Some(refused.to_owned())).is_err(), "{refused}");
        }
    }
}
