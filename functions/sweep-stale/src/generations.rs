use futures_util::{StreamExt, stream};
use shared::{
    model::{Timestamp, describe},
    service::{
        database::DatabaseError,
        polling::Polled,
        workspaces::{
            generation::{Ending, Outcome},
            stale::{OUTCOME_UNKNOWN, Stale},
        },
    },
};

use crate::{App, BATCH, CONCURRENCY};

impl App {
    pub async fn sweep_generations(&self) -> Result<(), DatabaseError> {
        let stale = self.workspaces.stale(BATCH).await?;
        stream::iter(stale)
            .for_each_concurrent(CONCURRENCY, |stale| async move {
                if let Err(error) = self.sweep_generation(&stale).await {
                    // The next sweep finds it again.
                    let (generation_id, correlation_id) = (stale.id.as_str(), &stale.correlation_id);
                    tracing::error!(
                        generation_id,
                        correlation_id,
                        error = describe(&error),
                        "generation not swept"
                    );
                }
            })
            .await;
        Ok(())
    }

    async fn sweep_generation(&self, stale: &Stale) -> Result<(), DatabaseError> {
        let Stale { owner, workspace_id, id, .. } = stale;
        if Timestamp::now() < stale.deadline {
            return self.poll_again(stale).await;
        }
        let ending = match (&stale.task_id, &stale.source) {
            // Nobody could copy it: then it is left where the vendor has it.
            (_, Some(url)) => Ending::NotKept { url: url.clone(), why: "past its deadline".to_owned() },
            (Some(_), None) => Ending::Overdue,
            (None, None) => Ending::Failed { error: OUTCOME_UNKNOWN.to_owned() },
        };
        let ended = match &ending {
            Ending::Failed { error } => {
                self.workspaces.fail_claim(owner, *workspace_id, id, Outcome::Unknown, error).await?
            }
            _ => self.workspaces.finish(owner, *workspace_id, id, &ending).await?,
        };
        if let Some(updated_at) = ended {
            let (generation_id, correlation_id) = (id.as_str(), &stale.correlation_id);
            tracing::warn!(generation_id, correlation_id, task_id = stale.task_id, "generation given up");
            self.pusher.tell_all(owner, &ending.into_event(*workspace_id, updated_at)).await;
        }
        Ok(())
    }

    /// The generation has lost its execution, or whoever claimed it has died before it had one; then nobody knows whether there is
    /// a task, and the execution finds out. To die between the two steps costs two minutes: then it is found again.
    async fn poll_again(&self, stale: &Stale) -> Result<(), DatabaseError> {
        if self.workspaces.take_over(stale).await? {
            let attempt = stale.attempt + 1;
            let (generation_id, correlation_id) = (stale.id.as_str(), stale.correlation_id.as_deref());
            let task_id = stale.task_id.as_deref();
            tracing::warn!(generation_id, correlation_id, task_id, attempt, "polling again");
            let task = Polled {
                owner: &stale.owner,
                workspace_id: stale.workspace_id,
                generation_id: &stale.id,
                task_id,
                deadline: stale.deadline,
                correlation_id,
            };
            if let Err(error) = self.polling.start(task, attempt).await {
                tracing::error!(
                    generation_id,
                    correlation_id,
                    error = describe(&error),
                    "left to the next sweep"
                );
            }
        }
        Ok(())
    }
}
