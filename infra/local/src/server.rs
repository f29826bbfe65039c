//! An HTTP server that can be stopped.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long requests that are under way may take to finish.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// A listener that accepts nothing yet: its address can be told to others before.
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

/// A running server.
pub struct Server {
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Listener {
    /// On 127.0.0.1; port 0 is any that is free.
    pub async fn bind(port: u16) -> Result<Self> {
        Self::bind_at(Ipv4Addr::LOCALHOST, port).await
    }

    /// For services that only this machine's functions use: on any free port of 127.0.0.1, or, for those in containers, on `port` of all
    /// addresses.
    pub async fn bind_inside(port: Option<u16>) -> Result<Self> {
        match port {
            Some(port) => Self::bind_at(Ipv4Addr::UNSPECIFIED, port).await,
            None => Self::bind(0).await,
        }
    }

    async fn bind_at(address: Ipv4Addr, port: u16) -> Result<Self> {
        let listener = match TcpListener::bind((address, port)).await {
            Ok(listener) => listener,
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                bail!("port {port} is in use: stop what uses it, or choose another with --port");
            }
            Err(error) => return Err(error).context(format!("port {port} cannot be opened")),
        };
        let port = listener.local_addr()?.port();
        Ok(Self { listener, address: (Ipv4Addr::LOCALHOST, port).into() })
    }

    /// Where this machine reaches it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What is not accepted yet, for another server.
    pub fn into_inner(self) -> TcpListener {
        self.listener
    }

    /// Begins to accept connections.
    pub fn serve(self, router: Router) -> Server {
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = self.listener.tap_io(|stream| {
            // Small answers must not wait for others.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!("no TCP_NODELAY: {error}");
            }
        });
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let serve = axum::serve(listener, service).with_graceful_shutdown(async {
            // Dropping the sender stops it too.
            let _ = stopped.await;
        });
        Server { stop, task: tokio::spawn(serve.into_future()) }
    }
}

impl Server {
    /// Accepts no more, and waits a moment for what is under way.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let abort = self.task.abort_handle();
        if timeout(STOP_LIMIT, self.task).await.is_err() {
            abort.abort();
        }
    }
}
