//! Makes a random conversation from a seed: valid requests, requests with oddities, and a few bytes that
//! are changed at random.

use super::client::{ClientWrite, Conversation, WaitFor};
use super::random::Random;

/// Bytes to insert: delimiters, and parts of messages that a parser may take for the real ones.
#[rustfmt::skip]
const FRAGMENTS: &[&[u8]] = &[
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b"\x0b", b"\x7f", b"\x80", b":", b",",
    b";", b"=", b"\"", b"\\", b"%", b"%2F", b"%00", b"#", b"?", b"*", b"/", b"@", b"[", b"]", b"0",
    b"1", b"f", b"-", b"+", b"_", b"GET ", b"HEAD ", b" HTTP/1.1", b" HTTP/1.0", b"http://h",
    b"chunked", b"close", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"5\r\nhello\r\n", b"Host: h\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"X: y\r\n", b" folded\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"\xef\xbb\xbf", b"\x16\x03\x01",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

/// The conversation of a seed.
pub fn conversation(seed: u64) -> Conversation {
    let random = &Random::new(seed);
    // The first fault ends a conversation, so an odd one has few of them.
    let is_valid = random.percent(40);
    let odd_percent = if is_valid { 0 } else { random.pick(&[0, 0, 1, 4]) };
    let oddity = (!is_valid && random.percent(70)).then(|| random.pick(&ODDITIES));
    let requests = if random.percent(50) { 1 + random.below(3) } else { 1 + random.below(8) };
    let mut generator = Generator { bytes: Vec::new(), pauses: Vec::new(), oddity, odd_percent };
    for _ in 0..requests {
        generator.request(random);
    }
    if !is_valid && (oddity.is_none() || random.percent(20)) {
        for _ in 0..random.pick(&[1, 1, 1, 2, 3]) {
            generator.change(random);
        }
    }
    generator.cut(random)
}

/// The bytes of a conversation, as far as they are made.
struct Generator {
    bytes: Vec<u8>,
    /// Offsets where a client is likely to wait: after a request, or after a head with Expect.
    pauses: Vec<usize>,
    /// The oddity of this conversation, and the percentage of all other choices that are odd too.
    oddity: Option<Oddity>,
    odd_percent: usize,
}

/// The part of a request that is odd: most odd values are invalid, some are only rare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Oddity {
    Before,
    LineEnd,
    Space,
    Method,
    Version,
    Target,
    Host,
    Field,
    // The oddities from here on need content: see `Generator::route`.
    Length,
    Coding,
    Framing,
    Expectation,
    Chunk,
    Extension,
    Trailer,
}

/// The oddities to choose from. Those that change where a message ends are there several times.
#[rustfmt::skip]
const ODDITIES: [Oddity; 18] = [
    Oddity::Before, Oddity::LineEnd, Oddity::Space, Oddity::Method, Oddity::Version,
    Oddity::Target, Oddity::Host, Oddity::Field, Oddity::Length, Oddity::Coding, Oddity::Framing,
    Oddity::Framing, Oddity::Framing, Oddity::Expectation, Oddity::Chunk, Oddity::Chunk,
    Oddity::Extension, Oddity::Trailer,
];

impl Generator {
    /// Whether the next choice is an odd one.
    fn is_odd(&self, oddity: Oddity, random: &Random) -> bool {
        random.percent(if self.oddity == Some(oddity) { 50 } else { self.odd_percent })
    }

    fn push(&mut self, text: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(text.as_ref());
    }

    /// A line terminator.
    fn end_line(&mut self, random: &Random) {
        let odd = ["\n", "\n", "\r", "\r\r\n", "\r\n\n", " \r\n", "\r\n ", ""];
        let is_odd = self.is_odd(Oddity::LineEnd, random) && random.percent(25);
        self.push(if is_odd { random.pick(&odd) } else { "\r\n" });
    }

