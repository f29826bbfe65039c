use std::time::Duration;

use shared::{
    edge::{function::note, rest::RestError},
    model::{Event, GenerationId, ImageName, InvalidData, OwnerKey, Timestamp, VideoStatus, describe},
    service::{
        bucket::StoreError,
        metrics::Metric,
        polling::Polled,
        video_vendor::{Order, Picture, PictureSource},
        workspaces::{
            claim::{Claim, NewGeneration},
            generation::{Idempotency, Outcome, Snapshot},
            takes::CANCELLED,
        },
    },
};
use tokio::time::{Instant, sleep, timeout};

use crate::{App, request::GenerateRequest};

/// How long a vendor may take to fetch the picture.
const IMAGE_LIFE: Duration = Duration::from_secs(60 * 60);
/// How long a repeat waits for the first request's answer, which needs the vendor's, and how often it looks. It never asks
/// the vendor itself after that, for which there would be no time.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a task may take to be cancelled that nobody waits for any more: the execution does it otherwise.
const TIME_TO_CANCEL: Duration = Duration::from_secs(3);

/// Told to people where the vendor may have accepted, but did not say so.
const OUTCOME_UNKNOWN: &str = "视频服务没有确认任务，结果未知，为避免重复计费不会自动重试";

/// What the answer to an earlier request with the same `Idempotency-Key` says about this one.
enum Earlier {
    /// There was none.
    Nothing,
    /// It was refused, for this reason, and may be tried again.
    Refused(String),
    /// It is still being carried out.
    Pending,
    /// It got this task.
    Accepted(String),
}

impl App {
    /// Carries out `request`: the id of the vendor's task.
    pub async fn generate(&self, request: GenerateRequest) -> Result<String, RestError> {
        let GenerateRequest { owner, workspace_id, image, .. } = &request;
        let key = owner.key();
        let (snapshot, picture, kept) = tokio::join!(
            self.workspaces.snapshot(owner, *workspace_id),
            self.picture(&key, image),
            self.uploads.keep(&key, image),
        );
        let picture = self.check(picture, kept?);
        let mut snapshot = snapshot?;
        let give_up = Instant::now() + PATIENCE;
        let mut has_waited = false;
        loop {
            let current = snapshot.ok_or_else(RestError::workspace_not_found)?;
            match earlier_answer(&current, request.idempotency.as_ref())? {
                Earlier::Accepted(task_id) => return Ok(task_id),
                Earlier::Pending if Instant::now() >= give_up => {
                    return Err(RestError::video_in_progress(None));
                }
                Earlier::Pending => {
                    has_waited = true;
                    sleep(LOOK_EVERY).await;
                }
                // What was waited for is the answer to both.
                Earlier::Refused(reason) if has_waited => return Err(RestError::third_party(reason)),
                Earlier::Nothing if current.video.status == VideoStatus::Generating => {
                    return Err(RestError::video_in_progress(current.video.task_id.as_deref()));
                }
                Earlier::Nothing | Earlier::Refused(_) => {
                    // Not before: who repeats a request is answered as before, whatever has become of the picture.
                    let picture = match picture {
                        Ok(ref picture) => picture,
                        Err(error) => return Err(error),
                    };
                    let params = request.params.clone().or_form(&current.form_data);
                    let order = self.vendor.order(picture, &params)?;
                    let generation = NewGeneration {
                        id: GenerationId::random(),
                        idempotency: request.idempotency.clone(),
                        deadline: self.deadline,
                        correlation_id: request.correlation_id.clone(),
                    };
                    note("generation_id", &generation.id);
                    match self.workspaces.claim(owner, *workspace_id, &generation, self.limits).await? {
                        Claim::Claimed(claimed_at) => {
                            return self.ask_vendor(&request, generation.id, claimed_at, order).await;
                        }
                        Claim::Exhausted(exhausted) => return Err(exhausted.into()),
                        // Another request was faster: what it did shows now.
                        Claim::Taken => {}
                    }
                }
            }
            snapshot = self.workspaces.snapshot(owner, *workspace_id).await?;
        }
    }

    /// The picture as the vendor wants it: `None` where there is no such picture, `Some(None)` where what is there is none.
    async fn picture(
        &self,
        key: &OwnerKey,
        image: &ImageName,
    ) -> Result<Option<Option<Picture>>, StoreError> {
        if self.vendor.takes_bytes() {
            let picture = |(header, bytes)| Picture { header, source: PictureSource::Bytes(bytes) };
            return Ok(self.images.whole(key, image).await?.map(|whole| whole.map(picture)));
        }
        let (header, address) =
            tokio::join!(self.images.header(key, image), self.images.presign_get(key, image, IMAGE_LIFE));
        let source = PictureSource::Address(address?);
        Ok(header?.map(|header| header.map(|header| Picture { header, source })))
    }

    fn check(
        &self,
        found: Result<Option<Option<Picture>>, StoreError>,
        is_kept: bool,
    ) -> Result<Picture, RestError> {
        let picture = found?.filter(|_| is_kept).ok_or_else(RestError::image_not_found)?;
        let picture = picture.ok_or_else(RestError::unsupported_file_type)?;
        self.bounds.check(&picture.header, "image_url")?;
        Ok(picture)
    }

