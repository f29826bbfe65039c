//! `cargo run`: starts the local stack, says when it is ready, and stops it on Ctrl-C.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use local::args::Args;
use local::lambda::Profile;
use local::log;
use local::secrets::{self, MONGODB_URI};
use local::stack::{Config, Stack};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    log::install();
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<()> {
    let mut end = End::new()?;
    let config = Config {
        port: args.port,
        data: args.data,
        fresh: args.fresh,
        profile: if args.release { Profile::Release } else { Profile::Dev },
        parameters: args.parameters.into_iter().collect(),
        video_duration: args.video_seconds,
        vendor: args.vendor,
        faults: args.faults,
        seed: args.seed,
        mongodb_uri: secret(MONGODB_URI),
        secrets: secrets::NAMES
            .into_iter()
            .filter(|(name, _)| *name != MONGODB_URI)
            .filter_map(|(name, _)| Some((name.to_owned(), secret(name)?)))
            .collect(),
        expose: args.expose,
        ..Config::of_project(&std::env::current_dir()?)?
    };
    let stack = tokio::select! {
        stack = Stack::start(config) => stack?,
        () = end.asked() => return Ok(()),
    };
    if stack.lets_in_everybody() {
        println!(
            "authentication is OFF: whoever reaches this port reads, changes and pays for everything; README, \"Owners\""
        );
    }
    if stack.is_exposed() {
        println!(
            "EXPOSED: whoever reaches this machine reaches its database, pictures and secrets; docs/sam-local.md"
        );
    }
    // Before the next line, which is the last that whoever only waits for the board reads.
    if let Some(page) = stack.page_url() {
        println!("open {page} in a browser");
    }
    println!("ready {} (WebSocket {})", stack.url(), stack.websocket_url());
    end.asked().await;
    println!("stopping");
    tokio::select! {
        () = stack.stop() => {}
        // Impatience is respected: the processes die with this one.
        () = end.asked() => {}
    }
    Ok(())
}

/// The text of a secret, of which an empty one is none.
fn secret(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Ctrl-C, and the polite signals of whoever supervises this process.
struct End {
    signals: [Signal; 3],
}

impl End {
    fn new() -> Result<Self> {
        let of = |kind| signal(kind);
        let signals = [of(SignalKind::interrupt())?, of(SignalKind::terminate())?, of(SignalKind::hangup())?];
        Ok(Self { signals })
    }

    async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
