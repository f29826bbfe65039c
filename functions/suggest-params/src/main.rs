//! POST /api/ai/suggest

fn main() {}
