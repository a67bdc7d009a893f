//! # Folds sentences into lines for a terminal

/// Folds a sentence into lines of at most `width` columns, between words. Each line after the first
/// begins with `indent`. Only a word that is wider than the line is longer. Spaces at the start
/// stay, so that the columns of a table stay below each other.
pub fn fold(sentence: &str, width: usize, indent: &str) -> Vec<String> {
    let columns = |text: &str| text.chars().count();
    let (mut lines, mut line) = (Vec::new(), String::new());
    for (index, word) in sentence.split(' ').enumerate() {
        if !line.trim().is_empty() && columns(&line) + 1 + columns(word) > width {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
        } else if index > 0 {
            line.push(' ');
        }
        line += word;
    }
    lines.extend((!line.is_empty()).then_some(line));
    lines
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn lines_end_between_words_and_only_a_long_word_is_wider() {
        let lines = fold(&["word"; 40].join(" "), 92, "  ");
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [89, 91, 21]);
        assert_eq!(
            fold("\u{e9}\u{e9} \u{e9}", 4, ""),
            ["\u{e9}\u{e9} \u{e9}"],
            "columns, not bytes"
        );
        assert_eq!(fold("a longword b", 4, " "), ["a", " longword", " b"]);
        assert_eq!(fold("  a  b", 9, " "), ["  a  b"], "the columns of a table");
        assert!(fold("", 4, " ").is_empty());
    }
}
