use std::time::Duration;

use shared::{
    edge::function::note,
    model::describe,
    service::{
        database::DatabaseError,
        metrics::Metric,
        polling::Poll,
        video_vendor::{Lost, TaskState, VendorUnavailable},
        workspaces::generation::{Ending, Outcome},
    },
};

use crate::{App, Output, PollError, Status};

/// How long a vendor may have itself waited for: the sweeper takes a generation that wasn't asked about for two minutes for one that
/// nobody works on.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Told to people where nobody knows whether the vendor has accepted: `generate-video` died on the way.
const OUTCOME_UNKNOWN: &str = "生成请求中断，结果未知，为避免重复计费不会自动重试";
/// The same where the vendor says that it has not.
const NO_TASK: &str = "生成请求中断，没有产生任务，请重新生成";
const GIVEN_UP: &str = "无法查询视频状态，已放弃等待";

impl App {
    /// Asks the vendor once.
    pub async fn ask(&self, poll: &Poll) -> Result<Output, PollError> {
        let Some(task_id) = self.task_of(poll).await? else { return Ok(Status::Ended.into()) };
        let (workspaces, owner, id) = (&self.generations.workspaces, &poll.owner, poll.workspace_id);
        let (is_running, state) = tokio::join!(
            workspaces.record_task(owner, id, &poll.generation_id, &task_id),
            self.vendor.query_task(&task_id),
        );
        if !is_running? {
            if matches!(state, Ok(TaskState::Running | TaskState::Unknown { .. })) {
                // Cancelled, deleted or given up: nobody waits for it any more.
                self.vendor.cancel_task(&task_id).await?;
                tracing::info!("task cancelled");
            }
            self.generations.tell_again(poll).await?;
            return Ok(Status::Ended.into());
        }
        let ending = match state {
            Ok(TaskState::Succeeded { url }) if self.keeps_videos => {
                let is_running = workspaces.record_source(owner, id, &poll.generation_id, &url).await?;
                return Ok(if is_running { Status::Made } else { Status::Ended }.into());
            }
            Ok(TaskState::Succeeded { url }) => Ending::Completed { url },
            Ok(TaskState::Failed { reason }) => Ending::Failed { error: reason },
            Ok(TaskState::Running | TaskState::Unknown { .. }) | Err(_) if poll.is_overdue() => {
                Ending::Overdue
            }
            Ok(TaskState::Running | TaskState::Unknown { .. }) => return Ok(Status::Generating.into()),
            Err(VendorUnavailable::Busy { retry_after: Some(wait) }) => {
                let retry_after_seconds = wait.min(MAX_WAIT).as_secs().max(1);
                return Ok(Output { status: Status::Busy, retry_after_seconds });
            }
            Err(unavailable) => return Err(unavailable.into()),
        };
        let is_overdue = matches!(ending, Ending::Overdue);
        self.generations.end(poll, ending).await?;
        if is_overdue && let Err(error) = self.vendor.cancel_task(&task_id).await {
            tracing::warn!(error = describe(&error), "task not cancelled");
        }
        Ok(Status::Ended.into())
    }

    /// The vendor's task. Where nobody has noted it, because whoever ordered it died, the vendor is asked for it, if it can be; the
    /// generation ends if there is none.
    async fn task_of(&self, poll: &Poll) -> Result<Option<String>, PollError> {
        if let Some(task_id) = &poll.task_id {
            return Ok(Some(task_id.clone()));
        }
        let newest = self.generations.newest(poll).await?;
        if let Some(task_id) = newest.and_then(|newest| newest.video.task_id) {
            return Ok(Some(task_id));
        }
        let (workspaces, owner, id) = (&self.generations.workspaces, &poll.owner, poll.workspace_id);
        let (is_running, lost) = tokio::join!(
            workspaces.is_running(owner, id, &poll.generation_id),
            self.vendor.find_task(&poll.generation_id),
        );
        is_running?;
        let (outcome, error) = match lost {
            Ok(Lost::Found(task_id)) => {
                note("task_id", &task_id);
                tracing::warn!("task found whose creation got no answer");
                return Ok(Some(task_id));
            }
            Ok(Lost::NoTask) => (Outcome::Refused, NO_TASK),
            Ok(Lost::Untraceable) => (Outcome::Unknown, OUTCOME_UNKNOWN),
            Err(_) if poll.is_overdue() => (Outcome::Unknown, OUTCOME_UNKNOWN),
            Err(unavailable) => return Err(unavailable.into()),
        };
        self.generations.fail_claim(poll, outcome, error).await?;
        Ok(None)
    }

    /// Records that there will be no more asking, or no more copying: then the video is left where the vendor has it.
    pub async fn give_up(&self, poll: &Poll) -> Result<Status, DatabaseError> {
        let generation = self.generations.newest(poll).await?.and_then(|newest| newest.generation);
        let ending = match generation.and_then(|generation| generation.source) {
            Some(url) => {
                tracing::error!("video not kept: left at the vendor's address");
                Metric::VideosNotKept.count(1);
                Ending::Completed { url }
            }
            None => Ending::Failed { error: GIVEN_UP.to_owned() },
        };
        self.generations.end(poll, ending).await?;
        Ok(Status::Ended)
    }
}
