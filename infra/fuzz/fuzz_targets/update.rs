//! The `updates` of a frame (contract §3, §6), beside a second reading of the contract: both take the same, refuse the same, and
//! agree on the leaves.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, value::RawValue};
use shared::model::{FieldUpdates, ImageName};

/// As far as doubles are whole.
const MAX_INTEGER: f64 = 9_007_199_254_740_992.0;
const PARAMS: [&str; 4] = ["camera_movement", "shot_type", "lighting", "motion_prompt"];

fuzz_target!(|text: &str| {
    let Ok(raw) = serde_json::from_str::<&RawValue>(text) else { return };
    let parsed = FieldUpdates::parse(raw);
    if let Ok(updates) = &parsed {
        check(updates);
    }
    // A text of which a part is no value (half a character, an infinite number) has no second reading.
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    // An integer this large and a float are told apart by their text only.
    if has_large_number(&value) {
        return;
    }
    match (&parsed, leaves(&value)) {
        (Ok(updates), Some(leaves)) => {
            let read: BTreeMap<_, _> =
                updates.iter().map(|(path, value)| (path.to_string(), value.as_json().clone())).collect();
            assert_eq!(read.keys().collect::<Vec<_>>(), leaves.keys().collect::<Vec<_>>());
            assert!(read.iter().all(|(path, value)| same(value, &leaves[path])), "{read:?} {leaves:?}");
        }
        (Err(fault), None) => assert!(!fault.message.is_empty()),
        (Ok(_), None) => panic!("it was to be refused"),
        (Err(fault), Some(_)) => panic!("it was to be taken: {fault}"),
    }
});

fn check(updates: &FieldUpdates) {
    let paths: Vec<&str> = updates.iter().map(|(path, _)| path.as_str()).collect();
    assert!(!paths.is_empty());
    for (path, value) in updates.iter() {
        let names: Vec<&str> = path.as_str().split('.').collect();
        match names.as_slice() {
            ["image_path" | "image_url"] => {}
            ["form_data", names @ ..] => {
                assert!((1..=4).contains(&names.len()) && names.iter().all(|name| is_name(name)), "{path}");
            }
            _ => panic!("{path}"),
        }
        for ancestor in path.ancestors() {
            assert!(!paths.contains(&ancestor), "{ancestor} is the parent of {path}");
        }
        let is_leaf = match value.as_json() {
            Value::Array(items) => items.iter().all(is_scalar),
            value => is_scalar(value),
        };
        assert!(is_leaf, "{path}");
    }
    let written = serde_json::to_string(updates).expect("leaves are JSON");
    let again: &RawValue = serde_json::from_str(&written).expect("it is JSON");
    assert_eq!(FieldUpdates::parse(again).as_ref(), Ok(updates), "said again");
    // In parts that are small enough, or a single leaf.
    let parts = updates.parts(64);
    let sizes =
        parts.iter().map(|part| (part.iter().count(), serde_json::to_string(part).map_or(0, |t| t.len())));
    assert!(sizes.into_iter().all(|(leaves, bytes)| leaves == 1 || bytes <= 64 + 2), "{parts:?}");
    assert!(parts.iter().flat_map(FieldUpdates::iter).eq(updates.iter()));
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn has_large_number(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64() && number.as_f64().is_some_and(|n| n.abs() >= MAX_INTEGER),
        Value::Array(items) => items.iter().any(has_large_number),
        Value::Object(members) => members.values().any(has_large_number),
        _ => false,
    }
}

/// `-0` is a number like 0.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        _ => one == other,
    }
}

/// What `updates` stands for, if the contract allows it.
fn leaves(updates: &Value) -> Option<BTreeMap<String, Value>> {
    let updates = updates.as_object().filter(|updates| !updates.is_empty())?;
    let is_below =
        |path: &str, ancestor: &str| path.strip_prefix(ancestor).is_some_and(|rest| rest.starts_with('.'));
    if updates.keys().any(|path| updates.keys().any(|ancestor| is_below(path, ancestor))) {
        return None;
    }
    let mut leaves = BTreeMap::new();
    for (path, value) in updates {
        match path.as_str() {
            "image_path" => put_image(&mut leaves, path, value, |text| {
                Some(ImageName::from_image_path(text).ok()?.image_path())
            })?,
            "image_url" => put_image(&mut leaves, path, value, |text| {
                Some(ImageName::from_image_url(text).ok()?.image_url())
            })?,
            "form_data" => put_members(&mut leaves, &mut Vec::new(), value.as_object()?)?,
            _ => {
                let mut names: Vec<&str> = path.strip_prefix("form_data.")?.split('.').collect();
                names.iter().all(|name| is_name(name)).then_some(())?;
                put(&mut leaves, &mut names, value)?;
            }
        }
    }
    Some(leaves)
}

fn put_image(
    leaves: &mut BTreeMap<String, Value>,
    path: &str,
    value: &Value,
    stored: impl Fn(&str) -> Option<String>,
) -> Option<()> {
    let value = match value {
        Value::Null => Value::Null,
        value => stored(value.as_str()?)?.into(),
    };
    leaves.insert(path.to_owned(), value);
    Some(())
}

fn put_members<'a>(
    leaves: &mut BTreeMap<String, Value>,
    names: &mut Vec<&'a str>,
    members: &'a Map<String, Value>,
) -> Option<()> {
    if members.is_empty() {
        return None;
    }
    for (name, value) in members {
        is_name(name).then_some(())?;
        names.push(name);
        put(leaves, names, value)?;
        names.pop();
    }
    Some(())
}

fn put<'a>(leaves: &mut BTreeMap<String, Value>, names: &mut Vec<&'a str>, value: &'a Value) -> Option<()> {
    if names.len() > 4 {
        return None;
    }
    if let Value::Object(members) = value {
        return put_members(leaves, names, members);
    }
    let is_allowed = match names.as_slice() {
        [name, rest @ ..] if PARAMS.contains(name) => {
            rest.is_empty() && value.as_str().is_some_and(|text| text.chars().count() <= 2_000)
        }
        ["checkboxes"] => false,
        ["checkboxes", ..] => value.is_boolean(),
        _ => true,
    };
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let is_small = |number: &Value| match number.as_i64() {
        Some(integer) => integer.unsigned_abs() <= 1 << 53,
        None => number.as_f64().is_none_or(|number| number.abs() <= MAX_INTEGER),
    };
    if !is_allowed || !items.iter().all(|item| is_scalar(item) && is_small(item)) {
        return None;
    }
    leaves.insert(format!("form_data.{}", names.join(".")), value.clone());
    Some(())
}
