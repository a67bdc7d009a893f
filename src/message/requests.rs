//! # Collects the requests of a connection, as they arrive
//!
//! ```text
//! POST / HTTP/1.1␍␊ … ␍␊ 5␍␊ hello␍␊ 0␍␊ ␍␊  GET /
//! └ head ────────────┘       └ content         └ not whole
//! ```
//! [`RequestCollector`] takes the ranges that a [`Dialogue`](super::dialogue::Dialogue) finds in the
//! client's bytes. It keeps all of them, so its caller limits how many bytes it takes. A broken request
//! is not collected, because its bytes have no known end. If a request is found after it, then what was
//! followed of it is collected, so that requests and responses are counted alike.
//!
//! Rule: RFC 9112 section 6.  Next: [`dialogue`](super::dialogue).

use std::mem;

use super::dialogue::Followed;
use super::reader::Part;

/// A whole request that a client sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedRequest {
    /// The head, as it was sent.
    pub head: Vec<u8>,
    /// The content, without framing.
    pub content: Vec<u8>,
}

/// Collects whole requests.
#[derive(Debug, Default)]
pub struct RequestCollector {
    whole: Vec<ReceivedRequest>,
    /// The request that is not whole yet.
    incomplete: ReceivedRequest,
}

impl RequestCollector {
    /// Takes a range of the bytes that the client sent, and these bytes.
    pub fn take(&mut self, range: &Followed, bytes: &[u8]) {
        if range.resumes {
            self.whole.push(mem::take(&mut self.incomplete));
        }
        match range.part {
            Part::Head => self.incomplete.head.extend_from_slice(bytes),
            Part::Content => self.incomplete.content.extend_from_slice(bytes),
            Part::Framing | Part::Unframed => {}
        }
        if range.ends_message {
            self.whole.push(mem::take(&mut self.incomplete));
        }
    }

    /// The whole requests, in the order in which they were sent.
    pub fn whole(&self) -> &[ReceivedRequest] {
        &self.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::dialogue::{Dialogue, Side};

    #[test]
    fn whole_requests_are_collected_with_their_content() {
        let sent = b"POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
            3\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n\
            PUT /2 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi\r\nGET /3 HTTP/1.1\r\n\r\n\
            POST /4 HTTP/1.1\r\nContent-Length: 2\r\n\r\nh";
        for read_size in [1, 7, sent.len()] {
            let (mut dialogue, mut requests) = (Dialogue::new(), RequestCollector::default());
            for mut read in sent.chunks(read_size) {
                while let Some(range) = dialogue.next(Side::Client, read) {
                    let (taken, rest) = read.split_at(range.length);
                    requests.take(&range, taken);
                    read = rest;
                }
            }
            let parts = requests.whole().iter().map(|one| (&one.head[..], &one.content[..]));
            assert_eq!(
                parts.collect::<Vec<_>>(),
                [
                    (&b"POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"[..], &b"hello"[..]),
                    (b"PUT /2 HTTP/1.1\r\nContent-Length: 2\r\n\r\n", b"hi"),
                    (b"\r\nGET /3 HTTP/1.1\r\n\r\n", b""),
                ]
            );
        }
    }

    #[test]
    fn a_broken_request_is_not_collected() {
        for sent in [
            "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n",
            "\x16\x03\x01",
        ] {
            let (mut dialogue, mut requests) = (Dialogue::new(), RequestCollector::default());
            for range in dialogue.follow(Side::Client, sent.as_bytes()) {
                requests.take(&range, b"");
            }
            assert_eq!(requests.whole(), [], "{sent}");
        }
    }

    #[test]
    fn a_broken_request_counts_once_the_next_one_is_found() {
        let (mut dialogue, mut requests) = (Dialogue::new(), RequestCollector::default());
        for (from, read) in [
            (Side::Client, &b"GET / HTTP/1.1\r\nHost"[..]),
            (Side::Client, b" : h\r\n\r\n"),
            (Side::Server, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
            (Side::Client, b"HEAD / HTTP/1.1\r\n\r\n"),
        ] {
            let ranges = dialogue.follow(from, read);
            ranges.iter().filter(|_| from == Side::Client).for_each(|it| requests.take(it, read));
        }
        let [_, second] = requests.whole() else { panic!("two requests") };
        assert_eq!(second.head, b"HEAD / HTTP/1.1\r\n\r\n");
    }
}
