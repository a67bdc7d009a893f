//! The output of `check --json`: a line for each case, and one for the counts.

use openkitchen::message::visible::Visible;
use openkitchen::play::check::{Case, CaseResult, Difference, Report, Verdict};
use openkitchen::transcript::Side;

use crate::json;

/// Returns a case as a JSON object on one line, with the same keys for every case. Bytes are strings
/// of visible characters. `same_as` is the label of a case that has failed for the same cause;
/// `shows_passed` says that the bytes of a case that passes are wanted.
pub fn case(case: &Case, result: &CaseResult, same_as: Option<&str>, shows_passed: bool) -> String {
    let CaseResult { verdict, difference, connection, .. } = result;
    let difference = difference.as_ref();
    let is_shown = shows_passed && *verdict == Verdict::Pass;
    let verdict = match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Skip => "skip",
        Verdict::Unknown => "unknown",
    };
    let caret = difference.and_then(|difference| difference.caret.as_ref());
    let null = || "null".to_owned();
    let text = |part: fn(&Difference) -> &str| {
        difference.map_or_else(null, |difference| json::string(part(difference)))
    };
    let bytes = |from| json::string(&Visible(&result.bytes_of(from, *connection)).to_string());
    let sent = if difference.is_some() || is_shown { bytes(Side::Client) } else { null() };
    let got = if is_shown { bytes(Side::Server) } else { text(|difference| &difference.got) };
    let object = json::object([
        ("case", json::string(&case.name)),
        ("title", json::string(&case.title)),
        ("clause", json::string(&case.clause)),
        ("verdict", json::string(verdict)),
        ("same_as", same_as.map_or_else(null, json::string)),
        ("connection", connection.map_or_else(null, |number| number.to_string())),
        ("sent", sent),
        ("expected", text(|difference| &difference.expected)),
        ("got", got),
        ("byte", caret.map_or_else(null, |caret| caret.byte.to_string())),
        ("column", caret.map_or_else(null, |caret| caret.column.to_string())),
        ("next", json::string(&case.next)),
    ]);
    object + "\n"
}

/// Returns the counts as a JSON object on one line. `cases` is the number of all cases.
pub fn counts(report: &Report, cases: usize) -> String {
    let [pass, fail, skip, unknown] =
        [Verdict::Pass, Verdict::Fail, Verdict::Skip, Verdict::Unknown]
            .map(|verdict| report.count(verdict));
    let counts = [
        ("cases", cases),
        ("pass", pass),
        ("fail", fail),
        ("skip", skip),
        ("unknown", unknown),
        ("not_tried", cases - pass - fail - skip - unknown),
    ];
    json::object(counts.map(|(name, count)| (name, count.to_string()))) + "\n"
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use openkitchen::play::check::{CheckOutcome, PlayedCase, SideBytes};

    use super::*;

    const TEXT: &str = "# A \"title\"\n# RFC 9112 section 3.2: why\n# next: Do this.\n\n\
                        >>>\nGET / HTTP/1.1\n\n???\nstatus 400\n";

    #[test]
    fn each_json_line_is_one_object() {
        let example = Case::read("x/01-a.wire", TEXT).expect("a case");
        let mut report = Report::new("127.0.0.1:5000", &[], false);
        let difference = Difference::bytes("status ", b"400", (b"200", 0), "the response");
        let from = Side::Client;
        let bytes = b"GET / HTTP/1.1\r\n\r\n".to_vec();
        let (length, took) = (bytes.len(), Duration::ZERO);
        let crossed = vec![SideBytes { connection: 1, from, length, bytes, took }];
        let played = |outcome| {
            let (crossed, events) = (crossed.clone(), Vec::new());
            CaseResult::from(PlayedCase { outcome, answer: None, crossed, events, software: None })
        };
        let failed = played(CheckOutcome::Failed { difference, connection: 1, is_silent: false });
        let passed = played(CheckOutcome::Passed);
        let start = "{\"case\":\"x/01-a.wire\",\"title\":\"A \\\"title\\\"\",\
                     \"clause\":\"RFC 9112 section 3.2: why\",\"verdict\":";
        let sent = "\"sent\":\"GET / HTTP/1.1\\\\r\\\\n\\\\r\\\\n\"";
        let null = "\"byte\":null,\"column\":null,\"next\":\"Do this.\"}\n";
        assert_eq!(
            case(&example, &failed, Some("02"), false),
            format!(
                "{start}\"fail\",\"same_as\":\"02\",\"connection\":1,{sent},\
                 \"expected\":\"status 400\",\"got\":\"status 200\",\"byte\":0,\"column\":7,\
                 \"next\":\"Do this.\"}}\n"
            )
        );
        for (shows_passed, bytes) in [
            (false, "\"sent\":null,\"expected\":null,\"got\":null"),
            (true, &*format!("{sent},\"expected\":null,\"got\":\"\"")),
        ] {
            assert_eq!(
                case(&example, &passed, None, shows_passed),
                format!("{start}\"pass\",\"same_as\":null,\"connection\":null,{bytes},{null}")
            );
        }
        report.add(&example, &failed);
        report.add(&example, &passed);
        assert_eq!(
            counts(&report, 2),
            "{\"cases\":2,\"pass\":1,\"fail\":1,\"skip\":0,\"unknown\":0,\"not_tried\":0}\n"
        );
    }
}
