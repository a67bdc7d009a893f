//! # A number and its noun, for sentences that a person reads

/// A number and its noun: `1 byte`, `2 bytes`. With a verb: `1 byte was`, `0 bytes were`.
#[inline(never)] // called at sixty places
pub fn counted(number: impl TryInto<u64>, one: &str, many: &str) -> String {
    // A number above 64 bits is no number of bytes or connections.
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn only_one_is_singular() {
        let bytes = |number: u64| counted(number, "byte was", "bytes were");
        assert_eq!([0, 1, 2].map(bytes), ["0 bytes were", "1 byte was", "2 bytes were"]);
        assert_eq!(counted(1usize, "byte", "bytes"), "1 byte");
    }
}
