//! What Whisper is told beforehand and what becomes of it, with an engine that follows a script.

mod pool_bench;

use pool_bench::{Bench, say, speech};
use std::sync::{Arc, Mutex};
use transcriptord::engine::{Ask, Heard, Sound};
use transcriptord::job::{JobId, NewJob, Options};
use transcriptord::subtitle::Word;

/// What the engine was asked with, in order.
type Asked = Arc<Mutex<Vec<Option<String>>>>;

/// An engine that says `told` while it is told a prompt, and `bare` otherwise.
fn bench(told: &'static str, bare: &'static str) -> (Bench, Asked) {
    let asked = Asked::default();
    let noted = asked.clone();
    let bench = Bench::start(1, 1, move |sound, ask: &Ask, _| {
        noted.lock().unwrap().push(ask.prompt.clone());
        Ok(spoken(sound, if ask.prompt.is_some() { told } else { bare }))
    });
    (bench, asked)
}

/// The words spread over the speech; the script's own where the text is empty.
fn spoken(sound: Sound<'_>, text: &str) -> Heard {
    let (Some(first), Some(last), false) = (sound.speech.first(), sound.speech.last(), text.is_empty())
    else {
        return Heard::default();
    };
    let words: Vec<&str> = text.split(' ').collect();
    let step = (last.end - first.start) / 16 / words.len() as i64;
    let word = |(i, word): (usize, &&str)| {
        let start_ms = first.start / 16 + i as i64 * step;
        Word { text: format!(" {word}"), start_ms, end_ms: start_ms + step, p: 0.9 }
    };
    Heard {
        words: words.iter().enumerate().map(word).collect(),
        no_speech: None,
        avg_logprob: -0.1,
        listened: None,
    }
}

fn text(bench: &Bench, id: JobId) -> String {
    let words = bench.transcript(id).cues.into_iter().flat_map(|cue| cue.words);
    words.map(|w| w.text).collect::<String>().trim().to_string()
}

fn with_names(job: &mut NewJob) {
    job.options = Options {
        title: Some("Frodo Baggins, Gandalf. The Ring.".into()),
        hotwords: vec!["Samwise Gamgee".into(), "Bree".into()],
        initial_prompt: Some("In the Shire".into()),
        ..Options::default()
    };
}

#[test]
fn the_prompt_reaches_the_engine_with_the_persons_own_words_last() {
    let (mut bench, asked) = bench("we went to Bree with Gandalf", "");
    let id = bench.ask("film", &speech(&[(3.0, 1.0)]), with_names);
    assert_eq!(text(&bench, id), "we went to Bree with Gandalf");
    let expected = "Frodo Baggins, Gandalf. The Ring. Samwise Gamgee, Bree. In the Shire.";
    assert_eq!(*asked.lock().unwrap(), [Some(expected.to_string())]);
    bench.stop();
}

#[test]
fn where_nobody_speaks_the_prompt_is_not_written_down() {
    for told in ["Frodo Baggins", "Gandalf", "Frodo Baggins Gandalf The Ring Samwise Gamgee"] {
        let (mut bench, asked) = bench(told, "");
        let id = bench.ask("noise", &speech(&[(3.0, 1.0)]), with_names);
        assert_eq!(text(&bench, id), "", "{told}");
        assert!(asked.lock().unwrap().contains(&None), "{told}: it was not tried without the prompt");
        bench.stop();
    }
}

#[test]
fn a_name_that_is_said_is_written_as_the_prompt_spells_it() {
    let (mut bench, _) = bench("Gandalf", "Gen Dolph");
    let id = bench.ask("film", &speech(&[(2.0, 1.0)]), with_names);
    assert_eq!(text(&bench, id), "Gandalf");
    bench.stop();
}

#[test]
fn a_run_of_the_prompt_that_nobody_said_costs_the_prompt() {
    let told = "so we left Frodo Baggins Gandalf The Ring behind us";
    let (mut bench, _) = bench(told, "so we left on the next morning for home");
    let id = bench.ask("film", &speech(&[(4.0, 1.0)]), with_names);
    assert_eq!(text(&bench, id), "so we left on the next morning for home");
    bench.stop();
}

#[test]
fn a_loop_under_a_prompt_is_looked_at_again_without_it() {
    let (mut bench, asked) = bench("no no no no no no no no", "no way out of here");
    let id = bench.ask("film", &speech(&[(3.0, 1.0)]), with_names);
    assert_eq!(text(&bench, id), "no way out of here");
    assert_eq!(asked.lock().unwrap().iter().filter(|prompt| prompt.is_none()).count(), 1);
    bench.stop();
}

#[test]
fn without_a_prompt_nothing_is_looked_at_twice() {
    let count = Arc::new(Mutex::new(0));
    let counted = count.clone();
    let mut bench = Bench::start(1, 1, move |sound, ask: &Ask, _| {
        assert_eq!(ask.prompt, None);
        *counted.lock().unwrap() += 1;
        Ok(say(sound))
    });
    let id = bench.ask("film", &speech(&[(3.0, 1.0)]), |_| {});
    assert!(!text(&bench, id).is_empty());
    assert_eq!(*count.lock().unwrap(), 1);
    bench.stop();
}
