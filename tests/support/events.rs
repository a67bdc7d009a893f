//! Reads the events of the kitchen, as its page does.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::client::Client;
use super::process::read_once;

/// A stream of events that is being read.
pub struct Events {
    pub client: Client,
    /// What was received and not taken.
    pub text: String,
}

/// One event: its id, its name and its data.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub name: String,
    pub data: String,
}

impl Events {
    /// Asks for events, and reads the head.
    pub fn open(address: SocketAddr, query: &str, fields: &str) -> Events {
        let mut client = Client::connect(address);
        let target = format!("/kitchen/events{query}");
        client.send(format!("GET {target} HTTP/1.0\r\nHost: {address}\r\n{fields}\r\n"));
        let mut events = Events { client, text: String::new() };
        let head = events.until("\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("\r\nContent-Type: text/event-stream\r\n"), "{head}");
        assert!(head.contains("\r\nCache-Control: no-store\r\n"), "{head}");
        events
    }

    /// Reads up to this text.
    #[track_caller]
    pub fn until(&mut self, end: &str) -> String {
        let mut buffer = [0; 16 * 1024];
        loop {
            if let Some(at) = self.text.find(end) {
                return self.text.drain(..at + end.len()).collect();
            }
            let length = read_once(&self.client.stream, &mut buffer).unwrap();
            assert!(length > 0, "the stream ended: {}", self.text);
            self.text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
    }

    /// The next event that is no comment.
    #[track_caller]
    pub fn next(&mut self) -> Event {
        loop {
            let text = self.until("\n\n");
            let value = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(name));
                line.map(str::to_owned)
            };
            if let (Some(id), Some(name), Some(data)) =
                (value("id: "), value("event: "), value("data: "))
            {
                return Event { id, name, data };
            }
        }
    }

    /// The next event of this name whose data has this text.
    #[track_caller]
    pub fn next_with(&mut self, name: &str, part: &str) -> Event {
        loop {
            let event = self.next();
            if event.name == name && event.data.contains(part) {
                return event;
            }
        }
    }
}

impl Event {
    /// The number of its exchange.
    pub fn number(&self) -> u64 {
        let number = self.data.strip_prefix("{\"n\":").unwrap();
        number.split(',').next().unwrap().parse().unwrap()
    }

    /// Its own number, after that of the run.
    pub fn position(&self) -> u64 {
        self.id.split_once('-').unwrap().1.parse().unwrap()
    }
}

/// What the page was told under load.
#[derive(Debug)]
pub struct Told {
    /// Requests that were sent, and answered.
    pub sent: usize,
    /// Exchanges that were told as over.
    pub exchanges: usize,
    /// Whether the page was told that events are lost.
    pub is_lost: bool,
}

/// Sends 200 requests a second to the site for this time, and reads its events. Fails if an event is told
/// twice, or if the last exchange is not told.
pub fn under_load(address: SocketAddr, time: Duration) -> Told {
    const PAUSE: Duration = Duration::from_millis(5);
    let mut events = Events::open(address, "", "");
    events.next();
    let sent = usize::try_from(time.as_millis() / PAUSE.as_millis()).unwrap();
    let sender = thread::spawn(move || {
        let (mut client, since) = (Client::connect(address), Instant::now());
        for number in 0..sent {
            client.send(format!("GET /about?n={number}! HTTP/1.1\r\nHost: h\r\n\r\n"));
            assert_eq!(client.response().status, 200);
            let next = PAUSE * u32::try_from(number + 1).unwrap();
            thread::sleep(next.saturating_sub(since.elapsed()));
        }
    });
    let mut told = Told { sent, exchanges: 0, is_lost: false };
    let (mut position, last) = (0, format!("n={}!", sent - 1));
    loop {
        let event = events.next();
        assert!(event.position() > position, "{event:?}");
        position = event.position();
        told.is_lost |= event.name == "lost";
        let is_over = event.data.contains("\"state\":\"over\"");
        told.exchanges += usize::from(is_over);
        if is_over && event.data.contains(&last) {
            break;
        }
    }
    sender.join().unwrap();
    told
}
