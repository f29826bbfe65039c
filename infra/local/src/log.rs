//! One log for people.

/// Target of the event that says how a call went.
pub const CALL: &str = "local::call";
/// Target of a line that a function wrote when its call was already logged.
pub const LATE_LINE: &str = "local::late_line";
