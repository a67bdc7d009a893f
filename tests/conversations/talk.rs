//! Conversations at random: requests as clients write them, requests as nobody should, and then bytes
//! that are changed by chance.

use super::client::{Conversation, Piece, Then};
use super::random::Random;

/// Lines and words in which a parser may lose its way.
#[rustfmt::skip]
const CRUMBS: &[&[u8]] = &[
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b"\x0b", b"\x7f", b"\x80", b":", b",",
    b";", b"=", b"\"", b"\\", b"%", b"%2F", b"%00", b"#", b"?", b"*", b"/", b"@", b"[", b"]", b"0",
    b"1", b"f", b"-", b"+", b"_", b"GET ", b"HEAD ", b" HTTP/1.1", b" HTTP/1.0", b"http://h",
    b"chunked", b"close", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"5\r\nhello\r\n", b"Host: h\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"X: y\r\n", b" folded\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"\xef\xbb\xbf", b"\x16\x03\x01",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

/// The conversation of that seed.
pub fn conversation(seed: u64) -> Conversation {
    let random = &Random::new(seed);
    // Many are good; a fault ends a conversation, so the others have few.
    let is_good = random.percent(40);
    let oddity = if is_good { 0 } else { random.pick(&[0, 0, 1, 4]) };
    let odd = (!is_good && random.percent(70)).then(|| random.pick(&ODDITIES));
    let requests = if random.percent(50) { 1 + random.below(3) } else { 1 + random.below(8) };
    let mut talk = Talk { bytes: Vec::new(), stops: Vec::new(), odd, oddity };
    for _ in 0..requests {
        talk.request(random);
    }
    if !is_good && (odd.is_none() || random.percent(20)) {
        for _ in 0..random.pick(&[1, 1, 1, 2, 3]) {
            talk.change(random);
        }
    }
    talk.cut(random)
}

/// The bytes of a conversation in the making.
struct Talk {
    bytes: Vec<u8>,
    /// Where a client may well wait: behind a request, or behind a head that asks whether to go on.
    stops: Vec<usize>,
    /// What is odd about it, and how many in a hundred other choices are odd ones, too.
    odd: Option<Odd>,
    oddity: usize,
}

/// What can be odd about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Odd {
    Before,
    LineEnd,
    Space,
    Method,
    Version,
    Target,
    Host,
    Field,
    // From here on, it is about content.
    Length,
    Coding,
    Framing,
    Expectation,
    Chunk,
    Extension,
    Trailer,
}

/// Those that two parsers could take for different ends of a message come more often.
#[rustfmt::skip]
const ODDITIES: [Odd; 18] = [
    Odd::Before, Odd::LineEnd, Odd::Space, Odd::Method, Odd::Version, Odd::Target, Odd::Host,
    Odd::Field, Odd::Length, Odd::Coding, Odd::Framing, Odd::Framing, Odd::Framing,
    Odd::Expectation, Odd::Chunk, Odd::Chunk, Odd::Extension, Odd::Trailer,
];

impl Talk {
    /// Whether this is to be odd, here and now.
    fn is(&self, odd: Odd, random: &Random) -> bool {
        random.percent(if self.odd == Some(odd) { 50 } else { self.oddity })
    }

    fn push(&mut self, text: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(text.as_ref());
    }

    /// The end of a line.
    fn end_line(&mut self, random: &Random) {
        let odd = ["\n", "\n", "\r", "\r\r\n", "\r\n\n", " \r\n", "\r\n ", ""];
        let is_odd = self.is(Odd::LineEnd, random) && random.percent(25);
        self.push(if is_odd { random.pick(&odd) } else { "\r\n" });
    }

