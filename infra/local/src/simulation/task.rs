//! One generation at the simulated vendor. Its state is a function of the time since its creation: nothing has to run
//! for it, and a restart of the stack loses nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What `POST /tasks` takes. The words that steer the simulation are in `prompt`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Order {
    pub image_url: String,
    pub prompt: String,
    #[serde(default)]
    pub camera_movement: String,
    #[serde(default)]
    pub shot_type: String,
    #[serde(default)]
    pub lighting: String,
    #[serde(default)]
    pub client_task_id: String,
}

/// What a user may write into a prompt to see something go wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word {
    /// Refused at once.
    Refuse,
    /// Ends failed.
    Fail,
    /// Never ends.
    Stall,
    /// Every second status query answers 500.
    Flaky,
    /// Accepted, but the answer to its creation never comes.
    Lost,
}

impl Order {
    pub(super) fn has(&self, word: Word) -> bool {
        self.prompt.contains(match word {
            Word::Refuse => "#refuse",
            Word::Fail => "#fail",
            Word::Stall => "#stall",
            Word::Flaky => "#flaky",
            Word::Lost => "#lost",
        })
    }
}

/// An accepted order, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Task {
    pub id: String,
    /// Unix milliseconds.
    pub created_at: i64,
    /// How long it takes: what was set when it was created.
    pub milliseconds: i64,
    #[serde(flatten)]
    pub order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Queued,
    Running,
    Succeeded,
    Failed,
}

impl Task {
    pub(super) fn new(order: Order, now: i64, duration: Duration) -> Self {
        let milliseconds = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self { id: format!("task_{}", uuid::Uuid::new_v4().simple()), created_at: now, milliseconds, order }
    }

    /// A quarter of its time in the queue, then running, then the end.
    pub(super) fn status(&self, now: i64) -> Status {
        let age = now - self.created_at;
        if age < self.milliseconds / 4 {
            Status::Queued
        } else if age < self.milliseconds || self.order.has(Word::Stall) {
            Status::Running
        } else if self.order.has(Word::Fail) {
            Status::Failed
        } else {
            Status::Succeeded
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(prompt: &str) -> Task {
        let order = serde_json::json!({"image_url": "http://x/y.png", "prompt": prompt});
        Task::new(serde_json::from_value(order).unwrap(), 1_000, Duration::from_secs(8))
    }

    #[test]
    fn goes_from_queued_over_running_to_its_end() {
        let history =
            |prompt: &str| [1_000, 2_999, 3_000, 8_999, 9_000, 1_000_000].map(|now| task(prompt).status(now));
        use Status::{Failed, Queued, Running, Succeeded};
        assert_eq!(history("推进"), [Queued, Queued, Running, Running, Succeeded, Succeeded]);
        assert_eq!(history("推进 #fail"), [Queued, Queued, Running, Running, Failed, Failed]);
        assert_eq!(history("#fail #stall"), [Queued, Queued, Running, Running, Running, Running]);
    }
}
