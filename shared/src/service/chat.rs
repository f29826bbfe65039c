//! The chat model that proposes parameters: any OpenAI-compatible `POST /chat/completions`.

use std::time::Duration;

use reqwest::Client;
use serde::Deserialize;
use serde_json::json;

use super::http::{self, NoClient};
use crate::model::{MotionParams, Suggestions, UserInput};

/// Leaves `suggest-params` time to store the answer, within its own 28 s.
const TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// As long as a parameter may be (contract §6), and the reason gets no more.
const MAX_CHARS: usize = 2_000;

const INSTRUCTIONS: &str = "You are the director's assistant of a studio that turns one still picture into a short video. \
The user message is JSON: `user_input` is what the person asks for, `current_params` is how the shot is set now. \
Propose better values only for the parameters that the person's wish is about. Answer with one JSON object and nothing \
else: any of the strings camera_movement (such as 推进, 拉远, 环绕, 平移), shot_type (such as 特写, 中景, 全景), lighting \
(such as 自然光, 逆光, 柔光) and motion_prompt (what moves, and how), and always the string reasoning. Write all values in \
Chinese.";

/// There are no suggestions.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// No model is configured.
    #[error("no chat model configured")]
    NotConfigured,
    /// The service couldn't be talked to, or didn't answer in time.
    #[error("chat service unavailable")]
    Unavailable(#[source] reqwest::Error),
    /// The service answered with an error.
    #[error("chat service answered {0}")]
    Refused(u16),
    /// The answer is not what was asked for.
    #[error("unusable answer of the chat model: {0}")]
    Unusable(&'static str),
}

/// A model of a chat service.
#[derive(Clone, Debug)]
pub struct ChatModel {
    http: Client,
    base_url: String,
    key: String,
    model: String,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

impl ChatModel {
    /// `model` of the service at `base_url`, such as `https://api.openai.com/v1`. Empty: there is none.
    pub fn new(base_url: &str, key: String, model: String) -> Result<Self, NoClient> {
        let http = http::connecting_anew(CONNECT_TIMEOUT)?;
        Ok(Self { http, base_url: base_url.trim_end_matches('/').to_owned(), key, model })
    }

    /// What the model proposes to somebody who asks `user_input` where the shot is `current_params`.
    pub async fn suggest(
        &self,
        user_input: &UserInput,
        current_params: &MotionParams,
    ) -> Result<Suggestions, ChatError> {
        if self.base_url.is_empty() {
            return Err(ChatError::NotConfigured);
        }
        let question = json!({"user_input": user_input, "current_params": current_params});
        let body = json!({
            "model": self.model,
            "messages": [
                {"role": "system", "content": INSTRUCTIONS},
                {"role": "user", "content": question.to_string()},
            ],
            "response_format": {"type": "json_object"},
        });
        let unavailable = |error: reqwest::Error| ChatError::Unavailable(error.without_url());
        let request = self.http.post(format!("{}/chat/completions", self.base_url)).bearer_auth(&self.key);
        let response = request.timeout(TIMEOUT).json(&body).send().await.map_err(unavailable)?;
        if !response.status().is_success() {
            return Err(ChatError::Refused(response.status().as_u16()));
        }
        let completion: Completion = response.json().await.map_err(unavailable)?;
        let content = completion.choices.into_iter().next().and_then(|choice| choice.message.content);
        read_suggestions(content.as_deref().ok_or(ChatError::Unusable("no content"))?)
    }
}

fn read_suggestions(content: &str) -> Result<Suggestions, ChatError> {
    let suggestions: Suggestions =
        serde_json::from_str(content).map_err(|_| ChatError::Unusable("not the JSON that was asked for"))?;
    let Suggestions { camera_movement, shot_type, lighting, motion_prompt, reasoning } = &suggestions;
    let texts =
        [camera_movement, shot_type, lighting, motion_prompt].into_iter().flatten().chain([reasoning]);
    if texts.into_iter().any(|text| text.chars().count() > MAX_CHARS) {
        return Err(ChatError::Unusable("too long"));
    }
    Ok(suggestions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_json_with_a_reason() {
        let read = read_suggestions(r#"{"camera_movement": "环绕", "reasoning": "更有空间感", "mood": "x"}"#)
            .unwrap();
        assert_eq!(read.camera_movement.as_deref(), Some("环绕"));
        assert_eq!(read.shot_type, None);
        for bad in ["", "环绕", "{}", r#"{"reasoning": 1}"#, r#"{"reasoning": "x", "lighting": ["y"]}"#] {
            assert!(read_suggestions(bad).is_err(), "{bad}");
        }
        let long = json!({"reasoning": "x", "lighting": "长".repeat(2_001)}).to_string();
        assert!(read_suggestions(&long).is_err());
    }
}
