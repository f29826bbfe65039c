//! What goes wrong when: each trouble alone, then random mixtures of all, as the seed says.

use std::time::Duration;

use fastrand::Rng;
use local::faults::{Chance, FAULTS, Fault};

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trouble {
    /// A fault of the stack, at most so often.
    Cloud(Chance),
    /// The database loses members.
    Database(Outage),
    /// The clocks of clients are set forward and back.
    Clocks,
    /// Prompts have the vendor fail in all its ways.
    Vendor,
}

/// What happens to the replica set of three.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outage {
    /// The primary is killed, and comes back.
    KillPrimary,
    /// The primary hands over.
    StepDown,
    /// The primary loses both others and is then killed, so that only what the majority had is left.
    CutOff,
    /// All members are killed, and come back.
    KillAll,
}

/// The probabilities of faults where they are alone: such that most work still gets done.
const CHANCES: [(Fault, f64); FAULTS.len()] = [
    (Fault::Throttle, 0.2),
    (Fault::Drop, 0.2),
    (Fault::Repeat, 0.4),
    (Fault::Delay, 0.3),
    (Fault::Reorder, 0.3),
    (Fault::Kill, 0.2),
    (Fault::CutSockets, 0.5),
    (Fault::Gone, 0.5),
    (Fault::LoseDisconnect, 1.0),
    (Fault::VendorTimeout, 0.5),
    (Fault::HangPush, 0.2),
    (Fault::HangStart, 0.5),
    (Fault::ThrottlePush, 0.5),
    (Fault::ThrottleS3, 0.3),
    (Fault::ThrottleStates, 0.5),
    (Fault::DiskFull, 0.3),
];
/// The probability of each trouble to be part of a mixture.
const SHARE: f64 = 0.35;

impl Trouble {
    /// All, each as it is when it is alone.
    pub fn all() -> Vec<Self> {
        let cloud =
            CHANCES.into_iter().map(|(fault, probability)| Self::Cloud(Chance { fault, probability }));
        let outages = [Outage::KillPrimary, Outage::StepDown, Outage::CutOff, Outage::KillAll];
        cloud.chain(outages.map(Self::Database)).chain([Self::Clocks, Self::Vendor]).collect()
    }

    /// Its name on the command line and in the report.
    pub fn name(self) -> String {
        match self {
            Self::Cloud(chance) => chance.fault.to_string(),
            Self::Database(Outage::KillPrimary) => "kill-primary".to_owned(),
            Self::Database(Outage::StepDown) => "step-down".to_owned(),
            Self::Database(Outage::CutOff) => "cut-off-primary".to_owned(),
            Self::Database(Outage::KillAll) => "kill-all-mongod".to_owned(),
            Self::Clocks => "clocks".to_owned(),
            Self::Vendor => "vendor-errors".to_owned(),
        }
    }
}

/// A time in which the same things go wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// What it is called in the report.
    pub name: String,
    /// Whether it is one of the mixtures.
    pub is_mixed: bool,
    /// How long clients work in it.
    pub work: Duration,
    /// What goes wrong.
    pub troubles: Vec<Trouble>,
}

impl Phase {
    /// Whether its clients' clocks jump.
    pub fn has_clocks(&self) -> bool {
        self.troubles.contains(&Trouble::Clocks)
    }

    /// Whether its prompts are steered.
    pub fn has_vendor(&self) -> bool {
        self.troubles.contains(&Trouble::Vendor)
    }

    /// The chances of the stack's faults.
    pub fn chances(&self) -> impl Iterator<Item = Chance> {
        self.troubles.iter().filter_map(|trouble| match trouble {
            Trouble::Cloud(chance) => Some(*chance),
            _ => None,
        })
    }

    /// What happens to the database.
    pub fn outages(&self) -> impl Iterator<Item = Outage> {
        self.troubles.iter().filter_map(|trouble| match trouble {
            Trouble::Database(outage) => Some(*outage),
            _ => None,
        })
    }
}

/// All phases of a run, without end: each of `troubles` alone in an order of the seed's, then mixtures of them. A trouble alone
/// lasts for `work`, a mixture twice as long. The same arguments make the same plan.
pub fn phases(seed: u64, troubles: &[Trouble], work: Duration) -> impl Iterator<Item = Phase> {
    let mut random = Rng::with_seed(seed);
    let mut alone = troubles.to_vec();
    random.shuffle(&mut alone);
    let alone = alone.into_iter().map(move |trouble| Phase {
        name: trouble.name(),
        is_mixed: false,
        work,
        troubles: vec![trouble],
    });
    let troubles = troubles.to_vec();
    let mixtures = (1..).map(move |number| {
        let part: Vec<_> = troubles.iter().filter(|_| random.f64() < SHARE).collect();
        let mixed = part.into_iter().map(|trouble| match *trouble {
            Trouble::Cloud(Chance { fault, probability }) => {
                Trouble::Cloud(Chance { fault, probability: probability * random.f64() })
            }
            other => other,
        });
        Phase { troubles: mixed.collect(), name: format!("mixture {number}"), is_mixed: true, work: work * 2 }
    });
    alone.chain(mixtures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_comes_alone_and_mixtures_have_several_and_the_seed_decides() {
        let all = Trouble::all();
        assert_eq!(all.len(), FAULTS.len() + 6);
        let work = Duration::from_secs(1);
        let plan = |seed| phases(seed, &all, work).take(2 * all.len()).collect::<Vec<_>>();
        let phases = plan(7);
        assert_eq!((&phases, phases == plan(8)), (&plan(7), false));
        let (alone, mixed) = phases.split_at(all.len());
        for trouble in &all {
            assert!(alone.iter().any(|phase| phase.troubles == [*trouble]), "{}", trouble.name());
            assert!(mixed.iter().any(|phase| phase.troubles.iter().any(|t| t.name() == trouble.name())));
        }
        assert!(mixed.iter().any(|phase| phase.troubles.len() > 5));
    }

    #[test]
    fn every_fault_has_a_chance() {
        for (index, (fault, probability)) in CHANCES.into_iter().enumerate() {
            assert_eq!((fault, probability > 0.0), (FAULTS[index].0, true));
        }
    }
}
