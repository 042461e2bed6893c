//! What Whisper is told before it hears a window. Knows nothing of tokens or of what is heard.

use crate::engine::Session;
use crate::job::Options;

/// A job's prompt as the model has room for it.
#[derive(Debug, Default)]
pub struct Prompt {
    pub text: Option<String>,
    /// The sentence for whoever wonders where its beginning is.
    pub cut: Option<String>,
}

impl Prompt {
    pub fn of(options: &Options, session: &dyn Session) -> Prompt {
        let Some(whole) = compose(options) else { return Prompt::default() };
        let fitting = session.fitting(&whole);
        let count = |text: &str| text.split_whitespace().count();
        let cut = (fitting.len() < whole.len()).then(|| {
            let (lost, all) = (count(&whole) - count(fitting), count(&whole));
            format!("the prompt is too long: the first {lost} of its {all} words are left out")
        });
        Prompt { text: Some(fitting.to_owned()).filter(|text| !text.is_empty()), cut }
    }
}

/// The job's prompt, if it has one: what matters least comes first, since one that is too long loses its beginning.
///
/// Hotwords are a part of it: whisper.cpp has no other way to make words more likely.
pub fn compose(options: &Options) -> Option<String> {
    let hotwords = Some(options.hotwords.join(", "));
    let parts = [options.title.clone(), hotwords, options.initial_prompt.clone()];
    let parts = parts.into_iter().flatten().map(|part| sentence(&part)).filter(|part| !part.is_empty());
    let whole = parts.collect::<Vec<_>>().join(" ");
    (!whole.is_empty()).then_some(whole)
}

/// One line, ended as a sentence: Whisper writes on in the style that it reads.
fn sentence(text: &str) -> String {
    let line = text.replace('\0', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let open = line.chars().next_back().is_some_and(char::is_alphanumeric);
    if open { line + "." } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_persons_own_prompt_comes_last_where_it_is_kept_longest() {
        let options = Options {
            initial_prompt: Some("  Hello,\n Mr. Frodo!  ".into()),
            hotwords: vec!["Gandalf".into(), "Bree".into()],
            title: Some("Sam. The Fellowship".into()),
            ..Options::default()
        };
        assert_eq!(compose(&options).unwrap(), "Sam. The Fellowship. Gandalf, Bree. Hello, Mr. Frodo!");
        assert_eq!(compose(&Options { initial_prompt: Some(" \0".into()), ..Options::default() }), None);
        assert_eq!(compose(&Options::default()), None);
    }
}
