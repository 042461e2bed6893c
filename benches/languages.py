#!/usr/bin/env python3
"""How well lines in other languages are heard among English ones that follow them closely.

  languages.py [--clips DIR] [--seed N] [--gaps 0.4,0.7,1.0,1.4] [--quality fast|balanced|best] [--keep DIR]
  languages.py --mixed N [--clips DIR] [--seed N] [--keep DIR]

For each gap a film is put together from recordings with exact texts (as for programme.py; by default those of `make speech`):
an English sentence or two, that many seconds of near silence, a line in another language, the same again, until every
recording in another language was there. `transcriptord transcribe` reads it and is not told any language. Printed for each
gap: lines, those missed (nine words in ten wrong), words wrong in other languages and in English (in those without
spaces, characters).

With --mixed N beginnings of films are made, 100 s each, with a fifth to two fifths in a second language, and `/detect-language`
is asked for the language of each: that of most of it is right. Printed: how many are told wrong, and which.
"""
import argparse
import array
import json
import random
import subprocess
import tempfile
from pathlib import Path

import daemon
import programme
import provider
import sound

RATE = programme.RATE
# A recording is as loud as this, whoever made it.
LEVEL = 2_000
# English stands for so long before each line; recordings that are longer than the longest are left out.
BETWEEN_S, LONGEST_S = 12, 30
# Beginnings of films in two languages; longer recordings are cut to pieces.
BEGINNING_S, PIECE_S = 100, (3, 12)
# There are minutes of these.
MOSTLY = ("en", "en", "es", "fr", "it", "ru")


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


def two_languages(clips, dice):
    """(samples, the language of most, the other): a film's beginning."""
    clips = [c for c in clips if c.text and c.language not in ("none", "mul") and "stereo" not in c.name]
    spoken = {}
    for clip in clips:
        spoken.setdefault(clip.language, []).append(clip)
    most = dice.choice([language for language in MOSTLY if language in spoken])
    other = dice.choice([language for language in spoken if language != most])
    share, gap, begins = dice.choice((0.2, 0.3, 0.4)), dice.choice((0.4, 0.8, 1.5, 3.0)), dice.choice((most, other))
    said, left, film = {most: 0, other: 0}, {most: [], other: []}, array.array("h")
    while len(film) < BEGINNING_S * RATE:
        film.extend(array.array("h", (dice.randint(-3, 3) for _ in range(int(gap * dice.uniform(0.6, 1.4) * RATE)))))
        so_far = sum(said.values())
        language = begins if so_far == 0 else other if said[other] < share * so_far else most
        if not left[language]:
            left[language] = dice.sample(spoken[language], len(spoken[language]))
        data = trimmed(left[language].pop())
        if len(data) > PIECE_S[1] * RATE:
            begin = dice.randrange(len(data) - PIECE_S[1] * RATE)
            data = data[begin : begin + int(dice.uniform(*PIECE_S) * RATE)]
        film.extend(data)
        said[language] += len(data)
    return film, max(said, key=said.get), min(said, key=said.get)


def tell(clips, count, first, keep):
    """Asks for the language of so many beginnings."""
    rows, wrong = [], 0
    with daemon.Daemon() as serving:
        for seed in range(first, first + count):
            film, most, other = two_languages(clips, random.Random(seed))
            if keep:
                keep.mkdir(parents=True, exist_ok=True)
                sound.write_wav(keep / f"mixed-{seed}.wav", film.tobytes())
            path = f"/detect-language?encode=false&video_file=mixed-{seed}"
            told = json.loads(provider.post(serving.port, film.tobytes(), path, 5, 60, provider.Answer()))["language_code"]
            if told != most:
                wrong += 1
                rows.append([seed, most, other, told])
    if rows:
        daemon.table(rows, ["seed", "most in", "other", "told"])
    print(f"{wrong} of {count} told wrong")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, help="folder of recordings (default: those of `make speech`)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gaps", default="0.4,0.7,1.0,1.4", help="seconds of silence around a line")
    parser.add_argument("--quality", default="balanced")
    parser.add_argument("--keep", type=Path, help="keep films and subtitles in this folder")
    parser.add_argument("--mixed", type=int, metavar="N", help="ask for the language of N beginnings of films in two")
    asked = parser.parse_args()
    clips = programme.read(asked.clips or sound.speech())
    if asked.mixed:
        return tell(clips, asked.mixed, asked.seed, asked.keep)
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
