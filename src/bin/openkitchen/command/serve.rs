//! Serves the files of a directory: the command `serve`. The library's [`Files`] does the work.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

#[cfg(feature = "site")]
use openkitchen::observe::TraceOptions;
use openkitchen::{BadField, Files, Health, Request, Response, Routes, Server, get, routes};

use super::access_log::AccessLog;
use super::auth::{Auth, unauthorized};
use super::bind::Bound;
use super::flags::{CommandLine, FILES_ADDRESS, Flag, joined, listen};
use super::port_file::PortFile;
use super::server::{HasServer, ServerOptions};
#[cfg(feature = "site")]
use super::viewers::Viewers;
use super::{CliError, bind, logging, server, stdout};
use crate::json;

/// What the flags set.
#[derive(Clone, Debug, Default, PartialEq)]
struct ServeOptions {
    server: ServerOptions,
    list: bool,
    fallback: Option<PathBuf>,
    /// Names and values.
    headers: Vec<(String, String)>,
    max_age: Option<u64>,
    /// Extensions and media types.
    types: Vec<(String, String)>,
    log: Option<LogFormat>,
    trace: bool,
}

/// What is written on stdout for each exchange.
#[derive(Clone, Copy, Debug, PartialEq)]
enum LogFormat {
    Off,
    Combined,
    Json,
}

impl LogFormat {
    fn name(self) -> &'static str {
        match self {
            LogFormat::Off => "off",
            LogFormat::Combined => "combined",
            LogFormat::Json => "json",
        }
    }
}

impl HasServer for ServeOptions {
    fn server(&mut self) -> &mut ServerOptions {
        &mut self.server
    }
}

/// How many they are: a binary without the site has no trace either.
const OWN_FLAG_COUNT: usize = if cfg!(feature = "site") { 9 } else { 8 };

#[rustfmt::skip]
const OWN_FLAGS: [Flag<ServeOptions>; OWN_FLAG_COUNT] = [
    Flag { name: "listen", value: "ADDR", help: "address [127.0.0.1:8080] or unix:PATH; may be repeated",
        apply: |options, value| listen(&mut options.server.listen, value).ok_or(FILES_ADDRESS) },
    Flag { name: "port-file", value: "FILE", help: "write the addresses in use to FILE, one on each line",
        apply: |options, value| { options.server.port_file = Some(value.into()); Ok(()) } },
    Flag { name: "list", value: "", help: "list the files of a directory without index.html",
        apply: |options, _| { options.list = true; Ok(()) } },
    Flag { name: "fallback", value: "FILE", help: "send FILE of DIR where there is none: single-page apps",
        apply: |options, value| { options.fallback = Some(value.into()); Ok(()) } },
    Flag { name: "header", value: "FIELD", help: "add 'Name: value' to every response; may be repeated",
        apply: |options, value| { options.headers.push(header(value).ok_or(FIELD)?); Ok(()) } },
    Flag { name: "max-age", value: "S", help: "seconds for which a cache may keep a file unasked",
        apply: |options, value| { options.max_age = Some(seconds(value).ok_or(WHOLE_SECONDS)?); Ok(()) } },
    Flag { name: "type", value: "EXT=TYPE", help: "MIME type by extension: .md=text/plain; may be repeated",
        apply: |options, value| { options.types.push(media_type(value)?); Ok(()) } },
    Flag { name: "log", value: "FORMAT", help: "a line per exchange: combined, json or off [combined]",
        apply: |options, value| { options.log = Some(log_format(value).ok_or(FORMATS)?); Ok(()) } },
    #[cfg(feature = "site")]
    Flag { name: "trace", value: "", help: "print each exchange, byte for byte; turns the log off",
        apply: |options, _| { options.trace = true; Ok(()) } },
];

const FLAGS: [Flag<ServeOptions>; OWN_FLAG_COUNT + 11] =
    joined(OWN_FLAGS, ServeOptions::SERVER_FLAGS);

/// What an error says that the value should be. See [`seconds`].
const WHOLE_SECONDS: &str = "a number of seconds from 0 up";
/// See [`log_format`].
const FORMATS: &str = "combined, json or off";
/// See [`header`].
const FIELD: &str = "a field such as 'X-Frame-Options: DENY'";

fn seconds(value: &OsStr) -> Option<u64> {
    value.to_str()?.parse().ok()
}

fn log_format(value: &OsStr) -> Option<LogFormat> {
    let formats = [LogFormat::Off, LogFormat::Combined, LogFormat::Json];
    formats.into_iter().find(|format| value == format.name())
}

/// The name and the value of a field.
fn header(value: &OsStr) -> Option<(String, String)> {
    let (name, value) = value.to_str()?.split_once(':')?;
    Some((name.to_owned(), value.to_owned()))
}