    /// A request, head and content.
    fn request(&mut self, random: &Random) {
        if random.percent(3) {
            self.push("\r\n");
        }
        if self.is_odd(Oddity::Before, random) {
            self.push(random.pick(&["\r\n", "\n", "\r", " ", "\0", "\r\n\r\n", "\t"]));
        }
        let (method, path) = self.route(random);
        let version = self.version(random);
        let target = self.target(random, method, path);
        let space =
            if self.is_odd(Oddity::Space, random) { random.pick(&["  ", "\t", ""]) } else { " " };
        self.push(method);
        self.push(space);
        self.push(target);
        self.push(" ");
        self.push(version);
        self.end_line(random);

        let wants_content = matches!(method, "POST" | "PUT" | "PATCH");
        let has_content = random.percent(if wants_content { 90 } else { 6 });
        let is_chunked = has_content
            && match self.oddity {
                Some(Oddity::Length) => false,
                Some(Oddity::Coding | Oddity::Chunk | Oddity::Extension | Oddity::Trailer) => true,
                _ => version != "HTTP/1.0" && random.percent(45),
            };
        let content = if has_content { content(random) } else { Vec::new() };
        let is_expected = has_content && random.percent(15) || random.percent(1);
        let expects = is_expected || self.oddity == Some(Oddity::Expectation) && random.percent(30);

        let mut lines = self.fields(random, version);
        if is_chunked {
            lines.push(format!("Transfer-Encoding: {}", self.coding(random)));
        } else if has_content {
            lines.push(format!("Content-Length: {}", self.length(random, content.len())));
        }
        if self.is_odd(Oddity::Framing, random) {
            lines.push(match random.below(10) {
                // The same field again, or the other one beside it.
                0..3 if has_content => lines[lines.len() - 1].clone(),
                3..7 if is_chunked => format!("Content-Length: {}", content.len()),
                _ => random.pick(&FRAMINGS).to_owned(),
            });
        }
        if expects {
            let odd = self.is_odd(Oddity::Expectation, random);
            let value = if odd { random.pick(&EXPECTATIONS) } else { "100-continue" };
            lines.push(format!("Expect: {value}"));
        }
        while !lines.is_empty() {
            let line = lines.swap_remove(random.below(lines.len()));
            self.push(in_some_case(random, &line));
            self.end_line(random);
        }
        self.end_line(random);
        if expects {
            self.pauses.push(self.bytes.len());
        }
        if is_chunked {
            self.chunks(random, &content);
        } else {
            self.push(content);
        }
        self.pauses.push(self.bytes.len());
    }

    fn route(&self, random: &Random) -> (&'static str, &'static str) {
        if self.is_odd(Oddity::Method, random) {
            return (random.pick(&["BREW", "get", "GETS", "CONNECT", "", "G(T", "HEAD\0"]), "/");
        }
        match random.below(100) {
            _ if self.oddity >= Some(Oddity::Length) && random.percent(60) => {
                (random.pick(&["POST", "PUT"]), "/echo")
            }
            0..15 => ("GET", "/"),
            15..25 => {
                ("HEAD", random.pick(&["/", "/large", "/sized", "/chunks", "/missing", "/echo"]))
            }
            25..50 => (random.pick(&["POST", "POST", "PUT"]), "/echo"),
            50..55 => ("POST", "/count"),
            55..62 => ("POST", "/raw"),
            62..66 => ("GET", "/raw"),
            66..72 => ("GET", "/fields"),
            72..76 => (random.pick(&["GET", "DELETE", "HEAD"]), random.pick(&FILES)),
            76..80 => ("OPTIONS", random.pick(&["*", "/", "/echo", "/missing", "/files/x"])),
            80..82 => ("GET", "/chunks"),
            82..85 => {
                ("GET", random.pick(&["/sized", "/empty", "/nothing", "/unchanged", "/reset"]))
            }
            85 => ("GET", random.pick(&["/goodbye", "/short", "/torn", "/large"])),
            86..92 => (random.pick(&["GET", "POST", "PUT", "TRACE"]), "/missing"),
            92..96 => (random.pick(&["PUT", "PATCH", "DELETE", "TRACE", "POST"]), "/"),
            _ => (random.pick(&["GET", "DELETE"]), "/echo"),
        }
    }

