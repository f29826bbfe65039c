//! The members of a request, checked strictly: what a vendor doesn't know, or knows as something else, is refused. A
//! `null` is a wrong type too: what isn't wanted is to be left out.

use serde_json::{Map, Value};

use super::steering::Trouble;

/// What a member must be, if it is there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// A text of at most so many characters.
    Text(usize),
    /// A text that isn't blank.
    Filled,
    Flag,
    Whole(i64, i64),
    Number(f64, f64),
    OneOf(&'static [&'static str]),
    List,
    /// Looked at elsewhere.
    Any,
}

/// All members that there may be.
pub(super) type Rules = [(&'static str, Rule)];

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw {
    pub field: String,
    pub reason: String,
}

impl Flaw {
    pub(super) fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }

    /// As an error of the vendor's.
    pub(super) fn as_trouble(&self, code: &str) -> Trouble {
        Trouble::with(code, format!("{}: {}", self.field, self.reason))
    }
}

impl Rule {
    fn objection(self, value: &Value) -> Option<String> {
        let (is_good, wanted) = match self {
            Self::Text(most) => {
                let is_good = value.as_str().is_some_and(|text| text.chars().count() <= most);
                (is_good, format!("a string of at most {most} characters"))
            }
            Self::Filled => (
                value.as_str().is_some_and(|text| !text.trim().is_empty()),
                "a string that is not blank".into(),
            ),
            Self::Flag => (value.is_boolean(), "a boolean".into()),
            Self::Whole(least, most) => {
                let is_good = value.as_i64().is_some_and(|number| (least..=most).contains(&number));
                (is_good, format!("an integer from {least} to {most}"))
            }
            Self::Number(least, most) => {
                let is_good = value.as_f64().is_some_and(|number| (least..=most).contains(&number));
                (is_good, format!("a number from {least} to {most}"))
            }
            Self::OneOf(values) => {
                let is_good = value.as_str().is_some_and(|text| values.contains(&text));
                (is_good, format!("one of {}", values.join(", ")))
            }
            Self::List => (value.is_array(), "an array".into()),
            Self::Any => (true, String::new()),
        };
        (!is_good).then(|| format!("it must be {wanted}"))
    }
}

/// The members of the object at `path` (empty: the whole request), all of which are known and right.
pub(super) fn check<'a>(path: &str, value: &'a Value, rules: &Rules) -> Result<&'a Map<String, Value>, Flaw> {
    let Some(object) = value.as_object() else {
        let path = if path.is_empty() { "body" } else { path };
        return Err(Flaw::new(path, "it must be an object"));
    };
    for (name, value) in object {
        let field = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let Some((_, rule)) = rules.iter().find(|(known, _)| known == name) else {
            return Err(Flaw::new(field, "there is no such field"));
        };
        if let Some(reason) = rule.objection(value) {
            return Err(Flaw::new(field, reason));
        }
    }
    Ok(object)
}

/// A member that must be there.
pub(super) fn required<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a Value, Flaw> {
    object.get(name).ok_or_else(|| Flaw::new(name, "it is required"))
}

/// The text of a member that may be missing.
pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_unknown_or_of_another_type_is_refused() {
        let rules = [
            ("text", Rule::Text(2)),
            ("name", Rule::Filled),
            ("flag", Rule::Flag),
            ("whole", Rule::Whole(-1, 3)),
            ("number", Rule::Number(0.0, 1.0)),
            ("one", Rule::OneOf(&["a", "b"])),
            ("list", Rule::List),
        ];
        let good = json!({"text": "推进", "name": "x", "flag": false, "whole": 3, "number": 0.5, "one": "b", "list": []});
        assert!(check("", &good, &rules).is_ok());
        for (name, bad) in [
            ("text", json!("abc")),
            ("text", json!(null)),
            ("name", json!(" ")),
            ("flag", json!("true")),
            ("whole", json!(3.0)),
            ("whole", json!(4)),
            ("whole", json!("3")),
            ("number", json!(1.5)),
            ("one", json!("c")),
            ("list", json!({})),
            ("more", json!(1)),
        ] {
            let mut object = good.clone();
            object[name] = bad;
            assert_eq!(check("at", &object, &rules).unwrap_err().field, format!("at.{name}"));
        }
        assert_eq!(check("", &json!([]), &rules).unwrap_err().field, "body");
    }
}