/// An extension and its media type, or what an error says that the value should be.
fn media_type(value: &OsStr) -> Result<(String, String), &'static str> {
    match value.to_str().and_then(|value| value.split_once('=')) {
        None => Err("an extension and a media type, such as .md=text/plain"),
        Some(("", _)) => Err("an extension before the ="),
        Some((_, "")) => Err("a media type after the ="),
        Some((extension, media_type)) => Ok((extension.to_owned(), media_type.to_owned())),
    }
}

const COMMAND_LINE: CommandLine<ServeOptions> = CommandLine {
    usage: "openkitchen serve DIR [FLAGS]: serve a directory; log each exchange on stdout",
    flags: &FLAGS,
    notes: "404.html in DIR is the page for missing files; dot-files are hidden; a.js.br and\n\
        a.js.gz are a.js, precompressed; a list has 10000 names at most. /healthz\n\
        answers 200. OPENKITCHEN_AUTH=user:password asks for a user and a password.\n\
        Each flag is also a variable: --max-age 60 is OPENKITCHEN_MAX_AGE=60, and --list\n\
        is OPENKITCHEN_LIST=1.",
};

/// The names of its flags.
pub fn flag_names() -> Vec<&'static str> {
    COMMAND_LINE.flag_names()
}

/// Runs the command line, until a signal stops the server.
///
/// # Errors
/// A sentence, and the exit code that goes with it.
pub fn command(arguments: &[OsString]) -> Result<ExitCode, CliError> {
    let Some((options, others)) = COMMAND_LINE.read(arguments, ServeOptions::default())? else {
        return Ok(ExitCode::SUCCESS);
    };
    options.server.check_memory()?;
    match &others[..] {
        [directory] => serve(Path::new(directory), &options).map(|()| ExitCode::SUCCESS),
        [] => Err(CliError::Usage("serve needs a directory: openkitchen serve .".into())),
        [_, more, ..] => {
            let more = more.to_string_lossy();
            let address = bind::with_port(&more, "8080");
            let hint = address.map(|address| format!("; did you mean --listen {address}?"));
            let hint = hint.unwrap_or_default();
            let sentence = format!("serve takes one directory; `{more}` is one too many{hint}");
            Err(CliError::Usage(sentence))
        }
    }
}

/// Where the routes find everything.
struct Served {
    files: Files,
    /// What clients have to send, if anything.
    auth: Option<Auth>,
    health: Health,
}

static ROUTES: Routes<Served> = routes(&[get("/healthz", healthz).quiet(), get("/*", file)]);

/// The same, where `/healthz` is a file as any other, for the log too.
static ROUTES_WITH_FILE: Routes<Served> = routes(&[get("/healthz", healthz), get("/*", file)]);

/// The name of the file that is served in place of the health.
const HEALTHZ: &str = "healthz";

fn file(request: &Request<Served>) -> Response {
    let served = request.state();
    served.guarded(request, || served.files.respond(request))
}

/// A file with this name comes first, until the server drains: a proxy must see that.
fn healthz(request: &Request<Served>) -> Response {
    let served = request.state();
    match served.files.respond_with(request, Path::new(HEALTHZ)) {
        Some(response) if !served.health.is_draining() => served.guarded(request, || response),
        _ => served.health.response(),
    }
}

impl Served {
    /// The response, if the request has the password or none is asked for.
    fn guarded(&self, request: &Request<Served>, respond: impl FnOnce() -> Response) -> Response {
        match &self.auth {
            Some(auth) if !auth.is_sent(request.field_lines()) => unauthorized(),
            _ => respond(),
        }
    }
}

/// The directory with what the flags say of it.
fn files(directory: &Path, options: &ServeOptions) -> Result<Files, CliError> {
    let mut files = Files::new(directory).map_err(|error| unusable(directory, &error))?;
    if options.list {
        files = files.list();
    }
    if let Some(path) = &options.fallback {
        files = files.fallback(below(directory, path)).map_err(|error| {
            let (path, directory) = (path.display(), directory.display());
            CliError::Unusable(format!(
                "--fallback {path} cannot be used in {directory}: {error}; \
                 write its path below the directory: --fallback index.html"
            ))
        })?;
    }
    for (extension, media_type) in &options.types {
        let added = files.media_type(extension, media_type);
        files = added.map_err(|why| CliError::Usage(format!("--type cannot be used: {why}")))?;
    }
    let is_cache_control = |(name, _): &(String, _)| name.eq_ignore_ascii_case("cache-control");
    match options.max_age {
        // The one for every response is for files too.
        Some(seconds) if !options.headers.iter().any(is_cache_control) => {
            files.cache_control(&format!("max-age={seconds}")).map_err(unsendable)
        }
        _ => Ok(files),
    }
}

