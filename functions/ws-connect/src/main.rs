//! WebSocket route $connect

fn main() {}
