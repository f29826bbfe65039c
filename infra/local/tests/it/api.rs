//! `docs/openapi.yaml` and `docs/asyncapi.yaml`, to which every answer and every frame of these tests is held.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, LazyLock, Mutex},
};

use jsonschema::Validator;
use local::template::yaml;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::board::project;

/// A description, and its schemas as they were needed.
pub struct Api {
    pub document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

pub static REST: LazyLock<Api> = LazyLock::new(|| Api::read("docs/openapi.yaml"));
pub static SOCKET: LazyLock<Api> = LazyLock::new(|| Api::read("docs/asyncapi.yaml"));

impl Api {
    fn read(file: &str) -> Self {
        let text = std::fs::read_to_string(project().join(file)).unwrap();
        Self { document: yaml::parse(&text).unwrap(), validators: Mutex::default() }
    }

    /// What a local `$ref` stands for, if `value` is one.
    fn follow<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.follow(self.document.pointer(&reference[1..]).expect(reference)),
            None => value,
        }
    }

    fn check(&self, what: &str, schema: &Value, value: &Value) {
        let validator = {
            let mut validators = self.validators.lock().unwrap();
            let make = || {
                let mut root = schema.clone();
                root["components"] = self.document["components"].clone();
                Arc::new(
                    jsonschema::draft202012::new(&root).unwrap_or_else(|error| panic!("{what}: {error}")),
                )
            };
            Arc::clone(validators.entry(what.to_owned()).or_insert_with(make))
        };
        let faults: Vec<String> = validator
            .iter_errors(value)
            .map(|fault| format!("{} at {}", fault, fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{what} is not as described: {faults:#?}\n{value}");
    }
}

/// The routes of the description: method and path.
pub fn routes() -> BTreeSet<(String, String)> {
    let paths = REST.document["paths"].as_object().unwrap();
    let methods = ["get", "put", "post", "delete", "options", "head", "patch"];
    let all = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap();
        let described = item.keys().filter(|key| methods.contains(&key.as_str()));
        described.map(move |method| (method.to_uppercase(), path.clone()))
    });
    all.collect()
}

/// That a route may answer this. What is no route of the description may only be the gateway's 404.
pub fn check_answer(method: &Method, path: &str, status: StatusCode, body: &Value) {
    let described = routes().into_iter().find(|(known, route)| {
        let mut parts = route.split('/').zip(path.split('/'));
        known == method.as_str()
            && route.split('/').count() == path.split('/').count()
            && parts.all(|(part, given)| part.starts_with('{') || part == given)
    });
    let what = format!("{} of {method} {path}", status.as_u16());
    let response = match &described {
        Some((_, route)) => {
            let operation = &REST.document["paths"][route][method.as_str().to_lowercase()];
            REST.follow(&operation["responses"][status.as_u16().to_string()])
        }
        None if *method == Method::OPTIONS => return,
        None => {
            assert_eq!(status, 404, "{what} is not described");
            &REST.document["components"]["responses"]["NoSuchRoute"]
        }
    };
    assert!(response.is_object(), "{what} is not described");
    let described =
        described.map_or_else(|| "none".to_owned(), |(method, route)| format!("{method} {route}"));
    match response["content"].get("application/json") {
        Some(content) => {
            REST.check(&format!("{} of {described}", status.as_u16()), &content["schema"], body);
        }
        None => assert!(!body.is_object(), "{what} has a body that is not described: {body}"),
    }
}

/// Who may send a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    Client,
    /// As an answer or unasked.
    Server,
    /// Unasked.
    Push,
}

/// The messages of the description that `sender` may send, by their names.
pub fn messages(sender: Sender) -> BTreeMap<String, Vec<Value>> {
    let mut all = BTreeMap::<String, Vec<Value>>::new();
    for operation in SOCKET.document["operations"].as_object().unwrap().values() {
        let is_sent_by_client = operation["action"] == "receive";
        let mut sent = Vec::new();
        if is_sent_by_client == (sender == Sender::Client) {
            sent.extend(operation["messages"].as_array().unwrap());
        }
        if sender == Sender::Server {
            sent.extend(operation["reply"]["messages"].as_array().into_iter().flatten());
        }
        for message in sent.into_iter().map(|message| SOCKET.follow(message)) {
            let known = all.entry(message["name"].as_str().unwrap().to_owned()).or_default();
            if !known.contains(&message["payload"]) {
                known.push(message["payload"].clone());
            }
        }
    }
    all
}

/// That `sender` may send `frame`.
pub fn check_frame(sender: Sender, frame: &Value) {
    static MESSAGES: LazyLock<HashMap<Sender, BTreeMap<String, Vec<Value>>>> = LazyLock::new(|| {
        [Sender::Client, Sender::Server].map(|sender| (sender, messages(sender))).into_iter().collect()
    });
    let name = frame.get("type").map_or("gateway-error", |kind| kind.as_str().unwrap());
    let payloads = MESSAGES[&sender].get(name);
    let payloads = payloads.unwrap_or_else(|| panic!("{sender:?} frame {name} is not described"));
    SOCKET.check(&format!("{sender:?} frame {name}"), &json!({"oneOf": payloads}), frame);
}
