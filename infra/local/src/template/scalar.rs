//! CloudFormation doesn't mind whether a scalar is written as text, number or boolean: `Timeout: 28`, `"28"` and a `!Ref` to a
//! parameter are the same. These helpers read all of them.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A scalar, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Number(number) => Ok(Self(number.to_string())),
            Value::Bool(value) => Ok(Self(value.to_string())),
            other => Err(D::Error::custom(format!("{other} is no text, number or boolean"))),
        }
    }
}

/// `#[serde(with = "scalar::option")]`: anything that can be read from text.
pub mod option {
    use super::*;

    /// Reads the scalar.
    pub fn deserialize<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr<Err: Display>,
    {
        let Some(Text(text)) = Option::<Text>::deserialize(deserializer)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error| D::Error::custom(format!("\"{text}\": {error}")))
    }
}
