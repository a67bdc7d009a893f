//! # Files: serves a directory
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
//!          ├ a directory without its slash: 301
//!          └ no such file: the fallback, or 404.html
//! ```
//! Rule: RFC 9110 sections 8.8, 12.5.3, 13 and 14.  Left out: uploads, several parts in one response
//! (`multipart/byteranges`), compression while sending.  Next: [`open`].

pub(crate) mod open;
pub(crate) mod variant;
pub(crate) mod conditions;
pub(crate) mod range;
pub(crate) mod media_type;
pub(crate) mod listing;

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::message::date::imf_fixdate;
use crate::message::method::Method;
use crate::message::response::{BadField, Response};
use crate::message::status::Status;
use crate::request::Request;
use crate::sys;
use conditions::{Outcome, Validators};
use listing::Listings;
use media_type::MediaTypes;
use open::{Directory, Failure, OpenFile, is_hidden, shown};
use range::Extent;
use variant::Variant;

/// The file that stands for a directory.
const INDEX: &str = "index.html";

/// The page that is sent where no file has the path.
const NOT_FOUND_PAGE: &str = "404.html";

/// A directory whose files are served. It is the state of a server, or a part of it.
///
/// GET and HEAD have all that HTTP has for a file: media type, ETag and Last-Modified, conditional
/// requests, one range. Where a precompressed sibling, `page.html.br` or `page.html.gz`, stands beside
/// `page.html`, a client that accepts the coding gets that file. A directory has the page `index.html`.
///
/// # What is served
///
/// Plain files below the directory, with every name except those that begin with a dot; `.well-known` is
/// served. The directory is opened once: another one that takes its name later is not seen. (On Windows,
/// files are opened by the path, so it is seen there. Where there is no /proc, as on macOS, paths are looked
/// up in it, so it may hide files; none of its own is sent.)
///
/// Nothing outside of the directory is served: no `..`, no escaped slash and no NUL is a part of a
/// name, and a symbolic link (symlink) that leads out is not followed. **Users who can write in the
/// directory are trusted**: a hard link or a mounted file system in it may show any file. On Linux from
/// 5.6 on the kernel itself keeps to the directory. Elsewhere on Unix, a path that links lead to is
/// opened step by step, without links. On Windows the real path is checked before and after the file is
/// opened, so a user who exchanges a link at just the right moments can have a file outside sent. A
/// pipe, a device or a socket is refused and is not waited for. It is not opened either, unless it has
/// taken the place of a file since that was asked for.
///
/// A file that changes while it is sent is not sent to its end: the connection is closed, so the client
/// knows that content is missing. That is so for a file that becomes shorter or longer, is written to, or
/// whose name is given to another file; not for one whose access rights change, or that gets another name or
/// loses its own. One change is not seen: that of a program which has mapped the file (mmap) and written to it
/// before. So the safe way to change a file is to write another one and to rename it.
#[derive(Debug)]
pub struct Files {
    directory: Arc<Directory>,
    fallback: Option<PathBuf>,
    /// Present if directories without an index page have a directory listing.
    listings: Option<Listings>,
    cache_control: Option<String>,
    media_types: MediaTypes,
}

impl Files {
    /// Serves the files of this directory.
    ///
    /// # Errors
    /// The system's error: there is no directory at the path, or it may not be read.
    pub fn new(directory: impl AsRef<Path>) -> io::Result<Files> {
        let directory = Arc::new(Directory::at(directory.as_ref())?);
        let media_types = MediaTypes::default();
        Ok(Files { directory, fallback: None, listings: None, cache_control: None, media_types })
    }

    /// Answers with this file, and status 200, where no file has the path: for a single-page application
    /// (SPA), whose script reads the path. `file` is a path below the directory.
    ///
    /// # Errors
    /// There is no such file.
    pub fn fallback(self, file: impl AsRef<Path>) -> io::Result<Files> {
        let parts = file.as_ref().components().filter(|part| *part != Component::CurDir);
        let file: PathBuf = parts.collect();
        let is_below = file.components().all(|part| matches!(part, Component::Normal(_)));
        if !is_below || self.directory.open(file.clone()).is_err() {
            return Err(io::Error::new(ErrorKind::NotFound, "it is no file of the directory"));
        }
        Ok(Files { fallback: Some(file), ..self })
    }

    /// Answers with a directory listing where a directory has no `index.html`. Without this, its answer is 404.
    pub fn list(self) -> Files {
        Files { listings: Some(Listings::default()), ..self }
    }

