//! One `mongod` process, from its start to its end.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{interval, timeout};
use tracing::warn;

use super::replica_set;

/// Recovery after a crash, on a slow disk, included.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// `mongod`'s exit codes that have a known cause: <https://www.mongodb.com/docs/manual/reference/exit-codes/>.
const EXIT_NEEDS_OTHER_VERSION: i32 = 62;
const EXIT_PORT_TAKEN: i32 = 48;

/// A running `mongod`, ready for writes. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    port: u16,
    /// Ends the thread that started the process, which must outlive it: the field is dropped after `child`.
    _parent: mpsc::Sender<()>,
}

impl Server {
    /// Starts `binary` on a free port of 127.0.0.1, or on the port `exposed` of all addresses, and returns once it takes writes.
    pub(super) async fn start(
        binary: &Path,
        directory: &Path,
        log: &Path,
        exposed: Option<u16>,
    ) -> anyhow::Result<Self> {
        loop {
            let (address, port) = match exposed {
                Some(port) => ("0.0.0.0", port),
                None => ("127.0.0.1", free_port().await.context("there is no free port")?),
            };
            let (child, parent) = spawn(command(binary, directory, address, port, log)?).await?;
            let mut server = Self { child, port, _parent: parent };
            let exited = tokio::select! {
                ready = timeout(START_TIMEOUT, server.become_ready()) => match ready {
                    Ok(Ok(())) => return Ok(server),
                    Ok(Err(error)) => return Err(error),
                    Err(_) => return Err(anyhow!(
                        "MongoDB was not ready within {} s; its log is {}", START_TIMEOUT.as_secs(), log.display())),
                },
                status = server.exited() => status?,
            };
            // Another process took the port between the question and the start: ask again.
            if exited.code() == Some(EXIT_PORT_TAKEN) && exposed.is_some() {
                return Err(anyhow!(
                    "port {port} is in use: stop what uses it, or choose others with --port"
                ));
            }
            if exited.code() != Some(EXIT_PORT_TAKEN) {
                return Err(explain(exited, log));
            }
        }
    }

