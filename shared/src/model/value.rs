use serde::{Serialize, Serializer};
use serde_json::{Value, value::RawValue};

/// The largest integer that every JSON reader keeps exactly: 2^53 (contract §6).
const MAX_INTEGER: u64 = 1 << 53;

/// A value that a path may hold: a string, a number, a boolean, null, or a flat array of those.
#[derive(Clone, Debug, PartialEq)]
pub struct LeafValue(Value);

impl LeafValue {
    /// Reads a leaf. `Err` is what is wrong with it, in Chinese.
    ///
    /// It reads the text, not a parsed number: `100000000000000000000` is an integer that is too large, `1e20` a number
    /// like any other, and both parse to the same float.
    pub fn parse(raw: &RawValue) -> Result<Self, &'static str> {
        let text = raw.get();
        if text.starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| "不是有效的 JSON")?;
            let items = items.into_iter().map(scalar).collect::<Result<_, _>>()?;
            return Ok(Self(Value::Array(items)));
        }
        scalar(raw).map(Self)
    }

    /// A text.
    pub fn text(text: String) -> Self {
        Self(Value::String(text))
    }

    /// The value as JSON.
    pub fn as_json(&self) -> &Value {
        &self.0
    }
}

fn scalar(raw: &RawValue) -> Result<Value, &'static str> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'{' | b'[') => Err("数组不能包含对象或数组"),
        Some(b'-' | b'0'..=b'9') if !text.contains(['.', 'e', 'E']) => match text.parse::<i64>() {
            Ok(number) if number.unsigned_abs() <= MAX_INTEGER => Ok(number.into()),
            _ => Err("整数超出 ±2^53 的范围"),
        },
        Some(b'-' | b'0'..=b'9') => serde_json::from_str(text).map_err(|_| "数字超出范围"),
        _ => serde_json::from_str(text).map_err(|_| "不是有效的 JSON 字符串"),
    }
}

impl Serialize for LeafValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(text: &str) -> Result<Value, &'static str> {
        LeafValue::parse(serde_json::from_str(text).unwrap()).map(|leaf| leaf.0)
    }

    #[test]
    fn takes_scalars_and_flat_arrays() {
        assert_eq!(parse(r#""$100 bill""#), Ok(json!("$100 bill")));
        assert_eq!(parse("[1, \"a\", null, true, 1.5]"), Ok(json!([1, "a", null, true, 1.5])));
        assert_eq!(parse("[]"), Ok(json!([])));
        assert!(parse("[[1]]").is_err());
        assert!(parse("[{}]").is_err());
        assert!(parse("{}").is_err());
    }

    #[test]
    fn integers_end_at_two_to_the_53rd_and_floats_at_infinity() {
        assert_eq!(parse("9007199254740992"), Ok(json!(9_007_199_254_740_992_i64)));
        assert_eq!(parse("-9007199254740992"), Ok(json!(-9_007_199_254_740_992_i64)));
        assert!(parse("9007199254740993").is_err());
        assert!(parse("-9007199254740993").is_err());
        assert!(parse("100000000000000000000").is_err());
        assert_eq!(parse("1e300"), Ok(json!(1e300)));
        assert_eq!(parse("1e20"), Ok(json!(1e20)));
        assert!(parse("1e400").is_err());
        assert!(parse("[1e400]").is_err());
    }

    #[test]
    fn a_float_is_the_same_when_it_is_read_again() {
        let once = parse("-4444444444000160000045000.0").unwrap();
        assert_eq!(parse(&once.to_string()), Ok(once));
    }

    #[test]
    fn half_a_character_is_refused() {
        assert!(parse(r#""\ud800""#).is_err());
    }
}
