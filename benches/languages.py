#!/usr/bin/env python3
"""How well lines in other languages are heard among English ones that follow them closely.

  languages.py [--clips DIR] [--seed N] [--gaps 0.4,0.7,1.0,1.4] [--quality fast|balanced|best] [--keep DIR]

For each gap a film is put together from recordings with exact texts (as for programme.py; by default those of `make speech`):
an English sentence or two, that many seconds of near silence, a line in another language, the same again, until every
recording in another language was there. `transcriptord transcribe` reads it and is not told any language. Printed for each
gap: lines, those missed (nine words in ten wrong), words wrong in other languages and in English (in those without
spaces, characters).
"""
import argparse
import array
import random
import subprocess
import tempfile
from pathlib import Path

import daemon
import programme
import sound

RATE = programme.RATE
# A recording is as loud as this, whoever made it.
LEVEL = 2_000
# English stands for so long before each line; recordings that are longer than the longest are left out.
BETWEEN_S, LONGEST_S = 12, 30


def trimmed(clip):
    data = clip.data[int(clip.start * RATE) : int(clip.end * RATE)]
    return programme.scaled(data, LEVEL / max(1.0, programme.rms(data)))


def compose(clips, gap, dice):
    """(samples, who says what when)."""
    clips = [c for c in clips if c.text and c.language != "none" and c.end - c.start < LONGEST_S and "stereo" not in c.name]
    english = [c for c in clips if c.language == "en"]
    foreign = [c for c in clips if c.language not in ("en", "mul")]
    dice.shuffle(foreign)
    dice.shuffle(english)
    film, segments = array.array("h"), []

    def silence(seconds):
        film.extend(array.array("h", (dice.randint(-3, 3) for _ in range(int(seconds * RATE)))))

    def say(clip):
        at, data = len(film) / RATE, trimmed(clip)
        film.extend(data)
        segments.append({"clip": clip.name, "lang": clip.language, "bed": "dry", "text": clip.text, "start": at,
                         "end": at + len(data) / RATE})

    def speak():
        begun = len(film)
        while len(film) - begun < BETWEEN_S * RATE:
            if len(film) > begun:
                silence(2)
            say(english[0])
            # Each in turn: who says the same twice in a row is taken to have said it once.
            english.append(english.pop(0))

    silence(1)
    for clip in foreign:
        speak()
        silence(gap)
        say(clip)
        silence(gap)
    speak()
    silence(1)
    return film, segments


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, help="folder of recordings (default: those of `make speech`)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gaps", default="0.4,0.7,1.0,1.4", help="seconds of silence around a line")
    parser.add_argument("--quality", default="balanced")
    parser.add_argument("--keep", type=Path, help="keep films and subtitles in this folder")
    asked = parser.parse_args()
    clips = programme.read(asked.clips or sound.speech())
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for gap in (float(gap) for gap in asked.gaps.split(",")):
            film, segments = compose(clips, gap, random.Random(asked.seed))
            media = sound.write_wav(folder / f"languages-{asked.seed}-{gap}.wav", film.tobytes())
            srt = media.with_suffix(".srt")
            command = [daemon.program(), "transcribe", "--models-dir", str(daemon.models()), "--quality", asked.quality, "-o",
                       str(srt), str(media)]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            result = programme.score(segments, programme.cues(srt.read_text(encoding="utf-8")))
            foreign = [s["clip"] for s in segments if s["lang"] != "en"]
            missed = [clip for clip in result["missed"] if clip in foreign]
            shares = [f"{result['wer_by_kind'].get(kind, 0):.3f}" for kind in ("foreign", "dry")]
            rows.append([f"{gap:.1f} s", len(foreign), " ".join(missed) or "none", *shares])
    daemon.table(rows, ["silence around", "lines", "missed", "words wrong in them", "in English"])


if __name__ == "__main__":
    main()
