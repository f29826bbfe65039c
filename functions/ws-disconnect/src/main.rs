//! WebSocket route $disconnect

fn main() {}
