//! `cargo run`: starts the local stack.

fn main() {}
