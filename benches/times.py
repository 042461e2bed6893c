#!/usr/bin/env python3
"""Measures how right the times of words are, beside faster-whisper on the same weights and the same audio.

Where each word truly is, a forced aligner says that is told the text: PocketSphinx, an independent recognizer of another
kind (English only; right to some 20 ms). Words that a program hears otherwise are left out for it.

Repeat:  benches/times.py
         --audio DIR      recordings en_NAME.wav|flac|mp3 with en_NAME.txt beside them (default: those of `make speech`)
         --noise DB       with pink noise over them, so many decibels below the speech
         --only balanced,default      some of fast, balanced, best, default (faster-whisper: beam 5, VAD, word times)
Prints:  words, and how far their starts and ends are off in milliseconds: median, nine of ten, how many starts by more than 200;
         and the median with its sign. Exit 1 when the median start of one of ours is off by more than 100 ms.
         Needs what `make bench` needs, and pip, which puts pocketsphinx into the same folder.
"""
import argparse
import difflib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import daemon
import sound
import speed
import words

# What the dictionary of PocketSphinx lacks is spelt out, letter by letter.
LETTERS = dict(a="EY", b="B IY", c="S IY", d="D IY", e="IY", f="EH F", g="JH IY", h="EY CH", i="AY", j="JH EY", k="K EY",
               l="EH L", m="EH M", n="EH N", o="OW", p="P IY", q="K Y UW", r="AA R", s="EH S", t="T IY", u="Y UW",
               v="V IY", w="D AH B AH L Y UW", x="EH K S", y="W AY", z="Z IY")
SAID = dict(digium="D IH JH IY AH M", woodcutters="W UH D K AH T ER Z", shapeliness="SH EY P L IY N AH S",
            glutton="G L AH T AH N", buriest="B EH R IY AH S T", niggarding="N IH G ER D IH NG", riper="R AY P ER",
            churl="CH ER L")
SAID |= {"beauty's": "B Y UW T IY Z", "feed'st": "F IY D S T", "mak'st": "M EY K S T"}


def aligned(pcm, text):
    """[(word, start, end)] in milliseconds; nothing where the aligner finds no way."""
    from pocketsphinx import Decoder
    told = [re.sub("[^a-z']", "", w) for w in words.units(text)]
    decoder = Decoder(lm=None, beam=1e-100, wbeam=1e-80, pbeam=1e-100, loglevel="FATAL")
    for word in told:
        if decoder.lookup_word(word) is None:
            phones = SAID.get(word) or " ".join(LETTERS[c] for c in word if c in LETTERS)
            decoder.add_word(word, phones or "SIL", True)
    decoder.set_align_text(" ".join(told))
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
    found = [(s.word.split("(")[0], s.start_frame * 10, (s.end_frame + 1) * 10)
             for s in decoder.seg() or [] if s.word[0] not in "<["]
    return found if [w for w, _, _ in found] == told else []


def noisy(pcm, below_db):
    """The same with pink noise over it, so many decibels below the loud parts."""
    import numpy
    sound_ = numpy.frombuffer(pcm, dtype=numpy.int16) / 32768.0
    loud = numpy.sqrt((sound_[numpy.abs(sound_) > 0.02] ** 2).mean())
    spectrum = numpy.fft.rfft(numpy.random.default_rng(1).standard_normal(len(sound_)))
    spectrum /= numpy.sqrt(numpy.maximum(numpy.arange(len(spectrum)), 1))
    pink = numpy.fft.irfft(spectrum, len(sound_))
    mixed = sound_ + pink / pink.std() * loud * 10 ** (-below_db / 20)
    return (numpy.clip(mixed, -1, 0.9999) * 32768).astype(numpy.int16).tobytes()


def ours(program, mode, file):
    command = [program, "transcribe", "--models-dir", str(daemon.cache() / "models"), "--quality", mode, "--language", "en",
               "--format", "json", "--output", "-", str(file)]
    made = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)
    return [(w["word"], w["start"], w["end"]) for s in made["segments"] for w in s["words"]]


def peers(model, file):
    segments, _ = model.transcribe(str(file), language="en", beam_size=5, vad_filter=True, word_timestamps=True)
    return [(w.word, w.start, w.end) for s in segments for w in s.words]


def off(true, heard):
    """How far the same words are off: [(start, end)] in milliseconds."""
    heard = [(unit, s * 1000, e * 1000) for w, s, e in heard for unit in words.units(w)[:1]]
    same = difflib.SequenceMatcher(None, [w for w, _, _ in true], [w for w, _, _ in heard], autojunk=False)
    pairs = [(true[b.a + k], heard[b.b + k]) for b in same.get_matching_blocks() for k in range(b.size)]
    return [(h[1] - t[1], h[2] - t[2]) for t, h in pairs]


def line(name, found):
    starts, ends = zip(*found)
    far = lambda values, part: sorted(map(abs, values))[int(len(values) * part)]
    print(f"{name:<10}{len(found):>6}   start {far(starts, .5):>4.0f} {far(starts, .9):>5.0f} "
          f"{sum(abs(s) > 200 for s in starts):>5}   {statistics.median(starts):>+4.0f}   "
          f"end {far(ends, .5):>4.0f} {far(ends, .9):>5.0f}   {statistics.median(ends):>+4.0f}")
    return far(starts, .5)


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--audio")
    flags.add_argument("--noise", type=float)
    flags.add_argument("--only", default=",".join([*speed.OURS, "default"]))
    asked = flags.parse_args()
    modes, model, found, worst = asked.only.split(","), None, {}, 0
    if "default" in modes:
        from faster_whisper import WhisperModel
        model = WhisperModel(speed.peer_weights(), device="cpu", compute_type="int8", cpu_threads=2, local_files_only=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, (pcm, text) in enumerate(sound.clips(asked.audio)):
            true = aligned(pcm, text)
            file = sound.write_wav(Path(folder) / f"{number}.wav", noisy(pcm, asked.noise) if asked.noise is not None else pcm)
            for mode in modes if true else []:
                heard = peers(model, file) if mode == "default" else ours(daemon.program(), mode, file)
                found.setdefault(mode, []).extend(off(true, heard))
    print("mode       words  start med   9/10  >200   bias    end med   9/10   bias    (ms)")
    for mode in modes:
        middle = line(mode, found[mode])
        worst = max(worst, middle if mode in speed.OURS else 0)
    return 1 if worst > 100 else 0


if __name__ == "__main__":
    python = speed.python()
    if Path(sys.executable) != Path(python):
        if subprocess.run([python, "-c", "import pocketsphinx"], stderr=subprocess.DEVNULL).returncode:
            subprocess.run([python, "-m", "pip", "install", "--quiet", "pocketsphinx"], check=True)
        os.execv(python, [python, *sys.argv])
    sys.exit(main())
