//! The task of the video polling state machine

fn main() {}
