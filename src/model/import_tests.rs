//! Small models brought in whole, in parts, spoilt.

use super::{Imported, import};
use crate::model::samples::{self, Ct2Sample, ct2_bytes, ct2_sample, write_ct2, write_vocabulary};
use crate::model::{Error, WeightType, check, convert, installed};
use std::fs;
use std::path::{Path, PathBuf};

struct Place {
    _temporary: tempfile::TempDir,
    from: PathBuf,
    models: PathBuf,
}

fn place() -> Place {
    let temporary = tempfile::tempdir().unwrap();
    let (from, models) = (temporary.path().join("source"), temporary.path().join("models"));
    fs::create_dir(&from).unwrap();
    Place { _temporary: temporary, from, models }
}

impl Place {
    fn import(&self, from: &[&Path], weights: WeightType) -> Result<Imported, Error> {
        let from: Vec<PathBuf> = from.iter().map(|p| p.to_path_buf()).collect();
        import(&from, &self.models, None, weights, &mut |_, _| {})
    }

    /// Nothing in the models folder, finished or not.
    fn is_clean(&self) -> bool {
        fs::read_dir(&self.models).map_or(0, Iterator::count) == 0
    }
}

fn refuses(word: &str, spoil: impl FnOnce(&mut Ct2Sample)) {
    let place = place();
    let mut sample = ct2_sample();
    spoil(&mut sample);
    write_ct2(&place.from, &sample);
    let error = place.import(&[&place.from], WeightType::F16).unwrap_err().to_string();
    assert!(error.contains(word), "'{word}' is not in: {error}");
    assert!(place.is_clean());
}

#[test]
fn a_folder_becomes_a_model_of_every_type() {
    let place = place();
    write_ct2(&place.from, &ct2_sample());
    for weights in [WeightType::F16, WeightType::Bf16, WeightType::Q8_0, WeightType::Q5_1] {
        let imported = place.import(&[&place.from], weights).unwrap();
        assert_eq!(check(&imported.path).unwrap().ftype, weights);
        assert_eq!((imported.published, imported.stock), (false, None));
        assert_eq!(imported.name, format!("imported{}", weights.suffix()));
    }
    assert_eq!(installed(&place.models).len(), 4);
    let unfinished = fs::read_dir(&place.models).unwrap().count();
    assert_eq!(unfinished, 4, "no temporary file is left");
}

#[test]
fn f32_and_bf16_sources_give_the_same_file() {
    let plain = place();
    write_ct2(&plain.from, &ct2_sample());
    let expected = plain.import(&[&plain.from], WeightType::F16).unwrap().sha1;
    for (dtype, half) in [(0u8, &[0, 0, 0, 0x3f][..]), (5, &[0, 0x3f])] {
        let place = place();
        let mut sample = ct2_sample();
        for (_, number, data) in sample.variables.values_mut().filter(|(_, number, _)| *number == 4) {
            *number = dtype;
            *data = data
                .chunks(2)
                .flat_map(|v| if v == [0, 0] { vec![0; half.len()] } else { half.to_vec() })
                .collect();
        }
        write_ct2(&place.from, &sample);
        assert_eq!(place.import(&[&place.from], WeightType::F16).unwrap().sha1, expected);
    }
}

#[test]
fn parts_may_lie_in_several_folders() {
    let place = place();
    let (first, second) = (place.from.join("a"), place.from.join("b"));
    fs::create_dir_all(&first).unwrap();
    fs::create_dir_all(&second).unwrap();
    let bytes = ct2_bytes(&ct2_sample());
    let (one, two) = bytes.split_at(bytes.len() / 2 + 1);
    fs::write(first.join("model.bin.part1"), one).unwrap();
    fs::write(second.join("model.bin.part2"), two).unwrap();
    write_vocabulary(&first, &ct2_sample());
    assert!(place.import(&[&second, &first], WeightType::Q8_0).is_ok());

    let error = place.import(&[&first], WeightType::Q8_0).unwrap_err().to_string();
    assert!(error.contains("a part is missing"), "{error}");
    let error = place.import(&[&second], WeightType::Q8_0).unwrap_err().to_string();
    assert!(error.contains("model.bin.part1 is missing"), "{error}");
    let error = place.import(&[&first, &first], WeightType::Q8_0).unwrap_err().to_string();
    assert!(error.contains("part 1 is there twice"), "{error}");
}

