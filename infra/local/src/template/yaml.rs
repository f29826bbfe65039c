//! YAML to JSON. CloudFormation's short tags become their long forms (`!Ref X` is `{"Ref": "X"}`), as CloudFormation
//! itself defines them, so that one resolver serves both.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>

use anyhow::{Context, Result, bail};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

use super::limits;

/// The one document of `text`.
pub fn parse(text: &str) -> Result<Value> {
    limits::check(text)?;
    let documents = Yaml::load_from_str(text).context("it is not valid YAML")?;
    match documents.as_slice() {
        [document] => to_json(document),
        _ => bail!("it must hold exactly one YAML document"),
    }
}

fn to_json(node: &Yaml<'_>) -> Result<Value> {
    Ok(match node {
        Yaml::Value(scalar) => scalar_to_json(scalar)?,
        Yaml::Sequence(items) => Value::Array(items.iter().map(to_json).collect::<Result<_>>()?),
        Yaml::Mapping(members) => {
            let mut object = Map::new();
            for (key, value) in members {
                let key = match to_json(key)? {
                    Value::String(key) => key,
                    Value::Number(key) => key.to_string(),
                    other => bail!("a mapping has the key {other}, which is no text"),
                };
                object.insert(key, to_json(value)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tag, inner) => intrinsic(&tag.suffix, to_json(inner)?)?,
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => {
            bail!("it holds a value that YAML cannot read")
        }
    })
}

fn scalar_to_json(scalar: &Scalar<'_>) -> Result<Value> {
    Ok(match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => json!(value),
        Scalar::Integer(value) => json!(value),
        Scalar::FloatingPoint(value) => Value::Number(
            serde_json::Number::from_f64(value.0).context("it holds a number that is not finite")?,
        ),
        Scalar::String(value) => json!(value),
    })
}

/// The long form of a short tag.
fn intrinsic(tag: &str, argument: Value) -> Result<Value> {
    Ok(match (tag, argument) {
        ("Ref", name) => json!({ "Ref": name }),
        ("GetAtt", Value::String(path)) => {
            let (resource, attribute) = path
                .split_once('.')
                .with_context(|| format!("!GetAtt {path} lacks the name of an attribute"))?;
            json!({ "Fn::GetAtt": [resource, attribute] })
        }
        ("GetAtt" | "Sub" | "Join" | "If" | "Equals" | "Not" | "And" | "Or", argument) => {
            json!({ format!("Fn::{tag}"): argument })
        }
        (other, _) => bail!("the local stack does not know the tag !{other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_tags_become_long_forms() {
        let value = parse("a: !Ref X\nb: !GetAtt F.Arn\nc: !Sub '${X}/*'\nd: !Sub ['${a}', {a: 1}]").unwrap();
        assert_eq!(
            value,
            json!({
                "a": {"Ref": "X"},
                "b": {"Fn::GetAtt": ["F", "Arn"]},
                "c": {"Fn::Sub": "${X}/*"},
                "d": {"Fn::Sub": ["${a}", {"a": 1}]},
            })
        );
    }

    #[test]
    fn anchors_keep_their_tags() {
        let value = parse("a: &url !Sub 'x'\nb: *url\nc: [&s {k: !Ref V}, *s]").unwrap();
        assert_eq!(value["b"], json!({"Fn::Sub": "x"}));
        assert_eq!(value["c"][1], json!({"k": {"Ref": "V"}}));
    }

    #[test]
    fn an_unknown_tag_is_named() {
        assert!(parse("a: !Select [0, x]").unwrap_err().to_string().contains("!Select"));
    }
}
