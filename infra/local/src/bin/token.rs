//! `AUTH_SECRET=… cargo run -q -p local --bin token -- OWNER`: a token for a board with `Authentication=secret`.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use local::secrets::MIN_AUTH_SECRET_BYTES;
use local::token::sign;
use serde_json::{Map, Value};

/// Prints a token for a board with Authentication=secret. The secret is read from the environment variable AUTH_SECRET, so that it
/// is in no history of commands.
#[derive(Debug, Parser)]
#[command(name = "token")]
struct Args {
    /// Whose token it is.
    owner: String,
    /// How many hours it is good for.
    #[arg(long, default_value_t = 12)]
    hours: u32,
    /// The claim that names the owner: the template's TokenOwnerClaim.
    #[arg(long, default_value = "sub")]
    claim: String,
    /// The template's TokenAudience, if it has one.
    #[arg(long)]
    audience: Option<String>,
}

fn main() -> ExitCode {
    match token(&Args::parse(), std::env::var("AUTH_SECRET").ok()) {
        Ok(token) => {
            println!("{token}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn token(args: &Args, secret: Option<String>) -> Result<String> {
    let secret =
        secret.context("set AUTH_SECRET to the secret of the board, that of its parameter AuthSecretArn")?;
    // While one takes another's place there are two: the first signs.
    let secret = secret.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    ensure!(
        secret.len() >= MIN_AUTH_SECRET_BYTES,
        "AUTH_SECRET must have at least {MIN_AUTH_SECRET_BYTES} characters"
    );
    let now = jiff::Timestamp::now().as_second();
    let mut claims = Map::from_iter([
        (args.claim.clone(), args.owner.clone().into()),
        ("iat".to_owned(), now.into()),
        ("exp".to_owned(), (now + i64::from(args.hours) * 3600).into()),
    ]);
    claims.extend(args.audience.clone().map(|audience| ("aud".to_owned(), Value::from(audience))));
    Ok(sign(&claims, secret)?)
}
