//! The paid services, simulated: a video vendor ([`vendor`]) and a chat model ([`chat`]).
//!
//! Both speak over HTTP like the real ones, so that the functions can't tell the difference, and both are steered by
//! words in the text that they are sent (contract, section 5). Neither is part of the product: nothing here is
//! deployed.

pub mod chat;
mod task;
pub mod vendor;
mod video;
