//! What the check lets through and what it refuses, with the word that the error must have.

use super::check;
use crate::model::WeightType;
use crate::model::header::tests::header;
use crate::model::samples::{self, Sample, of, sample};
use std::fs;

fn refuses(word: &str, spoil: impl FnOnce(&mut Sample)) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ggml-x.bin");
    let mut sample = sample(WeightType::F16);
    spoil(&mut sample);
    samples::write(&path, &sample);
    let error = check(&path).unwrap_err().to_string();
    assert!(error.contains(word), "'{word}' is not in: {error}");
}

fn refuses_bytes(word: &str, bytes: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ggml-x.bin");
    fs::write(&path, bytes).unwrap();
    let error = check(&path).unwrap_err().to_string();
    assert!(error.contains(word), "'{word}' is not in: {error}");
    assert!(error.contains("ggml-x.bin"), "{error}");
}

#[test]
fn sound_models_of_every_type_pass() {
    use WeightType::*;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ggml-x.bin");
    for weights in [F16, Bf16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0] {
        samples::write(&path, &sample(weights));
        assert_eq!(check(&path).unwrap().ftype, weights);
    }
    let mut wide = header(51866, 4, 2, 1);
    wide.ftype = Q6K;
    samples::write(&path, &of(wide.clone()));
    assert_eq!(check(&path).unwrap(), wide);
}

#[test]
fn the_order_of_tensors_does_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ggml-x.bin");
    let mut sample = sample(WeightType::F16);
    sample.tensors.reverse();
    samples::write(&path, &sample);
    assert!(check(&path).is_ok());
}

#[test]
fn files_of_another_kind_are_called_by_their_name() {
    refuses_bytes("empty", b"");
    refuses_bytes("voice detector", include_bytes!("../engine/voice/silero-v6-16k.bin"));
    refuses_bytes("llama.cpp", b"GGUF\x03\0\0\0");
    refuses_bytes("PyTorch", b"PK\x03\x04 and more");
    refuses_bytes("CTranslate2", b"\x06\0\0\0\x0c\0WhisperSpec\0\x03\0\0\0");
    refuses_bytes("safetensors", b"\x10\x27\0\0\0\0\0\0{\"__metadata__\"");
    refuses_bytes("web page", b"\n<!DOCTYPE html><html>");
    refuses_bytes("Git LFS", b"version https://git-lfs.github.com/spec/v1\n");
    refuses_bytes("unknown", b"RIFF\0\0\0\0WAVE");
    refuses_bytes("unknown", b"x");
}

#[test]
fn folders_and_missing_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(check(dir.path()).unwrap_err().to_string().contains("cannot read"));
    assert!(check(&dir.path().join("none")).unwrap_err().to_string().contains("cannot read"));
}

#[test]
fn a_file_with_all_weights_f32_is_refused() {
    refuses("f32", |s| s.ftype = 0);
    refuses("f32", |s| s.ftype = 2000);
}

#[test]
fn an_impossible_header_is_refused() {
    refuses("weight type 77", |s| s.ftype = 77);
    refuses("weight type -5", |s| s.ftype = -5);
    refuses("vocabulary", |s| s.header.n_vocab = u32::MAX);
    refuses("layers", |s| s.header.n_audio_layer = 0x7fff_ffff);
    refuses("width", |s| (s.header.n_audio_state, s.header.n_text_state) = (u32::MAX, u32::MAX));
}

#[test]
fn broken_mel_filters_are_refused() {
    refuses("mel", |s| s.mel[7] = f32::NAN);
    refuses("mel", |s| s.mel[7] = -1e30);
}

#[test]
fn a_vocabulary_that_does_not_fit_is_refused() {
    refuses("0 tokens", |s| s.tokens = 0);
    refuses("51865 tokens", |s| s.tokens = 51865);
}

#[test]
fn tensors_that_do_not_fit_are_refused() {
    let name = "decoder.blocks.0.mlp.0.weight";
    let at = |s: &Sample| s.tensors.iter().position(|t| t.name == name).unwrap();
    refuses("lacks the tensor 'encoder.ln_post.bias'", |s| drop(s.tensors.pop()));
    refuses("twice", |s| s.tensors.push(s.tensors[0].clone()));
    refuses("no such model has", |s| {
        let at = at(s);
        s.tensors[at].name = "decoder.blocks.7.mlp.0.weight".into();
    });
    refuses("shape [64, 256], not [256, 64]", |s| {
        let at = at(s);
        s.tensors[at].shape.reverse();
    });
    refuses("not the head of a tensor", |s| {
        let at = at(s);
        s.tensors[at].shape = vec![1; 9];
    });
    // The header says q8_0, the tensors are f16.
    refuses("is of type 1, not 8", |s| s.ftype = WeightType::Q8_0.ftype());
}

#[test]
fn what_follows_the_last_tensor_is_refused() {
    refuses("inside a tensor's head", |s| s.rest = vec![0; 5]);
    refuses("not the head of a tensor", |s| s.rest = vec![0xff; 64]);
    refuses("no such model has", |s| s.rest = vec![0; 64]);
}

#[test]
fn a_model_cut_anywhere_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ggml-x.bin");
    samples::write(&path, &sample(WeightType::Q8_0));
    let whole = fs::metadata(&path).unwrap().len();
    let file = fs::File::options().write(true).open(&path).unwrap();
    for len in [whole - 1, whole - 300, whole / 2, 300_000, 64_000, 100, 50, 20, 5, 4] {
        file.set_len(len).unwrap();
        let error = check(&path).unwrap_err().to_string();
        let clear = error.contains("it ends at byte") || error.contains("cut short");
        assert!(clear && error.contains("get it again"), "{len}: {error}");
    }
}

proptest::proptest! {
    /// Whatever single word of the head is overwritten, the check answers; it never panics or reads on forever.
    #[test]
    fn no_damage_to_the_head_is_fatal(at in 0usize..15, value: u32) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ggml-x.bin");
        samples::write(&path, &sample(WeightType::F16));
        let file = fs::File::options().write(true).open(&path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &value.to_le_bytes(), at as u64 * 4).unwrap();
        check(&path).ok();
    }
}
