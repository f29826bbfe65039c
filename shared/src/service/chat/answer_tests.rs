//! The shapes of OpenAI, DeepSeek, Qwen and others, invented after their documentation.

use serde_json::json;

use super::*;

fn read_text(status: u16, body: &str) -> Result<Said, Failure> {
    read(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes())
}

#[track_caller]
fn failed(status: u16, body: &str) -> (String, Retry) {
    let Failure { error, retry } = read_text(status, body).unwrap_err();
    (error.to_string(), retry)
}

#[test]
fn each_service_says_it_in_its_own_way() {
    let openai = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt", "service_tier": "default",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "{}", "refusal": null, "annotations": []},
            "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "prompt_tokens_details": {"cached_tokens": 0}},
    });
    let deepseek = json!({
        "id": "1", "object": "chat.completion", "created": 1, "model": "deepseek-chat",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "{}", "reasoning_content": "hm"},
            "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "prompt_cache_hit_tokens": 0},
    });
    let qwen = json!({
        "choices": [{"message": {"role": "assistant", "content": "{}"}, "finish_reason": "stop", "index": 0, "logprobs": null}],
        "object": "chat.completion", "usage": {"total_tokens": 2}, "created": 1, "system_fingerprint": null,
        "model": "qwen-plus", "id": "chatcmpl-1",
    });
    for body in [openai.to_string(), format!("\n\n\n{deepseek}"), qwen.to_string()] {
        let said = read_text(200, &body).unwrap();
        assert_eq!((said.text.as_str(), said.is_cut), ("{}", false));
    }
}

fn choice(message: Value, finish_reason: &str) -> String {
    json!({"choices": [{"message": message, "finish_reason": finish_reason}]}).to_string()
}

#[test]
fn cut_empty_and_refused_are_three_things() {
    assert!(read_text(200, &choice(json!({"content": "{\"reason"}), "length")).unwrap().is_cut);
    let cut = failed(200, &choice(json!({"content": ""}), "length"));
    assert_eq!(cut.1, Retry::Never);
    assert!(cut.0.contains("cut off"));
    for empty in [json!({"content": null}), json!({}), json!({"content": " \n\n "})] {
        let (error, retry) = failed(200, &choice(empty, "stop"));
        assert_eq!((error.as_str(), retry), ("unusable answer of the chat model: it is empty", Retry::Now));
    }
    for refused in [
        choice(json!({"content": null, "refusal": "I can't help with that."}), "stop"),
        choice(json!({"content": "{\"par"}), "content_filter"),
    ] {
        let (error, retry) = failed(200, &refused);
        assert_eq!((error.as_str(), retry), ("refused by the chat service's moderation", Retry::Never));
    }
    let given_up = failed(200, &choice(json!({"content": "{"}), "insufficient_system_resource"));
    assert_eq!(given_up, ("chat service busy".to_owned(), Retry::Soon));
}

fn of(code: Value, kind: Value) -> String {
    json!({"error": {"message": "geheim", "type": kind, "param": null, "code": code}}).to_string()
}

#[test]
fn what_passes_is_asked_again() {
    for (status, body) in [
        (429, of(json!("rate_limit_exceeded"), json!("tokens"))),
        (429, of(json!("slow_down"), Value::Null)),
        (429, of(Value::Null, json!("engine_overloaded_error"))),
        (429, of(json!("Throttling.AllocationQuota"), json!("Throttling.AllocationQuota"))),
        (429, of(json!("limit_requests"), Value::Null)),
        (429, String::new()),
    ] {
        assert_eq!(failed(status, &body), ("chat service busy".to_owned(), Retry::Soon), "{body}");
    }
    for (status, body) in [
        (500, of(Value::Null, json!("server_error"))),
        (503, "<html><body>Service Unavailable</body></html>".to_owned()),
        (502, json!({"error": "upstream"}).to_string()),
        (408, String::new()),
        (409, of(json!(409), Value::Null)),
        (200, "<html>".to_owned()),
        (200, json!({"choices": []}).to_string()),
    ] {
        assert_eq!(failed(status, &body), (format!("chat service failed with {status}"), Retry::Soon));
    }
}

#[test]
fn what_only_the_operator_can_mend_is_not() {
    for (status, body, code) in [
        (429, of(json!("insufficient_quota"), json!("insufficient_quota")), "insufficient_quota"),
        (429, of(Value::Null, json!("exceeded_current_quota_error")), "exceeded_current_quota_error"),
        (429, of(json!("credit_limit_reached"), Value::Null), "credit_limit_reached"),
        (429, of(json!("monthly_spend_limit"), Value::Null), "monthly_spend_limit"),
        (429, of(json!("SetLimitExceeded"), Value::Null), "SetLimitExceeded"),
        (400, of(json!("Arrearage"), json!("Arrearage")), "Arrearage"),
        (500, of(json!("Arrearage"), Value::Null), "Arrearage"),
        (400, json!({"code": "InvalidParameter", "message": "geheim"}).to_string(), "InvalidParameter"),
        (401, of(json!("invalid_api_key"), json!("invalid_request_error")), "invalid_api_key"),
        (401, json!({"error": "geheim"}).to_string(), "without a code"),
        (402, of(json!("invalid_request_error"), json!("unknown_error")), "invalid_request_error"),
        (403, of(json!(1113), Value::Null), "1113"),
        (404, of(Value::Null, json!("not_found_error")), "not_found_error"),
        (400, of(json!("geheim, as you said"), Value::Null), "without a code"),
        (422, of(json!("x".repeat(65)), Value::Null), "without a code"),
        (302, String::new(), "without a code"),
    ] {
        let expected = format!("chat service turned us away with {status}, {code}");
        assert_eq!(failed(status, &body), (expected, Retry::Never));
    }
}

#[test]
fn moderation_is_told_from_a_mistake_of_ours() {
    for body in [
        of(json!("content_policy_violation"), json!("invalid_request_error")),
        of(json!("data_inspection_failed"), json!("data_inspection_failed")),
        of(Value::Null, json!("content_filter")),
        of(json!("InputTextSensitiveContentDetected"), json!("BadRequest")),
        json!({"code": "DataInspectionFailed", "message": "geheim"}).to_string(),
    ] {
        let expected = ("refused by the chat service's moderation".to_owned(), Retry::Never);
        assert_eq!(failed(400, &body), expected, "{body}");
    }
}

#[test]
fn a_service_may_say_when() {
    let after = |given: &[(&'static str, &str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.insert(*name, value.parse().unwrap());
        }
        read(StatusCode::TOO_MANY_REQUESTS, &headers, b"").unwrap_err().retry
    };
    let ms = |ms| Retry::After(Duration::from_millis(ms));
    assert_eq!(after(&[("retry-after", "2")]), ms(2_000));
    assert_eq!(after(&[("retry-after", "0.5")]), ms(500));
    assert_eq!(after(&[("retry-after", "9"), ("retry-after-ms", "250")]), ms(250));
    assert_eq!(after(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]), ms(0));
    let Retry::After(long) = after(&[("retry-after", "Fri, 06 Nov 2893 08:49:37 GMT")]) else { panic!() };
    assert!(long > Duration::from_secs(3_600));
    for nonsense in ["soon", "-1", "NaN", "1e400", ""] {
        assert_eq!(after(&[("retry-after", nonsense)]), Retry::Soon, "{nonsense}");
    }
}
