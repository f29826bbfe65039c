//! What can go wrong in the cloud, on demand: named faults, each with a probability, decided by a seed.
//!
//! A fault is asked for by name (`--fault repeat:0.2`), or switched on and off by a test while the stack runs. Each has a
//! random sequence of its own, so that with the same seed its n-th opportunity always goes the same way, whatever the
//! others do.

use std::fmt::{self, Display};
use std::io::{self, ErrorKind};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::sync::lock;

/// Something that the cloud does now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An invocation is refused, as if the function were at its limit.
    Throttle,
    /// An event is lost before the function gets it; the caller is told that it failed.
    Drop,
    /// An event is given to the function twice.
    Repeat,
    /// An event comes late.
    Delay,
    /// An event waits until a later one has overtaken it.
    Reorder,
    /// A process is killed in the middle of an event.
    Kill,
    /// A process wakes from its freeze with dead connections.
    CutSockets,
    /// The management API says of a live connection that it is gone.
    Gone,
    /// `$disconnect` never comes.
    LoseDisconnect,
    /// The video vendor accepts a task, and its answer never comes.
    VendorTimeout,
    /// The management API doesn't answer.
    HangPush,
    /// Step Functions doesn't answer when an execution is to be started, and doesn't start it.
    HangStart,
    /// The management API refuses a message, as if there were too many.
    ThrottlePush,
    /// S3 refuses a request, as if there were too many.
    ThrottleS3,
    /// Step Functions refuses an operation, as if there were too many.
    ThrottleStates,
    /// What the stack keeps in files can't be written, as if the disk were full.
    DiskFull,
}

/// All faults: the name, and what it does in a few words.
pub const FAULTS: [(Fault, &str, &str); 16] = [
    (Fault::Throttle, "throttle", "an invocation is refused as throttled"),
    (Fault::Drop, "drop", "an event is lost, its caller is told that it failed"),
    (Fault::Repeat, "repeat", "an event is given to the function twice"),
    (Fault::Delay, "delay", "an event comes up to a second late"),
    (Fault::Reorder, "reorder", "an event waits until a later one has overtaken it"),
    (Fault::Kill, "kill", "a function is killed in mid-event"),
    (Fault::CutSockets, "cut-sockets", "a function wakes from its freeze with dead connections (Linux)"),
    (Fault::Gone, "gone", "the management API answers 410 for a live connection"),
    (Fault::LoseDisconnect, "lose-disconnect", "$disconnect never comes"),
    (Fault::VendorTimeout, "vendor-timeout", "the vendor accepts a task, and its answer never comes"),
    (Fault::HangPush, "hang-push", "the management API does not answer"),
    (Fault::HangStart, "hang-start", "Step Functions does not answer, and starts nothing"),
    (Fault::ThrottlePush, "throttle-push", "the management API refuses a message as one too many"),
    (Fault::ThrottleS3, "throttle-s3", "S3 refuses a request as one too many"),
    (Fault::ThrottleStates, "throttle-states", "Step Functions refuses an operation as one too many"),
    (Fault::DiskFull, "disk-full", "what the stack keeps in files cannot be written"),
];

/// A fault and how often it strikes: `NAME[:PROBABILITY]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    /// Which.
    pub fault: Fault,
    /// From 0 to 1, of all opportunities.
    pub probability: f64,
}

impl Fault {
    fn name(self) -> &'static str {
        FAULTS.iter().find(|(fault, ..)| *fault == self).map_or("", |(_, name, _)| name)
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Chance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, probability) = match text.split_once(':') {
            Some((name, probability)) => (name, probability.parse().ok()),
            None => (text, Some(1.0)),
        };
        let Some((fault, ..)) = FAULTS.iter().find(|(_, known, _)| *known == name) else {
            let names = FAULTS.map(|(_, name, _)| name).join(", ");
            return Err(format!("there is no fault {name}, only {names}"));
        };
        match probability {
            Some(probability @ 0.0..=1.0) => Ok(Self { fault: *fault, probability }),
            _ => Err("the probability must be a number from 0 to 1".to_owned()),
        }
    }
}

/// The faults of one stack. Clones share everything.
#[derive(Clone)]
pub struct Faults(Arc<[Switch; FAULTS.len()]>);

struct Switch {
    state: Mutex<State>,
    struck: watch::Sender<u64>,
}

struct State {
    probability: f64,
    random: fastrand::Rng,
}

