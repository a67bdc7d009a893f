//! Serves the files of a folder: the command `serve`. The library's [`Files`] does the work.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use openkitchen::message::credentials::{Key, basic_credentials};
#[cfg(feature = "site")]
use openkitchen::observe::TraceOptions;
use openkitchen::{Files, Health, Request, Response, Routes, Server, Status, get, routes};

use super::access_log::AccessLog;
use super::flags::{CommandLine, Flag, joined, listen};
use super::port_file::PortFile;
use super::server::{HasServer, ServerOptions};
#[cfg(not(feature = "site"))]
use super::stdout::print_line;
#[cfg(feature = "site")]
use super::viewers::Viewers;
use super::{CliError, bind, logging, server};

/// What the flags set.
#[derive(Clone, Debug, Default, PartialEq)]
struct ServeOptions {
    server: ServerOptions,
    list: bool,
    fallback: Option<PathBuf>,
    headers: Vec<String>,
    max_age: Option<Duration>,
    log: Option<LogFormat>,
    trace: bool,
}

/// What is written on stdout for each exchange.
#[derive(Clone, Copy, Debug, PartialEq)]
enum LogFormat {
    Off,
    Combined,
}

impl HasServer for ServeOptions {
    fn server(&mut self) -> &mut ServerOptions {
        &mut self.server
    }
}

/// How many they are: a binary without the site has no trace either.
const OWN_FLAG_COUNT: usize = if cfg!(feature = "site") { 8 } else { 7 };

#[rustfmt::skip]
const OWN_FLAGS: [Flag<ServeOptions>; OWN_FLAG_COUNT] = [
    Flag { name: "listen", value: "ADDR", help: "address to listen on [127.0.0.1:8080]; may be repeated",
        apply: |options, value| listen(&mut options.server.listen, value) },
    Flag { name: "port-file", value: "FILE", help: "write the addresses in use to FILE, one on each line",
        apply: |options, value| { options.server.port_file = Some(value.into()); Ok(()) } },
    Flag { name: "list", value: "", help: "list the files of a folder without index.html",
        apply: |options, _| { options.list = true; Ok(()) } },
    Flag { name: "fallback", value: "FILE", help: "send this file of DIR where there is none (page apps)",
        apply: |options, value| { options.fallback = Some(value.into()); Ok(()) } },
    Flag { name: "header", value: "FIELD", help: "add 'Name: value' to each response; may be repeated",
        apply: |options, value| headers(&mut options.headers, value) },
    Flag { name: "max-age", value: "S", help: "seconds for which a cache need not ask again",
        apply: |options, value| { options.max_age = Some(seconds(value).ok_or(WHOLE_SECONDS)?); Ok(()) } },
    Flag { name: "log", value: "FORMAT", help: "off or combined, a line for each exchange [combined]",
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
const FORMATS: &str = "off or combined";
/// See [`headers`].
const FIELD: &str = "a field such as 'X-Frame-Options: DENY'";

fn seconds(value: &OsStr) -> Option<Duration> {
    value.to_str()?.parse().ok().map(Duration::from_secs)
}

fn log_format(value: &OsStr) -> Option<LogFormat> {
    match value.to_str()? {
        "off" => Some(LogFormat::Off),
        "combined" => Some(LogFormat::Combined),
        _ => None,
    }
}

/// Adds fields. A variable has several of them on lines of their own.
fn headers(headers: &mut Vec<String>, value: &OsStr) -> Result<(), &'static str> {
    for line in value.to_str().ok_or(FIELD)?.lines() {
        if !line.contains(':') {
            return Err(FIELD);
        }
        headers.push(line.to_owned());
    }
    Ok(())
}

const COMMAND_LINE: CommandLine<ServeOptions> = CommandLine {
    usage: "openkitchen serve DIR [FLAGS]: serve a folder, and log each exchange on stdout",
    flags: &FLAGS,
    notes: "404.html in DIR is the page for missing files; dot-files are hidden. /healthz\n\
        answers 200. OPENKITCHEN_AUTH=user:password asks for both.\n\
        Each flag is also a variable: --max-age is OPENKITCHEN_MAX_AGE.",
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
        [folder] => serve(Path::new(folder), &options).map(|()| ExitCode::SUCCESS),
        [] => Err(CliError::Usage("serve needs a folder: serve public".into())),
        [_, more, ..] => {
            let more = more.display();
            Err(CliError::Usage(format!("serve takes one folder; `{more}` is one too many")))
        }
    }
}

/// Where the routes find everything.
struct Directory {
    files: Files,
    /// `user:password`, if clients have to send them.
    auth: Option<Key>,
    health: Health,
}

static ROUTES: Routes<Directory> = routes(&[get("/healthz", healthz).quiet(), get("/*", file)]);

fn file(request: &Request<Directory>) -> Response {
    let directory = request.state();
    directory.guarded(request, || directory.files.respond(request))
}

