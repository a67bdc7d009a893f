//! # Files: serves a folder
//!
//! ```no_run
//! use openkitchen::{Files, Request, Response, Routes, Server, get, routes};
//!
//! static ROUTES: Routes<Files> = routes(&[get("/public/*", file)]);
//!
//! fn file(request: &Request<Files>) -> Response {
//!     request.state().respond(request)
//! }
//!
//! let files = Files::new("public")?;
//! Server::bind("127.0.0.1:5000")?.run(&ROUTES, &files)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ```text
//! path ─> open ─> index.html or sibling ─> conditions ─> range ─> response
//!          │                                 └ 304, 412    └ 206, 416
//!          ├ a folder without its slash: 301
//!          └ no such file: the fallback, or 404.html
//! ```
//! Rule: RFC 9110 sections 8.8, 12.5.3, 13 and 14.  Left out: uploads, several parts in one response
//! (`multipart/byteranges`), compression while sending.  Next: [`open`].

pub(crate) mod open;
pub(crate) mod variant;
pub(crate) mod conditions;
pub(crate) mod range;
pub(crate) mod listing;
pub(crate) mod media_type;

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use crate::message::method::Method;
use crate::message::response::{BadField, Response};
use crate::message::status::Status;
use crate::request::Request;
use crate::sys;
use conditions::{Outcome, Validators};
use media_type::MediaType;
use open::{Failure, Folder, OpenFile, Opened, is_hidden};
use range::{ByteRange, Wanted};
use variant::Variant;

/// The file that stands for a folder.
const INDEX: &str = "index.html";

/// The page that is sent where no file has the path.
const NOT_FOUND_PAGE: &str = "404.html";

/// A folder whose files are served. It is the state of a server, or a part of it.
///
/// GET and HEAD have all that HTTP has for a file: media type, ETag and Last-Modified, conditional
/// requests, one range. Where `page.html.br` or `page.html.gz` stands beside `page.html`, a client that
/// accepts the coding gets that file. A folder has the page `index.html`.
///
/// # What is served
///
/// Plain files below the folder, with every name except those that begin with a dot; `.well-known` is
/// served. The folder is opened once: another folder that takes its name later is not seen.
///
/// Nothing outside of the folder is served: no `..`, no escaped slash and no NUL is a part of a name, and a
/// symbolic link that leads out is not followed. **Users who can write in the folder are trusted**: a hard link or
/// a mounted file system in it may show any file. On Linux from 5.6 on the kernel itself keeps to the
/// folder. On other systems the real path is checked before and after the file is opened, so a user who
/// exchanges a link in this very moment can get a file opened, although its content is not sent.
/// A pipe, a device or a socket is refused, and is not waited for.
///
/// A file that changes while it is sent is not sent to its end: the connection is closed, so the client
/// knows that content is missing. That is so for a file that becomes shorter or longer, is written to, or
/// whose name is given to another file.
#[derive(Debug)]
pub struct Files {
    folder: Folder,
    fallback: Option<PathBuf>,
    /// Present if folders without an index page have a list. Held while a list is made: of many at
    /// one time, only one takes memory that nothing has reserved.
    listing: Option<Mutex<()>>,
    cache_control: Option<String>,
    /// Field lines for every response, each with its CR LF.
    fields: Vec<u8>,
}

/// Fields that only [`Files`] writes.
const OWN_FIELDS: [&str; 7] = [
    "content-type",
    "content-encoding",
    "content-range",
    "accept-ranges",
    "etag",
    "last-modified",
    "location",
];

impl Files {
    /// Serves the files of this folder.
    ///
    /// # Errors
    /// The system's error: there is no folder at the path, or it may not be read.
    pub fn new(folder: impl AsRef<Path>) -> io::Result<Files> {
        let folder = Folder::at(folder.as_ref())?;
        let (cache_control, fields) = (None, Vec::new());
        Ok(Files { folder, fallback: None, listing: None, cache_control, fields })
    }

