//! Builds the functions' binaries with one call of cargo.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use reqwest::Url;
use serde::Deserialize;
use tokio::process::Command;

use crate::template::Blueprint;

/// How the functions are built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Profile {
    /// Fast to build.
    #[default]
    Dev,
    /// As they are deployed.
    Release,
}

/// Where the built binaries are. Cheap to clone, so that many stacks can share one build.
#[derive(Debug, Clone)]
pub struct Binaries(Arc<BTreeMap<String, PathBuf>>);

/// A line of `--message-format=json`.
/// <https://doc.rust-lang.org/cargo/reference/external-tools.html#json-messages>
#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

impl Binaries {
    /// Builds all functions of the template. One call for all: with a call for each, cargo would unify their features
    /// differently and compile the dependencies again. Cargo's own progress goes to the terminal.
    pub async fn build(blueprint: &Blueprint, profile: Profile) -> Result<Self> {
        let packages = blueprint.packages()?;
        if packages.is_empty() {
            return Ok(Self(Arc::default()));
        }
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(blueprint.root()).args(["build", "--message-format=json-render-diagnostics"]);
        for (name, _) in std::env::vars_os() {
            if is_of_this_package(&name.to_string_lossy()) {
                cargo.env_remove(name);
            }
        }
        if profile == Profile::Release {
            cargo.arg("--release");
        }
        for package in &packages {
            let directory = Url::from_file_path(&package.directory)
                .ok()
                .with_context(|| format!("{} is no absolute path", package.directory.display()))?;
            cargo.args(["--package", directory.as_str(), "--bin", &package.binary]);
        }
        let output =
            cargo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let output = match output.spawn() {
            Ok(child) => child.wait_with_output().await?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                bail!("cargo was not found: install Rust from https://rustup.rs");
            }
            Err(error) => return Err(error).context("cargo cannot be started"),
        };
        if !output.status.success() {
            bail!("the functions do not build: see cargo's messages above");
        }
        let built = executables(&output.stdout);
        if let Some(missing) = packages.iter().find(|package| !built.contains_key(&package.binary)) {
            bail!("cargo built no binary {} in {}", missing.binary, missing.directory.display());
        }
        Ok(Self(Arc::new(built)))
    }

    /// The path of a binary.
    pub fn get(&self, name: &str) -> Option<&Path> {
        self.0.get(name).map(PathBuf::as_path)
    }

    #[cfg(test)]
    pub(crate) fn of<const N: usize>(paths: [(&str, PathBuf); N]) -> Self {
        Self(Arc::new(paths.map(|(name, path)| (name.to_owned(), path)).into()))
    }
}

/// What cargo tells the program that it runs about itself. Build scripts of dependencies read such variables too, and everything
/// would be built anew whenever the stack is started in another way.
fn is_of_this_package(variable: &str) -> bool {
    let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
    prefixes.iter().any(|prefix| variable.starts_with(prefix)) || variable == "CARGO_CRATE_NAME"
}

fn executables(messages: &[u8]) -> BTreeMap<String, PathBuf> {
    let lines = messages.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| serde_json::from_slice::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        .filter_map(|message| Some((message.target?.name, message.executable?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_of_this_package_is_kept_from_the_functions() {
        assert!(is_of_this_package("CARGO_PKG_NAME"));
        assert!(!is_of_this_package("CARGO_TARGET_DIR"));
        assert!(!is_of_this_package("CARGO_HOME"));
    }

    #[test]
    fn only_executables_count() {
        let messages = br#"{"reason":"compiler-artifact","target":{"name":"serde"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"ws-message"},"executable":"/t/debug/ws-message"}
not json
{"reason":"build-finished","success":true}"#;
        assert_eq!(executables(messages), [("ws-message".to_owned(), "/t/debug/ws-message".into())].into());
    }
}
