//! What the simulated model is sent, and what of it the real ones refuse.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Failure;

/// A request. Members that only some vendor knows are let through.
#[derive(Debug, Deserialize)]
pub(super) struct Completion {
    pub model: String,
    messages: Vec<Message>,
    response_format: Option<Format>,
    #[serde(default)]
    stream: bool,
}

#[derive(Debug, Deserialize)]
struct Message {
    role: String,
    content: Content,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text { text: String },
    ImageUrl { image_url: ImageUrl },
}

#[derive(Debug, Deserialize)]
struct ImageUrl {
    url: String,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format {
    Text,
    JsonObject,
    JsonSchema { json_schema: Schema },
}

#[derive(Debug, Deserialize)]
struct Schema {
    name: String,
    #[serde(default)]
    strict: bool,
    schema: Value,
}

/// What the model is asked.
pub(super) struct Question {
    pub user_input: String,
    pub current_params: Value,
    pub has_picture: bool,
}

impl Content {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Parts(parts) => parts
                .iter()
                .filter_map(|part| match part {
                    Part::Text { text } => Some(text.as_str()),
                    Part::ImageUrl { .. } => None,
                })
                .collect(),
        }
    }

    fn pictures(&self) -> impl Iterator<Item = &str> {
        let parts = match self {
            Self::Text(_) => &[][..],
            Self::Parts(parts) => parts,
        };
        parts.iter().filter_map(|part| match part {
            Part::Text { .. } => None,
            Part::ImageUrl { image_url } => Some(image_url.url.as_str()),
        })
    }
}

impl Completion {
    /// The question, if all is as it has to be.
    pub fn question(&self) -> Result<Question, Failure> {
        if self.stream {
            return Err(Failure::invalid("stream", "The simulated model does not stream."));
        }
        self.check_format()?;
        let pictures: Vec<_> = self.messages.iter().flat_map(|message| message.content.pictures()).collect();
        if !pictures.iter().all(|url| is_picture(url)) {
            return Err(Failure::invalid("messages", "A picture must be a data URI of a JPEG, PNG or WebP."));
        }
        let Some(message) = self.messages.iter().find(|message| message.role == "user") else {
            return Err(Failure::invalid("messages", "There is no message of a user."));
        };
        let text = message.content.text();
        let (user_input, current_params) = match serde_json::from_str::<Value>(&text) {
            Ok(data) => {
                (data["user_input"].as_str().unwrap_or_default().to_owned(), data["current_params"].clone())
            }
            Err(_) => (text, Value::Null),
        };
        Ok(Question { user_input, current_params, has_picture: !pictures.is_empty() })
    }

    fn check_format(&self) -> Result<(), Failure> {
        match &self.response_format {
            // OpenAI, DeepSeek and Qwen refuse this, so that nobody waits for endless blanks.
            Some(Format::JsonObject) => {
                let says_json = |message: &Message| message.content.text().to_lowercase().contains("json");
                let message = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
                let says_json = self.messages.iter().any(says_json);
                says_json.then_some(()).ok_or_else(|| Failure::invalid("messages", message))
            }
            Some(Format::JsonSchema { json_schema }) => json_schema.check().map_err(|fault| {
                Failure::invalid("response_format", format!("Invalid schema for response_format: {fault}."))
            }),
            Some(Format::Text) | None => Ok(()),
        }
    }

    /// Where an answer has to keep to a schema, all that the schema names is in it.
    pub fn shape(&self, answer: &mut Map<String, Value>) {
        if let Some(Format::JsonSchema { json_schema }) = &self.response_format {
            for name in json_schema.schema["properties"].as_object().into_iter().flat_map(Map::keys) {
                answer.entry(name).or_insert(Value::Null);
            }
        }
    }

    /// Whether the model has answered already.
    pub fn is_repair(&self) -> bool {
        self.messages.iter().any(|message| message.role == "assistant")
    }

    /// The instructions.
    pub fn system(&self) -> String {
        self.messages.iter().filter(|message| message.role == "system").map(|it| it.content.text()).collect()
    }

    /// How much there is to read.
    pub fn chars(&self) -> usize {
        self.messages.iter().map(|message| message.content.text().chars().count()).sum()
    }
}

impl Schema {
    /// The rules of strict mode, <https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>.
    fn check(&self) -> Result<(), &'static str> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let Value::Object(properties) = &self.schema["properties"] else {
            return Err("'properties' is missing");
        };
        let required = self.schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let required: BTreeSet<_> = required.collect();
        let is_known = |kind: &Value| {
            ["string", "number", "boolean", "integer", "object", "array", "null"]
                .iter()
                .any(|known| kind == known)
        };
        let has_kind = |property: &Value| match &property["type"] {
            Value::Array(kinds) => !kinds.is_empty() && kinds.iter().all(is_known),
            kind => is_known(kind),
        };
        for (is_right, fault) in [
            ((1..=64).contains(&self.name.len()) && self.name.chars().all(is_name), "'name' is no name"),
            (self.strict, "'strict' must be true, or answers would not keep to it"),
            (self.schema["type"] == "object", "'type' must be 'object'"),
            (self.schema["additionalProperties"] == false, "'additionalProperties' must be false"),
            (required.into_iter().eq(properties.keys()), "'required' must name every key in 'properties'"),
            (properties.values().all(has_kind), "a property has no known 'type'"),
        ] {
            if !is_right {
                return Err(fault);
            }
        }
        Ok(())
    }
}

/// Whether it is a data URI of one of the product's kinds of picture, by its content too.
fn is_picture(url: &str) -> bool {
    let signatures: [(&str, &[u8]); 3] = [
        ("data:image/jpeg;base64,", b"\xFF\xD8\xFF"),
        ("data:image/png;base64,", b"\x89PNG\r\n\x1a\n"),
        ("data:image/webp;base64,", b"RIFF"),
    ];
    signatures.iter().any(|(prefix, signature)| {
        let content = url.strip_prefix(prefix).and_then(|content| STANDARD.decode(content).ok());
        content.is_some_and(|content| content.starts_with(signature))
    })
}
