//! A request as the event that the function gets: payload format 2.0.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, USER_AGENT};
use axum::http::{HeaderMap, request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use super::routes::Match;
use crate::gateway::ids;
use crate::template::ACCOUNT_ID;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    route_key: &'a str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<String, String>,
    request_context: Context<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    path_parameters: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    account_id: &'static str,
    api_id: &'a str,
    domain_name: String,
    domain_prefix: String,
    http: Http<'a>,
    request_id: &'a str,
    route_key: &'a str,
    stage: &'static str,
    time: String,
    time_epoch: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: String,
    source_ip: String,
    user_agent: String,
}

/// The event as JSON.
pub fn event(
    parts: &request::Parts,
    body: &Bytes,
    route: &Match<'_>,
    api_id: &str,
    source: IpAddr,
    request_id: &str,
) -> Bytes {
    let now = Timestamp::now();
    let (body, is_base64_encoded) = body_of(&parts.headers, body);
    let host = text_of(&parts.headers, &HOST);
    let raw_query_string = parts.uri.query().unwrap_or_default();
    let event = Event {
        version: "2.0",
        route_key: &route.route_key,
        raw_path: parts.uri.path(),
        raw_query_string,
        cookies: cookies(&parts.headers),
        headers: headers(&parts.headers, source),
        query_string_parameters: joined(form_urlencoded::parse(raw_query_string.as_bytes())),
        request_context: Context {
            account_id: ACCOUNT_ID,
            api_id,
            domain_prefix: host.split('.').next().unwrap_or_default().to_owned(),
            domain_name: host,
            http: Http {
                method: parts.method.as_str(),
                path: parts.uri.path(),
                protocol: format!("{:?}", parts.version),
                source_ip: source.to_string(),
                user_agent: text_of(&parts.headers, &USER_AGENT),
            },
            request_id,
            route_key: &route.route_key,
            stage: "$default",
            time: ids::request_time(now),
            time_epoch: now.as_millisecond(),
        },
        path_parameters: &route.path_parameters,
        body,
        is_base64_encoded,
    };
    // Of strings, numbers and maps with string keys: it cannot fail, and an empty event is refused.
    serde_json::to_vec(&event).unwrap_or_default().into()
}

/// In lower case, repeated ones joined with commas; cookies are apart. To the client's headers come those of the gateway.
fn headers(headers: &HeaderMap, source: IpAddr) -> BTreeMap<&str, String> {
    let mut joined: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != COOKIE) {
        let value = String::from_utf8_lossy(value.as_bytes());
        join(joined.entry(name.as_str()).or_default(), &value);
    }
    join(joined.entry("x-forwarded-for").or_default(), &source.to_string());
    joined.entry("x-forwarded-proto").or_insert_with(|| "http".to_owned());
    joined
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(COOKIE).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    lines
        .flat_map(|line| line.split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>())
        .collect()
}

fn joined<K: Into<String>, V: AsRef<str>>(pairs: impl Iterator<Item = (K, V)>) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs {
        // Not `join`: an empty first value is a value too.
        joined
            .entry(name.into())
            .and_modify(|list| *list = format!("{list},{}", value.as_ref()))
            .or_insert_with(|| value.as_ref().to_owned());
    }
    joined
}

fn join(list: &mut String, value: &str) {
    if !list.is_empty() {
        list.push(',');
    }
    list.push_str(value);
}

fn text_of(headers: &HeaderMap, name: &axum::http::HeaderName) -> String {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

/// Text arrives as text, all else as base64.
fn body_of(headers: &HeaderMap, body: &Bytes) -> (Option<String>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    if is_text(&text_of(headers, &CONTENT_TYPE))
        && let Ok(text) = str::from_utf8(body)
    {
        return (Some(text.to_owned()), false);
    }
    (Some(STANDARD.encode(body)), true)
}

fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || matches!(
            kind.as_str(),
            "application/json"
                | "application/xml"
                | "application/javascript"
                | "application/x-www-form-urlencoded"
        )
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde_json::{Value, json};

    use super::*;

    fn event_of(request: Request<&'static [u8]>) -> Value {
        let (parts, body) = request.into_parts();
        let route = Match {
            route_key: "POST /a/{b}".to_owned(),
            function: "F",
            path_parameters: BTreeMap::from([("b".to_owned(), "中".to_owned())]),
        };
        let event = event(&parts, &Bytes::from_static(body), &route, "api", [127, 0, 0, 1].into(), "id=");
        serde_json::from_slice(&event).unwrap()
    }

    #[test]
    fn a_request_with_everything() {
        let request = Request::post("/a/%E4%B8%AD?x=1&y=%20&x=2&z")
            .header("host", "127.0.0.1:3001")
            .header("content-type", "application/json; charset=utf-8")
            .header("cookie", "a=1; b=2")
            .header("x-many", "1")
            .header("x-many", "2")
            .header("user-agent", "curl")
            .body(b"{}".as_slice())
            .unwrap();
        let event = event_of(request);
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["routeKey"], "POST /a/{b}");
        assert_eq!(event["rawPath"], "/a/%E4%B8%AD");
        assert_eq!(event["rawQueryString"], "x=1&y=%20&x=2&z");
        assert_eq!(event["queryStringParameters"], json!({"x": "1,2", "y": " ", "z": ""}));
        assert_eq!(event["pathParameters"], json!({"b": "中"}));
        assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
        assert_eq!(event["headers"]["x-many"], "1,2");
        assert_eq!(event["headers"]["x-forwarded-for"], "127.0.0.1");
        assert_eq!(event["headers"].get("cookie"), None);
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{}"), &json!(false)));
        let context = &event["requestContext"];
        assert_eq!(
            context["http"],
            json!({
                "method": "POST", "path": "/a/%E4%B8%AD", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "curl",
            })
        );
        assert_eq!(
            (&context["domainName"], &context["stage"]),
            (&json!("127.0.0.1:3001"), &json!("$default"))
        );
        assert!(context["timeEpoch"].is_i64());
    }

    #[test]
    fn binary_is_base64_and_nothing_is_nothing() {
        let png = event_of(
            Request::post("/").header("content-type", "image/png").body(b"\x89PNG".as_slice()).unwrap(),
        );
        assert_eq!((&png["body"], &png["isBase64Encoded"]), (&json!("iVBORw=="), &json!(true)));
        let bad_text = event_of(
            Request::post("/").header("content-type", "text/plain").body(b"\xff".as_slice()).unwrap(),
        );
        assert_eq!(bad_text["isBase64Encoded"], true);
        let empty = event_of(Request::get("/").body(b"".as_slice()).unwrap());
        assert_eq!(empty.get("body"), None);
        assert_eq!(empty.get("queryStringParameters"), None);
        assert_eq!(empty.get("cookies"), None);
    }
}
