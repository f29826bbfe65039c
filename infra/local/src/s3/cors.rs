//! Cross-origin requests as S3 answers them.
//!
//! Rules: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html>. The first rule that matches
//! is used, whatever the later ones say. CORS comes before authentication: a browser's preflight is never signed.

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

/// One of a bucket's `CorsRules`, with the members of
/// [`AWS::S3::Bucket CorsRule`](https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-corsrule.html).
#[derive(Debug, Clone)]
pub struct CorsRule {
    /// `AllowedMethods`: of GET, PUT, HEAD, POST, DELETE.
    pub allowed_methods: Vec<Method>,
    /// `AllowedOrigins`; each may hold one `*`.
    pub allowed_origins: Vec<String>,
    /// `AllowedHeaders`; each may hold one `*`.
    pub allowed_headers: Vec<String>,
    /// `ExposedHeaders`.
    pub exposed_headers: Vec<String>,
    /// `MaxAge`, in seconds.
    pub max_age: Option<u32>,
}

/// The answer to an `OPTIONS` request.
pub(super) fn preflight(rules: &[CorsRule], headers: &HeaderMap) -> Response<Body> {
    let Some(origin) = text(headers, ORIGIN) else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            "Insufficient information. Origin request header needed.",
        );
    };
    let Some(method) = text(headers, ACCESS_CONTROL_REQUEST_METHOD) else {
        let message = "Invalid Access-Control-Request-Method: null";
        return refuse(StatusCode::BAD_REQUEST, "BadRequest", message);
    };
    let wanted: Vec<String> = text(headers, ACCESS_CONTROL_REQUEST_HEADERS)
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    if rules.is_empty() {
        let message = "CORSResponse: CORS is not enabled for this bucket.";
        return refuse(StatusCode::FORBIDDEN, "AccessForbidden", message);
    }
    let matching = rules.iter().find_map(|rule| {
        let granted = rule.grants(origin, method)?;
        rule.allows_headers(&wanted).then_some((rule, granted))
    });
    let Some((rule, granted)) = matching else {
        let message = "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, \
                       request method / Access-Control-Request-Method or Access-Control-Request-Headers are not \
                       whitelisted by the resource's CORS spec.";
        return refuse(StatusCode::FORBIDDEN, "AccessForbidden", message);
    };
    let mut response = Response::new(Body::empty());
    response.headers_mut().extend(rule.headers(&granted));
    if !wanted.is_empty() {
        insert(response.headers_mut(), ACCESS_CONTROL_ALLOW_HEADERS, &wanted.join(", "));
    }
    response
}

/// What to add to the answer of any other request.
pub(super) fn actual(rules: &[CorsRule], method: &Method, headers: &HeaderMap) -> HeaderMap {
    let Some(origin) = text(headers, ORIGIN) else { return HeaderMap::new() };
    rules
        .iter()
        .find_map(|rule| Some(rule.headers(&rule.grants(origin, method.as_str())?)))
        .unwrap_or_default()
}

/// To whom a rule grants access.
enum Granted<'a> {
    Everybody,
    Origin(&'a str),
}

