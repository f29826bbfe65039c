//! `Ref`, `Fn::Sub` and `Fn::GetAtt`, resolved to the names that things have on this machine.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

use super::limits::MAX_TEXT_BYTES;

/// The region that the local stack pretends to be in.
pub const REGION: &str = "us-east-1";
/// The account that the local stack pretends to be in.
pub const ACCOUNT_ID: &str = "123456789012";
const STACK_NAME: &str = "local";

/// What a name in the template may stand for.
pub struct Scope {
    /// Parameters with their values.
    pub parameters: BTreeMap<String, Value>,
    /// Logical ids with their resource types.
    pub resources: BTreeMap<String, String>,
    /// Which conditions hold.
    pub conditions: BTreeMap<String, bool>,
}

impl Scope {
    /// `value` without intrinsic functions. A member that is `AWS::NoValue` disappears.
    pub fn resolve(&self, value: &Value) -> Result<Value> {
        Ok(match value {
            Value::Object(object) => {
                if let Some(resolved) = self.intrinsic(object)? {
                    return Ok(resolved);
                }
                let mut members = Map::new();
                for (key, value) in object {
                    let value = self.choose(value)?;
                    if *value != json!({"Ref": "AWS::NoValue"}) {
                        members.insert(key.clone(), self.resolve(value)?);
                    }
                }
                Value::Object(members)
            }
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.resolve(item)).collect::<Result<_>>()?)
            }
            scalar => scalar.clone(),
        })
    }

    fn intrinsic(&self, object: &Map<String, Value>) -> Result<Option<Value>> {
        let mut members = object.iter();
        let (Some((name, argument)), None) = (members.next(), members.next()) else { return Ok(None) };
        Ok(match (name.as_str(), argument) {
            ("Ref", Value::String(name)) => Some(self.reference(name)?),
            ("Fn::GetAtt", Value::Array(path)) => match path.as_slice() {
                [Value::String(resource), Value::String(attribute)] => {
                    Some(json!(self.attribute(resource, attribute)?))
                }
                _ => bail!("Fn::GetAtt takes the name of a resource and of an attribute"),
            },
            ("Fn::GetAtt", Value::String(path)) => {
                let (resource, attribute) =
                    path.split_once('.').context("Fn::GetAtt takes Resource.Attribute")?;
                Some(json!(self.attribute(resource, attribute)?))
            }
            ("Fn::Sub", Value::String(text)) => Some(json!(self.substitute(text, &Map::new())?)),
            ("Fn::Sub", Value::Array(arguments)) => match arguments.as_slice() {
                [Value::String(text), Value::Object(variables)] => {
                    Some(json!(self.substitute(text, variables)?))
                }
                _ => bail!("Fn::Sub takes a text, or a text and a map"),
            },
            ("Fn::Join", Value::Array(arguments)) => match arguments.as_slice() {
                [Value::String(delimiter), list] => Some(json!(self.join(delimiter, list)?)),
                _ => bail!("Fn::Join takes a delimiter and a list"),
            },
            (name, _) if name == "Ref" || name.starts_with("Fn::") => {
                bail!("the local stack does not know this use of {name}")
            }
            _ => None,
        })
    }

    /// Whether the condition holds.
    pub fn holds(&self, condition: &str) -> Result<bool> {
        self.conditions.get(condition).copied().with_context(|| format!("there is no condition {condition}"))
    }

    /// The branch that an `Fn::If` stands for; any other value is its own.
    fn choose<'a>(&self, mut value: &'a Value) -> Result<&'a Value> {
        while let Some(Value::Array(arguments)) = value.get("Fn::If") {
            let [Value::String(condition), then, otherwise] = arguments.as_slice() else {
                bail!("Fn::If takes the name of a condition and two values");
            };
            value = if self.holds(condition)? { then } else { otherwise };
        }
        Ok(value)
    }

    fn join(&self, delimiter: &str, list: &Value) -> Result<String> {
        let items: Vec<String> =
            serde_json::from_value(self.resolve(list)?).context("Fn::Join joins texts")?;
        Ok(items.join(delimiter))
    }

    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/pseudo-parameter-reference.html>
    fn reference(&self, name: &str) -> Result<Value> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        Ok(json!(match name {
            "AWS::Region" => REGION.to_owned(),
            "AWS::AccountId" => ACCOUNT_ID.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackName" => STACK_NAME.to_owned(),
            "AWS::StackId" => format!("arn:aws:cloudformation:{REGION}:{ACCOUNT_ID}:stack/{STACK_NAME}/0"),
            resource => return self.resource_reference(resource),
        }))
    }

    fn resource_reference(&self, name: &str) -> Result<Value> {
        let Some(kind) = self.resources.get(name) else {
            bail!("{name} is neither a resource nor a parameter with a value");
        };
        Ok(json!(match kind.as_str() {
            "AWS::Serverless::StateMachine" => state_machine_arn(name),
            "AWS::S3::Bucket" => bucket_name(name),
            "AWS::Serverless::HttpApi" | "AWS::Serverless::WebSocketApi" => api_id(name),
            _ => name.to_owned(),
        }))
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Result<String> {
        let Some(kind) = self.resources.get(resource) else { bail!("there is no resource {resource}") };
        Ok(match (kind.as_str(), attribute) {
            ("AWS::Serverless::Function", "Arn") => function_arn(resource),
            ("AWS::Serverless::StateMachine", "Arn") => state_machine_arn(resource),
            ("AWS::Serverless::StateMachine", "Name") => resource.to_owned(),
            ("AWS::S3::Bucket", "Arn") => format!("arn:aws:s3:::{}", bucket_name(resource)),
            (
                "AWS::Serverless::Function"
                | "AWS::Serverless::StateMachine"
                | "AWS::S3::Bucket"
                | "AWS::Serverless::HttpApi"
                | "AWS::Serverless::WebSocketApi",
                _,
            ) => bail!("the local stack does not know {resource}.{attribute}"),
            // Of what exists in the cloud only, nothing here depends on the value.
            _ => format!("arn:aws:local:{REGION}:{ACCOUNT_ID}:{resource}/{attribute}"),
        })
    }

    /// `${Name}`, `${Resource.Attribute}` and `${!Literal}`.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-sub.html>
    fn substitute(&self, text: &str, variables: &Map<String, Value>) -> Result<String> {
        // Each once, however often the text names it.
        let variables = variables.iter().map(|(name, value)| Ok((name.as_str(), self.resolve(value)?)));
        let variables: BTreeMap<_, _> = variables.collect::<Result<_>>()?;
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            result.push_str(&rest[..start]);
            let after = &rest[start + 2..];
            let end = after.find('}').with_context(|| format!("\"{text}\" has a ${{ without its }}"))?;
            let name = &after[..end];
            rest = &after[end + 1..];
            if let Some(literal) = name.strip_prefix('!') {
                result.push_str(&format!("${{{literal}}}"));
                continue;
            }
            let value = match (variables.get(name), name.split_once('.')) {
                (Some(value), _) => value.clone(),
                (None, Some((resource, attribute))) => json!(self.attribute(resource, attribute)?),
                (None, None) => self.reference(name)?,
            };
            match value {
                Value::String(value) => result.push_str(&value),
                Value::Number(value) => result.push_str(&value.to_string()),
                other => bail!("${{{name}}} stands for {other}, which is no text"),
            }
            ensure!(result.len() <= MAX_TEXT_BYTES, "Fn::Sub makes more than {MAX_TEXT_BYTES} bytes");
        }
        result.push_str(rest);
        Ok(result)
    }
}

