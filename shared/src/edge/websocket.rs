//! The events of the WebSocket API.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html>

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::function::note;

/// The protocol on a socket. A browser can't send a token in a header, but it can name protocols.
const PROTOCOL: &str = "motionboard";

/// What there is to know of an event of a route of the WebSocket API. The rest of it, and there is much, isn't even parsed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Where it comes from.
    pub request_context: RequestContext,
    /// The frame, if there is one.
    pub body: Option<String>,
    /// Whether the frame was binary.
    #[serde(default)]
    pub is_base64_encoded: bool,
}

/// Where an event comes from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestContext {
    /// The connection that it is about.
    pub connection_id: String,
    /// The same for each delivery of a frame.
    pub message_id: Option<String>,
    /// The gateway's id of the event, which its access log shows too.
    pub request_id: Option<String>,
}

impl RequestContext {
    /// Has all lines about this event say which connection it is about, and what the gateway calls it.
    pub fn note(&self) {
        note("connection_id", &self.connection_id);
        if let Some(id) = &self.request_id {
            note("correlation_id", id);
        }
    }
}

/// A handshake.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handshake {
    /// Where it comes from.
    pub request_context: RequestContext,
    #[serde(default)]
    headers: HashMap<String, String>,
    #[serde(default)]
    query_string_parameters: Option<HashMap<String, String>>,
}

impl Handshake {
    /// Names come as the client wrote them.
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn protocols(&self) -> impl Iterator<Item = &str> {
        self.header("sec-websocket-protocol").into_iter().flat_map(|list| list.split(',')).map(str::trim)
    }

    /// The page that the client is on, which only browsers say.
    pub fn origin(&self) -> Option<&str> {
        self.header("origin")
    }

    /// The token, of `?token=<token>` or `Sec-WebSocket-Protocol: motionboard, <token>` (contract §7).
    pub fn token(&self) -> Option<&str> {
        let query = self.query_string_parameters.as_ref().and_then(|query| query.get("token"));
        query.map(String::as_str).or_else(|| {
            let mut protocols = self.protocols();
            protocols.find(|protocol| *protocol == PROTOCOL)?;
            protocols.next()
        })
    }

    /// Whether the client offers the protocol `motionboard`: a browser insists on one of those that it offers.
    pub fn offers_protocol(&self) -> bool {
        self.protocols().any(|protocol| protocol == PROTOCOL)
    }
}

/// The pages that may open a connection.
#[derive(Debug)]
pub enum Origins {
    /// All.
    Any,
    /// These.
    Only(Vec<String>),
}

impl Origins {
    /// Those in `list`, separated by commas; `*` is any.
    pub fn new(list: &str) -> Self {
        let origins: Vec<String> = list.split(',').map(|origin| origin.trim().to_owned()).collect();
        if origins.iter().any(|origin| origin == "*") { Self::Any } else { Self::Only(origins) }
    }

    /// Whether `origin` is one of them. What is no browser has none, and is stopped by its lack of a token or not at all: an
    /// origin keeps other people's pages from using a person's browser, nothing else.
    pub fn allow(&self, origin: Option<&str>) -> bool {
        match (self, origin) {
            (Self::Any, _) | (Self::Only(_), None) => true,
            (Self::Only(origins), Some(origin)) => origins.iter().any(|allowed| allowed == origin),
        }
    }
}

/// What a route answers. The gateway sends the body of a two-way route back on the socket.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Headers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Headers {
    sec_websocket_protocol: &'static str,
}

impl Response {
    const fn status(status_code: u16) -> Self {
        Self { status_code, headers: None, body: None }
    }

    /// Nothing to say.
    pub const fn ok() -> Self {
        Self::status(200)
    }

    /// The connection opens, and speaks the protocol `motionboard`.
    pub fn ok_with_protocol() -> Self {
        Self { headers: Some(Headers { sec_websocket_protocol: PROTOCOL }), ..Self::status(200) }
    }

    /// `frame` goes back on the socket.
    pub fn frame(frame: String) -> Self {
        Self { body: Some(frame), ..Self::status(200) }
    }

    /// At `$connect`, and so are the others: the handshake is refused with 401, for there is no good token.
    pub const fn unauthorized() -> Self {
        Self::status(401)
    }

    /// 403: not from this page.
    pub const fn forbidden() -> Self {
        Self::status(403)
    }

    /// 429: its owner has enough connections.
    pub const fn too_many() -> Self {
        Self::status(429)
    }

    /// 503: the service can't be reached now.
    pub const fn unavailable() -> Self {
        Self::status(503)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn handshake(rest: &Value) -> Handshake {
        let mut event = json!({"requestContext": {"connectionId": "c"}});
        event.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn a_token_comes_in_the_query_or_behind_the_protocol() {
        let query = handshake(&json!({"queryStringParameters": {"token": "a.b.c"}}));
        assert_eq!((query.token(), query.offers_protocol()), (Some("a.b.c"), false));
        let protocol = |text: &str| handshake(&json!({"headers": {"Sec-WebSocket-Protocol": text}}));
        assert_eq!(protocol("motionboard, a.b.c").token(), Some("a.b.c"));
        assert!(protocol("motionboard,a.b.c").offers_protocol());
        assert_eq!(protocol("motionboard").token(), None);
        assert_eq!(protocol("other, a.b.c").token(), None);
        assert!(!protocol("other, a.b.c").offers_protocol());
        assert_eq!(handshake(&json!({"queryStringParameters": null})).token(), None);
    }

    #[test]
    fn origins_are_compared_as_they_are() {
        let origins = Origins::new("https://studio.example, https://other.example");
        assert!(origins.allow(Some("https://other.example")) && origins.allow(None));
        for stranger in ["https://evil.example", "https://studio.example.evil.example", "null", ""] {
            assert!(!origins.allow(Some(stranger)), "{stranger}");
        }
        assert!(Origins::new("*").allow(Some("null")));
    }

    #[test]
    fn only_the_protocol_is_selected_and_never_the_token() {
        let answer = serde_json::to_value(Response::ok_with_protocol()).unwrap();
        assert_eq!(answer, json!({"statusCode": 200, "headers": {"sec-websocket-protocol": "motionboard"}}));
    }
}
