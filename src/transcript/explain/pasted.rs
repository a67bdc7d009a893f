//! # Reading what people paste: terminals, browsers, curl
//!
//! ```text
//! POST / HTTP/1.1␊  Content-Length: 4␊  ␊  a␊b␊       becomes
//! POST / HTTP/1.1␍␊ Content-Length: 4␍␊ ␍␊ a␊b␊
//! ```
//! In text that was pasted from a terminal or an editor, lines end in LF where HTTP has CR LF. Lines of
//! heads and of framing get their CR LF back. Content keeps its bytes, if the messages before it can be
//! followed. The line with a shell's prompt is left out.
//!
//! `curl.rs` reads what `curl -v` prints, and `browser.rs` what the tools of browsers copy.
//! Each change is told in a note. Next: [`kind`].

mod browser;
mod curl;
mod kind;

use super::remark::Remark;
use super::sender::sender;
use super::words::is_start_line;
use crate::message::dialogue::{Dialogue, Side};
use crate::message::fields::{parse_digits, without_line_end};
use crate::message::method::Method;
use crate::message::reader::Part;
use crate::transcript::glossary;
use kind::note;

pub use kind::Pasted;

/// Reads a pasted text. `None` if there is nothing to restore, as in a message with its own line
/// ends.
pub fn pasted(text: &[u8]) -> Option<Pasted> {
    if let Some(found) = curl::read(text) {
        return Some(found);
    }
    if let Some(found) = no_message(text) {
        return Some(found);
    }
    let (text, shell) = without_prompt(text);
    let mut notes: Vec<Remark> = shell.iter().map(|_| note(glossary::PROMPT)).collect();
    if let Some((lines, explained)) = browser::read(text) {
        let remarks = [notes, explained].concat();
        return Some(Pasted::Heads { lines, remarks });
    }
    let mut wire = match with_line_ends(text) {
        Some(wire) => {
            notes.push(note(glossary::LF_OF_PASTED_TEXT));
            wire
        }
        None => shell.map(|_| text.to_vec())?,
    };
    let is_cut = ends_within_long_head(&wire);
    if is_cut {
        let (_, clause, text) = glossary::NO_EMPTY_LINE;
        notes.push(Remark::new(wire.len() - 1..wire.len(), text, clause));
        wire.extend_from_slice(if wire.ends_with(b"\r\n") { b"\r\n" } else { b"\r\n\r\n" });
    }
    let request_method = shell.is_some_and(is_curl_head).then_some(Method::Head);
    Some(Pasted::Messages { wire, notes, request_method, is_cut })
}

/// Reads what people copy instead of a message: a URL, or a command for curl. Says what to do.
fn no_message(text: &[u8]) -> Option<Pasted> {
    let lines = || text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines().find(|line| !line.is_empty())?;
    let command = [&b"$ "[..], b"% ", b"> "].into_iter().find_map(|it| first.strip_prefix(it));
    let row = if is_curl(command.unwrap_or(first)) && !lines().any(is_start_line) {
        glossary::CURL_COMMAND
    } else if lines().filter(|line| !line.is_empty()).count() == 1 && is_url(first) {
        glossary::URL_ALONE
    } else {
        return None;
    };
    Some(Pasted::Heads { lines: text.to_vec(), remarks: vec![note(row)] })
}

/// Whether this line runs curl.
fn is_curl(line: &[u8]) -> bool {
    let name = line.split(|&byte| byte == b' ').next().unwrap_or_default();
    name != line && matches!(name, b"curl" | b"curl.exe")
}

/// Whether this line is a URL, as it is or as people write it: `http://h/a`, `h:5000/a`, `/a?b`.
fn is_url(line: &[u8]) -> bool {
    if line.iter().any(|byte| !byte.is_ascii_graphic()) || line.starts_with(b"HTTP/") {
        return false;
    }
    let scheme = line.windows(3).position(|three| three == b"://");
    let is_scheme =
        |scheme: usize| scheme > 0 && line[..scheme].iter().all(u8::is_ascii_alphabetic);
    let has_port = || {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let port = line[colon + 1..].split(|&byte| byte == b'/').next()?;
        Some(colon > 0 && parse_digits::<u16>(port).is_some())
    };
    line.starts_with(b"/") || scheme.is_some_and(is_scheme) || has_port() == Some(true)
}

/// Whether the text ends within a head that has fields. People copy heads without their empty line.
fn ends_within_long_head(wire: &[u8]) -> bool {
    let (mut dialogue, mut side, mut at) = (Dialogue::new(), Side::Client, 0);
    let (mut is_within, mut start) = (false, 0);
    while at < wire.len() {
        side = sender(&dialogue, side, &wire[at..]);
        let Some(range) = dialogue.next(side, &wire[at..]) else { break };
        is_within = range.part == Part::Head && range.head.is_none();
        start = at;
        at += range.length;
    }
    let lines = wire[start..].split(|&byte| byte == b'\n').map(without_line_end);
    is_within && lines.filter(|line| !line.is_empty()).count() > 1
}

