//! What a prompt may hold to see something go wrong, and what can: all words, and all errors of the vendors.
//!
//! `<x>` is of letters, digits, `_` and `.`; a dot at its end ends a sentence, and is not part of it. All words work in
//! every protocol, each in the vendor's own form, but where the table says so.
//!
//! | word | what happens |
//! |---|---|
//! | `#refuse` | the creation is refused by moderation: Ark `InputTextSensitiveContentDetected`, Kling 1301, else 400 |
//! | `#create:<x>` | the creation is answered with this error, and no task is made |
//! | `#accept:<x>` | the task is made, and the creation is answered with this error all the same |
//! | `#lost` | the task is made, and the creation is never answered |
//! | `#query:<x>` | the first query of the task is answered with this error |
//! | `#flaky` | every second query, from the first, is answered with the vendor's 500 |
//! | `#stall` | the task never ends |
//! | `#state:<x>` | while the task runs, its state is `<x>` |
//! | `#fail`, `#fail:<x>` | the task ends failed, with this code (Kling has no codes there: with this text) |
//! | `#end:<x>` | the task ends in the state `<x>`, without a video |
//! | `#gone` | the address of the video is answered 404 |
//! | `#page` | … with a page instead of a video |
//! | `#elsewhere` | … with 302, to the same video at a name that means a private address |
//! | `#big:<x>` | … with a file of so many MiB that begins like a video |
//! | `#cut` | … with half of the video, the first time; then with all of it |
//! | `#in200` | Kling: errors 1200 to 1203 and 1301 come with HTTP 200 |
//!
//! An error is named as the vendor names it: Ark by `error.code`, Kling by `code`, Runway and the plain protocol by the
//! HTTP status (Runway also `credits`); Ark and Kling know 502, 503 and 504 too, as a proxy before them answers. Those that
//! mean "not now" (`is_capacity`) carry `Retry-After: 1`, and with `#create` strike only the first creation with that
//! prompt, so that a retry can be seen to work. What isn't in the tables is answered with 400.

use super::protocol::Protocol;

/// A word in a prompt.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word {
    Refuse,
    Create,
    Accept,
    Lost,
    Query,
    Flaky,
    Stall,
    State,
    Fail,
    End,
    Gone,
    Page,
    Elsewhere,
    Big,
    Cut,
    In200,
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Self::Refuse => "#refuse",
            Self::Create => "#create",
            Self::Accept => "#accept",
            Self::Lost => "#lost",
            Self::Query => "#query",
            Self::Flaky => "#flaky",
            Self::Stall => "#stall",
            Self::State => "#state",
            Self::Fail => "#fail",
            Self::End => "#end",
            Self::Gone => "#gone",
            Self::Page => "#page",
            Self::Elsewhere => "#elsewhere",
            Self::Big => "#big",
            Self::Cut => "#cut",
            Self::In200 => "#in200",
        }
    }

    pub(super) fn is_in(self, prompt: &str) -> bool {
        prompt.contains(self.text())
    }

    /// The `<x>` of `#word:<x>`.
    pub(super) fn value_in(self, prompt: &str) -> Option<&str> {
        prompt.match_indices(self.text()).find_map(|(at, word)| {
            let rest = prompt.get(at + word.len()..)?.strip_prefix(':')?;
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            let value = rest.split(|c| !is_part(c)).next()?.trim_end_matches('.');
            (!value.is_empty()).then_some(value)
        })
    }
}

/// The codes of Ark, each with its HTTP status. A code may go on after a dot.
pub const ARK_ERRORS: [(&str, u16); 23] = [
    ("MissingParameter", 400),
    ("InvalidParameter", 400),
    ("InvalidEndpoint", 400),
    ("InputTextRiskDetection", 400),
    ("InputImageRiskDetection", 400),
    ("OutputTextRiskDetection", 400),
    ("InputTextSensitiveContentDetected", 400),
    ("InputImageSensitiveContentDetected", 400),
    ("InputVideoSensitiveContentDetected", 400),
    ("AuthenticationError", 401),
    ("AccessDenied", 403),
    ("AccountOverdueError", 403),
    ("InvalidEndpointOrModel", 404),
    ("ModelNotOpen", 404),
    // Of a task that isn't there. Not in the documented table; what matters is the status.
    ("ResourceNotFound", 404),
    ("RateLimitExceeded", 429),
    ("ModelAccountRpmRateLimitExceeded", 429),
    ("ModelAccountTpmRateLimitExceeded", 429),
    ("ModelLoadingError", 429),
    ("ServerOverloaded", 429),
    ("QuotaExceeded", 429),
    ("SetLimitExceeded", 429),
    ("InternalServiceError", 500),
];

/// The codes of Kling, each with its HTTP status and what it means.
pub const KLING_ERRORS: [(u16, u16, &str); 21] = [
    (1000, 401, "authentication failed"),
    (1001, 401, "authorization is missing"),
    (1002, 401, "authorization is malformed"),
    (1003, 401, "authorization is not valid yet"),
    (1004, 401, "authorization has expired"),
    (1100, 429, "account exception"),
    (1101, 429, "account in arrears"),
    (1102, 429, "resource pack depleted or expired"),
    (1103, 403, "no access to the requested resource"),
    (1200, 400, "invalid request"),
    (1201, 400, "invalid parameters"),
    (1202, 404, "invalid method"),
    (1203, 404, "the requested resource does not exist"),
    (1300, 400, "platform policy triggered"),
    (1301, 400, "内容未通过安全审核，请修改后重试"),
    (1302, 429, "too many requests"),
    (1303, 429, "parallel tasks over the resource pack's limit"),
    (1304, 429, "the address is not on the allow-list"),
    (5000, 500, "internal error"),
    (5001, 503, "under maintenance"),
    (5002, 504, "internal timeout"),
];

