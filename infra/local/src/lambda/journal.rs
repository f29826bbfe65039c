//! What a process writes to stdout and stderr, kept until the call that it belongs to is logged.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::{mpsc, oneshot};

use crate::log;
use crate::sync::lock;

/// The output of one process.
pub struct Journal {
    function: String,
    lines: Mutex<Lines>,
    flushes: mpsc::UnboundedSender<oneshot::Sender<()>>,
}

/// Calls are numbered, because the next one may have begun before the log has asked for the lines of the last.
#[derive(Default)]
struct Lines {
    begun: u64,
    current: Option<u64>,
    kept: BTreeMap<u64, Vec<String>>,
}

/// One call's part of a [`Journal`].
pub struct Entry {
    journal: Arc<Journal>,
    call: u64,
}

impl Journal {
    /// Returns the future that reads `output` until its end, too. What a new process writes belongs to its first call.
    pub fn new<O: AsyncRead + Unpin>(
        function: &str,
        output: O,
    ) -> (Arc<Self>, impl Future<Output = ()> + use<O>) {
        let (flushes, mut requests) = mpsc::unbounded_channel::<oneshot::Sender<()>>();
        let lines = Mutex::new(Lines { current: Some(1), ..Lines::default() });
        let journal = Arc::new(Self { function: function.to_owned(), lines, flushes });
        let writer = Arc::clone(&journal);
        let read = async move {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            loop {
                tokio::select! {
                    // What is in the pipe comes before a request to flush. A cancelled read leaves its part in `line`.
                    biased;
                    read = output.read_until(b'\n', &mut line) => match read {
                        Ok(0) | Err(_) => break,
                        Ok(_) => writer.write(mem::take(&mut line)),
                    },
                    Some(done) = requests.recv() => { let _ = done.send(()); }
                }
            }
            // From here on `requests` is gone, and who waits for a flush goes on at once.
        };
        (journal, read)
    }

    /// What is written from now on belongs to a new call.
    pub fn begin(self: &Arc<Self>) -> Entry {
        let mut lines = lock(&self.lines);
        lines.begun += 1;
        lines.current = Some(lines.begun);
        Entry { journal: Arc::clone(self), call: lines.begun }
    }

    fn write(&self, line: Vec<u8>) {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let mut lines = lock(&self.lines);
        match lines.current {
            Some(call) => lines.kept.entry(call).or_default().push(line),
            None => tracing::info!(target: log::LATE_LINE, function = self.function, line),
        }
    }
}

impl Entry {
    /// The lines of this call, which has ended.
    pub async fn finish(self) -> Vec<String> {
        let (done, flushed) = oneshot::channel();
        if self.journal.flushes.send(done).is_ok() {
            let _ = flushed.await;
        }
        let mut lines = lock(&self.journal.lines);
        if lines.current == Some(self.call) {
            lines.current = None;
        }
        lines.kept.remove(&self.call).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn lines_belong_to_the_call_during_which_they_were_written() {
        let (mut output, pipe) = tokio::io::duplex(1024);
        let (journal, read) = Journal::new("F", pipe);
        let reader = tokio::spawn(read);
        output.write_all(b"starting\n").await.unwrap();
        let first = journal.begin();
        output.write_all(b"one\n").await.unwrap();
        assert_eq!(first.finish().await, ["starting", "one"]);
        let second = journal.begin();
        output.write_all(b"two\nno line end").await.unwrap();
        drop(output);
        reader.await.unwrap();
        let third = journal.begin();
        assert_eq!(second.finish().await, ["two", "no line end"]);
        assert!(third.finish().await.is_empty());
    }
}
