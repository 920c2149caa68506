//! Serves the files of the site to browsers of this machine, and nothing else to anybody.
//!
//! A connection carries one request and has a thread of its own, so that a slow client delays nobody; there is an end
//! to how many there are and to how long each may take.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::site::request::{self, Answer, LONGEST_HEAD, Refusal};
use crate::site::write::FILES;

/// How long a client may take for its request, and for reading the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections beyond these are closed at once.
const MOST_CONNECTIONS: usize = 256;

/// What every answer says: nothing is guessed, embedded, sent on or kept, and scripts come from here alone.
const HEADERS: &str = "X-Content-Type-Options: nosniff\r\n\
    Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\n\
    Referrer-Policy: no-referrer\r\n\
    Cache-Control: no-store\r\n\
    Connection: close\r\n";

/// A server that waits for browsers.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    folder: Arc<Path>,
}

impl Server {
    /// Serves the site of a folder; fails if the listener has no address.
    pub fn new(listener: TcpListener, folder: PathBuf) -> io::Result<Server> {
        let address = listener.local_addr()?;
        Ok(Server { listener, address, folder: folder.into() })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is told to stop.
    pub fn run(&self, stop: &AtomicBool) {
        let open = Arc::new(AtomicUsize::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| self.wake_when_stopped(stop));
            for connection in self.listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(connection) = connection else { continue };
                let place = Place::take(&open);
                if open.load(Ordering::Relaxed) > MOST_CONNECTIONS {
                    continue;
                }
                let folder = self.folder.clone();
                // Without a thread to be had, the connection is closed by being dropped.
                let _ = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || {
                    let _place = place;
                    // A client that goes away needs no answer.
                    let _ = converse(connection, &folder);
                });
            }
        });
    }

    /// The listener sleeps until somebody connects: in the end it is this.
    fn wake_when_stopped(&self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let own: std::net::IpAddr =
            if self.address.is_ipv6() { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
        let _ = TcpStream::connect_timeout(&SocketAddr::new(own, self.address.port()), Duration::from_secs(1));
    }
}

/// One of the connections that there may be, given back when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Place {
        open.fetch_add(1, Ordering::Relaxed);
        Place(open.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn converse(mut connection: TcpStream, folder: &Path) -> io::Result<()> {
    connection.set_write_timeout(Some(PATIENCE))?;
    let (head, body) = match ask(&mut connection)? {
        Answer::File { name, with_body } => match contents(folder, name) {
            Some(contents) => {
                (head("200 OK", kind(name), contents.len()), if with_body { contents } else { Vec::new() })
            }
            None => refusal(Refusal::NoSuchFile),
        },
        Answer::Refusal(reason) => refusal(reason),
    };
    connection.write_all(head.as_bytes())?;
    let deadline = Instant::now() + PATIENCE;
    for part in body.chunks(64 * 1024) {
        if Instant::now() > deadline {
            break;
        }
        connection.write_all(part)?;
    }
    connection.flush()?;
    connection.shutdown(Shutdown::Write)
}

/// Reads the request, however slowly it comes, until it is whole or too late.
fn ask(connection: &mut TcpStream) -> io::Result<Answer> {
    let deadline = Instant::now() + PATIENCE;
    let mut head = Vec::new();
    let mut part = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Answer::Refusal(Refusal::TooSlow));
        }
        connection.set_read_timeout(Some(left))?;
        let length = match connection.read(&mut part) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => continue,
            Err(error) => return Err(error),
        };
        head.extend_from_slice(&part[..length]);
        head.truncate(LONGEST_HEAD);
        if let Some(answer) = request::read(&head, &FILES) {
            return Ok(answer);
        }
    }
}

/// A file of the site itself: what a link points to is not given.
fn contents(folder: &Path, name: &str) -> Option<Vec<u8>> {
    let path = folder.join(name);
    let is_own = |path: &Path| path.symlink_metadata().is_ok_and(|found| !found.is_symlink());
    if !is_own(folder) || !is_own(&path) {
        return None;
    }
    std::fs::read(path).ok()
}

fn refusal(reason: Refusal) -> (String, Vec<u8>) {
    let body = format!("{}\n", reason.status());
    (head(reason.status(), "text/plain; charset=utf-8", body.len()), body.into_bytes())
}

fn head(status: &str, kind: &str, length: usize) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{HEADERS}\r\n")
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        _ => "text/javascript; charset=utf-8",
    }
}
