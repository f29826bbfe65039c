//! `cargo run -p local --bin torture -- --minutes N --seed S`: many clients that follow the contract, while everything goes wrong
//! that can, and an observer who knows only what came over the wire. Nothing acknowledged may be lost, nothing paid twice.
//!
//! A run is a sequence of phases ([`plan`]): each trouble alone, then mixtures of all. After each, the faults stop, every client
//! reconnects and settles, and the observer looks ([`verdict`]). The seed decides the plan, what each client does, and at which
//! of its opportunities each fault strikes; how these interleave is the machine's affair, as it is the cloud's, so that a seed
//! that failed makes the same run again, and not always the same race.

mod answers;
mod client;
mod clock;
mod journal;
mod leaks;
mod observer;
mod plan;
mod studio;
mod verdict;
mod view;
mod wire;
mod work;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use futures_util::future::join_all;
use local::faults::FAULTS;
use local::lambda::Profile;
use local::mongod::Three;
use local::secrets::AUTH_SECRET;
use local::simulation::Protocol;
use local::stack::{Config, Stack};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, sleep_until};

use crate::client::Client;
use crate::journal::Journal;
use crate::leaks::Belongings;
use crate::observer::Observer;
use crate::plan::{Outage, Phase, Trouble};
use crate::wire::{SECRET, Wire};

const OWNERS: usize = 6;
const CLIENTS_OF_AN_OWNER: usize = 3;
/// A phase is followed by a look at everything, which takes about as long.
const SHARE_OF_WORK: f64 = 0.5;
/// Of the whole time, the mixtures get what is left by each trouble alone.
const SHARE_ALONE: f64 = 0.7;
/// How often a trouble's turn is repeated that never struck.
const MOST_TURNS: usize = 10;
/// Several polls, so that an order that was cancelled is still asked about while the next one is made.
const VIDEO_DURATION: Duration = Duration::from_secs(9);

