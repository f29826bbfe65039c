use serde_json::{Map, Value};

use super::InvalidData;

/// Reads the members of a JSON object by name and type. `null` for an optional member is its absence (contract §6).
#[derive(Clone, Copy)]
pub struct Members<'a>(&'a Map<String, Value>);

impl<'a> Members<'a> {
    /// The members of `value`, which the client knows as `field`.
    pub fn of(value: &'a Value, field: &str) -> Result<Self, InvalidData> {
        value
            .as_object()
            .map(Self)
            .ok_or_else(|| InvalidData::new(field, format!("{field} 必须是 JSON 对象")))
    }

    /// The members of `map`.
    pub fn of_map(map: &'a Map<String, Value>) -> Self {
        Self(map)
    }

    fn optional<T>(
        self,
        name: &str,
        kind: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, InvalidData> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match read(value) {
                Some(read) => Ok(Some(read)),
                None => Err(InvalidData::new(name, format!("{name} 必须是{kind}"))),
            },
        }
    }

    /// A string that may be missing.
    pub fn optional_str(self, name: &str) -> Result<Option<&'a str>, InvalidData> {
        self.optional(name, "字符串", Value::as_str)
    }

    /// A string.
    pub fn str(self, name: &str) -> Result<&'a str, InvalidData> {
        self.optional_str(name)?.ok_or_else(|| missing(name))
    }

    /// A whole number that may be missing.
    pub fn optional_integer(self, name: &str) -> Result<Option<i64>, InvalidData> {
        self.optional(name, "整数", Value::as_i64)
    }

    /// A whole number.
    pub fn integer(self, name: &str) -> Result<i64, InvalidData> {
        self.optional_integer(name)?.ok_or_else(|| missing(name))
    }

    /// An object that may be missing.
    pub fn optional_object(self, name: &str) -> Result<Option<&'a Map<String, Value>>, InvalidData> {
        self.optional(name, " JSON 对象", Value::as_object)
    }

    /// An object.
    pub fn object(self, name: &str) -> Result<&'a Map<String, Value>, InvalidData> {
        self.optional_object(name)?.ok_or_else(|| missing(name))
    }

    /// The members of an object that may be missing.
    pub fn optional_members(self, name: &str) -> Result<Option<Members<'a>>, InvalidData> {
        Ok(self.optional_object(name)?.map(Members))
    }
}

fn missing(name: &str) -> InvalidData {
    InvalidData::new(name, format!("缺少 {name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_is_absence_and_a_wrong_type_names_the_field() {
        let body = json!({"a": null, "b": 1, "c": "x", "d": 1.5});
        let members = Members::of(&body, "body").unwrap();
        assert_eq!(members.optional_str("a"), Ok(None));
        assert_eq!(members.str("a").unwrap_err().field, "a");
        assert_eq!(members.optional_str("b").unwrap_err().field, "b");
        assert_eq!(members.integer("b"), Ok(1));
        assert_eq!(members.str("c"), Ok("x"));
        assert_eq!(members.integer("d").unwrap_err().field, "d");
        assert!(Members::of(&json!([1]), "body").is_err());
    }
}