    /// Answers with this file, and status 200, where no file has the path: for an application of one
    /// page, whose script reads the path. `file` is a path below the folder.
    ///
    /// # Errors
    /// There is no such file.
    pub fn fallback(self, file: impl Into<PathBuf>) -> io::Result<Files> {
        let file = file.into();
        let is_name = |part| matches!(part, Component::Normal(_));
        match self.folder.open(&file) {
            Ok(Opened::File(_)) if file.components().all(is_name) => {
                Ok(Files { fallback: Some(file), ..self })
            }
            _ => Err(io::Error::new(ErrorKind::NotFound, "it is no file of the folder")),
        }
    }

    /// Lists the files of a folder that has no `index.html`. Without this, its answer is 404.
    pub fn list(self) -> Files {
        Files { listing: Some(Mutex::default()), ..self }
    }

    /// Lets caches keep the files for this time without asking again: `Cache-Control: max-age`. It counts
    /// in whole seconds.
    pub fn max_age(self, time: Duration) -> Files {
        Files { cache_control: Some(format!("max-age={}", time.as_secs())), ..self }
    }

    /// Adds a field to every response. A `Cache-Control` takes the place of [`Files::max_age`].
    ///
    /// # Errors
    /// Those of [`Response::try_field`]; and a field that describes the file, such as ETag.
    pub fn header(mut self, name: &str, value: &str) -> Result<Files, BadField> {
        let response = Response::new(Status::OK).try_field(name, value)?;
        if OWN_FIELDS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return Err(BadField::own(name));
        }
        if name.eq_ignore_ascii_case("cache-control") {
            self.cache_control = Some(value.trim().to_owned());
        } else {
            self.fields.extend_from_slice(&response.fields);
        }
        Ok(self)
    }

    /// The response for the file that [`Request::rest`] names. For rows of GET whose path ends in `/*`.
    pub fn respond<S>(&self, request: &Request<'_, S>) -> Response {
        let response = self.find(request).unwrap_or_else(|why| self.failed(request, why));
        self.with_fields(response)
    }

    /// The response for this file of the folder, whatever path the request has; `None` if there is no
    /// such file.
    pub fn respond_with<S>(&self, request: &Request<'_, S>, file: &Path) -> Option<Response> {
        match self.folder.open(file) {
            Ok(Opened::File(open)) => Some(self.with_fields(self.send(request, file, open))),
            _ => None,
        }
    }

    fn with_fields(&self, mut response: Response) -> Response {
        response.fields.extend_from_slice(&self.fields);
        response
    }

    fn find<S>(&self, request: &Request<'_, S>) -> Result<Response, Failure> {
        let path = request.file_below(Path::new("")).filter(|path| !is_hidden(path));
        let path = path.ok_or(Failure::NotFound)?;
        let has_slash = request.path_bytes().ends_with(b"/");
        match self.folder.open(&path)? {
            Opened::File(_) if has_slash => Err(Failure::NotFound),
            Opened::File(open) => Ok(self.send(request, &path, open)),
            Opened::Folder if !has_slash => Ok(with_slash(request)),
            Opened::Folder => {
                let index = path.join(INDEX);
                match (self.folder.open(&index), &self.listing) {
                    (Ok(Opened::File(open)), _) => Ok(self.send(request, &index, open)),
                    (Err(Failure::NotFound) | Ok(Opened::Folder), Some(lock)) => {
                        let _one_at_a_time = lock.lock();
                        listing::page(&self.folder, &path, &request.path_bytes())
                    }
                    (Err(why), _) => Err(why),
                    (Ok(Opened::Folder), None) => Err(Failure::NotFound),
                }
            }
        }
    }

    /// Sends an open file: the conditions come first (RFC 9110 section 13.2.1), then the range.
    fn send<S>(&self, request: &Request<'_, S>, path: &Path, open: OpenFile) -> Response {
        let (now, fields) = (SystemTime::now(), request.field_lines());
        let media_type = MediaType::of(path);
        let Variant { file, coding, has_siblings } =
            Variant::choose(&self.folder, path, open, media_type.siblings, fields);
        let validators = Validators::of(&file, coding, now);
        let whole = ByteRange { first: 0, length: file.length };
        let is_get = request.method() == Method::Get;
        let (status, range) = match conditions::evaluate(fields, is_get, &validators, now) {
            Outcome::Failed => {
                let text = "the file is not in the state that the request asks for";
                return Response::text(text).status(Status::PRECONDITION_FAILED);
            }
            Outcome::NotModified => (Status::NOT_MODIFIED, whole),
            Outcome::Whole => (Status::OK, whole),
            Outcome::Range(value) => match range::wanted(value, file.length) {
                Wanted::Whole => (Status::OK, whole),
                Wanted::Part(range) => (Status::PARTIAL_CONTENT, range),
                Wanted::BeyondTheEnd => {
                    return Response::text("the file ends before the range")
                        .status(Status::RANGE_NOT_SATISFIABLE)
                        .field("Content-Range", &format!("bytes */{}", file.length));
                }
            },
        };
        let mut response = match status {
            Status::NOT_MODIFIED => Response::new(status),
            _ => match Content::new(file, range) {
                Ok(content) => Response::sized(media_type.name, range.length, content),
                Err(error) => return failure(error.into()),
            },
        };
        if let Some(coding) = coding {
            response = response.field("Content-Encoding", coding);
        }
        if has_siblings {
            response = response.field("Vary", "Accept-Encoding");
        }
        response = response.field("ETag", &validators.etag);
        response = response.field("Last-Modified", validators.last_modified());
        if let Some(cache_control) = &self.cache_control {
            response = response.field("Cache-Control", cache_control);
        }
        match status {
            Status::OK => response.field("Accept-Ranges", "bytes"),
            Status::PARTIAL_CONTENT => {
                response.field("Content-Range", &range.content_range(whole.length)).status(status)
            }
            _ => response,
        }
    }

    fn failed<S>(&self, request: &Request<'_, S>, why: Failure) -> Response {
        if why != Failure::NotFound {
            return failure(why);
        }
        if let Some(path) = &self.fallback
            && let Ok(Opened::File(open)) = self.folder.open(path)
        {
            return self.send(request, path, open);
        }
        let page = Path::new(NOT_FOUND_PAGE);
        if let Ok(Opened::File(open)) = self.folder.open(page) {
            let range = ByteRange { first: 0, length: open.length };
            if let Ok(content) = Content::new(open, range) {
                let response = Response::sized(MediaType::of(page).name, range.length, content);
                return response.status(Status::NOT_FOUND);
            }
        }
        failure(why)
    }
}