    /// Sets the Cache-Control of each file. `max-age=3600` lets caches keep it for an hour without asking
    /// again.
    ///
    /// # Errors
    /// Those of [`Response::try_field`].
    pub fn cache_control(self, value: &str) -> Result<Files, BadField> {
        Response::new(Status::OK).try_field("Cache-Control", value)?;
        Ok(Files { cache_control: Some(value.to_owned()), ..self })
    }

    /// Sets the media type (MIME type) of the files with this extension: their `Content-Type`. A text has
    /// the charset UTF-8, unless the type has a parameter. A name without a dot counts as an extension.
    ///
    /// ```no_run
    /// use openkitchen::Files;
    ///
    /// let files = Files::new("public")?
    ///     .media_type("glb", "model/gltf-binary")?
    ///     .media_type("LICENSE", "text/plain")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`]: the extension is empty or has a dot within, as `tar.gz`; or it is no
    /// media type.
    pub fn media_type(mut self, extension: &str, media_type: &str) -> io::Result<Files> {
        let added = self.media_types.add(extension, media_type);
        added.map_err(|why| io::Error::new(ErrorKind::InvalidInput, why))?;
        Ok(self)
    }

    /// The response for the file that [`Request::rest`] names. For rows of GET whose path ends in `/*`.
    pub fn respond<S>(&self, request: &Request<'_, S>) -> Response {
        self.find(request).unwrap_or_else(|why| self.failed(request, why))
    }

    /// The response for this file of the directory, whatever path the request has; `None` if there is no
    /// such file.
    pub fn respond_with<S>(&self, request: &Request<'_, S>, file: &Path) -> Option<Response> {
        let file = self.directory.open(file.into()).ok()?;
        Some(self.send(request, file))
    }

    /// Sends what the path of the request leads to, or redirects to the directory.
    fn find<S>(&self, request: &Request<'_, S>) -> Result<Response, Failure> {
        let path = request.file_below(Path::new("")).filter(|path| !is_hidden(path));
        let path = path.ok_or(Failure::NotFound)?;
        // With a slash at its end, the path is that of a directory.
        let directory = request.path_bytes().ends_with(b"/").then(|| path.clone());
        match (self.directory.open(path), directory) {
            (Ok(_), Some(_)) => Err(Failure::NotFound),
            (Err(Failure::Directory), None) => Ok(with_slash(request)),
            (Err(Failure::Directory), Some(directory)) => self.index(request, &directory),
            (opened, _) => Ok(self.send(request, opened?)),
        }
    }

    /// Sends the page that stands for a directory, or lists the directory.
    fn index<S>(&self, request: &Request<'_, S>, path: &Path) -> Result<Response, Failure> {
        match (self.directory.open(path.join(INDEX)), &self.listings) {
            (Err(Failure::NotFound | Failure::Directory), Some(listings)) => {
                let page = listings.page(&self.directory, path, &request.path());
                page.map_err(|error| Failure::of(&error, path))
            }
            (opened, _) => Ok(self.send(request, opened?)),
        }
    }

    /// Sends an open file or its sibling: the conditions come first (RFC 9110 section 13.2.1), then the range.
    fn send<S>(&self, request: &Request<'_, S>, file: OpenFile) -> Response {
        let variant = self.variant(request, file);
        let validators = Validators::of(&variant, SystemTime::now());
        let (length, coding, vary) = (variant.file.state.length, variant.coding, variant.vary);
        match validators.evaluate(request.field_lines(), request.method() == Method::Get) {
            Outcome::Send(Extent::Whole) => {
                let whole = self.content(length, variant);
                self.validated(whole, &validators).field("Accept-Ranges", "bytes")
            }
            Outcome::Send(Extent::Part(range)) => {
                if let Err(error) = (&variant.file.handle).seek(SeekFrom::Start(range.start)) {
                    return failure(Failure::of(&error, &variant.file.path));
                }
                let part = self.content(range.end - range.start, variant);
                let content_range = format!("bytes {}-{}/{length}", range.start, range.end - 1);
                self.validated(part, &validators)
                    .field("Content-Range", &content_range)
                    .status(Status::PARTIAL_CONTENT)
            }
            Outcome::Send(Extent::BeyondTheEnd) => Response::text("the file ends before the range")
                .status(Status::RANGE_NOT_SATISFIABLE)
                .field("Content-Range", &format!("bytes */{length}"))
                .optional_field("Vary", vary),
            // RFC 9110 section 15.4.5: a 304 has the fields that the 200 would have.
            Outcome::NotModified => {
                let not_modified = Response::new(Status::NOT_MODIFIED);
                self.validated(encoded(not_modified, coding, vary), &validators)
            }
            Outcome::Failed => {
                Response::text("the file is not in the state that the request asks for")
                    .status(Status::PRECONDITION_FAILED)
                    .optional_field("Vary", vary)
            }
        }
    }

