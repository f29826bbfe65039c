//! The paid services, simulated: video vendors ([`Protocol`]) and a chat model ([`chat`]).
//!
//! All speak over HTTP like the real ones, so that the functions can't tell the difference, and all are steered by words
//! in the text that they are sent ([`steering`]; contract, section 5). None is part of the product: nothing here is
//! deployed.
//!
//! The video vendors share one store of tasks ([`Vendor`]) and one way of delivering videos. Each protocol is a router of
//! its own over it, at an address of its own, and always there.

mod access;
mod answer;
mod ark;
pub mod chat;
mod delivery;
mod fields;
mod kling;
mod picture;
mod protocol;
mod runway;
pub mod steering;
mod store;
mod task;
#[cfg(test)]
mod testing;
mod vendor;
mod video;

use axum::Router;
use axum::extract::DefaultBodyLimit;

pub use access::{ARK_KEY, KLING_KEY, RUNWAY_KEY};
pub use protocol::Protocol;
pub use store::Vendor;

/// What the largest takers of pictures take in a request (Ark). Each protocol has narrower bounds of its own.
const MAX_REQUEST_BYTES: usize = 64 << 20;

/// The APIs of all video vendors, each at its [`Protocol::path`].
///
/// A creation with `#lost` is never answered: whoever shuts the server down gracefully must not wait for it.
pub fn router(vendor: &Vendor) -> Router {
    Router::new()
        .nest(Protocol::Plain.path(), vendor::router(vendor.clone()))
        .nest(Protocol::Ark.path(), ark::router(vendor.clone()))
        .nest(Protocol::Kling.path(), kling::router(vendor.clone()))
        .nest(Protocol::Runway.path(), runway::router(vendor.clone()))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
}
