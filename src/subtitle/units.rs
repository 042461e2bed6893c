//! Words as the pieces that a line is made of. Knows nothing of cost or cues.
//!
//! A unit is never broken: a word with the punctuation around it, or in scripts without spaces one token.

use super::scripts::{columns, is_printable, is_spoken, is_unspaced, never_ends, never_starts};
use super::{Profile, Word};
use crate::language::Language;

/// Columns that a token which is cut leaves for the marks around it.
const MARKS: usize = 4;

/// What stays together on one line, with what was spoken.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Without the space before it.
    pub text: String,
    /// A space stands before it, unless it starts a line.
    pub space: bool,
    pub columns: usize,
    pub chars: usize,
    pub start_ms: i64,
    pub end_ms: i64,
    pub words: Vec<Word>,
}

/// One word after cleaning, before it is joined with its neighbours.
struct Piece {
    text: String,
    space: bool,
    spoken: bool,
    word: Word,
}

/// Units in order: times never fall, no text is empty, punctuation has the time of the word it stands by.
pub fn units(words: &[Word], language: Language, profile: &Profile) -> Vec<Unit> {
    let (max, may_cut) = (profile.columns(language), language.is_unspaced());
    let mut units: Vec<Unit> = Vec::with_capacity(words.len());
    let mut opening: Vec<Piece> = Vec::new();
    for mut piece in pieces(words, language, max) {
        let ends_sentence = units.last().is_none_or(|u| super::breaks::is_sentence_end(&u.text));
        if !piece.spoken && opens(&piece, ends_sentence) {
            opening.push(piece);
            continue;
        }
        let alone = opening.is_empty();
        if alone && units.last().is_some_and(|last| belongs(last, &mut piece, max, may_cut, profile)) {
            if let Some(last) = units.last_mut() {
                join(last, piece);
            }
            continue;
        }
        if !piece.spoken && units.is_empty() {
            opening.push(piece);
            continue;
        }
        let mut unit = start(&mut opening, piece.word.start_ms, piece.space);
        piece.space &= unit.columns + columns(&piece.text) < max;
        join(&mut unit, piece);
        units.push(unit);
    }
    if let Some(last) = units.last_mut() {
        for mut piece in opening {
            piece.space = false;
            piece.word.start_ms = last.end_ms;
            piece.word.end_ms = last.end_ms;
            join(last, piece);
        }
    }
    if may_cut { units.into_iter().flat_map(|u| narrow(u, max)).collect() } else { units }
}

/// A unit that grew wider than a line by many marks, as several.
fn narrow(unit: Unit, max: usize) -> Vec<Unit> {
    if unit.columns <= max {
        return vec![unit];
    }
    let mut parts: Vec<Unit> = Vec::new();
    for word in unit.words {
        let text = word.text.trim().to_string();
        let space = word.text.starts_with(' ');
        let piece = Piece { space: false, spoken: true, word, text };
        match parts.last_mut() {
            Some(last) if last.columns + columns(&piece.text) <= max => join(last, piece),
            before => {
                let space = if before.is_none() { unit.space } else { space };
                let mut part = start(&mut Vec::new(), piece.word.start_ms, space);
                join(&mut part, piece);
                parts.push(part);
            }
        }
    }
    parts
}

/// A new unit with the opening marks that wait for it.
fn start(opening: &mut Vec<Piece>, at_ms: i64, space: bool) -> Unit {
    let space = opening.first().map_or(space, |p| p.space);
    let mut unit = Unit {
        text: String::new(),
        space,
        columns: 0,
        chars: 0,
        start_ms: at_ms,
        end_ms: at_ms,
        words: Vec::new(),
    };
    for mut piece in opening.drain(..) {
        piece.word.start_ms = at_ms;
        piece.word.end_ms = at_ms;
        piece.space = false;
        join(&mut unit, piece);
    }
    unit
}

