//! Tokens for a board with `Authentication=secret`.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, errors::Error};
use serde::Serialize;
use serde_json::json;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// These claims, signed with `secret`.
pub fn sign(claims: &impl Serialize, secret: &str) -> Result<String, Error> {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret.as_bytes()))
}

/// A token of `owner`, good for a day.
pub fn for_a_day(owner: &str, secret: &str) -> Result<String, Error> {
    sign(&json!({"sub": owner, "exp": Timestamp::now().as_second() + DAY_SECONDS}), secret)
}
