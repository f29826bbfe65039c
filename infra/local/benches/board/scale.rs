//! Many connections and a steady load for minutes: what is lost, whether memory stays flat, and what gives first beyond that.
//!
//! Takes over ten minutes and all of the machine, so that it runs only if it is named: `cargo bench -p local -- scale`.
//! `SCALE_OWNERS`, `SCALE_RATE` and `SCALE_SECONDS` in the environment make it smaller.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::TryStreamExt;
use mongodb::bson::{RawDocumentBuf, doc};

use crate::{
    Bench,
    crowd::{CONNECTS_PER_SECOND, Crowd, TABS},
    figures::{Table, ms},
    tally::Tally,
    usage::{Kind, Usage},
};

const KINDS: [(Kind, &str); 3] =
    [(Kind::Functions, "functions"), (Kind::Bench, "gateways and clients"), (Kind::Database, "mongod")];
/// Updates a second that are tried afterwards, each for [`STEP`], until one is too many.
const STEPS: [u64; 9] = [300, 400, 600, 800, 1_000, 1_300, 1_600, 2_000, 3_000];
const STEP: Duration = Duration::from_secs(30);
/// A p99 of acknowledgements that nobody would wait for.
const TOO_LATE: Duration = Duration::from_secs(1);
/// Files beside the two ends of each connection: functions' pipes, the database's and the gateways' own connections.
const OTHER_FILES: u64 = 2_000;

/// As it is asked for.
struct Size {
    owners: usize,
    per_second: u64,
    span: Duration,
}

impl Size {
    fn from_env() -> anyhow::Result<Self> {
        let number = |name: &str, usual: u64| match std::env::var(name) {
            Ok(text) => text.parse().ok().filter(|n| *n > 0).with_context(|| format!("{name} is no number")),
            Err(_) => Ok(usual),
        };
        Ok(Self {
            owners: usize::try_from(number("SCALE_OWNERS", 500)?)?,
            per_second: number("SCALE_RATE", 200)?,
            span: Duration::from_secs(number("SCALE_SECONDS", 600)?),
        })
    }

    fn connections(&self) -> usize {
        self.owners * TABS
    }
}

/// Whether so many open files are enough; before anything slow is begun.
pub fn check(files: u64) -> anyhow::Result<()> {
    let connections = Size::from_env()?.connections();
    let needed = connections as u64 * 2 + OTHER_FILES;
    ensure!(
        files >= needed,
        "{connections} connections have two ends in this process, and need {needed} open files; the hard limit is {files}: \
         raise it (ulimit -Hn), or set SCALE_OWNERS"
    );
    Ok(())
}