fn join(unit: &mut Unit, piece: Piece) {
    if piece.space && !unit.text.is_empty() {
        unit.text.push(' ');
    }
    unit.text.push_str(&piece.text);
    unit.columns = columns(&unit.text);
    unit.chars = unit.text.chars().count();
    unit.end_ms = unit.end_ms.max(piece.word.end_ms);
    unit.words.push(piece.word);
}

/// Marks that wait for the next word: brackets, opening quotes, a dash that starts a speech.
fn opens(piece: &Piece, at_sentence: bool) -> bool {
    piece.text.chars().all(|c| {
        never_ends(c) || (c == '"' && piece.space) || (at_sentence && matches!(c, '-' | '–' | '—' | '"'))
    })
}

/// Whether the piece is a part of the unit before it; `may_cut`: no unit may be wider than a line. Clamps the time of punctuation that is.
fn belongs(last: &Unit, piece: &mut Piece, max: usize, may_cut: bool, profile: &Profile) -> bool {
    let mut width = last.columns + columns(&piece.text) + usize::from(piece.space);
    if !piece.spoken {
        piece.word.start_ms = last.end_ms;
        piece.word.end_ms = last.end_ms;
        if piece.space && width > max {
            piece.space = false;
            width -= 1;
        }
        return width <= max || !(may_cut || last.text.contains(' '));
    }
    let (Some(a), Some(b)) = (last.text.chars().next_back(), piece.text.chars().next()) else {
        return false;
    };
    let long = piece.word.end_ms - last.start_ms > profile.max_ms;
    if piece.space || long || piece.word.start_ms - last.end_ms > profile.pause_ms {
        return false;
    }
    let unspaced = is_unspaced(a) || is_unspaced(b);
    let joined = if unspaced {
        never_starts(b) || never_ends(a)
    } else {
        // A word that lost its space after a full stop or a pause is still a word.
        !(matches!(a, '.' | '!' | '?' | ',' | ';' | ':' | '…') && b.is_alphabetic())
            && piece.word.start_ms - last.end_ms <= profile.close_gap_ms
    };
    piece.space = !joined && !unspaced;
    joined && (width <= max || !(may_cut || unspaced || last.text.contains(' ')))
}

/// Cleans texts and times: no control characters, single spaces, rising times, no word wider than a line where
/// words may be cut.
fn pieces(words: &[Word], language: Language, max: usize) -> Vec<Piece> {
    let spaced =
        !language.is_unspaced() && words.iter().skip(1).any(|w| w.text.starts_with(char::is_whitespace));
    let always = !language.is_unspaced() && !spaced;
    let mut out: Vec<Piece> = Vec::with_capacity(words.len());
    let mut from_ms = 0;
    for (k, word) in words.iter().enumerate() {
        let start_ms = word.start_ms.max(from_ms);
        let next_ms = words.get(k + 1).map_or(i64::MAX, |n| n.start_ms.max(start_ms));
        let end_ms = word.end_ms.clamp(start_ms, next_ms);
        from_ms = start_ms;
        let text: String = word
            .text
            .chars()
            .map(|c| if c.is_whitespace() { ' ' } else { c })
            .filter(|c| is_printable(*c))
            .collect();
        let mut parts: Vec<(bool, String)> = Vec::new();
        for (n, part) in text.split_whitespace().enumerate() {
            let space = n > 0 || text.starts_with(' ') || always && part.starts_with(is_spoken);
            let cuts = if language.is_unspaced() || part.contains(is_unspaced) {
                after_marks(part).into_iter().flat_map(|phrase| cut(phrase, max - MARKS)).collect()
            } else {
                vec![part.to_string()]
            };
            parts.extend(cuts.into_iter().enumerate().map(|(i, s)| (space && i == 0, s)));
        }
        let whole: usize = parts.iter().map(|p| p.1.chars().count()).sum();
        let mut done = 0;
        let at = |chars: usize| start_ms + (end_ms - start_ms) * chars as i64 / whole.max(1) as i64;
        for (space, text) in parts {
            let from = at(done);
            done += text.chars().count();
            let spoken = text.contains(is_spoken);
            let written = if space { format!(" {text}") } else { text.clone() };
            let word = Word { text: written, start_ms: from, end_ms: at(done), p: word.p };
            out.push(Piece { text, space, spoken, word });
        }
    }
    out
}

