#!/usr/bin/env python3
"""Measures speed, memory and word errors beside the peers, on the same weights and the same audio.

Whole processes, one after the other, interleaved, `--rounds` times; 2 threads in all. transcriptord
(fast, balanced, best), faster-whisper int8 (default mode: beam 5, VAD, word times; batched mode: 8, beam 1, time
stamps), whisper.cpp's plain long-form decode. Absolute figures hold for one machine at one time:
the ratios are what counts, and only from rounds of one run on a quiet machine.

Repeat:  make bench      or      benches/speed.py --seconds 600 --rounds 5
         --audio DIR      recordings en_NAME.wav|flac|mp3 with en_NAME.txt beside them (--language for others)
         --programme FILE any media file; its words in FILE.txt, without which no error rate is printed
         --only fast,batched      some of them
         --device cuda:0  all of them on a GPU, faster-whisper in float16 (PEER_PYTHON: a Python that has it for that GPU)
         --workers 1,2,4  ours with so many sessions, one after the other
Prints:  × real time, wall seconds, peak memory of the process tree, word error rate, each the median of the
         rounds; then the ratios of ours to each peer, per round, median. Exit 1 below the floor (1.0 × batched, 2.5 × default).
         Needs the cached weights (`make bench` fetches them) and pip, which puts faster-whisper into the cache folder.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import daemon
import sound
import words

HERE = Path(__file__).resolve().parent
OURS = ("fast", "balanced", "best")
PEERS = {"batched": "faster-whisper, batched (8), beam 1, time stamps",
         "default": "faster-whisper, beam 5, VAD, word times", "plain": "whisper.cpp, full() over all, f16"}
FLOOR = {"batched": 1.0, "default": 2.5}
# All that might start threads of its own is told to keep to two.
ENV = {**os.environ, "OMP_NUM_THREADS": "2", "HF_HUB_OFFLINE": "1"}


def python():
    """A Python with faster-whisper in it, made in the cache folder at the first run."""
    if os.environ.get("PEER_PYTHON"):
        return os.environ["PEER_PYTHON"]
    folder = daemon.cache() / "bench-venv"
    program = folder / "bin/python"
    if not (folder / ".complete").exists():
        print("fetching faster-whisper into", folder, file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([program, "-m", "pip", "install", "--quiet", "faster-whisper"], check=True)
        (folder / ".complete").touch()
    return str(program)


def peer_weights():
    """The CTranslate2 folder with its model.bin in one piece, in the cache folder."""
    parts = Path(os.environ.get("CT2") or daemon.cache() / "ctranslate2/base")
    if (parts / "model.bin").exists():
        return str(parts)
    whole = sound.kept("ctranslate2-base")
    if not (whole / "model.bin").exists():
        whole.mkdir(exist_ok=True)
        pieces = sorted(parts.glob("model.bin.part*"))
        if not pieces:
            raise SystemExit(f"no weights in {parts}: run `KEEP_CT2=1 examples/model.sh`")
        for file in parts.iterdir():
            if file not in pieces:
                (whole / file.name).write_bytes(file.read_bytes())
        with open(whole / "unfinished", "wb") as out:
            for piece in pieces:
                out.write(piece.read_bytes())
        (whole / "unfinished").rename(whole / "model.bin")
    return str(whole)


def plain_program():
    """The example, from the same kind of build as the program."""
    place = Path(daemon.program()).parent / "examples/plain_decode"
    return str(place) if place.exists() else None


def is_ours(name):
    return name.split("/")[0] in OURS


def command(name, media, wav, language, device):
    """What is run, or None with what it needs missing. NAME/N: with N sessions."""
    if is_ours(name):
        quality, _, workers = name.partition("/")
        return [daemon.program(), "transcribe", "--models-dir", str(daemon.models()), "--model", "base", "--device", device,
                "--language", language, "--quality", quality, *(["--workers", workers] if workers else []),
                "--output", "-", str(media)]
    if name == "plain":
        program = plain_program()
        return program and [program, str(daemon.models() / "ggml-base.bin"), str(wav), language, "2", device]
    return [python(), str(HERE / "peer.py"), peer_weights(), str(media), name, language, device.split(":")[0]]


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--rounds", type=int, default=3)
    flags.add_argument("--seconds", type=float, default=300, help="of speech, the recordings repeated")
    flags.add_argument("--audio")
    flags.add_argument("--programme")
    flags.add_argument("--language", default="en")
    flags.add_argument("--only")
    flags.add_argument("--device", default="cpu")
    flags.add_argument("--workers", default="")
    asked = flags.parse_args()

    with tempfile.TemporaryDirectory(prefix="transcriptord-bench-") as folder:
        wav = Path(folder) / "audio.wav"
        if asked.programme:
            media, data = Path(asked.programme), sound.pcm(asked.programme)
            text = media.with_name(media.name + ".txt")
            reference = text.read_text(encoding="utf-8") if text.exists() else None
        else:
            data, reference = sound.joined(sound.clips(asked.audio, asked.language), asked.seconds)
            media = wav
        sound.write_wav(wav, data)
        length = len(data) / sound.SECOND
        names = asked.only.split(",") if asked.only else [*OURS, *PEERS]
        counts = asked.workers.split(",")
        names = [f"{n}/{w}".rstrip("/") for n in names for w in (counts if n in OURS else [""])]
        runs = {name: command(name, media, wav, asked.language, asked.device) for name in names}
        for name in [n for n, c in runs.items() if not c]:
            print(f"{name} is left out: build it with `cargo build --release --example plain_decode`")
            del runs[name]
        print(f"{length:.0f} s of sound, {asked.rounds} rounds, load before {os.getloadavg()[0]:.1f}, {daemon.program()}")
        doctor = subprocess.run([daemon.program(), "doctor", "--device", asked.device], capture_output=True, text=True).stdout
        print(next((line.strip() for line in doctor.splitlines() if "AVX" in line or "NEON" in line), "(doctor names no kernels)"))
        seen = {name: [] for name in runs}
        for round_number in range(asked.rounds):
            for name, line in runs.items():
                with daemon.GpuPeak(asked.device) as gpu:
                    wall_s, peak_kb, out = daemon.measured(line, env=ENV)
                heard = words.srt_text(out) if is_ours(name) else out
                error = words.error_rate(reference, heard, asked.language) if reference else float("nan")
                seen[name].append((wall_s, peak_kb, error, gpu.mb))
                print(f"  round {round_number + 1}, {name}: {wall_s:.1f} s", file=sys.stderr)

    middle = lambda name, i: statistics.median(run[i] for run in seen[name])
    on_gpu = asked.device != "cpu"
    numbers = " float16" if on_gpu else " int8"
    label = lambda n: f"transcriptord, {n}" if is_ours(n) else PEERS[n].replace("faster-whisper", "faster-whisper" + numbers)
    daemon.table([[label(n), f"{length / middle(n, 0):.1f}", f"{middle(n, 0):.1f}", f"{middle(n, 1) / 1024:.0f}",
                   f"{middle(n, 2):.3f}", *([f"{middle(n, 3):.0f}"] if on_gpu else [])] for n in seen],
                 ["", "× real time", "wall s", "peak MB", "word errors", *(["GPU MB"] if on_gpu else [])])
    print()
    ratios, failed = [], False
    for ours in (n for n in seen if is_ours(n)):
        for peer in (n for n in PEERS if n in seen):
            faster = statistics.median(p[0] / o[0] for o, p in zip(seen[ours], seen[peer]))
            smaller = statistics.median(o[1] / p[1] for o, p in zip(seen[ours], seen[peer]))
            # `best` takes the time it needs.
            failed |= not on_gpu and not ours.startswith("best") and faster < FLOOR.get(peer, 0)
            ratios.append([f"{ours} against {peer}", f"{faster:.2f} ×", f"{smaller:.2f}", f"{middle(ours, 2) - middle(peer, 2):+.3f}"])
    daemon.table(ratios, ["transcriptord", "speed", "memory", "word errors"])
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