    async fn ask_vendor(
        &self,
        request: &GenerateRequest,
        generation: GenerationId,
        claimed_at: Timestamp,
        order: Order,
    ) -> Result<String, RestError> {
        let (created, ()) = tokio::join!(
            self.vendor.create_task(&generation, order),
            self.tell(request, VideoStatus::Generating, None, claimed_at),
        );
        match created {
            Ok(task_id) => self.accepted(request, generation, claimed_at, task_id).await,
            Err(error) => {
                let (outcome, reason) = match error.reason() {
                    Some(reason) => (Outcome::Refused, reason.to_owned()),
                    None => (Outcome::Unknown, OUTCOME_UNKNOWN.to_owned()),
                };
                self.failed(request, &generation, outcome, &reason).await;
                Err(RestError::third_party_failed(&reason, error))
            }
        }
    }

    /// Records the task and starts its execution, either of which is enough for the video to end well.
    async fn accepted(
        &self,
        request: &GenerateRequest,
        generation: GenerationId,
        claimed_at: Timestamp,
        task_id: String,
    ) -> Result<String, RestError> {
        let GenerateRequest { owner, workspace_id, .. } = request;
        let deadline_ms = i64::try_from(self.deadline.as_millis()).unwrap_or(i64::MAX);
        note("task_id", &task_id);
        Metric::GenerationsStarted.count(1);
        let task = Polled {
            owner,
            workspace_id: *workspace_id,
            generation_id: &generation,
            task_id: Some(&task_id),
            deadline: Timestamp::from_millis(claimed_at.millis().saturating_add(deadline_ms)),
            correlation_id: request.correlation_id.as_deref(),
        };
        let (recorded, started) = tokio::join!(
            self.workspaces.record_task(owner, *workspace_id, &generation, &task_id),
            self.polling.start(task, 0),
        );
        if let Err(error) = &started {
            tracing::error!(error = describe(error), "left to the sweeper");
        }
        match recorded {
            Ok(true) => {}
            Ok(false) => return Err(self.ended_meanwhile(request, &generation, &task_id).await?),
            Err(error) if started.is_ok() => {
                tracing::error!(error = describe(&error), "left to the execution");
            }
            Err(error) => return Err(error.into()),
        }
        tracing::info!("generation started");
        Ok(task_id)
    }

    /// The generation was cancelled, or its workspace deleted, while it was ordered: nobody waits for the task. The execution cancels
    /// it too, if that can't be done now.
    async fn ended_meanwhile(
        &self,
        request: &GenerateRequest,
        generation: &GenerationId,
        task_id: &str,
    ) -> Result<RestError, RestError> {
        let GenerateRequest { owner, workspace_id, .. } = request;
        let snapshot = self.workspaces.snapshot(owner, *workspace_id).await?;
        match timeout(TIME_TO_CANCEL, self.vendor.cancel_task(task_id)).await {
            Ok(Ok(true)) => {
                tracing::info!("task cancelled");
                self.workspaces.free_slot(owner, generation).await?;
            }
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!(error = describe(&error), "task not cancelled"),
            Err(late) => tracing::warn!(error = describe(&late), "task not cancelled"),
        }
        let error = snapshot.map(|snapshot| snapshot.video.error.unwrap_or_else(|| CANCELLED.to_owned()));
        Ok(error.map_or_else(RestError::workspace_not_found, RestError::third_party))
    }

    async fn failed(
        &self,
        request: &GenerateRequest,
        generation: &GenerationId,
        outcome: Outcome,
        reason: &str,
    ) {
        let GenerateRequest { owner, workspace_id, .. } = request;
        match self.workspaces.fail_claim(owner, *workspace_id, generation, outcome, reason).await {
            Ok(Some(updated_at)) => {
                self.tell(request, VideoStatus::Failed, Some(reason.to_owned()), updated_at).await;
            }
            // It was cancelled meanwhile, and there is no task that would hold its slot.
            Ok(None) if outcome == Outcome::Refused => {
                if let Err(error) = self.workspaces.free_slot(owner, generation).await {
                    tracing::warn!(error = describe(&error), "slot not freed");
                }
            }
            Ok(None) => {}
            Err(error) => tracing::error!(error = describe(&error), "failed claim left to the sweeper"),
        }
    }

    async fn tell(
        &self,
        request: &GenerateRequest,
        status: VideoStatus,
        error: Option<String>,
        updated_at: Timestamp,
    ) {
        let workspace_id = request.workspace_id;
        let event = Event::VideoStatus { workspace_id, status, video_url: None, error, updated_at };
        self.pusher.tell_all(&request.owner, &event).await;
    }
}

fn earlier_answer(snapshot: &Snapshot, given: Option<&Idempotency>) -> Result<Earlier, RestError> {
    let (Some(given), Some(newest)) = (given, &snapshot.generation) else { return Ok(Earlier::Nothing) };
    match &newest.idempotency {
        Some(first) if first.key == given.key && first.request != given.request => {
            let message = "这个 Idempotency-Key 已用于另一个请求，请换一个";
            return Err(InvalidData::new("Idempotency-Key", message).into());
        }
        Some(first) if first.key == given.key => {}
        _ => return Ok(Earlier::Nothing),
    }
    match newest.outcome {
        None => Ok(Earlier::Pending),
        Some(Outcome::Refused) => Ok(Earlier::Refused(snapshot.video.error.clone().unwrap_or_default())),
        Some(Outcome::Accepted) => Ok(Earlier::Accepted(snapshot.video.task_id.clone().unwrap_or_default())),
        Some(Outcome::Unknown) => {
            Err(RestError::third_party(snapshot.video.error.as_deref().unwrap_or(OUTCOME_UNKNOWN)))
        }
    }
}
