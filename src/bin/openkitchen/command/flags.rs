//! Reads the command line of a command: flags, which may also be environment variables, help and
//! version. Each command has a table of flags; its help and the hint at a misspelt name come from the
//! same rows.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use openkitchen::message::seconds::parse_seconds;
use openkitchen::sys;
use openkitchen::transcript::nearest::nearest;

use super::{COMMANDS, CliError, WITHOUT_A_NAME, print};

/// The command line of a command: its flags, and the text around them in its help.
pub struct CommandLine<O: 'static> {
    /// The help above the flags: what the command does, and its arguments.
    pub usage: &'static str,
    /// The flags, in the order of the help.
    pub flags: &'static [Flag<O>],
    /// The help below the flags, such as the exit codes.
    pub notes: &'static str,
}

/// One flag of a command; `O` is the type of the command's options.
pub struct Flag<O> {
    /// The name, without the dashes.
    pub name: &'static str,
    /// The word for its value in the help, such as `ADDR`; empty for a switch.
    pub value: &'static str,
    /// Its line in the help.
    pub help: &'static str,
    /// Sets the value in the options, or says what the value should be.
    pub apply: fn(&mut O, &OsStr) -> Result<(), &'static str>,
}

impl<O> Clone for Flag<O> {
    fn clone(&self) -> Flag<O> {
        *self
    }
}

// A derived `Copy` would require `O: Copy`.
impl<O> Copy for Flag<O> {}

/// The flags of two lists, those of `first` before those of `second`. `N` is `A + B`.
pub const fn joined<O, const A: usize, const B: usize, const N: usize>(
    first: [Flag<O>; A],
    second: [Flag<O>; B],
) -> [Flag<O>; N] {
    assert!(A + B == N);
    let (mut all, mut at) = ([first[0]; N], 0);
    while at < N {
        all[at] = if at < A { first[at] } else { second[at - A] };
        at += 1;
    }
    all
}

/// What the arguments ask for, besides setting options.
#[derive(Debug, PartialEq)]
pub enum ParsedArgs {
    /// `--help`: print the help.
    Help,
    /// `--version`: print the version.
    Version,
    /// Run the command with these arguments, which are not flags.
    Do(Vec<OsString>),
}

/// The flags that every command has: name, and line in the help.
const COMMON: [(&str, &str); 2] =
    [("help", "print this help (also -h)"), ("version", "print the version (also -V)")];

impl<O> CommandLine<O> {
    /// Reads the flags from the arguments and the environment of this process. Returns the options and
    /// the arguments that are not flags. `--help` and `--version` print their text and return `None`.
    /// A variable that looks like a flag of ours and is none gets a warning on stderr.
    ///
    /// # Errors
    /// See [`parse`] and [`print`].
    pub fn read(
        &self,
        arguments: &[OsString],
        mut options: O,
    ) -> Result<Option<(O, Vec<OsString>)>, CliError> {
        match parse(self.flags, arguments, |name| env::var_os(name), &mut options)? {
            ParsedArgs::Help => print(&self.help())?,
            ParsedArgs::Version => print(concat!("openkitchen ", env!("CARGO_PKG_VERSION"), "\n"))?,
            ParsedArgs::Do(others) => {
                warn_of_unknown_variables(&self.flag_names());
                return Ok(Some((options, others)));
            }
        }
        Ok(None)
    }

    /// The names of the flags, without the dashes.
    pub fn flag_names(&self) -> Vec<&'static str> {
        self.flags.iter().map(|flag| flag.name).collect()
    }

    /// Returns the help, with a line for each flag, and for those that every command has.
    pub fn help(&self) -> String {
        let CommandLine { usage, flags, notes } = self;
        let own = flags.iter().map(|flag| help_line(flag.name, flag.value, flag.help));
        let common = COMMON.map(|(name, help)| help_line(name, "", help));
        let flags: String = own.chain(common).collect();
        format!("{usage}\n\n{flags}\n{notes}\n")
    }
}

/// The line of a flag in the help.
fn help_line(name: &str, value: &str, help: &str) -> String {
    let spelled = format!("--{name} {value}");
    format!("  {spelled:22} {help}\n")
}

/// The flags whose variable has several values, each on a line of its own. Empty lines are skipped. A
/// backslash and an n are refused: they are meant as a line end where a variable cannot hold one, as in a
/// Dockerfile's ENV or an env file.
const ONE_ON_EACH_LINE: [&str; 2] = ["header", "type"];

