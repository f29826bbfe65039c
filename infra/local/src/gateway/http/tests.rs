//! The gateway with functions that the tests play.

use std::net::Ipv4Addr;

use axum::body::HttpBody;
use serde_json::Value;

use super::*;
use crate::lambda::testing::Host;
use crate::template::{Cors, HttpApi, HttpRoute};

/// Answers with the event, or does what its body says.
fn echo(event: &Value) -> Option<Value> {
    match event["body"].as_str() {
        Some("fail") => Some(json!({"errorType": "Oops", "errorMessage": "no"})),
        Some("hang") => None,
        Some("nonsense") => Some(json!({"statusCode": "?"})),
        _ => Some(json!({"statusCode": 200, "body": event.to_string()})),
    }
}

async fn gateway(host: &Host) -> Arc<HttpGateway> {
    let route = |method: &str| HttpRoute {
        method: method.to_owned(),
        path: "/api/{name}".to_owned(),
        function: "F".to_owned(),
    };
    let cors = Cors { allow_origins: vec!["*".to_owned()], ..Cors::default() };
    let api = HttpApi { id: "api".to_owned(), cors: Some(cors), routes: vec![route("GET"), route("POST")] };
    HttpGateway::with_limit(&api, host.functions.clone(), Duration::from_secs(2)).unwrap()
}

async fn ask(gateway: &HttpGateway, request: Request<Body>) -> (u16, Value) {
    let response = gateway.serve(request, Ipv4Addr::LOCALHOST.into()).await;
    assert!(response.headers().contains_key("apigw-requestid"));
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (parts.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
}

fn post(content_type: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post("/api/a%20b?x=1").header("content-type", content_type).body(body.into()).unwrap()
}

#[tokio::test]
async fn a_request_goes_through_the_function() {
    let host = Host::answering(echo).await;
    let (status, event) = ask(&*gateway(&host).await, post("text/plain", "hi")).await;
    assert_eq!(
        (status, &event["body"], &event["pathParameters"]["name"]),
        (200, &json!("hi"), &json!("a b"))
    );
}

#[tokio::test]
async fn what_goes_wrong_has_the_gateways_answers() {
    let host = Host::answering(echo).await;
    let gateway = gateway(&host).await;
    for (body, status, message) in [
        ("fail", 500, "Internal Server Error"),
        ("nonsense", 500, "Internal Server Error"),
        ("hang", 503, "Service Unavailable"),
    ] {
        assert_eq!(
            ask(&gateway, post("text/plain", body)).await,
            (status, json!({ "message": message })),
            "{body}"
        );
    }
}

#[tokio::test]
async fn what_is_too_large_never_reaches_the_function() {
    let host = Host::answering(echo).await;
    let gateway = gateway(&host).await;
    let too_large = (413, json!({"message": "Request Entity Too Large"}));
    assert_eq!(ask(&gateway, post("text/plain", vec![b'x'; BODY_LIMIT + 1])).await, too_large);
    assert_eq!(ask(&gateway, post("text/plain", vec![b'x'; REQUEST_LIMIT])).await, too_large);
    // As base64 it is a third larger.
    assert_eq!(ask(&gateway, post("image/png", vec![b'x'; REQUEST_LIMIT / 4 * 3])).await, too_large);
    assert_eq!(
        ask(&gateway, post("image/png", vec![b'x'; 4_400_000])).await.0,
        500,
        "its echo is over the limit too"
    );
    assert_eq!(crate::sync::lock(&host.events).len(), 1);
}

#[tokio::test]
async fn no_route_is_404_and_a_preflight_needs_none() {
    let host = Host::answering(echo).await;
    let gateway = gateway(&host).await;
    for request in [Request::get("/nope"), Request::head("/api/x"), Request::delete("/api/x")] {
        let (status, body) = ask(&gateway, request.body(Body::empty()).unwrap()).await;
        assert_eq!((status, &body["error"]["code"]), (404, &json!("NOT_FOUND")));
    }
    let preflight = Request::options("/nope")
        .header("origin", "https://a")
        .header("access-control-request-method", "GET");
    let response = gateway.serve(preflight.body(Body::empty()).unwrap(), Ipv4Addr::LOCALHOST.into()).await;
    assert_eq!((response.status().as_u16(), response.body().is_end_stream()), (204, true));
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    let refused = Request::get("/nope").header("origin", "https://a").body(Body::empty()).unwrap();
    let response = gateway.serve(refused, Ipv4Addr::LOCALHOST.into()).await;
    assert_eq!(
        response.headers()["access-control-allow-origin"],
        "*",
        "a page can read the gateway's errors too"
    );
}
