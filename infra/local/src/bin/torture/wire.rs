//! How clients and the observer reach the board: REST, as one owner.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use form_urlencoded::byte_serialize;
use local::token::for_a_day;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::time::sleep;

/// The secret of the board that is tortured.
pub const SECRET: &str = "a secret that only the torture has";

/// Longer than the gateway waits for a function (contract §4).
const REQUEST_LIMIT: Duration = Duration::from_secs(32);
/// How often, and how long apart, what may be repeated is repeated.
const ATTEMPTS: usize = 8;
const PAUSE: Duration = Duration::from_millis(400);

/// The board, as one owner sees it. Cheap to clone.
#[derive(Clone)]
pub struct Wire {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// An answer of the API.
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Answer {
    /// Whether asking again is all that can be done: nobody answered, or not the function.
    pub fn is_passing(&self) -> bool {
        self.status.is_server_error() && self.status != StatusCode::BAD_GATEWAY
            || self.status == StatusCode::TOO_MANY_REQUESTS
            // The gateway has bodies of its own, with no `success`.
            || self.body.get("success").is_none()
    }

    /// The code of an error.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

impl Wire {
    /// The board at `url`, with a token of `owner`, good for a day.
    pub fn new(url: &str, owner: &str) -> Result<Self> {
        let token = for_a_day(owner, SECRET)?;
        let http = reqwest::Client::builder().no_proxy().timeout(REQUEST_LIMIT).build()?;
        Ok(Self { http, url: url.to_owned(), token })
    }

    /// The address of a handshake.
    pub fn handshake(&self) -> String {
        format!("{}/?token={}", self.url.replacen("http", "ws", 1), self.token)
    }

    /// A request that is not sent yet. `path` may be a whole address, which gets no token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        match path.starts_with("http") {
            true => self.http.request(method, path),
            false => self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token),
        }
    }

    /// Sends it once; a connection that breaks is like a gateway that gives up.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let read = async {
            let response = request.send().await?;
            let status = response.status();
            let bytes = response.bytes().await?;
            Ok::<_, reqwest::Error>(Answer {
                status,
                body: serde_json::from_slice(&bytes).unwrap_or_default(),
            })
        };
        read.await.unwrap_or(Answer { status: StatusCode::GATEWAY_TIMEOUT, body: Value::Null })
    }

    /// Sends it until there is an answer that asking again would not change; the last answer, if there never is.
    pub async fn insist(&self, request: impl Fn() -> RequestBuilder) -> Answer {
        let mut answer = self.send(request()).await;
        for _ in 1..ATTEMPTS {
            if !answer.is_passing() {
                break;
            }
            sleep(PAUSE).await;
            answer = self.send(request()).await;
        }
        answer
    }

    /// All workspaces of the owner.
    pub async fn list(&self) -> Result<Vec<Value>> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let path = match &cursor {
                Some(cursor) => {
                    let cursor: String = byte_serialize(cursor.as_bytes()).collect();
                    format!("/api/workspaces?cursor={cursor}")
                }
                None => "/api/workspaces".to_owned(),
            };
            let request = || self.request(Method::GET, &path);
            let mut answer = self.insist(request).await;
            if answer.status != StatusCode::OK {
                bail!("the list is answered {} {}", answer.status, answer.code());
            }
            let data = &mut answer.body["data"];
            all.append(data["workspaces"].as_array_mut().context("no list")?);
            match data["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(all),
            }
        }
    }
}
