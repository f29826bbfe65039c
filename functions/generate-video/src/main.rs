//! POST /api/generate/video

fn main() {}
