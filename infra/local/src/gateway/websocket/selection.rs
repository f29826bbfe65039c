//! Which route a message takes: the route selection expression, such as `$request.body.type`.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html>

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A parsed expression: the path to a member of the message.
#[derive(Debug)]
pub struct RouteSelection(Vec<String>);

impl RouteSelection {
    pub fn parse(expression: &str) -> Result<Self> {
        let braced = expression.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let path = braced
            .or_else(|| expression.strip_prefix('$'))
            .and_then(|path| path.strip_prefix("request.body."));
        let path = path.with_context(|| {
            format!("the local stack knows route selections like $request.body.type, not {expression}")
        })?;
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        ensure!(
            path.iter().all(|name| !name.is_empty()),
            "the route selection {expression} has an empty name"
        );
        Ok(Self(path))
    }

    /// What the message says about its route, if it is JSON and says anything.
    pub fn select(&self, message: &[u8]) -> Option<String> {
        let body: Value = serde_json::from_slice(message).ok()?;
        match self.0.iter().try_fold(&body, |value, name| value.get(name))? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_selects_the_route() {
        let selection = RouteSelection::parse("$request.body.type").unwrap();
        assert_eq!(selection.select(br#"{"type": "ping"}"#).as_deref(), Some("ping"));
        for nothing in [r#"{"type": null}"#, r#"{"type": {}}"#, "{}", "[1]", "ping", ""] {
            assert_eq!(selection.select(nothing.as_bytes()), None, "{nothing}");
        }
        let nested = RouteSelection::parse("${request.body.a.b}").unwrap();
        assert_eq!(nested.select(br#"{"a": {"b": 1}}"#).as_deref(), Some("1"));
    }

    #[test]
    fn other_expressions_are_refused() {
        for expression in ["$request.header.x", "type", "$request.body.", "$request.body.a..b"] {
            assert!(RouteSelection::parse(expression).is_err(), "{expression}");
        }
    }
}