impl Faults {
    /// With these chances; all other faults are off.
    pub fn new(seed: u64, chances: &[Chance]) -> Self {
        let switches = FAULTS.map(|(fault, ..)| {
            let random = fastrand::Rng::with_seed(seed.wrapping_add((fault as u64) << 32));
            Switch { state: Mutex::new(State { probability: 0.0, random }), struck: watch::Sender::new(0) }
        });
        let faults = Self(Arc::new(switches));
        chances.iter().for_each(|chance| faults.switch(chance.fault, chance.probability));
        faults
    }

    /// None at all.
    pub fn none() -> Self {
        Self::new(0, &[])
    }

    /// Sets how often `fault` strikes from now on: never at 0, always at 1.
    pub fn switch(&self, fault: Fault, probability: f64) {
        lock(&self.of(fault).state).probability = probability;
    }

    /// How often it has struck so far.
    pub fn count(&self, fault: Fault) -> u64 {
        *self.of(fault).struck.borrow()
    }

    /// Waits until it has struck `times` in all.
    pub async fn struck(&self, fault: Fault, times: u64) {
        // The sender is in `self`, so it cannot be gone.
        let _ = self.of(fault).struck.subscribe().wait_for(|count| *count >= times).await;
    }

    /// Whether `fault` strikes `what` at this opportunity.
    pub(crate) fn strikes(&self, fault: Fault, what: impl Display) -> bool {
        let strikes = self.draw(fault, Duration::ZERO).is_some();
        if strikes {
            self.note(fault, what);
        }
        strikes
    }

    /// An error where the disk is full for `what`.
    pub(crate) fn room(&self, what: impl Display) -> io::Result<()> {
        match self.strikes(Fault::DiskFull, what) {
            true => Err(ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }

    /// Whether `fault` is to strike at this opportunity, and after which part of `most`. Once it has, it is to be noted.
    pub(crate) fn draw(&self, fault: Fault, most: Duration) -> Option<Duration> {
        let State { probability, random } = &mut *lock(&self.of(fault).state);
        // No draw while it is off: an opportunity counts only while there is one.
        if *probability == 0.0 {
            return None;
        }
        let (chance, part) = (random.f64(), random.f64());
        (chance < *probability).then(|| most.mul_f64(part))
    }

    /// Counts and tells that `fault` has struck `what`.
    pub(crate) fn note(&self, fault: Fault, what: impl Display) {
        tracing::info!("fault {fault}: {what}");
        self.of(fault).struck.send_modify(|count| *count += 1);
    }

    fn of(&self, fault: Fault) -> &Switch {
        &self.0[fault as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_faults() {
        for (index, (fault, name, _)) in FAULTS.into_iter().enumerate() {
            assert_eq!((fault as usize, fault.to_string().as_str()), (index, name));
        }
    }

    #[test]
    fn a_chance_is_a_name_and_a_probability() {
        let chance = |text: &str| text.parse::<Chance>();
        assert_eq!(chance("kill"), Ok(Chance { fault: Fault::Kill, probability: 1.0 }));
        assert_eq!(chance("cut-sockets:0.25"), Ok(Chance { fault: Fault::CutSockets, probability: 0.25 }));
        for bad in ["kill:", "kill:2", "kill:-1", "kill:NaN", "kill:x"] {
            assert!(chance(bad).unwrap_err().contains("from 0 to 1"), "{bad}");
        }
        assert!(chance("fire").unwrap_err().contains("throttle, drop"));
    }

    #[test]
    fn the_seed_decides_and_faults_do_not_disturb_each_other() {
        let chances = ["kill:0.5", "gone:0.5"].map(|text| text.parse::<Chance>().unwrap());
        let draw = |faults: &Faults| (0..64).map(|_| faults.strikes(Fault::Kill, "x")).collect::<Vec<_>>();
        let (one, two, other) =
            (Faults::new(7, &chances), Faults::new(7, &chances), Faults::new(8, &chances));
        assert!((0..9).all(|_| !two.strikes(Fault::Drop, "off")));
        let _ = two.strikes(Fault::Gone, "x");
        let drawn = draw(&one);
        assert_eq!(drawn, draw(&two));
        assert_ne!(drawn, draw(&other));
        assert_eq!(one.count(Fault::Kill), drawn.iter().filter(|strikes| **strikes).count() as u64);
    }
}
