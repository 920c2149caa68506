//! Turns the head of an HTTP request into what to answer: a file of the site, or a refusal.

/// The longest head that is read.
pub const LONGEST_HEAD: usize = 16 * 1024;

/// What to answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// One of the names that the request was read with. Without a body for `HEAD`.
    File {
        name: &'static str,
        with_body: bool,
    },
    Refusal(Refusal),
}

/// Why there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The head is no HTTP/1.
    Malformed,
    /// The name of the host is not this machine's: a page elsewhere has bent a name to this address.
    OtherHost,
    /// A page of another site asks for a part of this one.
    OtherSite,
    NoSuchFile,
    NotReadOnly,
    TooLong,
    TooSlow,
}

impl Refusal {
    /// The status and its words.
    pub fn status(self) -> &'static str {
        match self {
            Refusal::Malformed => "400 Bad Request",
            Refusal::OtherHost => "421 Misdirected Request",
            Refusal::OtherSite => "403 Forbidden",
            Refusal::NoSuchFile => "404 Not Found",
            Refusal::NotReadOnly => "405 Method Not Allowed",
            Refusal::TooLong => "431 Request Header Fields Too Large",
            Refusal::TooSlow => "408 Request Timeout",
        }
    }
}

/// Reads a head. None if it is not whole yet.
pub fn read(head: &[u8], files: &[&'static str]) -> Option<Answer> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => Some(answer(&request, files).unwrap_or_else(Answer::Refusal)),
        Ok(httparse::Status::Partial) if head.len() < LONGEST_HEAD => None,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => Some(Answer::Refusal(Refusal::TooLong)),
        Err(_) => Some(Answer::Refusal(Refusal::Malformed)),
    }
}

fn answer(request: &httparse::Request<'_, '_>, files: &[&'static str]) -> Result<Answer, Refusal> {
    let header = |name: &str| {
        let mut values = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        let value = values.next().map(|header| String::from_utf8_lossy(header.value).into_owned());
        (value, values.next().is_some())
    };
    let (Some(host), false) = header("host") else { return Err(Refusal::Malformed) };
    if !is_this_machine(&host) {
        return Err(Refusal::OtherHost);
    }
    let with_body = match request.method {
        Some("GET") => true,
        Some("HEAD") => false,
        _ => return Err(Refusal::NotReadOnly),
    };
    // Browsers say which page asks. A link from anywhere may lead here; nothing else may reach in.
    let comes_from = header("sec-fetch-site").0;
    let is_link = header("sec-fetch-mode").0.is_some_and(|mode| mode == "navigate");
    if !is_link && comes_from.is_some_and(|site| site == "cross-site" || site == "same-site") {
        return Err(Refusal::OtherSite);
    }
    let path = request.path.unwrap_or_default();
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let asked = if path == "/" { "index.html" } else { path.strip_prefix('/').unwrap_or_default() };
    // The name that is opened is the one of the list, whatever was asked.
    let name = files.iter().find(|name| **name == asked).ok_or(Refusal::NoSuchFile)?;
    Ok(Answer::File { name, with_body })
}

/// Whether a `Host` names the loopback of this machine, with any port.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| own.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::{Answer, LONGEST_HEAD, Refusal, read};

    const FILES: [&str; 2] = ["index.html", "app.js"];

    fn asked(head: &str) -> Answer {
        read(head.as_bytes(), &FILES).unwrap()
    }

    fn get(path: &str, more: &str) -> Answer {
        asked(&format!("GET {path} HTTP/1.1\r\nHost: localhost:8080\r\n{more}\r\n"))
    }

    fn file(name: &'static str) -> Answer {
        Answer::File { name, with_body: true }
    }

    #[test]
    fn files_of_the_list_are_given_and_no_others() {
        assert_eq!(get("/", ""), file("index.html"));
        assert_eq!(get("/app.js?v=1", ""), file("app.js"));
        let others = [
            "/../app.js",
            "//app.js",
            "/%61pp.js",
            "/..%2fapp.js",
            "/APP.JS",
            "/app.js/",
            "app.js",
            "/.",
            "*",
            "/app.js%00",
        ];
        for path in others.into_iter().chain(["http://localhost:8080/app.js", "/manifest.json", "/\\app.js"]) {
            assert_eq!(get(path, ""), Answer::Refusal(Refusal::NoSuchFile), "{path}");
        }
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080"] {
            assert_eq!(asked(&format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n")), file("index.html"), "{host}");
        }
        for host in [
            "example.org",
            "localhost.example.org",
            "127.0.0.1.example.org:80",
            "0.0.0.0",
            "",
            "localhost:8080@example.org",
            "127.0.0.1:x",
        ] {
            let answer = asked(&format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"));
            assert_eq!(answer, Answer::Refusal(Refusal::OtherHost), "{host}");
        }
        for head in ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n"] {
            assert_eq!(asked(head), Answer::Refusal(Refusal::Malformed));
        }
    }

    #[test]
    fn pages_of_other_sites_cannot_reach_in_but_may_link() {
        let cross = "Sec-Fetch-Site: cross-site\r\n";
        assert_eq!(get("/app.js", cross), Answer::Refusal(Refusal::OtherSite));
        assert_eq!(get("/app.js", "Sec-Fetch-Site: same-site\r\n"), Answer::Refusal(Refusal::OtherSite));
        assert_eq!(get("/", &format!("{cross}Sec-Fetch-Mode: navigate\r\n")), file("index.html"));
        assert_eq!(get("/app.js", "Sec-Fetch-Site: same-origin\r\n"), file("app.js"));
    }

    #[test]
    fn nothing_is_written_and_nothing_endless_is_read() {
        assert_eq!(asked("POST / HTTP/1.1\r\nhost: localhost\r\n\r\n"), Answer::Refusal(Refusal::NotReadOnly));
        let head = asked("HEAD / HTTP/1.1\r\nhost: localhost\r\n\r\n");
        assert_eq!(head, Answer::File { name: "index.html", with_body: false });
        assert_eq!(read(b"GET / HTTP/1.1\r\nhost: loc", &FILES), None);
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(LONGEST_HEAD));
        assert_eq!(asked(&long), Answer::Refusal(Refusal::TooLong));
        let many = "a: b\r\n".repeat(200);
        assert_eq!(asked(&format!("GET / HTTP/1.1\r\n{many}\r\n")), Answer::Refusal(Refusal::TooLong));
        assert_eq!(asked("\u{16}\u{3}\u{1} tls\r\n\r\n"), Answer::Refusal(Refusal::Malformed));
    }
}
