//! Tests of `openkitchen explain`: the command with its input and output, and the explanations of broken
//! messages.

use std::io::Write;
use std::process::{Command, Stdio};
use std::{env, fs, thread};

use openkitchen::Transcript;
use openkitchen::transcript::Item;
use openkitchen::transcript::explain::{Remark, annotate, explain};
use openkitchen::transcript::glossary::FIELDS;

/// Runs the command with this input. Returns the exit code, stdout and stderr.
fn run(arguments: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openkitchen"));
    command.env_clear().arg("explain").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = thread::spawn(move || {
        let _ = stdin.write_all(&input); // the command may have ended before it read
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Returns the explanation of these bytes. It must be printable ASCII with lines of at most 80
/// columns.
#[track_caller]
fn explained(arguments: &[&str], input: &[u8]) -> String {
    let (code, stdout, stderr) = run(arguments, input);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for line in stdout.lines() {
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
        assert!(line.len() <= 80, "{} columns: {line}", line.len());
    }
    stdout
}

/// Checks that the output has lines that start like these, in this order. Other lines may be between them.
#[track_caller]
fn has_lines(output: &str, lines: &[&str]) {
    let mut rest = output.lines();
    for line in lines {
        assert!(rest.any(|found| found.starts_with(line)), "{line:?} is missing:\n{output}");
    }
}

#[test]
fn a_request_of_curl_is_explained_line_by_line() {
    let output = explained(
        &[],
        b"GET /search?q=tea&appid=abc123 HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nUser-Agent: curl/8.5.0\r\n\
          Accept: */*\r\nAuthorization: Bearer abc123\r\n\r\n",
    );
    has_lines(
        &output,
        &[
            "GET /search?q=tea&appid=abc123 HTTP/1.1",
            "    GET: asks for the current representation",
            "    /search: the path",
            "    q=tea: a parameter of the query: q is \"tea\" (RFC 3986 section 3.4)",
            "    appid: a key in the query, which is the worst place",
            "      Referer keep the target; send it in a field such as Authorization",
            "      (RFC 9110 section 17.9)",
            "    HTTP/1.1: the version",
            "Host: 127.0.0.1:5000",
            "    Host: which host",
            "    127.0.0.1:5000: the host 127.0.0.1 and the port 5000",
            "User-Agent: curl/8.5.0",
            "Accept: */*",
            "    Accept: the media types",
            "Authorization: Bearer abc123",
            "    Bearer: a token",
            "",
            "    the empty line: the head ends here, and so does the request",
            "    the client would keep the connection open",
        ],
    );
    assert_eq!(output.matches("abc123").count(), 2, "no explanation repeats a secret");
}

#[test]
fn a_response_in_chunks_is_explained_chunk_by_chunk() {
    let output = explained(
        &[],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: id=1; Secure; HttpOnly\r\n\
          Cache-Control: no-store\r\nConnection: close\r\n\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nX-Sum: 1\r\n\r\n",
    );
    has_lines(
        &output,
        &[
            "    200: the request succeeded",
            "    chunked: in chunks",
            "    Secure: send it by https only",
            "    no-store: do not keep it at all",
            "    the empty line: the head ends here; the body (content) follows in chunks",
            "    the connection ends after this exchange: Connection says close",
            "1a",
            "    1a: a chunk's size in hex: 26 bytes of content follow",
            "abcdefghijklmnopqrstuvwxyz",
            "0",
            "    0: the last chunk",
            "X-Sum: 1",
            "    a trailer",
            "    the content ends here: 26 bytes in 1 chunk (RFC 9112 section 7.1)",
        ],
    );
}

#[test]
fn a_broken_request_is_shown_with_a_caret_and_a_corrected_line() {
    let output = explained(&[], b"GET / HTTP/1.1\r\nHost : example.test\r\n\r\n");
    let expected = "\
Host : example.test
    broken here, and a strict server answers 400 Bad Request: a space stands
      between a header field's name and its colon
        Host : example.test
            ^
        Host: example.test
    RFC 9112 section 5.1: put the colon directly after the name
    why: one program ignores the space, and another takes it as a part of the
      name and does not know that field: the two see different requests
";
    assert!(output.contains(expected), "{output}");
}

/// Broken messages, a part of their fault's text, and a part of the text that says where they end.
#[rustfmt::skip]
const BROKEN: [(&str, &str, &str); 68] = [
    // Requests: the first line.
    ("GET /\r\n\r\n", "without a version", ""),
    ("GET  / HTTP/1.1\r\n", "with one space between each", ""),
    ("GET /a b HTTP/1.1\r\n", "with one space between each", ""),
    (" GET / HTTP/1.1\r\n", "with one space between each", ""),
    ("GET / http/1.1\r\n", "in capitals", ""),
    ("GET / HTTP/3.0\r\n", "speaks HTTP/1.1 and HTTP/1.0 only", ""),
    ("GET about HTTP/1.1\r\nHost: h\r\n\r\n", "begins with a slash", "so does the request"),
    ("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", "a # that begins none is written %23", "so does the request"),
    ("GET /% HTTP/1.1\r\nHost: h\r\n\r\n", "two hex digits", "so does the request"),
    ("get / HTTP/1.1\r\nHost: h\r\n\r\n", "own server answers 501", "so does the request"),
    ("{\"a\": 1}\r\n", "not allowed in a method", ""),
    ("\r\n\r\n", "only one may stand before", ""),
    ("GET / HT", "the message stops within its head", ""),
    // Requests: fields.
    ("GET / HTTP/1.1\r\n\r\n", "must say which host", "so does the request"),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "two Host header fields", "so does the request"),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "not a host", "so does the request"),
    ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", "a space stands between", ""),
    ("GET / HTTP/1.1\r\n Host: h\r\n\r\n", "white space stands between", ""),
    ("GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", "once continued the line before", ""),
    ("GET / HTTP/1.1\r\nNoColon\r\n\r\n", "no colon", ""),
    ("GET / HTTP/1.1\r\n: v\r\n\r\n", "not allowed in a header field's name", ""),
    ("GET / HTTP/1.1\r\nX: a\x07b\r\n\r\n", "a control byte", ""),
    ("GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", "ends in LF alone", "so does the request"),
    ("GET / HTTP/1.1\rHost: h\r\r\n", "a CR stands alone", ""),
    ("GET / HTTP/1.1\r\nHost: h\r\nAcc", "the message stops within its head", ""),
    // Requests: where the content ends.
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\nhi", "not a number", "not a number of bytes"),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -2\r\n\r\nhi", "not a number", "not a number of bytes"),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\nhi", "not a number", "not a number of bytes"),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!", "two lengths", "because there are two lengths"),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2, 2\r\n\r\nhi", "may take as one length", "the content ends here: 2 bytes"),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", "may take as one length", "the content ends here: 2 bytes"),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\nhi", "not the last", "its last coding is not chunked"),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", "both say where", "0 bytes in 0 chunks"),
    ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.0 has no Transfer-Encoding", "0 bytes in 0 chunks"),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhi", "7 more were promised", "ends after 9 bytes"),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi there", "after the end of the message before", "the content ends here: 2 bytes"),
    ("POST / HTTP/1.1\r\nHost: h\r\n\r\na=b", "after the end of the message before", "so does the request"),
    // Chunks, in either direction.
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n", "not a number in hex", "in chunks"),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;\r\n", "not an extension", "in chunks"),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n", "ends in LF alone", "in chunks"),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "64 bits", "in chunks"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n", "so its size was wrong", "in chunks"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "2 more were promised by its size", "in chunks"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "before its last chunk", "in chunks"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "but the empty line that ends the message is missing", "in chunks"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n", "must not be a trailer", "0 bytes in 0 chunks"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n", "no colon", "in chunks"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello", "not a number in hex", "in chunks"),
    // Responses.
    ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "the space after the status code", "Content-Length is 0"),
    ("HTTP/1.1 20 OK\r\n\r\n", "three digits", ""),
    ("HTTP/1.1 99 Low\r\n\r\n", "three digits", ""),
    ("HTTP/1.1 2000 OK\r\n\r\n", "three digits", ""),
    ("HTTP/1.1 700 High\r\nContent-Length: 0\r\n\r\n", "treats it as a 5xx", "Content-Length is 0"),
    ("HTTP/2 200\r\nserver: x\r\n\r\n", "a tool wrote this line", ""),
    ("HTTP/2.0 200 OK\r\nserver: x\r\n\r\n", "a tool wrote this line", ""),
    ("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "ends in LF alone", "Content-Length is 0"),
    ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "once continued the line before", ""),
    ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhi", "not a number", "not a number of bytes"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!", "two lengths", "because there are two lengths"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", "7 more were promised", "ends after 9 bytes"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi there", "after the end of the message before", "the content ends here: 2 bytes"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi", "may take as one length", "the content ends here: 2 bytes"),
    ("HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\nhello", "must not have content", "the content ends here: 5 bytes"),
    ("HTTP/1.1 205 Reset Content\r\n\r\nhello", "must not have content", "ends when the server closes"),
    ("HTTP/1.1 204 No Content\r\n\r\nhi", "after the end of the message before", "204 and 304 have no content"),
    ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "how long it is", "204 and 304 have no content"),
    ("HTTP/1.1 304 Not Modified\r\n\r\n<html>", "after the end of the message before", "204 and 304 have no content"),
    ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.0 has no Transfer-Encoding", "0 bytes in 0 chunks"),
];

