//! CORS as an HTTP API with a `CorsConfiguration` does it: the gateway answers preflights by itself, and its headers replace the
//! function's.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::template::Cors;

/// What `*` stands for.
const ALL_METHODS: &str = "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT";

/// Headers that only the gateway may send.
const OWNED: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// The configuration, ready for use.
pub struct CorsPolicy(Cors);

impl CorsPolicy {
    pub fn new(cors: Cors) -> Self {
        Self(cors)
    }

    /// The answer to any `OPTIONS`: 204, with headers if it is a preflight of an allowed origin.
    pub fn preflight(&self, request: &HeaderMap) -> Response {
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        if !request.contains_key(ACCESS_CONTROL_REQUEST_METHOD) || !self.grant(request, headers) {
            return response;
        }
        let methods = if self.0.allow_methods.iter().any(|method| method == "*") {
            ALL_METHODS.to_owned()
        } else {
            self.0.allow_methods.join(",")
        };
        insert(headers, ACCESS_CONTROL_ALLOW_METHODS, &methods);
        insert(headers, ACCESS_CONTROL_ALLOW_HEADERS, &self.0.allow_headers.join(","));
        if let Some(seconds) = self.0.max_age {
            insert(headers, ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
        response
    }

    /// Puts the headers of any other response: the function's own are dropped, the gateway's come only for an allowed origin.
    pub fn apply(&self, request: &HeaderMap, response: &mut HeaderMap) {
        for name in OWNED {
            response.remove(name);
        }
        self.grant(request, response);
    }

    /// Whether the origin is allowed, which is then told to the browser.
    fn grant(&self, request: &HeaderMap, response: &mut HeaderMap) -> bool {
        let Some(origin) = self.allowed_origin(request) else { return false };
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.0.allow_credentials {
            response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        insert(response, ACCESS_CONTROL_EXPOSE_HEADERS, &self.0.expose_headers.join(","));
        true
    }

    /// What `Access-Control-Allow-Origin` says to this request, if its origin is allowed.
    fn allowed_origin(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(ORIGIN)?;
        let text = origin.to_str().ok()?;
        self.0.allow_origins.iter().find_map(|allowed| match allowed.as_str() {
            "*" => Some(HeaderValue::from_static("*")),
            "https://*" | "http://*" => {
                text.starts_with(allowed.trim_end_matches('*')).then(|| origin.clone())
            }
            exact => exact.eq_ignore_ascii_case(text).then(|| origin.clone()),
        })
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if !value.is_empty()
        && let Ok(value) = HeaderValue::from_str(value)
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(origins: &[&str]) -> CorsPolicy {
        CorsPolicy::new(Cors {
            allow_origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
            allow_methods: vec!["GET".to_owned(), "POST".to_owned()],
            allow_headers: vec!["content-type".to_owned()],
            expose_headers: vec!["etag".to_owned()],
            allow_credentials: false,
            max_age: Some(60),
        })
    }

    fn request(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_preflight_of_an_allowed_origin() {
        let cors = policy(&["https://a.example"]);
        let asked = request(&[("origin", "https://a.example"), ("access-control-request-method", "POST")]);
        let response = cors.preflight(&asked);
        assert_eq!(response.status(), 204);
        let headers = response.headers();
        assert_eq!(headers["access-control-allow-origin"], "https://a.example");
        assert_eq!(headers["access-control-allow-methods"], "GET,POST");
        assert_eq!(headers["access-control-allow-headers"], "content-type");
        assert_eq!(headers["access-control-max-age"], "60");
    }

    #[test]
    fn a_foreign_origin_gets_nothing() {
        let cors = policy(&["https://a.example"]);
        let asked = request(&[("origin", "https://b.example"), ("access-control-request-method", "POST")]);
        let response = cors.preflight(&asked);
        assert_eq!((response.status().as_u16(), response.headers().len()), (204, 0));
    }

    #[test]
    fn the_functions_own_headers_are_replaced() {
        let mut headers = request(&[("access-control-allow-origin", "https://x"), ("etag", "1")]);
        policy(&["*"]).apply(&request(&[("origin", "null")]), &mut headers);
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert_eq!(headers["access-control-expose-headers"], "etag");
        policy(&["*"]).apply(&HeaderMap::new(), &mut headers);
        assert!(!headers.contains_key("access-control-allow-origin"));
        assert!(headers.contains_key("etag"));
    }

    #[test]
    fn wildcards_of_a_scheme() {
        let mut headers = HeaderMap::new();
        policy(&["https://*"]).apply(&request(&[("origin", "http://a")]), &mut headers);
        assert!(headers.is_empty());
        policy(&["https://*"]).apply(&request(&[("origin", "https://a")]), &mut headers);
        assert_eq!(headers["access-control-allow-origin"], "https://a");
    }
}