/// The response, in words, where no file is sent.
fn failure(why: Failure) -> Response {
    let (status, text) = match why {
        Failure::NotFound => (Status::NOT_FOUND, "no file has this path"),
        Failure::Forbidden => (Status::FORBIDDEN, "the server may not send this file"),
        Failure::Shortage => {
            let text = "the server cannot open another file now; try again soon";
            let response = Response::text(text).status(Status::SERVICE_UNAVAILABLE);
            return response.field("Retry-After", "1");
        }
        Failure::Broken => (Status::INTERNAL_SERVER_ERROR, "the file cannot be read"),
    };
    Response::text(text).status(status)
}

/// Redirects to the same path with a slash at its end, so that relative links in the folder's page are
/// right. The query stays. A path that begins with two slashes names no folder, so the location never
/// names another host.
fn with_slash<S>(request: &Request<'_, S>) -> Response {
    let path = String::from_utf8_lossy(request.head.target.path(request.raw)); // ASCII
    let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
    let location = format!("{path}/{query}");
    Response::text("a folder's path ends in a slash")
        .status(Status::MOVED_PERMANENTLY)
        .field("Location", &location)
}

/// The content of a file, or a part of it, while it is sent. It fails, and the connection is closed, if
/// the file has changed: the last bytes are given only if it has not.
struct Content {
    file: File,
    state: sys::FileState,
    left: u64,
}

impl Content {
    fn new(open: OpenFile, range: ByteRange) -> io::Result<Content> {
        let OpenFile { mut file, state, .. } = open;
        if range.first > 0 {
            file.seek(SeekFrom::Start(range.first))?;
        }
        Ok(Content { file, state, left: range.length })
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        if self.left == 0 && sys::file_state(&self.file.metadata()?) != self.state {
            return Err(io::Error::other("the file was changed while it was sent"));
        }
        Ok(read)
    }
}
