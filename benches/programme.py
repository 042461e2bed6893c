#!/usr/bin/env python3
"""How well a whole programme is heard: several speakers, music and noise under and between them, silence, one who hardly
speaks up, a foreign line, AC-3 5.1, a second audio track.

  programme.py [--clips DIR] [--seed N] [--quality fast|balanced|best] [--keep DIR]

The programme is put together from recordings with exact texts (NAME.wav, .flac, ... beside NAME.txt; LANGUAGE_* is their
language, none_* are music and noise without speech), by default those of `make speech`; another --seed orders, pauses and
mixes them otherwise. Then `transcriptord transcribe FILE.mkv` reads it, and the subtitle is compared with what was said and
when. Printed: word errors, in all and by what lay under the speech; utterances missed (nine words in ten wrong); seconds of
text where nobody speaks; how far from the first word the cues of the utterances start; hard limits broken.
"""
import argparse
import array
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import daemon
import sound
import words

RATE = sound.RATE
FRAME = RATE // 100
MEDIA = (".wav", ".flac", ".mp3", ".opus", ".ogg", ".m4a", ".mp4")
# Cues may reach this far beyond an utterance without being text where nobody speaks.
NEAR_S = 0.5


class Clip:
    def __init__(self, media):
        self.name = media.stem
        self.language = media.stem.split("_")[0]
        text = media.with_suffix(".txt")
        self.text = text.read_text(encoding="utf-8").strip() if text.exists() else ""
        self.data = array.array("h", sound.pcm(media))
        loud = [rms(self.data[i : i + FRAME]) for i in range(0, len(self.data) - FRAME, FRAME)] or [0.0]
        self.rms = rms(self.data)
        over = [i for i, level in enumerate(loud) if level > 0.04 * max(loud)] or [0]
        self.start, self.end = over[0] / 100, (over[-1] + 1) / 100


def rms(samples):
    return math.sqrt(sum(s * s for s in samples) / len(samples)) if len(samples) else 0.0


def scaled(samples, factor):
    return array.array("h", (max(-32768, min(32767, int(s * factor))) for s in samples))


def read(folder):
    clips = []
    for media in sorted(folder.iterdir()):
        if media.suffix in MEDIA and re.match(r"(none|[a-z]{2})_", media.stem) and "over_music" not in media.stem:
            clips.append(Clip(media))
    return clips


def bed(clips, length, level, dice):
    """So much of something without speech, at that RMS."""
    source = dice.choice(clips)
    factor = level / max(1.0, source.rms)
    loop = scaled(source.data, factor)
    out = array.array("h")
    while len(out) < length:
        out += loop
    return out[:length]


