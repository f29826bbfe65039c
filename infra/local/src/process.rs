//! Child processes that cannot outlive the stack.
//!
//! On Linux a child asks the kernel to be killed with its parent (`PR_SET_PDEATHSIG`), so that even a `kill -9` of the
//! stack leaves nothing behind. The kernel means the *thread* that forked, not the process: hence one thread that forks
//! all children and lives as long as the [`Spawner`].

use std::io;
use std::sync::mpsc;
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

type Request = (Command, oneshot::Sender<io::Result<Child>>);

/// Starts child processes. When the last clone is dropped, all of them are killed.
#[derive(Debug, Clone)]
pub struct Spawner {
    requests: mpsc::Sender<Request>,
}

impl Spawner {
    /// Must be called within a tokio runtime, which will wait for the children.
    pub fn new() -> io::Result<Self> {
        let runtime = Handle::current();
        let (requests, inbox) = mpsc::channel::<Request>();
        thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            let _runtime = runtime.enter();
            for (mut command, reply) in inbox {
                // Who no longer waits gets a child that is killed when it is dropped.
                let _ = reply.send(command.spawn());
            }
        })?;
        Ok(Self { requests })
    }

    /// Starts `command` in a process group of its own, so that Ctrl-C reaches the stack alone, which then stops the child.
    pub async fn spawn(&self, mut command: Command) -> io::Result<Child> {
        command.kill_on_drop(true).process_group(0);
        die_with_parent(&mut command);
        let (reply, child) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts processes has ended");
        self.requests.send((command, reply)).map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }
}

#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    let parent = std::process::id();
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; prctl and getppid are plain system calls.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == -1 {
                return Err(io::Error::last_os_error());
            }
            // The parent may have died before prctl.
            if libc::getppid().cast_unsigned() != parent {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        });
    }
}

/// Elsewhere a crash of the stack leaves its children to their own devices; an orderly stop still ends them.
#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn children_die_with_the_spawner() {
        let spawner = Spawner::new().unwrap();
        let mut command = Command::new("sleep");
        command.arg("600");
        let mut child = spawner.spawn(command).await.unwrap();
        drop(spawner);
        let status = child.wait().await.unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGKILL));
    }
}
