//! What the stack takes of the machine: memory and processor time, by kind of process.

use std::time::Instant;

use crate::{
    figures::mb,
    process::{resident, tree},
};

/// Of the kinds of processes.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Of all functions.
    Functions,
    /// This one: the gateways, S3 and Step Functions of the stack, and the clients that measure.
    Bench,
    /// None, if `MONGODB_URI` names another's.
    Database,
}

/// What the processes of a kind have.
#[derive(Clone, Copy, Default)]
struct Share {
    processes: usize,
    /// Bytes. What processes have in common, such as their binary, counts for each.
    resident: u64,
    /// Of processor time so far.
    ticks: u64,
}

/// What there is at a moment.
pub struct Usage {
    at: Instant,
    shares: [Share; 3],
}

impl Usage {
    pub fn now() -> Self {
        let mut shares = [Share::default(); 3];
        for id in tree(std::process::id()) {
            let Some(stat) = Stat::read(id) else { continue };
            let kind = match stat.name.as_str() {
                _ if id == std::process::id() => Kind::Bench,
                "mongod" => Kind::Database,
                _ => Kind::Functions,
            };
            let share = &mut shares[kind as usize];
            share.processes += 1;
            share.resident += resident(id);
            share.ticks += stat.own;
            if matches!(kind, Kind::Bench) {
                // Functions that have ended, so that what they took isn't forgotten.
                shares[Kind::Functions as usize].ticks += stat.ended_children;
            }
        }
        Self { at: Instant::now(), shares }
    }

    /// Processes and memory of a kind, and its share of all processors since an earlier moment.
    pub fn since(&self, earlier: &Self, kind: Kind) -> String {
        format!("{}, {}", self.weight(kind), self.busy(earlier, kind))
    }

    /// Processes and memory of a kind.
    pub fn weight(&self, kind: Kind) -> String {
        let share = &self.shares[kind as usize];
        match share.processes {
            0 => "–".to_owned(),
            1 => mb(share.resident),
            processes => format!("{processes} × {}", mb(share.resident / processes as u64)),
        }
    }

    /// The share of all processors that a kind had since an earlier moment.
    pub fn busy(&self, earlier: &Self, kind: Kind) -> String {
        let ticks = self.shares[kind as usize].ticks.saturating_sub(earlier.shares[kind as usize].ticks);
        // SAFETY: asks for a constant of the system.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        #[expect(clippy::cast_precision_loss)]
        let share = ticks as f64
            / per_second as f64
            / (self.at - earlier.at).as_secs_f64().max(0.001)
            / processors as f64;
        format!("{:.0} %", share * 100.0)
    }
}

/// Of `/proc/<id>/stat`.
struct Stat {
    name: String,
    /// Ticks of processor time.
    own: u64,
    ended_children: u64,
}

impl Stat {
    fn read(process: u32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // A name may hold anything, also parentheses.
        let (name, rest) = text.rsplit_once(')')?;
        let name = name.split_once('(')?.1.to_owned();
        let fields: Vec<u64> =
            rest.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect();
        let [user, system, children_user, children_system] = *fields.get(11..15)? else { return None };
        Some(Self { name, own: user + system, ended_children: children_user + children_system })
    }
}