    fn request(&mut self, random: &Random) {
        if random.percent(3) {
            self.push("\r\n");
        }
        if self.is(Odd::Before, random) {
            self.push(random.pick(&["\r\n", "\n", "\r", " ", "\0", "\r\n\r\n", "\t"]));
        }
        let (method, path) = self.door(random);
        let version = self.version(random);
        let target = self.target(random, method, path);
        let space = if self.is(Odd::Space, random) { random.pick(&["  ", "\t", ""]) } else { " " };
        self.push(method);
        self.push(space);
        self.push(target);
        self.push(" ");
        self.push(version);
        self.end_line(random);

        let wants_content = matches!(method, "POST" | "PUT" | "PATCH");
        let has_content = random.percent(if wants_content { 90 } else { 6 });
        let is_chunked = has_content
            && match self.odd {
                Some(Odd::Length) => false,
                Some(Odd::Coding | Odd::Chunk | Odd::Extension | Odd::Trailer) => true,
                _ => version != "HTTP/1.0" && random.percent(45),
            };
        let content = if has_content { content(random) } else { Vec::new() };
        let is_asking = has_content && random.percent(15) || random.percent(1);
        let expects = is_asking || self.odd == Some(Odd::Expectation) && random.percent(30);

        let mut lines = self.fields(random, version);
        if is_chunked {
            lines.push(format!("Transfer-Encoding: {}", self.coding(random)));
        } else if has_content {
            lines.push(format!("Content-Length: {}", self.length(random, content.len())));
        }
        if self.is(Odd::Framing, random) {
            lines.push(match random.below(10) {
                // The same again, or the other one beside it.
                0..3 if has_content => lines[lines.len() - 1].clone(),
                3..7 if is_chunked => format!("Content-Length: {}", content.len()),
                _ => random.pick(&FRAMINGS).to_owned(),
            });
        }
        if expects {
            let odd = self.is(Odd::Expectation, random);
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
            self.stops.push(self.bytes.len());
        }
        if is_chunked {
            self.chunks(random, &content);
        } else {
            self.push(content);
        }
        self.stops.push(self.bytes.len());
    }

