//! Each minute: silent connections, abandoned claims, lost polls

fn main() {}
