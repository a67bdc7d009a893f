//! # The fields that each client has sent last
//!
//! A browser sends the same eight fields with each request. On a screen they are shown once:
//!
//! ```text
//! ... 10 fields as in exchange 3
//! ```
//! Rule: a field is folded if this client's last request that was shown had the same line, byte for
//! byte. A client is an address and a User-Agent: a browser uses several connections, and
//! `curl` beside it is another client.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::message::outline::Outline;

/// Clients that are remembered.
const MAX_CLIENTS: usize = 32;

/// Bytes of a head that are remembered.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The least number of fields that are folded: one would be replaced by one line.
const MIN_FOLDED: usize = 2;

/// The last request of each client.
#[derive(Default)]
pub(super) struct KnownClients(VecDeque<(ClientFields, u64)>);

/// The fields of a client's request.
pub(super) struct ClientFields {
    address: Option<IpAddr>,
    user_agent: Vec<u8>,
    /// The lines of the fields, each with its line end.
    lines: Vec<Vec<u8>>,
}

impl ClientFields {
    /// The fields of a request with these bytes. `None` if they are too many to remember.
    pub fn of(address: Option<IpAddr>, head: &Outline, bytes: &[u8]) -> Option<ClientFields> {
        if bytes.len() > MAX_HEAD_BYTES {
            return None;
        }
        let user_agent = head.fields().values("user-agent").next().unwrap_or_default().to_vec();
        let lines = field_lines(bytes).map(<[u8]>::to_vec).collect();
        Some(ClientFields { address, user_agent, lines })
    }

    fn is_same_client(&self, other: &ClientFields) -> bool {
        (self.address, &self.user_agent) == (other.address, &other.user_agent)
    }
}

/// The lines of a head that are fields.
fn field_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = head.split_inclusive(|&byte| byte == b'\n');
    let is_empty = |line: &&[u8]| line.iter().all(|byte| b"\r\n".contains(byte));
    lines.skip_while(is_empty).skip(1).take_while(move |line| !is_empty(line))
}

impl KnownClients {
    /// Remembers the fields of the exchange with this number.
    pub fn remember(&mut self, fields: ClientFields, number: u64) {
        self.0.retain(|(known, _)| !known.is_same_client(&fields));
        if self.0.len() == MAX_CLIENTS {
            self.0.pop_front();
        }
        self.0.push_back((fields, number));
    }

    /// Whether a request of this client was shown.
    pub fn knows(&self, fields: &ClientFields) -> bool {
        self.0.iter().any(|(known, _)| known.is_same_client(fields))
    }

    /// The lines of a request that its client's last request had too, and the number of that
    /// exchange. `None` if they are too few to fold.
    pub fn repeated<'f>(&self, fields: &'f ClientFields) -> Option<(Vec<&'f [u8]>, u64)> {
        let (known, number) = self.0.iter().find(|(known, _)| known.is_same_client(fields))?;
        let lines = fields.lines.iter().filter(|line| known.lines.contains(line));
        let lines: Vec<&[u8]> = lines.map(Vec::as_slice).collect();
        (lines.len() >= MIN_FOLDED).then_some((lines, *number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(address: [u8; 4], head: &str) -> ClientFields {
        let outline = Outline::parse(head.as_bytes(), true).flatten().expect(head);
        ClientFields::of(Some(address.into()), &outline, head.as_bytes()).expect(head)
    }

    #[test]
    fn equal_lines_of_the_same_client_are_repeated() {
        let one = "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: a\r\nX: 1\r\n\r\n";
        let mut clients = KnownClients::default();
        assert!(clients.repeated(&fields([1; 4], one)).is_none());
        assert!(!clients.knows(&fields([1; 4], one)));
        clients.remember(fields([1; 4], one), 7);
        let other = "GET / HTTP/1.1\r\nUser-Agent: a\r\nhost: h\r\nX: 1\r\n\r\n";
        let asked = fields([1; 4], other);
        assert!(clients.knows(&asked) && !clients.knows(&fields([2; 4], one)));
        let (lines, number) = clients.repeated(&asked).expect("two");
        assert_eq!((lines, number), (vec![&b"User-Agent: a\r\n"[..], b"X: 1\r\n"], 7));
        for (address, head) in [
            ([2; 4], one),
            ([1; 4], "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: b\r\nX: 1\r\n\r\n"),
            ([1; 4], "GET / HTTP/1.1\r\nHost: i\r\nUser-Agent: a\r\nX: 2\r\n\r\n"),
        ] {
            assert!(clients.repeated(&fields(address, head)).is_none(), "{head}");
        }
        for last in 0..=MAX_CLIENTS {
            clients.remember(fields([9, 9, 9, last as u8], one), 8);
        }
        assert_eq!(clients.0.len(), MAX_CLIENTS);
    }
}