/// A file with this name comes first.
fn healthz(request: &Request<Directory>) -> Response {
    let directory = request.state();
    match directory.files.respond_with(request, Path::new("healthz")) {
        Some(response) => directory.guarded(request, || response),
        None => directory.health.response(),
    }
}

impl Directory {
    /// The response, if the request has the password or none is asked for.
    fn guarded(
        &self,
        request: &Request<Directory>,
        respond: impl FnOnce() -> Response,
    ) -> Response {
        match &self.auth {
            Some(auth) if !is_authorized(request, auth) => unauthorized(),
            _ => respond(),
        }
    }
}

/// Whether the request has user and password (RFC 7617).
fn is_authorized(request: &Request<Directory>, auth: &Key) -> bool {
    let value = request.only("authorization");
    value.and_then(basic_credentials).is_some_and(|pair| auth.matches(&pair))
}

fn unauthorized() -> Response {
    Response::text("this server asks for a user name and a password")
        .status(Status::UNAUTHORIZED)
        .field("WWW-Authenticate", "Basic realm=\"files\", charset=\"UTF-8\"")
}

/// User and password, from the environment alone: other users can read a command line.
fn auth() -> Result<Option<Key>, CliError> {
    const NAME: &str = "OPENKITCHEN_AUTH";
    let wrong = |why: &str| CliError::Usage(format!("{NAME} is unusable: {why}"));
    let Some(value) = env::var_os(NAME) else { return Ok(None) };
    let value = value.to_str().ok_or_else(|| wrong("it is not UTF-8"))?;
    match value.split_once(':') {
        // An empty value may be a secret that is missing. It must not open the server to all.
        None => Err(wrong("it must be user:password; unset it to ask for none")),
        Some((_, "")) => Err(wrong("the password is empty")),
        Some(_) => Key::new(value).map(Some).map_err(|why| wrong(&why)),
    }
}

/// The folder with what the flags say of it.
fn files(folder: &Path, options: &ServeOptions) -> Result<Files, CliError> {
    let unusable = |error: std::io::Error| {
        CliError::Unusable(format!("{} cannot be served: {error}", folder.display()))
    };
    let mut files = Files::new(folder).map_err(unusable)?;
    if options.list {
        files = files.list();
    }
    if let Some(path) = &options.fallback {
        files = files.fallback(path).map_err(|error| {
            let (path, folder) = (path.display(), folder.display());
            CliError::Unusable(format!("--fallback {path} cannot be used in {folder}: {error}"))
        })?;
    }
    if let Some(time) = options.max_age {
        files = files.max_age(time);
    }
    for header in &options.headers {
        let (name, value) = header.split_once(':').unwrap_or((header, ""));
        files = files
            .header(name, value)
            .map_err(|error| CliError::Usage(format!("--header cannot be sent: {error}")))?;
    }
    Ok(files)
}

fn serve(folder: &Path, options: &ServeOptions) -> Result<(), CliError> {
    server::prepare_process()?;
    let format = match (options.log, options.trace) {
        (Some(LogFormat::Combined), true) => {
            let sentence = "--log combined and --trace both print on stdout; leave one out";
            return Err(CliError::Usage(sentence.into()));
        }
        (format, true) => format.unwrap_or(LogFormat::Off),
        (format, false) => format.unwrap_or(LogFormat::Combined),
    };
    let (auth, files) = (auth()?, files(folder, options)?);
    let port_file = PortFile::prepare(options.server.port_file.as_deref());
    let port_file = port_file.map_err(CliError::Unusable)?;
    let bound = bind::bind(&options.server.listen, "127.0.0.1:8080").map_err(CliError::Unusable)?;
    let mut server = Server::from_listeners(bound.listeners)
        .limits(options.server.limits.clone())
        .scheduling(options.server.scheduling);
    let directory: &'static Directory =
        Box::leak(Box::new(Directory { files, auth, health: Health::default() }));
    server::stop_on_signal(server.stopper(), &directory.health, &options.server, || {})?;
    let lines = [bound.lines, vec![format!("serving {}", folder.display())]].concat();
    #[cfg(feature = "site")]
    let viewers = {
        let trace = options.trace.then(TraceOptions::default);
        let viewers = Viewers::start(trace, None, "serve", None).map_err(CliError::Unusable)?;
        viewers.announce(&lines, "");
        if viewers.shows_anything() {
            server = server.observed_by(viewers.follower.clone());
        }
        viewers
    };
    #[cfg(not(feature = "site"))]
    lines.iter().for_each(|line| print_line(line));
    let failed = |error: &dyn std::fmt::Display| CliError::Failed(error.to_string());
    if format == LogFormat::Combined {
        let log = AccessLog::on_stdout().map_err(|error| failed(&error))?;
        server = server.observed_by(Arc::new(log));
    }
    let _lock = port_file.write(&bound.addresses).map_err(CliError::Unusable)?;
    server::warn_of_loopback(&bound.addresses);
    let served = server.run(&ROUTES, directory);
    logging::say("stopped");
    #[cfg(feature = "site")]
    viewers.finish();
    served.map_err(|error| failed(&error))
}
