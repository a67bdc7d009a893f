//! Tests the lesson site as a process: the real binary, over raw TCP.
//!
//! This file tests the response of each route, and its lines in the log. `tests/load/` stops and
//! kills the process, and has clients that misbehave.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::client::Response;
use crate::support::process::{Exit, Folder, ServerProcess, openkitchen};
use crate::support::resources::processor_time;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const JSON: &str = "Content-Type: application/json\r\n";
/// The preferences of a browser.
const BROWSER: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n";

/// The key of these tests. It has a `:` and a `+`, which need care in Basic and in a query.
const KEY: &str = "abc:123+xyz";

/// Starts the site with the key, and with all log lines.
fn with_key(flags: &str) -> ServerProcess {
    ServerProcess::start_site_with_env(flags, &[("API_KEY", KEY), ("RUST_LOG", "trace")])
}

#[track_caller]
fn is_page(response: &Response, status: u16) {
    assert_eq!(response.status, status, "{}", response.head);
    assert_eq!(response.field("content-type"), Some("text/html; charset=utf-8"));
    assert!(response.text().starts_with("<!doctype html>"), "{}", response.text());
}

#[track_caller]
fn is_sentence(response: &Response, status: u16, word: &str) {
    assert_eq!(response.status, status, "{}{}", response.head, response.text());
    assert_eq!(response.field("content-type"), Some("text/plain; charset=utf-8"));
    assert!(response.text().contains(word), "{}", response.text());
    assert!(response.text().ends_with('\n'), "{:?}", response.text());
}

