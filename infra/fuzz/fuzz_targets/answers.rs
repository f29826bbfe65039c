//! Answers of video vendors and chat models: whatever they are, what comes of them can be stored and shown.
//! The first line is a status, the second a `Retry-After`, the rest a body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderValue, RETRY_AFTER},
};
// What the included modules call `crate::model` and `crate::service`.
use shared::{model, service};

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(3, '\n');
    let status =
        lines.next().and_then(|line| line.parse().ok()).and_then(|code| StatusCode::from_u16(code).ok());
    let (Some(status), Some(retry_after), Some(body)) = (status, lines.next(), lines.next()) else { return };
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(retry_after) {
        headers.insert(RETRY_AFTER, value.clone());
        headers.insert("retry-after-ms", value);
    }
    video_vendor::check(status, &headers, body);
    chat::check(status, &headers, body);
});

fn is_chinese(text: &str) -> bool {
    text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter))
}

#[path = "../../../shared/src/service/video_vendor"]
#[allow(dead_code, reason = "the rest of it is for asking")]
mod video_vendor {
    mod ark;
    mod kling;
    mod plain;
    mod prompt;
    mod protocol;
    mod runway;

    use reqwest::{StatusCode, header::HeaderMap};
    use serde_json::Map;
    use shared::service::http;

    use self::protocol::{Fault, Protocol, Reply, TaskState};
    use super::is_chinese;

    pub fn check(status: StatusCode, headers: &HeaderMap, body: &str) {
        let body = serde_json::from_str(body).unwrap_or_default();
        let reply = Reply { status, retry_after: http::retry_after(headers), body };
        let ark = ark::Ark::new("", Map::new());
        let kling = kling::Kling::new("", Map::new());
        let runway = runway::Runway::new("", Map::new());
        for vendor in [&ark as &dyn Protocol, &kling, &runway, &plain::Plain] {
            match vendor.created(&reply) {
                Ok(id) => assert!(!id.is_empty()),
                Err(fault) => check_fault(&fault),
            }
            match vendor.state(&reply) {
                Ok(TaskState::Succeeded { url }) => assert!(!url.is_empty()),
                Ok(TaskState::Failed { reason }) => check_reason(&reason),
                Ok(TaskState::Unknown { state }) => assert!((1..=64).contains(&state.chars().count())),
                Ok(TaskState::Running) => {}
                Err(fault) => check_fault(&fault),
            }
            if vendor.is_unknown(&reply) {
                assert_eq!(vendor.created(&reply).ok(), None, "no task and yet one");
            }
        }
    }

    fn check_fault(fault: &Fault) {
        if let Fault::Refused { reason } = fault {
            check_reason(reason);
        }
    }

    fn check_reason(reason: &str) {
        assert!(is_chinese(reason) && reason.chars().count() <= 500, "{reason}");
    }
}

#[path = "../../../shared/src/service/chat"]
#[allow(dead_code, reason = "the rest of it is for asking")]
mod chat {
    mod answer;
    mod content;
    mod prompt;

    use reqwest::{StatusCode, header::HeaderMap};
    use shared::model::Suggestions;
    // What the included modules find in their parent.
    use shared::service::chat::{ChatError, Fault, Format, ModelConfig};

    pub fn check(status: StatusCode, headers: &HeaderMap, body: &str) {
        let said = match answer::read(status, headers, body.as_bytes()) {
            Ok(said) => {
                assert!(!said.text.trim().is_empty());
                said
            }
            Err(failure) => {
                if let ChatError::Denied { code: Some(code), .. } = failure.error {
                    let is_word = code.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
                    assert!(is_word && (1..=64).contains(&code.len()), "{code}");
                }
                // The model's own text, too, may be anything.
                answer::Said { text: body.to_owned(), is_cut: status.is_client_error() }
            }
        };
        if let Ok(suggestions) = content::read(&said) {
            check_suggestions(&suggestions);
        }
    }

    fn check_suggestions(suggestions: &Suggestions) {
        let Suggestions { camera_movement, shot_type, lighting, motion_prompt, reasoning } = suggestions;
        let others = [camera_movement, shot_type, lighting, motion_prompt];
        for text in others.into_iter().flatten().chain([reasoning]) {
            assert!((1..=2_000).contains(&text.chars().count()));
            assert_eq!(text.trim(), text);
        }
        assert!(!prompt::quotes_instructions(&format!("{suggestions:?}")));
    }
}
