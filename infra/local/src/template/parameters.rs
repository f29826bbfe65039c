//! The template's parameters and the rules that a value must pass.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html>

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use regex::Regex;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::scalar;

/// One entry of `Parameters:`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Parameter {
    #[serde(rename = "Type")]
    kind: Kind,
    #[serde(default, with = "scalar::option")]
    pub(super) default: Option<String>,
    allowed_pattern: Option<String>,
    #[serde(default)]
    allowed_values: Vec<scalar::Text>,
    min_value: Option<f64>,
    max_value: Option<f64>,
    min_length: Option<usize>,
    max_length: Option<usize>,
    constraint_description: Option<String>,
    #[serde(default)]
    no_echo: bool,
    #[serde(default, rename = "Description")]
    _description: Option<IgnoredAny>,
}

/// The types of parameter that the local stack knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Kind {
    String,
    Number,
    CommaDelimitedList,
}

impl Parameter {
    /// What `!Ref` of this parameter stands for if it is given `text`, or the sentence that says why it cannot be.
    fn accept(&self, name: &str, text: &str) -> Result<Value> {
        if let Some(reason) = self.objection(text)? {
            let shown = if self.no_echo { "the value".to_owned() } else { format!("\"{text}\"") };
            let reason = self.constraint_description.clone().unwrap_or(reason);
            bail!("{shown} is not allowed for the parameter {name}: {reason}");
        }
        Ok(match self.kind {
            Kind::String | Kind::Number => json!(text),
            Kind::CommaDelimitedList => text.split(',').map(|item| json!(item.trim())).collect(),
        })
    }

    fn objection(&self, text: &str) -> Result<Option<String>> {
        if self.kind == Kind::Number {
            let Ok(number) = text.parse::<f64>() else { return Ok(Some("it is not a number".to_owned())) };
            if self.min_value.is_some_and(|least| number < least)
                || self.max_value.is_some_and(|most| number > most)
            {
                return Ok(Some("it is out of range".to_owned()));
            }
        }
        let length = text.chars().count();
        if self.min_length.is_some_and(|least| length < least)
            || self.max_length.is_some_and(|most| length > most)
        {
            return Ok(Some("its length is out of range".to_owned()));
        }
        if !self.allowed_values.is_empty() && !self.allowed_values.iter().any(|allowed| allowed.0 == text) {
            let allowed: Vec<_> = self.allowed_values.iter().map(|allowed| allowed.0.as_str()).collect();
            return Ok(Some(format!("it must be one of {}", allowed.join(", "))));
        }
        if let Some(pattern) = &self.allowed_pattern {
            // CloudFormation matches the whole value.
            let regex = Regex::new(&format!("^(?:{pattern})$"))
                .with_context(|| format!("the AllowedPattern {pattern} is not a regular expression"))?;
            if !regex.is_match(text) {
                return Ok(Some(format!("it does not match {pattern}")));
            }
        }
        Ok(None)
    }
}

/// Checks `given` against `declared`, and the defaults too. A parameter with neither is left out: who resolves the
/// template says so, because by then the local stack may have filled it in.
pub fn check(
    declared: &BTreeMap<String, Parameter>,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Value>> {
    if let Some(unknown) = given.keys().find(|name| !declared.contains_key(*name)) {
        let known: Vec<_> = declared.keys().map(String::as_str).collect();
        bail!("there is no parameter {unknown} in the template, only {}", known.join(", "));
    }
    let mut values = BTreeMap::new();
    for (name, parameter) in declared {
        if let Some(text) = given.get(name).or(parameter.default.as_ref()) {
            values.insert(name.clone(), parameter.accept(name, text)?);
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared() -> BTreeMap<String, Parameter> {
        serde_json::from_value(json!({
            "Origins": {"Type": "CommaDelimitedList", "Default": "*"},
            "Uri": {"Type": "String", "NoEcho": true, "AllowedPattern": "mongodb://.+", "ConstraintDescription": "a URI"},
            "Seconds": {"Type": "Number", "Default": 5, "MinValue": 1, "MaxValue": 60},
            "Colour": {"Type": "String", "Default": "red", "AllowedValues": ["red", "blue"]},
        }))
        .unwrap()
    }

    fn given(name: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn defaults_and_lists() {
        let values = check(&declared(), &given("Origins", "https://a, https://b")).unwrap();
        assert_eq!(values["Origins"], json!(["https://a", "https://b"]));
        assert_eq!(values["Seconds"], json!("5"));
        assert!(!values.contains_key("Uri"));
    }

    #[test]
    fn every_refusal_is_a_sentence() {
        let refusal = |name, value| check(&declared(), &given(name, value)).unwrap_err().to_string();
        assert_eq!(refusal("Uri", "secret"), "the value is not allowed for the parameter Uri: a URI");
        assert_eq!(
            refusal("Seconds", "61"),
            "\"61\" is not allowed for the parameter Seconds: it is out of range"
        );
        assert!(refusal("Seconds", "x").contains("not a number"));
        assert!(refusal("Colour", "green").contains("one of red, blue"));
        assert!(refusal("Nope", "1").contains("no parameter Nope"));
    }
}