    /// The variant of an open file that the client prefers.
    fn variant<S>(&self, request: &Request<'_, S>, file: OpenFile) -> Variant<'_> {
        let media_type = self.media_types.of(&file.path);
        let variant = Variant { file, media_type, coding: None, vary: None };
        variant.choose(&self.directory, request.field_lines())
    }

    /// The response whose content is the next `length` bytes of a variant.
    fn content(&self, length: u64, variant: Variant<'_>) -> Response {
        let Variant { file, media_type, coding, vary } = variant;
        let content = Content { file, directory: Arc::clone(&self.directory), left: length };
        encoded(Response::sized(media_type, length, content), coding, vary)
    }

    /// Adds what identifies the state of the file, and how long a cache may keep it.
    fn validated(&self, response: Response, validators: &Validators) -> Response {
        let date = validators.modified.map(imf_fixdate);
        let date = date.as_ref().and_then(|date| str::from_utf8(date).ok());
        response
            .field("ETag", &validators.etag)
            .optional_field("Last-Modified", date)
            .optional_field("Cache-Control", self.cache_control.as_deref())
    }

    /// The response where no file is sent: the fallback or the page for missing files, if there is one.
    fn failed<S>(&self, request: &Request<'_, S>, why: Failure) -> Response {
        if !matches!(why, Failure::NotFound | Failure::Directory) {
            return failure(why);
        }
        let fallback = self.fallback.as_ref().and_then(|file| self.respond_with(request, file));
        fallback.or_else(|| self.not_found_page(request)).unwrap_or_else(|| failure(why))
    }

    /// The page for missing files. It has no conditions and no validators: it is not what was asked for.
    fn not_found_page<S>(&self, request: &Request<'_, S>) -> Option<Response> {
        let file = self.directory.open(NOT_FOUND_PAGE.into()).ok()?;
        let variant = self.variant(request, file);
        Some(self.content(variant.file.state.length, variant).status(Status::NOT_FOUND))
    }
}

/// Adds the coding of the content, and the field on which another coding depends.
fn encoded(response: Response, coding: Option<&str>, vary: Option<&str>) -> Response {
    response.optional_field("Content-Encoding", coding).optional_field("Vary", vary)
}

/// The response, in words, where no file is sent.
fn failure(why: Failure) -> Response {
    let (status, text) = match why {
        Failure::NotFound | Failure::Directory => (Status::NOT_FOUND, "no file has this path"),
        Failure::Forbidden => (Status::FORBIDDEN, "the server may not send this file"),
        Failure::Shortage => {
            (Status::SERVICE_UNAVAILABLE, "the server has too much to do for now; try again soon")
        }
        Failure::Broken => (Status::INTERNAL_SERVER_ERROR, "the file cannot be read"),
    };
    let seconds = (why == Failure::Shortage).then_some("1");
    Response::text(text).status(status).optional_field("Retry-After", seconds)
}

/// Redirects to the same path with a slash at its end, so that relative links in the directory's page are
/// right. The query stays. A path that begins with two slashes names no directory, so the location never
/// names another host.
fn with_slash<S>(request: &Request<'_, S>) -> Response {
    let path = String::from_utf8_lossy(request.head.target.path(request.raw)); // ASCII
    let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
    Response::text("a directory's path ends in a slash")
        .status(Status::MOVED_PERMANENTLY)
        .field("Location", &format!("{path}/{query}"))
}

/// The content of a file, or a part of it, while it is sent. It fails, and the connection is closed, if
/// the file has changed: the last bytes are given only if it has not.
struct Content {
    file: OpenFile,
    directory: Arc<Directory>,
    /// Bytes that are still to be sent.
    left: u64,
}

impl Content {
    /// Whether the content is another one, or the name is that of another file by now.
    fn has_changed(&self) -> io::Result<bool> {
        let (then, now) = (&self.file.state, sys::file_state(&self.file.handle.metadata()?));
        let is_written = (then.length, then.modified) != (now.length, now.modified);
        if is_written || then.changed == now.changed {
            return Ok(is_written);
        }
        // If not the access rights or the number of names, it was the content, and a program has set the
        // time of that write back.
        Ok(self.directory.open(self.file.path.clone()).is_ok_and(|named| {
            named.state.identity != then.identity || then.attributes == now.attributes
        }))
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.handle.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        if self.left == 0 && self.has_changed()? {
            let path = shown(&self.file.path);
            return Err(io::Error::other(format!("{path} was changed while it was sent")));
        }
        Ok(read)
    }
}
