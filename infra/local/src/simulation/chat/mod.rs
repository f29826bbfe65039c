//! The simulated chat model, OpenAI-compatible: `POST /chat/completions`.
//!
//! It reads the first message of the user, JSON `{"user_input", "current_params"}`, and suggests parameters by the words in it.
//! What it is sent it judges as strictly as the real ones. Words in `user_input` make it fail as they do:
//!
//! | word | what happens |
//! |---|---|
//! | `#fail` | 500 |
//! | `#html` | 502, and a page of HTML |
//! | `#down` | 503, the first time |
//! | `#busy` | 429 with `Retry-After: 1`, the first time |
//! | `#broke` | 429 `insufficient_quota` |
//! | `#refuse` | 400 `content_policy_violation` |
//! | `#filter` | a refusal in the place of an answer |
//! | `#garbage` | an answer that is not JSON |
//! | `#once` | the same, until it is asked to repair it |
//! | `#extra` | members that nobody asked for, and one of a wrong kind until it is asked to repair that |
//! | `#empty` | blanks, the first time |
//! | `#blank` | blank lines before the body |
//! | `#fenced` | thoughts before the answer, and a fence around it |
//! | `#length` | an answer that is cut |
//! | `#leak` | the system's message as the reason |

mod request;
mod rules;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use self::request::Completion;

/// A picture of a few megabytes, as base64.
const MAX_BODY_BYTES: usize = 20 << 20;
/// As much as a parameter may have, so that nothing but its words is wrong with it.
const LEAKED_CHARS: usize = 1_900;

/// The model's API.
pub fn router() -> Router {
    Router::new()
        .route("/chat/completions", post(complete))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Model::default())
}

/// What the model remembers: the texts that it failed for the first time.
#[derive(Clone, Default)]
struct Model(Arc<Mutex<HashSet<String>>>);

impl Model {
    /// Every other time for the same text, so that trying it again later shows the same again.
    fn is_first(&self, user_input: &str) -> bool {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !failed.remove(user_input) && failed.insert(user_input.to_owned())
    }
}

/// Why there is no completion.
struct Failure {
    status: StatusCode,
    code: Option<&'static str>,
    parameter: Option<&'static str>,
    message: String,
}

impl Failure {
    fn of(status: StatusCode, code: Option<&'static str>, message: &str) -> Self {
        Self { status, code, parameter: None, message: message.to_owned() }
    }

    fn invalid(parameter: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: None,
            parameter: Some(parameter),
            message: message.into(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self { status, code, parameter, message } = self;
        let kind = match status {
            _ if code == Some("insufficient_quota") => "insufficient_quota",
            StatusCode::TOO_MANY_REQUESTS => "requests",
            _ if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        let error = json!({"message": message, "type": kind, "param": parameter, "code": code});
        (status, Json(json!({"error": error}))).into_response()
    }
}

async fn complete(
    State(model): State<Model>,
    body: Result<Json<Completion>, JsonRejection>,
) -> Result<Response, Failure> {
    let Json(request) =
        body.map_err(|rejection| Failure::of(StatusCode::BAD_REQUEST, None, &rejection.body_text()))?;
    let question = request.question()?;
    let text = question.user_input.as_str();
    let mut suggestions = rules::suggest(text, &question.current_params, question.has_picture);
    request.shape(&mut suggestions);
    let plain = Value::Object(suggestions.clone()).to_string();
    let answer = |content: &str| request.completion(&json!({"content": content, "refusal": null}), "stop");
    let has = |word: &str| text.contains(word);
    let garbage = "好的！我建议您使用环绕运镜，效果会更好哦～ {\"camera_movement\":";
    Ok(Json(match () {
        () if has("#fail") => {
            let message = "The server had an error while processing your request.";
            return Err(Failure::of(StatusCode::INTERNAL_SERVER_ERROR, None, message));
        }
        () if has("#html") => {
            let page = Html("<html><body><h1>502 Bad Gateway</h1></body></html>");
            return Ok((StatusCode::BAD_GATEWAY, page).into_response());
        }
        () if has("#down") && model.is_first(text) => {
            let message = "The engine is currently overloaded, please try again later.";
            return Err(Failure::of(StatusCode::SERVICE_UNAVAILABLE, None, message));
        }
        () if has("#busy") && model.is_first(text) => {
            let message = "Rate limit reached for requests.";
            let busy = Failure::of(StatusCode::TOO_MANY_REQUESTS, Some("rate_limit_exceeded"), message);
            return Ok(([(RETRY_AFTER, HeaderValue::from(1))], busy).into_response());
        }
        () if has("#broke") => {
            let message = "You exceeded your current quota, please check your plan and billing details.";
            return Err(Failure::of(StatusCode::TOO_MANY_REQUESTS, Some("insufficient_quota"), message));
        }
        () if has("#refuse") => {
            let message = "Your request was rejected as a result of our safety system.";
            return Err(Failure::of(StatusCode::BAD_REQUEST, Some("content_policy_violation"), message));
        }
        () if has("#filter") => {
            let refusal = "I'm sorry, I can't help with that.";
            request.completion(&json!({"content": null, "refusal": refusal}), "content_filter")
        }
        () if has("#garbage") || has("#once") && !request.is_repair() => answer(garbage),
        () if has("#extra") => {
            suggestions.insert("mood".to_owned(), json!("快乐"));
            suggestions.insert("video".to_owned(), json!({"url": "https://example.com"}));
            if !request.is_repair() {
                suggestions.insert("lighting".to_owned(), json!(["柔光", 1]));
            }
            answer(&Value::Object(suggestions).to_string())
        }
        () if has("#empty") && model.is_first(text) => answer("\n \n"),
        () if has("#blank") => {
            let body = format!("\n\n\n\n{}", answer(&plain));
            return Ok(([(CONTENT_TYPE, "application/json")], body).into_response());
        }
        () if has("#fenced") => answer(&format!("<think>\n用户想要……\n</think>\n\n```json\n{plain}\n```")),
        () if has("#length") => {
            let cut: String = plain.chars().take(20).collect();
            request.completion(&json!({"content": cut, "refusal": null}), "length")
        }
        () if has("#leak") => {
            let leaked: String = request.system().chars().take(LEAKED_CHARS).collect();
            suggestions.insert("reasoning".to_owned(), leaked.into());
            answer(&Value::Object(suggestions).to_string())
        }
        () => answer(&plain),
    })
    .into_response())
}

impl Completion {
    fn completion(&self, message: &Value, finish_reason: &str) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // Roughly a token for a character, as with Chinese text.
        let asked = self.chars();
        let answered = message["content"].as_str().unwrap_or_default().chars().count();
        let mut message = message.clone();
        message["role"] = "assistant".into();
        json!({
            "id": format!("chatcmpl-{}", uuid::Uuid::new_v4().simple()),
            "object": "chat.completion",
            "created": now,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason}],
            "usage": {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered},
        })
    }
}

#[cfg(test)]
mod tests;