/// Whether the line of a shell asks curl for a head.
fn is_curl_head(line: &[u8]) -> bool {
    let mut words = line.split(|&byte| byte == b' ');
    words.any(|word| match word {
        b"--head" => true,
        [b'-', b'-', ..] => false,
        [b'-', letters @ ..] => letters.contains(&b'I'),
        _ => false,
    })
}

/// Returns the text without the line of a shell before the message and without the prompt after it,
/// and that line.
fn without_prompt(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let (mut rest, mut shell) = (text, None);
    for line in text.split_inclusive(|&byte| byte == b'\n').take(4) {
        let shown = without_line_end(line);
        let ends = [&b"$ "[..], b"% ", b"# ", b"> "];
        let end = ends.into_iter().find_map(|end| shown.windows(2).position(|two| two == end));
        match end {
            Some(end) if !is_start_line(shown) => shell = Some(shown.split_at(end + 1)),
            // A command that was copied without its prompt.
            None if is_curl(shown) => shell = Some((b"", shown)),
            _ if shown.is_empty() && shell.is_some() => {}
            _ => break,
        }
        rest = &rest[line.len()..];
    }
    let next = rest.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let Some((prompt, command)) = shell.filter(|_| is_start_line(next)) else {
        return (text, None);
    };
    // The next prompt follows the content.
    let last = rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |lf| lf + 1);
    let last_line = &rest[last..];
    let next_prompt = match prompt.len() {
        0 => None,
        1 => (last_line.trim_ascii_end() == prompt).then_some(0),
        length => last_line.windows(length).position(|part| part == prompt),
    };
    (next_prompt.map_or(rest, |at| &rest[..last + at]), Some(command))
}

