//! One generation at a simulated vendor. Its state is a function of the time since its creation: nothing has to run for
//! it, and a restart of the stack loses nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::protocol::Protocol;
use super::steering::Word;

/// What the plain `POST /tasks` takes, and what is kept of a creation in any protocol. The words that steer the simulation
/// are in `prompt`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
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

impl Order {
    pub(super) fn has(&self, word: Word) -> bool {
        word.is_in(&self.prompt)
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
    /// Older files have none: they are of the plain protocol, which was the only one.
    #[serde(default)]
    pub protocol: Protocol,
    /// The body as received, without the data of pictures; null in the plain protocol, whose order says it all.
    #[serde(default)]
    pub request: Value,
    #[serde(default)]
    pub cancelled_at: Option<i64>,
    /// Whether the vendor says that there is no such task any more.
    #[serde(default)]
    pub is_removed: bool,
    #[serde(flatten)]
    pub order: Order,
}

/// Where a task stands. `Odd` and `Ended` are states that were asked for by a word, for adapters that don't know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status<'a> {
    Queued,
    Running,
    Odd(&'a str),
    Succeeded,
    /// With the code that was asked for.
    Failed(Option<&'a str>),
    Ended(&'a str),
    Cancelled,
}

impl Status<'_> {
    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Odd(_))
    }

    /// In one of four words, whatever the protocol.
    pub(super) fn in_general(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running | Self::Odd(_) => "running",
            Self::Succeeded => "succeeded",
            Self::Failed(_) | Self::Ended(_) | Self::Cancelled => "failed",
        }
    }
}

impl Task {
    pub(super) fn new(
        protocol: Protocol,
        order: Order,
        request: Value,
        now: i64,
        duration: Duration,
    ) -> Self {
        Self {
            id: new_id(protocol),
            created_at: now,
            milliseconds: i64::try_from(duration.as_millis()).unwrap_or(i64::MAX),
            protocol,
            request,
            cancelled_at: None,
            is_removed: false,
            order,
        }
    }

    /// A quarter of its time in the queue, then running, then the end.
    pub(super) fn status(&self, now: i64) -> Status<'_> {
        let (age, prompt) = (now - self.created_at, self.order.prompt.as_str());
        if self.cancelled_at.is_some() {
            Status::Cancelled
        } else if age < self.queued() {
            Status::Queued
        } else if age < self.milliseconds || self.order.has(Word::Stall) {
            Word::State.value_in(prompt).map_or(Status::Running, Status::Odd)
        } else if let Some(state) = Word::End.value_in(prompt) {
            Status::Ended(state)
        } else if self.order.has(Word::Fail) {
            Status::Failed(Word::Fail.value_in(prompt))
        } else {
            Status::Succeeded
        }
    }

    /// When it came into its state, in Unix milliseconds.
    pub(super) fn updated_at(&self, now: i64) -> i64 {
        match self.status(now) {
            Status::Queued => self.created_at,
            Status::Running | Status::Odd(_) => self.created_at + self.queued(),
            Status::Succeeded | Status::Failed(_) | Status::Ended(_) => self.created_at + self.milliseconds,
            Status::Cancelled => self.cancelled_at.unwrap_or(self.created_at),
        }
    }

    /// Which part of its running is over, short of all.
    pub(super) fn progress(&self, now: i64) -> f64 {
        let (done, all) = (now - self.created_at - self.queued(), self.milliseconds - self.queued());
        let hundredths = (done.max(0) * 100 / all.max(1)).min(99);
        hundredths as f64 / 100.0
    }

    fn queued(&self) -> i64 {
        self.milliseconds / 4
    }
}

/// In the looks of the vendor's own.
fn new_id(protocol: Protocol) -> String {
    let id = uuid::Uuid::new_v4();
    match protocol {
        Protocol::Plain => format!("task_{}", id.simple()),
        Protocol::Ark => format!("cgt-{}", id.simple()),
        // 18 digits, which no number of JavaScript's could hold.
        Protocol::Kling => (id.as_u128() % 900_000_000_000_000_000 + 100_000_000_000_000_000).to_string(),
        Protocol::Runway => id.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(prompt: &str) -> Task {
        let order = Order { prompt: prompt.to_owned(), ..Order::default() };
        Task::new(Protocol::Plain, order, Value::Null, 1_000, Duration::from_secs(8))
    }

    #[test]
    fn goes_from_queued_over_running_to_its_end() {
        let history = |prompt: &str| {
            let task = task(prompt);
            [1_000, 2_999, 3_000, 8_999, 9_000, 1_000_000].map(|now| format!("{:?}", task.status(now)))
        };
        assert_eq!(history("推进"), ["Queued", "Queued", "Running", "Running", "Succeeded", "Succeeded"]);
        assert_eq!(history("推进 #fail")[3..], ["Running", "Failed(None)", "Failed(None)"]);
        assert_eq!(history("#fail #stall")[3..], ["Running", "Running", "Running"]);
        assert_eq!(history("#fail:x.Y")[4], "Failed(Some(\"x.Y\"))");
        assert_eq!(
            history("#state:THROTTLED #end:odd")[1..5],
            ["Queued", "Odd(\"THROTTLED\")", "Odd(\"THROTTLED\")", "Ended(\"odd\")"]
        );
    }

    #[test]
    fn its_progress_and_times_go_with_its_state() {
        let mut task = task("推进");
        assert_eq!([3_000, 6_000, 8_999, 20_000].map(|now| task.progress(now)), [0.0, 0.5, 0.99, 0.99]);
        assert_eq!([1_500, 4_000, 20_000].map(|now| task.updated_at(now)), [1_000, 3_000, 9_000]);
        task.cancelled_at = Some(2_000);
        assert_eq!((task.status(20_000), task.updated_at(20_000)), (Status::Cancelled, 2_000));
    }

    #[test]
    fn a_task_of_an_older_stack_is_read() {
        let old = r#"{"id": "task_1", "created_at": 1, "milliseconds": 2, "image_url": "http://x/y.png", "prompt": "推进",
            "camera_movement": "", "shot_type": "", "lighting": "", "client_task_id": "mine"}"#;
        let task: Task = serde_json::from_str(old).unwrap();
        assert_eq!((task.protocol, task.status(3)), (Protocol::Plain, Status::Succeeded));
        assert_eq!(task.order.client_task_id, "mine");
    }
}
