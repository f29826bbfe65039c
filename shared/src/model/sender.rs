use std::fmt;

use sha2::{Digest, Sha256};

use super::{Owner, hex};

/// Who sent a frame, and which frame it is: what order and repeats are judged by (contract §3).
#[derive(Clone, Debug)]
pub struct Sender {
    /// The tab or device.
    pub client: ClientKey,
    /// The frame.
    pub request: RequestKey,
}

impl Sender {
    /// The sender of a frame of type `kind` of `owner`.
    ///
    /// Without a `client_id` the connection stands in. Without a `request_id` the gateway's message id does, so that an
    /// event that is delivered twice is still recognised. The type of the frame counts too: a client that numbers each
    /// type apart, or reuses a number by mistake, is never told that a delete happened because an update did.
    pub fn new(
        owner: &Owner,
        client_id: Option<&str>,
        connection_id: &str,
        kind: &str,
        request_id: Option<&str>,
        message_id: &str,
    ) -> Self {
        let client = match client_id {
            Some(id) => hash(["client", owner.as_str(), id]),
            None => hash(["connection", owner.as_str(), connection_id]),
        };
        let client = ClientKey(hex(&client[..12]));
        let request = match request_id {
            Some(id) => hash(["request", &client.0, kind, id]),
            None => hash(["message", &client.0, kind, message_id]),
        };
        let mut request_bytes = [0; 16];
        request_bytes.copy_from_slice(&request[..16]);
        Self { client, request: RequestKey(request_bytes) }
    }
}

/// Hashes `parts` so that no other division of the same text gives the same hash.
fn hash<const N: usize>(parts: [&str; N]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// A client, hashed to 24 hexadecimal digits: a client's own text could hold a dot or a `$`, which MongoDB reads as more
/// than a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey(String);

impl ClientKey {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request of a client, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestKey([u8; 16]);

impl RequestKey {
    /// The whole hash.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Half of the hash, enough to tell 64 remembered requests apart at a fraction of their size.
    pub const fn short(self) -> i64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        i64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(client_id: Option<&str>, kind: &str, request_id: Option<&str>) -> Sender {
        Sender::new(&Owner::default(), client_id, "connection", kind, request_id, "message")
    }

    #[test]
    fn a_repeat_is_the_same_request_on_any_connection() {
        let first = Sender::new(&Owner::default(), Some("tab"), "one", "t", Some("r"), "m1");
        let again = Sender::new(&Owner::default(), Some("tab"), "two", "t", Some("r"), "m2");
        assert_eq!(first.client, again.client);
        assert_eq!(first.request, again.request);
    }

    #[test]
    fn client_type_and_request_tell_frames_apart() {
        let first = sender(Some("tab"), "t", Some("r"));
        assert_ne!(first.request, sender(Some("tab2"), "t", Some("r")).request);
        assert_ne!(first.request, sender(Some("tab"), "u", Some("r")).request);
        assert_ne!(first.request, sender(Some("tab"), "t", Some("s")).request);
        assert_ne!(first.request, sender(Some("tab"), "t", None).request);
        assert_ne!(sender(Some("connection"), "t", None).client, sender(None, "t", None).client);
    }
}
