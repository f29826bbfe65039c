//! The addresses of pictures and videos, as answers hand them out: signed while authentication is on, so that `<img>` and `<video>`
//! work, which send no token (contract §7).

use ring::hmac;

use crate::model::{ImageName, OwnerKey, SignedQuery, Timestamp, VideoName};

/// Addresses change only this often, so that a page that loads the list again finds its pictures in the browser's cache: 30
/// minutes. An address lives between one and two of them.
const STEP_SECONDS: i64 = 30 * 60;
/// Keeps the key of addresses apart from the secret that it is made of, which may sign tokens too.
const PURPOSE: &[u8] = b"motionboard: addresses of pictures and videos, 2";

/// How pictures are addressed.
pub enum Addresses {
    /// By their name alone: there is nobody to keep them from.
    Plain,
    /// With a signature.
    Signed {
        /// By this key.
        key: hmac::Key,
        /// Those by these keys are still good.
        former: Vec<hmac::Key>,
    },
}

impl Addresses {
    /// Signed with a key made of `secret`; those that were signed with one of `former` are good too.
    pub fn signed_with(secret: &str, former: &[&str]) -> Self {
        Self::Signed { key: derived(secret), former: former.iter().copied().map(derived).collect() }
    }

    /// The `image_url` of a picture.
    pub fn of(&self, owner: &OwnerKey, name: &ImageName, now: Timestamp) -> String {
        self.of_path(owner, name.image_url(), now)
    }

    /// The address of a video that is stored as `url`: a vendor's own is left as it is.
    pub fn of_video(&self, owner: &OwnerKey, url: String, now: Timestamp) -> String {
        if VideoName::from_url(&url).is_ok() { self.of_path(owner, url, now) } else { url }
    }

    fn of_path(&self, owner: &OwnerKey, path: String, now: Timestamp) -> String {
        let Self::Signed { key, .. } = self else { return path };
        let seconds = (now.millis() / 1000 / STEP_SECONDS + 2) * STEP_SECONDS;
        let expires_at = Timestamp::from_millis(seconds * 1000);
        let tag = hmac::sign(key, message(owner, &path, expires_at).as_bytes());
        let mut signature = [0; 32];
        signature.copy_from_slice(tag.as_ref());
        let query = SignedQuery { owner: owner.clone(), expires_at, signature };
        format!("{path}?{query}")
    }

    /// Whether `query` makes `path` an address that was handed out, and is still good.
    pub fn is_good(&self, path: &str, query: &SignedQuery, now: Timestamp) -> bool {
        let Self::Signed { key, former } = self else { return false };
        let message = message(&query.owner, path, query.expires_at);
        let is_by = |key| hmac::verify(key, message.as_bytes(), &query.signature).is_ok();
        now < query.expires_at && (is_by(key) || former.iter().any(is_by))
    }
}

fn derived(secret: &str) -> hmac::Key {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&secret, PURPOSE).as_ref())
}

/// All that an address says. None of its parts can hold a line's end.
fn message(owner: &OwnerKey, path: &str, expires_at: Timestamp) -> String {
    format!("{owner}\n{path}\n{}", expires_at.millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ImageKind, Owner};

    const NOW: Timestamp = Timestamp::from_millis(1_766_534_460_000);

    fn later(minutes: i64) -> Timestamp {
        Timestamp::from_millis(NOW.millis() + minutes * 60_000)
    }

    fn query_of(address: &str) -> SignedQuery {
        address.split_once('?').unwrap().1.parse().unwrap()
    }

    #[test]
    fn an_address_is_good_for_half_an_hour_at_least_and_an_hour_at_most() {
        let addresses = Addresses::signed_with("secret", &[]);
        let (owner, name) = ("alice".parse::<Owner>().unwrap().key(), ImageName::random(ImageKind::Png));
        let address = addresses.of(&owner, &name, NOW);
        assert_eq!(ImageName::from_image_url(&address).as_ref(), Ok(&name));
        let query = query_of(&address);
        assert!(
            addresses.is_good(&name.image_url(), &query, NOW)
                && addresses.is_good(&name.image_url(), &query, later(30))
        );
        assert!(!addresses.is_good(&name.image_url(), &query, later(60)));
        // The list, loaded again, says the same: the browser has the picture already.
        assert_eq!(addresses.of(&owner, &name, later(28)), address);
        assert_ne!(addresses.of(&owner, &name, later(30)), address);
    }

    #[test]
    fn nothing_of_an_address_can_be_exchanged() {
        let addresses = Addresses::signed_with("secret", &[]);
        let (alice, bob) = ("alice".parse::<Owner>().unwrap().key(), "bob".parse::<Owner>().unwrap().key());
        let name = ImageName::random(ImageKind::Png);
        let query = query_of(&addresses.of(&alice, &name, NOW));
        assert!(!addresses.is_good(&ImageName::random(ImageKind::Png).image_url(), &query, NOW));
        assert!(!addresses.is_good(&name.image_url(), &SignedQuery { owner: bob, ..query.clone() }, NOW));
        assert!(!addresses.is_good(
            &name.image_url(),
            &SignedQuery { expires_at: later(600), ..query.clone() },
            NOW
        ));
        assert!(!addresses.is_good(
            &name.image_url(),
            &SignedQuery { signature: [0; 32], ..query.clone() },
            NOW
        ));
        assert!(!Addresses::signed_with("other", &[]).is_good(&name.image_url(), &query, NOW));
        assert!(!Addresses::Plain.is_good(&name.image_url(), &query, NOW));
        assert!(Addresses::signed_with("other", &["secret"]).is_good(&name.image_url(), &query, NOW));
    }

    #[test]
    fn where_nobody_is_kept_out_an_address_is_a_name() {
        let name = ImageName::random(ImageKind::Png);
        assert_eq!(Addresses::Plain.of(&Owner::default().key(), &name, NOW), name.image_url());
    }

    #[test]
    fn a_kept_video_is_signed_and_a_vendors_is_not() {
        let (addresses, owner) = (Addresses::signed_with("secret", &[]), Owner::default().key());
        let path = "/api/videos/0123456789abcdef.mp4";
        let address = addresses.of_video(&owner, path.to_owned(), NOW);
        assert!(addresses.is_good(path, &query_of(&address), NOW));
        assert!(!addresses.is_good("/api/videos/0123456789abcdee.mp4", &query_of(&address), NOW));
        let vendors = "https://vendor.example/0123456789abcdef.mp4?a=b";
        assert_eq!(addresses.of_video(&owner, vendors.to_owned(), NOW), vendors);
    }
}