#[test]
fn each_broken_message_has_one_fault_and_says_where_it_ends() {
    for (message, fault, end) in BROKEN {
        let remarks = explain(message.as_bytes(), None, None);
        let faults: Vec<_> = remarks.iter().filter(|remark| remark.is_fault).collect();
        assert!(faults.len() == 1 && faults[0].text.contains(fault), "{message:?}: {faults:#?}");
        // At a missing byte, and in content, there is no picture.
        let mut without = ["stops", "promised", "last chunk", "missing", "content"].iter();
        let has_picture = faults[0].text.contains("\n    ");
        assert!(has_picture || without.any(|text| fault.contains(text)), "{faults:?}");
        let says_end = |remark: &Remark| !remark.is_fault && remark.text.contains(end);
        assert!(end.is_empty() || remarks.iter().any(says_end), "{message:?}: {remarks:#?}");
    }
}

#[test]
fn another_protocol_is_recognised_by_its_first_line() {
    let output = explained(&[], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0");
    assert!(
        output.starts_with(
            "PRI * HTTP/2.0\n    this is HTTP/2, as its preface shows, and cannot be read as HTTP/1.1\n"
        ),
        "{output}"
    );
}

#[test]
fn each_field_name_is_explained() {
    let explained = FIELDS.rows().filter(|[name, ..]| {
        let head = format!("HTTP/1.1 200 OK\r\n{name}: x\r\nContent-Length: 0\r\n\r\n");
        let remarks = explain(head.as_bytes(), None, None);
        remarks.iter().any(|remark| remark.about == *name && !remark.text.is_empty())
    });
    assert!(explained.count() >= 200);
}

#[test]
fn what_browsers_cdns_and_frameworks_send_is_in_the_glossary() {
    let fields = "Accept-CH Cache-Status CDN-Cache-Control CDN-Loop CF-Ray CF-IPCountry Clear-Site-Data \
        Content-Digest Content-Security-Policy-Report-Only Cross-Origin-Embedder-Policy \
        Cross-Origin-Opener-Policy Cross-Origin-Resource-Policy DAV Deprecation Depth Destination If \
        Lock-Token Mcp-Session-Id NEL Overwrite Report-To Reporting-Endpoints Repr-Digest \
        RateLimit-Policy Sec-CH-UA-Arch Sec-Fetch-Storage-Access Signature Signature-Input Sunset \
        Timeout Timing-Allow-Origin traceparent tracestate X-Powered-By X-RateLimit-Limit";
    let methods = "ACL CHECKOUT COPY LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE PROPFIND PROPPATCH PURGE \
        QUERY REPORT SEARCH UNLOCK";
    for field in fields.split_whitespace() {
        let request = format!("GET / HTTP/1.1\r\nHost: h\r\n{field}: x\r\n\r\n");
        let output = explained(&[], request.as_bytes());
        assert!(output.contains(&format!("\n    {field}: ")), "{output}");
        assert!(!output.contains("not in this glossary"), "{output}");
        assert!(!output.contains("one application or vendor"), "{output}");
    }
    for method in methods.split_whitespace() {
        let output = explained(&[], format!("{method} / HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        assert!(output.contains(&format!("\n    {method}: ")), "{output}");
        assert!(!output.contains("not in this glossary"), "{output}");
    }
}

#[test]
fn a_server_that_speaks_another_protocol_is_recognised() {
    for (bytes, protocol) in [
        ("\\x15\\x03\\x03\\0\\x02\\x02\\x46\\", "TLS"),
        ("\\0\\0\\x12\\x04\\0\\0\\0\\0\\0\\0\\x03\\0\\0\\0\\x80\\", "HTTP/2"),
        ("SSH-2.0-OpenSSH_9.6", "SSH"),
        ("RTSP/1.0 400 Bad Request", "RTSP"),
        ("ICAP/1.0 400 Bad request", "ICAP"),
        ("SIP/2.0 400 Bad Request", "SIP"),
    ] {
        let transcript =
            format!(">>>\nGET / HTTP/1.1\nHost: h\n\n<<<\n{bytes}\n--- server closed\n");
        let output = explained(&[], transcript.as_bytes());
        assert!(output.contains(&format!("\n# this is {protocol}, ")), "{output}");
        assert!(!output.contains("broken"), "{output}");
    }
    // In a capture, the bytes show the side.
    let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    for (before, bytes, advice) in [
        (
            &request[..],
            &b"\x15\x03\x03\0\x02\x02\x46"[..],
            "use https:// if the request was plain HTTP",
        ),
        (b"", b"\x16\x03\x03\0\x7a\x02\0\0\x76", "use a port of the server that speaks plain HTTP"),
        (b"", b"\x16\x03\x01\0\x7a\x01\0\0\x76", "use http:// instead of https://"),
    ] {
        let output = explained(&[], &[before, bytes].concat());
        assert!(output.contains(advice), "{output}");
    }
}

#[test]
fn lines_that_end_in_lf_alone_are_read_with_a_remark() {
    let output = explained(&[], b"POST /a HTTP/1.1\nHost: h\nContent-Length: 6\n\nhello\n");
    has_lines(
        &output,
        &[
            "POST /a HTTP/1.1",
            "    the lines end in LF alone",
            "    POST: ",
            "hello\\n",
            "    the content ends here: 6 bytes, as Content-Length said",
        ],
    );
    assert!(!output.contains("broken"), "{output}");
}

/// Returns the explanation of a file of pasted text. Nothing in it is broken.
#[track_caller]
fn explained_pasted(name: &str) -> String {
    let path = format!("{}/tests/cli/pasted/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let output = explained(&[&path], b"");
    assert!(!output.contains("broken") && !output.contains("stops"), "{output}");
    output
}

#[test]
fn what_curl_v_prints_is_explained_as_a_transcript() {
    let hello = ["hello\\", "# the content ends here: 5 bytes, as Content-Length said"];
    let head_end = "# the empty line: the head ends here, and so does the response: HEAD";
    for (name, method, ends) in [
        ("curl-v-in-a-terminal", "GET", &hello[..]),
        (
            "curl-v-chunked",
            "GET",
            &["5", "hello", "0", "# the content ends here: 5 bytes in 1 chunk"],
        ),
        (
            "curl-v-post-to-a-file",
            "POST",
            &["\\{5 bytes}\\", "# the content ends here: 5 bytes, as"],
        ),
        ("curl-v-head", "HEAD", &[head_end]),
    ] {
        let output = explained_pasted(name);
        let method = format!("# {method}: ");
        let lines =
            ["# this is what curl -v prints", ">>>", &method, "<<<", "HTTP/1.1 200 OK", "# 200: "];
        has_lines(&output, &lines);
        has_lines(&output, ends);
        assert!(!output.contains("laptop") && !output.contains("Connected"), "{output}");
        assert!(Transcript::parse(&output).is_ok(), "{output}");
    }
    has_lines(&explained_pasted("curl-v-post-to-a-file"), &["\\{3 bytes}\\", "# POST: "]);
    let lines = [
        "HTTP/1.1 100 Continue",
        "",
        "HTTP/1.1 201 Created",
        "{\"post\":3,\"likes\":1}\\",
        "# the empty line: the head ends here, and so does this interim response",
        "# the content ends here: 20 bytes",
        "POST /nothing HTTP/1.1",
        "# the content ends here: 128 bytes",
    ];
    has_lines(&explained_pasted("curl-v-100-continue"), &lines);
}

#[test]
fn heads_of_http_2_are_explained_as_what_they_are() {
    let end = "    in HTTP/2 and HTTP/3, a flag in the binary data says where the head and the";
    for (name, lines) in [
        (
            "curl-v-http2",
            &["HEAD / HTTP/2", "    HTTP/2: the version of 2015", "HTTP/2 200 ", "    200: "][..],
        ),
        (
            "firefox-raw",
            &["GET / HTTP/2", "    these are heads as a browser", "    Host: ", "TE: trailers"],
        ),
        ("firefox-raw-response", &["HTTP/2 200", "    200: ", "    br: compressed"]),
        (
            "chrome-pseudo-fields",
            &[
                "    :authority: the host and the port; HTTP/1.1 has them in the field Host",
                "    www.example.com: a host; no port is written",
                "    :method: the method; in HTTP/1.1, the first word",
                "    POST: ",
                "    :path: the target; in HTTP/1.1, the second word",
                "    /api/likes: the path",
                "    :scheme: http or https",
            ],
        ),
        (
            "chrome-two-lines",
            &[
                ":authority: www.example.com",
                "    each name and its value stood in two lines; here they are in one",
                ":path: /search?q=tea",
                "    q=tea: a parameter of the query",
                "cookie: session=abc123",
                "    session: the name of a cookie",
            ],
        ),
    ] {
        let output = explained_pasted(name);
        has_lines(&output, lines);
        has_lines(&output, &[end]);
        assert!(!output.contains("the connection stays open for the next"), "{output}");
        assert!(!output.contains("the empty line: the head ends"), "{output}");
    }
}

#[test]
fn what_curl_i_prints_of_http_2_is_not_broken() {
    let head = "HTTP/2 301 \nlocation: https://www.example.com/\nserver: nginx\n\n";
    let end = "    the content is left out here; in HTTP/2 and HTTP/3, a flag";
    for (text, lines) in [
        (head.to_owned(), &["HTTP/2 301", "    301: ", "server: nginx"][..]),
        (format!("{head}<html>\n<p>caf\u{e9}\n"), &["HTTP/2 301", "    301: ", end]),
        (format!("$ curl -i h\n{head}\n\n{{}}\n"), &["HTTP/2 301", "    301: ", end]),
        (format!("{head}HTTP/2 200 \ndate: x\n\nhi\n"), &["    301: ", "HTTP/2 200", end]),
        (head.replace('\n', "\r\n") + "hi", &["HTTP/2 301", "    301: ", end]),
        ("HTTP/2 204 \nx-a: b\n\n".into(), &["HTTP/2 204", "    204: "]),
        ("HTTP/3 204 \n\n".into(), &["HTTP/3 204", "    204: "]),
    ] {
        let output = explained(&[], text.as_bytes());
        has_lines(&output, lines);
        assert!(!output.contains("broken") && !output.contains("html"), "{output}");
    }
    // Two heads of a browser are no head with content.
    let both = "HTTP/2 200\nserver: x\n\nRequest Headers\naccept: a/b\nhost: h\n";
    has_lines(&explained(&[], both.as_bytes()), &["server: x", "accept: a/b", "host: h"]);
}

#[test]
fn a_url_or_a_command_gets_one_remark() {
    for (text, expected) in [
        ("http://127.0.0.1:5000/about?x=1#top\n", "    this is a URL and not a message"),
        ("curl 'http://h/' \\\n  --data-raw '{}'\n", "    this is a command for curl and"),
    ] {
        let output = explained(&[], text.as_bytes());
        has_lines(&output, &[expected]);
        assert_eq!(output.matches("\n    ").count(), 2, "{output}");
    }
}

#[test]
fn heads_that_a_browser_copies_need_no_first_line_and_no_end() {
    let output = explained_pasted("chrome-general");
    let lines = [
        "connection: close",
        "content-length: 25",
        "",
        "accept: */*",
        "    the first line is missing",
    ];
    has_lines(&output, &lines);
    let output = explained_pasted("chrome-raw");
    has_lines(
        &output,
        &[
            "GET /about HTTP/1.1",
            "sec-ch-ua-platform: \"Linux\"",
            "    the empty line that ends the head is missing",
            "",
            "    the empty line: the head ends here, and so does the request",
        ],
    );
    // The content of a copied head is not missing.
    let head = b"HTTP/1.1 200 OK\nServer: x\nContent-Length: 9\n";
    let output = explained(&[], head);
    assert!(!output.contains("stops"), "{output}");
    has_lines(&output, &["    the empty line: the head ends here; the body (content) follows"]);
    // A message with the line ends of HTTP is not pasted.
    let output = explained(&[], b"GET / HTTP/1.1\r\nHost: h\r\n");
    has_lines(&output, &["    the message stops within its head"]);
}

#[test]
fn the_line_of_a_shell_is_left_out() {
    let output = explained_pasted("curl-i-with-a-prompt");
    has_lines(
        &output,
        &[
            "HTTP/1.1 200 OK",
            "    the line with the prompt of a shell is left out",
            "    none of this is in your three lines",
            "Welcome to RohithBuilds Backend!\\",
            "    the content ends here: 32 bytes",
        ],
    );
    let head = b"$ curl -I http://h/\nHTTP/1.1 200 OK\nContent-Length: 9\n\n";
    let end = "    the empty line: the head ends here, and so does the response: HEAD";
    has_lines(&explained(&[], head), &[end]);
}

#[test]
fn fields_of_the_real_world_are_explained_without_a_wrong_word() {
    let output = explained_pasted("real-world-fields");
    has_lines(
        &output,
        &[
            "    Access-Control-Request-Method: a preflight",
            "    Digest: a proof that the client knows the password",
            "    multipart/byteranges: several parts in one body",
            "    boundary=THIS: a line of two hyphens and this text",
            "Set-Cookie: id=a3fWa; Expires=Thu, 31 Oct 2030 07:28:00 GMT",
            "    Expires=Thu, 31 Oct 2030 07:28:00 GMT: keep it until then",
            "    no-cache=\"set-cookie, x\": a cache may use the rest",
            "    u=1: the urgency",
            "    websocket: messages in both directions",
            "    the empty line: the head ends here, and the connection changes its protocol",
        ],
    );
    // Words within quotes and within URIs are no members.
    for wrong in
        ["    31 Oct", "    Data", "    base", "    3>", "    x\": ", "    s: ", "    b.txt"]
    {
        assert!(!output.contains(&format!("\n{wrong}")), "{wrong}: {output}");
    }
    let output = explained_pasted("several-challenges");
    let challenges =
        ["    Basic: with", "    Bearer: with", "    Negotiate: with", "    Digest: with"];
    has_lines(&output, &challenges);
    let output = explained_pasted("http-1.0-without-fields");
    has_lines(
        &output,
        &[
            "    the connection ends after this exchange, as it does in HTTP/1.0",
            "           Content-Length: N           after N bytes",
            "           Transfer-Encoding: chunked  after a chunk of size 0",
            "        -> neither field               at the close; a request has none",
            "    the content ends with the connection, after 23 bytes",
        ],
    );
}

#[test]
fn garbage_and_long_content_are_printed_in_short_lines() {
    let mut garbage: Vec<u8> = (0..=255).cycle().take(5000).collect();
    garbage.insert(0, 0x80);
    has_lines(&explained(&[], &garbage), &["    broken here, and a strict server answers 400"]);
    has_lines(
        &explained(&[], b"\x16\x03\x01\x02\0\x01\0"),
        &["    this is TLS", "    RFC 8446 section 4: use http://"],
    );
    let long = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{}",
        "a line\n".repeat(142_857) + "z"
    );
    let output = explained(&[], long.as_bytes());
    has_lines(
        &output,
        &["a line\\n", "\\{999915 bytes}\\", "z\\", "    the content ends here: 1000000 bytes"],
    );
    assert!(output.len() < 3000, "{} bytes", output.len());
}

#[test]
fn a_response_to_head_ends_after_its_head() {
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    has_lines(
        &explained(&["--asked", "HEAD"], response),
        &["    the empty line: the head ends here, and so does the response: HEAD asks"],
    );
    has_lines(
        &explained(&[], response),
        &["    the content stops after 0 bytes: 9 more were promised"],
    );
}

#[test]
fn a_response_that_ends_at_its_head_misses_no_content() {
    let get = "GET / HTTP/1.1\nHost: h\n";
    let connect = "CONNECT h:443 HTTP/1.1\nHost: h\n";
    let no_content = "HTTP/1.1 204 No Content\n\n";
    let bad_request = "HTTP/1.1 400 Bad Request\nContent-Length: 150\n";
    for (request, response, end) in [
        // The response to a broken request ends as its method says.
        ("HEAD / HTTP/1.1\nHost : h\n", bad_request, "HEAD asks for no"),
        (&*format!("{get}\nHEAD /\n"), &*format!("{no_content}{bad_request}"), "HEAD asks for no"),
        (get, "HTTP/1.1 101 Switching Protocols\n\n\\x81\\x05hello\n", "the connection changes"),
        (connect, "HTTP/1.1 200 OK\nContent-Length: 150\n\n\\x16\\x03\n", "the tunnel begins"),
    ] {
        let transcript = format!(">>>\n{request}\n<<<\n{response}\n--- server closed\n");
        let capture = format!("{request}\n{response}").replace('\n', "\r\n");
        for input in [&transcript, &capture] {
            let output = explained(&[], input.as_bytes());
            assert!(!output.contains("were promised"), "{output}");
            // What openkitchen's own server refuses, another one may serve.
            assert!(!output.contains("this is not a proxy"), "{output}");
            // In one capture, the bytes after a broken request are not explained.
            let is_explained = input == &transcript || !request.contains("HEAD");
            assert_eq!(output.contains(end), is_explained, "{output}");
        }
    }
}

#[test]
fn a_transcript_in_a_file_is_explained_as_a_transcript() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/exchanges");
    let mut count = 0;
    for folder in fs::read_dir(folder).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "wire") {
                continue;
            }
            let transcript = Transcript::parse(&fs::read_to_string(&path).unwrap()).unwrap();
            let text = annotate(&transcript, 80).to_string();
            let annotated = Transcript::parse(&text).unwrap();
            let bare = |transcript: &Transcript| {
                let items = transcript.items.iter();
                items.filter(|item| !matches!(item, Item::Prose(_))).cloned().collect::<Vec<_>>()
            };
            assert_eq!(bare(&annotated), bare(&transcript), "{}", path.display());
            assert!(
                text.lines().all(|line| !line.starts_with('#')
                    || line.len() <= 80
                    || transcript.to_string().contains(line)),
                "{text}"
            );
            if count == 0 {
                let (code, stdout, _) = run(&[path.to_str().unwrap()], b"");
                assert_eq!((code, stdout), (Some(0), text));
            }
            count += 1;
        }
    }
    assert!(count > 100, "{count} transcripts");
}

