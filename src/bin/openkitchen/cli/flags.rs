//! Flags: a table for each command, read from the command line and from the environment, with the
//! help and the hint at a misspelt name made from the same rows.

use std::time::Duration;

use super::CliError;

/// One row: `O` is what the command's options are.
pub struct Flag<O> {
    /// Its name, without the dashes.
    pub name: &'static str,
    /// What stands for its value in the help; empty for a switch.
    pub value: &'static str,
    /// A line for the help.
    pub help: &'static str,
    /// Puts the value into the options, or says what it should have been.
    pub apply: fn(&mut O, &str) -> Result<(), &'static str>,
}

/// What a command line says beside its flags.
#[derive(Debug, PartialEq)]
pub enum ParsedArgs {
    /// To be told how the command works.
    Help,
    /// To be told which version this is.
    Version,
    /// To do it, with these arguments that are no flags.
    Do(Vec<String>),
}

/// Reads the command line into the options; what it does not say, the environment may. `--` ends the
/// flags.
///
/// # Errors
/// What is wrong, in a sentence, with the nearest name where a name is unknown.
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
        // A switch in the environment can be off: `OPENKITCHEN_NO_TRACE=0`.
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
            // `-` alone is stdin, as a rule.
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

/// The flags' part of a help.
pub fn help<O>(flags: &[Flag<O>]) -> String {
    let line = |flag: &Flag<O>| {
        let spelled = format!("--{} {}", flag.name, flag.value);
        format!("  {spelled:22} {}\n", flag.help)
    };
    flags.iter().map(line).collect()
}

impl<O> Flag<O> {
    fn variable(&self) -> String {
        format!("OPENKITCHEN_{}", self.name.replace('-', "_").to_uppercase())
    }

    fn set(&self, options: &mut O, value: &str, said_in: &str) -> Result<(), CliError> {
        (self.apply)(options, value)
            .map_err(|wanted| CliError::Usage(format!("{said_in} takes {wanted}, not `{value}`")))
    }
}

fn unknown<O>(flags: &[Flag<O>], said: &str, name: &str) -> CliError {
    let names = flags.iter().map(|flag| flag.name).chain(["help", "version"]);
    let hint = nearest(name, names).map(|name| format!("; did you mean --{name}?"));
    CliError::Usage(format!("{said} is unknown{}", hint.unwrap_or_default()))
}

/// The name that takes the fewest changes, if half of the letters can stay.
pub fn nearest(name: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let near = names.map(|known| (distance(name, known), known)).min();
    near.filter(|(changes, _)| changes * 2 <= name.len()).map(|(_, known)| known)
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
pub fn address(value: &str) -> Option<String> {
    if value.parse::<u16>().is_ok() {
        return Some(format!("127.0.0.1:{value}"));
    }
    let (host, port) = value.rsplit_once(':')?;
    (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| value.to_string())
}

/// Where to listen: an address, or a port alone. Whether it can be done, the system has to say.
pub fn listen(value: &str) -> String {
    address(value).unwrap_or_else(|| value.to_string())
}

/// A number from 1 up.
pub fn count(value: &str) -> Option<usize> {
    value.parse().ok().filter(|&count| count > 0)
}

/// A number of bytes from 1 up, with K and M for units.
pub fn bytes(value: &str) -> Option<u64> {
    let (digits, unit) = match value.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1 << 10),
        None => value.strip_suffix(['m', 'M']).map_or((value, 1), |digits| (digits, 1 << 20)),
    };
    // 4 GiB is where the offsets of a head end, and far beyond what a request should hold in memory.
    digits.parse::<u64>().ok()?.checked_mul(unit).filter(|bytes| (1..1 << 32).contains(bytes))
}

/// A time in seconds, not zero.
pub fn time(value: &str) -> Option<Duration> {
    time_or_none(value).filter(|time| !time.is_zero())
}

/// A time in seconds.
pub fn time_or_none(value: &str) -> Option<Duration> {
    let seconds: f64 = value.strip_suffix('s').unwrap_or(value).parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().filter(|time| time.as_secs() <= 86_400 * 365)
}

/// What to say of a value that is none of these.
pub const ADDRESS: &str = "an address such as 127.0.0.1:5000";
/// See [`count`].
pub const NUMBER: &str = "a number from 1 up";
/// See [`bytes`].
pub const BYTES: &str = "a number of bytes from 1 up, such as 65536 or 64K or 1M";
/// See [`time`].
pub const SECONDS: &str = "a time in seconds, such as 10 or 0.5";