/// Has many clients work on a board while everything goes wrong, and looks whether anything is lost.
#[derive(Debug, Parser)]
#[command(name = "torture")]
struct Args {
    /// How long it goes on; longer, where each trouble and one mixture of them take more.
    #[arg(long, default_value_t = 3.0)]
    minutes: f64,
    /// Decides everything that is random; otherwise it is another each time.
    #[arg(long)]
    seed: Option<u64>,
    /// Only this trouble, as the report calls it; repeatable.
    #[arg(long = "only", value_name = "TROUBLE")]
    only: Vec<String>,
    /// The functions as they are deployed.
    #[arg(long)]
    release: bool,
    /// Show the stack's log.
    #[arg(long)]
    verbose: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if args.verbose {
        local::log::install();
    }
    match run(&args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing was wrong.
async fn run(args: &Args) -> Result<bool> {
    let all = Trouble::all();
    let is_wanted = |trouble: &Trouble| args.only.is_empty() || args.only.contains(&trouble.name());
    let troubles: Vec<_> = all.iter().copied().filter(is_wanted).collect();
    let names: Vec<_> = all.iter().map(|trouble| trouble.name()).collect();
    ensure!(args.only.iter().all(|name| names.contains(name)), "there is only {}", names.join(", "));
    ensure!((0.01..10_000.0).contains(&args.minutes), "so many minutes are no time to wait");
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("torture of {} minutes, seed {seed}", args.minutes);

    let before = Belongings::now()?;
    let data = TempDir::new()?;
    let journal = Arc::new(Journal::default());
    torture(args, seed, &troubles, data.path(), &journal).await?;
    let left = leaks::unfinished(data.path())?;
    if !left.is_empty() {
        journal.violation(format!("unfinished files: {left:?}"));
    }
    if let Some(left) = Belongings::left_since(before).await? {
        journal.violation(left);
    }
    let violations = journal.records().violations.len();
    println!("violations: {violations}");
    if violations > 0 {
        let only: String = args.only.iter().map(|trouble| format!(" --only {trouble}")).collect();
        let release = if args.release { " --release" } else { "" };
        let minutes = args.minutes;
        println!(
            "the same again: cargo run -p local --bin torture -- --minutes {minutes} --seed {seed}{only}{release}"
        );
    }
    Ok(violations == 0)
}

async fn torture(
    args: &Args,
    seed: u64,
    troubles: &[Trouble],
    data: &Path,
    journal: &Arc<Journal>,
) -> Result<()> {
    let mut config = Config::of_project(&std::env::current_dir()?)?;
    let mut three = Three::start(data, &config.data).await?;
    // Each vendor has errors of its own.
    let vendors = [None, Some(Protocol::Ark), Some(Protocol::Kling), Some(Protocol::Runway)];
    config.vendor = vendors[seed as usize % vendors.len()];
    config.port = 0;
    config.data = data.join("stack");
    config.seed = seed;
    config.profile = if args.release { Profile::Release } else { Profile::Dev };
    config.mongodb_uri = Some(three.uri());
    config.video_duration = VIDEO_DURATION;
    config.secrets.insert(AUTH_SECRET.to_owned(), SECRET.to_owned());
    let bounds = [
        "FramesPerSecond",
        "ConnectionsPerOwner",
        "GenerationsAtOnce",
        "GenerationsPerDay",
        "SuggestionsPerMinute",
        "UploadsPerHour",
    ];
    let bounds = bounds.map(|name| (name, "999999999"));
    let others = [
        ("Authentication", "secret"),
        ("MongoDatabase", "torture"),
        ("PollSeconds", "4"),
        ("GenerationDeadlineSeconds", "60"),
    ];
    let parameters = bounds.into_iter().chain(others);
    config.parameters.extend(parameters.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let errors: Arc<[String]> = studio::errors(config.vendor).into();
    let stack = Stack::start(config).await?;

    let wires = (0..OWNERS).map(|owner| Wire::new(&stack.url(), &format!("owner-{owner}")));
    let wires: Vec<_> = wires.collect::<Result<_>>()?;
    let mut clients: Vec<_> = (0..OWNERS * CLIENTS_OF_AN_OWNER)
        .map(|number| {
            let owner = number % OWNERS;
            Client::new((number, owner), seed, wires[owner].clone(), journal, Arc::clone(&errors))
        })
        .collect();
    let mongodb = mongodb::Client::with_uri_str(three.uri()).await?;
    let observer = Observer::new(journal, wires, &stack, mongodb.database("torture"))?;

    let time = Duration::from_secs_f64(args.minutes * 60.0);
    let begun = Instant::now();
    let work = time.mul_f64(SHARE_ALONE * SHARE_OF_WORK / troubles.len() as f64);
    let (mut outages, mut mixtures) = (0, 0);
    join_all(clients.iter_mut().map(Client::begin)).await;
    for phase in plan::phases(seed, troubles, work) {
        // Each trouble has its turn, however long that takes.
        if phase.is_mixed && mixtures > 0 && begun.elapsed() >= time {
            break;
        }
        mixtures += usize::from(phase.is_mixed);
        let since = Instant::now();
        outages += suffer(&phase, &stack, &mut three, &mut clients).await?;
        observer.check(&mut clients).await?;
        let names: Vec<_> = phase.troubles.iter().map(|trouble| trouble.name()).collect();
        println!("{:>6.1} s  {}: {}", since.elapsed().as_secs_f64(), phase.name, names.join(" "));
    }
    join_all(clients.iter_mut().map(Client::finish_requests)).await;
    observer.await_ends(&stack).await?;
    observer.check(&mut clients).await?;
    observer.check_files().await?;
    observer.check_rows(&stack, &mut clients).await?;

    report(journal, &stack, outages);
    drop(clients);
    mongodb.shutdown().await;
    stack.stop().await;
    three.stop().await;
    Ok(())
}

/// One phase: the clients work while it goes wrong, then all becomes quiet, and each has edits that the others are told. How
/// often the database was in trouble.
async fn suffer(phase: &Phase, stack: &Stack, three: &mut Three, clients: &mut [Client]) -> Result<u64> {
    for chance in phase.chances() {
        stack.faults().switch(chance.fault, chance.probability);
    }
    let counts = || phase.chances().map(|chance| stack.faults().count(chance.fault)).collect::<Vec<_>>();
    let (before, mut outages) = (counts(), 0);
    for turn in 1..=MOST_TURNS {
        let until = Instant::now() + phase.work;
        let work = join_all(clients.iter_mut().map(|client| client.work(phase, until)));
        let (_, troubles) = tokio::join!(work, trouble_the_database(three, phase, until));
        outages += troubles?;
        // A trouble alone shall strike, and a rare one may need another turn.
        let is_quiet = counts().iter().zip(&before).any(|(now, before)| now == before)
            || outages == 0 && phase.outages().next().is_some();
        if phase.is_mixed || !is_quiet {
            break;
        }
        if turn == MOST_TURNS {
            println!("{} never struck", phase.name);
        }
    }
    for (fault, ..) in FAULTS {
        stack.faults().switch(fault, 0.0);
    }
    three.heal().await?;
    let settle = clients.iter_mut().map(|client| async {
        client.vanish(client.number % 2 == 0).await;
        client.settle_all().await;
    });
    join_all(settle).await;
    join_all(clients.iter_mut().map(Client::edit)).await;
    Ok(outages)
}

/// Brings the phase's outages about, one after the other, until `until`: how many there were.
async fn trouble_the_database(three: &mut Three, phase: &Phase, until: Instant) -> Result<u64> {
    const BETWEEN: Duration = Duration::from_millis(700);
    let mut count = 0;
    for outage in phase.outages().collect::<Vec<_>>().into_iter().cycle() {
        sleep_until(until.min(Instant::now() + BETWEEN.min(phase.work / 3))).await;
        if Instant::now() >= until {
            break;
        }
        let primary = three.primary().await?;
        match outage {
            Outage::StepDown => three.step_down().await?,
            Outage::KillPrimary => three.kill(primary).await,
            Outage::CutOff => {
                for other in Three::others(primary) {
                    three.kill(other).await;
                }
                // It goes on for as long as it takes to miss them, with whatever doesn't wait for them.
                sleep(BETWEEN).await;
                three.kill(primary).await;
                for other in Three::others(primary) {
                    three.revive(other).await?;
                }
                three.primary().await?;
            }
            Outage::KillAll => {
                three.kill(primary).await;
                for other in Three::others(primary) {
                    three.kill(other).await;
                }
            }
        }
        count += 1;
        three.heal().await?;
    }
    Ok(count)
}

fn report(journal: &Journal, stack: &Stack, outages: u64) {
    println!("\n{:<14}{:>8}{:>14}{:>9}{:>9}", "operations", "sent", "acknowledged", "refused", "unknown");
    let mut total = [0; 4];
    for (kind, counts) in journal.counts() {
        let [sent, acknowledged, refused, unknown] = counts;
        println!("{:<14}{sent:>8}{acknowledged:>14}{refused:>9}{unknown:>9}", format!("{kind:?}"));
        total = std::array::from_fn(|n| total[n] + counts[n]);
    }
    println!("{:<14}{:>8}{:>14}{:>9}{:>9}\n\nfaults", "all", total[0], total[1], total[2], total[3]);
    for (fault, name, _) in FAULTS {
        println!("{name:<18}{:>8}", stack.faults().count(fault));
    }
    println!("{:<18}{outages:>8}\n", "database");
}
