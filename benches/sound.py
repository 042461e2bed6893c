"""Speech to measure on, made with ffmpeg from the recordings of `make speech`. Not run by itself.

What is made is kept under the cache folder, in `bench/`, by a name that says what it is.
"""
import os
import subprocess
import wave
from pathlib import Path

import daemon

RATE = 16_000
SECOND = RATE * 2  # bytes


def speech():
    return Path(os.environ.get("SPEECH") or daemon.cache() / "speech")


def kept(name):
    folder = daemon.cache() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def pcm(file):
    """Any media as s16le, mono, 16 kHz, as Bazarr sends it."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(file), "-f", "s16le", "-ar", str(RATE), "-ac", "1", "-"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def write_wav(path, data):
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(data)
    return path


def clips(folder=None, language="en"):
    """[(pcm, text)] of each recording of the language that has its words beside it."""
    found = []
    folder = Path(folder) if folder else speech()
    for text in sorted(folder.glob(f"{language}_*.txt")):
        media = [f for f in folder.glob(text.stem + ".*") if f.suffix in (".wav", ".flac", ".mp3", ".opus", ".ogg", ".m4a")]
        words = text.read_text(encoding="utf-8").strip()
        if media and words and not text.stem.endswith(".en"):
            found.append((pcm(media[0]), words))
    if not found:
        raise SystemExit(f"no recordings named {language}_* with a .txt in {folder}: run `make speech`")
    return found


def joined(parts, seconds, pause_s=0.7):
    """(pcm, text): the recordings one after the other, again and again until `seconds` are full."""
    data, texts, at = bytearray(), [], 0
    pause = bytes(int(pause_s * RATE) * 2)
    while len(data) < seconds * SECOND:
        sound, words = parts[at % len(parts)]
        data += sound + pause
        texts.append(words)
        at += 1
    return bytes(data), " ".join(texts)


def looped(parts, seconds):
    """Exactly `seconds` of the recordings."""
    return joined(parts, seconds)[0][: int(seconds) * SECOND]


def long_media(seconds, suffix, spoken_s):
    """A file of that length: speech for `spoken_s`, then soft pink noise (silence in a FLAC: it is small)."""
    target = kept(f"media-{seconds}s-{min(spoken_s, seconds)}s-spoken{suffix}")
    if target.exists():
        return target
    head = write_wav(kept("head.wav"), looped(clips(), min(spoken_s, seconds)))
    rest = seconds - spoken_s
    codec = {".wav": ["pcm_s16le"], ".flac": ["flac"], ".mkv": ["aac", "-b:a", "96k"]}[suffix]
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(head)]
    if rest > 0:
        # A minute of noise, looped in memory: noise for hours takes ffmpeg longer than we take to hear it.
        noise = f"anoisesrc=color=pink:duration=60:sample_rate={RATE}:amplitude=0.02:seed=7,aloop=loop=-1:size={60 * RATE}"
        if suffix == ".flac":
            noise = f"anullsrc=sample_rate={RATE}:channel_layout=mono"
        command += ["-f", "lavfi", "-t", str(rest), "-i", noise, "-filter_complex", "[0:a][1:a]concat=n=2:v=0:a=1"]
    unfinished = target.with_name("unfinished-" + target.name)
    subprocess.run(command + ["-ar", str(RATE), "-ac", "1", "-c:a", *codec, str(unfinished)], check=True)
    head.unlink()
    return unfinished.rename(target)