    fn version(&self, random: &Random) -> &'static str {
        if self.is_odd(Oddity::Version, random) {
            let odd = ["HTTP/2.0", "HTTP/0.9", "HTTP/1.10", "http/1.1", "HTTP/1.", "HTTP/1,1", ""];
            return random.pick(&odd);
        }
        match random.below(100) {
            0..85 => "HTTP/1.1",
            85..97 => "HTTP/1.0",
            _ => random.pick(&["HTTP/1.2", "HTTP/1.9"]),
        }
    }

    fn target(&self, random: &Random, method: &str, path: &str) -> String {
        if self.is_odd(Oddity::Target, random) {
            return random.pick(&TARGETS).to_owned();
        }
        if method == "CONNECT" {
            return "example.test:80".to_owned();
        }
        let mut path = path.to_owned();
        if random.percent(4) && path.len() > 2 {
            // RFC 9110 section 4.2.3: a character and its percent-encoding are equivalent.
            let encoded = format!("%{:02x}", path.as_bytes()[1]);
            path.replace_range(1..2, &encoded);
        }
        if random.percent(5) && path.starts_with('/') && !path.contains('?') {
            path += random.pick(&["?", "?a=b", "?a/b?c", "?%41"]);
        }
        if random.percent(8) && (path.starts_with('/') || path == "*") {
            let host = random.pick(&["http://example.test", "HTTP://[::1]:5000", "http://h:"]);
            let path = path.trim_start_matches('*');
            let path = if path == "/" && random.percent(50) { "" } else { path };
            return format!("{host}{path}");
        }
        if random.percent(1) {
            // Near the limit of a target, and near the limit of a head.
            let length = random.pick(&[7_900, 8_180, 8_192, 8_193, 8_300, 16_300, 16_400]);
            path += &format!("?{}", "q".repeat(length + random.below(20)));
            path.truncate(length.max(path.len() - random.below(20)));
        }
        path
    }

    /// The field lines that do not affect the framing.
    fn fields(&self, random: &Random, version: &str) -> Vec<String> {
        let mut lines = Vec::new();
        if self.is_odd(Oddity::Host, random) {
            lines.extend(random.pick(&HOSTS).iter().map(|&line| line.to_owned()));
        } else if version != "HTTP/1.0" || random.percent(60) {
            let hosts =
                ["example.test", "h", "127.0.0.1:5000", "[::1]", "h:", "a_b.test:80", "a%20b"];
            lines.push(format!("Host: {}", random.pick(&hosts)));
        }
        if version == "HTTP/1.0" && random.percent(60) {
            lines.push(format!("Connection: {}", random.pick(&["keep-alive", "Keep-Alive, x"])));
        }
        if random.percent(6) {
            lines.push(random.pick(&OPTIONS).to_owned());
        }
        for _ in 0..random.pick(&[0, 0, 1, 2, 5]) {
            lines.push(random.pick(&FIELDS).to_owned());
        }
        if self.is_odd(Oddity::Field, random) {
            lines.push(random.pick(&ODD_FIELDS).to_owned());
        }
        if random.percent(1) {
            // Near the limits of a head.
            match random.percent(50) {
                true => lines.extend(vec!["X: y".to_owned(); 95 + random.below(10)]),
                false => lines.push(format!("X: {}", "x".repeat(16_200 + random.below(250)))),
            }
        }
        lines
    }

    fn length(&self, random: &Random, length: usize) -> String {
        if !self.is_odd(Oddity::Length, random) {
            let zeros = if random.percent(3) { "000" } else { "" };
            return format!("{zeros}{length}");
        }
        match random.below(12) {
            0 => format!("+{length}"),
            1 => format!("-{length}"),
            2 => format!("{length}, {length}"),
            3 => format!("{length},"),
            4 => format!("{length} {length}"),
            5 => format!("{length:#x}"),
            6 => String::new(),
            7 => format!("1844674407370955161{length}"),
            8 => format!("{}", length + 1 + random.below(30)),
            9 => format!("{}", 1_048_570 + random.below(12)),
            10 => format!("\"{length}\""),
            _ => format!("{}", length / 2),
        }
    }

    fn coding(&self, random: &Random) -> &'static str {
        match self.is_odd(Oddity::Coding, random) {
            true => random.pick(&CODINGS),
            false => random.pick(&["chunked", "chunked", "Chunked", ", chunked ,", "CHUNKED\t"]),
        }
    }

    /// The content as a chunked body.
    fn chunks(&mut self, random: &Random, content: &[u8]) {
        let mut rest = content;
        while !rest.is_empty() {
            let most = if rest.len() > 10_000 { rest.len() } else { 40 };
            let (chunk, after) = rest.split_at((1 + random.below(most)).min(rest.len()));
            rest = after;
            self.size(random, chunk.len());
            self.push(chunk);
            let is_odd = self.is_odd(Oddity::Chunk, random) && random.percent(60);
            let odd = ["--", "\n\n", "\r\r", "\r", "\n", ""];
            self.push(if is_odd { random.pick(&odd) } else { "\r\n" });
        }
        self.size(random, 0);
        let least = usize::from(self.oddity == Some(Oddity::Trailer));
        for _ in 0..random.pick(&[0, 0, 0, 1, 3]).max(least) {
            let trailers =
                ["X-Sum: 42", "Content-Length: 5", "Empty:", "Host: other", "A: \u{e9}\tb"];
            let odd = self.is_odd(Oddity::Trailer, random);
            self.push(if odd { random.pick(&ODD_FIELDS) } else { random.pick(&trailers) });
            self.end_line(random);
        }
        if random.percent(1) {
            let length = random.pick(&[4_080, 8_100]) + random.below(100);
            self.push(format!("X: {}\r\nY: z\r\n", "x".repeat(length)));
        }
        self.end_line(random);
    }

    /// A chunk-size line.
    fn size(&mut self, random: &Random, size: usize) {
        let is_odd = self.is_odd(Oddity::Chunk, random) && random.percent(30);
        let size = match (is_odd, random.below(10)) {
            (false, 0) => format!("{size:X}"),
            (false, 1) => format!("{size:05x}"),
            (false, _) => format!("{size:x}"),
            (true, 0) => format!("{:x}", size + 1),
            (true, 1) => format!("0x{size:x}"),
            (true, 2) => format!("{size:x} "),
            (true, 3) => format!(" {size:x}"),
            (true, 4) => format!("1000000000000000{size:x}"),
            (true, 5) => String::new(),
            (true, 6) => "fff00".to_owned(),
            (true, 7) => format!("-{size:x}"),
            (true, _) => format!("{:x}", size.saturating_sub(1)),
        };
        self.push(size);
        if random.percent(8) {
            self.push(random.pick(&[";a", ";a=b", " ; a = \"b;\\\"c\"", ";a;b=c;d", ";a=\"\""]));
        }
        if self.is_odd(Oddity::Extension, random) {
            self.push(random.pick(&[";", ";=", ";a=", ";a=\"b", ";a b", "; ", ";a=b=c", ";\0"]));
        }
        if random.below(1000) == 0 {
            self.push(format!(";{}", "e".repeat(4_080 + random.below(30))));
        }
        self.end_line(random);
    }

    /// Changes a few bytes at a random offset.
    fn change(&mut self, random: &Random) {
        if self.bytes.is_empty() {
            return;
        }
        let at = random.below(self.bytes.len());
        let end = (at + 1 + random.below(random.pick(&[1, 1, 4, 40]))).min(self.bytes.len());
        match random.below(9) {
            0 => self.bytes[at] = random.byte(),
            1 => self.bytes[at] ^= 1 << random.below(8),
            2 => drop(self.bytes.drain(at..end)),
            3..=5 => drop(self.bytes.splice(at..at, random.pick(FRAGMENTS).iter().copied())),
            6 => drop(self.bytes.splice(at..end, random.pick(FRAGMENTS).iter().copied())),
            7 => {
                // Repeat a line.
                let lines = self.bytes.split_inclusive(|&byte| byte == b'\n');
                let lines: Vec<&[u8]> = lines.collect();
                let nth = random.below(lines.len());
                let (end, line) = (lines[..=nth].concat().len(), lines[nth].to_vec());
                drop(self.bytes.splice(end..end, line));
            }
            _ if random.percent(10) => {
                let length = random.pick(&[90, 4_090, 8_190, 16_380, 70_000]) + random.below(12);
                let long = vec![random.pick(b"a0 \n:;"); length];
                drop(self.bytes.splice(at..at, long));
            }
            _ => self.bytes.truncate(at),
        }
    }

    /// Cuts the bytes into writes.
    fn cut(self, random: &Random) -> Conversation {
        let Generator { bytes, pauses, .. } = self;
        let length = bytes.len();
        let wait = random.pick(&[WaitFor::Nothing, WaitFor::Read, WaitFor::Read]);
        let mut cuts: Vec<(usize, WaitFor)> = match random.below(10) {
            0..3 => vec![],
            3..5 => {
                let after_lf =
                    |(at, &byte): (usize, &u8)| (byte == b'\n').then_some((at + 1, wait));
                bytes.iter().enumerate().filter_map(after_lf).collect()
            }
            5 if length < 400 => (1..length).map(|at| (at, wait)).collect(),
            _ => (0..1 + random.below(12)).map(|_| (random.below(length + 1), wait)).collect(),
        };
        cuts.truncate(200);
        for (_, wait) in &mut cuts {
            if random.percent(10) {
                *wait = WaitFor::Responses;
            }
        }
        let wait_percent = random.pick(&[0, 50, 100]);
        for at in pauses {
            if random.percent(wait_percent) {
                cuts.push((at, WaitFor::Responses));
            }
        }
        // After an empty line at the start the server waits for one second only. On a busy machine a
        // cut there could take longer.
        let blank = bytes.iter().take_while(|byte| b"\r\n".contains(byte)).count();
        cuts.retain(|&(at, _)| at > blank);
        cuts.sort_by_key(|&(at, _)| at);
        let mut writes = Vec::new();
        let mut start = 0;
        for (at, wait) in cuts {
            if at > start && at <= length {
                writes.push(ClientWrite { bytes: bytes[start..at].to_vec(), wait });
                start = at;
            }
        }
        writes.push(ClientWrite { bytes: bytes[start..].to_vec(), wait: WaitFor::Nothing });
        writes.retain(|write| !write.bytes.is_empty());
        Conversation { writes, waits_at_end: random.percent(40) }
    }
}