/// The errors of Runway, by what they are called in a prompt, with HTTP status and text.
pub const RUNWAY_ERRORS: [(&str, u16, &str); 10] = [
    ("400", 400, "Validation of body failed"),
    ("credits", 400, "You do not have enough credits to run this task."),
    ("401", 401, "Unauthorized"),
    ("404", 404, "Not found"),
    ("405", 405, "Method not allowed"),
    ("429", 429, "You have reached your daily limit of generations."),
    ("500", 500, "Internal server error"),
    ("502", 502, "Bad gateway"),
    ("503", 503, "Service unavailable"),
    ("504", 504, "Gateway timeout"),
];

/// What is said not by Ark or Kling but by a proxy before them, with a page for people.
pub const PROXY_ERRORS: [(&str, u16, &str); 3] =
    [("502", 502, "Bad Gateway"), ("503", 503, "Service Unavailable"), ("504", 504, "Gateway Timeout")];

/// The proxy's error of this code, if there is a proxy before the vendor.
pub(super) fn of_proxy(protocol: Protocol, code: &str) -> Option<(u16, &'static str)> {
    let has_proxy = matches!(protocol, Protocol::Ark | Protocol::Kling);
    let found = PROXY_ERRORS.iter().find(|(known, ..)| has_proxy && *known == code);
    found.map(|&(_, status, text)| (status, text))
}

/// The HTTP status of an error.
pub(super) fn status_of(protocol: Protocol, code: &str) -> u16 {
    let found = match protocol {
        Protocol::Plain => code.parse().ok().filter(|status| (400..600).contains(status)),
        Protocol::Ark => {
            let family = code.split('.').next();
            ARK_ERRORS.iter().find(|(known, _)| family == Some(known)).map(|&(_, status)| status)
        }
        Protocol::Kling => {
            KLING_ERRORS.iter().find(|(known, ..)| code == known.to_string()).map(|&(_, status, _)| status)
        }
        Protocol::Runway => {
            RUNWAY_ERRORS.iter().find(|(known, ..)| code == *known).map(|&(_, status, _)| status)
        }
    };
    found.or_else(|| of_proxy(protocol, code).map(|(status, _)| status)).unwrap_or(400)
}

/// Whether an error means that there was no room just now: what is worth another try a little later.
pub(super) fn is_capacity(protocol: Protocol, code: &str) -> bool {
    match protocol {
        Protocol::Plain | Protocol::Runway => code == "429",
        Protocol::Ark => {
            let family = code.split('.').next().unwrap_or_default();
            family.ends_with("RateLimitExceeded")
                || ["ModelLoadingError", "ServerOverloaded"].contains(&family)
        }
        Protocol::Kling => ["1302", "1303"].contains(&code),
    }
}

/// The error for what goes wrong inside.
pub(super) fn internal(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Plain | Protocol::Runway => "500",
        Protocol::Ark => "InternalServiceError",
        Protocol::Kling => "5000",
    }
}

/// An error on its way to the client: the code as the vendor names it, and more about it than the tables know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub code: String,
    pub message: Option<String>,
}

impl Trouble {
    pub(super) fn new(code: &str) -> Self {
        Self { code: code.to_owned(), message: None }
    }

    pub(super) fn with(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: Some(message.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_may_have_a_value() {
        let prompt = "推进 #create #create:InvalidParameter.Ratio. #end:expired，#big:12";
        assert_eq!(Word::Create.value_in(prompt), Some("InvalidParameter.Ratio"));
        assert_eq!(Word::End.value_in(prompt), Some("expired"));
        assert_eq!(Word::Big.value_in(prompt), Some("12"));
        assert_eq!(Word::Fail.value_in("#fail: no"), None);
        assert!(Word::Fail.is_in("#fail:x") && !Word::Stall.is_in(prompt));
    }

    #[test]
    fn codes_have_the_documented_statuses() {
        let status = |protocol, code| (status_of(protocol, code), is_capacity(protocol, code));
        assert_eq!(status(Protocol::Ark, "RateLimitExceeded.EndpointRPMExceeded"), (429, true));
        assert_eq!(status(Protocol::Ark, "ModelAccountTpmRateLimitExceeded"), (429, true));
        assert_eq!(status(Protocol::Ark, "QuotaExceeded"), (429, false));
        assert_eq!(status(Protocol::Ark, "InvalidEndpoint.ClosedEndpoint"), (400, false));
        assert_eq!(status(Protocol::Ark, "InvalidEndpointOrModel.NotFound"), (404, false));
        assert_eq!(status(Protocol::Ark, "Whatever"), (400, false));
        assert_eq!(status(Protocol::Ark, "502"), (502, false));
        assert_eq!(status(Protocol::Kling, "1303"), (429, true));
        assert_eq!(status(Protocol::Kling, "1101"), (429, false));
        assert_eq!(status(Protocol::Kling, "5002"), (504, false));
        assert_eq!(status(Protocol::Runway, "credits"), (400, false));
        assert_eq!(status(Protocol::Runway, "429"), (429, true));
        assert_eq!(status(Protocol::Plain, "503"), (503, false));
        assert_eq!(status(Protocol::Plain, "7"), (400, false));
    }
}
