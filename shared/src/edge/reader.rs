//! Who may read a file: whoever has its owner's token, or an address that was signed for it (contract §7).

use lambda_http::Request;

use super::{access::Access, addresses::Addresses, rest::RestError};
use crate::model::{OwnerKey, SignedQuery, Timestamp};

/// Lets readers in.
pub struct Reader {
    pub(super) access: Access,
    pub(super) addresses: Addresses,
}

impl Reader {
    /// Whose file at `path` may be read by who sends `request`. A path that no file can have has no address either.
    pub async fn owner(&self, request: &Request, path: Option<&str>) -> Result<OwnerKey, RestError> {
        let query = request.uri().query().and_then(|query| query.parse::<SignedQuery>().ok());
        match (path, query) {
            (Some(path), Some(query)) if self.addresses.is_good(path, &query, Timestamp::now()) => {
                Ok(query.owner)
            }
            _ => Ok(self.access.owner(request).await?.key()),
        }
    }

    /// What an answer depends on beside its address, for a cache.
    ///
    /// The gateway's CORS headers come only where the request has an origin: without this a browser would give what an `<img>` has
    /// cached to a `fetch`, and refuse it. Nor is what somebody's token got for somebody else who sits down at the browser.
    pub fn varies_by(&self) -> &'static str {
        if matches!(self.access, Access::Open) { "origin" } else { "origin, authorization" }
    }
}
