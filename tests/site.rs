//! The lesson site as its guests meet it: the real binary, raw TCP, the very bytes.
//!
//! Here is what each route answers, and what the log says of it. Beside it: [`shutdown`], where the
//! process is asked to stop, or killed; [`bad_clients`], where not every client is a good one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

#[path = "process/bad_clients.rs"]
mod bad_clients;
#[path = "process/shutdown.rs"]
mod shutdown;
#[path = "process/mod.rs"]
mod process;

use process::{Exit, Response, ServerProcess};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const JSON: &str = "Content-Type: application/json\r\n";
/// What a browser would rather have.
const BROWSER: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n";

/// The key of these tests. It has a `:` and a `+`, as a good key may.
const KEY: &str = "abc:123+xyz";

fn with_key(flags: &str) -> ServerProcess {
    ServerProcess::start_site_with_env(flags, &[("API_KEY", KEY), ("RUST_LOG", "trace")])
}

#[track_caller]
fn is_page(answer: &Response, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.head);
    assert_eq!(answer.field("content-type"), Some("text/html; charset=utf-8"));
    assert!(answer.text().starts_with("<!doctype html>"), "{}", answer.text());
}

#[track_caller]
fn is_sentence(answer: &Response, status: u16, word: &str) {
    assert_eq!(answer.status, status, "{}{}", answer.head, answer.text());
    assert_eq!(answer.field("content-type"), Some("text/plain; charset=utf-8"));
    assert!(answer.text().contains(word), "{}", answer.text());
    assert!(answer.text().ends_with('\n'), "{:?}", answer.text());
}

// The dining room.

#[test]
fn the_front_page_welcomes_and_has_a_like_button_for_each_post() {
    let kitchen = ServerProcess::start_site("");
    let page = kitchen.get("/");
    is_page(&page, 200);
    assert!(page.text().contains("Welcome to RohithBuilds Backend!"));
    for post in 1..=6 {
        let field = format!("<input type=\"hidden\" name=\"post\" value=\"{post}\">");
        assert!(page.text().contains(&field), "post {post}");
    }
    let forms = page.text().matches("method=\"post\" action=\"/api/likes\"").count();
    assert_eq!(forms, 6, "a like needs no JavaScript");
    // A HEAD is answered with the same head and nothing behind it.
    let head = kitchen.request("HEAD /", "", "");
    assert_eq!(head.field("content-length"), page.field("content-length"));
    assert_eq!((head.status, head.content.len()), (200, 0));
}

#[test]
fn every_page_and_what_it_loads_comes_from_this_host_alone() {
    let kitchen = ServerProcess::start_site("");
    for path in ["/", "/about", "/contact"] {
        let page = kitchen.get(path);
        is_page(&page, 200);
        assert!(page.field("content-security-policy").unwrap().starts_with("default-src 'none'"));
        for attribute in ["src=\"", "href=\"", "action=\""] {
            for link in page.text().split(attribute).skip(1) {
                let link = link.split('"').next().unwrap();
                let is_ours = link.starts_with('/') && !link.starts_with("//");
                assert!(is_ours || link.starts_with('#'), "{path}: {link}");
                if is_ours {
                    // Nothing on a page leads nowhere; /staff and /api/likes have doors of their own.
                    assert!(matches!(kitchen.get(link).status, 200 | 403), "{path}: {link}");
                }
            }
        }
    }
    let kind = |path: &str| kitchen.get(path).field("content-type").unwrap().to_owned();
    assert_eq!(kind("/site.css"), "text/css; charset=utf-8");
    assert_eq!(kind("/like.js"), "text/javascript; charset=utf-8");
    assert_eq!(kind("/favicon.ico"), "image/svg+xml");
    assert!(!kitchen.get("/site.css").text().contains("http"));
}

#[test]
fn about_says_what_it_is_built_with() {
    let page = ServerProcess::start_site("").get("/about");
    is_page(&page, 200);
    assert!(page.text().contains("Built with Rust and <code>std::net</code>"));
    assert!(page.text().contains("Built with Python + Flask"), "the lesson's own words");
}

#[test]
fn contact_is_whoever_the_environment_names_and_markup_stays_text() {
    let unset = ServerProcess::start_site_with_env("", &[("CONTACT_EMAIL", "")]).get("/contact");
    is_page(&unset, 200);
    for variable in ["CONTACT_NAME", "CONTACT_EMAIL"] {
        assert!(unset.text().contains(&format!("set <code>{variable}</code>")), "{variable}");
    }
    let name = ("CONTACT_NAME", "Ro & <b>\"Hi\"</b> {{email}}");
    let set = ServerProcess::start_site_with_env("", &[name, ("CONTACT_EMAIL", "ro@example.test")]);
    let page = set.get("/contact");
    is_page(&page, 200);
    let name = "<dd>Ro &amp; &lt;b&gt;&quot;Hi&quot;&lt;/b&gt; {{email}}</dd>";
    assert!(page.text().contains(name), "{}", page.text());
    assert!(page.text().contains("<a href=\"mailto:ro@example.test\">ro@example.test</a>"));
    assert!(!page.text().contains("CONTACT_NAME"), "who has told needs no advice");
}

