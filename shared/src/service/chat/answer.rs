//! What a chat service's answer means. Services agree on the shape of a success; how they fail they don't: a gateway before them
//! says it in HTML, `error` may be an object or a sentence, `code` null, a word or a number, and what is no use to repeat comes
//! with the status of what is.

use std::time::Duration;

use reqwest::{StatusCode, header::HeaderMap};
use serde::Deserialize;
use serde_json::Value;

use super::{ChatError, Fault};
use crate::service::http::retry_after;

/// In a service's code or type, without case and punctuation: it won't talk about this. `content_filter` of Kimi,
/// `content_policy_violation` and `moderation_blocked` of OpenAI, `data_inspection_failed` of Qwen, `Input…SensitiveContentDetected` of Ark.
const MODERATION: [&str; 5] =
    ["contentfilter", "contentpolicy", "moderation", "datainspection", "sensitivecontent"];
/// The same: the account has to be looked after, whatever the status. `insufficient_quota` and codes about credits and limits of
/// spending of OpenAI, `Arrearage` of Qwen, `exceeded_current_quota_error` of Kimi, `QuotaExceeded`, `SetLimitExceeded` and
/// `AccountOverdueError` of Ark.
const ACCOUNT: [&str; 10] = [
    "insufficientquota",
    "insufficientbalance",
    "exceededcurrentquota",
    "quotaexceeded",
    "setlimitexceeded",
    "billing",
    "credit",
    "spend",
    "arrearage",
    "overdue",
];
/// A longer code, or one with other characters, may be a sentence that quotes us.
const MAX_CODE_CHARS: usize = 64;

/// What the model said.
#[derive(Debug)]
pub(super) struct Said {
    pub text: String,
    /// Whether it had to stop before it was done.
    pub is_cut: bool,
}

/// Why it said nothing.
#[derive(Debug)]
pub(super) struct Failure {
    pub error: ChatError,
    pub retry: Retry,
}

/// When the same may be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    Now,
    Soon,
    /// After as long as the service says.
    After(Duration),
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
}

/// Reads an answer. Blank lines before the JSON, with which DeepSeek keeps a connection open
/// (<https://api-docs.deepseek.com/quick_start/rate_limit>), are blanks to any parser.
pub(super) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Said, Failure> {
    let completion = status.is_success().then(|| serde_json::from_slice::<Completion>(body).ok()).flatten();
    match completion.and_then(|completion| completion.choices.into_iter().next()) {
        Some(choice) => said(choice),
        None => Err(failure(status, headers, body)),
    }
}

fn said(Choice { message, finish_reason }: Choice) -> Result<Said, Failure> {
    let never = |error| Err(Failure { error, retry: Retry::Never });
    let is_refused = message.refusal.is_some_and(|refusal| !refusal.is_empty());
    match finish_reason.as_deref() {
        _ if is_refused => return never(ChatError::Refused),
        Some("content_filter") => return never(ChatError::Refused),
        // DeepSeek's, of an answer that it gave up halfway.
        Some("insufficient_system_resource") => {
            return Err(Failure { error: ChatError::Busy, retry: Retry::Soon });
        }
        _ => {}
    }
    let is_cut = finish_reason.as_deref() == Some("length");
    let text = message.content.unwrap_or_default();
    match text.trim().is_empty() {
        false => Ok(Said { text, is_cut }),
        // All that it may write went into thoughts, and would again.
        true if is_cut => never(ChatError::Unusable(Fault::Cut)),
        // Happens in JSON mode now and then, and is to be asked again, says DeepSeek
        // (<https://api-docs.deepseek.com/guides/json_mode>).
        true => Err(Failure { error: ChatError::Unusable(Fault::Empty), retry: Retry::Now }),
    }
}

fn failure(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    // Where it is a sentence, or isn't there, a code may stand beside it.
    let error = Some(&body["error"]).filter(|error| error.is_object()).unwrap_or(&body);
    let codes = [word(&error["code"]), word(&error["type"])];
    let is_about = |words: &[&str]| {
        let has_any = |code: &String| {
            let letters = code.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "");
            words.iter().any(|word| letters.contains(word))
        };
        codes.iter().flatten().any(has_any)
    };
    if is_about(&MODERATION) {
        return Failure { error: ChatError::Refused, retry: Retry::Never };
    }
    let is_of_account = is_about(&ACCOUNT);
    let retry = retry_after(headers).map_or(Retry::Soon, Retry::After);
    let [code, kind] = codes;
    match status.as_u16() {
        429 if !is_of_account => Failure { error: ChatError::Busy, retry },
        // As OpenAI's own SDKs do. A success without an answer in it isn't our fault either.
        status @ (200..=299 | 408 | 409 | 500..=599) if !is_of_account => {
            Failure { error: ChatError::Broken(status), retry }
        }
        status => Failure { error: ChatError::Denied { status, code: code.or(kind) }, retry: Retry::Never },
    }
}

/// A code that can be shown.
fn word(code: &Value) -> Option<String> {
    let code = match code {
        Value::String(code) => code.clone(),
        Value::Number(code) => code.to_string(),
        _ => return None,
    };
    let is_word = (1..=MAX_CODE_CHARS).contains(&code.len())
        && code.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    is_word.then_some(code)
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
