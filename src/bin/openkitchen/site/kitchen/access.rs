//! # Which clients may read the kitchen
//!
//! What crosses holds passwords and cookies. A request must pass four gates:
//!
//! ```text
//! 403   the listener is reached from other machines
//! 421   Host is no name of this machine: a page of another site that has made its name ours (DNS rebinding)
//! 403   a page of another origin has sent the request: see `origin`
//! 403   watch only: no cookie, or no key. Other users of this machine reach its loopback addresses too.
//! ```
//! Both come by a link that watch prints. The link is good once; then watch prints the next one.
//!
//! ```text
//! GET /?key=3f2a...                  303, Set-Cookie: kitchen-5002=..., Location: /kitchen#key=77c0...
//! GET /kitchen                       the page, which holds no data: the cookie is enough
//! GET /kitchen/state                 data: the cookie, and Kitchen-Key: 77c0...
//! GET /kitchen/events?key=77c0...    the same, since no script adds a field to a stream of events
//! ```
//! The cookie alone opens nothing that crosses. Cookies know no ports, so a browser sends it to each server
//! on this host. The key is in no request but those of the page: a fragment is not sent, and the page keeps
//! it in `localStorage`, which knows ports.
//!
//! Rule: RFC 9110 section 7.4 (421), RFC 6265 (cookies).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use openkitchen::message::credentials::Key;
use openkitchen::{Request, Response, Status, sys};

use super::super::origin;
use super::sentence;

/// Random bytes of a key.
const KEY_BYTES: usize = 16;

/// Which clients may read the kitchen.
pub struct Access {
    /// Whether the listeners are reached from this machine only.
    is_local: bool,
    /// Whether the kitchen opens to other machines: `--kitchen-anywhere` was given, and they reach it. A
    /// listener of this machine keeps all gates, since a name of another site can lead to it.
    is_anywhere: bool,
    /// Whether `--no-kitchen` was given, or there is no listener that a browser reaches.
    is_closed: bool,
    /// The keys of watch's page.
    keys: Option<Keys>,
}

/// The keys of watch's page.
struct Keys {
    /// The name of the cookie and its value.
    cookie: (String, String),
    session: Key,
    /// What the page adds to its requests for data, and its text.
    page: (Key, String),
    /// The key of the next link.
    link: Mutex<Key>,
    /// What is told the next link.
    print: Box<dyn Fn(&str) + Send + Sync>,
    address: SocketAddr,
}

impl Access {
    /// Access to the lesson site's kitchen, for a server with these listeners.
    pub fn of_site(listeners: &[SocketAddr], is_anywhere: bool) -> Access {
        // Like a loopback address, a Unix socket is reached from this machine only.
        let is_local = |address: &SocketAddr| {
            *address == sys::NO_ADDRESS || sys::peer_ip(*address).is_loopback()
        };
        let is_local = listeners.iter().all(is_local);
        Access { is_local, is_anywhere: is_anywhere && !is_local, is_closed: false, keys: None }
    }

    /// A kitchen that refuses every client.
    pub fn closed() -> Access {
        Access { is_local: false, is_anywhere: false, is_closed: true, keys: None }
    }

