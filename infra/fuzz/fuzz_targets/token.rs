//! Tokens: who doesn't know the secret gets nobody in; who does, only the owner that the claims name, and only for a time.
//! The text is a header, a line's end, and claims; it is also taken for a token itself.

#![no_main]

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::FutureExt;
use libfuzzer_sys::fuzz_target;
use ring::hmac;
use serde_json::{Map, Value};
use shared::edge::tokens::{TokenError, Tokens};
use shared::model::{Identity, Timestamp};

const SECRET: &str = "a secret of at least 32 characters";
static TOKENS: LazyLock<Tokens> = LazyLock::new(|| Tokens::of_secrets(&[SECRET], None, "sub".to_owned()));
static KEY: LazyLock<hmac::Key> = LazyLock::new(|| hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()));

fuzz_target!(|text: &str| {
    assert!(matches!(verify(text), Err(TokenError::Refused(_))), "nobody signed it");
    let Some((header, claims)) = text.split_once('\n') else { return };
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = hmac::sign(&KEY, message.as_bytes());
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    if let Ok(identity) = verify(&token) {
        let header: Map<String, Value> = serde_json::from_str(header).expect("a header that was read");
        assert_eq!(header.get("alg"), Some(&Value::from("HS256")));
        let claims: Map<String, Value> = serde_json::from_str(claims).expect("claims that were read");
        assert_eq!(claims.get("sub").and_then(Value::as_str), Some(identity.owner.as_str()));
        assert_ne!(identity.owner.as_str(), "default");
        let end = identity.expires_at.expect("it has an end");
        assert!(end > Timestamp::now());
        let is_rfc_3339 = end.to_string().len() == "2025-12-24T00:00:00.000Z".len();
        assert!(is_rfc_3339, "{end}");
    }
});

fn verify(token: &str) -> Result<Identity, TokenError> {
    TOKENS.verify(token).now_or_never().expect("there is nobody to ask")
}
