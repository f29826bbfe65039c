//! Secrets Manager: the secrets that the template's parameters name, with texts from the environment of `cargo run`.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>. Whoever reaches
//! the internal port is given a text, since no signature is looked at; none is ever written to a file or a log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::{AsHeaderName, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::sync::lock;
use crate::template::{ACCOUNT_ID, REGION};

/// The environment variables that hold the texts of secrets, each with the template's parameter for the secret's ARN.
pub const NAMES: [(&str, &str); 4] = [
    (MONGODB_URI, "MongoUriArn"),
    (AUTH_SECRET, "AuthSecretArn"),
    (VIDEO_VENDOR_KEY, "VideoVendorKeyArn"),
    ("CHAT_KEY", "ChatKeyArn"),
];
/// The connection string of the database, which is the stack's own where nobody gives one.
pub const MONGODB_URI: &str = "MONGODB_URI";
/// Signs tokens and addresses.
pub const AUTH_SECRET: &str = "AUTH_SECRET";
/// The key of the video vendor.
pub const VIDEO_VENDOR_KEY: &str = "VIDEO_VENDOR_KEY";
/// As functions want each secret in `AUTH_SECRET` to be.
pub const MIN_AUTH_SECRET_BYTES: usize = 32;
/// The header that says which operation is wanted.
const TARGET: &str = "x-amz-target";
const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// How this machine is called in a connection string of its own database.
const THIS_MACHINE: &str = "127.0.0.1";

/// The secrets of the stack, by the environment variable that holds their text.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Mutex<BTreeMap<String, String>>>);

impl Secrets {
    /// These.
    pub fn new(texts: BTreeMap<String, String>) -> Self {
        Self(Arc::new(Mutex::new(texts)))
    }

    /// Gives the secret `name` another text, as a rotation does.
    pub fn rotate(&self, name: &str, text: &str) {
        lock(&self.0).insert(name.to_owned(), text.to_owned());
    }

    /// `GetSecretValue` at `POST /`, and `others` for all else: the APIs of AWS that are JSON share a path, and one address.
    pub fn before(&self, others: Router) -> Router {
        others.layer(middleware::from_fn_with_state(self.clone(), serve))
    }
}

/// The ARN of the secret whose text is in the environment variable `name`.
pub fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT_ID}:secret:local/{name}-laptop")
}

async fn serve(State(secrets): State<Secrets>, request: Request, next: Next) -> Response {
    let target = text_of(request.headers(), TARGET).to_owned();
    if !target.starts_with("secretsmanager.") {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    match to_bytes(body, MAX_REQUEST_BYTES).await {
        Ok(body) => answer(&secrets, &target, &parts.headers, &body),
        Err(_) => refusal("InvalidRequestException", "the request is too large"),
    }
}

fn answer(secrets: &Secrets, target: &str, headers: &HeaderMap, body: &[u8]) -> Response {
    if target != "secretsmanager.GetSecretValue" {
        return refusal("InvalidRequestException", &format!("the local stack has no operation {target:?}"));
    }
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let asked_for = request["SecretId"].as_str().unwrap_or_default();
    let texts = lock(&secrets.0);
    let Some((name, text)) = texts.iter().find(|(name, _)| arn(name) == asked_for) else {
        return refusal("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
    };
    // Who reaches this machine under another name, as a container does, reaches its database under that name too.
    let host = text_of(headers, HOST);
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let text = if name == MONGODB_URI { text.replacen(THIS_MACHINE, host, 1) } else { text.clone() };
    let answer =
        json!({"ARN": asked_for, "Name": name, "SecretString": text, "VersionStages": ["AWSCURRENT"]});
    ([(CONTENT_TYPE, "application/x-amz-json-1.1")], answer.to_string()).into_response()
}

fn text_of(headers: &HeaderMap, name: impl AsHeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn refusal(kind: &'static str, message: &str) -> Response {
    let body = json!({"__type": kind, "Message": message}).to_string();
    (StatusCode::BAD_REQUEST, [("x-amzn-errortype", kind)], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(secrets: &Secrets, target: &str, id: &str, host: &str) -> (u16, Value) {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        let body = json!({"SecretId": id}).to_string();
        let answer = answer(secrets, &format!("secretsmanager.{target}"), &headers, body.as_bytes());
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&to_bytes(answer.into_body(), 10_000).await.unwrap()).unwrap())
    }

    #[tokio::test]
    async fn a_secret_is_had_by_its_arn_and_may_change() {
        let secrets = Secrets::new(BTreeMap::from([(AUTH_SECRET.to_owned(), "first".to_owned())]));
        let (status, found) = ask(&secrets, "GetSecretValue", &arn(AUTH_SECRET), "127.0.0.1:1").await;
        assert_eq!((status, &found["SecretString"]), (200, &json!("first")));
        secrets.rotate(AUTH_SECRET, "second");
        let (_, found) = ask(&secrets, "GetSecretValue", &arn(AUTH_SECRET), "127.0.0.1:1").await;
        assert_eq!(found["SecretString"], "second");
        let (status, refused) = ask(&secrets, "GetSecretValue", &arn("CHAT_KEY"), "127.0.0.1:1").await;
        assert_eq!((status, &refused["__type"]), (400, &json!("ResourceNotFoundException")));
        assert_eq!(ask(&secrets, "PutSecretValue", &arn(AUTH_SECRET), "127.0.0.1:1").await.0, 400);
    }

    #[tokio::test]
    async fn a_container_reaches_the_database_by_the_name_that_it_knows() {
        let uri = "mongodb://127.0.0.1:3004/?directConnection=true".to_owned();
        let secrets = Secrets::new(BTreeMap::from([(MONGODB_URI.to_owned(), uri)]));
        let (_, found) =
            ask(&secrets, "GetSecretValue", &arn(MONGODB_URI), "host.docker.internal:3002").await;
        assert_eq!(found["SecretString"], "mongodb://host.docker.internal:3004/?directConnection=true");
    }
}
