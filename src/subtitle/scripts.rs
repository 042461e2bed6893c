//! What single characters are: wide, unspaced, forbidden at a line's edge. Knows nothing of words or languages.

/// Columns that a text takes: two for East Asian wide and full-width characters (UAX #11), else one.
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// East Asian Width W or F; whole emoji blocks count as wide.
pub fn is_wide(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x115F | 0x231A..=0x231B | 0x2329..=0x232A | 0x23E9..=0x23EC | 0x23F0 | 0x23F3
        | 0x25FD..=0x25FE | 0x2614..=0x2615 | 0x2648..=0x2653 | 0x267F | 0x2693 | 0x26A1 | 0x26AA..=0x26AB
        | 0x26BD..=0x26BE | 0x26C4..=0x26C5 | 0x26CE | 0x26D4 | 0x26EA | 0x26F2..=0x26F3 | 0x26F5 | 0x26FA
        | 0x26FD | 0x2705 | 0x270A..=0x270B | 0x2728 | 0x274C | 0x274E | 0x2753..=0x2755 | 0x2757
        | 0x2795..=0x2797 | 0x27B0 | 0x27BF | 0x2B1B..=0x2B1C | 0x2B50 | 0x2B55
        | 0x2E80..=0x303E | 0x3041..=0xA4CF | 0xA960..=0xA97C | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF
        | 0xFE10..=0xFE19 | 0xFE30..=0xFE6B | 0xFF01..=0xFF60 | 0xFFE0..=0xFFE6
        | 0x16FE0..=0x18DFF | 0x1AFF0..=0x1B2FF | 0x1F004 | 0x1F0CF | 0x1F18E | 0x1F191..=0x1F19A
        | 0x1F200..=0x1F265 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD)
}

/// Written without spaces between words: Han, kana, Thai, Lao, Burmese, Khmer and their punctuation.
pub fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x19E0..=0x19FF | 0xA9E0..=0xA9FF
        | 0x2E80..=0x2FDF | 0x3000..=0x303F | 0x3041..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF
        | 0xF900..=0xFAFF | 0xFF01..=0xFF60 | 0xFF61..=0xFF9F | 0x20000..=0x3FFFD)
}

pub fn is_hiragana(c: char) -> bool {
    matches!(u32::from(c), 0x3041..=0x309F)
}

pub fn is_katakana(c: char) -> bool {
    matches!(u32::from(c), 0x30A0..=0x30FF | 0xFF66..=0xFF9F)
}

pub fn is_han(c: char) -> bool {
    matches!(u32::from(c), 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFD)
        || c == '々'
}

/// May not start a line: closing marks and small kana (JIS X 4051), and signs that join what stands before them.
pub fn never_starts(c: char) -> bool {
    const MARKS: &str = "、。，．・：；！？!?,.:;)]}）］｝」』】〉》〕〗〙’”»›…‥ー〜～々ゝゞヽヾ％%‰℃\
                         ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶｧｨｩｪｫｬｭｮｯｰ゛゜ﾞﾟ､｡｣･،؛؟";
    MARKS.contains(c) || joins_before(c)
}

/// Combining marks and vowels that belong to the character before them.
fn joins_before(c: char) -> bool {
    matches!(u32::from(c),
        0x0300..=0x036F | 0x0591..=0x05BD | 0x064B..=0x065F | 0x0670 | 0x200C..=0x200D
        | 0x0E2F..=0x0E3A | 0x0E45..=0x0E4E | 0x0EB0..=0x0EBC | 0x0EC6..=0x0ECE
        | 0x102B..=0x103E | 0x1056..=0x1059 | 0x105E..=0x1060 | 0x17B4..=0x17D3 | 0x17DD
        | 0x0900..=0x0903 | 0x093A..=0x093C | 0x093E..=0x094F | 0x3099..=0x309A
        | 0xFE00..=0xFE0F | 0x1F3FB..=0x1F3FF)
}

/// May not end a line: opening marks, and Thai and Lao vowels that belong to the next consonant.
pub fn never_ends(c: char) -> bool {
    const MARKS: &str = "([{（［｛「『【〈《〔〖〘‘“«‹¿¡＄￥￡";
    MARKS.contains(c) || matches!(u32::from(c), 0x0E40..=0x0E44 | 0x0EC0..=0x0EC4 | 0x1039 | 0x17D2 | 0x200D)
}

/// Texts one after the other on one line: with a space where scripts have spaces.
pub fn joined(parts: &[String]) -> String {
    let mut out = String::new();
    for part in parts {
        out.push_str(seam(&out, part));
        out.push_str(part);
    }
    out
}

/// What stands between two texts on one line.
pub fn seam(before: &str, after: &str) -> &'static str {
    if before.is_empty() || before.ends_with(is_unspaced) || after.starts_with(is_unspaced) {
        ""
    } else {
        " "
    }
}

/// Hebrew, Arabic, Syriac, Thaana, N'Ko and their presentation forms (bidirectional classes R and AL, UAX #9).
pub fn is_right_to_left(c: char) -> bool {
    matches!(u32::from(c),
        0x0590..=0x08FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFC | 0x10800..=0x10FFF | 0x1E800..=0x1EFFF)
}

/// Letters, digits and symbols that are spoken; false for punctuation.
pub fn is_spoken(c: char) -> bool {
    c.is_alphanumeric()
}

/// Shown or shaping: neither a control character nor an invisible mark that no text needs.
pub fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{feff}' | '\u{200b}' | '\u{2060}' | '\u{fffd}' | '\u{00ad}')
}

#[cfg(test)]
mod tests {
    use super::{columns, joined, never_ends, never_starts};

    #[test]
    fn full_width_characters_take_two_columns() {
        let check = |text, expected| assert_eq!(columns(text), expected, "{text}");
        check("Grüße, Ολα", 10);
        check("日本語、テスト。", 16);
        check("한국어 test", 11);
        check("ｱｲｳ ＡＢ", 8);
    }

    #[test]
    fn closing_marks_start_no_line_and_opening_marks_end_none() {
        assert!("、。！？」っょー".chars().all(never_starts));
        assert!("「（“¿".chars().all(never_ends));
        assert!(!"あ漢A1".chars().any(|c| never_starts(c) || never_ends(c)));
    }

    #[test]
    fn texts_are_joined_as_their_scripts_are_written() {
        let check = |parts: &[&str], expected| {
            assert_eq!(joined(&parts.iter().map(|p| p.to_string()).collect::<Vec<_>>()), expected);
        };
        check(&["one", "two"], "one two");
        check(&["今日は", "晴れ。", "OK"], "今日は晴れ。OK");
        check(&[], "");
    }
}