    /// Starts `binary` as one of several members, and returns once it takes connections: who is primary is their affair.
    pub(super) async fn start_member(
        binary: &Path,
        directory: &Path,
        log: &Path,
        port: u16,
    ) -> anyhow::Result<Self> {
        loop {
            let (child, parent) = spawn(command(binary, directory, "127.0.0.1", port, log)?).await?;
            let mut server = Self { child, port, _parent: parent };
            let exited = tokio::select! {
                answers = timeout(START_TIMEOUT, accepts_connections(port)) => {
                    answers.with_context(|| format!("MongoDB does not answer; its log is {}", log.display()))?;
                    return Ok(server);
                }
                status = server.exited() => status?,
            };
            // While it was dead, a connection of somebody else's may have got its port, but not for long.
            if exited.code() != Some(EXIT_PORT_TAKEN) {
                return Err(explain(exited, log));
            }
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Ends it at once, whatever it is at.
    pub(super) async fn kill(mut self) {
        // It fails where the process has ended already.
        let _ = self.child.kill().await;
    }

    #[cfg(test)]
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it as an operator would, so that the next start has nothing to recover.
    pub(super) async fn stop(mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| libc::pid_t::try_from(pid).ok()) {
            // SAFETY: `id` is None once the process was reaped, so the number is still this child's.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
        if timeout(STOP_TIMEOUT, self.child.wait()).await.is_err() {
            warn!("MongoDB did not end within {} s and is killed", STOP_TIMEOUT.as_secs());
            let _ = self.child.kill().await;
        }
    }

    fn become_ready(&self) -> impl Future<Output = anyhow::Result<()>> + use<> {
        let port = self.port;
        async move {
            accepts_connections(port).await;
            replica_set::ensure_primary(port).await
        }
    }

    async fn exited(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.wait().await.context("cannot watch mongod")
    }
}

pub(super) async fn free_port() -> io::Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr().map(|address| address.port())
}

/// Tries until it works; the caller has the deadline.
async fn accepts_connections(port: u16) {
    let mut ticks = interval(Duration::from_millis(10));
    loop {
        ticks.tick().await;
        if TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.is_ok() {
            return;
        }
    }
}

fn command(binary: &Path, directory: &Path, address: &str, port: u16, log: &Path) -> anyhow::Result<Command> {
    let output = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    let mut command = Command::new(binary);
    command
        .args(["--replSet", replica_set::NAME, "--bind_ip", address, "--nounixsocket"])
        // A laptop's share of memory and disk, not a server's.
        .args(["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "128"])
        .args(["--networkMessageCompressors", "disabled"])
        .args(["--setParameter", "diagnosticDataCollectionEnabled=false"])
        // There is no other member that would need time to notice the end.
        .args(["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"])
        .arg("--port")
        .arg(port.to_string())
        .arg("--dbpath")
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        // Ctrl-C on the terminal is for the stack, which stops the functions first.
        .process_group(0)
        .kill_on_drop(true);
    #[cfg(target_os = "linux")]
    die_with_parent(&mut command);
    Ok(command)
}

/// Has the kernel end the process when this one is gone, however that came about. Elsewhere than on Linux a crash of
/// the stack leaves it behind.
#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    let stack = std::process::id();
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; prctl and getppid are, and nothing
    // here allocates.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The stack may have died before the line above: then nobody would send the signal.
            if u32::try_from(libc::getppid()) != Ok(stack) {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
}

/// Starts the process from a thread of its own, which ends when the returned sender is dropped.
///
/// The kernel sends the parent-death signal when the *thread* that forked ends (prctl(2)), and a thread of the
/// runtime may end long before the stack does.
async fn spawn(mut command: Command) -> anyhow::Result<(Child, mpsc::Sender<()>)> {
    let runtime = tokio::runtime::Handle::current();
    let (alive, until_dropped) = mpsc::channel::<()>();
    let (result, started) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("mongod".to_owned())
        .spawn(move || {
            // The runtime must be entered, and left again before waiting: it may be shut down meanwhile.
            let child = {
                let _entered = runtime.enter();
                command.spawn()
            };
            drop(runtime);
            if result.send(child).is_ok() {
                let _ = until_dropped.recv();
            }
        })
        .context("cannot start a thread")?;
    let child = started.await.context("the thread of mongod died")?.context("cannot start mongod")?;
    Ok((child, alive))
}

fn explain(status: ExitStatus, log: &Path) -> anyhow::Error {
    if status.code() == Some(EXIT_NEEDS_OTHER_VERSION) {
        return anyhow!(
            "the database files were made by another version of MongoDB: start with --fresh, or delete them"
        );
    }
    let cause = match status.signal() {
        Some(signal) => format!("signal {signal}"),
        None => format!("exit code {}", status.code().unwrap_or_default()),
    };
    // Its own log is JSON; a line that is not comes from the loader, as for a missing library.
    let text = fs::read_to_string(log).unwrap_or_default();
    match text.lines().rfind(|line| !line.starts_with('{') && !line.trim().is_empty()) {
        Some(line) => anyhow!("MongoDB could not start ({cause}): {line}"),
        None => anyhow!("MongoDB could not start ({cause}); its log is {}", log.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tempfile::TempDir;

    async fn start_script(script: &str) -> anyhow::Error {
        let directory = TempDir::new().unwrap();
        let binary = directory.path().join("mongod");
        fs::write(&binary, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        Server::start(&binary, directory.path(), &directory.path().join("log"), None).await.unwrap_err()
    }

    #[tokio::test]
    async fn says_why_it_could_not_start() {
        let error =
            start_script("echo 'mongod: error while loading shared libraries: libcurl.so.4' >&2; exit 127")
                .await;
        assert_eq!(
            error.to_string(),
            "MongoDB could not start (exit code 127): mongod: error while loading shared libraries: libcurl.so.4"
        );
        assert!(start_script("exit 62").await.to_string().contains("another version"));
        assert!(start_script("echo '{}'; kill -9 $$").await.to_string().contains("(signal 9); its log is"));
    }
}
