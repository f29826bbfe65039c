//! An OpenID issuer on this machine.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::member::{in_seconds, signed};

pub const AUDIENCE: &str = "motionboard-tests";

/// A key of the issuer.
pub enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl Key {
    pub fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub fn ec() -> Self {
        Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
        }
    }

    /// The public key as the issuer shows it.
    pub fn jwk(&self, id: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(pair) => json!({
                "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
                "n": text(self.secret_of_a_fool().as_slice()),
                "e": text(pair.public_key().exponent().big_endian_without_leading_zero()),
            }),
            Self::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": id, "x": text(x), "y": text(y)})
            }
        }
    }

    /// The public key as bytes: what a verifier that is fooled into HS256 would take for the secret.
    pub fn secret_of_a_fool(&self) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => pair.public_key().modulus().big_endian_without_leading_zero().to_vec(),
            Self::Ec(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    pub fn sign(&self, text: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature).unwrap();
                signature
            }
            Self::Ec(pair) => pair.sign(&random, text).unwrap().as_ref().to_vec(),
        }
    }
}

/// What the issuer answers.
#[derive(Clone, Default)]
struct Answers {
    url: String,
    /// `None`: it is down.
    keys: Arc<Mutex<Option<Value>>>,
    looks: Arc<AtomicUsize>,
}

pub struct Issuer(Answers);

impl Issuer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let answers = Answers {
            url: format!("http://{}/tenant", listener.local_addr().unwrap()),
            keys: Arc::new(Mutex::new(Some(json!([])))),
            looks: Arc::default(),
        };
        let router = Router::new()
            .route("/tenant/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .with_state(answers.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self(answers)
    }

    /// The claim `iss`, and the parameter `TokenIssuer`.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    pub fn show(&self, keys: &[Value]) {
        *self.0.keys.lock().unwrap() = Some(json!(keys));
    }

    pub fn break_down(&self) {
        *self.0.keys.lock().unwrap() = None;
    }

    /// How often anybody has looked at its keys.
    pub fn looks(&self) -> usize {
        self.0.looks.load(Ordering::SeqCst)
    }

    /// The claims of a good token.
    pub fn claims(&self) -> Value {
        json!({"iss": self.url(), "aud": AUDIENCE, "sub": "alice", "exp": in_seconds(600)})
    }

    /// A good token, signed with `key`.
    pub fn token(&self, key: &Key, id: &str) -> String {
        let header = json!({"alg": key.algorithm(), "typ": "JWT", "kid": id});
        signed(&header, &self.claims(), |text| key.sign(text))
    }
}

async fn discovery(State(answers): State<Answers>) -> Result<Json<Value>, StatusCode> {
    let keys = answers.url.replace("/tenant", "/keys");
    let is_up = answers.keys.lock().unwrap().is_some();
    if is_up {
        Ok(Json(json!({"issuer": answers.url, "jwks_uri": keys})))
    } else {
        Err(StatusCode::BAD_GATEWAY)
    }
}

async fn keys(State(answers): State<Answers>) -> Result<Json<Value>, StatusCode> {
    answers.looks.fetch_add(1, Ordering::SeqCst);
    let keys = answers.keys.lock().unwrap().clone();
    keys.map(|keys| Json(json!({"keys": keys}))).ok_or(StatusCode::BAD_GATEWAY)
}
