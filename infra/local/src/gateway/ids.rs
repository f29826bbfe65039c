//! Ids and times in the formats of API Gateway.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use jiff::Timestamp;

/// Such as `L0SM9cOFvHcCIhw=`: 11 random bytes. Connections, requests and messages have ids of this form.
pub fn id() -> String {
    let random = uuid::Uuid::new_v4().into_bytes();
    URL_SAFE.encode(&random[..11])
}

/// Such as `22/Feb/2022:19:07:37 +0000`.
pub fn request_time(at: Timestamp) -> String {
    at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        assert_eq!((id().len(), id().ends_with('=')), (16, true));
        assert_ne!(id(), id());
        let at = Timestamp::from_millisecond(1_645_556_857_902).unwrap();
        assert_eq!(request_time(at), "22/Feb/2022:19:07:37 +0000");
    }
}
