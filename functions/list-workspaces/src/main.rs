//! GET /api/workspaces

fn main() {}
