//! The options of the server: its flags, their defaults, and its help.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use openkitchen::net::memory::budget;
use openkitchen::transcript::nearest::nearest;
use openkitchen::{Limits, Scheduling};

use super::flags::{
    ADDRESS, BYTES, CommandLine, Flag, NUMBER, SECONDS, bytes, count, listen, time, time_or_none,
};
use super::{COMMANDS, CliError, print};

/// The options of the server.
#[derive(Clone, Debug, PartialEq)]
pub struct ServeOptions {
    /// The address to listen on.
    pub listen: String,
    /// The file to write the bound address to.
    pub port_file: Option<PathBuf>,
    /// The file of the likes; if it is not given, the default path.
    pub data: Option<PathBuf>,
    /// The folder for a recording of each connection.
    pub record: Option<PathBuf>,
    /// Whether the page shows each exchange.
    pub kitchen: bool,
    /// Whether it does so also to other machines.
    pub kitchen_anywhere: bool,
    /// Whether each exchange is printed.
    pub trace: bool,
    /// Whether all is printed, long content too.
    pub full: bool,
    /// Whether the meaning of each part is printed after it.
    pub explain: bool,
    /// Whether each meaning has its RFC section.
    pub rfc: bool,
    /// The limits and timeouts of the server.
    pub limits: Limits,
    /// How the system schedules the threads that serve connections.
    pub scheduling: Scheduling,
    /// How long `/healthz` responds with 503 before the server stops.
    pub drain: Duration,
}

impl Default for ServeOptions {
    fn default() -> ServeOptions {
        ServeOptions {
            listen: "127.0.0.1:5000".into(),
            port_file: None,
            data: None,
            record: None,
            kitchen: true,
            kitchen_anywhere: false,
            trace: true,
            full: false,
            explain: false,
            rfc: false,
            limits: Limits::default(),
            scheduling: Scheduling::Batch,
            drain: Duration::ZERO,
        }
    }
}

