//! What a stranger may send to do harm: to the routes, in frames, as pictures, and in a vendor's name. All of it has a clear answer,
//! nothing of it is stored that should not be, and who comes next is served.

mod bytes;
mod json;
mod pictures;
mod rest;
mod vendor;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{board::Board, socket::PATIENCE};

/// Sends an HTTP request as it is written, which no client library would: the status and the body of what comes back.
async fn raw(board: &Board, request: &[u8]) -> (u16, String) {
    let url = board.url("");
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    let answer = async {
        // Who is refused early need not have read all of it.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    let answer = String::from_utf8_lossy(&timeout(PATIENCE, answer).await.expect("no answer")).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").expect("no answer");
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The same for a `GET` without a body.
async fn raw_get(board: &Board, path: &str, headers: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    raw(board, request.as_bytes()).await
}
