//! Reads the command line of a command: flags, which may also be environment variables, help and
//! version. Each command has a table of flags; its help and the hint at a misspelt name come from the
//! same rows.

use std::env;
use std::time::Duration;

use openkitchen::transcript::nearest::nearest;

use super::{CliError, print};

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
    pub apply: fn(&mut O, &str) -> Result<(), &'static str>,
}

/// What the arguments ask for, besides setting options.
#[derive(Debug, PartialEq)]
pub enum ParsedArgs {
    /// `--help`: print the help.
    Help,
    /// `--version`: print the version.
    Version,
    /// Run the command with these arguments, which are not flags.
    Do(Vec<String>),
}

impl<O> CommandLine<O> {
    /// Reads the flags from the arguments and the environment of this process. Returns the options and
    /// the arguments that are not flags. `--help` and `--version` print their text and return `None`.
    ///
    /// # Errors
    /// See [`parse`].
    pub fn read(
        &self,
        arguments: &[String],
        mut options: O,
    ) -> Result<Option<(O, Vec<String>)>, CliError> {
        match parse(self.flags, arguments, |name| env::var(name).ok(), &mut options)? {
            ParsedArgs::Help => print(&self.help()),
            ParsedArgs::Version => print(concat!("openkitchen ", env!("CARGO_PKG_VERSION"), "\n")),
            ParsedArgs::Do(others) => return Ok(Some((options, others))),
        }
        Ok(None)
    }

    /// Returns the help, with a line for each flag.
    pub fn help(&self) -> String {
        let CommandLine { usage, flags, notes } = self;
        let line = |flag: &Flag<O>| {
            let spelled = format!("--{} {}", flag.name, flag.value);
            format!("  {spelled:22} {}\n", flag.help)
        };
        let flags: String = flags.iter().map(line).collect();
        format!("{usage}\n\n{flags}\n{notes}\n")
    }
}

/// Sets the options from the environment, then from the command line, which wins. `--` ends the flags.
///
/// # Errors
/// What is wrong, in a sentence; for an unknown flag, with the name of the nearest one.
pub fn parse<O>(
    flags: &[Flag<O>],
    arguments: &[String],
    environment: impl Fn(&str) -> Option<String>,
    options: &mut O,
) -> Result<ParsedArgs, CliError> {
    for flag in flags {
        let variable = flag.variable();
        let Some(value) = environment(&variable).filter(|value| !value.is_empty()) else {
            continue;
        };
        // The variable of a switch can turn it off: `OPENKITCHEN_NO_TRACE=0`.
        let is_off = flag.value.is_empty() && ["0", "no", "false"].contains(&value.as_str());
        if !is_off {
            flag.set(options, &value, &variable)?;
        }
    }
    let (mut others, mut rest) = (Vec::new(), arguments.iter());
    while let Some(argument) = rest.next() {
        let spelled = match (argument.as_str(), argument.strip_prefix("--")) {
            ("-h" | "--help", _) => return Ok(ParsedArgs::Help),
            ("-V" | "--version", _) => return Ok(ParsedArgs::Version),
            ("--", _) => {
                others.extend(rest.by_ref().cloned());
                break;
            }
            (_, Some(spelled)) => spelled,
            // `-` alone is not a flag: `send` and `explain` read stdin for it.
            (dashed, None) if dashed.len() > 1 && dashed.starts_with('-') => {
                return Err(unknown(flags, dashed, dashed.trim_start_matches('-')));
            }
            _ => {
                others.push(argument.clone());
                continue;
            }
        };
        let (name, attached) = match spelled.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (spelled, None),
        };
        let Some(flag) = flags.iter().find(|flag| flag.name == name) else {
            return Err(unknown(flags, &format!("--{name}"), name));
        };
        let value = match (flag.value, attached) {
            ("", None) => "",
            ("", Some(_)) => return Err(CliError::Usage(format!("--{name} takes no value"))),
            (_, Some(value)) => value,
            (kind, None) => rest.next().ok_or_else(|| {
                CliError::Usage(format!("--{name} needs a value: --{name} {kind}"))
            })?,
        };
        flag.set(options, value, &format!("--{name}"))?;
    }
    Ok(ParsedArgs::Do(others))
}

impl<O> Flag<O> {
    fn variable(&self) -> String {
        format!("OPENKITCHEN_{}", self.name.replace('-', "_").to_uppercase())
    }

    /// `source` is the flag or the variable that has the value.
    fn set(&self, options: &mut O, value: &str, source: &str) -> Result<(), CliError> {
        (self.apply)(options, value)
            .map_err(|wanted| CliError::Usage(format!("{source} takes {wanted}, not `{value}`")))
    }
}

fn unknown<O>(flags: &[Flag<O>], typed: &str, name: &str) -> CliError {
    let names = flags.iter().map(|flag| flag.name).chain(["help", "version"]);
    let hint = nearest(name, names).map(|name| format!("; did you mean --{name}?"));
    CliError::Usage(format!("{typed} is unknown{}", hint.unwrap_or_default()))
}

/// Reads an address with a port; a port alone means 127.0.0.1.
pub fn address(value: &str) -> Option<String> {
    if value.parse::<u16>().is_ok() {
        return Some(format!("127.0.0.1:{value}"));
    }
    let (host, port) = value.rsplit_once(':')?;
    (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| value.to_string())
}

/// Reads the address to listen on: an address, or a port alone. It is checked when it is bound.
pub fn listen(value: &str) -> String {
    address(value).unwrap_or_else(|| value.to_string())
}

/// Reads a number from 1 up.
pub fn count(value: &str) -> Option<usize> {
    value.parse().ok().filter(|&count| count > 0)
}

/// Reads a number of bytes from 1 up, with K (KiB) or M (MiB) as unit.
pub fn bytes(value: &str) -> Option<u64> {
    let (digits, unit) = match value.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1 << 10),
        None => value.strip_suffix(['m', 'M']).map_or((value, 1), |digits| (digits, 1 << 20)),
    };
    // The offsets of a head end at 4 GiB, and no request should take so much memory.
    digits.parse::<u64>().ok()?.checked_mul(unit).filter(|bytes| (1..1 << 32).contains(bytes))
}

/// Reads a time in seconds, more than zero and at most a year.
pub fn time(value: &str) -> Option<Duration> {
    time_or_none(value).filter(|time| !time.is_zero())
}

/// Reads a time in seconds, at most a year; zero is allowed.
pub fn time_or_none(value: &str) -> Option<Duration> {
    let seconds: f64 = value.strip_suffix('s').unwrap_or(value).parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().filter(|time| time.as_secs() <= 86_400 * 365)
}

/// What an error says that the value should be. See [`address`].
pub const ADDRESS: &str = "an address such as 127.0.0.1:5000";
/// See [`count`].
pub const NUMBER: &str = "a number from 1 up";
/// See [`bytes`].
pub const BYTES: &str = "a number of bytes from 1 up, such as 65536 or 64K or 1M";
/// See [`time`].
pub const SECONDS: &str = "a time in seconds, such as 10 or 0.5";
