//! The owners of a board that asks for tokens.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

/// The secret of the boards that are measured.
pub const SECRET: &str = "a secret that only the benchmark has";

/// A token of an owner, good for a day.
pub fn token(owner: &str) -> String {
    let claims = json!({"sub": owner, "exp": jiff::Timestamp::now().as_second() + 24 * 60 * 60});
    // A map of texts and numbers, and a key of any length: there is nothing that could fail.
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap_or_default()
}

/// The address of a handshake by an owner.
pub fn handshake(url: &str, owner: &str) -> String {
    format!("{url}/?token={}", token(owner))
}
