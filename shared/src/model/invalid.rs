/// Input that the contract doesn't allow: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct InvalidData {
    /// The member of the body or frame, by the name that the client knows it by.
    pub field: String,
    /// The dotted path inside `updates`, where the fault is in one of them.
    pub path: Option<String>,
    /// For people, in Chinese: what to do.
    pub message: String,
}

impl InvalidData {
    /// A fault in the member `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), path: None, message: message.into() }
    }

    /// A fault at `path` in the `updates` of a frame.
    pub fn at_path(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: "updates".to_owned(), path: Some(path.into()), message: message.into() }
    }
}