/// Sets the options from the command line, and the others from the environment. `--` ends the flags.
///
/// # Errors
/// What is wrong, in a sentence; for an unknown flag, with the name of the nearest one.
pub fn parse<O>(
    flags: &[Flag<O>],
    arguments: &[OsString],
    environment: impl Fn(&str) -> Option<OsString>,
    options: &mut O,
) -> Result<ParsedArgs, CliError> {
    let names: Vec<FlagName> = flags.iter().map(|flag| (flag.name, flag.value)).collect();
    parse_names(&names, arguments, &environment, &mut |at, value, source| {
        (flags[at].apply)(options, value).map_err(|wanted| wrong_value(source, wanted, value))
    })
}

/// The name of a flag, and the word for its value.
type FlagName = (&'static str, &'static str);

/// As [`parse`], without the type of the options: one function for all commands. `set` sets the option of
/// the flag at this place in the list; its last argument is the flag or the variable that has the value.
fn parse_names(
    flags: &[FlagName],
    arguments: &[OsString],
    environment: &dyn Fn(&str) -> Option<OsString>,
    set: &mut dyn FnMut(usize, &OsStr, &str) -> Result<(), CliError>,
) -> Result<ParsedArgs, CliError> {
    let unknown = |typed: &OsStr, next: Option<&OsString>| {
        let own: Vec<_> = flags.iter().map(|(name, _)| *name).collect();
        unknown(&own, typed, next)
    };
    let (mut others, mut named, mut rest) = (Vec::new(), Vec::new(), arguments.iter());
    while let Some(argument) = rest.next() {
        match argument.as_encoded_bytes() {
            b"-h" | b"--help" => return Ok(ParsedArgs::Help),
            b"-V" | b"--version" => return Ok(ParsedArgs::Version),
            b"--" => {
                others.extend(rest.by_ref().cloned());
                break;
            }
            [b'-', b'-', ..] => {}
            // `-` alone is not a flag: `send` and `explain` read stdin for it.
            [b'-', _, ..] => return Err(unknown(argument, rest.next())),
            _ => {
                others.push(argument.clone());
                continue;
            }
        };
        let (typed, attached) = match sys::split_at_equals(argument) {
            Some((typed, value)) => (typed, Some(value)),
            None => (argument.as_os_str(), None),
        };
        let is_named = |(name, _): &FlagName| typed.to_str() == Some(&format!("--{name}"));
        let Some(at) = flags.iter().position(is_named) else {
            let attached = attached.map(OsStr::to_owned);
            return Err(unknown(typed, attached.as_ref().or_else(|| rest.next())));
        };
        let (name, kind) = flags[at];
        let value = match (kind, attached) {
            ("", None) => OsStr::new(""),
            ("", Some(_)) => return Err(CliError::Usage(format!("--{name} takes no value"))),
            (_, Some(value)) => value,
            (kind, None) => rest.next().ok_or_else(|| {
                CliError::Usage(format!("--{name} needs a value: --{name} {kind}"))
            })?,
        };
        set(at, value, &format!("--{name}"))?;
        named.push(at);
    }
    // A variable of which the command line has the flag is not read: a flag that may stand several times
    // adds a value each time.
    for (at, (name, kind)) in flags.iter().enumerate().filter(|(at, _)| !named.contains(at)) {
        let variable = variable_of(name);
        let Some(value) = environment(&variable).filter(|value| !value.is_empty()) else {
            continue;
        };
        let is_on = !kind.is_empty() || switch(&value, &variable)?;
        match value.to_str().filter(|_| ONE_ON_EACH_LINE.contains(name)) {
            Some(lines) if lines.contains("\\n") => {
                return Err(CliError::Usage(format!(
                    "{variable} has a backslash and an n, which are no line end; \
                     repeat --{name} on the command line"
                )));
            }
            Some(lines) => {
                for line in lines.lines().filter(|line| !line.is_empty()) {
                    set(at, OsStr::new(line), &variable)?;
                }
            }
            None if is_on => set(at, &value, &variable)?,
            None => {}
        }
    }
    Ok(ParsedArgs::Do(others))
}

fn wrong_value(source: &str, wanted: &str, value: &OsStr) -> CliError {
    CliError::Usage(format!("{source} takes {wanted}, not `{}`", value.display()))
}