#[test]
fn a_word_that_names_no_file_is_explained() {
    for (word, meaning) in [
        ("etag", "ETag: "),
        ("304", "304: "),
        ("post", "POST: "),
        ("content-type", "Content-Type: the media type"),
        ("origin", "origin: the http or https"),
    ] {
        has_lines(&explained(&[word], b""), &[meaning]);
    }
}

#[test]
fn input_that_cannot_be_explained_is_an_error_with_a_sentence() {
    for (arguments, input, code, error) in [
        (&[][..], &b""[..], 2, "openkitchen: stdin: there is nothing to explain"),
        (&["-"][..], b">>>\nGET /\n--- nonsense\n", 2, "openkitchen: -: line 3: expected an event"),
        (&["/nowhere"][..], b"", 2, "openkitchen: cannot read /nowhere: there is no such file"),
        (&["a", "b"][..], b"", 2, "openkitchen: explain takes one file"),
        (&["--aske"][..], b"", 2, "openkitchen: --aske is unknown; did you mean --asked?"),
        (&["--asked", "get"][..], b"", 2, "openkitchen: --asked takes a method such as HEAD"),
    ] {
        let (exit, stdout, stderr) = run(arguments, input);
        assert_eq!((exit, stdout.as_str()), (Some(code), ""), "{stderr}");
        assert!(stderr.starts_with(error), "{stderr}");
    }
    let help = explained(&["--help"], b"");
    assert!(help.contains("--asked METHOD"), "{help}");
}
