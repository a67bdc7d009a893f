//! Tests the page as the server gives it: its files, their size, and the policy that they keep. What the
//! page does is tested in a browser.

use std::collections::BTreeMap;

use crate::support::process::ServerProcess;

/// The most that the page and all that it loads may take, in bytes.
const MAX_PAGE_BYTES: usize = 120 * 1024;

/// The text between two others, each time that they stand in `text`.
fn between<'a>(text: &'a str, before: &'a str, after: &'a str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| Some(rest.split_once(after)?.0)).collect()
}

/// The page at `/` and all that it loads, at once or when a reader opens the lab or the course: by path,
/// the text.
fn loaded(server: &ServerProcess) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut wanted = vec!["/".to_owned()];
    while let Some(path) = wanted.pop() {
        if files.contains_key(&path) {
            continue;
        }
        let response = server.get(&path);
        assert_eq!(response.status, 200, "{path}");
        let text = response.text().to_owned();
        wanted.extend(between(&text, " src=\"", "\"").into_iter().map(str::to_owned));
        // A module names its neighbours, and the style sheet by its path.
        for before in ["} from \"./", "import(\"./"] {
            let neighbours = between(&text, before, "\"");
            wanted.extend(neighbours.iter().map(|name| format!("/kitchen/{name}")));
        }
        wanted.extend(
            between(&text, "href: \"/kitchen/", "\"").iter().map(|name| format!("/kitchen/{name}")),
        );
        files.insert(path, text);
    }
    files
}

#[test]
fn the_page_and_all_that_it_loads_is_less_than_120_kib() {
    let server = ServerProcess::start_site("");
    let files = loaded(&server);
    for path in ["/like.js", "/favicon.ico"] {
        assert!(files.contains_key(path), "{path} is not in {:?}", files.keys());
    }
    // Every file in the folder is loaded by another, and counted.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin/openkitchen/site/html/kitchen");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = format!("/kitchen/{}", file.unwrap().file_name().display());
        assert!(files.contains_key(&path), "{path} is not in {:?}", files.keys());
    }
    let total: usize = files.values().map(String::len).sum();
    assert!(total < MAX_PAGE_BYTES, "{total} bytes");
}

#[test]
fn the_policy_of_a_page_allows_the_one_style_that_stands_in_it() {
    let server = ServerProcess::start_site("");
    for path in ["/", "/about", "/contact", "/nowhere"] {
        let page = server.request(&format!("GET {path}"), "Accept: text/html\r\n", "");
        let policy = page.field("content-security-policy").unwrap();
        let styles = between(page.text(), "<style>", "</style>");
        let [style] = styles[..] else { panic!("{path}: {} styles", styles.len()) };
        let hash = format!("'sha256-{}'", base64(&sha256(style.as_bytes())));
        assert!(policy.contains(&hash), "{path}: write {hash} to POLICY in site/pages.rs");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("require-trusted-types-for 'script'"), "{policy}");
    }
}

#[test]
fn no_page_has_an_inline_script_and_no_script_writes_markup() {
    let server = ServerProcess::start_site("");
    for (path, text) in loaded(&server) {
        assert_eq!(
            text.matches("<script ").count(),
            text.matches("<script src=").count(),
            "{path}"
        );
        for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            let written = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            assert!(!written.clone().any(|line| line.contains(markup)), "{path}: {markup}");
        }
        for attribute in [" style=\"", " onclick=", " onerror=", "javascript:"] {
            assert!(!text.contains(attribute), "{path}: {attribute}");
        }
    }
}

