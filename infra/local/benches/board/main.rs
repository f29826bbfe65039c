//! `cargo bench -p local`: how fast the board is, in one table, beside what the database alone can do in the same run.
//!
//! Release functions behind the whole local stack, real sockets, one machine: client, gateway, functions and database share
//! its cores, so every number is an upper bound of what the functions themselves take. Nothing here fails because it is
//! slow; the tests are elsewhere.

mod bare;
mod client;
mod cold;
mod crowd;
mod figures;
mod flood;
mod load;
mod owner;
mod process;
mod scale;
mod tally;
mod usage;

use std::path::Path;

use local::{
    lambda::{Binaries, Profile},
    mongod::Database,
    secrets::AUTH_SECRET,
    stack::{Config, Stack},
    template::Blueprint,
};
use tempfile::TempDir;

use crate::figures::Table;

/// What the measurements share.
struct Bench {
    stack: Stack,
    binaries: Binaries,
    config: Config,
    mongodb: mongodb::Client,
    database: mongodb::Database,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let files = allow_many_sockets();
    if is_named("scale") {
        scale::check(files)?;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = TempDir::new()?;
    let mut config = Config::of_project(root)?;
    let server = Database::open(std::env::var("MONGODB_URI").ok(), data.path(), &config.data, None).await?;
    config.port = 0;
    config.data = data.path().join("stack");
    config.profile = Profile::Release;
    config.mongodb_uri = Some(server.uri().to_owned());
    config.parameters.insert("MongoDatabase".to_owned(), format!("bench_{}", std::process::id()));
    // As it is deployed: with tokens, an owner for each. What bounds them is out of the way, but for `flood`.
    for (name, value) in
        [("Authentication", "secret"), ("FramesPerSecond", "999999999"), ("ConnectionsPerOwner", "999999999")]
    {
        config.parameters.insert(name.to_owned(), value.to_owned());
    }
    config.secrets.insert(AUTH_SECRET.to_owned(), owner::SECRET.to_owned());
    let binaries = Binaries::build(&Blueprint::read(&config.template)?, Profile::Release).await?;
    config.binaries = Some(binaries.clone());
    let stack = Stack::start(config.clone()).await?;
    let mongodb = mongodb::Client::with_uri_str(server.uri()).await?;
    let database = mongodb.database(&config.parameters["MongoDatabase"]);
    let bench = Bench { stack, binaries, config, mongodb, database };

    let mut table = Table::new();
    let bare = bare::measure(&bench, &mut table).await?;
    if is_wanted("updates") {
        load::updates(&bench, &bare, &mut table).await?;
    }
    if is_wanted("load") {
        load::measure(&bench, &mut table).await?;
    }
    if is_wanted("flood") {
        flood::measure(&bench, &mut table).await?;
    }
    if is_wanted("functions") {
        cold::measure(&bench, &mut table).await?;
    }
    if is_wanted("stack") {
        process::measure(&bench, &mut table).await?;
    }
    if is_named("scale") {
        scale::measure(&bench, &mut table).await?;
    }
    table.print();

    bench.stack.stop().await;
    bench.database.drop().await?;
    server.stop().await;
    Ok(())
}

/// `cargo bench -p local -- updates functions` measures only these.
fn is_wanted(part: &str) -> bool {
    named().next().is_none() || is_named(part)
}

/// What takes long is measured only by name.
fn is_named(part: &str) -> bool {
    named().any(|name| name == part)
}

fn named() -> impl Iterator<Item = String> {
    std::env::args().skip(1).filter(|argument| !argument.starts_with("--"))
}

/// A thousand connections have two ends in this process, and the usual limit is 1,024 files. How many there may be now.
fn allow_many_sockets() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: reads and writes a struct of this function's own.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
    limit.rlim_cur
}
