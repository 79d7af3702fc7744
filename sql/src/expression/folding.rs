//! Text without case: what names in SHOW and text in the relational engine are compared by.
//!
//! Letter by letter, so that a text is LIKE itself and equal to itself in lower case, whatever its letters are.

/// The letter that stands for all cases of this one. A sigma is the same letter at the end of a word.
pub(crate) fn folded(letter: char) -> char {
    if letter.is_ascii() {
        return letter.to_ascii_lowercase();
    }
    match letter.to_lowercase().next() {
        Some('ς') => 'σ',
        Some(folded) => folded,
        None => letter,
    }
}

/// The text with each letter folded.
pub(crate) fn folded_text(text: &str) -> String {
    text.chars().map(folded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_of_a_letter_are_one() {
        for (text, other) in [("Wait", "wAIT"), ("ΟΔΟΣ", "οδος"), ("ΟΔΟΣ", "οδοσ"), ("Ä", "ä"), ("İ", "i")]
        {
            assert_eq!(folded_text(text), folded_text(other), "{text}");
        }
        assert_ne!(folded('ß'), folded('s'));
        assert_eq!(folded_text("ẞ").chars().count(), 1);
    }
}