/// Whether this value of a switch's variable turns the switch on.
fn switch(value: &OsStr, variable: &str) -> Result<bool, CliError> {
    let is_in = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    match (is_in(&["1", "yes", "true", "on"]), is_in(&["0", "no", "false", "off"])) {
        (true, _) => Ok(true),
        (_, true) => Ok(false),
        _ => Err(wrong_value(variable, "1, yes, true or on, or 0, no, false or off", value)),
    }
}

/// The start of the hint at `--listen`; the address follows.
const LISTEN: &str = "write --listen";

/// Flags that people know from other servers: their names, the flag of ours that a command must have, and
/// what to do.
#[rustfmt::skip]
const FLAGS_OF_OTHERS: [(&[&str], &str, &str); 9] = [
    (&["p", "port", "b", "bind", "a", "addr", "address", "host", "hostname", "l", "i", "interfaces"],
        "listen", LISTEN),
    (&["spa", "single", "page-fallback", "index", "try-file"], "fallback",
        "for a single-page application (SPA), write --fallback index.html"),
    (&["auth", "basic-auth", "user", "password"], "fallback",
        "set OPENKITCHEN_AUTH=user:password in the environment, which other users cannot read"),
    (&["d", "dir", "directory", "root", "w"], "fallback", "write openkitchen serve DIR"),
    (&["directory-listing", "autoindex", "z"], "list", "write --list"),
    (&["cors"], "header", "write --header 'Access-Control-Allow-Origin: *'"),
    (&["cache", "c"], "max-age", "write --max-age SECONDS"),
    (&["mimetypes", "default-mimetype"], "type", "write --type EXT=TYPE for each extension"),
    (&["q", "quiet", "no-log", "no-request-logging"], "log", "write --log off"),
];

/// Whether this binary lacks what the flag is for.
fn is_left_out(flag: &str) -> bool {
    cfg!(not(feature = "site")) && flag == "trace"
}

/// What is said then.
const LEFT_OUT: &str = "this binary was built without it (the Cargo feature `site`)";

/// The address that a flag of another server means by its value: a port, a host, or both.
fn meant_address(value: &str) -> String {
    let host = value.parse::<IpAddr>().map(|host| SocketAddr::new(host, 8080).to_string());
    match value.parse::<u16>() {
        Ok(port) => format!("127.0.0.1:{port}"),
        Err(_) => host.ok().or_else(|| address(value)).unwrap_or("127.0.0.1:8080".to_owned()),
    }
}