impl CorsRule {
    fn grants<'a>(&self, origin: &'a str, method: &str) -> Option<Granted<'a>> {
        let pattern = self.allowed_origins.iter().find(|pattern| matches(pattern, origin))?;
        if !self.allowed_methods.iter().any(|allowed| allowed.as_str() == method) {
            return None;
        }
        Some(if pattern == "*" { Granted::Everybody } else { Granted::Origin(origin) })
    }

    fn allows_headers(&self, wanted: &[String]) -> bool {
        let patterns: Vec<_> =
            self.allowed_headers.iter().map(|pattern| pattern.to_ascii_lowercase()).collect();
        wanted.iter().all(|name| patterns.iter().any(|pattern| matches(pattern, name)))
    }

    fn headers(&self, granted: &Granted<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        match granted {
            Granted::Everybody => insert(&mut headers, ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            Granted::Origin(origin) => {
                insert(&mut headers, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                insert(&mut headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
            }
        }
        let methods: Vec<_> = self.allowed_methods.iter().map(Method::as_str).collect();
        insert(&mut headers, ACCESS_CONTROL_ALLOW_METHODS, &methods.join(", "));
        if !self.exposed_headers.is_empty() {
            insert(&mut headers, ACCESS_CONTROL_EXPOSE_HEADERS, &self.exposed_headers.join(", "));
        }
        if let Some(seconds) = self.max_age {
            insert(&mut headers, ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
        insert(&mut headers, VARY, "Origin, Access-Control-Request-Headers, Access-Control-Request-Method");
        headers
    }
}

/// `*` stands for any number of characters, and may appear once.
fn matches(pattern: &str, value: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == value,
        Some((start, end)) => {
            value.len() >= start.len() + end.len() && value.starts_with(start) && value.ends_with(end)
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Values come from a request's headers or from the template; one that no header can hold is left out.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Vec<CorsRule> {
        let uploads = CorsRule {
            allowed_methods: vec![Method::PUT],
            allowed_origins: vec!["https://app.example".into(), "http://*.test:3000".into()],
            allowed_headers: vec!["Content-Type".into(), "x-amz-*".into()],
            exposed_headers: vec!["ETag".into()],
            max_age: Some(3600),
        };
        let downloads = CorsRule {
            allowed_methods: vec![Method::GET, Method::HEAD],
            allowed_origins: vec!["*".into()],
            allowed_headers: vec!["*".into()],
            exposed_headers: vec![],
            max_age: None,
        };
        vec![uploads, downloads]
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn ask(origin: &'static str, method: &'static str, wanted: &'static str) -> Response<Body> {
        let mut request = headers(&[("origin", origin), ("access-control-request-method", method)]);
        if !wanted.is_empty() {
            request.insert(ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static(wanted));
        }
        preflight(&rules(), &request)
    }

    #[test]
    fn a_preflight_gets_the_first_matching_rule() {
        let response = ask("https://app.example", "PUT", "Content-Type,X-Amz-Meta-A");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_METHODS], "PUT");
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_HEADERS], "content-type, x-amz-meta-a");
        assert_eq!(response.headers()[ACCESS_CONTROL_EXPOSE_HEADERS], "ETag");
        assert_eq!(response.headers()[ACCESS_CONTROL_MAX_AGE], "3600");
        assert!(response.headers()[VARY].to_str().unwrap().starts_with("Origin"));
    }

    #[test]
    fn origins_match_whole_or_by_one_wildcard() {
        assert_eq!(ask("http://a.b.test:3000", "PUT", "").status(), StatusCode::OK);
        assert_eq!(ask("http://a.b.test:3001", "PUT", "").status(), StatusCode::FORBIDDEN);
        assert_eq!(ask("https://app.example.evil", "PUT", "").status(), StatusCode::FORBIDDEN);
        assert!(!matches("ab*ba", "aba"));
        assert!(matches("ab*ba", "abba"));
    }

    #[test]
    fn everybody_includes_the_null_origin() {
        let response = ask("null", "GET", "range, if-none-match");
        assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!response.headers().contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
        assert_eq!(ask("null", "PUT", "").status(), StatusCode::FORBIDDEN);
    }

    #[test]
    fn a_header_or_method_that_no_rule_has_is_refused() {
        assert_eq!(
            ask("https://app.example", "PUT", "content-type, authorization").status(),
            StatusCode::FORBIDDEN
        );
        assert_eq!(ask("https://app.example", "DELETE", "").status(), StatusCode::FORBIDDEN);
        assert_eq!(preflight(&[], &headers(&[("origin", "null")])).status(), StatusCode::BAD_REQUEST);
        assert_eq!(preflight(&rules(), &HeaderMap::new()).status(), StatusCode::BAD_REQUEST);
        let request = headers(&[("origin", "null"), ("access-control-request-method", "GET")]);
        assert_eq!(preflight(&[], &request).status(), StatusCode::FORBIDDEN);
    }

    #[test]
    fn an_actual_request_is_matched_by_origin_and_method_only() {
        let request = headers(&[("origin", "https://app.example"), ("authorization", "x")]);
        let added = actual(&rules(), &Method::PUT, &request);
        assert_eq!(added[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
        assert!(!added.contains_key(ACCESS_CONTROL_ALLOW_HEADERS));
        assert_eq!(actual(&rules(), &Method::GET, &request)[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(actual(&rules(), &Method::DELETE, &request).is_empty());
        assert!(actual(&rules(), &Method::GET, &HeaderMap::new()).is_empty());
    }
}
