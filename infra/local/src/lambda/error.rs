//! Why an invocation gave no answer.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

/// Why a function could not be called, or failed.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors>
#[derive(Debug, Clone, thiserror::Error)]
pub enum InvokeError {
    /// `ResourceNotFoundException`.
    #[error("there is no function {0}")]
    NotFound(String),
    /// `RequestTooLargeException`: the event is over 6 MB.
    #[error("the event is over 6 MB")]
    PayloadTooLarge,
    /// `TooManyRequestsException`.
    #[error("{0} is at its limit of concurrent executions")]
    Throttled(String),
    /// The function was called and failed, ended or ran out of time.
    #[error("{0}")]
    Function(FunctionError),
    /// `ServiceException`: the process could not be started, or the stack is stopping.
    #[error("{0}")]
    Service(String),
    /// `ServiceException`: the stack is stopping.
    #[error("the local stack is stopping")]
    Stopped,
}

/// A failed execution, as Lambda reports it to the caller.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error_type}: {error_message}")]
pub struct FunctionError {
    /// The function's own, or `Sandbox.Timedout`, `Runtime.ExitError`, `Runtime.OutOfMemory`,
    /// `Function.ResponseSizeTooLarge`.
    pub error_type: String,
    /// For people.
    pub error_message: String,
    /// The whole JSON answer.
    pub payload: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Diagnostic {
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error_message: String,
}

impl FunctionError {
    /// What the function itself reported.
    pub(super) fn reported(payload: Bytes) -> Self {
        let Diagnostic { error_type, error_message } =
            serde_json::from_slice(&payload).unwrap_or_else(|_| Diagnostic {
                error_type: "Runtime.Unknown".to_owned(),
                error_message: String::from_utf8_lossy(&payload).into_owned(),
            });
        Self { error_type, error_message, payload }
    }

    fn platform(error_type: &str, error_message: String) -> Self {
        let payload = json!({ "errorType": error_type, "errorMessage": error_message }).to_string();
        Self { error_type: error_type.to_owned(), error_message, payload: payload.into() }
    }

    pub(super) fn timed_out(request_id: &str, seconds: f64) -> Self {
        let message = format!("RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds");
        Self::platform("Sandbox.Timedout", message)
    }

    pub(super) fn exited(request_id: &str, how: &str) -> Self {
        Self::platform(
            "Runtime.ExitError",
            format!("RequestId: {request_id} Error: Runtime exited with error: {how}"),
        )
    }

    /// The type is that of newer reports; older ones had `Runtime.ExitError` here too.
    pub(super) fn out_of_memory(request_id: &str) -> Self {
        let message = format!("RequestId: {request_id} Error: Runtime exited with error: signal: killed");
        Self::platform("Runtime.OutOfMemory", message)
    }

    pub(super) fn response_too_large() -> Self {
        let message = format!(
            "Response payload size exceeded maximum allowed payload size ({} bytes).",
            super::RESPONSE_LIMIT
        );
        Self::platform("Function.ResponseSizeTooLarge", message)
    }
}