    fn door(&self, random: &Random) -> (&'static str, &'static str) {
        if self.is(Odd::Method, random) {
            return (random.pick(&["BREW", "get", "GETS", "CONNECT", "", "G(T", "HEAD\0"]), "/");
        }
        match random.below(100) {
            _ if self.odd >= Some(Odd::Length) && random.percent(60) => {
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
        if self.is(Odd::Version, random) {
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
        if self.is(Odd::Target, random) {
            return random.pick(&TARGETS).to_owned();
        }
        if method == "CONNECT" {
            return "example.test:80".to_owned();
        }
        let mut path = path.to_owned();
        if random.percent(4) && path.len() > 2 {
            // RFC 9110 section 4.2.3: an escape of what needs none is equivalent.
            let escaped = format!("%{:02x}", path.as_bytes()[1]);
            path.replace_range(1..2, &escaped);
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
            // Around the limit of a target, and around that of a head.
            let length = random.pick(&[7_900, 8_180, 8_192, 8_193, 8_300, 16_300, 16_400]);
            path += &format!("?{}", "q".repeat(length + random.below(20)));
            path.truncate(length.max(path.len() - random.below(20)));
        }
        path
    }

    /// Lines of fields that do not say where the content ends.
    fn fields(&self, random: &Random, version: &str) -> Vec<String> {
        let mut lines = Vec::new();
        if self.is(Odd::Host, random) {
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
        if self.is(Odd::Field, random) {
            lines.push(random.pick(&ODD_FIELDS).to_owned());
        }
        if random.percent(1) {
            // Around the limits of a head.
            match random.percent(50) {
                true => lines.extend(vec!["X: y".to_owned(); 95 + random.below(10)]),
                false => lines.push(format!("X: {}", "x".repeat(16_200 + random.below(250)))),
            }
        }
        lines
    }

    fn length(&self, random: &Random, length: usize) -> String {
        if !self.is(Odd::Length, random) {
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
        match self.is(Odd::Coding, random) {
            true => random.pick(&CODINGS),
            false => random.pick(&["chunked", "chunked", "Chunked", ", chunked ,", "CHUNKED\t"]),
        }
    }

    /// The content as chunks.
    fn chunks(&mut self, random: &Random, content: &[u8]) {
        let mut rest = content;
        while !rest.is_empty() {
            let most = if rest.len() > 10_000 { rest.len() } else { 40 };
            let (chunk, behind) = rest.split_at((1 + random.below(most)).min(rest.len()));
            rest = behind;
            self.size(random, chunk.len());
            self.push(chunk);
            let is_odd = self.is(Odd::Chunk, random) && random.percent(60);
            let odd = ["--", "\n\n", "\r\r", "\r", "\n", ""];
            self.push(if is_odd { random.pick(&odd) } else { "\r\n" });
        }
        self.size(random, 0);
        let least = usize::from(self.odd == Some(Odd::Trailer));
        for _ in 0..random.pick(&[0, 0, 0, 1, 3]).max(least) {
            let trailers =
                ["X-Sum: 42", "Content-Length: 5", "Empty:", "Host: other", "A: \u{e9}\tb"];
            let odd = self.is(Odd::Trailer, random);
            self.push(if odd { random.pick(&ODD_FIELDS) } else { random.pick(&trailers) });
            self.end_line(random);
        }
        if random.percent(1) {
            let length = random.pick(&[4_080, 8_100]) + random.below(100);
            self.push(format!("X: {}\r\nY: z\r\n", "x".repeat(length)));
        }
        self.end_line(random);
    }

    fn size(&mut self, random: &Random, size: usize) {
        let is_odd = self.is(Odd::Chunk, random) && random.percent(30);
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
        if self.is(Odd::Extension, random) {
            self.push(random.pick(&[";", ";=", ";a=", ";a=\"b", ";a b", "; ", ";a=b=c", ";\0"]));
        }
        if random.below(1000) == 0 {
            self.push(format!(";{}", "e".repeat(4_080 + random.below(30))));
        }
        self.end_line(random);
    }

    /// Changes a few bytes anywhere.
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
            3..=5 => drop(self.bytes.splice(at..at, random.pick(CRUMBS).iter().copied())),
            6 => drop(self.bytes.splice(at..end, random.pick(CRUMBS).iter().copied())),
            7 => {
                // A line twice.
                let lines = self.bytes.split_inclusive(|&byte| byte == b'\n');
                let lines: Vec<&[u8]> = lines.collect();
                let nth = random.below(lines.len());
                let (behind, line) = (lines[..=nth].concat().len(), lines[nth].to_vec());
                drop(self.bytes.splice(behind..behind, line));
            }
            _ if random.percent(10) => {
                let length = random.pick(&[90, 4_090, 8_190, 16_380, 70_000]) + random.below(12);
                let long = vec![random.pick(b"a0 \n:;"); length];
                drop(self.bytes.splice(at..at, long));
            }
            _ => self.bytes.truncate(at),
        }
    }

    /// Cuts it into writes.
    fn cut(self, random: &Random) -> Conversation {
        let Talk { bytes, stops, .. } = self;
        let length = bytes.len();
        let then = random.pick(&[Then::GoOn, Then::IsRead, Then::IsRead]);
        let mut cuts: Vec<(usize, Then)> = match random.below(10) {
            0..3 => vec![],
            3..5 => {
                let behind = |(at, &byte): (usize, &u8)| (byte == b'\n').then_some((at + 1, then));
                bytes.iter().enumerate().filter_map(behind).collect()
            }
            5 if length < 400 => (1..length).map(|at| (at, then)).collect(),
            _ => (0..1 + random.below(12)).map(|_| (random.below(length + 1), then)).collect(),
        };
        cuts.truncate(200);
        for (_, then) in &mut cuts {
            if random.percent(10) {
                *then = Then::IsAnswered;
            }
        }
        let waits = random.pick(&[0, 50, 100]);
        for at in stops {
            if random.percent(waits) {
                cuts.push((at, Then::IsAnswered));
            }
        }
        // Who begins with an empty line has a second for what follows; on a busy machine that may pass.
        let blank = bytes.iter().take_while(|byte| b"\r\n".contains(byte)).count();
        cuts.retain(|&(at, _)| at > blank);
        cuts.sort_by_key(|&(at, _)| at);
        let mut pieces = Vec::new();
        let mut start = 0;
        for (at, then) in cuts {
            if at > start && at <= length {
                pieces.push(Piece { bytes: bytes[start..at].to_vec(), then });
                start = at;
            }
        }
        pieces.push(Piece { bytes: bytes[start..].to_vec(), then: Then::GoOn });
        pieces.retain(|piece| !piece.bytes.is_empty());
        Conversation { pieces, waits_at_end: random.percent(40) }
    }
}

/// Content, mostly short, of any bytes.
fn content(random: &Random) -> Vec<u8> {
    let length = match random.below(1000) {
        0..300 => random.below(8),
        300..950 => random.below(80),
        950..990 => random.below(3_000),
        // What is read only to be dropped has a limit there.
        990..998 => 65_530 + random.below(12),
        _ => 1_048_570 + random.below(12),
    };
    let mut content: Vec<u8> = (0..length.min(3_000)).map(|_| random.byte()).collect();
    content.resize(length, b'x');
    if random.percent(20) {
        let crumb = random.pick(CRUMBS);
        let kept = crumb.len().min(content.len());
        content[..kept].copy_from_slice(&crumb[..kept]);
    }
    content
}

/// The name of a field in other letters, now and then.
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
