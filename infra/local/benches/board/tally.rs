//! What was sent and what came back.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;

use crate::figures::ms;

/// Times, to three digits, in as much memory for a million as for one: memory is measured here too.
pub struct Times(Histogram<u64>);

impl Times {
    fn new() -> anyhow::Result<Self> {
        const MICROSECONDS_IN_A_MINUTE: u64 = 60_000_000;
        Ok(Self(Histogram::new_with_bounds(1, MICROSECONDS_IN_A_MINUTE, 3)?))
    }

    pub fn record(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(share))
    }
}

/// Of a while of load.
pub struct Tally {
    pub sent: u64,
    pub acknowledged: u64,
    pub acknowledgement: Times,
    /// What was answered instead, and how often.
    pub refused: BTreeMap<String, u64>,
    pub pushed: u64,
    pub push: Times,
}

impl Tally {
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            sent: 0,
            acknowledged: 0,
            acknowledgement: Times::new()?,
            refused: BTreeMap::new(),
            pushed: 0,
            push: Times::new()?,
        })
    }

    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.acknowledged += other.acknowledged;
        self.pushed += other.pushed;
        for (times, others) in
            [(&mut self.acknowledgement, &other.acknowledgement), (&mut self.push, &other.push)]
        {
            // All have the same bounds, so that nothing is out of range.
            let _ = times.0.add(&others.0);
        }
        for (answer, count) in &other.refused {
            *self.refused.entry(answer.clone()).or_default() += count;
        }
    }

    /// p50, p99 and the longest.
    pub fn acknowledgements(&self) -> String {
        shown(&self.acknowledgement)
    }

    /// The same of pushes.
    pub fn pushes(&self) -> String {
        shown(&self.push)
    }
}

fn shown(times: &Times) -> String {
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| ms(times.quantile(share)));
    format!("{p50}, {p99}, {max}")
}