/// Content of random bytes, in most cases short.
fn content(random: &Random) -> Vec<u8> {
    let length = match random.below(1000) {
        0..300 => random.below(8),
        300..950 => random.below(80),
        950..990 => random.below(3_000),
        // Near the limit of content that the server reads only to keep the connection.
        990..998 => 65_530 + random.below(12),
        _ => 1_048_570 + random.below(12),
    };
    let mut content: Vec<u8> = (0..length.min(3_000)).map(|_| random.byte()).collect();
    content.resize(length, b'x');
    if random.percent(20) {
        let fragment = random.pick(FRAGMENTS);
        let kept = fragment.len().min(content.len());
        content[..kept].copy_from_slice(&fragment[..kept]);
    }
    content
}

/// The field line, sometimes with its name in another case, or with other whitespace.
fn in_some_case(random: &Random, line: &str) -> String {
    let Some((name, value)) = line.split_once(':') else { return line.to_owned() };
    match random.below(10) {
        0 => format!("{}:{value}", name.to_lowercase()),
        1 => format!("{}:{value}", name.to_uppercase()),
        2 => format!("{name}:{}  ", value.trim_start()),
        _ => line.to_owned(),
    }
}

const FILES: [&str; 6] = [
    "/files/a%20b%2Fc/..?q=%26&r",
    "/files/%252f%25%32F%252%66",
    "/files/100%25",
    "/files/%25%25%32%46",
    "/files/%2525%32%35%32f%25252F",
    "/%66iles/?",
];

