//! What can be asked of the main job: the table of its flags.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use openkitchen::Limits;

use super::flags::{
    self, BYTES, Flag, NUMBER, ParsedArgs, SECONDS, bytes, count, listen, nearest, time,
    time_or_none,
};
use super::{COMMANDS, CliError};

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct ServeOptions {
    /// The address to listen on.
    pub listen: String,
    /// Where to write the address that was bound.
    pub port_file: Option<PathBuf>,
    /// Where the likes are kept.
    pub data: Option<PathBuf>,
    /// The folder in which each connection is recorded.
    pub record: Option<PathBuf>,
    /// Whether each exchange is printed.
    pub trace: bool,
    /// Whether long content is printed too.
    pub bodies: bool,
    /// Whether what each part means is printed behind it.
    pub explain: bool,
    /// What the server grants.
    pub limits: Limits,
    /// How long `/healthz` says 503 before the server stops.
    pub drain: Duration,
}

impl Default for ServeOptions {
    fn default() -> ServeOptions {
        ServeOptions {
            listen: "127.0.0.1:5000".into(),
            port_file: None,
            data: None,
            record: None,
            trace: true,
            bodies: false,
            explain: false,
            limits: Limits::default(),
            drain: Duration::ZERO,
        }
    }
}

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub enum ServeCommand {
    /// To be told how it works.
    Help,
    /// To be told which version this is.
    Version,
    /// To serve.
    Serve(Box<ServeOptions>),
}

#[rustfmt::skip]
const FLAGS: [Flag<ServeOptions>; 16] = [
    Flag { name: "listen", value: "ADDR", help: "where to listen [127.0.0.1:5000]; port 0: a free one",
        apply: |options, value| { options.listen = listen(value); Ok(()) } },
    Flag { name: "port-file", value: "FILE", help: "write the address that was bound there",
        apply: |options, value| { options.port_file = Some(value.into()); Ok(()) } },
    Flag { name: "data", value: "FILE", help: "keep the likes there [~/.local/state/openkitchen/likes]",
        apply: |options, value| { options.data = Some(value.into()); Ok(()) } },
    Flag { name: "record", value: "DIR", help: "write each connection to a file of its own there",
        apply: |options, value| { options.record = Some(value.into()); Ok(()) } },
    Flag { name: "no-trace", value: "", help: "do not print each raw exchange",
        apply: |options, _| { options.trace = false; Ok(()) } },
    Flag { name: "bodies", value: "", help: "print long content, styles, scripts and images too",
        apply: |options, _| { options.bodies = true; Ok(()) } },
    Flag { name: "explain", value: "", help: "say what each part means, with its clause, once",
        apply: |options, _| { options.explain = true; Ok(()) } },
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

/// Reads the command line and the environment.
///
/// # Errors
/// What is wrong, in a sentence.
pub fn parse(
    arguments: &[String],
    environment: impl Fn(&str) -> Option<String>,
) -> Result<ServeCommand, CliError> {
    let mut options = ServeOptions::default();
    match flags::parse(&FLAGS, arguments, environment, &mut options)? {
        ParsedArgs::Help => Ok(ServeCommand::Help),
        ParsedArgs::Version => Ok(ServeCommand::Version),
        ParsedArgs::Do(others) => match others.first().map(String::as_str) {
            None => Ok(ServeCommand::Serve(Box::new(options))),
            Some("help") => Ok(ServeCommand::Help),
            Some(other) => {
                let names = COMMANDS.map(|(name, _)| name);
                let hint = match nearest(other, names.into_iter()) {
                    Some(name) => format!("did you mean {name}?"),
                    None => format!("there are {}", names.join(", ")),
                };
                Err(CliError::Usage(format!("`{other}` is no command; {hint}")))
            }
        },
    }
}

/// As [`parse`], with the process's own environment.
pub fn from_process(arguments: &[String]) -> Result<ServeCommand, CliError> {
    parse(arguments, |name| env::var(name).ok())
}

/// The help: one screen.
pub fn help() -> String {
    format!(
        "openkitchen: the HTTP/1.1 server with glass walls\n\
         openkitchen [FLAGS]  the lesson site; each raw exchange is printed as it happens\n\
         openkitchen COMMAND  watch: a pane of glass before any server; send: your bytes\n\
         \x20 to it; check: lessons and tests for it; mock: the server of a transcript;\n\
         \x20 explain: what bytes mean. Each has a --help of its own.\n\
         {}\n\
         Each flag is also a variable: --max-head is OPENKITCHEN_MAX_HEAD. The site reads\n\
         API_KEY, CONTACT_NAME and CONTACT_EMAIL; RUST_LOG=info logs; NO_COLOR is heeded.\n",
        flags::help(&FLAGS)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, environment: &[(&str, &str)]) -> Result<ServeOptions, String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
        };
        match parse(&arguments, variable) {
            Ok(ServeCommand::Serve(options)) => Ok(*options),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_flag_wins_over_its_variable_and_a_variable_over_the_default() {
        let environment = [("OPENKITCHEN_LISTEN", "[::1]:0"), ("OPENKITCHEN_NO_TRACE", "1")];
        assert_eq!(read("", &[]), Ok(ServeOptions::default()));
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
            ("--max-head 0", "takes a number of bytes"),
            ("--idle-timeout 0", "takes a time"),
            ("--idle-timeout -1", "takes a time"),
            ("--no-trace=1", "takes no value"),
            ("dance", "`dance` is no command; there are watch, send, check, mock, explain"),
            ("chek", "did you mean check?"),
            ("--far-fetched 1", "--far-fetched is unknown"),
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
}