/// Returns the text with the line ends of HTTP. `None` if it has a CR LF already, or if its first line is
/// not printable ASCII that ends in LF.
fn with_line_ends(text: &[u8]) -> Option<Vec<u8>> {
    let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let is_text = first.len() < text.len() && first.iter().all(|byte| (b' '..=b'~').contains(byte));
    if !is_text || text.windows(2).any(|two| two == b"\r\n") {
        return None;
    }
    // An editor or a terminal adds line ends after the content.
    let end = text.iter().rposition(|&byte| byte != b'\n').map_or(text.len(), |last| last + 1);
    let (mut dialogue, mut side) = (Dialogue::new(), Side::Client);
    let (mut wire, mut rest) = (Vec::with_capacity(text.len() + text.len() / 16), text);
    while !rest.is_empty() {
        side = sender(&dialogue, side, rest);
        if text.len() - rest.len() >= end && !dialogue.reader(side).is_within() {
            break;
        }
        let start = wire.len();
        if rest.starts_with(b"\n") && !dialogue.reader(side).is_within() {
            // No part of a message: to follow each of many would take long.
            wire.extend_from_slice(b"\r\n");
            rest = &rest[1..];
            continue;
        }
        let content = dialogue.reader(side).content_left();
        let line = rest.iter().position(|&byte| byte == b'\n');
        let length = match usize::try_from(content).unwrap_or(usize::MAX) {
            0 => line.unwrap_or(rest.len()),
            content => content.min(rest.len()),
        };
        wire.extend_from_slice(&rest[..length]);
        rest = &rest[length..];
        if content == 0 && line.is_some() {
            wire.extend_from_slice(b"\r\n");
            rest = &rest[1..];
        }
        dialogue.follow(side, &wire[start..]);
    }
    Some(wire)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Transcript;
    use crate::transcript::random::Random;

    #[test]
    fn heads_and_framing_get_cr_lf_and_content_keeps_its_line_ends() {
        for (text, wire) in [
            ("GET / HTTP/1.1\nHost: h\n\n", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            (
                "POST / HTTP/1.1\nContent-Length: 4\n\na\nb\nGET / HTTP/1.1",
                "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\na\nb\nGET / HTTP/1.1",
            ),
            (
                "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\na\nb\n0\n\nHTTP/1.1 204 N\n\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\nb\r\n0\r\n\r\nHTTP/1.1 204 N\r\n\r\n",
            ),
            ("HTTP/1.1 200 OK\n\na\nb\n", "HTTP/1.1 200 OK\r\n\r\na\nb\n"),
            (
                "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi\n\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            ),
        ] {
            let restored = with_line_ends(text.as_bytes()).expect("text");
            assert_eq!(String::from_utf8_lossy(&restored), wire);
        }
        for other in [&b"GET / HTTP/1.1\nHost: h\r\n\n"[..], b"GET /", b"\x16\x03\n", b""] {
            assert_eq!(with_line_ends(other), None);
        }
    }

    #[test]
    fn a_url_and_a_command_are_no_message() {
        let note_on = |text: &str| match pasted(text.as_bytes()) {
            Some(Pasted::Heads { lines, remarks }) if lines == text.as_bytes() => {
                assert_eq!(remarks.len(), 1, "{remarks:#?}");
                Some(remarks[0].text.clone())
            }
            _ => None,
        };
        for url in ["http://h:5000/about?x=1#top\n", "https://h", "127.0.0.1:5000/a", "/about?x=1"]
        {
            assert_eq!(note_on(url).as_deref(), Some(glossary::URL_ALONE.2), "{url}");
        }
        let commands = [
            "curl 'http://h/' \\\n  -H 'Accept: a/b' \\\n  --data-raw '{}'\n",
            "\n$ curl -v http://h/\n",
            "curl.exe --request POST h\r\n",
        ];
        for command in commands {
            assert_eq!(note_on(command).as_deref(), Some(glossary::CURL_COMMAND.2), "{command}");
        }
        for other in [
            "GET http://h/ HTTP/1.1\n\n",
            "curl -i h\nHTTP/1.1 200 OK\n\n",
            "curl\n",
            "HTTP/1.1\n",
            "Host: h:80\n",
            "http://h/\nhttp://i/\n",
            "Host:h\n",
        ] {
            assert_eq!(note_on(other), None, "{other}");
        }
    }

    #[test]
    fn many_empty_lines_take_no_longer_than_as_many_others() {
        let time = |line: &str| {
            let text = format!("{}GET / HTTP/1.1\nHost: h\n\n", line.repeat(20_000));
            let start = std::time::Instant::now();
            let found = pasted(text.as_bytes());
            let Some(Pasted::Messages { wire, .. }) = found else { panic!("{line:?}") };
            crate::transcript::explain::explain(&wire, None, None);
            start.elapsed()
        };
        let (of_empty_lines, of_others) = (time("\n"), time("GET / HTTP/1.1\nHost: h\n\n"));
        assert!(of_empty_lines < of_others, "{of_empty_lines:?}, {of_others:?}");
    }

    #[test]
    fn any_text_can_be_read() {
        let curl = "* Connected to h\n> POST / HTTP/1.1\n> Content-Length: 3\n> \n} [3 bytes data]\n\
            < HTTP/1.1 200 OK\n< Transfer-Encoding: chunked\n< \n{ [9 bytes data]\nhi* Closing connection\n";
        let http2 = "> GET / HTTP/2\n> Host: h\n> \n< HTTP/2 200 \n< etag: \"a\"\n< \n";
        let browser =
            "Request Headers\n:authority:\nh\naccept:\n*/*\n\nHTTP/2 200\nserver: x\netag\n\"a\"\n";
        let shell = "me@h$ curl -i h\nHTTP/1.1 200 OK\nContent-Length: 2\n\nhi\nme@h$ \n";
        let mut random = Random(5);
        let mut read = 0;
        for round in 0..4000 {
            let mut text = [curl, http2, browser, shell][round % 4].as_bytes().to_vec();
            (0..random.below(4)).for_each(|_| random.mutate(&mut text));
            match pasted(&text) {
                Some(
                    Pasted::Messages { wire: lines, notes: remarks, .. }
                    | Pasted::Heads { lines, remarks },
                ) => {
                    read += 1;
                    for Remark { span, .. } in remarks {
                        assert!(span.start <= span.end && span.end <= lines.len());
                    }
                }
                Some(Pasted::Transcript { transcript, .. }) => {
                    read += 1;
                    let printed = transcript.to_string();
                    assert_eq!(Transcript::parse(&printed).as_ref(), Ok(&transcript), "{printed}");
                }
                None => {}
            }
        }
        assert!(read > 2000, "{read}");
    }

    #[test]
    fn a_prompt_is_left_out_before_a_message_and_after_it() {
        for (text, rest) in [
            ("$ curl -i h\nHTTP/1.1 200 OK\n\nhi\n$ ", "HTTP/1.1 200 OK\n\nhi\n"),
            ("me@h:~$ curl -i h\n\nHTTP/1.1 200 OK\n\nhime@h:~$ ", "HTTP/1.1 200 OK\n\nhi"),
            ("h% printf x | nc h 1\nGET / HTTP/1.1\n\nh% ", "GET / HTTP/1.1\n\n"),
            ("PS C:\\> curl.exe -i h\nHTTP/1.1 204 N\n\n", "HTTP/1.1 204 N\n\n"),
        ] {
            let (found, shell) = without_prompt(text.as_bytes());
            assert_eq!((String::from_utf8_lossy(found), shell.is_some()), (rest.into(), true));
        }
        let (rest, shell) = without_prompt(b"curl -i h\nHTTP/1.1 204 N\n\n");
        assert_eq!((rest, shell), (&b"HTTP/1.1 204 N\n\n"[..], Some(&b"curl -i h"[..])));
        for other in ["GET / HTTP/1.1\nX: $ a\n\n", "$ curl\nno head\n", "cost: 5$ a\n"] {
            assert_eq!(without_prompt(other.as_bytes()), (other.as_bytes(), None));
        }
        assert!(is_curl_head(b" curl -sI h") && is_curl_head(b" curl --head h"));
        assert!(!is_curl_head(b" curl -i --If h"));
    }
}
