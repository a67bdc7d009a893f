//! # What would the client rather have?
//!
//! A browser that sent a form wants a page to look at; a script wants the number. Both say so in
//! the same field:
//!
//! ```text
//! Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
//! ```
//! Rule: RFC 9110 section 12.5.1 (media ranges, the most specific one counts) and section 12.4.2
//! (weights, in thousandths here). An element that breaks the grammar is passed over: a preference
//! is a wish, and no reason to refuse the request.

use openkitchen::Request;

/// Whether `wanted` stands strictly higher with the client than `other`. No Accept field: all is
/// equally welcome.
pub fn prefers<S>(request: &Request<S>, wanted: &str, other: &str) -> bool {
    // RFC 9110 section 5.3: several lines of one list are one list.
    let mut ranges = String::new();
    for (_, value) in request.fields().filter(|(name, _)| name.eq_ignore_ascii_case("accept")) {
        ranges.push_str(&String::from_utf8_lossy(value));
        ranges.push(',');
    }
    quality(&ranges, wanted) > quality(&ranges, other)
}

/// How welcome `media` is, from 0 (not at all) to 1000.
pub fn quality(accept: &str, media: &str) -> u16 {
    let ranges = || split(accept, ',').filter(|element| !element.is_empty());
    if ranges().next().is_none() {
        return 1000;
    }
    let mut best = (0, 0); // how specific, how welcome
    for range in ranges() {
        if let Some((specific, weight)) = judge(range, media)
            && specific > best.0
        {
            best = (specific, weight);
        }
    }
    best.1
}

/// How closely one media range names `media` (1 to 4) and the weight it gives; `None` where it
/// names something else.
fn judge(range: &str, media: &str) -> Option<(u8, u16)> {
    let mut parts = split(range, ';');
    let name = parts.next()?;
    let (kind, _) = media.split_once('/')?;
    let mut specific = if name == "*/*" {
        1
    } else if name.strip_suffix("/*").is_some_and(|range| range.eq_ignore_ascii_case(kind)) {
        2
    } else if name.eq_ignore_ascii_case(media) {
        3
    } else {
        return None;
    };
    let mut weight = 1000;
    for part in parts.filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=')?;
        if name.eq_ignore_ascii_case("q") {
            weight = thousandths(value)?;
            break; // what follows a weight was once an extension; no one ever defined any
        } else if name.eq_ignore_ascii_case("charset")
            && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        {
            specific = 4; // ours is UTF-8
        } else {
            return None; // `text/html;level=3`: we have only the plain one
        }
    }
    Some((specific, weight))
}

/// RFC 9110 section 12.4.2: `qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )`
fn thousandths(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if digits.len() > 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{digits:0<3}").parse().ok()?;
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// The pieces between the separators, without the blanks around them. RFC 9110 section 5.6.4: what
/// stands in quotes is one piece, so `a;b="x,y",c` is a list of two.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |letter| {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return letter == separator && !quoted,
        }
        false
    })
    .map(|piece| piece.trim_matches([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTML: &str = "text/html";
    const JSON: &str = "application/json";

    #[test]
    fn the_example_of_rfc_9110() {
        let accept = "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, \
                      text/plain;format=fixed;q=0.4, */*;q=0.5";
        assert_eq!(quality(accept, "text/plain"), 700);
        assert_eq!(quality(accept, "text/html"), 300);
        assert_eq!(quality(accept, "image/jpeg"), 500);
    }

    #[test]
    fn browsers_want_pages_and_programs_do_not_mind() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert_eq!((quality(browser, HTML), quality(browser, JSON)), (1000, 800));
        for curl in ["*/*", "", " , ,"] {
            assert_eq!((quality(curl, HTML), quality(curl, JSON)), (1000, 1000), "{curl:?}");
        }
        assert_eq!(quality("application/json", HTML), 0);
    }

    #[test]
    fn the_most_specific_range_counts_wherever_it_stands() {
        assert_eq!(quality("text/html;q=0, */*", HTML), 0);
        assert_eq!(quality("*/*, TEXT/HTML; Q=0.5", HTML), 500);
        assert_eq!(quality("text/html;q=0.2, text/html;charset=\"UTF-8\";q=0.9", HTML), 900);
        assert_eq!(quality("a/b;x=\"text/html,text/html\", text/*;q=0.1", HTML), 100);
        assert_eq!(quality(r#"a/b;x="\",text/html", text/*;q=0.1"#, HTML), 100);
    }

    #[test]
    fn a_weight_has_three_digits_and_is_at_most_one() {
        for (text, weight) in
            [("1", 1000), ("0", 0), ("1.000", 1000), ("0.5", 500), ("0.125", 125), ("0.", 0)]
        {
            assert_eq!(thousandths(text), Some(weight), "{text}");
        }
        for text in ["", "2", "1.001", "0.1234", ".5", "-0", "0.+5", "one", "1.0 "] {
            assert_eq!(thousandths(text), None, "{text}");
        }
        assert_eq!(quality("text/html;q=7, */*;q=0.1", HTML), 100, "a broken range is passed over");
    }
}