    /// Access to watch's page, with the first link to it. `print` is told each further one.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn of_watch(
        listeners: &[SocketAddr],
        is_anywhere: bool,
        print: impl Fn(&str) + Send + Sync + 'static,
    ) -> io::Result<(Access, String)> {
        let address = listeners[0];
        let (session, value) = new_key()?;
        let (link, key) = new_key()?;
        let page = new_key()?;
        let cookie = (format!("kitchen-{}", address.port()), value);
        let keys =
            Keys { cookie, session, page, link: Mutex::new(link), print: Box::new(print), address };
        let access = Access { keys: Some(keys), ..Access::of_site(listeners, is_anywhere) };
        Ok((access, link_to(address, &key)))
    }

    /// Whether anybody may see the kitchen.
    pub fn is_open(&self) -> bool {
        self.is_local || self.is_anywhere
    }

    /// Whether the request must not even be led to the page: it came from another machine, by another
    /// name, or from another site.
    pub fn is_misdirected<S>(&self, request: &Request<S>) -> bool {
        !self.is_open() || !self.has_local_host(request) || origin::foreign(request).is_some()
    }

    /// Why a request may not see what crosses; `None` if it may.
    pub fn refusal<S>(&self, request: &Request<S>) -> Option<Response> {
        self.refusal_of_page(request).or_else(|| {
            let keys = self.keys.as_ref().filter(|keys| !keys.have_key(request))?;
            Some(keys.refusal())
        })
    }

    /// Why a request may not see the page, which has no data in it; `None` if it may.
    pub fn refusal_of_page<S>(&self, request: &Request<S>) -> Option<Response> {
        if self.is_closed {
            let text = "The kitchen is shut. This server was started with --no-kitchen, or listens on a \
                        Unix socket alone.";
            return Some(sentence(Status::FORBIDDEN, text));
        }
        if !self.is_open() {
            return Some(sentence(
                Status::FORBIDDEN,
                "The kitchen is shut. It shows what crosses, secrets included, so it opens only where \
                 other machines cannot reach it: on 127.0.0.1 or [::1]. The flag --kitchen-anywhere \
                 opens it elsewhere.",
            ));
        }
        if !self.has_local_host(request) {
            return Some(sentence(
                Status::MISDIRECTED_REQUEST,
                "The field Host of this request does not name this machine. The kitchen opens at \
                 localhost, 127.0.0.1 and [::1] only, so that no page of another site can reach it by a \
                 name of its own.",
            ));
        }
        if let Some(why) = origin::foreign(request) {
            let how = match self.keys {
                Some(_) => " Copy the link from the terminal into the address bar.",
                None => "",
            };
            let text = format!(
                "A page of another site asks for the kitchen, and it stays shut: {why}.{how}"
            );
            return Some(sentence(Status::FORBIDDEN, &text));
        }
        let keys = self.keys.as_ref().filter(|keys| !keys.have_cookie(request))?;
        Some(keys.refusal())
    }

    /// Whether the request names this machine as its host, wherever it says one.
    fn has_local_host<S>(&self, request: &Request<S>) -> bool {
        let mut fields = request.field_lines().values("host");
        let is_named = |host: &[u8]| str::from_utf8(host).is_ok_and(is_local);
        self.is_anywhere || (request.host().is_some_and(is_local) && fields.all(is_named))
    }

    /// Answers the key of a link with the cookie and the page's key, if it is the right one, and prints
    /// the next link.
    pub fn change_key(&self, key: &str) -> Response {
        let Some(keys) = &self.keys else { return Response::see_other("/kitchen") };
        let mut link = keys.link.lock().unwrap_or_else(PoisonError::into_inner);
        if !link.matches(key.as_bytes()) {
            return sentence(
                Status::FORBIDDEN,
                "This link was used before, or it is of an earlier run. The newest one stands in the \
                 terminal in which watch was started.",
            );
        }
        let Ok((next, text)) = new_key() else {
            return sentence(
                Status::INTERNAL_SERVER_ERROR,
                "The system has no random bytes for the next link, so this one was not used.",
            );
        };
        *link = next;
        drop(link);
        (keys.print)(&link_to(keys.address, &text));
        let (name, value) = &keys.cookie;
        Response::see_other(&format!("/kitchen#key={}", keys.page.1)).field(
            "Set-Cookie",
            &format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/kitchen"),
        )
    }
}

impl Keys {
    fn refusal(&self) -> Response {
        let text = format!(
            "The kitchen at {} shows what crosses, secrets included, so it opens by a link with a key. \
             The link stands in the terminal in which watch was started. It is good once, and then the \
             next one is printed there.",
            self.address
        );
        sentence(Status::FORBIDDEN, &text)
    }

    /// Whether the request has the page's key: in a field, or as a parameter.
    fn have_key<S>(&self, request: &Request<S>) -> bool {
        match request.only("kitchen-key") {
            Some(key) => self.page.0.matches(key.as_bytes()),
            None => request.param("key").is_some_and(|key| self.page.0.matches(key.as_bytes())),
        }
    }

    /// Whether the request has the cookie.
    fn have_cookie<S>(&self, request: &Request<S>) -> bool {
        let lines = request.field_lines().values("cookie");
        lines.flat_map(|line| line.split(|&byte| byte == b';')).any(|pair| {
            let value = pair.trim_ascii().strip_prefix(self.cookie.0.as_bytes());
            let value = value.and_then(|rest| rest.strip_prefix(b"="));
            value.is_some_and(|value| self.session.matches(value))
        })
    }
}

fn link_to(address: SocketAddr, key: &str) -> String {
    format!("http://{address}/?key={key}")
}

/// A new key, and its text.
fn new_key() -> io::Result<(Key, String)> {
    let mut bytes = [0; KEY_BYTES];
    sys::secret(&mut bytes)?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = Key::new(&text).map_err(io::Error::other)?;
    Ok((key, text))
}

/// Whether a host with or without a port is a name of this machine that no other can have.
fn is_local(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is_bracketed = bare.len() < name.len();
    name.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() && ip.is_ipv6() == is_bracketed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_always_this_machine_are_local() {
        for host in [
            "localhost",
            "LocalHost:5000",
            "127.0.0.1",
            "127.0.0.1:5000",
            "127.1.2.3:80",
            "[::1]",
            "[::1]:5000",
            "localhost:",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            ":5000",
            "evil.example",
            "evil.example:5000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "a.localhost",
            "localhost.",
            "0.0.0.0:5000",
            "[::]:5000",
            "192.168.0.1",
            "::1",
            "[127.0.0.1]",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn a_listener_that_others_reach_keeps_the_kitchen_shut() {
        let open = |addresses: &[&str], anywhere| {
            let addresses: Vec<SocketAddr> =
                addresses.iter().map(|address| address.parse().expect("an address")).collect();
            Access::of_site(&addresses, anywhere).is_open()
        };
        assert!(open(&["127.0.0.1:1", "[::1]:1"], false));
        assert!(!open(&["127.0.0.1:1", "192.168.0.1:1"], false));
        assert!(!open(&["0.0.0.0:1"], false) && !open(&["[::]:1"], false));
        assert!(open(&["0.0.0.0:1"], true));
    }
}
