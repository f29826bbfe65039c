//! POST /api/upload/image

fn main() {}
