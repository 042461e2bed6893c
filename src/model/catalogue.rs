//! The models that whisper.cpp publishes. Knows nothing of what is installed.

/// A published model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Catalogued {
    /// As in its file name `ggml-NAME.bin`: `base`, `base.en-q8_0`.
    pub name: &'static str,
    /// SHA-1 of the file, hex; `None` where none is published.
    pub sha1: Option<&'static str>,
    pub bytes: u64,
    /// False when `bytes` is an estimate.
    pub exact_bytes: bool,
    /// Knows languages besides English.
    pub multilingual: bool,
    /// Can translate into English.
    pub translates: bool,
    /// Memory of one worker with this model, roughly: the weights and what one session needs beside them.
    pub memory_mb: u32,
}

/// A row of the table. `session_mb`: what a session needs beside the weights; source: the memory column of
/// whisper.cpp's README less the size of the file.
const fn published(name: &'static str, sha1: &'static str, bytes: u64, session_mb: u32) -> Catalogued {
    let multilingual = !contains(name, b".en");
    let translates = multilingual && !contains(name, b"turbo");
    let memory_mb = session_mb + (bytes / 1_000_000) as u32;
    Catalogued { name, sha1: Some(sha1), bytes, exact_bytes: true, multilingual, translates, memory_mb }
}

const fn contains(text: &str, part: &[u8]) -> bool {
    let text = text.as_bytes();
    let mut at = 0;
    while at + part.len() <= text.len() {
        let mut same = 0;
        while same < part.len() && text[at + same] == part[same] {
            same += 1;
        }
        if same == part.len() {
            return true;
        }
        at += 1;
    }
    false
}

/// The published files, small models first. Source: the model list of whisper.cpp
/// (huggingface.co/ggerganov/whisper.cpp); sizes follow from the layout of the file, which a test repeats.
pub static CATALOGUE: &[Catalogued] = &[
    published("tiny", "bd577a113a864445d4c299885e0cb97d4ba92b5f", 77_691_713, 200),
    published("tiny-q5_1", "2827a03e495b1ed3048ef28a6a4620537db4ee51", 32_152_673, 200),
    published("tiny-q8_0", "19e8118f6652a650569f5a949d962154e01571d9", 43_537_433, 200),
    published("tiny.en", "c78c86eb1a8faa21b369bcd33207cc90d64ae9df", 77_704_715, 200),
    published("tiny.en-q5_1", "3fb92ec865cbbc769f08137f22470d6b66e071b6", 32_166_155, 200),
    published("tiny.en-q8_0", "802d6668e7d411123e672abe4cb6c18f12306abb", 43_550_795, 200),
    published("base", "465707469ff3a37a2b9b8d8f89f2f99de7299dac", 147_951_465, 250),
    published("base-q5_1", "a3733eda680ef76256db5fc5dd9de8629e62c5e7", 59_707_625, 250),
    published("base-q8_0", "7bb89bb49ed6955013b166f1b6a6c04584a20fbe", 81_768_585, 250),
    published("base.en", "137c40403d78fd54d454da0f9bd998f78703390c", 147_964_211, 250),
    published("base.en-q5_1", "d26d7ce5a1b6e57bea5d0431b9c20ae49423c94a", 59_721_011, 250),
    published("base.en-q8_0", "bb1574182e9b924452bf0cd1510ac034d323e948", 81_781_811, 250),
    published("small", "55356645c2b361a969dfd0ef2c5a50d530afd8d5", 487_601_967, 390),
    published("small-q5_1", "6fe57ddcfdd1c6b07cdcc73aaf620810ce5fc771", 190_085_487, 390),
    published("small-q8_0", "bcad8a2083f4e53d648d586b7dbc0cd673d8afad", 264_464_607, 390),
    published("small.en", "db8a495a91d927739e50b3fc1cc4c6b8f6c2d022", 487_614_201, 390),
    published("small.en-q5_1", "20f54878d608f94e4a8ee3ae56016571d47cba34", 190_098_681, 390),
    published("small.en-q8_0", "9d75ff4ccfa0a8217870d7405cf8cef0a5579852", 264_477_561, 390),
    published("medium", "fd9727b6e1217c2f614f9b698455c4ffd82463b4", 1_533_763_059, 620),
    published("medium-q5_0", "7718d4c1ec62ca96998f058114db98236937490e", 539_212_467, 620),
    published("medium-q8_0", "e66645948aff4bebbec71b3485c576f3d63af5d6", 823_369_779, 620),
    published("medium.en", "8c30f0e44ce9560643ebd10bbe50cd20eafd3723", 1_533_774_781, 620),
    published("medium.en-q5_0", "bb3b5281bddd61605d6fc76bc5b92d8f20284c3b", 539_225_533, 620),
    published("medium.en-q8_0", "b1cf48c12c807e14881f634fb7b6c6ca867f6b38", 823_382_461, 620),
    published("large-v1", "b1caaf735c4cc1429223d5a74f0f4d0b9b59a299", 3_094_623_691, 1000),
    published("large-v2", "0f4c8e34f21cf1a914c59d8b3ce882345ad349d6", 3_094_623_691, 1000),
    published("large-v2-q5_0", "00e39f2196344e901b3a2bd5814807a769bd1630", 1_080_732_091, 1000),
    published("large-v2-q8_0", "da97d6ca8f8ffbeeb5fd147f79010eeea194ba38", 1_656_129_691, 1000),
    published("large-v3", "ad82bf6a9043ceed055076d0fd39f5f186ff8062", 3_095_033_483, 1000),
    published("large-v3-q5_0", "e6e2ed78495d403bef4b7cff42ef4aaadcfea8de", 1_081_140_203, 1000),
    published("large-v3-turbo", "4af2b29d7ec73d781377bfd1758ca957a807e941", 1_624_555_275, 900),
    published("large-v3-turbo-q5_0", "e050f7970618a659205450ad97eb95a18d69c9ee", 574_041_195, 900),
    published("large-v3-turbo-q8_0", "01bf15bedffe9f39d65c1b6ff9b687ea91f59e0e", 874_188_075, 900),
];

