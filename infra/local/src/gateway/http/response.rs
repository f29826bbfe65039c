//! The function's answer as an HTTP response, as payload format 2.0 has it.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html#http-api-develop-integrations-lambda.response>

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    multi_value_headers: Option<BTreeMap<String, Vec<Value>>>,
    #[serde(default)]
    cookies: Option<Vec<String>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

/// The response, or why the answer is none.
pub fn response(answer: &Bytes) -> Result<Response, String> {
    let value: Value = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    if value.get("statusCode").is_none() {
        // Without a status code the whole answer is the body.
        return Ok(([(CONTENT_TYPE, "application/json")], answer.clone()).into_response());
    }
    let answer: Answer = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let status = StatusCode::from_u16(answer.status_code).map_err(|error| error.to_string())?;
    let body = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded.unwrap_or_default() {
        Bytes::from(STANDARD.decode(body).map_err(|error| error.to_string())?)
    } else {
        Bytes::from(body)
    };

    let mut headers = HeaderMap::new();
    if !body.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=utf-8"));
    }
    for (name, value) in answer.headers.unwrap_or_default() {
        let (name, value) = header(&name, &value)?;
        headers.insert(name, value);
    }
    for (name, values) in answer.multi_value_headers.unwrap_or_default() {
        let mut values = values.iter();
        if let Some(first) = values.next() {
            let (name, first) = header(&name, first)?;
            headers.insert(name.clone(), first);
            for value in values {
                headers.append(name.clone(), header(name.as_str(), value)?.1);
            }
        }
    }
    for cookie in answer.cookies.unwrap_or_default() {
        headers.append(SET_COOKIE, HeaderValue::try_from(cookie).map_err(|error| error.to_string())?);
    }
    // What belongs to the connection is the gateway's affair.
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn header(name: &str, value: &Value) -> Result<(HeaderName, HeaderValue), String> {
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        other => return Err(format!("the header {name} is {other}")),
    };
    let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
    Ok((name, HeaderValue::try_from(value).map_err(|error| error.to_string())?))
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::json;

    use super::*;

    async fn respond(answer: Value) -> (u16, HeaderMap, Bytes) {
        let answer = Bytes::from(answer.to_string());
        let response = response(&answer).unwrap();
        let (parts, body) = response.into_parts();
        (parts.status.as_u16(), parts.headers, to_bytes(body, usize::MAX).await.unwrap())
    }

    #[tokio::test]
    async fn a_full_answer() {
        let (status, headers, body) = respond(json!({
            "statusCode": 201,
            "headers": {"Content-Type": "image/png", "X-Number": 5, "Connection": "close"},
            "multiValueHeaders": {"x-two": ["a", "b"]},
            "cookies": ["a=1", "b=2"],
            "body": "iVBORw==",
            "isBase64Encoded": true,
        }))
        .await;
        assert_eq!((status, body.as_ref()), (201, b"\x89PNG".as_slice()));
        assert_eq!(
            (&headers["content-type"], &headers["x-number"]),
            (&"image/png".parse().unwrap(), &"5".parse().unwrap())
        );
        assert_eq!(headers.get_all("x-two").iter().count(), 2);
        assert_eq!(headers.get_all("set-cookie").iter().count(), 2);
        assert!(!headers.contains_key("connection"));
    }

    #[tokio::test]
    async fn an_answer_without_a_status_code_is_the_body() {
        let (status, headers, body) = respond(json!({"message": "hi"})).await;
        assert_eq!((status, body.as_ref()), (200, br#"{"message":"hi"}"#.as_slice()));
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(respond(json!("hi")).await.2, "\"hi\"");
    }

    #[tokio::test]
    async fn nulls_are_nothing() {
        let (status, headers, body) = respond(
            json!({"statusCode": 304, "headers": {}, "body": null, "cookies": null, "isBase64Encoded": null}),
        )
        .await;
        assert_eq!((status, headers.len(), body.len()), (304, 0, 0));
    }

    #[test]
    fn a_bad_answer_is_none() {
        for bad in [
            json!({"statusCode": "x"}),
            json!({"statusCode": 7}),
            json!({"statusCode": 200, "body": {"a": 1}}),
            json!({"statusCode": 200, "body": "?", "isBase64Encoded": true}),
            json!({"statusCode": 200, "headers": {"a b": "c"}}),
        ] {
            assert!(response(&Bytes::from(bad.to_string())).is_err(), "{bad}");
        }
    }
}
