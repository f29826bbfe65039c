//! `template.yaml`: any text is a template or an error. What resolves has no loose ends.

#![no_main]

use std::collections::BTreeMap;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use local::template::{Blueprint, yaml};
use serde_json::Value;

const GIVEN: [(&str, &str); 2] = [
    ("MongoUriArn", "arn:aws:secretsmanager:us-east-1:123456789012:secret:mongo-AbCdEf"),
    ("Authentication", "off"),
];

fuzz_target!(|text: &str| {
    if let Ok(value) = yaml::parse(text) {
        assert!(depth(&value) <= 200);
        assert!(value.to_string().len() <= 8 << 20);
    }
    // Where functions and the state machine's definition are.
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let Ok(blueprint) = Blueprint::parse(root, "template.yaml", text) else { return };
    let _ = blueprint.packages();
    let given: BTreeMap<_, _> = GIVEN
        .into_iter()
        .filter(|(name, _)| blueprint.has_parameter(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let Ok(template) = blueprint.resolve(&given) else { return };
    let is_function = |name: &str| template.functions.iter().any(|function| function.name == name);
    if let Some(api) = &template.http_api {
        assert!(api.routes.iter().all(|route| is_function(&route.function)));
    }
    if let Some(api) = &template.websocket_api {
        assert!(api.routes.values().all(|route| is_function(&route.function)));
    }
    assert!(template.functions.iter().all(|function| function.directory.join("Cargo.toml").is_file()));
    assert!(template.state_machines.iter().all(|machine| machine.definition.is_file()));
});

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
