//! The eleven numbers at the start of a model file and what follows from them. Knows nothing of reading files.

use super::weights::WeightType;

/// The hyper-parameters of a Whisper model (`whisper_hparams` in whisper.cpp), as the file gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub n_vocab: u32,
    pub n_audio_ctx: u32,
    pub n_audio_state: u32,
    pub n_audio_head: u32,
    pub n_audio_layer: u32,
    pub n_text_ctx: u32,
    pub n_text_state: u32,
    pub n_text_head: u32,
    pub n_text_layer: u32,
    pub n_mels: u32,
    pub ftype: WeightType,
}

/// Tokens of the English-only models; the multilingual ones have one or two more.
const ENGLISH_VOCABULARY: u32 = 51864;
/// 100 languages instead of 99: large-v3 and turbo.
const LARGEST_VOCABULARY: u32 = 51866;

impl Header {
    /// True when the model knows languages besides English.
    pub fn multilingual(&self) -> bool {
        self.n_vocab > ENGLISH_VOCABULARY
    }

    /// True when the model can translate into English: multilingual, with a whole decoder. The shortened
    /// decoders (turbo's 4 layers, distil's 2) were trained to transcribe alone.
    pub fn translates(&self) -> bool {
        self.multilingual() && self.n_text_layer >= self.n_audio_layer
    }

    /// How good the model is, bigger is better: tiny, base, small, medium, turbo, large-v1 and v2, large-v3.
    /// The weight type does not count.
    pub fn rank(&self) -> i64 {
        let depth = i64::from(self.n_audio_layer) * 100 + i64::from(self.n_text_layer);
        depth * 10 + i64::from(self.n_vocab == LARGEST_VOCABULARY)
    }

    /// The family as its published name has it (`base`, `small.en`, `large-v3-turbo`), when the sizes are those of one.
    pub fn family(&self) -> Option<String> {
        let newest = self.n_vocab == LARGEST_VOCABULARY;
        let name = match (self.n_audio_layer, self.n_text_layer, self.n_audio_state) {
            (4, 4, 384) => "tiny",
            (6, 6, 512) => "base",
            (12, 12, 768) => "small",
            (24, 24, 1024) => "medium",
            (32, 32, 1280) if newest => "large-v3",
            (32, 32, 1280) => "large-v2",
            (32, 4, 1280) => "large-v3-turbo",
            _ => return None,
        };
        Some(if self.multilingual() { name.to_owned() } else { format!("{name}.en") })
    }

    /// Says what is impossible about these numbers, in words that go after "damaged" or "cannot be used".
    ///
    /// whisper.cpp takes any number and then aborts or reads out of bounds, so what no Whisper has is refused.
    pub(super) fn implausible(&self) -> Option<String> {
        let says = |what: &str, found: u32, wanted: &str| Some(format!("{what} {found}, {wanted} expected"));
        if !(ENGLISH_VOCABULARY..=LARGEST_VOCABULARY).contains(&self.n_vocab) {
            return says("its vocabulary counts", self.n_vocab, "51864 to 51866");
        }
        if self.n_audio_ctx != 1500 {
            return says("its audio context is", self.n_audio_ctx, "1500");
        }
        if self.n_text_ctx != 448 {
            return says("its text context is", self.n_text_ctx, "448");
        }
        if self.n_mels != 80 && self.n_mels != 128 {
            return says("its mel bands count", self.n_mels, "80 or 128");
        }
        if self.n_audio_state != self.n_text_state || self.n_audio_head != self.n_text_head {
            return Some("its encoder and decoder differ in width".to_owned());
        }
        if !(1..=20).contains(&self.n_audio_head) {
            return says("its attention heads count", self.n_audio_head, "1 to 20");
        }
        if self.n_audio_state != self.n_audio_head * 64 {
            return says("its width is", self.n_audio_state, "64 for each attention head");
        }
        for layers in [self.n_audio_layer, self.n_text_layer] {
            if !(1..=32).contains(&layers) {
                return says("its layers count", layers, "1 to 32");
            }
        }
        if u64::from(self.n_audio_state) % self.ftype.block_values() != 0 {
            return Some(format!(
                "its rows of {} do not divide into blocks of {}",
                self.n_audio_state, self.ftype
            ));
        }
        None
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Header, WeightType};

    pub fn header(n_vocab: u32, heads: u32, audio_layers: u32, text_layers: u32) -> Header {
        Header {
            n_vocab,
            n_audio_ctx: 1500,
            n_audio_state: heads * 64,
            n_audio_head: heads,
            n_audio_layer: audio_layers,
            n_text_ctx: 448,
            n_text_state: heads * 64,
            n_text_head: heads,
            n_text_layer: text_layers,
            n_mels: if n_vocab == 51866 { 128 } else { 80 },
            ftype: WeightType::F16,
        }
    }

    #[test]
    fn ranks_follow_the_size_of_the_model() {
        let sizes = [
            header(51865, 6, 4, 4),
            header(51865, 8, 6, 6),
            header(51865, 12, 12, 12),
            header(51865, 16, 24, 24),
            header(51866, 20, 32, 4),
            header(51865, 20, 32, 32),
            header(51866, 20, 32, 32),
        ];
        assert!(sizes.is_sorted_by(|a, b| a.rank() < b.rank()));
        let names: Vec<_> = sizes.iter().filter_map(Header::family).collect();
        assert_eq!(names, ["tiny", "base", "small", "medium", "large-v3-turbo", "large-v2", "large-v3"]);
    }

    #[test]
    fn turbo_and_english_models_do_not_translate() {
        assert!(header(51865, 8, 6, 6).translates());
        assert!(!header(51864, 8, 6, 6).translates());
        assert!(!header(51866, 20, 32, 4).translates());
    }

    #[test]
    fn numbers_that_no_whisper_has_are_refused() {
        let good = header(51865, 8, 6, 6);
        assert_eq!(good.implausible(), None);
        type Spoil = fn(&mut Header);
        let bad: [(&str, Spoil); 9] = [
            ("vocabulary", |h| h.n_vocab = 51867),
            ("audio context", |h| h.n_audio_ctx = 3000),
            ("text context", |h| h.n_text_ctx = 0),
            ("mel bands", |h| h.n_mels = 81),
            ("differ in width", |h| h.n_text_state = 384),
            ("heads", |h| (h.n_audio_head, h.n_text_head) = (0, 0)),
            ("width", |h| (h.n_audio_state, h.n_text_state) = (500, 500)),
            ("layers", |h| h.n_text_layer = u32::MAX),
            ("blocks", |h| {
                (h.ftype, h.n_audio_state, h.n_text_state, h.n_audio_head, h.n_text_head) =
                    (WeightType::Q4K, 384, 384, 6, 6)
            }),
        ];
        for (word, spoil) in bad {
            let mut header = good.clone();
            spoil(&mut header);
            assert!(header.implausible().is_some_and(|why| why.contains(word)), "{word}");
        }
    }
}
