//! The options of the lesson site: its flags, their defaults, and its help.

use std::ffi::OsString;
use std::path::PathBuf;

use super::flags::{ADDRESS, CommandLine, Flag, joined, listen};
use super::server::{HasServer, ServerOptions};
use super::{CliError, print, unknown_command};

/// The options of the site.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteOptions {
    /// What every server has.
    pub server: ServerOptions,
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
}

impl Default for SiteOptions {
    fn default() -> SiteOptions {
        SiteOptions {
            server: ServerOptions::default(),
            data: None,
            record: None,
            kitchen: true,
            kitchen_anywhere: false,
            trace: true,
            full: false,
            explain: false,
            rfc: false,
        }
    }
}

#[rustfmt::skip]
const OWN_FLAGS: [Flag<SiteOptions>; 10] = [
    Flag { name: "listen", value: "ADDR", help: "address [127.0.0.1:5000] or unix:PATH; port 0: any free",
        apply: |options, value| listen(&mut options.server.listen, value).ok_or(ADDRESS) },
    Flag { name: "port-file", value: "FILE", help: "write the address in use to FILE",
        apply: |options, value| { options.server.port_file = Some(value.into()); Ok(()) } },
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
];

const FLAGS: [Flag<SiteOptions>; 21] = joined(OWN_FLAGS, SiteOptions::SERVER_FLAGS);

impl HasServer for SiteOptions {
    fn server(&mut self) -> &mut ServerOptions {
        &mut self.server
    }
}

const COMMAND_LINE: CommandLine<SiteOptions> = CommandLine {
    usage: "openkitchen: an HTTP/1.1 server that shows every byte\n\
        openkitchen [FLAGS]         run the lesson site, and print each exchange: a\n\
        \x20                           request and its response, byte for byte\n\
        openkitchen COMMAND --help  show the help of a command:\n\
        \x20 learn        learn HTTP in short lessons, with a real server\n\
        \x20 serve        serve the files of a directory\n\
        \x20 watch        stand between a client and any server, and print what crosses\n\
        \x20 send         send bytes to any server, and print what it sends back\n\
        \x20 check        test any server with the lessons, or with transcripts of yours\n\
        \x20 mock         play the server of a transcript, to test a client\n\
        \x20 explain      print what the bytes of a message mean\n\
        \x20 healthcheck  ask a server whether it is well",
    flags: &FLAGS,
    notes: "Exit code, of each command: 0 all is well, 1 something differs or failed, 2 the\n\
        command line, or a file or an address to listen on, cannot be used, 3 there was\n\
        no connection (send, learn, mock: or no answer in time), 4 no whole response.\n\n\
        A value in [ ] is the default. Each flag is also a variable: --max-head 8K is\n\
        OPENKITCHEN_MAX_HEAD=8K, and --no-trace is OPENKITCHEN_NO_TRACE=1.\n\
        The site reads API_KEY, CONTACT_NAME and CONTACT_EMAIL.\n\
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
pub fn read(arguments: &[OsString]) -> Result<Option<SiteOptions>, CliError> {
    let Some((options, words)) = COMMAND_LINE.read(arguments, SiteOptions::default())? else {
        return Ok(None);
    };
    match words.first() {
        None => options.server.check_memory().map(|()| Some(options)),
        Some(word) if word == "help" => {
            print(&COMMAND_LINE.help())?;
            Ok(None)
        }
        Some(word) => Err(unknown_command(&word.to_string_lossy())),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::command::flags::{ParsedArgs, parse};

    fn options(line: &str, environment: &[(&str, &str)]) -> Result<SiteOptions, String> {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let variable = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        };
        let mut options = SiteOptions::default();
        match parse(&FLAGS, &arguments, variable, &mut options) {
            Ok(ParsedArgs::Do(others)) if others.is_empty() => Ok(options),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_flag_wins_over_its_variable_and_a_variable_over_the_default() {
        let environment = [("OPENKITCHEN_LISTEN", "[::1]:0"), ("OPENKITCHEN_NO_TRACE", "1")];
        assert_eq!(options("", &[]), Ok(SiteOptions::default()));
        let read = options("--max-content=2M --grace 0.5", &environment).unwrap();
        assert_eq!((&read.server.listen[..], read.trace), (&["[::1]:0".to_owned()][..], false));
        assert_eq!(read.server.limits.content, 2 << 20);
        assert_eq!(read.server.limits.grace, Duration::from_millis(500));
        let listen = |line: &str| options(line, &environment).unwrap().server.listen.join(" ");
        assert_eq!(listen("--listen 5001"), "127.0.0.1:5001");
        assert_eq!(listen("--listen 5001 --listen=[::1]:1"), "127.0.0.1:5001 [::1]:1");
        let several = [("OPENKITCHEN_LISTEN", "5001, [::1]:1")];
        let several = options("", &several).unwrap().server.listen;
        assert_eq!(several, ["127.0.0.1:5001", "[::1]:1"]);
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
}
