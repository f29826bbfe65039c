//! Step Functions, as far as `infra/video-polling.asl.json` needs it.
//!
//! A definition is parsed once into types that hold no nonsense ([`StateMachine`]); a state, field or value beyond
//! what is built here is refused then, with a sentence, and never ignored: what runs here must run in the cloud.
//! The interpreter goes from state to state; the executions and their API are in [`Machines`].
//!
//! The language: <https://states-language.net/spec.html>. Where AWS differs from it, AWS is followed:
//! <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>.

mod api;
mod definition;
mod executions;
mod interpreter;
mod millis;
mod path;
mod store;

pub use definition::StateMachine;
pub use executions::Machines;
pub use interpreter::TaskError;
