//! The time that an invocation has.

use std::{future::Future, time::Duration};

use lambda_runtime::Context;
use tokio::time::{error::Elapsed, timeout};

use crate::model::Timestamp;

/// Kept back for the answer itself.
const RESERVE: Duration = Duration::from_secs(2);

/// Does `work` within the time that the invocation `context` still has, so that its client gets an answer of ours and not
/// the gateway's word that there was none.
pub async fn within<F: Future>(context: &Context, work: F) -> Result<F::Output, Elapsed> {
    let now = u64::try_from(Timestamp::now().millis()).unwrap_or_default();
    let left = Duration::from_millis(context.deadline.saturating_sub(now));
    timeout(left.saturating_sub(RESERVE), work).await
}
