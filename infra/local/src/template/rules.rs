//! The template's rules: which parameters go together.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html>

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use super::conditions::holds;

/// One entry of `Rules:`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Rule {
    rule_condition: Option<Value>,
    assertions: Vec<Assertion>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Assertion {
    assert: Value,
    assert_description: Option<String>,
}

/// Fails with what the first rule that is broken says.
pub fn check(rules: &BTreeMap<String, Rule>, parameters: &BTreeMap<String, Value>) -> Result<()> {
    for (name, rule) in rules {
        let holds =
            |condition| holds(condition, parameters).with_context(|| format!("the rule {name} is broken"));
        let applies = rule.rule_condition.as_ref().map_or(Ok(true), holds)?;
        for assertion in rule.assertions.iter().filter(|_| applies) {
            if !holds(&assertion.assert)? {
                bail!("{}", assertion.assert_description.as_deref().unwrap_or(name));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(rule: Value, colour: &str) -> Result<(), String> {
        let rules = BTreeMap::from([("Taste".to_owned(), serde_json::from_value(rule).unwrap())]);
        let parameters = BTreeMap::from([("Colour".to_owned(), json!(colour))]);
        check(&rules, &parameters).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn what_must_hold_where_it_applies() {
        let is = |colour: &str| json!({"Fn::Equals": [{"Ref": "Colour"}, colour]});
        let rule = json!({
            "RuleCondition": {"Fn::Not": [is("")]},
            "Assertions": [{"Assert": {"Fn::Or": [is("red"), is("blue")]}, "AssertDescription": "red or blue, please"}],
        });
        assert_eq!(checked(rule.clone(), ""), Ok(()));
        assert_eq!(checked(rule.clone(), "blue"), Ok(()));
        assert_eq!(checked(rule, "green"), Err("red or blue, please".to_owned()));
        let both = json!({"Assertions": [{"Assert": {"Fn::And": [is("red"), is("red")]}}]});
        assert_eq!(checked(both.clone(), "red"), Ok(()));
        assert_eq!(checked(both, "blue"), Err("Taste".to_owned()));
    }

    #[test]
    fn what_is_unknown_is_refused() {
        let refusal =
            |assert: Value| checked(json!({"Assertions": [{"Assert": assert}]}), "red").unwrap_err();
        assert!(refusal(json!({"Fn::Contains": [["red"], {"Ref": "Colour"}]})).contains("Fn::Contains"));
        assert!(refusal(json!({"Fn::Equals": [{"Ref": "Size"}, "1"]})).contains("no parameter Size"));
        assert!(refusal(json!(true)).contains("Taste is broken"));
    }
}