/// A token that goes on after a comma or full stop is two.
fn after_marks(text: &str) -> Vec<&str> {
    let mark = |c: char| matches!(c, '、' | '。' | '，' | '！' | '？' | '；');
    let starts =
        text.char_indices().zip(text.chars().skip(1)).filter(|((_, a), b)| mark(*a) && is_spoken(*b));
    let mut parts = Vec::new();
    let mut from = 0;
    for ((at, c), _) in starts {
        let to = at + c.len_utf8();
        parts.push(&text[from..to]);
        from = to;
    }
    parts.push(&text[from..]);
    parts
}

/// Cuts a text that is wider than a line into parts of at most `max` columns, where a line may be broken if it can.
fn cut(text: &str, max: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut parts = Vec::new();
    let mut from = 0;
    while from < chars.len() {
        let mut to = from;
        let mut width = 0;
        while to < chars.len() && width + columns(chars[to].encode_utf8(&mut [0; 4])) <= max {
            width += columns(chars[to].encode_utf8(&mut [0; 4]));
            to += 1;
        }
        to = to.max(from + 1);
        let fits = |at: usize| at == chars.len() || !never_starts(chars[at]) && !never_ends(chars[at - 1]);
        let to = (from + 1..=to).rev().take(8).find(|at| fits(*at)).unwrap_or(to);
        parts.push(chars[from..to].iter().collect());
        from = to;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::units;
    use crate::subtitle::{Profile, Word};

    /// Words of 200 ms each with 50 ms between them, as units joined by `|`.
    fn check(language: &str, words: &[&str], expected: &str) {
        let words: Vec<Word> = (0i64..)
            .zip(words)
            .map(|(k, t)| Word { text: t.to_string(), start_ms: k * 250, end_ms: k * 250 + 200, p: 1.0 })
            .collect();
        let units = units(&words, language.parse().unwrap(), &Profile::netflix());
        let texts: Vec<&str> = units.iter().map(|u| u.text.as_str()).collect();
        assert_eq!(texts.join("|"), expected);
    }

    #[test]
    fn punctuation_stays_with_its_word() {
        check("fr", &[" Quoi", " ?", " «", " Oui", " »", "."], "Quoi ?|« Oui ».");
        check("en", &[" Well", ",", " (", "I", " see", ")", " ..."], "Well,|(I|see) ...");
        check("es", &[" ¿", "Qué", "?", " -", " Nada"], "¿Qué?|- Nada");
    }

    #[test]
    fn parts_of_one_word_are_joined() {
        check("en", &[" mother", "-in", "-law", " paid", " 1", ",000"], "mother-in-law|paid|1,000");
        check("en", &["Hello", "big", "world", "."], "Hello|big|world.");
        check("en", &[" New   York\n", " city"], "New|York|city");
    }

    #[test]
    fn tokens_without_spaces_are_units_of_their_own_but_for_marks() {
        check("ja", &["今日", "は", "、", "「", "テスト", "」", "です", "。"], "今日|は、|「テスト」|です。");
        check("ja", &["ちょ", "っと", "OK", "ay", " please"], "ちょっと|OKay|please");
        check("zh", &["你好，我", "在"], "你好，|我|在");
        check("th", &["เ", "ป็น", "ค", "ำ", "ไทย"], "เป็น|คำ|ไทย");
    }

    #[test]
    fn a_token_wider_than_the_line_is_cut_where_scripts_allow_it() {
        check("zh", &["一二三四五六七八九十一二三四五六七八。"], "一二三四五六七八九十一二三四|五六七八。");
        check(
            "en",
            &["supercalifragilisticexpialidociousnessification"],
            "supercalifragilisticexpialidociousnessification",
        );
    }
}