// The slot in the wall.

#[test]
fn the_backend_decides_the_order_of_the_posts() {
    let kitchen = ServerProcess::start_site("");
    let order = || {
        let answer = kitchen.get("/api/posts");
        assert_eq!(answer.field("content-type"), Some("application/json"));
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        let text = answer.text();
        assert!(text.starts_with("[{\"id\":") && text.ends_with("}]"), "{text}");
        for member in ["\"title\":\"", "\"text\":\"", "\"likes\":"] {
            assert_eq!(text.matches(member).count(), 6, "{member}");
        }
        let posts = text.split("{\"id\":").skip(1);
        posts.map(|post| post.split(',').next().unwrap().to_owned()).collect::<String>()
    };
    assert_eq!(order(), "123456");
    for post in ["5", "3", "5"] {
        assert_eq!(kitchen.request("POST /api/likes", FORM, &format!("post={post}")).status, 201);
    }
    assert_eq!(order(), "531246", "most liked first");
    assert!(kitchen.get("/").text().contains("2 likes</output>"), "the page agrees");
}

#[test]
fn a_like_is_a_form_or_json_and_comes_back_with_the_new_count() {
    let kitchen = ServerProcess::start_site("");
    assert_eq!(kitchen.get("/api/likes").text(), r#"{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0}"#);
    for (fields, content, count) in [
        (FORM, "post=4", 1),
        (JSON, r#"{"post": 4}"#, 2),
        ("content-type: APPLICATION/JSON ; charset=utf-8\r\n", r#"{"x":[{}],"post":"4"}"#, 3),
        ("Content-Type: application/x-www-form-urlencoded;charset=UTF-8\r\n", "a=b&post=%34", 4),
        (&format!("{JSON}Accept: application/json, text/html;q=0.9\r\n"), r#"{"post":4}"#, 5),
    ] {
        let answer = kitchen.request("POST /api/likes", fields, content);
        assert_eq!(answer.status, 201, "{content}: {}", answer.text());
        assert_eq!(answer.text(), format!("{{\"post\":4,\"likes\":{count}}}"));
        assert_eq!(answer.field("content-type"), Some("application/json"));
    }
    assert_eq!(kitchen.get("/api/likes").text(), r#"{"1":0,"2":0,"3":0,"4":5,"5":0,"6":0}"#);
}

#[test]
fn a_browser_that_sends_the_form_is_led_back_to_the_page() {
    let kitchen = ServerProcess::start_site("");
    let answer = kitchen.request("POST /api/likes", &format!("{FORM}{BROWSER}"), "post=2");
    assert_eq!((answer.status, answer.field("location")), (303, Some("/#post-2")));
    assert!(kitchen.get("/").text().contains("id=\"post-2\""), "that place is there");
    assert!(kitchen.get("/api/likes").text().contains("\"2\":1"), "and the like is stored");
}

#[test]
fn what_is_no_like_is_told_why_and_counts_nothing() {
    let kitchen = ServerProcess::start_site("");
    for (fields, content, status, word) in [
        (FORM, "post=7", 404, "no such post"),
        (JSON, r#"{"post": 99999999999999999999}"#, 404, "no such post"),
        (FORM, "", 400, "post=1"),
        (FORM, "post=one", 400, "number"),
        (FORM, "post=1&post=1", 400, "twice"),
        (JSON, "", 400, "object"),
        (JSON, "{\"post\": 1", 400, "expected"),
        (JSON, r#"{"post": -1}"#, 400, "number"),
        (JSON, r#"{"post": 1, "post": 1}"#, 400, "twice"),
        ("", "post=1", 415, "application/json"),
        ("Content-Type: text/plain\r\n", "post=1", 415, "application/x-www-form-urlencoded"),
    ] {
        let answer = kitchen.request("POST /api/likes", fields, content);
        is_sentence(&answer, status, word);
        let accept = "application/x-www-form-urlencoded, application/json";
        assert_eq!(answer.field("accept"), (status == 415).then_some(accept), "{content}");
    }
    let answer = kitchen.request("PUT /api/likes", FORM, "post=1");
    assert_eq!((answer.status, answer.field("allow")), (405, Some("GET, HEAD, POST, OPTIONS")));
    assert_eq!(kitchen.get("/api/likes").text(), r#"{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0}"#);
}

// The staff's door.

#[test]
fn the_staff_comes_in_with_the_key_and_nobody_else_does() {
    let kitchen = with_key("");
    let knock = |field: &str| kitchen.request("GET /staff", field, "");
    for field in [
        "Authorization: Basic c3RhZmY6YWJjOjEyMyt4eXo=\r\n", // staff:abc:123+xyz
        "authorization: bAsIc OmFiYzoxMjMreHl6\r\n",         // :abc:123+xyz
        "Authorization: Bearer abc:123+xyz\r\n",
    ] {
        let answer = knock(field);
        is_page(&answer, 200);
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        assert!(!answer.text().contains(KEY), "the key is not said again");
    }
    for field in [
        "",
        "Authorization: Basic c3RhZmY6YWJjOjEyMw==\r\n", // staff:abc:123
        "Authorization: Basic staff:abc:123+xyz\r\n",
        "Authorization: Bearer abc:123+xy\r\n",
        "Authorization: Bearer abc:123+xyzz\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: abc:123+xyz\r\n",
    ] {
        let answer = knock(field);
        is_sentence(&answer, 401, "Authorization: Bearer");
        let challenges = answer.fields("www-authenticate");
        let basic = "Basic realm=\"staff\", charset=\"UTF-8\"";
        assert_eq!(challenges, [basic, "Bearer realm=\"staff\""], "{field}");
    }
    is_page(&knock(BROWSER), 401);
    let Exit { stderr, .. } = kitchen.stop();
    assert!(stderr.contains("/staff") && !stderr.contains(KEY), "{stderr}");
}

#[test]
fn without_a_key_the_door_is_shut_and_says_how_to_open_it() {
    for variables in [&[][..], &[("API_KEY", "")]] {
        let kitchen = ServerProcess::start_site_with_env("", variables);
        let answer = kitchen.request("GET /staff", "Authorization: Bearer \r\n", "");
        is_sentence(&answer, 403, "export API_KEY");
        assert!(answer.fields("www-authenticate").is_empty(), "no key would do");
    }
}

#[test]
fn a_key_in_a_query_is_refused_with_the_reason_and_never_logged() {
    let kitchen = with_key("");
    for query in [
        "key=abc:123+xyz",
        "q=1&API_KEY=abc:123%2Bxyz",
        "appid=abc%3A123%2Bxyz",
        "%6bey=abc:123+xyz",
        "q=abc:123+xyz",
        "q=abc%3A123%2Bxyz",
        "abc:123+xyz",
    ] {
        let right = format!("Authorization: Bearer {KEY}\r\n");
        let answer = kitchen.request(&format!("GET /staff?{query}"), &right, "");
        is_sentence(&answer, 400, "does not belong in a URL");
        assert!(!answer.text().contains("123"), "{query}: {}", answer.text());
    }
    let Exit { stderr, .. } = kitchen.stop();
    assert_eq!(stderr.matches("/staff").count(), 7, "{stderr}");
    // The log's own lines hold times and ports, so the key is looked for in two parts.
    for line in stderr.lines().filter(|line| line.contains("/staff")) {
        assert!(!line.contains("abc") && !line.contains("xyz"), "the key is in the log: {line}");
    }
}

// Mirrors.

#[test]
fn echo_gives_the_content_back_with_its_type() {
    let kitchen = ServerProcess::start_site("");
    let answer = kitchen.request("POST /echo", "Content-Type: a/b;c=d\r\n", "<b>\0\r\n\u{e9}");
    assert_eq!((answer.status, answer.text()), (200, "<b>\0\r\n\u{e9}"));
    assert_eq!(answer.field("content-type"), Some("a/b;c=d"));
    assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
    let answer = kitchen.request("POST /echo", "", "");
    assert_eq!((answer.status, answer.content.len()), (200, 0));
    let chunked = "Transfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n1;x=y\r\no\r\n0\r\nA: b\r\n";
    assert_eq!(kitchen.request("POST /echo", chunked, "").text(), "hello");
}

#[test]
fn raw_gives_back_the_very_bytes() {
    let kitchen = ServerProcess::start_site("");
    let mut client = kitchen.client();
    for request in [
        "GET /raw HTTP/1.1\r\nHOST: h\r\nx-B:  two  blanks \t\r\nX-a:\r\nx-b: again\r\n\r\n",
        "\r\nGET /raw?q=%41 HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET http://h/%72aw HTTP/1.1\r\nHost: other\r\n\r\n",
        "POST /raw HTTP/1.1\r\nHost: h\r\nContent-Length: 004\r\n\r\n\0\r\n\x7f",
        "POST /raw HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n\
         003;a=\"b\"\r\nabc\r\n00;c\r\nTrailer: t\r\n\r\n",
    ] {
        client.send(request);
        let answer = client.response();
        assert_eq!((answer.status, answer.text()), (200, request));
        assert_eq!(answer.field("content-type"), Some("text/plain; charset=utf-8"));
    }
    client.send(b"POST /raw HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nX: \xe9\r\n\r\n\xff\xfe");
    let answer = client.response();
    assert!(answer.content.ends_with(b"X: \xe9\r\n\r\n\xff\xfe"), "what is not UTF-8, too");
    assert_eq!(answer.field("content-type"), Some("application/octet-stream"));
    assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
}

#[test]
fn fields_are_shown_as_a_handler_gets_them() {
    let kitchen = ServerProcess::start_site("");
    let mut client = kitchen.client();
    client.send(
        "GET /fields HTTP/1.1\r\nHOST: h\r\nx-B:  two  blanks \t\r\nX-a:\r\nx-b: again\r\n\r\n",
    );
    assert_eq!(client.response().text(), "HOST: h\nx-B: two  blanks\nX-a: \nx-b: again\n");
    client.send("POST /fields HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(Response::parse(&client.read_to_end()).text(), "Content-Length: 2\n");
}

// Whoever watches over it.

#[test]
fn the_log_has_a_line_for_each_exchange_and_masks_what_looks_like_a_key() {
    let kitchen = ServerProcess::start_site_with_env("", &[("RUST_LOG", "info")]);
    kitchen.get("/about?appid=s3cret&city=Pune&API-Key=s3cret&%74oken=s3cret");
    kitchen.get("/nowhere?q=%0aforged");
    assert_eq!(kitchen.request("POST /echo", "", "post").status, 200);
    let mut client = kitchen.client();
    client.send("GET / HTTP/1.1\r\nHost : h\r\n\r\n");
    assert_eq!(client.response().status, 400);
    drop(client);
    let Exit { stderr, .. } = kitchen.stop();
    let access: Vec<&str> = stderr.lines().filter(|line| line.contains(" bytes in, ")).collect();
    assert_eq!(access.len(), 4, "{stderr}");
    for (line, part) in access.iter().zip([
        "\"GET /about?appid=***&city=Pune&API-Key=***&%74oken=***\" 200 ",
        "\"GET /nowhere?***\" 404 ",
        "\"POST /echo\" 200 ",
        "\"- -\" 400 ",
    ]) {
        assert!(line.starts_with("openkitchen: info: 127.0.0.1:") && line.contains(part), "{line}");
    }
    assert!(!stderr.contains("s3cret"), "{stderr}");
}

#[test]
fn another_protocol_is_a_warning_once_and_the_reason_stands_before_the_exchange() {
    let exchange = ("info", "\"- -\" 400 ");
    let [tls, ssh] = [("warn", "open a TLS connection"), ("warn", "an SSH client")];
    let [old, blank] = [("warn", "as HTTP/0.9 did"), ("warn", "an empty line is no request")];
    let (again, wrong) = (("info", tls.1), ("info", "between a field's name and its colon"));
    for (log, expected) in [
        ("warn", &[tls, ssh, old, blank][..]),
        ("info", &[tls, ssh, old, again, blank, wrong].map(|told| [told, exchange]).concat()),
    ] {
        let kitchen = ServerProcess::start_site_with_env("", &[("RUST_LOG", log)]);
        let (hello, wrong) = ("\x16\x03\x01", "GET / HTTP/1.1\r\nHost : h\r\n");
        for greeting in [hello, "SSH-2.0-x\r\n", "GET /\r\n", hello, "\r\n\r\n", wrong] {
            let mut client = kitchen.client();
            client.send(greeting);
            assert_eq!(Response::parse(&client.read_to_end()).status, 400);
        }
        let Exit { stderr, .. } = kitchen.stop();
        assert_eq!(stderr.lines().count(), expected.len(), "{stderr}");
        for (line, (level, part)) in stderr.lines().zip(expected) {
            let is_so = line.starts_with(&format!("openkitchen: {level}: ")) && line.contains(part);
            assert!(is_so, "{level} {part:?}: {stderr}");
        }
    }
}

#[test]
fn healthz_says_ok_and_is_not_in_the_log() {
    let kitchen = ServerProcess::start_site_with_env("", &[("RUST_LOG", "info")]);
    let answer = kitchen.get("/healthz");
    assert_eq!((answer.status, answer.text()), (200, "ok"));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert_eq!(kitchen.get("/about").status, 200);
    let Exit { stderr, .. } = kitchen.stop();
    assert!(stderr.contains("/about") && !stderr.contains("healthz"), "{stderr}");
}

#[test]
fn without_rust_log_a_good_day_is_silent() {
    let kitchen = ServerProcess::start_site("");
    kitchen.get("/");
    kitchen.get("/nowhere");
    let Exit { code, stdout, stderr } = kitchen.stop();
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.lines().all(|line| line.starts_with("# ")), "{stdout}");
}