/// The page names its language and its parts, and has a link to the front page in its content.
#[track_caller]
fn has_a_way_back(page: &Response) {
    let text = page.text();
    for part in ["<html lang=\"en\">", "<header>", "<nav aria-label=\"Site\">", "<footer>"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (_, main) = text.split_once("<main ").unwrap();
    assert!(main.contains("<h1>") && main.contains("<a href=\"/\">Back to the menu</a>"), "{text}");
    let title = text.split("<title>").nth(1).unwrap();
    assert!(title.split("</title>").next().unwrap().ends_with(" · Open Kitchen"), "{text}");
}

// Pages.

#[test]
fn what_is_not_there_is_a_page_for_a_browser_and_text_for_others() {
    let server = ServerProcess::start_site("");
    for (request, status, allow) in [
        ("GET /nowhere", 404, None),
        ("GET /%3Cb%3E", 404, None),
        ("POST /nowhere", 404, None),
        ("DELETE /about", 405, Some("GET, HEAD, OPTIONS")),
        ("GET /echo", 405, Some("POST, OPTIONS")),
    ] {
        let page = server.request(request, BROWSER, "");
        is_page(&page, status);
        has_a_way_back(&page);
        assert!(!page.text().contains("route") && !page.text().contains("<b>"), "{}", page.text());
        assert_eq!(page.field("allow"), allow, "{request}");
        for accept in ["", "Accept: */*\r\n", "Accept: application/json\r\n"] {
            let text = server.request(request, accept, "");
            is_sentence(&text, status, "address");
            assert_eq!(text.field("allow"), allow, "{request}");
            assert!(!text.text().contains("route"), "{}", text.text());
        }
    }
    let head = server.request("HEAD /nowhere", BROWSER, "");
    assert_eq!((head.status, head.content.len()), (404, 0));
}

#[test]
fn the_home_page_names_the_host_of_the_target_and_not_that_of_the_field() {
    let server = ServerProcess::start_site("");
    for (target, host) in
        [("/", "field.test:81"), ("http://target.test:82/", "target.test:82"), ("/", "[::1]:5000")]
    {
        let mut client = server.client();
        let field = if target == "/" { host } else { "field.test:81" };
        client.send(format!("GET {target} HTTP/1.1\r\nHost: {field}\r\n\r\n"));
        let page = client.response();
        assert!(page.text().contains(&format!("curl -v http://{host}/about")), "{target}");
    }
}

#[test]
fn the_home_page_says_whether_the_terminal_shows_what_crosses() {
    let [printed, blind] = ["is printed in the terminal", "<code>--no-trace</code>"];
    let traced = ServerProcess::start(&mut openkitchen("--listen 127.0.0.1:0")).get("/");
    assert!(traced.text().contains(printed) && !traced.text().contains(blind));
    let quiet = ServerProcess::start_site("").get("/");
    assert!(quiet.text().contains(blind) && !quiet.text().contains(printed));
}

#[test]
fn the_home_page_has_a_like_button_for_each_post() {
    let server = ServerProcess::start_site("");
    let page = server.get("/");
    is_page(&page, 200);
    assert!(page.text().contains("Welcome to RohithBuilds Backend!"));
    for post in 1..=6 {
        let field = format!("<input type=\"hidden\" name=\"post\" value=\"{post}\">");
        assert!(page.text().contains(&field), "post {post}");
    }
    let forms = page.text().matches("method=\"post\" action=\"/like\"").count();
    assert_eq!(forms, 6, "a like needs no JavaScript");
    // The response to HEAD has the same head and no content.
    let head = server.request("HEAD /", "", "");
    assert_eq!(head.field("content-length"), page.field("content-length"));
    assert_eq!((head.status, head.content.len()), (200, 0));
}

#[test]
fn pages_link_to_this_site_only_and_no_link_is_broken() {
    let server = ServerProcess::start_site("");
    for path in ["/", "/about", "/contact"] {
        let page = server.get(path);
        is_page(&page, 200);
        assert!(page.field("content-security-policy").unwrap().starts_with("default-src 'none'"));
        for attribute in ["src=\"", "href=\""] {
            for link in page.text().split(attribute).skip(1) {
                let link = link.split('"').next().unwrap();
                let is_ours = link.starts_with('/') && !link.starts_with("//");
                assert!(is_ours || link.starts_with('#'), "{path}: {link}");
                if is_ours {
                    // Without a key, /staff answers 403.
                    assert!(matches!(server.get(link).status, 200 | 403), "{path}: {link}");
                }
            }
        }
    }
    let kind = |path: &str| server.get(path).field("content-type").unwrap().to_owned();
    assert_eq!(kind("/like.js"), "text/javascript; charset=utf-8");
    assert_eq!(kind("/favicon.ico"), "image/svg+xml");
}

#[test]
fn the_about_page_says_what_the_site_is_built_with() {
    let page = ServerProcess::start_site("").get("/about");
    is_page(&page, 200);
    assert!(page.text().contains("Built with Rust and <code>std::net</code>"));
    assert!(page.text().contains("Built with Python + Flask"), "the words of the lesson");
}

#[test]
fn the_contact_page_shows_name_and_email_from_the_environment_and_escapes_them() {
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
    assert!(!page.text().contains("CONTACT_NAME"), "no advice is needed");
}

// The API.

#[test]
fn the_backend_decides_the_order_of_the_posts() {
    let server = ServerProcess::start_site("");
    let order = || {
        let response = server.get("/api/posts");
        assert_eq!(response.field("content-type"), Some("application/json"));
        assert_eq!(response.field("cache-control"), Some("no-store"));
        let text = response.text();
        assert!(text.starts_with("[{\"id\":") && text.ends_with("}]"), "{text}");
        for member in ["\"title\":\"", "\"text\":\"", "\"likes\":"] {
            assert_eq!(text.matches(member).count(), 6, "{member}");
        }
        let posts = text.split("{\"id\":").skip(1);
        posts.map(|post| post.split(',').next().unwrap().to_owned()).collect::<String>()
    };
    assert_eq!(order(), "123456");
    for post in ["5", "3", "5"] {
        assert_eq!(server.request("POST /api/likes", FORM, &format!("post={post}")).status, 201);
    }
    assert_eq!(order(), "531246", "most liked first");
    assert!(server.get("/").text().contains("2 likes</output>"), "the page as well");
}

#[test]
fn a_like_is_sent_as_a_form_or_json_and_the_response_has_the_new_count() {
    let server = ServerProcess::start_site("");
    assert_eq!(server.get("/api/likes").text(), r#"{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0}"#);
    for (fields, content, count) in [
        (FORM, "post=4", 1),
        (JSON, r#"{"post": 4}"#, 2),
        ("content-type: APPLICATION/JSON ; charset=utf-8\r\n", r#"{"x":[{}],"post":"4"}"#, 3),
        ("Content-Type: application/x-www-form-urlencoded;charset=UTF-8\r\n", "a=b&post=%34", 4),
        (&format!("{JSON}Accept: application/json, text/html;q=0.9\r\n"), r#"{"post":4}"#, 5),
    ] {
        let response = server.request("POST /api/likes", fields, content);
        assert_eq!(response.status, 201, "{content}: {}", response.text());
        assert_eq!(response.text(), format!("{{\"post\":4,\"likes\":{count}}}"));
        assert_eq!(response.field("content-type"), Some("application/json"));
    }
    assert_eq!(server.get("/api/likes").text(), r#"{"1":0,"2":0,"3":0,"4":5,"5":0,"6":0}"#);
}

#[test]
fn the_form_of_the_page_always_redirects_to_the_page() {
    let server = ServerProcess::start_site("");
    for (likes, accept) in [
        BROWSER,
        "Accept: text/html, text/*;q=0.5, image/*, application/*\r\n", // w3m
        "Accept: */*\r\n",                                             // links
        "Accept: application/json\r\n",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        let response = server.request("POST /like", &format!("{FORM}{accept}"), "post=2");
        let location = response.field("location");
        assert_eq!((response.status, location), (303, Some("/#post-2")), "{accept}");
        assert_eq!(response.content, b"");
        let count = format!("\"2\":{}", likes + 1);
        assert!(server.get("/api/likes").text().contains(&count), "the like is stored");
        // The API is for programs: it never redirects.
        let fields = format!("{FORM}{accept}");
        assert_eq!(server.request("POST /api/likes", &fields, "post=1").status, 201, "{accept}");
    }
    assert!(server.get("/").text().contains("id=\"post-2\""), "the target exists");
}

#[test]
fn a_form_that_cannot_be_stored_is_answered_with_a_page_that_says_why() {
    let server = ServerProcess::start_site("");
    for (fields, content, status, word) in [
        (FORM, "post=7", 404, "no such post"),
        (FORM, "post=x", 400, "&quot;post&quot; should be a post&#39;s number"),
        ("Content-Type: text/plain\r\n", "post=1", 415, "Send a form"),
        (&format!("{FORM}Origin: null\r\n"), "post=1", 403, "A page of another site"),
    ] {
        let response = server.request("POST /like", fields, content);
        is_page(&response, status);
        assert!(response.text().contains(word), "{}", response.text());
        has_a_way_back(&response);
    }
    let get = server.request("GET /like", BROWSER, "");
    is_page(&get, 405);
    assert_eq!(get.field("allow"), Some("POST, OPTIONS"));
}

#[test]
fn a_like_of_a_page_of_another_site_is_refused_with_the_reason_and_not_counted() {
    let server = ServerProcess::start_site("");
    let host = server.address.to_string();
    let foreign = [
        "Origin: https://evil.example\r\n".to_owned(),
        "Origin: null\r\n".to_owned(),
        "Origin: \r\n".to_owned(),
        "Origin: http://127.0.0.1:1\r\n".to_owned(),
        format!("Origin: http://{host}\r\nOrigin: https://evil.example\r\n"),
        format!("Origin: http://{host}.evil.example\r\n"),
        "Sec-Fetch-Site: cross-site\r\n".to_owned(),
        "Sec-Fetch-Site: same-site\r\n".to_owned(),
        format!("Origin: http://{host}\r\nSec-Fetch-Site: cross-site\r\n"),
    ];
    for fields in &foreign {
        for (path, media, content) in [
            ("/api/likes", FORM, "post=4"),
            ("/api/likes", JSON, r#"{"post": 4}"#),
            ("/like", FORM, "post=4"),
        ] {
            let request = format!(
                "POST {path} HTTP/1.1\r\nHost: {host}\r\n{fields}{media}Content-Length: {}\r\n\r\n\
                 {content}",
                content.len()
            );
            let mut client = server.client();
            client.send(request);
            let response = client.response();
            assert_eq!(response.status, 403, "{path} {fields}");
            assert!(response.text().contains("A page of another site"), "{}", response.text());
        }
    }
    assert_eq!(server.get("/api/likes").text(), r#"{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0}"#);
    // To read is not to change something, and a browser hides the response itself.
    assert_eq!(server.request("GET /api/likes", &foreign[0], "").status, 200);
}

#[test]
fn a_like_of_the_sites_own_page_is_stored_also_behind_a_proxy_that_keeps_host() {
    let server = ServerProcess::start_site("");
    let mut likes = 0;
    for (target, host, fields) in [
        ("/api/likes", "127.0.0.1:5000", "Origin: http://127.0.0.1:5000"),
        ("/api/likes", "[::1]:5000", "Origin: http://[::1]:5000"),
        ("/api/likes", "Example.test", "Origin: https://example.test"),
        ("/api/likes", "example.test:443", "Origin: https://example.test"),
        ("/api/likes", "example.test:80", "Origin: http://example.test"),
        ("/api/likes", "example.test:8443", "Origin: https://example.test:8443"),
        ("http://example.test/api/likes", "other.test", "Origin: https://example.test"),
        // The browser knows best, also where a proxy changes Host.
        (
            "/api/likes",
            "backend:5000",
            "Origin: https://example.test\r\nSec-Fetch-Site: same-origin",
        ),
        ("/api/likes", "127.0.0.1:5000", "Sec-Fetch-Site: none"),
        // No browser: curl, a program.
        ("/api/likes", "anything", "User-Agent: curl/8.5.0"),
    ] {
        let mut client = server.client();
        client.send(format!(
            "POST {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n{FORM}Content-Length: 6\r\n\r\npost=4"
        ));
        let response = client.response();
        assert_eq!(response.status, 201, "{host} {fields}: {}", response.text());
        likes += 1;
        assert_eq!(response.text(), format!("{{\"post\":4,\"likes\":{likes}}}"));
    }
}

#[test]
fn an_invalid_like_is_refused_with_the_reason_and_not_counted() {
    let server = ServerProcess::start_site("");
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
        (FORM, &"&".repeat(8 * 1024 + 1), 413, "8192 bytes"),
    ] {
        let response = server.request("POST /api/likes", fields, content);
        is_sentence(&response, status, word);
        let accept = "application/x-www-form-urlencoded, application/json";
        assert_eq!(response.field("accept"), (status == 415).then_some(accept), "{content}");
    }
    let response = server.request("PUT /api/likes", FORM, "post=1");
    assert_eq!((response.status, response.field("allow")), (405, Some("GET, HEAD, POST, OPTIONS")));
    assert_eq!(server.get("/api/likes").text(), r#"{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0}"#);
}

#[test]
fn while_another_program_has_changed_the_likes_file_likes_are_refused_and_the_log_says_why_once() {
    type Act = fn(&Path);
    let acts: [(&str, Act, Act); 2] = [
        (
            "the file was deleted or moved; put it back, or restart the server to begin a new one",
            |file| fs::rename(file, file.with_extension("moved")).unwrap(),
            |file| fs::rename(file.with_extension("moved"), file).unwrap(),
        ),
        (
            "the file was cut short; put its content back, or restart the server",
            |file| {
                fs::copy(file, file.with_extension("copy")).unwrap();
                fs::write(file, "").unwrap();
            },
            |file| assert_eq!(fs::copy(file.with_extension("copy"), file).unwrap(), 40),
        ),
    ];
    for (expected, change, put_back) in acts {
        let folder = Folder::new();
        let file = folder.file("likes");
        let start = || ServerProcess::start_site_with_likes(&file, "");
        let server = start();
        let like = || server.request("POST /api/likes", FORM, "post=1");
        assert_eq!(like().status, 201);
        change(&file);
        for _ in 0..3 {
            is_sentence(&like(), 500, "another program has changed, moved or deleted the file");
        }
        put_back(&file);
        assert_eq!(like().text(), r#"{"post":1,"likes":2}"#);
        let stderr = server.stop().stderr;
        assert_eq!(stderr.matches("likes cannot be stored for now").count(), 1, "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
        assert!(start().get("/api/likes").text().starts_with("{\"1\":2,"));
    }
}

// The page that needs a key.

#[test]
fn staff_answers_200_to_the_right_key_and_401_to_all_else() {
    let server = with_key("");
    let get_staff = |field: &str| server.request("GET /staff", field, "");
    for field in [
        "Authorization: Basic c3RhZmY6YWJjOjEyMyt4eXo=\r\n", // staff:abc:123+xyz
        "authorization: bAsIc OmFiYzoxMjMreHl6\r\n",         // :abc:123+xyz
        "Authorization: Bearer abc:123+xyz\r\n",
    ] {
        let response = get_staff(field);
        is_page(&response, 200);
        assert_eq!(response.field("cache-control"), Some("no-store"));
        assert!(!response.text().contains(KEY), "the key is not repeated");
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
        let response = get_staff(field);
        is_sentence(&response, 401, "Authorization: Bearer");
        let challenges = response.fields("www-authenticate");
        let basic = "Basic realm=\"staff\", charset=\"UTF-8\"";
        assert_eq!(challenges, [basic, "Bearer realm=\"staff\""], "{field}");
    }
    is_page(&get_staff(BROWSER), 401);
    // No key, a wrong one and two are three different things to mend.
    let wrong = "Authorization: Bearer x\r\n";
    for (fields, title) in [
        ("", "Kitchen staff only"),
        (wrong, "That is not the key"),
        (&wrong.repeat(2), "One key at a time"),
    ] {
        is_sentence(&get_staff(fields), 401, title);
    }
    let Exit { stderr, .. } = server.stop();
    assert!(stderr.contains("/staff") && !stderr.contains(KEY), "{stderr}");
}

#[test]
fn without_a_key_staff_answers_403_and_says_how_to_set_one() {
    for variables in [&[][..], &[("API_KEY", "")]] {
        let server = ServerProcess::start_site_with_env("", variables);
        let response = server.request("GET /staff", "Authorization: Bearer \r\n", "");
        is_sentence(&response, 403, "export API_KEY");
        assert!(response.fields("www-authenticate").is_empty(), "no key would be accepted");
    }
}

#[test]
fn a_key_that_no_client_can_send_is_told_at_the_start() {
    for (key, why) in [("abc\n", "a line end"), ("a\tb", "a control"), (" abc", "spaces around")] {
        let server = ServerProcess::start_site_with_env("", &[("API_KEY", key)]);
        let fields = "Authorization: Bearer abc\r\n";
        is_sentence(&server.request("GET /staff", fields, ""), 403, "export API_KEY");
        let stderr = server.stop().stderr;
        assert!(stderr.contains("error: API_KEY is unusable") && stderr.contains(why), "{stderr}");
    }
}

#[test]
fn a_key_in_a_query_is_refused_with_the_reason_and_never_logged() {
    let server = with_key("");
    for query in [
        "key=abc:123+xyz",
        "q=1&API_KEY=abc:123%2Bxyz",
        "appid=abc%3A123%2Bxyz",
        "%6bey=abc:123+xyz",
        "q=abc:123+xyz",
        "q=abc%3A123%2Bxyz",
        "abc:123+xyz",
    ] {
        let authorization = format!("Authorization: Bearer {KEY}\r\n");
        let response = server.request(&format!("GET /staff?{query}"), &authorization, "");
        is_sentence(&response, 400, "does not belong in a URL");
        assert!(!response.text().contains("123"), "{query}: {}", response.text());
    }
    let Exit { stderr, .. } = server.stop();
    assert_eq!(stderr.matches("/staff").count(), 7, "{stderr}");
    // Times and ports in the log may contain 123, so only the other parts of the key are checked.
    for line in stderr.lines().filter(|line| line.contains("/staff")) {
        assert!(!line.contains("abc") && !line.contains("xyz"), "the key is in the log: {line}");
    }
}

// Mirrors.

#[test]
fn echo_returns_the_content_with_its_media_type() {
    let server = ServerProcess::start_site("");
    let response = server.request("POST /echo", "Content-Type: a/b;c=d\r\n", "<b>\0\r\n\u{e9}");
    assert_eq!((response.status, response.text()), (200, "<b>\0\r\n\u{e9}"));
    assert_eq!(response.field("content-type"), Some("a/b;c=d"));
    assert_eq!(response.field("x-content-type-options"), Some("nosniff"));
    let response = server.request("POST /echo", "", "");
    assert_eq!((response.status, response.content.len()), (200, 0));
    let chunked = "Transfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n1;x=y\r\no\r\n0\r\nA: b\r\n";
    assert_eq!(server.request("POST /echo", chunked, "").text(), "hello");
}

#[test]
fn the_practice_cookie_counts_and_says_what_it_was_given() {
    let site = ServerProcess::start_site("");
    let no_number = "Your cookie has no number that counts, so this is visit 1.";
    for (field, said, visits) in [
        ("", "You sent no cookie, so this is visit 1.", 1),
        ("Cookie: visits=1\r\n", "Your cookie says 1, so this is visit 2.", 2),
        ("Cookie: a=1; visits=41\r\n", "Your cookie says 41, so this is visit 42.", 42),
        ("Cookie: a=1\r\nCookie: visits=4\r\n", "Your cookie says 4, so this is visit 5.", 5),
        ("Cookie: visits=999\r\n", "Your cookie says 999, so this is visit 1000.", 1000),
        ("Cookie: visits=1000\r\n", "Your cookie says 1000. The count ends at 1000.", 1000),
        ("Cookie: visits=5000\r\n", "Your cookie says 5000. The count ends at 1000.", 1000),
        ("Cookie: visits=99999999999\r\n", no_number, 1),
        ("Cookie: visits=-1\r\n", no_number, 1),
        ("Cookie: visits=\r\n", no_number, 1),
        (
            "Cookie: lang=en\r\n",
            "You sent a cookie, but not one named visits, so this is visit 1.",
            1,
        ),
    ] {
        let response = site.request("GET /lesson/cookie", field, "");
        assert_eq!(response.text(), format!("{said}\n"), "{field}");
        let set = response.field("set-cookie").expect("a cookie");
        assert!(set.starts_with(&format!("visits={visits}; ")), "{field}: {set}");
    }
}

#[test]
fn raw_returns_the_bytes_of_the_request() {
    let server = ServerProcess::start_site("");
    let mut client = server.client();
    for request in [
        "GET /raw HTTP/1.1\r\nHOST: h\r\nx-B:  two  blanks \t\r\nX-a:\r\nx-b: again\r\n\r\n",
        "\r\nGET /raw?q=%41 HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET http://h/%72aw HTTP/1.1\r\nHost: other\r\n\r\n",
        "POST /raw HTTP/1.1\r\nHost: h\r\nContent-Length: 004\r\n\r\n\0\r\n\x7f",
        "POST /raw HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n\
         003;a=\"b\"\r\nabc\r\n00;c\r\nTrailer: t\r\n\r\n",
    ] {
        client.send(request);
        let response = client.response();
        assert_eq!((response.status, response.text()), (200, request));
        assert_eq!(response.field("content-type"), Some("text/plain; charset=utf-8"));
    }
    client.send(b"POST /raw HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nX: \xe9\r\n\r\n\xff\xfe");
    let response = client.response();
    assert!(response.content.ends_with(b"X: \xe9\r\n\r\n\xff\xfe"), "bytes that are not UTF-8");
    assert_eq!(response.field("content-type"), Some("application/octet-stream"));
    assert_eq!(response.field("x-content-type-options"), Some("nosniff"));
}

#[test]
fn fields_returns_the_fields_as_a_handler_gets_them() {
    let server = ServerProcess::start_site("");
    let mut client = server.client();
    client.send(
        "GET /fields HTTP/1.1\r\nHOST: h\r\nx-B:  two  blanks \t\r\nX-a:\r\nx-b: again\r\n\r\n",
    );
    assert_eq!(client.response().text(), "HOST: h\nx-B: two  blanks\nX-a: \nx-b: again\n");
    client.send("POST /fields HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(Response::parse(&client.read_to_end()).text(), "Content-Length: 2\n");
}

// What a request costs.

/// The most processor time of a request: 1 ms, and 2 ms for a megabyte of content that arrives. A test
/// build is about ten times slower than a release.
const MOST_TIME: Duration = Duration::from_millis(if cfg!(debug_assertions) { 12 } else { 1 });

/// A text of `length` bytes or a few less: `unit` again and again.
fn repeated(unit: &str, length: usize) -> String {
    unit.repeat(length / unit.len())
}

/// Checks the processor time of one such request. It is the least of three measurements.
#[track_caller]
fn costs_little(server: &ServerProcess, line: &str, fields: &str, content: &str) {
    const REQUESTS: u32 = if cfg!(debug_assertions) { 10 } else { 30 }; // enough ticks of 10 ms
    let mebibytes = content.len().div_ceil(1 << 20) as u32;
    let (most, mut least) = (MOST_TIME * (1 + 2 * mebibytes), Duration::MAX);
    let length = content.len();
    let request =
        format!("{line} HTTP/1.1\r\nHost: h\r\n{fields}Content-Length: {length}\r\n\r\n{content}");
    for _ in 0..3 {
        let before = processor_time(server.id());
        let mut client = server.client();
        for _ in 0..REQUESTS {
            client.send(&request);
            assert!(client.response().status < 500, "{line:.60}");
        }
        least = least.min((processor_time(server.id()) - before) / REQUESTS);
        if least <= most {
            return;
        }
    }
    panic!("{line:.60} {fields:.60} {content:.60}: {least:?} a request");
}

#[test]
fn no_request_of_legal_size_costs_more_than_a_millisecond() {
    let server = with_key("");
    // The target has 8 KiB at most.
    for unit in ["=&", "a&", "a=b&", "%6b=&", "key=x&", "&", "%25", "+"] {
        let query = repeated(unit, 8 * 1024 - 20);
        for path in ["/staff", "/", "/contact", "/raw", "/fields", "/api/posts", "/nowhere"] {
            costs_little(&server, &format!("GET {path}?{query}"), "", "");
        }
    }
    for (start, unit) in [("/", "%41"), ("/", "%25"), ("/", "'"), ("/%", "25")] {
        let path = repeated(unit, 8 * 1024 - 20);
        costs_little(&server, &format!("GET {start}{path}"), BROWSER, "");
    }
    // The head has 16 KiB at most.
    for unit in [",", "a,", ";,", "*/*,", "*/*;q=0.1,", "*/*;;;;,", "text/html;", "\"", "\"\\,"] {
        let accept = format!("Accept: {}\r\n", repeated(unit, 16 * 1024 - 200));
        for line in ["GET /nowhere", "GET /like", "GET /staff"] {
            costs_little(&server, line, &accept, "");
        }
    }
    for key in [repeated("QUFB", 16_000), repeated("k", 1024), repeated(" ", 16_000)] {
        for scheme in ["Basic", "Bearer"] {
            costs_little(&server, "GET /staff", &format!("Authorization: {scheme} {key}x\r\n"), "");
        }
    }
    let origin = format!("{FORM}Origin: http://{}\r\n", repeated("A", 16_000));
    costs_little(&server, "POST /like", &origin, "post=1");
    let many = (0..98).map(|number| format!("x{number}: {}\r\n", repeated("y", 150)));
    costs_little(&server, "GET /fields", &many.collect::<String>(), "");
    // The content has 1 MiB at most.
    for length in [8 * 1024, 1 << 20] {
        for unit in ["=&", "a=b&", "post=1&", "&"] {
            let form = repeated(unit, length);
            costs_little(&server, "POST /api/likes", FORM, &form);
            costs_little(&server, "POST /like", &format!("{FORM}{BROWSER}"), &form);
        }
        for (start, unit) in [("{\"a\":", "["), ("{\"a\":[", "1,"), ("{", "\"\":1,"), ("{", " ")] {
            let json = format!("{start}{}", repeated(unit, length - start.len()));
            costs_little(&server, "POST /api/likes", JSON, &json);
        }
        for path in ["/echo", "/raw", "/fields"] {
            costs_little(&server, &format!("POST {path}"), "", &repeated("x", length));
        }
    }
}

// The log and the health check.

#[test]
fn the_log_has_a_line_for_each_exchange_and_masks_values_that_may_be_keys() {
    let server = ServerProcess::start_site_with_env("", &[("RUST_LOG", "info")]);
    server.get("/about?appid=s3cret&city=Pune&API-Key=s3cret&%74oken=s3cret");
    server.get("/nowhere?q=%0aforged");
    assert_eq!(server.request("POST /echo", "", "post").status, 200);
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost : h\r\n\r\n");
    assert_eq!(client.response().status, 400);
    drop(client);
    let Exit { stderr, .. } = server.stop();
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
fn a_refusal_is_logged_before_its_exchange_and_another_protocol_is_warned_of_once() {
    let exchange = ("info", "\"- -\" 400 ");
    let [tls, ssh] = [("warn", "open a TLS connection"), ("warn", "an SSH client")];
    let [old, blank] = [("warn", "as HTTP/0.9 did"), ("warn", "an empty line is no request")];
    let (again, wrong) = (("info", tls.1), ("info", "between a header field's name and its colon"));
    for (log, expected) in [
        ("warn", &[tls, ssh, old, blank][..]),
        ("info", &[tls, ssh, old, again, blank, wrong].map(|line| [line, exchange]).concat()),
    ] {
        let server = ServerProcess::start_site_with_env("", &[("RUST_LOG", log)]);
        let (hello, wrong) = ("\x16\x03\x01", "GET / HTTP/1.1\r\nHost : h\r\n");
        for bytes in [hello, "SSH-2.0-x\r\n", "GET /\r\n", hello, "\r\n\r\n", wrong] {
            let mut client = server.client();
            client.send(bytes);
            assert_eq!(Response::parse(&client.read_to_end()).status, 400);
        }
        let Exit { stderr, .. } = server.stop();
        assert_eq!(stderr.lines().count(), expected.len(), "{stderr}");
        for (line, (level, part)) in stderr.lines().zip(expected) {
            let matches =
                line.starts_with(&format!("openkitchen: {level}: ")) && line.contains(part);
            assert!(matches, "{level} {part:?}: {stderr}");
        }
    }
}

#[test]
fn healthz_answers_ok_and_is_not_in_the_log() {
    let server = ServerProcess::start_site_with_env("", &[("RUST_LOG", "info")]);
    let response = server.get("/healthz");
    assert_eq!((response.status, response.text()), (200, "ok"));
    assert_eq!(response.field("cache-control"), Some("no-store"));
    assert_eq!(server.get("/about").status, 200);
    let Exit { stderr, .. } = server.stop();
    assert!(stderr.contains("/about") && !stderr.contains("healthz"), "{stderr}");
}

#[test]
fn without_rust_log_successful_requests_log_nothing() {
    let server = ServerProcess::start_site("");
    server.get("/");
    server.get("/nowhere");
    let Exit { code, stdout, stderr } = server.stop();
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.lines().all(|line| line.starts_with("# ")), "{stdout}");
}
