//! What can be said on the command line, and in the environment: one table for both, for the help and
//! for the hint at a misspelt name.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use openkitchen::Limits;

use super::Refusal;

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The address to listen on.
    pub listen: String,
    /// Where to write the address that was bound.
    pub port_file: Option<PathBuf>,
    /// Where the likes are kept.
    pub data: Option<PathBuf>,
    /// Whether each exchange is printed.
    pub trace: bool,
    /// Whether long content is printed too.
    pub bodies: bool,
    /// What the server grants.
    pub limits: Limits,
    /// How long `/healthz` says 503 before the server stops.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: "127.0.0.1:5000".into(),
            port_file: None,
            data: None,
            trace: true,
            bodies: false,
            limits: Limits::default(),
            drain: Duration::ZERO,
        }
    }
}

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub enum Asked {
    /// To be told how it works.
    Help,
    /// To be told which version this is.
    Version,
    /// To serve.
    Serve(Box<Options>),
}

struct Flag {
    name: &'static str,
    /// What stands for its value in the help; empty for a switch.
    value: &'static str,
    help: &'static str,
    apply: fn(&mut Options, &str) -> Result<(), &'static str>,
}

const ADDRESS: &str = "an address such as 127.0.0.1:5000";
const NUMBER: &str = "a number from 1 up";
const BYTES: &str = "a number of bytes from 1 up, such as 65536 or 64K or 1M";
const SECONDS: &str = "a time in seconds, such as 10 or 0.5";

