//! Conditions, by which the template decides what there is.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html>

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Which of the `Conditions:` hold. None may refer to another: none of ours does.
pub fn evaluate(
    conditions: &BTreeMap<String, Value>,
    parameters: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, bool>> {
    let evaluated = conditions.iter().map(|(name, condition)| {
        let holds =
            holds(condition, parameters).with_context(|| format!("the condition {name} is broken"))?;
        Ok((name.clone(), holds))
    });
    evaluated.collect()
}

/// Whether a condition of nothing but parameters holds.
pub fn holds(condition: &Value, parameters: &BTreeMap<String, Value>) -> Result<bool> {
    let function = condition.as_object().filter(|members| members.len() == 1);
    let (name, arguments) =
        function.and_then(|members| members.iter().next()).context("it is no condition")?;
    match (name.as_str(), arguments.as_array().map(Vec::as_slice)) {
        ("Fn::Equals", Some([left, right])) => Ok(value(left, parameters)? == value(right, parameters)?),
        ("Fn::Not", Some([condition])) => Ok(!holds(condition, parameters)?),
        ("Fn::And", Some(conditions)) => {
            conditions.iter().try_fold(true, |all, condition| Ok(all && holds(condition, parameters)?))
        }
        ("Fn::Or", Some(conditions)) => {
            conditions.iter().try_fold(false, |any, condition| Ok(any || holds(condition, parameters)?))
        }
        (other, _) => bail!("the local stack does not know this use of {other} in a condition"),
    }
}

fn value<'a>(value: &'a Value, parameters: &'a BTreeMap<String, Value>) -> Result<&'a Value> {
    match value.get("Ref").and_then(Value::as_str) {
        Some(name) => parameters.get(name).with_context(|| format!("there is no parameter {name}")),
        None if value.is_string() => Ok(value),
        None => bail!("{value} is neither a text nor a parameter"),
    }
}