#[rustfmt::skip]
const FLAGS: [Flag<ServeOptions>; 21] = [
    Flag { name: "listen", value: "ADDR", help: "address to listen on [127.0.0.1:5000]; port 0: any free",
        apply: |options, value| { options.listen = listen(value).ok_or(ADDRESS)?; Ok(()) } },
    Flag { name: "port-file", value: "FILE", help: "write the address in use to FILE",
        apply: |options, value| { options.port_file = Some(value.into()); Ok(()) } },
    Flag { name: "data", value: "FILE", help: "keep likes in FILE [~/.local/state/openkitchen/likes]",
        apply: |options, value| { options.data = Some(value.into()); Ok(()) } },
    Flag { name: "record", value: "DIR", help: "record each connection to a file of its own in DIR",
        apply: |options, value| { options.record = Some(value.into()); Ok(()) } },
    Flag { name: "no-trace", value: "", help: "do not print the exchanges (requests and responses)",
        apply: |options, _| { options.trace = false; Ok(()) } },
    Flag { name: "full", value: "", help: "print all, as a transcript: fold and leave out nothing",
        apply: |options, _| { options.full = true; Ok(()) } },
    Flag { name: "explain", value: "", help: "print what each part means, again for each page",
        apply: |options, _| { options.explain = true; Ok(()) } },
    Flag { name: "rfc", value: "", help: "--explain with the RFC section of each part",
        apply: |options, _| { (options.explain, options.rfc) = (true, true); Ok(()) } },
    Flag { name: "no-kitchen", value: "", help: "keep no exchanges for the page to show",
        apply: |options, _| { options.kitchen = false; Ok(()) } },
    Flag { name: "kitchen-anywhere", value: "", help: "show them to other machines too, secrets included",
        apply: |options, _| { options.kitchen_anywhere = true; Ok(()) } },
    Flag { name: "max-connections", value: "N", help: "connections at one time [1024]; if all are busy: 503",
        apply: |options, value| { options.limits.connections = count(value).ok_or(NUMBER)?; Ok(()) } },
    Flag { name: "max-head", value: "BYTES", help: "head (request line, header fields) [16K]; larger: 431",
        apply: |options, value| { options.limits.head = bytes(value).ok_or(BYTES)? as usize; Ok(()) } },
    Flag { name: "max-content", value: "BYTES", help: "body (content) of a request [1M]; larger: 413",
        apply: |options, value| { options.limits.content = bytes(value).ok_or(BYTES)?; Ok(()) } },
    Flag { name: "max-memory", value: "BYTES", help: "memory for all clients [1/8 of RAM, max 64M]; then 503",
        apply: |options, value| { options.limits.memory = Some(bytes(value).ok_or(BYTES)?); Ok(()) } },
    Flag { name: "head-timeout", value: "S", help: "seconds to receive a whole head [10]; then 408",
        apply: |options, value| { options.limits.head_timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
    Flag { name: "content-timeout", value: "S", help: "seconds to receive a body [30], plus 1 s per 16 KiB",
        apply: |options, value| { options.limits.content_timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
    Flag { name: "idle-timeout", value: "S", help: "seconds to wait for the next request [60]",
        apply: |options, value| { options.limits.idle_timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
    Flag { name: "write-timeout", value: "S", help: "seconds to wait for a client that reads nothing [30]",
        apply: |options, value| { options.limits.write_timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
    Flag { name: "grace", value: "S", help: "seconds to finish open exchanges at a stop [5]",
        apply: |options, value| { options.limits.grace = time_or_none(value).ok_or(SECONDS)?; Ok(()) } },
    Flag { name: "drain", value: "S", help: "seconds to answer 503 at /healthz before it stops [0]",
        apply: |options, value| { options.drain = time_or_none(value).ok_or(SECONDS)?; Ok(()) } },
    Flag { name: "scheduling", value: "POLICY", help: "batch (more requests a second) or normal [batch]",
        apply: |options, value| { options.scheduling = scheduling(value).ok_or(SCHEDULING)?; Ok(()) } },
];

/// What an error says that the value should be. See [`scheduling`].
const SCHEDULING: &str = "batch or normal";

/// Reads the scheduling of the server's threads.
fn scheduling(value: &OsStr) -> Option<Scheduling> {
    match value.to_str()? {
        "batch" => Some(Scheduling::Batch),
        "normal" => Some(Scheduling::Normal),
        _ => None,
    }
}

const COMMAND_LINE: CommandLine<ServeOptions> = CommandLine {
    usage: "openkitchen: an HTTP/1.1 server that shows every byte\n\
        openkitchen [FLAGS]         run the lesson site, and print each exchange: a\n\
        \x20                           request and its response, byte for byte\n\
        openkitchen COMMAND --help  show the help of a command:\n\
        \x20 learn    learn HTTP in short lessons, with a real server\n\
        \x20 watch    stand between a client and any server, and print what crosses\n\
        \x20 send     send bytes to any server, and print what it sends back\n\
        \x20 check    test any server with the lessons, or with transcripts of yours\n\
        \x20 mock     play the server of a transcript, to test a client\n\
        \x20 explain  print what the bytes of a message mean",
    flags: &FLAGS,
    notes: "Exit code, of each command: 0 all is well, 1 something differs or failed, 2 the\n\
        command line, or a file or an address to listen on, cannot be used, 3 there was\n\
        no connection or no answer in time, 4 send got no whole response before the end.\n\n\
        A value in [ ] is the default. Each flag is also a variable: --max-head is\n\
        OPENKITCHEN_MAX_HEAD. The site reads API_KEY, CONTACT_NAME and CONTACT_EMAIL.\n\
        RUST_LOG=info logs a line for each request; NO_COLOR=1 turns colours off,\n\
        as TERM=dumb does.",
};

/// The names of the server's flags.
pub fn flag_names() -> Vec<&'static str> {
    COMMAND_LINE.flag_names()
}

/// Reads the command line and the environment. Returns `None` if help or version was printed.
///
/// # Errors
/// What is wrong, in a sentence.
pub fn read(arguments: &[OsString]) -> Result<Option<ServeOptions>, CliError> {
    let Some((options, words)) = COMMAND_LINE.read(arguments, ServeOptions::default())? else {
        return Ok(None);
    };
    match words.first() {
        None => check_memory(&options.limits).map(|()| Some(options)),
        Some(word) if word == "help" => {
            print(&COMMAND_LINE.help())?;
            Ok(None)
        }
        Some(word) => Err(unknown_command(&word.to_string_lossy())),
    }
}

/// One request must not be allowed more bytes than all of them together.
fn check_memory(limits: &Limits) -> Result<(), CliError> {
    let memory = budget(limits);
    for (flag, bytes) in [("--max-content", limits.content), ("--max-head", limits.head as u64)] {
        if bytes > memory {
            return Err(CliError::Usage(format!(
                "{flag} is {bytes} bytes, above --max-memory, {memory} bytes; \
                 raise --max-memory or lower {flag}"
            )));
        }
    }
    Ok(())
}

fn unknown_command(word: &str) -> CliError {
    let names = COMMANDS.map(|command| command.name);
    let hint = match nearest(word, names) {
        Some(name) => format!("did you mean {name}?"),
        None => format!("the commands are {}", names.join(", ")),
    };
    CliError::Usage(format!("`{word}` is not a command; {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::flags::{ParsedArgs, parse};

    fn options(line: &str, environment: &[(&str, &str)]) -> Result<ServeOptions, String> {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        };
        let mut options = ServeOptions::default();
        match parse(&FLAGS, &arguments, variable, &mut options) {
            Ok(ParsedArgs::Do(others)) if others.is_empty() => Ok(options),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_flag_wins_over_its_variable_and_a_variable_over_the_default() {
        let environment = [("OPENKITCHEN_LISTEN", "[::1]:0"), ("OPENKITCHEN_NO_TRACE", "1")];
        assert_eq!(options("", &[]), Ok(ServeOptions::default()));
        let read = options("--max-content=2M --grace 0.5", &environment).unwrap();
        assert_eq!((read.listen.as_str(), read.trace), ("[::1]:0", false));
        assert_eq!(read.limits.content, 2 << 20);
        assert_eq!(read.limits.grace, Duration::from_millis(500));
        assert_eq!(options("--listen 5001", &environment).unwrap().listen, "127.0.0.1:5001");
        assert!(options("", &[("OPENKITCHEN_NO_TRACE", "0")]).unwrap().trace);
    }

    #[test]
    fn an_error_names_the_nearest_flag_or_a_valid_value() {
        for (line, expected) in [
            ("--lisen 1", "did you mean --listen?"),
            ("--max-contents 1", "did you mean --max-content?"),
            ("--listen", "needs a value: --listen ADDR"),
            ("--max-head 0", "takes a number of bytes"),
            ("--idle-timeout 0", "takes a time"),
            ("--idle-timeout -1", "takes a time"),
            ("--no-trace=1", "takes no value"),
            ("--far-fetched 1", "--far-fetched is unknown"),
        ] {
            let error = options(line, &[]).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
        let error = options("", &[("OPENKITCHEN_DRAIN", "x")]).unwrap_err();
        assert!(error.contains("OPENKITCHEN_DRAIN takes"), "{error}");
    }

    #[test]
    fn an_unknown_command_gets_the_nearest_name_or_all_names() {
        for (word, expected) in [
            ("chek", "`chek` is not a command; did you mean check?"),
            (
                "dance",
                "`dance` is not a command; the commands are watch, send, check, mock, learn, explain",
            ),
        ] {
            assert_eq!(unknown_command(word), CliError::Usage(expected.into()));
        }
    }
}