/// The error for an unknown flag of a command whose `own` flags are these. `next` is its value, if it has
/// one.
fn unknown(own: &[&'static str], typed: &OsStr, next: Option<&OsString>) -> CliError {
    let typed = typed.to_string_lossy();
    let name = typed.trim_start_matches('-');
    if is_left_out(name) {
        return CliError::Usage(format!("{typed} has no effect: {LEFT_OUT}"));
    }
    // `-p8000` is `-p 8000`.
    let letters = name.trim_end_matches(|end: char| end.is_ascii_digit());
    let is_meant = |(theirs, ours, _): &&(&[&str], &str, &str)| {
        own.contains(ours) && theirs.contains(&letters)
    };
    if let Some((.., hint)) = FLAGS_OF_OTHERS.iter().find(is_meant) {
        let digits = Some(&name[letters.len()..]).filter(|digits| !digits.is_empty());
        let value = digits.or_else(|| next.and_then(|next| next.to_str())).unwrap_or_default();
        let address =
            if *hint == LISTEN { format!(" {}", meant_address(value)) } else { String::new() };
        return CliError::Usage(format!("{typed} is unknown; {hint}{address}"));
    }
    let names = own.iter().copied().chain(COMMON.map(|(name, _)| name));
    let hint = nearest(name, names);
    let hint = hint.map(|name| format!("; did you mean --{name}?"));
    CliError::Usage(format!("{typed} is unknown{}", hint.unwrap_or_default()))
}

/// What the variable of each flag begins with.
const VARIABLE_PREFIX: &str = "OPENKITCHEN_";

/// The variable of a flag: `OPENKITCHEN_MAX_HEAD` for `max-head`.
fn variable_of(flag: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", flag.replace('-', "_").to_ascii_uppercase())
}

fn warn_of_unknown_variables(own: &[&'static str]) {
    for (name, value) in env::vars_os() {
        if let Some(warning) = unknown_variable(own, &name, &value) {
            // The log does not run yet. stderr may be closed; the command runs all the same.
            let _ = writeln!(io::stderr(), "openkitchen: warn: {warning}");
        }
    }
}

/// The warning about a variable whose name begins as those of flags do, but no command has such a
/// flag. The hint is one of the command's `own` flags, if one is near. An empty variable counts as
/// unset.
fn unknown_variable(own: &[&'static str], name: &OsStr, value: &OsStr) -> Option<String> {
    let name = name.to_string_lossy();
    let rest = name.strip_prefix(VARIABLE_PREFIX).filter(|_| !value.is_empty())?;
    // Docker and Kubernetes set these for every container, if a service has the name openkitchen.
    let is_of_a_service = rest == "PORT"
        || rest.starts_with("SERVICE_")
        || rest
            .strip_prefix("PORT_")
            .is_some_and(|port| port.starts_with(|it: char| it.is_ascii_digit()));
    if rest == "AUTH" {
        return None; // read by `serve`, and never a flag: the command line is no place for a password
    }
    let mut known = (WITHOUT_A_NAME.flag_names)();
    known.extend(COMMANDS.iter().flat_map(|command| (command.flag_names)()));
    if is_of_a_service || known.iter().any(|flag| variable_of(flag) == name) {
        return None;
    }
    let misspelt = rest.replace('_', "-").to_ascii_lowercase();
    if is_left_out(&misspelt) {
        return Some(format!("{name} has no effect: {LEFT_OUT}"));
    }
    let hint = nearest(&misspelt, own.iter().copied()).or_else(|| nearest(&misspelt, known));
    let hint = hint.map(|flag| format!("; did you mean {}?", variable_of(flag)));
    Some(format!("{name} is unknown and has no effect{}", hint.unwrap_or_default()))
}

/// Reads an address with a port; a port alone means 127.0.0.1. An IPv6 address gets its brackets.
pub fn address(value: &str) -> Option<String> {
    if value.parse::<u16>().is_ok() {
        return Some(format!("127.0.0.1:{value}"));
    }
    let (host, port) = value.rsplit_once(':')?;
    if host.parse::<Ipv6Addr>().is_ok() && port.parse::<u16>().is_ok() {
        return Some(format!("[{host}]:{port}"));
    }
    (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| value.to_string())
}

/// Adds addresses to listen on: an address, or a port alone, or several with commas or spaces between. They
/// are checked when they are bound. `None` if the value is not UTF-8.
pub fn listen(addresses: &mut Vec<String>, value: &OsStr) -> Option<()> {
    let all = value.to_str()?.split([',', ' ']).filter(|one| !one.is_empty());
    addresses.extend(all.map(|one| address(one).unwrap_or_else(|| one.to_string())));
    Some(())
}

/// Reads a number from 1 up.
pub fn count(value: &OsStr) -> Option<usize> {
    value.to_str()?.parse().ok().filter(|&count| count > 0)
}

/// Reads a number of bytes from 1 up, with K (KiB) or M (MiB) as unit.
pub fn bytes(value: &OsStr) -> Option<u64> {
    let value = value.to_str()?;
    let (digits, unit) = match value.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1 << 10),
        None => value.strip_suffix(['m', 'M']).map_or((value, 1), |digits| (digits, 1 << 20)),
    };
    // The offsets of a head end at 4 GiB, and no request should take so much memory.
    digits.parse::<u64>().ok()?.checked_mul(unit).filter(|bytes| (1..1 << 32).contains(bytes))
}

/// Reads a time in seconds, more than zero and at most a year.
pub fn time(value: &OsStr) -> Option<Duration> {
    time_or_none(value).filter(|time| !time.is_zero())
}

/// Reads a time in seconds, at most a year; zero is allowed.
pub fn time_or_none(value: &OsStr) -> Option<Duration> {
    let value = value.to_str()?;
    let time = parse_seconds(value.strip_suffix('s').unwrap_or(value));
    time.filter(|time| time.as_secs() <= 86_400 * 365)
}

/// What an error says that the value should be. See [`address`].
#[cfg(feature = "site")]
pub const ADDRESS: &str = "an address such as 127.0.0.1:5000";
/// The same for a server of files, whose port is another one.
pub const FILES_ADDRESS: &str = "an address such as 127.0.0.1:8080 or unix:PATH";
/// See [`count`].
pub const NUMBER: &str = "a number from 1 up";
/// See [`bytes`].
pub const BYTES: &str = "a number of bytes from 1 up, such as 65536 or 64K or 1M";
/// See [`time`].
pub const SECONDS: &str = "a time in seconds, such as 10 or 0.5";
