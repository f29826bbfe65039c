//! The options of `cargo run` (contract §5).

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::faults::{Chance, FAULTS};
use crate::simulation::Protocol;

/// Motionboard's cloud on this machine: REST and WebSocket on one port, from template.yaml.
#[derive(Debug, Parser)]
#[command(name = "local", after_help = list_of_faults())]
pub struct Args {
    /// Port on 127.0.0.1; 0 takes any that is free.
    #[arg(long, default_value_t = 3001)]
    pub port: u16,
    /// Where data is kept.
    #[arg(long, value_name = "DIR", default_value = ".local")]
    pub data: PathBuf,
    /// Begin empty.
    #[arg(long)]
    pub fresh: bool,
    /// Let functions in containers reach what they use: fixed ports, on all addresses of this machine (docs/sam-local.md).
    #[arg(long)]
    pub expose: bool,
    /// Build the functions as they are deployed.
    #[arg(long)]
    pub release: bool,
    /// A parameter of template.yaml; may be repeated.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameters: Vec<(String, String)>,
    /// How long a simulated video takes.
    #[arg(long, value_name = "N", default_value = "8", value_parser = seconds)]
    pub video_seconds: Duration,
    /// The video vendor whose protocol the simulation speaks; without it, a plain one.
    #[arg(long, value_name = "NAME")]
    pub vendor: Option<Protocol>,
    /// Something that goes wrong, always or with a probability; may be repeated.
    #[arg(long = "fault", value_name = "NAME[:PROBABILITY]")]
    pub faults: Vec<Chance>,
    /// Decides when faults strike.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

fn list_of_faults() -> String {
    let width = FAULTS.iter().map(|(_, name, _)| name.len()).max().unwrap_or_default();
    let lines = FAULTS.map(|(_, name, what)| format!("  {name:width$}  {what}"));
    format!("Faults:\n{}", lines.join("\n"))
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it must look like Name=Value")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it must be a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_options() {
        let args = Args::try_parse_from(["local"]).unwrap();
        assert_eq!(
            (args.port, args.data, args.video_seconds),
            (3001, ".local".into(), Duration::from_secs(8))
        );
        let args = Args::try_parse_from([
            "local",
            "--parameter",
            "A=b=c",
            "--parameter",
            "D=",
            "--video-seconds",
            "0.5",
        ]);
        let args = args.unwrap();
        assert_eq!(args.parameters, [("A".to_owned(), "b=c".to_owned()), ("D".to_owned(), String::new())]);
        assert_eq!((args.video_seconds, args.vendor), (Duration::from_millis(500), None));
        assert_eq!(
            Args::try_parse_from(["local", "--vendor", "kling"]).unwrap().vendor,
            Some(Protocol::Kling)
        );
        assert!(Args::try_parse_from(["local", "--vendor", "plain"]).is_err());
        assert!(Args::try_parse_from(["local", "--parameter", "A"]).is_err());
    }
}
