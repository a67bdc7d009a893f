//! # Accept: which media type the client prefers
//!
//! A browser that sent a form wants a page; a script wants the number. Both say so in the same
//! field:
//!
//! ```text
//! Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
//! ```
//! Rule: RFC 9110 section 12.5.1 (media ranges, the most specific one counts) and section 12.4.2
//! (weights, in thousandths here). An element that breaks the grammar is skipped: a preference is
//! no reason to refuse the request.

use openkitchen::Request;

/// Whether the client prefers `wanted` to `other`. Without an Accept field, all types have the same
/// weight.
pub fn prefers<S>(request: &Request<S>, wanted: &str, other: &str) -> bool {
    // RFC 9110 section 5.3: several field lines with the same name are one list.
    let mut ranges = String::new();
    for (_, value) in request.fields().filter(|(name, _)| name.eq_ignore_ascii_case("accept")) {
        ranges.push_str(&String::from_utf8_lossy(value));
        ranges.push(',');
    }
    quality(&ranges, wanted) > quality(&ranges, other)
}

/// Weight of the type `media`, from 0 (not acceptable) to 1000.
pub fn quality(accept: &str, media: &str) -> u16 {
    let ranges = || split(accept, ',').filter(|element| !element.is_empty());
    if ranges().next().is_none() {
        return 1000;
    }
    let mut best = (0, 0); // specificity, weight
    for range in ranges() {
        if let Some((specificity, weight)) = match_range(range, media)
            && specificity > best.0
        {
            best = (specificity, weight);
        }
    }
    best.1
}

/// Specificity (1 to 4) and weight of one media range that matches `media`, or `None` if it does
/// not match.
fn match_range(range: &str, media: &str) -> Option<(u8, u16)> {
    let mut parts = split(range, ';');
    let name = parts.next()?;
    let (kind, _) = media.split_once('/')?;
    let mut specificity = if name == "*/*" {
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
            break; // RFC 9110 defines no parameters after a weight
        } else if name.eq_ignore_ascii_case("charset")
            && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        {
            specificity = 4; // the pages are UTF-8
        } else {
            return None; // `text/html;level=3`: no type here has such a parameter
        }
    }
    Some((specificity, weight))
}

/// A weight in thousandths. RFC 9110 section 12.4.2:
/// `qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )`
fn thousandths(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if digits.len() > 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{digits:0<3}").parse().ok()?;
    match (whole, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// The members between the separators, without white space around them. RFC 9110 section 5.6.4: a
/// separator inside a quoted string does not count, so `a;b="x,y",c` is a list of two.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return character == separator && !quoted,
        }
        false
    })
    .map(|member| member.trim_matches([' ', '\t']))
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
    fn a_browser_prefers_html_and_curl_accepts_all_types_equally() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert_eq!((quality(browser, HTML), quality(browser, JSON)), (1000, 800));
        for curl in ["*/*", "", " , ,"] {
            assert_eq!((quality(curl, HTML), quality(curl, JSON)), (1000, 1000), "{curl:?}");
        }
        assert_eq!(quality("application/json", HTML), 0);
    }

    #[test]
    fn the_most_specific_range_counts_in_any_position() {
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
        assert_eq!(quality("text/html;q=7, */*;q=0.1", HTML), 100, "an invalid range is skipped");
    }
}
