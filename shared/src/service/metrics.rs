//! What is counted and timed for CloudWatch. The dashboard and the alarms of `template.yaml` name these.
//!
//! Whoever knows a number says it here, in whatever room; `edge/log.rs` writes all that was said during an event in one line.

use std::time::Duration;

/// Where `tracing` hears of a measurement, to keep it apart from lines for people.
pub const TARGET: &str = "metric";
/// The unit of what is counted.
pub const COUNT: &str = "Count";
/// The unit of what is timed.
pub const MILLISECONDS: &str = "Milliseconds";

/// What is measured. All but the times are counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// A process's first event.
    ColdStarts,
    /// From the frame to its answer, within the function. Not of pings.
    AcknowledgementTime,
    /// Frames that were refused with `CONFLICT`.
    Conflicts,
    /// Events that an open connection was told.
    PushesSent,
    /// Connections that turned out to be gone.
    PushesGone,
    /// Connections that weren't told, for another reason, such as a lack of time.
    PushesFailed,
    /// Generations whose task the vendor accepted.
    GenerationsStarted,
    /// Generations that ended with a video.
    GenerationsCompleted,
    /// Generations whose task failed at the vendor, or could not be asked about.
    GenerationsFailed,
    /// Generations that the vendor surely made no task of.
    GenerationsRefused,
    /// Generations of which nobody knows whether the vendor made a task.
    GenerationsUnknown,
    /// Generations that were given up at their deadline.
    GenerationsOverdue,
    /// Generations that their owner wanted no more.
    GenerationsCancelled,
    /// Requests to the video vendor.
    VendorCalls,
    /// Those of them that got no answer, or one that isn't the fault of the request.
    VendorErrors,
    /// Answers of the vendor that somebody must see to: a key, money, a model, an option.
    VendorAccountErrors,
    /// Finished videos that were copied into the bucket.
    VideosKept,
    /// Finished videos that could not be, and are left at the vendor's address.
    VideosNotKept,
    /// From the vendor's "done" to the copy in the bucket.
    KeepTime,
    /// From the claim of a generation to its end.
    VendorTime,
    /// Connections that the sweeper closed.
    ConnectionsSwept,
}

impl Metric {
    const fn name(self) -> &'static str {
        match self {
            Self::ColdStarts => "ColdStarts",
            Self::AcknowledgementTime => "AcknowledgementTime",
            Self::Conflicts => "Conflicts",
            Self::PushesSent => "PushesSent",
            Self::PushesGone => "PushesGone",
            Self::PushesFailed => "PushesFailed",
            Self::GenerationsStarted => "GenerationsStarted",
            Self::GenerationsCompleted => "GenerationsCompleted",
            Self::GenerationsFailed => "GenerationsFailed",
            Self::GenerationsRefused => "GenerationsRefused",
            Self::GenerationsUnknown => "GenerationsUnknown",
            Self::GenerationsOverdue => "GenerationsOverdue",
            Self::GenerationsCancelled => "GenerationsCancelled",
            Self::VendorCalls => "VendorCalls",
            Self::VendorErrors => "VendorErrors",
            Self::VendorAccountErrors => "VendorAccountErrors",
            Self::VideosKept => "VideosKept",
            Self::VideosNotKept => "VideosNotKept",
            Self::KeepTime => "KeepTime",
            Self::VendorTime => "VendorTime",
            Self::ConnectionsSwept => "ConnectionsSwept",
        }
    }

    /// Says that it happened `times`; nothing is said of what never did.
    pub fn count(self, times: usize) {
        if times > 0 {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            self.say(times as f64, COUNT);
        }
    }

    /// Says how long it took.
    pub fn time(self, took: Duration) {
        self.say(took.as_secs_f64() * 1000.0, MILLISECONDS);
    }

    /// An error, not because it is one, but so that it is heard at every level of this process's log.
    fn say(self, value: f64, unit: &'static str) {
        tracing::error!(target: TARGET, name = self.name(), value, unit);
    }
}