/// The ARN of the function with this logical id.
pub fn function_arn(logical_id: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{logical_id}")
}

/// The ARN of the state machine with this logical id.
pub fn state_machine_arn(logical_id: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:{logical_id}")
}

/// The name of the bucket with this logical id: bucket names are in lower case.
pub fn bucket_name(logical_id: &str) -> String {
    format!("{STACK_NAME}-{}", logical_id.to_ascii_lowercase())
}

/// The id of the API with this logical id.
pub fn api_id(logical_id: &str) -> String {
    logical_id.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        let kinds = [
            ("Pics", "AWS::S3::Bucket"),
            ("Ws", "AWS::Serverless::WebSocketApi"),
            ("F", "AWS::Serverless::Function"),
        ];
        Scope {
            conditions: BTreeMap::from([("Yes".to_owned(), true), ("No".to_owned(), false)]),
            parameters: BTreeMap::from([
                ("Stage".to_owned(), json!("prod")),
                ("Origins".to_owned(), json!(["a", "b"])),
            ]),
            resources: kinds.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into(),
        }
    }

    #[test]
    fn references() {
        let value = json!({"a": {"Ref": "Origins"}, "b": [{"Ref": "Pics"}], "c": {"Ref": "AWS::NoValue"}, "d": {"Fn::GetAtt": "F.Arn"}});
        assert_eq!(
            scope().resolve(&value).unwrap(),
            json!({"a": ["a", "b"], "b": ["local-pics"], "d": "arn:aws:lambda:us-east-1:123456789012:function:F"})
        );
    }

    #[test]
    fn substitutions() {
        let sub = |argument: Value| {
            scope().resolve(&json!({ "Fn::Sub": argument })).map_err(|error| error.to_string())
        };
        assert_eq!(
            sub(json!("https://${Ws}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${Stage}")).unwrap(),
            "https://ws.execute-api.us-east-1.amazonaws.com/prod"
        );
        assert_eq!(sub(json!("${Pics.Arn}/*")).unwrap(), "arn:aws:s3:::local-pics/*");
        assert_eq!(sub(json!(["${x}-${!y}", {"x": {"Ref": "Stage"}}])).unwrap(), "prod-${y}");
        assert!(sub(json!("${Nope}")).unwrap_err().contains("Nope"));
        assert!(sub(json!("${Origins}")).unwrap_err().contains("no text"));
    }

    #[test]
    fn substitutions_have_an_end() {
        let doubled = |value: Value| json!({"Fn::Sub": ["${x}${x}", {"x": value}]});
        let nested = |times: usize| (0..times).fold(json!("ha"), |value, _| doubled(value));
        let length = |value: Value| scope().resolve(&value).unwrap().as_str().unwrap().len();
        assert_eq!(length(nested(10)), 2048);
        assert!(scope().resolve(&nested(100)).unwrap_err().to_string().contains("more than 4096 bytes"));
    }

    #[test]
    fn lists_are_joined() {
        let joined = scope().resolve(&json!({"Fn::Join": [",", {"Ref": "Origins"}]})).unwrap();
        assert_eq!(joined, "a,b");
        assert!(scope().resolve(&json!({"Fn::Join": [",", {"Ref": "Stage"}]})).is_err());
    }

    #[test]
    fn a_condition_chooses_a_value_or_none() {
        let no_value = json!({"Ref": "AWS::NoValue"});
        let value = json!({
            "a": {"Fn::If": ["Yes", {"Ref": "Stage"}, no_value]},
            "b": {"Fn::If": ["No", "x", no_value]},
            "c": {"Fn::If": ["No", "x", {"Fn::If": ["Yes", "y", "z"]}]},
        });
        assert_eq!(scope().resolve(&value).unwrap(), json!({"a": "prod", "c": "y"}));
        assert!(scope().resolve(&json!({"a": {"Fn::If": ["Maybe", "b", "c"]}})).is_err());
    }

    #[test]
    fn what_is_unknown_is_refused() {
        assert!(scope().resolve(&json!({"Fn::If": ["Yes", "b", "c"]})).is_err());
        assert!(scope().resolve(&json!({"Fn::GetAtt": ["Ws", "Nope"]})).is_err());
    }
}
