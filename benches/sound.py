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


def pcm_of(source):
    command = ["ffmpeg", "-nostdin", "-v", "error", *source, "-f", "s16le", "-ar", str(RATE), "-ac", "1", "-"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def pcm(file):
    """Any media as s16le, mono, 16 kHz, as Bazarr sends it."""
    return pcm_of(["-i", str(file)])


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


CODECS = {"wav": ["pcm_s16le"], "flac": ["flac"], "flac.mkv": ["flac"], "opus.mkv": ["libopus", "-b:a", "32k"],
          "aac.mkv": ["aac", "-b:a", "96k"]}
REEL_S = 600


def lavfi(source, seconds):
    """What ffmpeg's synthesisers make, as `pcm` gives it."""
    return pcm_of(["-f", "lavfi", "-t", f"{seconds:.3f}", "-i", source])


def reel(spoken_s):
    """Ten minutes: speech at three places, `spoken_s` in all, among soft noise, music and silence."""
    parts, said, at = [], clips(), 0
    quiet_s = (REEL_S - spoken_s) / 3
    chord = "0.05*(" + "+".join(f"sin(2*PI*{hz}*t*(1+floor(mod(t,4))/8))" for hz in (220, 277, 330)) + ")*(1-mod(t,0.5))"
    between = [f"anoisesrc=color=pink:sample_rate={RATE}:amplitude=0.02:seed=7", f"aevalsrc='{chord}':sample_rate={RATE}",
               f"anullsrc=sample_rate={RATE}:channel_layout=mono"]
    for filling in between:
        # Another recording at each place.
        parts.append(looped(said[at:] + said[:at], spoken_s / 3))
        parts.append(lavfi(filling, quiet_s))
        at = (at + 1) % len(said)
    return b"".join(parts)[: REEL_S * SECOND]


def long_media(seconds, kind, spoken_s):
    """A file of that length and kind (a key of CODECS): the reel again and again, `spoken_s` of speech in ten minutes."""
    target = kept(f"film-{seconds}s-{spoken_s}s-spoken.{kind}")
    if target.exists():
        return target
    tape = kept(f"reel-{spoken_s}s.wav")
    if not tape.exists():
        write_wav(tape, reel(spoken_s))
    unfinished = target.with_name("unfinished-" + target.name)
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-stream_loop", "-1", "-t", str(seconds), "-i", str(tape)]
    subprocess.run(command + ["-c:a", *CODECS[kind], str(unfinished)], check=True)
    return unfinished.rename(target)
