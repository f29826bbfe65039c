//! GET /api/uploads/{filename}

fn main() {}
