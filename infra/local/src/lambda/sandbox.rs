//! What Lambda does to a process from outside: it freezes it between events, and watches its memory.
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>

use std::sync::Mutex;

use crate::sync::lock;

/// The outside of one process.
#[derive(Default)]
pub struct Sandbox {
    /// `None` before it was started and after it has ended, when the number may be another process's.
    process: Mutex<Option<u32>>,
}

impl Sandbox {
    pub fn started(&self, process: Option<u32>) {
        *lock(&self.process) = process;
    }

    pub fn ended(&self) {
        lock(&self.process).take();
    }

    /// Nothing in it runs until [`Sandbox::thaw`].
    pub fn freeze(&self) {
        self.signal(libc::SIGSTOP);
    }

    pub fn thaw(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: i32) {
        let process = lock(&self.process);
        if let Some(process) = process.and_then(|process| i32::try_from(process).ok()) {
            // SAFETY: only sends a signal, to a child of ours. If it has just ended, it is still a zombie, or the call fails.
            unsafe { libc::kill(process, signal) };
        }
    }

    /// The most memory that was resident at any time, in bytes. Only Linux tells.
    pub fn peak_memory(&self) -> Option<u64> {
        let process = (*lock(&self.process))?;
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        peak.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    }

    /// Cuts all its connections but the one from local port `spared`: after a long freeze, that one alone is still alive. How
    /// many there were.
    #[cfg(target_os = "linux")]
    pub fn cut_sockets(&self, spared: u16) -> usize {
        let Some(process) = *lock(&self.process) else { return 0 };
        sockets::cut(process, spared).unwrap_or_else(|error| {
            tracing::warn!("the connections of process {process} cannot be cut: {error}");
            0
        })
    }

    /// There is no way to do it here.
    #[cfg(not(target_os = "linux"))]
    pub fn cut_sockets(&self, _spared: u16) -> usize {
        tracing::warn!("connections can only be cut on Linux");
        0
    }
}

#[cfg(target_os = "linux")]
mod sockets {
    use std::fs;
    use std::io;
    use std::net::{Shutdown, TcpStream};
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

    /// Shuts the sockets of another process down, by copies of its descriptors (`pidfd_getfd(2)`; allowed for a child).
    pub fn cut(process: u32, spared: u16) -> io::Result<usize> {
        let handle = open(process)?;
        let mut cut = 0;
        for entry in fs::read_dir(format!("/proc/{process}/fd"))? {
            let entry = entry?;
            let is_socket = fs::read_link(entry.path())
                .is_ok_and(|target| target.to_string_lossy().starts_with("socket:"));
            let number = entry.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok());
            let (true, Some(number)) = (is_socket, number) else { continue };
            let socket = TcpStream::from(copy(&handle, number)?);
            // One that isn't connected any more needs no cut.
            if socket.local_addr().is_ok_and(|address| address.port() != spared)
                && socket.shutdown(Shutdown::Both).is_ok()
            {
                cut += 1;
            }
        }
        Ok(cut)
    }

    fn open(process: u32) -> io::Result<OwnedFd> {
        // SAFETY: takes two integers.
        owned(unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) })
    }

    fn copy(handle: &OwnedFd, number: RawFd) -> io::Result<OwnedFd> {
        // SAFETY: takes three integers, of which the first is open.
        owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, handle.as_raw_fd(), number, 0) })
    }

    fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
        match RawFd::try_from(result) {
            // SAFETY: a new descriptor that the kernel has just given to us alone.
            Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
