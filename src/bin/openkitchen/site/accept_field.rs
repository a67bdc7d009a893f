//! # Accept: which media type the client prefers
//!
//! A browser that sent a form wants a page; a script wants the number. Both say so in the same
//! field:
//!
//! ```text
//! Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
//! ```
//! Rule: RFC 9110 section 12.5.1: media ranges, of which the most specific one counts. The library
//! reads the list and its weights.

use openkitchen::Request;

/// Whether the client prefers `wanted` to `other`. Without an Accept field, all types have the same
/// weight.
pub fn prefers<S>(request: &Request<S>, wanted: &str, other: &str) -> bool {
    let quality = |media| quality(request.field_lines().weighted("accept"), media);
    quality(wanted) > quality(other)
}

/// Weight of the type `media`, from 0 (not acceptable) to 1000.
pub fn quality<'a>(accept: impl Iterator<Item = (&'a [u8], u16)>, media: &str) -> u16 {
    let mut best = None; // specificity, weight
    let mut is_empty = true;
    for (range, weight) in accept {
        is_empty = false;
        let found = specificity(range, media);
        if found.is_some() && found > best.map(|(specificity, _)| specificity) {
            best = found.map(|specificity| (specificity, weight));
        }
    }
    match best {
        Some((_, weight)) => weight,
        None if is_empty => 1000,
        None => 0,
    }
}

/// Specificity (1 to 4) of one media range that matches `media`, or `None` if it does not match.
fn specificity(range: &[u8], media: &str) -> Option<u8> {
    let mut parts = range.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    let name = parts.next()?;
    let (kind, _) = media.split_once('/')?;
    let mut specificity = if name == b"*/*" {
        1
    } else if name.strip_suffix(b"/*").is_some_and(|range| is_name(range, kind)) {
        2
    } else if is_name(name, media) {
        3
    } else {
        return None;
    };
    for parameter in parts.filter(|parameter| !parameter.is_empty()) {
        if !CHARSETS.iter().any(|charset| is_name(parameter, charset)) {
            return None; // `text/html;level=3`: no type here has such a parameter
        }
        specificity = 4; // the pages are UTF-8
    }
    Some(specificity)
}

/// The only parameter that a type of the site has, in its two spellings.
const CHARSETS: [&str; 2] = ["charset=utf-8", "charset=\"utf-8\""];

/// Whether `text` is `name`, in any case.
fn is_name(text: &[u8], name: &str) -> bool {
    text.eq_ignore_ascii_case(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use openkitchen::message::fields::weighted;

    fn quality(accept: &str, media: &str) -> u16 {
        super::quality(weighted(accept.as_bytes()), media)
    }

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
    fn an_invalid_range_is_skipped() {
        assert_eq!(quality("text/html;q=7, */*;q=0.1", HTML), 100);
        assert_eq!(quality("text/html;q=7", HTML), 1000, "as if there were no list");
    }
}