#[rustfmt::skip]
const FLAGS: [Flag; 14] = [
    Flag { name: "listen", value: "ADDR", help: "where to listen [127.0.0.1:5000]; port 0: a free one",
        apply: |options, value| { options.listen = address(value).ok_or(ADDRESS)?; Ok(()) } },
    Flag { name: "port-file", value: "FILE", help: "write the address that was bound there",
        apply: |options, value| { options.port_file = Some(value.into()); Ok(()) } },
    Flag { name: "data", value: "FILE", help: "keep the likes there [~/.local/state/openkitchen/likes]",
        apply: |options, value| { options.data = Some(value.into()); Ok(()) } },
    Flag { name: "no-trace", value: "", help: "do not print each raw exchange",
        apply: |options, _| { options.trace = false; Ok(()) } },
    Flag { name: "bodies", value: "", help: "print long content, styles, scripts and images too",
        apply: |options, _| { options.bodies = true; Ok(()) } },
    Flag { name: "max-connections", value: "N", help: "connections at one time [1024]; 503 past it",
        apply: |options, value| { options.limits.connections = count(value).ok_or(NUMBER)?; Ok(()) } },
    Flag { name: "max-head", value: "BYTES", help: "a request's head [16K]; 431 past it",
        apply: |options, value| { options.limits.head = bytes(value).ok_or(BYTES)? as usize; Ok(()) } },
    Flag { name: "max-content", value: "BYTES", help: "a request's content [1M]; 413 past it",
        apply: |options, value| { options.limits.content = bytes(value).ok_or(BYTES)?; Ok(()) } },
    Flag { name: "head-timeout", value: "S", help: "seconds for a whole head [10]; 408 past it",
        apply: |options, value| { options.limits.head_timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
    Flag { name: "content-timeout", value: "S", help: "seconds for content [30], and 1 s for each 16 KiB",
        apply: |options, value| { options.limits.content_timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
    Flag { name: "idle-timeout", value: "S", help: "seconds of silence between requests [60]",
        apply: |options, value| { options.limits.idle_timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
    Flag { name: "write-timeout", value: "S", help: "seconds in which a client takes no byte [30]",
        apply: |options, value| { options.limits.write_timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
    Flag { name: "grace", value: "S", help: "seconds to finish what is in flight when stopped [5]",
        apply: |options, value| { options.limits.grace = time_or_none(value).ok_or(SECONDS)?; Ok(()) } },
    Flag { name: "drain", value: "S", help: "seconds of 503 from /healthz before that [0]",
        apply: |options, value| { options.drain = time_or_none(value).ok_or(SECONDS)?; Ok(()) } },
];

/// Reads the command line; what it does not say, the environment may.
///
/// # Errors
/// What is wrong, in a sentence, with the nearest name where a name is unknown.
pub fn parse(
    arguments: &[String],
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Asked, Refusal> {
    let mut options = Options::default();
    for flag in &FLAGS {
        let variable = flag.variable();
        let Some(value) = environment(&variable).filter(|value| !value.is_empty()) else {
            continue;
        };
        // A switch in the environment can be off: `OPENKITCHEN_NO_TRACE=0`.
        let is_off = flag.value.is_empty() && ["0", "no", "false"].contains(&value.as_str());
        if !is_off {
            flag.set(&mut options, &value, &variable)?;
        }
    }
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(spelled) = argument.strip_prefix("--") else {
            return match argument.as_str() {
                "-h" | "help" => Ok(Asked::Help),
                "-V" => Ok(Asked::Version),
                _ => {
                    Err(Refusal::Usage(format!("`{argument}` is not something this command knows")))
                }
            };
        };
        let (name, attached) = match spelled.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (spelled, None),
        };
        match name {
            "help" => return Ok(Asked::Help),
            "version" => return Ok(Asked::Version),
            _ => {}
        }
        let Some(flag) = FLAGS.iter().find(|flag| flag.name == name) else {
            return Err(Refusal::Usage(format!(
                "--{name} is unknown; did you mean --{}?",
                nearest(name)
            )));
        };
        let value = match (flag.value, attached) {
            ("", None) => "",
            ("", Some(_)) => return Err(Refusal::Usage(format!("--{name} takes no value"))),
            (_, Some(value)) => value,
            (kind, None) => rest.next().ok_or_else(|| {
                Refusal::Usage(format!("--{name} needs a value: --{name} {kind}"))
            })?,
        };
        flag.set(&mut options, value, &format!("--{name}"))?;
    }
    Ok(Asked::Serve(Box::new(options)))
}

/// As [`parse`], with the process's own environment.
pub fn from_process(arguments: &[String]) -> Result<Asked, Refusal> {
    parse(arguments, |name| env::var(name).ok())
}

impl Flag {
    fn variable(&self) -> String {
        format!("OPENKITCHEN_{}", self.name.replace('-', "_").to_uppercase())
    }

    fn set(&self, options: &mut Options, value: &str, said_in: &str) -> Result<(), Refusal> {
        (self.apply)(options, value)
            .map_err(|wanted| Refusal::Usage(format!("{said_in} takes {wanted}, not `{value}`")))
    }
}

/// The help: one screen.
pub fn help() -> String {
    let mut text = String::from(
        "openkitchen: the HTTP/1.1 server with glass walls\n\n\
         openkitchen [FLAGS]  the lesson site; each raw exchange is printed as it happens\n\n",
    );
    for flag in &FLAGS {
        let spelled = format!("--{} {}", flag.name, flag.value);
        text += &format!("  {spelled:22} {}\n", flag.help);
    }
    text + "\nEach flag is also a variable: --max-head is OPENKITCHEN_MAX_HEAD. The site reads\n\
            API_KEY, CONTACT_NAME and CONTACT_EMAIL; RUST_LOG=info logs; NO_COLOR is heeded.\n"
}

/// The name that takes the fewest changes.
fn nearest(name: &str) -> &'static str {
    let all = FLAGS.iter().map(|flag| flag.name).chain(["help", "version"]);
    all.min_by_key(|known| distance(name, known)).unwrap_or("help")
}

/// Letters to insert, delete or replace to get from one word to the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, from) in one.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (left, to) in other.bytes().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[left + 1];
            row[left + 1] = replaced.min(row[left] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

/// An address with a port; a port alone means loopback.
fn address(value: &str) -> Option<String> {
    if value.parse::<u16>().is_ok() {
        return Some(format!("127.0.0.1:{value}"));
    }
    let (host, port) = value.rsplit_once(':')?;
    (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| value.to_string())
}

fn count(value: &str) -> Option<usize> {
    value.parse().ok().filter(|&count| count > 0)
}

fn bytes(value: &str) -> Option<u64> {
    let (digits, unit) = match value.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1 << 10),
        None => value.strip_suffix(['m', 'M']).map_or((value, 1), |digits| (digits, 1 << 20)),
    };
    // 4 GiB is where the offsets of a head end, and far beyond what a request should hold in memory.
    digits.parse::<u64>().ok()?.checked_mul(unit).filter(|bytes| (1..1 << 32).contains(bytes))
}

fn time(value: &str) -> Option<Duration> {
    time_or_none(value).filter(|time| !time.is_zero())
}

fn time_or_none(value: &str) -> Option<Duration> {
    let seconds: f64 = value.strip_suffix('s').unwrap_or(value).parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().filter(|time| time.as_secs() <= 86_400 * 365)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, environment: &[(&str, &str)]) -> Result<Options, String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
        };
        match parse(&arguments, variable) {
            Ok(Asked::Serve(options)) => Ok(*options),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_flag_wins_over_its_variable_and_a_variable_over_the_default() {
        let environment = [("OPENKITCHEN_LISTEN", "[::1]:0"), ("OPENKITCHEN_NO_TRACE", "1")];
        assert_eq!(read("", &[]), Ok(Options::default()));
        let options = read("--max-content=2M --grace 0.5", &environment).unwrap();
        assert_eq!((options.listen.as_str(), options.trace), ("[::1]:0", false));
        assert_eq!(options.limits.content, 2 << 20);
        assert_eq!(options.limits.grace, Duration::from_millis(500));
        assert_eq!(read("--listen 5001", &environment).unwrap().listen, "127.0.0.1:5001");
        assert!(read("", &[("OPENKITCHEN_NO_TRACE", "0")]).unwrap().trace);
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_what_can() {
        for (line, said) in [
            ("--lisen 1", "did you mean --listen?"),
            ("--max-contents 1", "did you mean --max-content?"),
            ("--listen", "needs a value: --listen ADDR"),
            ("--listen nowhere", "takes an address"),
            ("--max-head 0", "takes a number of bytes"),
            ("--idle-timeout 0", "takes a time"),
            ("--idle-timeout -1", "takes a time"),
            ("--no-trace=1", "takes no value"),
            ("dance", "is not something"),
        ] {
            let refusal = read(line, &[]).unwrap_err();
            assert!(refusal.contains(said), "{line}: {refusal}");
        }
        assert!(
            read("", &[("OPENKITCHEN_DRAIN", "x")])
                .unwrap_err()
                .contains("OPENKITCHEN_DRAIN takes")
        );
    }

    #[test]
    fn the_help_fits_a_screen_and_names_each_flag() {
        let help = help();
        assert!(help.lines().count() <= 24, "{}", help.lines().count());
        assert!(help.lines().all(|line| line.len() <= 80), "{help}");
        assert!(FLAGS.iter().all(|flag| help.contains(&format!("--{} ", flag.name))));
    }
}