const OPTIONS: [&str; 9] = [
    "Connection: close",
    "Connection: CLOSE",
    "Connection: keep-alive",
    "Connection: x, close ,y",
    "Connection: ,,keep-alive",
    "Connection: closed, not-close",
    "Connection:",
    "Connection: \"close\"",
    "Proxy-Connection: close",
];

const FIELDS: [&str; 9] = [
    "Accept: */*",
    "User-Agent: \t a client/1.0 (of a test)  ",
    "X-Empty:",
    "X-Name: caf\u{e9}\t!",
    "Cookie: a=b; c=\"d\"",
    "!#$%&'*+-.^_`|~09Az:all",
    "Content_Length: 5",
    "Upgrade: websocket",
    "TE: trailers",
];

const ODD_FIELDS: [&str; 14] = [
    "Name : value",
    "Name\t: value",
    " Name: value",
    "\tfolded",
    "no colon",
    ": no name",
    "X: a\0b",
    "X: a\x0bb",
    "X: a\rb",
    "X: a\nY: b",
    "X\u{e9}: a",
    "X(: a",
    "X: \x7f",
    "",
];

const HOSTS: [&[&str]; 16] = [
    &[],
    &["Host:"],
    &["Host: a", "Host: a"],
    &["Host: a", "Host: b"],
    &["Host: a b"],
    &["Host: a, b"],
    &["Host: a,b"],
    &["Host: a/b"],
    &["Host: u@a"],
    &["Host: a:b"],
    &["Host: a:65536"],
    &["Host: a:1:2"],
    &["Host: [::1"],
    &["Host: [::g]"],
    &["Host: ::1"],
    &["Host: [v1.a:b]"],
];

const TARGETS: [&str; 22] = [
    "/a#b",
    "/a b",
    "/%",
    "/%4",
    "/%zz",
    "/a\"b",
    "/a\\b",
    "/\0",
    "/\u{e9}",
    "a",
    "*",
    "",
    "?a",
    "example.test:80",
    "http://",
    "http:///a",
    "http://u@h/",
    "http://h:x/",
    "http:/a",
    "https://h/",
    "ftp://h/a",
    "//h/",
];

const CODINGS: [&str; 12] = [
    "",
    "gzip",
    "gzip, chunked",
    "chunked, gzip",
    "chunked, chunked",
    "chunked;q=1",
    "\"chunked\"",
    "xchunked",
    "chunked x",
    "identity",
    "a;b=\"c, chunked\"",
    "\x0bchunked",
];

const FRAMINGS: [&str; 8] = [
    "Content-Length: 5",
    "Content-Length: 0",
    "Content-Length: x",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip",
    "Transfer-Encoding:",
    "Transfer-Encoding : chunked",
    "Content-Length : 5",
];

const EXPECTATIONS: [&str; 6] =
    ["100-Continue", "", "100-continue, x", "x", "100-continue;a", ", 100-continue"];
