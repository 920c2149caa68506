//! Turns a URL or a path into bytes. The only user of the network, and only when a package needs it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// How often a server is asked that does not answer, and how long to wait after the first time.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);

/// Opens what packages come from.
pub struct Download {
    root: PathBuf,
    agent: ureq::Agent,
}

/// Why something cannot be had.
#[derive(Debug)]
pub enum Failure {
    /// It does not exist.
    Missing(String),
    /// It exists, or may exist, and cannot be read.
    Broken(String),
}

impl Failure {
    pub fn message(&self) -> &str {
        match self {
            Failure::Missing(message) | Failure::Broken(message) => message,
        }
    }
}

impl Download {
    /// Paths are relative to `root`.
    pub fn new(root: &Path) -> Download {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_recv_response(Some(Duration::from_secs(30)))
            .timeout_global(Some(Duration::from_secs(600)))
            .http_status_as_error(false)
            .user_agent(concat!("medal/", env!("CARGO_PKG_VERSION")))
            .build();
        Download { root: root.to_path_buf(), agent: config.into() }
    }

    /// Opens a URL (`https:`, `http:`, `file:`) or a path.
    pub fn open(&self, url: &str) -> Result<Box<dyn Read>, Failure> {
        match url.split_once("://") {
            Some(("http" | "https", _)) => self.get(url),
            Some(("file", path)) => self.file(url, path.strip_prefix("localhost").unwrap_or(path)),
            Some((scheme, _)) => Err(Failure::Broken(format!("`{scheme}://` is no address that medal can read"))),
            None => self.file(url, url),
        }
    }

    fn file(&self, shown: &str, path: &str) -> Result<Box<dyn Read>, Failure> {
        match std::fs::File::open(self.root.join(path)) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Failure::Missing(format!("there is no file `{shown}`")))
            }
            Err(error) => Err(Failure::Broken(format!("cannot read `{shown}`: {error}"))),
        }
    }

    fn get(&self, url: &str) -> Result<Box<dyn Read>, Failure> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut request = self.agent.get(url);
            if let Some(user) = user_of(url) {
                request = request.header("Authorization", format!("Basic {}", BASE64_STANDARD.encode(user)));
            }
            let problem = match request.call() {
                Ok(response) => match response.status().as_u16() {
                    200 => return Ok(Box::new(response.into_body().into_reader())),
                    404 | 410 => return Err(Failure::Missing(format!("there is nothing at `{url}`"))),
                    status @ 400..=499 => {
                        return Err(Failure::Broken(format!("`{url}` cannot be had (HTTP {status})")));
                    }
                    status => format!("HTTP {status}"),
                },
                Err(error) => error.to_string(),
            };
            if tries == TRIES {
                return Err(Failure::Broken(format!("cannot get `{url}`: {problem}")));
            }
            std::thread::sleep(PAUSE * tries);
        }
    }
}

/// `user:password` of a URL, which a server wants in a header.
fn user_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit_once('@').map(|(user, _)| user)
}
