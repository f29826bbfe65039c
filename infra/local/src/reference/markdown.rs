//! The two descriptions as one text in Markdown, which their own texts are written in.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

/// Both, with a table of contents and the schemas that they share.
pub fn reference(rest: &Value, socket: &Value) -> String {
    let mut text = Text::default();
    text.contents(rest, socket);
    text.about("REST", "rest", rest);
    for (path, item) in members(&rest["paths"]) {
        for (method, operation) in members(item) {
            text.operation(rest, &format!("{} {path}", method.to_uppercase()), operation);
        }
    }
    text.about("WebSocket", "websocket", socket);
    for channel in members(&socket["channels"]).map(|(_, channel)| channel) {
        text.line(string(&channel["description"]));
    }
    for (key, message) in members(&socket["components"]["messages"]) {
        text.message(socket, key, message);
    }
    text.line("## Schemas {#schemas}\n");
    let shared: BTreeMap<&str, &Value> =
        [rest, socket].into_iter().flat_map(|document| members(&document["components"]["schemas"])).collect();
    for (name, schema) in shared {
        text.line(&format!("### {name} {{#schema-{name}}}\n"));
        text.schema(schema);
    }
    text.0
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn contents(&mut self, rest: &Value, socket: &Value) {
        self.line("# Motionboard API\n\n- [REST](#rest)");
        for (path, item) in members(&rest["paths"]) {
            for (method, operation) in members(item) {
                let (title, summary) =
                    (format!("{} {path}", method.to_uppercase()), string(&operation["summary"]));
                self.line(&format!("  - [`{title}`](#{}) {summary}", anchor(&title)));
            }
        }
        self.line("- [WebSocket](#websocket)");
        for (key, message) in members(&socket["components"]["messages"]) {
            let (name, direction) = (string(&message["name"]), direction(socket, key));
            self.line(&format!(
                "  - [`{name}`](#message-{key}) {direction}: {}",
                string(&message["summary"])
            ));
        }
        self.line("- [Schemas](#schemas)\n");
    }

    fn about(&mut self, title: &str, id: &str, document: &Value) {
        self.line(&format!("## {title} {{#{id}}}\n"));
        // Its headings are a part of this one's.
        let description = string(&document["info"]["description"]);
        self.line(
            &description.lines().map(|line| line.replacen("## ", "#### ", 1) + "\n").collect::<String>(),
        );
    }

    fn operation(&mut self, document: &Value, title: &str, operation: &Value) {
        self.line(&format!("### {title} {{#{}}}\n", anchor(title)));
        self.line(string(&operation["description"]));
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.map(|parameter| follow(document, parameter)) {
            let (name, place) = (string(&parameter["name"]), string(&parameter["in"]));
            let description = one_line(&parameter["description"]);
            self.line(&format!("- `{name}` ({place}) {}. {description}", kind(&parameter["schema"])));
        }
        self.line("");
        for (media_type, content) in members(&follow(document, &operation["requestBody"])["content"]) {
            self.line(&format!("**Takes** `{media_type}`:\n"));
            self.schema(&content["schema"]);
            self.examples(&content["examples"]);
        }
        for (status, response) in members(&operation["responses"]) {
            let response = follow(document, response);
            self.line(&format!("**{status}** {}\n", one_line(&response["description"])));
            for (name, header) in members(&response["headers"]) {
                let header = follow(document, header);
                self.line(&format!("- header `{name}`: {}", one_line(&header["description"])));
            }
            self.line("");
            if let Some(content) = response["content"].get("application/json") {
                self.schema(&content["schema"]);
                self.examples(&content["examples"]);
            }
        }
    }

    fn message(&mut self, socket: &Value, key: &str, message: &Value) {
        let (title, name) = (string(&message["title"]), string(&message["name"]));
        self.line(&format!("### {title} {{#message-{key}}}\n"));
        self.line(&format!("`{name}`, {}. {}\n", direction(socket, key), one_line(&message["summary"])));
        self.line(string(&message["description"]));
        self.schema(&message["payload"]);
        for example in message["examples"].as_array().into_iter().flatten() {
            self.example(string(&example["summary"]), &example["payload"]);
        }
    }

    fn examples(&mut self, examples: &Value) {
        for (_, example) in members(examples) {
            self.example(string(&example["summary"]), &example["value"]);
        }
    }

    fn example(&mut self, summary: &str, value: &Value) {
        let json = serde_json::to_string_pretty(value).unwrap_or_default();
        self.line(&format!("{summary}\n\n```json\n{json}\n```\n"));
    }

    fn schema(&mut self, schema: &Value) {
        self.line(&format!("{}. {}\n", kind(schema), one_line(&schema["description"])));
        self.properties(schema, 0);
        self.line("");
    }

    fn properties(&mut self, schema: &Value, depth: usize) {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let indent = "  ".repeat(depth);
        for (name, property) in members(&schema["properties"]) {
            let optional = if required.contains(&name) { "" } else { ", optional" };
            let description = one_line(&property["description"]);
            self.line(&format!("{indent}- `{name}` {}{optional}. {description}", kind(property)));
            self.properties(property, depth + 1);
            self.properties(&property["items"], depth + 1);
        }
    }
}

/// A schema in some words; one that has a name by its name.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("[{name}](#schema-{name})");
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    for choice in ["enum", "oneOf", "anyOf"] {
        if let Some(options) = schema[choice].as_array() {
            let words = options
                .iter()
                .map(|option| if choice == "enum" { format!("`{option}`") } else { kind(option) });
            return words.collect::<Vec<_>>().join(" or ");
        }
    }
    let mut words = match &schema["type"] {
        Value::Array(types) => types.iter().map(string).collect::<Vec<_>>().join(" or "),
        one => string(one).to_owned(),
    };
    if schema["items"].is_object() {
        let _ = write!(words, " of {}", kind(&schema["items"]));
    }
    for (name, shown) in [
        ("minimum", "from"),
        ("maximum", "to"),
        ("minLength", "characters from"),
        ("maxLength", "characters to"),
        ("maxItems", "items to"),
        ("pattern", "like"),
    ] {
        match schema.get(name) {
            Some(Value::String(text)) => drop(write!(words, " {shown} `{text}`")),
            Some(value) => drop(write!(words, " {shown} {value}")),
            None => {}
        }
    }
    if words.is_empty() { "anything".to_owned() } else { words }
}

/// Who sends a message: what the server receives is a client's, what it sends unasked is a push even if an answer looks like it.
fn direction(socket: &Value, key: &str) -> &'static str {
    let suffix = format!("/messages/{key}");
    let of = |action: &str| {
        let operations =
            members(&socket["operations"]).filter(|(_, operation)| operation["action"] == action);
        let mut messages =
            operations.flat_map(|(_, operation)| operation["messages"].as_array().into_iter().flatten());
        messages.any(|message| string(&message["$ref"]).ends_with(&suffix))
    };
    if of("receive") {
        "from the client"
    } else if of("send") {
        "told unasked"
    } else {
        "an answer"
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> + Clone {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn follow<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = value["$ref"].as_str().and_then(|reference| document.pointer(reference.strip_prefix('#')?));
    target.unwrap_or(value)
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn one_line(value: &Value) -> String {
    string(value).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn anchor(title: &str) -> String {
    let letters = title.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    letters.collect::<String>().to_lowercase()
}
