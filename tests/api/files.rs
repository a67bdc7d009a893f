//! Tests of the path of a file that a request names, and of `Files`, over a socket.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openkitchen::{Files, Request, Response, Routes, Server, ServerHandle, Status, get, routes};

static ROUTES: Routes<PathBuf> = routes(&[get("/files/*", file), get("/bytes/*", bytes)]);

fn file(request: &Request<PathBuf>) -> Response {
    match request.file_below(request.state()).and_then(|path| fs::read(path).ok()) {
        Some(bytes) => Response::bytes("application/octet-stream", bytes),
        None => Response::text("none").status(Status::NOT_FOUND),
    }
}

fn bytes(request: &Request<PathBuf>) -> Response {
    let (path, rest) = (request.path_bytes(), request.rest_bytes());
    Response::text(format!("{} {}", path.escape_ascii(), rest.escape_ascii()))
}

#[test]
fn a_file_is_served_from_below_its_folder_and_from_nowhere_else() {
    let folder = std::env::temp_dir().join(format!("openkitchen-api-{}", std::process::id()));
    let public = folder.join("public");
    fs::create_dir_all(&public).unwrap();
    fs::write(folder.join("secret"), "secret").unwrap();
    fs::write(public.join("a b"), "file").unwrap();
    let server = Server::bind("127.0.0.1:0").unwrap().start(&ROUTES, public).unwrap();
    for (target, content) in [
        ("/files/a%20b", "file"),
        ("/files/a%20b/", "none"),
        ("/files/", "none"),
        ("/files/../secret", "none"),
        ("/files/%2e%2e/secret", "none"),
        ("/files/..%2Fsecret", "none"),
        ("/files//etc/hostname", "none"),
        ("/bytes/%FF", r"/bytes/\xff \xff"),
        ("/bytes/%FE%2F..", r"/bytes/\xfe%2F.. \xfe%2F.."),
    ] {
        let mut client = TcpStream::connect(server.address()).unwrap();
        write!(client, "GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        assert!(response.ends_with(&format!("\r\n\r\n{content}")), "{target}: {response}");
    }
    drop(server);
    fs::remove_dir_all(folder).unwrap();
}

/// A folder for one test, removed with its files when it is dropped.
struct TestFolder(PathBuf);

impl TestFolder {
    fn new(name: &str) -> TestFolder {
        let path = std::env::temp_dir().join(format!("openkitchen-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("public")).unwrap();
        TestFolder(path)
    }

    /// The folder that is served.
    fn public(&self) -> PathBuf {
        self.0.join("public")
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.public().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Creates `file1` and so on, all empty. A further name of the same file takes a tenth of the time
    /// of a new one, but a system may limit how many a file has.
    fn write_many(&self, numbers: impl Iterator<Item = u32>) {
        let first = self.0.join("first");
        fs::write(&first, "").unwrap();
        for number in numbers {
            let path = self.public().join(format!("file{number}"));
            fs::hard_link(&first, &path).or_else(|_| fs::write(&path, "")).unwrap();
        }
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

static FILES: Routes<Files> = routes(&[get("/*", from_files)]);
static BELOW: Routes<Files> = routes(&[get("/below/*", from_files)]);

fn from_files(request: &Request<Files>) -> Response {
    request.state().respond(request)
}

fn serve(files: Files) -> ServerHandle<Files> {
    Server::bind("127.0.0.1:0").unwrap().start(&FILES, files).unwrap()
}

/// A response as the client received it.
struct Received {
    status: u16,
    head: String,
    content: Vec<u8>,
}

impl Received {
    fn field(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(known, _)| *known == name).map(|(_, value)| value);
        let value = values.next();
        assert!(values.next().is_none(), "{name} twice: {}", self.head);
        value
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.content).unwrap()
    }
}

/// Sends a request with these field lines, each with its CR LF, and reads to the end of the connection.
fn request(server: &ServerHandle<Files>, line: &str, fields: &str) -> Received {
    let mut client = TcpStream::connect(server.address()).unwrap();
    write!(client, "{line} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{fields}\r\n").unwrap();
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head["HTTP/1.1 ".len()..][..3].parse().unwrap();
    Received { status, head, content: bytes[end..].to_vec() }
}

fn get_file(server: &ServerHandle<Files>, path: &str, fields: &str) -> Received {
    request(server, &format!("GET {path}"), fields)
}

#[test]
fn a_file_is_sent_with_type_length_and_validators_and_head_gets_the_same_head() {
    let folder = TestFolder::new("files-head");
    let path = folder.write("page.html", "<p>page");
    let modified = UNIX_EPOCH + Duration::from_secs(784_111_777);
    fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
    folder.write("empty", "");
    let server = serve(Files::new(folder.public()).unwrap());
    let page = get_file(&server, "/page.html", "");
    assert_eq!((page.status, page.text()), (200, "<p>page"));
    for (name, value) in [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", "7"),
        ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("ETag", "\"2ebc98a1.0-7\""),
        ("Accept-Ranges", "bytes"),
    ] {
        assert_eq!(page.field(name), Some(value), "{}", page.head);
    }
    assert!(page.field("Vary").is_none() && page.field("Cache-Control").is_none());
    let head = request(&server, "HEAD /page.html", "Range: bytes=0-0\r\n");
    let without_date = |head: &str| {
        head.lines().filter(|line| !line.starts_with("Date: ")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(without_date(&head.head), without_date(&page.head));
    assert_eq!(head.content, b"");
    let empty = get_file(&server, "/empty", "");
    assert_eq!((empty.status, empty.field("Content-Length")), (200, Some("0")));
    let refused = request(&server, "POST /page.html", "Content-Length: 0\r\n");
    assert_eq!((refused.status, refused.field("Allow")), (405, Some("GET, HEAD, OPTIONS")));
}

#[test]
fn the_conditions_of_a_request_have_the_order_of_the_rfc() {
    let folder = TestFolder::new("files-conditions");
    let path = folder.write("a", "0123456789");
    let modified = UNIX_EPOCH + Duration::from_secs(784_111_777);
    fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
    let files = Files::new(folder.public()).unwrap();
    let server = serve(files.cache_control("max-age=60").unwrap());
    let etag = get_file(&server, "/a", "").field("ETag").unwrap().to_owned();
    const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const SAME_850: &str = "Sunday, 06-Nov-94 08:49:37 GMT";
    const SAME_ASCTIME: &str = "Sun Nov  6 08:49:37 1994";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    for (fields, status) in [
        // If-None-Match: a list, weakly compared, and before If-Modified-Since.
        (format!("If-None-Match: {etag}"), 304),
        (format!("If-None-Match: W/{etag}"), 304),
        (format!("If-None-Match: \"a,b\", ,W/\"c\" , {etag}"), 304),
        (format!("If-None-Match: \"a\"\r\nIf-None-Match: {etag}"), 304),
        ("If-None-Match: *".into(), 304),
        ("If-None-Match: \"a\"".into(), 200),
        (format!("If-None-Match: {}", etag.trim_matches('"')), 200),
        (format!("If-None-Match: \"a\"\r\nIf-Modified-Since: {SAME}"), 200),
        (format!("If-None-Match: {etag}\r\nIf-Modified-Since: {BEFORE}"), 304),
        // If-Modified-Since: three forms; what is no date is ignored.
        (format!("If-Modified-Since: {SAME}"), 304),
        (format!("If-Modified-Since: {SAME_850}"), 304),
        (format!("If-Modified-Since: {SAME_ASCTIME}"), 304),
        (format!("If-Modified-Since: {AFTER}"), 304),
        (format!("If-Modified-Since: {BEFORE}"), 200),
        ("If-Modified-Since: yesterday".into(), 200),
        ("If-Modified-Since: Sat, 30 Feb 2999 00:00:00 GMT".into(), 200),
        (format!("If-Modified-Since: {SAME}\r\nIf-Modified-Since: {SAME}"), 200),
        // If-Match: strongly compared, and before If-Unmodified-Since and all others.
        (format!("If-Match: {etag}"), 200),
        ("If-Match: *".into(), 200),
        (format!("If-Match: \"a\", {etag}"), 200),
        (format!("If-Match: W/{etag}"), 412),
        ("If-Match: \"a\"".into(), 412),
        (format!("If-Match: \"a\"\r\nIf-None-Match: {etag}"), 412),
        (format!("If-Match: {etag}\r\nIf-Unmodified-Since: {BEFORE}"), 200),
        (format!("If-Match: {etag}\r\nIf-None-Match: {etag}"), 304),
        // If-Unmodified-Since.
        (format!("If-Unmodified-Since: {SAME}"), 200),
        (format!("If-Unmodified-Since: {BEFORE}"), 412),
        ("If-Unmodified-Since: yesterday".into(), 200),
        ("If-Unmodified-Since: Fri, 29 Feb 1900 00:00:00 GMT".into(), 200),
        (format!("If-Unmodified-Since: {BEFORE}\r\nIf-None-Match: {etag}"), 412),
        // Range and If-Range come last.
        ("Range: bytes=0-1".into(), 206),
        (format!("Range: bytes=0-1\r\nIf-None-Match: {etag}"), 304),
        ("Range: bytes=0-1\r\nIf-Match: \"a\"".into(), 412),
        (format!("Range: bytes=0-1\r\nIf-Range: {etag}"), 206),
        (format!("Range: bytes=0-1\r\nIf-Range: W/{etag}"), 200),
        ("Range: bytes=0-1\r\nIf-Range: \"a\"".into(), 200),
        (format!("Range: bytes=0-1\r\nIf-Range: {SAME}"), 206),
        (format!("Range: bytes=0-1\r\nIf-Range: {AFTER}"), 200),
        (format!("Range: bytes=0-1\r\nIf-Range: {BEFORE}"), 200),
        ("Range: bytes=0-1\r\nIf-Range: nothing".into(), 200),
        (format!("If-Range: {etag}"), 200),
        ("Range: bytes=10-".into(), 416),
        ("Range: bytes=10-\r\nIf-Range: \"a\"".into(), 200),
        ("Range: bytes=0-1\r\nRange: bytes=0-1".into(), 200),
    ] {
        let response = get_file(&server, "/a", &format!("{fields}\r\n"));
        assert_eq!(response.status, status, "{fields}: {}", response.head);
        match status {
            200 => assert_eq!(response.text(), "0123456789"),
            206 => assert_eq!(response.text(), "01"),
            304 => {
                // RFC 9110 section 15.4.5: what the 200 would have had.
                assert_eq!(response.field("ETag"), Some(&*etag));
                assert_eq!(response.field("Cache-Control"), Some("max-age=60"));
                assert_eq!(response.content, b"");
            }
            _ => assert_eq!(response.field("Cache-Control"), None, "{}", response.head),
        }
        let head = request(&server, "HEAD /a", &format!("{fields}\r\n")).status;
        assert_eq!(head, if matches!(status, 206 | 416) { 200 } else { status }, "{fields}");
    }
    // Conditions are about the file: not about a page that says that there is none.
    assert_eq!(get_file(&server, "/none", "If-None-Match: *\r\n").status, 404);
    let part = get_file(&server, "/a", "Range: bytes=-3\r\n");
    assert_eq!((part.field("Content-Range"), part.text()), (Some("bytes 7-9/10"), "789"));
    let beyond = get_file(&server, "/a", "Range: bytes=10-\r\n");
    assert_eq!(beyond.field("Content-Range"), Some("bytes */10"));
}

#[test]
fn a_date_that_may_still_be_that_of_another_change_is_no_reason_for_a_range() {
    let folder = TestFolder::new("files-recent");
    let path = folder.write("a", "0123456789");
    // In the future, so that "now" is what Last-Modified says.
    let soon = SystemTime::now() + Duration::from_secs(3600);
    fs::File::options().write(true).open(path).unwrap().set_modified(soon).unwrap();
    let server = serve(Files::new(folder.public()).unwrap());
    let whole = get_file(&server, "/a", "");
    let [date, modified] = ["Date", "Last-Modified"].map(|name| whole.field(name).unwrap());
    assert!(modified <= date, "RFC 9110 section 8.8.2.1: {}", whole.head);
    let fields = format!("Range: bytes=0-1\r\nIf-Range: {modified}\r\n");
    assert_eq!(get_file(&server, "/a", &fields).status, 200);
}

#[test]
fn a_compressed_sibling_is_sent_as_the_client_weighs_the_codings() {
    let folder = TestFolder::new("files-siblings");
    for (name, content) in [
        ("empty.css", "plain"),
        ("empty.css.gz", ""),
        ("LICENSE", "plain"),
        ("LICENSE.gz", "gzip"),
        ("both.js", "plain"),
        ("both.js.br", "brotli"),
        ("both.js.gz", "gzip"),
        ("one.css", "plain"),
        ("one.css.gz", "gzip"),
        ("none.txt", "plain"),
        ("photo.png", "plain"),
        ("photo.png.gz", "gzip"),
        ("index.html", "plain"),
        ("index.html.br", "brotli"),
    ] {
        folder.write(name, content);
    }
    let long_ago = UNIX_EPOCH + Duration::from_secs(784_111_777);
    for entry in fs::read_dir(folder.public()).unwrap() {
        let file = fs::File::options().write(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    fs::create_dir(folder.public().join("none.txt.br")).unwrap();
    let server = serve(Files::new(folder.public()).unwrap());
    for (path, accepted, content) in [
        ("/both.js", "", "plain"),
        ("/both.js", "gzip, br", "brotli"),
        ("/both.js", "gzip", "gzip"),
        ("/both.js", "x-gzip", "gzip"),
        ("/LICENSE", "gzip", "gzip"),
        ("/LICENSE", "deflate", "plain"),
        ("/both.js", "GZIP;q=1, br;q=0.9", "gzip"),
        ("/both.js", "gzip;q=0.5, br;q=0.5", "brotli"),
        ("/both.js", "br;q=0, gzip;q=0.001", "gzip"),
        ("/both.js", "*", "brotli"),
        ("/both.js", "br;q=0, *", "gzip"),
        ("/both.js", "*;q=0", "plain"),
        ("/both.js", "gzip;q=0.5, identity", "plain"),
        ("/both.js", "gzip;q=0.5, identity;q=0.4", "gzip"),
        ("/both.js", "deflate", "plain"),
        ("/one.css", "br, gzip;q=0.1", "gzip"),
        ("/", "br", "brotli"),
    ] {
        let fields = format!("Accept-Encoding: {accepted}\r\n");
        let response = get_file(&server, path, &fields);
        let coding = match content {
            "brotli" => Some("br"),
            "gzip" => Some("gzip"),
            _ => None,
        };
        assert_eq!(response.text(), content, "{path}: {accepted}");
        assert_eq!(response.field("Content-Encoding"), coding, "{path}: {accepted}");
        assert_eq!(response.field("Vary"), Some("Accept-Encoding"), "{path}: {accepted}");
        let media_type = response.field("Content-Type").unwrap();
        let is_text = media_type.starts_with("text/") && media_type.ends_with("utf-8");
        assert!(is_text || path == "/LICENSE", "{media_type}");
        // The 304 and the range are those of this coding.
        let etag = response.field("ETag").unwrap();
        let again = get_file(&server, path, &format!("{fields}If-None-Match: {etag}\r\n"));
        assert_eq!((again.status, again.field("Vary")), (304, Some("Accept-Encoding")));
        let part = get_file(&server, path, &format!("{fields}Range: bytes=1-2\r\n"));
        assert_eq!((part.status, part.text()), (206, &content[1..3]));
        // Another coding might have had that byte, or that state.
        for refused in ["Range: bytes=9-\r\n", "If-Match: \"a\"\r\n"] {
            let refused = get_file(&server, path, &format!("{fields}{refused}"));
            assert_eq!(refused.field("Vary"), Some("Accept-Encoding"), "{path}: {}", refused.head);
            assert_eq!(refused.field("Content-Encoding"), None, "{path}: {}", refused.head);
        }
        // `gzip -k` gives the sibling the date of its file.
        let date = response.field("Last-Modified").unwrap();
        let fields = format!("{fields}Range: bytes=1-2\r\nIf-Range: {date}\r\n");
        assert_eq!(get_file(&server, path, &fields).status, 200, "{path}");
    }
    let without = get_file(&server, "/both.js", "");
    assert_eq!((without.text(), without.field("Vary")), ("plain", Some("Accept-Encoding")));
    for path in ["/none.txt", "/photo.png", "/empty.css"] {
        let response = get_file(&server, path, "Accept-Encoding: gzip, br\r\n");
        assert_eq!((response.text(), response.field("Vary")), ("plain", None), "{path}");
    }
    let itself = get_file(&server, "/both.js.gz", "Accept-Encoding: gzip\r\n");
    assert_eq!(itself.field("Content-Type"), Some("application/gzip"));
    assert_eq!(itself.field("Content-Encoding"), None);
    let tags = ["", "gzip", "br"].map(|coding| {
        let fields = format!("Accept-Encoding: {coding}\r\n");
        get_file(&server, "/both.js", &fields).field("ETag").unwrap().to_owned()
    });
    assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2], "{tags:?}");
}

#[test]
fn a_folder_has_its_index_or_a_redirect_or_nothing() {
    let folder = TestFolder::new("files-folders");
    folder.write("index.html", "home");
    folder.write("docs/index.html", "docs");
    folder.write("docs/page.html", "page");
    folder.write("plain/a", "a");
    let server = serve(Files::new(folder.public()).unwrap());
    for (path, status, content) in [
        ("/", 200, "home"),
        ("/docs/", 200, "docs"),
        ("/docs/page.html", 200, "page"),
        ("/docs/page.html/", 404, "no file has this path"),
        ("/plain/", 404, "no file has this path"),
        ("/none", 404, "no file has this path"),
        ("/docs/none/", 404, "no file has this path"),
    ] {
        let response = get_file(&server, path, "");
        assert_eq!((response.status, response.text()), (status, content), "{path}");
    }
    for (path, location) in [
        ("/docs", "/docs/"),
        ("/docs?a=b&c", "/docs/?a=b&c"),
        ("/d%6Fcs", "/d%6Fcs/"),
        ("http://h/docs?x", "/docs/?x"),
    ] {
        let response = get_file(&server, path, "");
        assert_eq!((response.status, response.field("Location")), (301, Some(location)), "{path}");
    }
    // A path with two slashes would name another host in a Location.
    for path in ["//docs", "/docs//", "//", "/.//docs"] {
        let response = get_file(&server, path, "");
        assert_eq!((response.status, response.field("Location")), (404, None), "{path}");
    }
}

#[test]
fn files_below_a_prefix_of_the_route_table() {
    let folder = TestFolder::new("files-prefix");
    folder.write("index.html", "home");
    folder.write("docs/index.html", "docs");
    let files = Files::new(folder.public()).unwrap();
    let server = Server::bind("127.0.0.1:0").unwrap().start(&BELOW, files).unwrap();
    assert_eq!(get_file(&server, "/below/", "").text(), "home");
    assert_eq!(get_file(&server, "/below/docs", "").field("Location"), Some("/below/docs/"));
    assert_eq!(get_file(&server, "/docs/", "").status, 404);
}

#[test]
fn nothing_outside_of_the_folder_and_nothing_hidden_is_sent() {
    let folder = TestFolder::new("files-outside");
    fs::write(folder.0.join("secret"), "secret").unwrap();
    fs::create_dir(folder.0.join("public-too")).unwrap();
    fs::write(folder.0.join("public-too/secret"), "secret").unwrap();
    for name in ["a", ".git/config", ".env", "docs/.secret", "docs/a", ".well-known/a"] {
        folder.write(name, "content");
    }
    let server = serve(Files::new(folder.public()).unwrap().list());
    for path in [
        "/../secret",
        "/docs/../../secret",
        "/%2e%2e/secret",
        "/..%2Fsecret",
        "/..%2fsecret",
        "/docs/..%2F..%2Fsecret",
        "/a%00",
        "/a%00.html",
        "/../public-too/secret",
        "//etc/passwd",
        "/..%5Csecret",
        "/./a",
        "/docs/..",
        "/docs%2Fa",
        "/.git/config",
        "/.git/",
        "/.git",
        "/.env",
        "/%2Eenv",
        "/docs/.secret",
    ] {
        let response = get_file(&server, path, "");
        assert_eq!((response.status, response.text()), (404, "no file has this path"), "{path}");
    }
    assert_eq!(get_file(&server, "/.well-known/a", "").text(), "content");
    let list = get_file(&server, "/", "");
    assert!(!list.text().contains("git") && !list.text().contains("env"), "{}", list.text());
    assert!(list.text().contains(".well-known/"), "{}", list.text());
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_within_the_folder_and_not_out_of_it() {
    use std::os::unix::fs::symlink;
    let folder = TestFolder::new("files-links");
    fs::write(folder.0.join("secret"), "secret").unwrap();
    folder.write("a", "content");
    folder.write("docs/b", "content");
    folder.write("..data/c", "content");
    let public = folder.public();
    for (target, name) in [
        ("a", "relative"),
        ("../a", "docs/up"),
        ("docs", "folder"),
        // A mounted volume of Kubernetes has such links.
        ("..data/c", "dotted"),
        ("../secret", "out"),
        ("docs/../../secret", "out-and-in"),
        ("/etc/passwd", "absolute-out"),
        ("..", "parent"),
        ("/", "root"),
        ("loop", "loop"),
        ("none", "dangling"),
        ("../public/a", "round"),
    ] {
        symlink(target, public.join(name)).unwrap();
    }
    symlink(public.join("a"), public.join("absolute")).unwrap();
    symlink(folder.0.join("secret"), public.join("absolute-secret")).unwrap();
    let server = serve(Files::new(&public).unwrap().list());
    for (path, is_sent) in [
        ("/relative", true),
        ("/docs/up", true),
        ("/folder/b", true),
        ("/dotted", true),
        ("/absolute", true),
        ("/out", false),
        ("/out-and-in", false),
        ("/absolute-out", false),
        ("/absolute-secret", false),
        ("/parent/secret", false),
        ("/root/etc/passwd", false),
        ("/loop", false),
        ("/dangling", false),
    ] {
        let response = get_file(&server, path, "");
        assert_eq!(response.text() == "content", is_sent, "{path}: {}", response.text());
        let expected: &[u16] = if is_sent { &[200] } else { &[403, 404] };
        assert!(expected.contains(&response.status), "{path}: {}", response.head);
    }
    // A link that leaves the folder and comes back is followed or not, as the system can do it.
    assert!([200, 404].contains(&get_file(&server, "/round", "").status));
    for path in ["/parent/", "/root/", "/parent", "/root"] {
        assert_eq!(get_file(&server, path, "").status, 404, "{path}");
    }
    let list = get_file(&server, "/", "");
    for (name, is_listed) in [
        ("relative", true),
        ("folder/", true),
        ("absolute\"", true),
        ("out", false),
        ("root", false),
        ("loop", false),
        ("dangling", false),
    ] {
        assert_eq!(list.text().contains(&format!("href=\"{name}")), is_listed, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_plain_file_is_refused_and_not_waited_for() {
    let folder = TestFolder::new("files-special");
    let public = folder.public();
    let pipe = public.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(public.join("socket")).unwrap();
    std::os::unix::fs::symlink("pipe", public.join("link")).unwrap();
    let server = serve(Files::new(&public).unwrap().list());
    // A program that waits for a reader of the pipe would end by SIGPIPE if it were opened.
    let mut writer = std::process::Command::new("sh")
        .args(["-c", "echo content > \"$0\""])
        .arg(&pipe)
        .spawn()
        .unwrap();
    for path in ["/pipe", "/link", "/socket"] {
        assert_eq!(get_file(&server, path, "").status, 403, "{path}");
    }
    let list = get_file(&server, "/", "");
    assert!(!list.text().contains("link"), "{}", list.text());
    // If the writer has ended, nothing comes.
    let read = std::process::Command::new("timeout").args(["5", "cat"]).arg(&pipe).output();
    assert_eq!(String::from_utf8(read.unwrap().stdout).unwrap(), "content\n");
    assert!(writer.wait().unwrap().success());
    assert!(!list.text().contains("pipe") && !list.text().contains("socket"), "{}", list.text());
}

#[cfg(target_os = "linux")] // elsewhere no path leads to an open directory that was renamed
#[test]
fn special_files_are_those_of_the_opened_directory_where_another_one_takes_its_name() {
    let folder = TestFolder::new("files-taken");
    let public = folder.public();
    let make_pipe = |name: &str| {
        let made = std::process::Command::new("mkfifo").arg(public.join(name)).status();
        assert!(made.unwrap().success(), "{name}");
    };
    folder.write("a", "content");
    make_pipe("b");
    let server = serve(Files::new(&public).unwrap());
    let renamed = public.with_file_name("renamed");
    fs::rename(&public, &renamed).unwrap();
    fs::create_dir(&public).unwrap();
    make_pipe("a");
    folder.write("b", "another");
    assert_eq!(get_file(&server, "/a", "").text(), "content");
    // As above: the writer ends by SIGPIPE if the pipe is opened.
    let mut writer = std::process::Command::new("sh")
        .args(["-c", "echo content > \"$0\""])
        .arg(renamed.join("b"))
        .spawn()
        .unwrap();
    for _ in 0..100 {
        assert_eq!(get_file(&server, "/b", "").status, 403);
    }
    let read =
        std::process::Command::new("timeout").args(["5", "cat"]).arg(renamed.join("b")).output();
    assert_eq!(String::from_utf8(read.unwrap().stdout).unwrap(), "content\n");
    assert!(writer.wait().unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_name_may_have_any_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = TestFolder::new("files-names");
    let name = OsStr::from_bytes(b"\xff<&\"'> %2F#?:.txt");
    fs::write(folder.public().join(name), "content").unwrap();
    folder.write("javascript:alert(1)", "content");
    folder.write("b", "x".repeat(2048));
    folder.write("a folder/c", "");
    let server = serve(Files::new(folder.public()).unwrap().list());
    let list = get_file(&server, "/", "");
    let text = list.text();
    assert_eq!(list.field("Content-Type"), Some("text/html; charset=utf-8"));
    let links: Vec<&str> =
        text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let link = "%FF%3C%26%22%27%3E%20%252F%23%3F%3A.txt";
    assert_eq!(links, ["a%20folder/", "b", "javascript%3Aalert%281%29", link]);
    assert!(text.contains("\u{fffd}&lt;&amp;&quot;&#39;&gt; %2F#?:.txt</a>"), "{text}");
    assert!(text.contains("<span>2.0 KiB</span>") && text.contains("<time>20"), "{text}");
    assert_eq!(get_file(&server, &format!("/{link}"), "").text(), "content");
    assert!(get_file(&server, "/a%20folder/", "").text().contains("href=\"../\""));
    assert_eq!(get_file(&server, "/a%20folder", "").field("Location"), Some("/a%20folder/"));
}

#[test]
fn a_name_in_a_listing_cannot_change_the_direction_of_writing() {
    let folder = TestFolder::new("files-bidi");
    for character in ["\u{61c}", "\u{200e}", "\u{202e}", "\u{2066}"] {
        folder.write(&format!("a{character}b"), "content");
    }
    let list = get_file(&serve(Files::new(folder.public()).unwrap().list()), "/", "");
    assert_eq!(list.text().matches(">a\u{fffd}b</a>").count(), 4, "{}", list.text());
    assert!(list.text().contains("href=\"a%D8%9Cb\""), "{}", list.text());
}

#[test]
fn a_fallback_or_a_page_of_the_folder_answers_where_there_is_no_file() {
    let folder = TestFolder::new("files-missing");
    folder.write("app.html", "app");
    let app = serve(Files::new(folder.public()).unwrap().fallback("app.html").unwrap());
    let missing = get_file(&app, "/some/route", "");
    assert_eq!((missing.status, missing.text()), (200, "app"));
    let etag = missing.field("ETag").unwrap();
    assert_eq!(get_file(&app, "/other", &format!("If-None-Match: {etag}\r\n")).status, 304);
    folder.write("404.html", "nothing");
    assert_eq!(get_file(&app, "/some/route", "").text(), "app", "the fallback comes first");
    let plain = serve(Files::new(folder.public()).unwrap());
    for path in ["/none", "/.git", "/none/"] {
        let missing = get_file(&plain, path, "Range: bytes=0-0\r\nIf-None-Match: *\r\n");
        assert_eq!((missing.status, missing.text()), (404, "nothing"), "{path}");
        assert_eq!(missing.field("Content-Type"), Some("text/html; charset=utf-8"));
        assert_eq!(missing.field("ETag"), None);
    }
    assert_eq!(request(&plain, "HEAD /none", "").field("Content-Length"), Some("7"));
    folder.write("404.html.gz", "packed");
    let packed = get_file(&plain, "/none", "Accept-Encoding: gzip\r\n");
    let fields = ["Content-Encoding", "Vary", "ETag"].map(|name| packed.field(name));
    assert_eq!((packed.status, packed.text()), (404, "packed"));
    assert_eq!(fields, [Some("gzip"), Some("Accept-Encoding"), None]);
    for wrong in ["none", "../app.html", "/app.html", "."] {
        let error = Files::new(folder.public()).unwrap().fallback(wrong).unwrap_err();
        assert_eq!(error.to_string(), "it is no file of the directory", "{wrong}");
    }
    assert!(Files::new(folder.public()).unwrap().fallback("./app.html").is_ok());
    assert!(Files::new(folder.public().join("app.html")).is_err());
    assert!(Files::new(folder.public().join("none")).is_err());
}

#[test]
fn fields_of_the_server_are_in_every_response_and_cache_control_in_those_of_files() {
    let folder = TestFolder::new("files-fields");
    folder.write("a", "a");
    fs::create_dir(folder.public().join("docs")).unwrap();
    let files = || Files::new(folder.public()).unwrap();
    let server = || Server::bind("127.0.0.1:0").unwrap();
    let server = server().header("X-Frame-Options", " DENY ").unwrap();
    let server = server.header("Access-Control-Allow-Origin", "*").unwrap();
    let server = server.start(&FILES, files().cache_control("max-age=5").unwrap()).unwrap();
    let long = format!("GET /{}", "a".repeat(9000));
    for (line, fields, status) in [
        ("GET /a", "", 200),
        ("HEAD /a", "", 200),
        ("GET /a", "If-None-Match: *\r\n", 304),
        ("GET /docs", "", 301),
        ("GET /none", "", 404),
        ("GET /a", "Range: bytes=9-\r\n", 416),
        ("GET /a", "If-Match: \"a\"\r\n", 412),
        ("OPTIONS /a", "", 204),
        ("POST /a", "Content-Length: 0\r\n", 405),
        ("GET /a", "Host: again\r\n", 400),
        ("GET /a", "A : b\r\n", 400),
        ("NONE /a", "", 501),
        (&long, "", 414),
    ] {
        let response = request(&server, line, fields);
        assert_eq!(response.status, status, "{line}: {}", response.head);
        assert_eq!(response.field("X-Frame-Options"), Some("DENY"), "{}", response.head);
        assert_eq!(response.field("Access-Control-Allow-Origin"), Some("*"), "{}", response.head);
        let is_cached = matches!(status, 200 | 304);
        assert_eq!(response.field("Cache-Control"), is_cached.then_some("max-age=5"), "{line}");
    }
    for (name, value) in [
        ("ETag", "\"a\""),
        ("Content-Length", "5"),
        ("A B", "c"),
        ("A", "b\r\nC: d"),
        ("content-type", "a/b"),
    ] {
        let server = Server::bind("127.0.0.1:0").unwrap();
        assert!(server.header(name, value).is_err(), "{name}");
    }
    assert!(files().cache_control("a\nb").is_err());
}

#[test]
fn a_file_without_a_real_date_has_none_and_its_tag_tells_its_states_apart() {
    let folder = TestFolder::new("files-dates");
    for second in [0, 1] {
        let write = |content: &str| {
            let path = folder.write("a", content);
            let time = UNIX_EPOCH + Duration::from_secs(second);
            fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        };
        write("aaaa");
        let server = serve(Files::new(folder.public()).unwrap());
        let first = get_file(&server, "/a", "");
        assert_eq!(first.field("Last-Modified"), None, "{}", first.head);
        let etag = first.field("ETag").unwrap();
        let fields = format!("If-None-Match: {etag}\r\n");
        assert_eq!(get_file(&server, "/a", &fields).status, 304);
        for dates in ["If-Modified-Since", "If-Unmodified-Since"] {
            let fields = format!("{dates}: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
            assert_eq!(get_file(&server, "/a", &fields).status, 200, "{dates}");
        }
        write("bbbb");
        let second = get_file(&server, "/a", &fields);
        // Windows has no other time, and a file no number there.
        if cfg!(unix) {
            assert_eq!((second.status, second.text()), (200, "bbbb"), "{etag}: {}", second.head);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_list_is_that_of_the_directory_that_was_opened() {
    let folder = TestFolder::new("files-renamed");
    folder.write("old", "old");
    folder.write("docs/old", "old");
    let server = serve(Files::new(folder.public()).unwrap().list());
    fs::rename(folder.public(), folder.0.join("release-1")).unwrap();
    folder.write("new", "new");
    folder.write("docs/new", "new");
    for path in ["/", "/docs/"] {
        let list = get_file(&server, path, "");
        assert!(list.text().contains("\"old\"") && !list.text().contains("new"), "{}", list.text());
        assert_eq!(get_file(&server, &format!("{path}old"), "").text(), "old");
        assert_eq!(get_file(&server, &format!("{path}new"), "").status, 404);
    }
}

#[test]
fn a_long_list_has_the_first_names_and_an_empty_one_says_so() {
    let folder = TestFolder::new("files-many");
    folder.write_many((1..=10_020).rev());
    fs::create_dir(folder.public().join("zoo")).unwrap();
    let server = serve(Files::new(folder.public()).unwrap().list());
    let list = get_file(&server, "/", "");
    let names = list.text().split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let expected = (1..=9999).map(|number| format!("file{number}"));
    assert!(names.eq(["zoo/".to_owned()].into_iter().chain(expected)), "the first by name");
    let sentence = "<p>21 more names are not shown: a list has the first 10000 at most.";
    assert!(list.text().contains(sentence), "{}", &list.text()[list.text().len() - 200..]);
    assert!(get_file(&server, "/zoo/", "").text().contains("<p>This directory is empty."));
}

#[test]
fn of_many_who_ask_for_a_list_some_are_told_to_come_back() {
    let folder = TestFolder::new("files-lists");
    folder.write_many(0..3000);
    let server = serve(Files::new(folder.public()).unwrap().list());
    let mut clients: Vec<TcpStream> = (0..40).map(|_| connect(&server)).collect();
    for client in &mut clients {
        write!(client, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    }
    let answers = clients.iter_mut().map(|client| {
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    });
    let answers: Vec<String> = answers.collect();
    let count = |start: &str| answers.iter().filter(|answer| answer.starts_with(start)).count();
    let (made, refused) = (count("HTTP/1.1 200 "), count("HTTP/1.1 503 "));
    assert!(made >= 8 && refused > 0 && made + refused == 40, "{made} made, {refused} refused");
    let refused = answers.iter().find(|answer| answer.starts_with("HTTP/1.1 503 ")).unwrap();
    assert!(refused.contains("\r\nRetry-After: 1\r\n"), "{refused}");
    assert_eq!(get_file(&server, "/", "").status, 200);
}

fn connect(server: &ServerHandle<Files>) -> TcpStream {
    let client = TcpStream::connect(server.address()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    client
}

/// More than the buffers of a connection hold.
const LARGE: usize = 64 << 20;

/// Requests `/large`, waits until its content begins to arrive, changes the file, and reads to the end.
/// Returns the bytes of the content that arrived.
fn received_while(change: impl FnOnce(&Path), name: &str) -> Vec<u8> {
    let folder = TestFolder::new(name);
    let path = folder.write("large", vec![b'a'; LARGE]);
    let server = serve(Files::new(folder.public()).unwrap());
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(client, "GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut bytes = vec![0; 4096];
    client.read_exact(&mut bytes).unwrap();
    change(&path);
    client.read_to_end(&mut bytes).expect("the server closes the connection");
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let text = std::str::from_utf8(&bytes[..head]).unwrap();
    assert!(text.contains(&format!("Content-Length: {LARGE}\r\n")), "{text}");
    bytes.split_off(head)
}

#[test]
fn a_file_that_changes_while_it_is_sent_ends_in_a_closed_connection() {
    let append = |path: &Path| {
        fs::File::options().append(true).open(path).unwrap().write_all(b"more").unwrap();
    };
    let shrink = |path: &Path| {
        fs::File::options().write(true).open(path).unwrap().set_len(LARGE as u64 / 2).unwrap();
    };
    let rewrite = |path: &Path| {
        let mut file = fs::File::options().write(true).open(path).unwrap();
        file.seek(SeekFrom::Start(LARGE as u64 - 10)).unwrap();
        file.write_all(b"bbbbbbbbbb").unwrap();
    };
    let replace = |path: &Path| {
        let other = path.with_file_name("other");
        fs::write(&other, vec![b'b'; LARGE]).unwrap();
        fs::rename(other, path).unwrap();
    };
    let rewrite_in_secret = |path: &Path| {
        let modified = fs::metadata(path).unwrap().modified().unwrap();
        rewrite(path);
        fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
    };
    type Change<'a> = &'a dyn Fn(&Path);
    let changes: [(&str, Change); 5] = [
        ("files-secret", &rewrite_in_secret),
        ("files-append", &append),
        ("files-shrink", &shrink),
        ("files-rewrite", &rewrite),
        ("files-replace", &replace),
    ];
    for (name, change) in changes {
        let content = received_while(change, name);
        assert!(content.len() < LARGE, "{name}: the client believes that the file is whole");
        assert!(content.iter().all(|&byte| byte == b'a'), "{name}: two files are mixed");
    }
}

#[cfg(unix)]
#[test]
fn a_file_whose_content_stays_is_sent_whole_whatever_becomes_of_its_names_and_rights() {
    use std::os::unix::fs::PermissionsExt;
    let chmod = |path: &Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let link = |path: &Path| fs::hard_link(path, path.with_file_name("backup")).unwrap();
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    let rename = |path: &Path| fs::rename(path, path.with_file_name("other")).unwrap();
    type Change<'a> = &'a dyn Fn(&Path);
    let changes: [(&str, Change); 4] = [
        ("files-chmod", &chmod),
        ("files-link", &link),
        ("files-remove", &remove),
        ("files-rename", &rename),
    ];
    for (name, change) in changes {
        assert_eq!(received_while(change, name).len(), LARGE, "{name}");
    }
}

#[test]
fn a_file_of_more_than_four_gib_has_a_length_and_ranges() {
    let folder = TestFolder::new("files-large");
    let length = (5 << 30) + 7_u64;
    let path = folder.write("large", "");
    let mut file = fs::File::options().write(true).open(path).unwrap();
    if file.set_len(length).is_err() {
        eprintln!("skipped: no file of 5 GiB here");
        return;
    }
    let at = (1_u64 << 32) + 3;
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(b"here").unwrap();
    let server = serve(Files::new(folder.public()).unwrap());
    let head = request(&server, "HEAD /large", "");
    assert_eq!(head.field("Content-Length"), Some(&*length.to_string()));
    let part = get_file(&server, "/large", &format!("Range: bytes={}-{}\r\n", at - 1, at + 4));
    assert_eq!((part.status, part.text()), (206, "\0here\0"));
    let range = format!("bytes {}-{}/{length}", at - 1, at + 4);
    assert_eq!(part.field("Content-Range"), Some(&*range));
    assert_eq!(get_file(&server, "/large", "Range: bytes=-7\r\n").text(), "\0".repeat(7));
    assert_eq!(get_file(&server, "/large", &format!("Range: bytes={length}-\r\n")).status, 416);
}
