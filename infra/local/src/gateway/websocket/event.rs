//! The events of a connection's life, as functions get them.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-integrations-lambda.html>

use std::collections::BTreeMap;

use axum::http::{HeaderMap, request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::connections::Connection;
use super::session::End;
use crate::gateway::ids;

/// The API and stage that an event comes from.
pub struct Source {
    pub api_id: String,
    pub stage: String,
}

/// An event, and the request id by which the gateway's own errors name it.
pub struct Event {
    pub request_id: String,
    pub payload: Bytes,
}

impl Source {
    pub fn connect(&self, connection: &Connection, parts: &request::Parts) -> Event {
        let mut event = headers(&parts.headers, connection);
        let query = parts.uri.query().unwrap_or_default();
        if !query.is_empty() {
            let mut last = BTreeMap::new();
            let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (name, value) in form_urlencoded::parse(query.as_bytes()) {
                last.insert(name.clone().into_owned(), value.clone().into_owned());
                all.entry(name.into_owned()).or_default().push(value.into_owned());
            }
            event.insert("queryStringParameters".to_owned(), json!(last));
            event.insert("multiValueQueryStringParameters".to_owned(), json!(all));
        }
        self.event(event, connection, "$connect", "CONNECT")
    }

    pub fn text(&self, connection: &Connection, route_key: &str, body: &str) -> Event {
        self.message_event(connection, route_key, body.to_owned(), false)
    }

    pub fn binary(&self, connection: &Connection, route_key: &str, body: &[u8]) -> Event {
        self.message_event(connection, route_key, STANDARD.encode(body), true)
    }

    fn message_event(
        &self,
        connection: &Connection,
        route_key: &str,
        body: String,
        is_base64: bool,
    ) -> Event {
        let mut event = Map::new();
        event.insert("body".to_owned(), json!(body));
        event.insert("isBase64Encoded".to_owned(), json!(is_base64));
        self.event(event, connection, route_key, "MESSAGE")
    }

    pub fn disconnect(&self, connection: &Connection, end: &End) -> Event {
        let headers = json!({
            "Host": connection.domain_name, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": "",
        });
        let mut event = Map::new();
        event.insert("headers".to_owned(), headers);
        event.insert("disconnectStatusCode".to_owned(), json!(end.code));
        event.insert("disconnectReason".to_owned(), json!(end.reason));
        self.event(event, connection, "$disconnect", "DISCONNECT")
    }

    fn event(
        &self,
        mut event: Map<String, Value>,
        connection: &Connection,
        route_key: &str,
        kind: &str,
    ) -> Event {
        let (now, request_id) = (Timestamp::now(), ids::id());
        let mut context = json!({
            "routeKey": route_key,
            "eventType": kind,
            "extendedRequestId": request_id,
            "requestTime": ids::request_time(now),
            "messageDirection": "IN",
            "stage": self.stage,
            "connectedAt": connection.connected_at.as_millisecond(),
            "requestTimeEpoch": now.as_millisecond(),
            "identity": { "sourceIp": connection.source_ip, "userAgent": connection.user_agent },
            "requestId": request_id,
            "domainName": connection.domain_name,
            "connectionId": connection.id,
            "apiId": self.api_id,
        });
        if kind == "MESSAGE" {
            context["messageId"] = json!(ids::id());
        }
        for name in ["disconnectStatusCode", "disconnectReason"] {
            if let Some(value) = event.remove(name) {
                context[name] = value;
            }
        }
        event.insert("requestContext".to_owned(), context);
        event.entry("isBase64Encoded").or_insert(json!(false));
        Event { request_id, payload: Value::Object(event).to_string().into() }
    }
}

/// Once as single values, the last of each, and once with all.
fn headers(headers: &HeaderMap, connection: &Connection) -> Map<String, Value> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        all.entry(as_written(name.as_str())).or_default().push(value);
    }
    all.entry("X-Forwarded-For".to_owned()).or_default().push(connection.source_ip.to_string());
    all.entry("X-Forwarded-Proto".to_owned()).or_insert_with(|| vec!["http".to_owned()]);
    let last: BTreeMap<_, _> = all.iter().filter_map(|(name, values)| Some((name, values.last()?))).collect();
    [("headers", json!(last)), ("multiValueHeaders", json!(all))]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

/// `Sec-WebSocket-Key`: unlike an HTTP API, a WebSocket API hands on names as clients write them, and hyper has them in lower case.
fn as_written(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    };
    let words: Vec<_> = name
        .split('-')
        .map(|word| if word == "websocket" { "WebSocket".into() } else { capital(word) })
        .collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::super::connections::Connections;
    use super::*;

    fn source() -> Source {
        Source { api_id: "ws".to_owned(), stage: "prod".to_owned() }
    }

    fn connection() -> std::sync::Arc<Connection> {
        Connections::default().add([127, 0, 0, 1].into(), "browser".to_owned(), "localhost:3001".to_owned())
    }

    fn json_of(event: &Event) -> Value {
        serde_json::from_slice(&event.payload).unwrap()
    }

    #[test]
    fn connect() {
        let request = Request::get("/?token=a&token=b%20c")
            .header("sec-websocket-key", "k")
            .header("host", "h")
            .body(())
            .unwrap();
        let connection = connection();
        let event = json_of(&source().connect(&connection, &request.into_parts().0));
        assert_eq!(event["headers"]["Sec-WebSocket-Key"], "k");
        assert_eq!(event["multiValueHeaders"]["Host"], json!(["h"]));
        assert_eq!(event["queryStringParameters"], json!({"token": "b c"}));
        assert_eq!(event["multiValueQueryStringParameters"], json!({"token": ["a", "b c"]}));
        let context = &event["requestContext"];
        assert_eq!((&context["routeKey"], &context["eventType"]), (&json!("$connect"), &json!("CONNECT")));
        assert_eq!(context["connectionId"], connection.id);
        assert_eq!(context["identity"], json!({"sourceIp": "127.0.0.1", "userAgent": "browser"}));
        assert_eq!((&context["stage"], &context["apiId"]), (&json!("prod"), &json!("ws")));
        assert_eq!((event.get("body"), context.get("messageId")), (None, None));
    }

    #[test]
    fn messages() {
        let text = source().text(&connection(), "$default", "{}");
        let event = json_of(&text);
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{}"), &json!(false)));
        assert_eq!(event["requestContext"]["requestId"], text.request_id);
        assert!(event["requestContext"]["messageId"].is_string());
        assert_eq!(event.get("headers"), None);
        let event = json_of(&source().binary(&connection(), "$default", b"{}"));
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("e30="), &json!(true)));
    }

    #[test]
    fn disconnect() {
        let end = End { code: 1005, reason: "Client-side close frame status not set".to_owned() };
        let event = json_of(&source().disconnect(&connection(), &end));
        assert_eq!(event["requestContext"]["disconnectStatusCode"], 1005);
        assert_eq!(event["requestContext"]["disconnectReason"], "Client-side close frame status not set");
        assert_eq!(event.get("disconnectReason"), None);
    }
}