#[test]
fn a_download_cache_is_looked_through() {
    let place = place();
    let cache = place.from.join("models--me--faster-whisper-small-german");
    write_ct2(&cache.join("snapshots/0123abcd"), &ct2_sample());
    assert_eq!(place.import(&[&cache], WeightType::Q8_0).unwrap().name, "small-german-q8_0");
}

#[test]
fn an_integer_model_is_refused_with_the_reason() {
    refuses("int8", |s| {
        let (shape, number, data) = s.variables.get_mut("encoder/layer_0/ffn/linear_0/weight").unwrap();
        (*number, *data) = (1, vec![1; shape.iter().product::<u32>() as usize]);
    });
}

#[test]
fn what_a_ggml_model_cannot_hold_is_refused() {
    refuses("keys have a bias", |s| {
        s.variables.get_mut("decoder/layer_0/self_attention/linear_0/bias").unwrap().2[130] = 1;
    });
    refuses("keys have a bias", |s| {
        s.variables.get_mut("decoder/layer_0/attention/linear_1/bias").unwrap().2[1] = 1
    });
    refuses("weights of its own", |s| {
        s.aliases.clear();
        s.variables.insert("decoder/projection/weight".into(), (vec![1], 4, vec![0, 0]));
    });
}

#[test]
fn a_model_that_lacks_something_is_refused() {
    refuses("has no 'decoder/layer_norm/gamma'", |s| drop(s.variables.remove("decoder/layer_norm/gamma")));
    refuses("has no 'decoder/layer_0/ffn/linear_0/weight'", |s| {
        drop(s.variables.remove("decoder/layer_0/ffn/linear_0/weight"))
    });
    refuses("its decoder has no layer 1", |s| {
        let some = s.variables["encoder/layer_norm/beta"].clone();
        s.variables.insert("decoder/layer_2/ffn/layer_norm/beta".into(), some);
    });
    refuses("has no 'encoder/num_heads'", |s| drop(s.variables.remove("encoder/num_heads")));
    refuses("width", |s| s.variables.get_mut("encoder/num_heads").unwrap().2[0] = 2);
    refuses("has the shape [64], not", |s| {
        let first = s.variables["encoder/layer_norm/beta"].clone();
        s.variables.insert("encoder/layer_0/ffn/linear_0/bias".into(), first);
    });
}

#[test]
fn values_that_are_not_numbers_are_refused() {
    refuses("not numbers", |s| s.variables.get_mut("decoder/embeddings/weight").unwrap().2[1] = 0x7c);
}

#[test]
fn a_table_that_contradicts_itself_is_refused() {
    refuses("does not fit its shape", |s| {
        s.variables.get_mut("encoder/conv1/bias").unwrap().0 = vec![u32::MAX; 9]
    });
    refuses("unknown data type", |s| s.variables.get_mut("encoder/conv1/bias").unwrap().1 = 9);
    refuses("which is not there", |s| s.aliases[0].1 = "nowhere".into());
    refuses("there twice", |s| s.aliases[0].0 = "decoder/embeddings/weight".into());
}

#[test]
fn a_vocabulary_that_does_not_belong_is_refused() {
    refuses("do not belong together", |s| drop(s.tokens.pop()));
    refuses("50256", |s| s.tokens[50256].clear());
    refuses("alphabet", |s| s.tokens[3] = "日".into());
}

#[test]
fn bytes_behind_the_end_and_other_files_are_refused() {
    let place = place();
    let sample = ct2_sample();
    write_ct2(&place.from, &sample);
    let model = place.from.join("model.bin");
    let try_bytes = |bytes: &[u8], word: &str| {
        fs::write(&model, bytes).unwrap();
        let error = place.import(&[&place.from], WeightType::F16).unwrap_err().to_string();
        assert!(error.contains(word), "'{word}' is not in: {error}");
    };
    let whole = ct2_bytes(&sample);
    try_bytes(&[&whole[..], b"more"].concat(), "4 bytes follow");
    for cut in [whole.len() - 1, whole.len() / 2, 100, 20, 3] {
        try_bytes(&whole[..cut], "cut short");
    }
    try_bytes(b"\x05\0\0\0\x0c\0WhisperSpec\0", "not with 6");
    try_bytes(b"\x06\0\0\0\x04\0Foo\0\x03\0\0\0", "'Foo'");
    try_bytes(b"PK\x03\x04", "PyTorch");
    try_bytes(b"", "empty");
    assert!(place.is_clean());
}

