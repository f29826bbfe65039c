use std::time::Duration;

use shared::{
    edge::function::note,
    model::{VideoStatus, describe},
    service::{
        database::DatabaseError,
        polling::Poll,
        video_vendor::{Lost, TaskState, VendorUnavailable},
        workspaces::{
            generation::{Ending, Outcome},
            stale::OUTCOME_UNKNOWN,
        },
    },
};

use crate::{App, Output, PollError, Status};

/// How long a vendor may have itself waited for: the sweeper takes a generation that wasn't asked about for two minutes for one that
/// nobody works on.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Told to people where `generate-video` died on the way, and the vendor says that it has made no task.
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
        let is_running = is_running?;
        let ending = match state {
            Err(VendorUnavailable::Busy { retry_after: Some(wait) }) if !poll.is_overdue() => {
                let retry_after_seconds = wait.min(MAX_WAIT).as_secs().max(1);
                return Ok(Output { status: Status::Busy, retry_after_seconds });
            }
            Err(unavailable) if !poll.is_overdue() => return Err(unavailable.into()),
            Ok(TaskState::Running | TaskState::Unknown { .. }) if is_running && !poll.is_overdue() => {
                return Ok(Status::Generating.into());
            }
            Ok(TaskState::Running | TaskState::Unknown { .. }) if !is_running => {
                // Cancelled, deleted or given up: nobody waits for it any more, but it is paid, and has its slot, while it runs.
                match self.cancel(poll, &task_id).await {
                    Ok(true) => {}
                    Ok(false) if !poll.is_overdue() => return Ok(Status::Generating.into()),
                    Err(error) if !poll.is_overdue() => return Err(error),
                    Ok(false) => {}
                    Err(error) => tracing::warn!(error = describe(&error), "task not cancelled"),
                }
                self.generations.tell_again(poll).await?;
                return Ok(Status::Ended.into());
            }
            _ if !is_running => return self.ended_before(poll).await,
            Ok(TaskState::Succeeded { url }) if self.keeps_videos => {
                return match workspaces.record_source(owner, id, &poll.generation_id, &url).await? {
                    true => Ok(Status::Made.into()),
                    false => self.ended_before(poll).await,
                };
            }
            Ok(TaskState::Succeeded { url }) => Ending::Completed { url },
            Ok(TaskState::Failed { reason }) => Ending::Failed { error: reason },
            Ok(TaskState::Running | TaskState::Unknown { .. }) | Err(_) => match self.source(poll).await? {
                // Another execution has seen it finished.
                Some(_) if self.keeps_videos => return Ok(Status::Made.into()),
                Some(url) => Ending::Completed { url },
                None => Ending::Overdue,
            },
        };
        let is_overdue = matches!(ending, Ending::Overdue);
        let has_ended_now = self.generations.end(poll, ending).await?;
        if is_overdue {
            if let Err(error) = self.cancel(poll, &task_id).await {
                tracing::warn!(error = describe(&error), "task not cancelled");
            }
        } else if !has_ended_now {
            self.generations.workspaces.free_slot(owner, &poll.generation_id).await?;
        }
        Ok(Status::Ended.into())
    }

    /// The generation has ended here before it has at the vendor's, where it has now.
    async fn ended_before(&self, poll: &Poll) -> Result<Output, PollError> {
        self.generations.workspaces.free_slot(&poll.owner, &poll.generation_id).await?;
        self.generations.tell_again(poll).await?;
        Ok(Status::Ended.into())
    }

    /// Cancels the task: whether it is made no more.
    async fn cancel(&self, poll: &Poll, task_id: &str) -> Result<bool, PollError> {
        let is_cancelled = self.vendor.cancel_task(task_id).await?;
        if is_cancelled {
            tracing::info!("task cancelled");
            self.generations.workspaces.free_slot(&poll.owner, &poll.generation_id).await?;
        }
        Ok(is_cancelled)
    }

    /// Where the vendor has the finished video of a generation that is still running, if that is known.
    async fn source(&self, poll: &Poll) -> Result<Option<String>, DatabaseError> {
        let newest = self.generations.newest(poll).await?;
        let running = newest.filter(|newest| newest.video.status == VideoStatus::Generating);
        Ok(running.and_then(|running| running.generation).and_then(|generation| generation.source))
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
            Ok(Lost::NoTask) => {
                workspaces.free_slot(owner, &poll.generation_id).await?;
                (Outcome::Refused, NO_TASK)
            }
            Ok(Lost::Untraceable) => (Outcome::Unknown, OUTCOME_UNKNOWN),
            Err(_) if poll.is_overdue() => (Outcome::Unknown, OUTCOME_UNKNOWN),
            Err(unavailable) => return Err(unavailable.into()),
        };
        self.generations.fail_claim(poll, outcome, error).await?;
        Ok(None)
    }

    /// Records that there will be no more asking, or no more copying: then the video is left where the vendor has it.
    pub async fn give_up(&self, poll: &Poll) -> Result<Status, DatabaseError> {
        let ending = match self.source(poll).await? {
            Some(url) => Ending::NotKept { url, why: "execution given up".to_owned() },
            None => Ending::Failed { error: GIVEN_UP.to_owned() },
        };
        self.generations.end(poll, ending).await?;
        Ok(Status::Ended)
    }
}