/// The published model of that name.
pub fn catalogued(name: &str) -> Option<&'static Catalogued> {
    CATALOGUE.iter().find(|model| model.name == name)
}

/// The published model whose file has that SHA-1 (hex, lower case).
pub(super) fn by_sha1(sha1: &str) -> Option<&'static Catalogued> {
    CATALOGUE.iter().find(|model| model.sha1 == Some(sha1))
}

#[cfg(test)]
mod tests {
    use super::CATALOGUE;
    use crate::model::header::tests::header;
    use crate::model::naming::without_type;
    use crate::model::tensors::demanded;
    use crate::model::{Header, WeightType};
    use std::collections::HashSet;

    fn header_of(name: &str) -> Header {
        let model = without_type(name);
        let (heads, audio, text) = match model.trim_end_matches(".en") {
            "tiny" => (6, 4, 4),
            "base" => (8, 6, 6),
            "small" => (12, 12, 12),
            "medium" => (16, 24, 24),
            "large-v3-turbo" => (20, 32, 4),
            _ => (20, 32, 32),
        };
        let n_vocab = if model.ends_with(".en") { 51864 } else { 51865 + u32::from(model.contains("v3")) };
        let mut header = header(n_vocab, heads, audio, text);
        header.ftype =
            name.strip_prefix(model).unwrap().trim_start_matches('-').parse().unwrap_or(WeightType::F16);
        header
    }

    #[test]
    fn sizes_and_abilities_are_those_that_follow_from_the_architecture() {
        for model in CATALOGUE {
            let header = header_of(model.name);
            let tensors: u64 = demanded(&header).iter().map(|t| t.head_bytes() + t.bytes(header.ftype)).sum();
            let tokens = if header.multilingual() { 508_085 } else { 521_855 };
            let bytes = 60 + u64::from(header.n_mels) * 201 * 4 + tokens + tensors;
            assert_eq!(bytes, model.bytes, "{}", model.name);
            assert_eq!(header.multilingual(), model.multilingual, "{}", model.name);
            assert_eq!(header.translates(), model.translates, "{}", model.name);
        }
    }

    #[test]
    fn names_and_hashes_are_told_apart() {
        assert_eq!(CATALOGUE.iter().map(|m| m.name).collect::<HashSet<_>>().len(), CATALOGUE.len());
        assert_eq!(CATALOGUE.iter().map(|m| m.sha1).collect::<HashSet<_>>().len(), CATALOGUE.len());
        assert!(CATALOGUE.iter().filter_map(|m| m.sha1).all(|s| s.len() == 40));
    }
}