#[test]
fn a_place_without_a_model_says_what_belongs_there() {
    let place = place();
    let error = place.import(&[&place.from], WeightType::F16).unwrap_err().to_string();
    assert!(error.contains("there is no model.bin"), "{error}");
    let error = place.import(&[&place.from.join("none")], WeightType::F16).unwrap_err().to_string();
    assert!(error.contains("cannot read"), "{error}");
    fs::write(place.from.join("model.bin"), ct2_bytes(&ct2_sample())).unwrap();
    let error = place.import(&[&place.from], WeightType::F16).unwrap_err().to_string();
    assert!(error.contains("no vocabulary"), "{error}");
}

#[test]
fn a_ggml_file_is_copied_or_converted() {
    let place = place();
    write_ct2(&place.from, &ct2_sample());
    let plain = place.import(&[&place.from], WeightType::F16).unwrap();
    let q8_0 = place.import(&[&place.from], WeightType::Q8_0).unwrap();
    let other = place.from.join("ggml-mine.bin");
    fs::copy(&plain.path, &other).unwrap();

    let copied = place.import(&[&other], WeightType::F16).unwrap();
    assert_eq!((copied.name.as_str(), &copied.sha1), ("mine", &plain.sha1));
    let converted = place.import(&[&other], WeightType::Q8_0).unwrap();
    assert_eq!((converted.name.as_str(), &converted.sha1), ("mine-q8_0", &q8_0.sha1));

    // f16 cannot be had from q8_0, so it stays what it is; another type is an error.
    let small = place.import(&[&q8_0.path], WeightType::F16).unwrap();
    assert_eq!((small.name, small.sha1), (q8_0.name, q8_0.sha1));
    let error = place.import(&[&q8_0.path], WeightType::Q5_1).unwrap_err().to_string();
    assert!(error.contains("are q8_0 already"), "{error}");
}

#[test]
fn converting_gives_what_importing_gives() {
    let place = place();
    write_ct2(&place.from, &ct2_sample());
    let plain = place.import(&[&place.from], WeightType::F16).unwrap();
    for weights in [WeightType::Bf16, WeightType::Q8_0, WeightType::Q5_1] {
        let imported = place.import(&[&place.from], weights).unwrap();
        let out = place.from.join(format!("{weights}.bin"));
        assert_eq!(convert(&plain.path, weights, &out).unwrap().sha1, imported.sha1, "{weights}");
        assert_eq!(fs::read(out).unwrap(), fs::read(imported.path).unwrap());
    }
    assert!(matches!(
        convert(&plain.path, WeightType::Q5_0, &place.from.join("x")),
        Err(Error::NotWritable(_))
    ));
}

#[test]
fn a_damaged_ggml_file_is_not_brought_in() {
    let place = place();
    let file = place.from.join("ggml-x.bin");
    samples::write(&file, &samples::sample(WeightType::F16));
    fs::File::options().write(true).open(&file).unwrap().set_len(5_000_000).unwrap();
    assert!(matches!(place.import(&[&file], WeightType::F16), Err(Error::Damaged { .. })));
    assert!(place.is_clean());
}

#[test]
fn what_a_killed_import_left_is_cleared_away() {
    let place = place();
    write_ct2(&place.from, &ct2_sample());
    fs::create_dir_all(&place.models).unwrap();
    let left = place.models.join(".import-1-0.tmp");
    fs::write(&left, "half").unwrap();
    place.import(&[&place.from], WeightType::F16).unwrap();
    assert!(!left.exists());
}

#[test]
fn an_asked_name_is_kept_and_says_the_weight_type() {
    let place = place();
    write_ct2(&place.from, &ct2_sample());
    let from = [place.from.clone()];
    let named = |name| import(&from, &place.models, Some(name), WeightType::Q8_0, &mut |_, _| {});
    assert_eq!(named("mine").unwrap().path, place.models.join("ggml-mine-q8_0.bin"));
    assert!(matches!(named("a/../b c"), Err(Error::BadName(_))));
}

#[test]
fn progress_goes_up_to_the_size_of_the_file() {
    let place = place();
    write_ct2(&place.from, &ct2_sample());
    let mut heard = Vec::new();
    let imported = import(
        std::slice::from_ref(&place.from),
        &place.models,
        None,
        WeightType::Q5_1,
        &mut |done, total| heard.push((done, total)),
    );
    let bytes = fs::metadata(imported.unwrap().path).unwrap().len();
    assert!(heard.is_sorted() && heard.last() == Some(&(bytes, bytes)));
}
