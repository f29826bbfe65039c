//! The owners of a board that asks for tokens.

use local::token::for_a_day;

/// The secret of the boards that are measured.
pub const SECRET: &str = "a secret that only the benchmark has";

/// A token of an owner, good for a day.
pub fn token(owner: &str) -> String {
    // A map of texts and numbers, and a key of any length: there is nothing that could fail.
    for_a_day(owner, SECRET).unwrap_or_default()
}

/// The address of a handshake by an owner.
pub fn handshake(url: &str, owner: &str) -> String {
    format!("{url}/?token={}", token(owner))
}
