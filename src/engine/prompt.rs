//! How much of a prompt the decoder has room for. Knows nothing of whisper_rs or of where prompts come from.

/// The longest end of the prompt, in whole words, that is at most `room` tokens long.
///
/// `tokens` counts those of a text; what it cannot count is taken to be too long.
pub fn fitting(prompt: &str, room: usize, tokens: impl Fn(&str) -> Option<usize>) -> &str {
    let fits = |text: &str| text.is_empty() || tokens(text).is_some_and(|count| count <= room);
    if fits(prompt) {
        return prompt;
    }
    let is_start = |(at, c): (usize, char)| {
        (!c.is_whitespace() && prompt[..at].chars().next_back().is_none_or(char::is_whitespace)).then_some(at)
    };
    let starts: Vec<usize> = prompt.char_indices().filter_map(is_start).collect();
    // A later start never has more tokens.
    let first = starts.partition_point(|at| !fits(&prompt[*at..]));
    starts.get(first).map_or("", |at| &prompt[*at..])
}

#[cfg(test)]
mod tests {
    use super::fitting;

    /// A token for every two letters begun.
    fn check(prompt: &str, room: usize, expected: &str) {
        let tokens = |text: &str| Some(text.split_whitespace().map(|w| w.chars().count().div_ceil(2)).sum());
        assert_eq!(fitting(prompt, room, tokens), expected);
    }

    #[test]
    fn a_prompt_that_fits_is_left_alone() {
        check(" Frodo  Baggins. ", 9, " Frodo  Baggins. ");
        check("", 0, "");
    }

    #[test]
    fn a_prompt_that_is_too_long_loses_whole_words_from_the_front() {
        check("Frodo Baggins, Samwise Gamgee.", 8, "Samwise Gamgee.");
        check("Frodo Baggins, Samwise Gamgee.", 7, "Gamgee.");
        check("Frodo Baggins", 2, "");
        check("Überlänge Ödön", 2, "Ödön");
        assert_eq!(fitting("what nobody can count", 9, |_| None), "");
    }
}