pub async fn measure(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let size = Size::from_env()?;
    let mut rows = Table::with_heads([
        "updates/s",
        "acknowledged",
        "p50, p99, max",
        "pushed",
        "p50, p99, max",
        "functions",
        "gateways and clients",
        "mongod",
    ]);
    let begun = Instant::now();
    let (crowd, connects) = Crowd::gather(bench, size.owners).await?;
    let work = format!("{} connections opened, {CONNECTS_PER_SECOND}/s", size.connections());
    let took = format!(
        "p50 {}, p99 {}; with workspaces {} s",
        ms(connects.p50()),
        ms(connects.p99()),
        begun.elapsed().as_secs()
    );
    table.row(work, "–", took);

    let mut usages = vec![Usage::now()];
    let look = |tenth: &Tally| {
        let (now, seconds) = (Usage::now(), usages.len() as u64 * size.span.as_secs() / 10);
        rows.cells(line(format!("{}, {seconds} s", size.per_second), tenth, &usages[usages.len() - 1], &now));
        usages.push(now);
    };
    let steady = crowd.run(size.per_second, size.span, look).await?;
    let missing = crowd.missing(bench).await?;
    let figures = format!(
        "{} sent, {} acknowledged; {} of {} pushes; {} pings answered; {} of {} connections open; {missing}{}",
        steady.sent,
        steady.acknowledged,
        steady.pushed,
        steady.acknowledged * (TABS as u64 - 1),
        crowd.pings(),
        crowd.open(),
        size.connections(),
        refusals(&steady),
    );
    let work = format!(
        "{} connections, {} updates/s for {} s",
        size.connections(),
        size.per_second,
        size.span.as_secs()
    );
    table.row(&work, "nothing lost", figures);
    let figures = format!("acknowledged {}; pushed {}", steady.acknowledgements(), steady.pushes());
    table.row("the same: p50, p99, max", "–", figures);
    if let [_, first, .., last] = usages.as_slice() {
        let figures =
            KINDS.map(|(kind, name)| format!("{name} {}, then {}", first.weight(kind), last.weight(kind)));
        table.row("the same: memory after a tenth, and at the end", "flat", figures.join("; "));
    }
    let figures = format!("{}; {}", oplog(bench, "workspaces").await, oplog(bench, "connections").await);
    table.row("the same: the database's log, bytes an entry", "–", figures);

    let mut gave = format!("nothing up to {} updates/s", STEPS[STEPS.len() - 1]);
    for per_second in STEPS.into_iter().filter(|step| *step > size.per_second) {
        let before = Usage::now();
        let step = crowd.run(per_second, STEP, |_| ()).await?;
        let after = Usage::now();
        rows.cells(line(format!("{per_second}"), &step, &before, &after));
        if let Some(what) = what_gave(&step) {
            let busy = KINDS.map(|(kind, name)| format!("{name} {}", after.busy(&before, kind)));
            gave = format!("{per_second} updates/s: {what}; of the processors had {}", busy.join(", "));
            break;
        }
    }
    table.row("what gives first", "–", gave);
    let (missing, open) = (crowd.missing(bench).await?, crowd.open());
    let figures = format!("{missing}; {open} of {} connections open", size.connections());
    table.row("and what was acknowledged until then", "nothing lost", figures);
    rows.print();
    Ok(())
}

fn line(work: String, tally: &Tally, before: &Usage, after: &Usage) -> [String; 8] {
    [
        work,
        format!("{} of {}", tally.acknowledged, tally.sent),
        tally.acknowledgements(),
        tally.pushed.to_string(),
        tally.pushes(),
        after.since(before, Kind::Functions),
        after.since(before, Kind::Bench),
        after.since(before, Kind::Database),
    ]
}

/// What nobody would put up with.
fn what_gave(step: &Tally) -> Option<String> {
    let (missing, p99) = (step.sent - step.acknowledged, step.acknowledgement.quantile(0.99));
    let mut gave = Vec::new();
    if p99 > TOO_LATE {
        gave.push(format!("p99 of acknowledgements {}", ms(p99)));
    }
    if let Some(count) = step.refused.get("Too Many Requests") {
        gave.push(format!("{count} frames throttled"));
    }
    if missing > 0 {
        gave.push(format!("{missing} updates not acknowledged{}", refusals(step)));
    }
    (!gave.is_empty()).then(|| gave.join(", "))
}

fn refusals(tally: &Tally) -> String {
    tally.refused.iter().map(|(answer, count)| format!("; {count} × {answer}")).collect()
}

/// What the last changes of a collection's rows take in the log that secondaries copy, on average.
async fn oplog(bench: &Bench, collection: &str) -> String {
    const LOOKED_AT: i64 = 1_000;
    let rows = bench.mongodb.database("local").collection::<RawDocumentBuf>("oplog.rs");
    let changes = rows.find(doc! {"op": "u", "ns": format!("{}.{collection}", bench.database.name())});
    let changes = changes.sort(doc! {"$natural": -1}).limit(LOOKED_AT);
    // Not everybody may read it, where the database is another's.
    let found: Vec<_> = async { changes.await?.try_collect().await }.await.unwrap_or_default();
    match found.len() {
        0 => format!("{collection} –"),
        changes => {
            let bytes: usize = found.iter().map(|change| change.as_bytes().len()).sum();
            format!("{collection} {}", bytes / changes)
        }
    }
}
