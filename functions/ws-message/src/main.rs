//! WebSocket route $default: every frame of a client

fn main() {}
