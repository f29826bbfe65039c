//! Schedules: an action at a fixed rate, as EventBridge Scheduler invokes a target.
//!
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>. Only rates are known here; a `cron(…)`
//! or `at(…)` in the template is refused when it is read.

use std::str::FromStr;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

/// `rate(5 minutes)`, parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(Duration);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refusal = || {
            format!(
                "the schedule {text:?} is not supported, only rate(N minutes), rate(N hours) and rate(N days) are"
            )
        };
        let inner = text.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')')).ok_or_else(refusal)?;
        let (value, unit) = inner.split_once(' ').ok_or_else(refusal)?;
        let seconds = match unit {
            "minute" | "minutes" => 60,
            "hour" | "hours" => 3_600,
            "day" | "days" => 86_400,
            _ => return Err(refusal()),
        };
        match value.parse::<u32>() {
            Ok(value) if value > 0 => Ok(Self(Duration::from_secs(seconds * u64::from(value)))),
            _ => Err(refusal()),
        }
    }
}

/// A running schedule. It ends, together with the actions that it began, when it is dropped.
#[derive(Debug)]
pub struct Schedule(JoinHandle<()>);

impl Schedule {
    /// Begins an action now, as EventBridge Scheduler does where there is no start date, and then at `rate`, whether
    /// or not the one before has ended.
    pub fn start<Action>(rate: Rate, mut action: impl FnMut() -> Action + Send + 'static) -> Self
    where
        Action: Future<Output = ()> + Send + 'static,
    {
        Self(tokio::spawn(async move {
            let mut ticks = interval(rate.0);
            // After the laptop slept for a night there is one action to catch up with, not hundreds.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let mut running = JoinSet::new();
            loop {
                tokio::select! {
                    _ = ticks.tick() => {
                        running.spawn(action());
                    }
                    // Ended ones are let go.
                    Some(_) = running.join_next() => {}
                }
            }
        }))
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::time::sleep;

    #[test]
    fn reads_rates_and_refuses_the_rest() {
        let rate = |text: &str| text.parse::<Rate>().map(|rate| rate.0.as_secs());
        assert_eq!(rate("rate(1 minute)"), Ok(60));
        assert_eq!(rate("rate(5 minutes)"), Ok(300));
        assert_eq!(rate("rate(2 hours)"), Ok(7_200));
        assert_eq!(rate("rate(1 day)"), Ok(86_400));
        for text in [
            "rate(0 minutes)",
            "rate(-1 minute)",
            "rate(1 second)",
            "rate(1minute)",
            "rate(1  minute)",
            "rate(1)",
        ] {
            assert!(rate(text).is_err(), "{text}");
        }
        let refusal = rate("cron(0 12 * * ? *)").unwrap_err();
        assert!(refusal.starts_with("the schedule \"cron(0 12 * * ? *)\" is not supported"), "{refusal}");
    }

    #[tokio::test(start_paused = true)]
    async fn acts_at_its_rate_until_it_is_dropped() {
        let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counters = (Arc::clone(&begun), Arc::clone(&ended));
        let schedule = Schedule::start("rate(1 minute)".parse().unwrap(), move || {
            let (begun, ended) = counters.clone();
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                // Longer than the rate: actions overlap.
                sleep(Duration::from_secs(90)).await;
                ended.fetch_add(1, Ordering::SeqCst);
            }
        });
        sleep(Duration::from_secs(185)).await;
        assert_eq!(begun.load(Ordering::SeqCst), 4);
        assert_eq!(ended.load(Ordering::SeqCst), 2);
        drop(schedule);
        sleep(Duration::from_secs(600)).await;
        assert_eq!(begun.load(Ordering::SeqCst), 4);
        assert_eq!(ended.load(Ordering::SeqCst), 2, "what runs is ended too");
    }
}