#[test]
fn each_file_of_the_kitchen_has_its_type_and_others_are_not_there() {
    let server = ServerProcess::start_site("");
    for (name, kind) in [
        ("kitchen.js", "text/javascript; charset=utf-8"),
        ("lab.js", "text/javascript; charset=utf-8"),
        ("kitchen.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        let response = server.get(&format!("/kitchen/{name}"));
        assert_eq!((response.status, response.field("content-type")), (200, Some(kind)), "{name}");
        assert_eq!(response.field("x-content-type-options"), Some("nosniff"), "{name}");
    }
    for name in ["", "nothing.js", "../like.js", "kitchen.js/", "kitchen/kitchen.js"] {
        assert_eq!(server.get(&format!("/kitchen/{name}")).status, 404, "{name}");
    }
}

#[test]
fn a_script_of_the_kitchen_is_sent_without_its_comments_and_says_where_they_are() {
    let server = ServerProcess::start_site("");
    for (path, comment) in [("kitchen.js", "//"), ("lab.js", "//"), ("kitchen.css", "/*")] {
        let text = server.get(&format!("/kitchen/{path}")).text().to_owned();
        let comments: Vec<&str> =
            text.lines().filter(|line| line.trim_start().starts_with(comment)).collect();
        let [only] = comments[..] else { panic!("{path}: {comments:?}") };
        let source = only.split(' ').find(|word| word.starts_with("src/")).unwrap();
        assert!(std::fs::read_to_string(source).unwrap().contains(comment), "{source}");
        assert!(source.ends_with(path), "{source}");
    }
    // The page shows the source of this function as it runs.
    assert!(server.get("/like.js").text().contains("\n  let answer;\n"));
}

#[test]
fn sha256_of_the_examples_of_its_standard() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for (text, hash) in [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
    ] {
        assert_eq!(hex(&sha256(text.as_bytes())), hash, "{text}");
    }
}

/// The first 32 bits of the fractional part of a root of `prime`: of its square or cube root, as `power`
/// says. Found in whole numbers, so that it is exact.
fn root_bits(prime: u32, power: u32) -> u32 {
    // The largest n with n^power <= prime * 2^(32 * power) has those bits at its end.
    let target = u128::from(prime) << (32 * power);
    let (mut low, mut high) = (0_u128, 1 << 40);
    while high - low > 1 {
        let middle = u128::midpoint(low, high);
        if middle.pow(power) <= target { low = middle } else { high = middle }
    }
    (low & 0xffff_ffff) as u32
}

/// SHA-256, FIPS 180-4 sections 4.1.2, 5.1.1 and 6.2.
fn sha256(message: &[u8]) -> [u8; 32] {
    let is_prime = |n: &u32| (2..*n).all(|divisor| !n.is_multiple_of(divisor));
    let primes: Vec<u32> = (2..).filter(is_prime).take(64).collect();
    let constants: Vec<u32> = primes.iter().map(|&prime| root_bits(prime, 3)).collect();
    let mut hash: Vec<u32> = primes.iter().take(8).map(|&prime| root_bits(prime, 2)).collect();

    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend((message.len() as u64 * 8).to_be_bytes());

    for block in padded.chunks_exact(64) {
        let mut w: Vec<u32> = block
            .chunks_exact(4)
            .map(|word| u32::from_be_bytes(word.try_into().unwrap()))
            .collect();
        for t in 16..64 {
            let [a, b] = [w[t - 15], w[t - 2]];
            let low = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
            let high = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
            w.push(high.wrapping_add(w[t - 7]).wrapping_add(low).wrapping_add(w[t - 16]));
        }
        let mut v = hash.clone();
        for t in 0..64 {
            let high = v[4].rotate_right(6) ^ v[4].rotate_right(11) ^ v[4].rotate_right(25);
            let choice = (v[4] & v[5]) ^ (!v[4] & v[6]);
            let one =
                [high, choice, constants[t], w[t]].iter().fold(v[7], |a, &b| a.wrapping_add(b));
            let low = v[0].rotate_right(2) ^ v[0].rotate_right(13) ^ v[0].rotate_right(22);
            let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
            v.rotate_right(1);
            v[4] = v[4].wrapping_add(one);
            v[0] = one.wrapping_add(low).wrapping_add(majority);
        }
        for (sum, word) in hash.iter_mut().zip(v) {
            *sum = sum.wrapping_add(word);
        }
    }
    let mut bytes = [0; 32];
    bytes
        .chunks_exact_mut(4)
        .zip(hash)
        .for_each(|(four, word)| four.copy_from_slice(&word.to_be_bytes()));
    bytes
}

/// Base64 with padding, RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits =
            (0..3).fold(0_usize, |bits, i| bits << 8 | usize::from(*three.get(i).unwrap_or(&0)));
        for digit in 0..4 {
            let is_padding = digit > three.len();
            text.push(if is_padding { '=' } else { DIGITS[bits >> (18 - 6 * digit) & 63] as char });
        }
    }
    text
}
