//! Somebody who has a token, on a board that asks for one.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use local::secrets::AUTH_SECRET;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    board::{Answer, Board, form},
    socket::Socket,
};

/// The secret of the boards of these tests.
pub const SECRET: &str = "a secret that only these tests know";

/// Seconds since 1970, this many from now.
pub fn in_seconds(seconds: i64) -> i64 {
    jiff::Timestamp::now().as_second() + seconds
}

/// A token of `header` and `claims`, with whatever signature `sign` gives it.
pub fn signed(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(text.as_bytes()));
    format!("{text}.{signature}")
}

/// HS256 with `secret`.
pub fn hs256(secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    move |text| hmac::sign(&key, text).as_ref().to_vec()
}

/// A good token of a board whose secret is [`SECRET`].
pub fn token(owner: &str) -> String {
    token_until(owner, in_seconds(3600))
}

/// The same, with its own end.
pub fn token_until(owner: &str, expires: i64) -> String {
    signed(
        &json!({"alg": "HS256", "typ": "JWT"}),
        &json!({"sub": owner, "exp": expires}),
        hs256(SECRET.as_bytes()),
    )
}

impl Board {
    /// A board that asks for tokens that are signed with [`SECRET`].
    pub async fn guarded() -> Self {
        Self::guarded_with(&[]).await
    }

    /// The same, with other parameters of the template.
    pub async fn guarded_with(parameters: &[(&str, &str)]) -> Self {
        Self::start_with(|config| {
            config.secrets.insert(AUTH_SECRET.to_owned(), SECRET.to_owned());
            for (name, value) in [("Authentication", "secret")].iter().chain(parameters) {
                config.parameters.insert((*name).to_owned(), (*value).to_owned());
            }
        })
        .await
    }

    /// Whoever has a token for `owner`.
    pub fn member(&self, owner: &str) -> Member<'_> {
        Member { board: self, token: token(owner) }
    }

    /// The address of a handshake with a token in it.
    pub fn websocket_url_with(&self, token: &str) -> String {
        format!("{}/?token={token}", self.websocket_url())
    }
}

pub struct Member<'a> {
    pub board: &'a Board,
    pub token: String,
}

impl Member<'_> {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.board.request(method, path).bearer_auth(&self.token)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.board.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.board.send(self.request(Method::POST, path).json(body)).await
    }

    pub async fn workspaces(&self) -> Vec<Value> {
        self.get("/api/workspaces").await.data()["workspaces"].as_array().unwrap().clone()
    }

    /// An upload by a form.
    pub async fn form(&self, content: &[u8]) -> Answer {
        let request = self.request(Method::POST, "/api/upload/image");
        self.board.send(form(request, content, "picture", "image/png")).await
    }

    /// Uploads a picture: its `image_url`, signed.
    pub async fn upload(&self, content: &[u8]) -> String {
        self.form(content).await.data()["image_url"].as_str().unwrap().to_owned()
    }

    pub async fn connect(&self) -> Socket {
        Socket::connect(&self.board.websocket_url_with(&self.token)).await
    }

    pub async fn generate(&self, workspace: &str, image_url: &str, prompt: &str) -> Answer {
        let body =
            json!({"workspace_id": workspace, "image_url": image_url, "params": {"motion_prompt": prompt}});
        self.post("/api/generate/video", &body).await
    }
}
