//! The output of `check --json`: a line for each case, and one for the counts.

use openkitchen::message::visible::Visible;
use openkitchen::play::check::{Case, CaseResult, Difference, Report, Verdict};

use crate::site::json;

/// Returns a case as a JSON object on one line, with the same keys for every case. Bytes are strings
/// of visible characters.
pub fn case(case: &Case, result: &CaseResult) -> String {
    let CaseResult { verdict, difference, sent } = result;
    let difference = difference.as_ref();
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
    let object = json::object([
        ("case", json::string(&case.name)),
        ("title", json::string(&case.title)),
        ("clause", json::string(&case.clause)),
        ("verdict", json::string(verdict)),
        ("sent", difference.map_or_else(null, |_| json::string(&Visible(sent).to_string()))),
        ("expected", text(|difference| &difference.expected)),
        ("got", text(|difference| &difference.got)),
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
    use super::*;

    const TEXT: &str = "# A \"title\"\n# RFC 9112 section 3.2: why\n# next: Do this.\n\n\
                        >>>\nGET / HTTP/1.1\n\n???\nstatus 400\n";

    #[test]
    fn each_json_line_is_one_object() {
        let example = Case::read("x/01-a.wire", TEXT).expect("a case");
        let mut report = Report::new("127.0.0.1:5000", &[], false);
        let difference = Difference::bytes("status ", b"400", (b"200", 0), "the response");
        let sent = b"GET / HTTP/1.1\r\n\r\n".to_vec();
        let failed = CaseResult { verdict: Verdict::Fail, difference: Some(difference), sent };
        let passed = CaseResult { verdict: Verdict::Pass, difference: None, sent: Vec::new() };
        assert_eq!(
            case(&example, &failed),
            "{\"case\":\"x/01-a.wire\",\"title\":\"A \\\"title\\\"\",\
             \"clause\":\"RFC 9112 section 3.2: why\",\"verdict\":\"fail\",\
             \"sent\":\"GET / HTTP/1.1\\\\r\\\\n\\\\r\\\\n\",\"expected\":\"status 400\",\
             \"got\":\"status 200\",\"byte\":0,\"column\":7,\"next\":\"Do this.\"}\n"
        );
        assert_eq!(
            case(&example, &passed),
            "{\"case\":\"x/01-a.wire\",\"title\":\"A \\\"title\\\"\",\
             \"clause\":\"RFC 9112 section 3.2: why\",\"verdict\":\"pass\",\
             \"sent\":null,\"expected\":null,\"got\":null,\"byte\":null,\"column\":null,\
             \"next\":\"Do this.\"}\n"
        );
        report.add(&example, &failed);
        report.add(&example, &passed);
        assert_eq!(
            counts(&report, 2),
            "{\"cases\":2,\"pass\":1,\"fail\":1,\"skip\":0,\"unknown\":0,\"not_tried\":0}\n"
        );
    }
}