/// Why a directory cannot be served, and which one may be.
fn unusable(directory: &Path, error: &io::Error) -> CliError {
    let shown = directory.display();
    CliError::Unusable(match error.kind() {
        _ if directory.as_os_str().is_empty() => {
            "the name of the directory is empty; try openkitchen serve .".into()
        }
        ErrorKind::NotFound => {
            format!("there is no directory `{shown}`; try openkitchen serve .")
        }
        ErrorKind::NotADirectory => {
            let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new(".")).display();
            format!(
                "`{shown}` is no directory; serve the one that it is in: openkitchen serve {parent}"
            )
        }
        ErrorKind::PermissionDenied => format!(
            "this user may not open `{shown}`, or a directory above it; \
             let every user read it: chmod -R a+rX {shown}"
        ),
        _ => format!("{shown} cannot be served: {error}"),
    })
}

/// A path below the directory. What a shell completes is a path from the current directory, or from the
/// root.
fn below(directory: &Path, path: &Path) -> PathBuf {
    let real = || {
        let (directory, path) = (directory.canonicalize().ok()?, path.canonicalize().ok()?);
        path.strip_prefix(directory).ok().map(Path::to_path_buf)
    };
    let is_below = path.is_relative() && directory.join(path).is_file();
    if is_below { path.to_path_buf() } else { real().unwrap_or_else(|| path.to_path_buf()) }
}

fn unsendable(error: BadField) -> CliError {
    CliError::Usage(format!("--header cannot be sent: {error}"))
}

/// What stdout begins with, as JSON.
fn first_lines_as_json(bound: &Bound, directory: &Path) -> Vec<String> {
    let directory = json::string(&directory.display().to_string());
    let left_out = bound.left_out().map(|text| json::line("note", [("text", json::string(text))]));
    let serving = json::line("serving", [("directory", directory)]);
    bound.json_lines().chain(left_out).chain([serving]).collect()
}

fn serve(directory: &Path, options: &ServeOptions) -> Result<(), CliError> {
    server::prepare_process()?;
    let format = match (options.log, options.trace) {
        (Some(format @ (LogFormat::Combined | LogFormat::Json)), true) => {
            let format = format.name();
            let sentence = "and --trace both print on stdout; leave one out";
            return Err(CliError::Usage(format!("--log {format} {sentence}")));
        }
        (format, true) => format.unwrap_or(LogFormat::Off),
        (format, false) => format.unwrap_or(LogFormat::Combined),
    };
    let port_file = PortFile::prepare(options.server.port_file.as_deref());
    let port_file = port_file.map_err(CliError::Unusable)?;
    // Before a file of ours has the number of a descriptor that LISTEN_FDS may name.
    let mut bound =
        bind::bind(&options.server.listen, "127.0.0.1:8080").map_err(CliError::Unusable)?;
    let socket_files = bound.take_files();
    let json_lines = first_lines_as_json(&bound, directory);
    let (auth, files) = (Auth::from_environment()?, files(directory, options)?);
    let mut server = Server::from_listeners(bound.listeners)
        .limits(options.server.limits.clone())
        .scheduling(options.server.scheduling);
    for (name, value) in &options.headers {
        server = server.header(name, value).map_err(unsendable)?;
    }
    let served: &'static Served =
        Box::leak(Box::new(Served { files, auth, health: Health::default() }));
    server::stop_on_signal(
        server.stopper(),
        &served.health,
        &options.server,
        socket_files.clone(),
        || {},
    )?;
    let log = match format {
        LogFormat::Off => Ok(None),
        LogFormat::Combined => AccessLog::combined(served.auth.as_ref()).map(Some),
        LogFormat::Json => AccessLog::json(served.auth.as_ref()).map(Some),
    };
    let failed = |error: &dyn std::fmt::Display| CliError::Failed(error.to_string());
    if let Some(log) = log.map_err(|error| failed(&error))? {
        server = server.observed_by(Arc::new(log));
    }
    #[cfg(feature = "site")]
    let viewers = {
        let trace = options.trace.then(TraceOptions::default);
        let viewers = Viewers::start(trace, None, "serve", None).map_err(CliError::Unusable)?;
        if viewers.shows_anything() {
            server = server.observed_by(viewers.follower.clone());
        }
        viewers
    };
    if format == LogFormat::Json {
        json_lines.iter().for_each(|line| stdout::push(line));
    } else {
        let lines = [bound.lines, vec![format!("serving {}", directory.display())]].concat();
        #[cfg(feature = "site")]
        viewers.announce(&lines, "");
        #[cfg(not(feature = "site"))]
        lines.iter().for_each(|line| stdout::print_line(line));
    }
    let _lock = port_file.write(&bound.names).map_err(CliError::Unusable)?;
    server::warn_of_loopback(&bound.addresses);
    let has_file = directory.join(HEALTHZ).is_file();
    let ended = server.run(if has_file { &ROUTES_WITH_FILE } else { &ROUTES }, served);
    socket_files.remove();
    logging::say("stopped");
    #[cfg(feature = "site")]
    viewers.finish();
    ended.map_err(|error| failed(&error))
}