def compose(clips, dice, mix_db):
    """(speech, bed, segments): two stems of one length, and who says what when."""
    spoken = [c for c in clips if c.language == "en" and c.text and "stereo" not in c.name]
    foreign = [c for c in clips if c.language not in ("en", "none", "ja", "zh") and c.text and len(c.text) < 130]
    mute = [c for c in clips if c.language == "none" and c.rms > 30]
    dice.shuffle(spoken)
    kinds = ["dry", "music", "dry", "noise", "dry", "quiet"]
    # Twice, the second time on another ground; the longest once.
    again = spoken[1:] + spoken[:1]
    longest = max(spoken, key=lambda c: len(c.data))
    turns = [(c, kinds[i % len(kinds)]) for i, c in enumerate(spoken + [c for c in again if c is not longest])]
    if foreign:
        turns.insert(len(turns) // 2, (dice.choice(foreign), "dry"))
    speech, under, segments = array.array("h"), array.array("h"), []

    def pad(seconds, music):
        length = int(seconds * RATE)
        speech.extend([0] * length)
        under.extend(bed(mute, length, 900, dice) if music and mute else [0] * length)

    pad(dice.uniform(4, 12), True)
    for number, (clip, kind) in enumerate(turns):
        data, level = clip.data, clip.rms
        if kind == "quiet":
            factor = 0.017 * 32768 / max(1.0, clip.rms) * 0.8
            data, level = scaled(data, min(1.0, factor)), clip.rms * min(1.0, factor)
        at = len(speech) / RATE
        segments.append({"clip": clip.name, "lang": clip.language, "bed": kind, "start": round(at + clip.start, 3),
                         "end": round(at + clip.end, 3), "text": clip.text})
        speech.extend(data)
        if kind == "music":
            under.extend(bed(mute, len(data), level * 10 ** (-mix_db / 20), dice))
        elif kind == "noise":
            loud = level * 10 ** (-(mix_db + 3) / 20)
            under.extend(array.array("h", (int(max(-3, min(3, dice.gauss(0, 1))) * loud) for _ in range(len(data)))))
        else:
            under.extend([0] * len(data))
        pad(dice.choice([0.6, 1.2, 2.5, 4.0]), False)
        if number % 3 == 2:
            pad(dice.uniform(8, 28), dice.random() < 0.75)
    pad(6, True)
    return speech, under, segments


def master(speech, under, second, target):
    """AC-3 5.1 with the speech in the middle, the bed all around, and a second track in stereo; with a picture."""
    with tempfile.TemporaryDirectory() as folder:
        stems = [sound.write_wav(Path(folder) / f"{i}.wav", stem.tobytes()) for i, stem in enumerate((speech, under, second))]
        mono = "aformat=channel_layouts=mono"
        graph = ("[0:a]aresample=48000,asplit[a][a1];[1:a]aresample=48000,asplit=3[b][b1][b2];[b]volume=0.3[bc];"
                 f"[a][bc]amix=inputs=2:normalize=0,{mono}[fc];[a1]volume=0.2[la];[la][b1]amix=inputs=2:normalize=0,{mono},asplit[fl][fr];"
                 f"[b2]volume=0.5,{mono},asplit=3[low][sl][sr];[low]lowpass=f=120[lfe];"
                 "[fl][fr][fc][lfe][sl][sr]join=inputs=6:channel_layout=5.1(side)[main];"
                 "[2:a]aresample=48000,pan=stereo|c0=c0|c1=c0[other]")
        command = ["ffmpeg", "-nostdin", "-v", "error", "-y"]
        for stem in stems:
            command += ["-i", str(stem)]
        command += ["-f", "lavfi", "-i", "color=c=gray:s=64x36:r=5", "-filter_complex", graph, "-map", "3:v", "-map", "[main]",
                    "-map", "[other]", "-c:v", "mpeg4", "-c:a:0", "ac3", "-b:a:0", "384k", "-c:a:1", "aac", "-shortest",
                    "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=spa", "-disposition:a:0", "default", str(target)]
        subprocess.run(command, check=True)


def cues(srt):
    stamp = re.compile(r"(\d+):(\d\d):(\d\d),(\d{3}) --> (\d+):(\d\d):(\d\d),(\d{3})")
    found = []
    for block in srt.replace("\r\n", "\n").strip().split("\n\n"):
        lines = block.split("\n")
        at = stamp.match(lines[1]) if len(lines) > 2 else None
        if at:
            h, m, s, ms, h2, m2, s2, ms2 = (int(x) for x in at.groups())
            found.append((h * 3600 + m * 60 + s + ms / 1000, h2 * 3600 + m2 * 60 + s2 + ms2 / 1000, " ".join(lines[2:])))
    return found


def score(segments, found):
    """What the docstring names. Each cue is given to the utterances it lies over; their texts are compared in one go."""
    by_kind, missed, starts, errors, count = {}, [], [], 0, 0
    for segment in segments:
        near = [c for c in found if c[0] < segment["end"] + NEAR_S and c[1] > segment["start"] - NEAR_S]
        mine = [c for c in near if (c[0] + c[1]) / 2 > segment["start"] - NEAR_S and (c[0] + c[1]) / 2 < segment["end"] + NEAR_S]
        reference = words.units(segment["text"], segment["lang"])
        wrong = words.edits(reference, words.units(" ".join(c[2] for c in mine), segment["lang"]))
        segment["wrong"], segment["words"] = wrong, len(reference)
        kind = by_kind.setdefault(segment["bed"] if segment["lang"] == "en" else "foreign", [0, 0])
        kind[0] += wrong
        kind[1] += len(reference)
        errors, count = errors + wrong, count + len(reference)
        if wrong >= 0.9 * len(reference):
            missed.append(segment["clip"])
        if mine:
            segment["start_off"] = round(mine[0][0] - segment["start"], 3)
            starts.append(segment["start_off"])
    spoken = [(s["start"] - NEAR_S, s["end"] + NEAR_S) for s in segments]
    ghosts = [c for c in found if not any(c[0] < end and c[1] > start for start, end in spoken)]
    starts.sort()
    return {"wer": round(errors / max(1, count), 4), "wer_by_kind": {k: round(a / max(1, b), 3) for k, (a, b) in by_kind.items()},
            "missed": missed, "hallucinated_s": round(sum(c[1] - c[0] for c in ghosts), 2), "ghosts": ghosts,
            "start_median_s": starts[len(starts) // 2] if starts else None,
            "start_p90_s": sorted(abs(s) for s in starts)[int(0.9 * len(starts))] if starts else None, "cues": len(found)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, help="folder of recordings (default: those of `make speech`)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mix-db", type=float, default=12, help="how far music lies below the speech; noise 3 dB more (default 12)")
    parser.add_argument("--quality", default="balanced")
    parser.add_argument("--keep", type=Path, help="keep programme, reference and subtitle in this folder")
    parser.add_argument("--make-only", action="store_true", help="do not transcribe")
    asked = parser.parse_args()
    dice = random.Random(asked.seed)
    clips = read(asked.clips or sound.speech())
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        film = folder / f"programme-{asked.seed}.mkv"
        speech, under, segments = compose(clips, dice, asked.mix_db)
        other = [c for c in clips if c.language == "es"] or clips
        second = array.array("h")
        while len(second) < len(speech):
            second += other[0].data
        master(speech, under, second[: len(speech)], film)
        seconds = len(speech) / RATE
        reference = {"duration": seconds, "tracks": [{"language": "en", "segments": segments}]}
        (folder / f"programme-{asked.seed}.json").write_text(json.dumps(reference, ensure_ascii=False, indent=1), encoding="utf-8")
        said = sum(s["end"] - s["start"] for s in segments)
        print(f"programme {asked.seed}: {seconds:.0f} s, {len(segments)} utterances, speech in {said:.0f} s")
        if asked.make_only:
            return
        srt = folder / f"programme-{asked.seed}.srt"
        command = [daemon.program(), "transcribe", "--models-dir", str(daemon.models()), "--quality", asked.quality, "--report", "-o", str(srt), str(film)]
        report = subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True).stderr
        result = score(segments, cues(srt.read_text(encoding="utf-8")))
        for s in segments:
            print(f"  {s['start']:7.2f} {s['bed']:6} {s['wrong']:3} of {s['words']:3} wrong, start {s.get('start_off', '-')} {s['clip']}")
        print(json.dumps(result, ensure_ascii=False, indent=1))
        print(report)
    sys.exit(0 if not result["missed"] and result["hallucinated_s"] <= 2 else 1)


if __name__ == "__main__":
    main()
