#!/usr/bin/env python3
"""Measures what the builds of a package for x86-64-v2, -v3 and -v4 cost, beside the build for this very CPU.

Whole processes of `transcribe`, one after the other, interleaved, `--rounds` times. Only builds that the CPU can run.
Mind what this cannot show: the encoder chooses its kernels at run time in every build, so here the build for -v2 has
AVX-512 in it where the CPU has; on a CPU of -v2 it has not.

Repeat:  make package build      then      benches/levels.py --seconds 180 --rounds 3
         --package DIR    the unpacked package (default: the newest in target/package)
         --native FILE    the build for this CPU (default: target/release/transcriptord)
         --quality NAME   fast, balanced or best
         --audio DIR      recordings en_NAME.wav|flac|mp3 with en_NAME.txt beside them (--language for others)
Prints:  × real time, wall and processor seconds, peak memory, word error rate, each the median of the rounds; then each
         build's processor and wall time over that of the native one, per round, median.
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import daemon
import sound
import words


def newest():
    found = [path for path in (daemon.ROOT / "target/package").glob("transcriptord-*") if (path / "bin").is_dir()]
    if not found:
        raise SystemExit("no package: run `make package`, or name one with --package")
    return max(found, key=lambda path: path.stat().st_mtime)


def builds(package, native, alone):
    """The programs by name. The package's own is copied to a folder where it finds no better one beside it."""
    mine = alone / "transcriptord"
    shutil.copy(package / "bin/transcriptord", mine)
    found = {"native": native, "x86-64-v2": mine}
    for path in sorted((package / "lib/transcriptord").glob("transcriptord-worker-*")):
        found[path.name.removeprefix("transcriptord-worker-")] = path
    return {name: path for name, path in found.items() if runs(name, path)}


def runs(name, path):
    """Whether this CPU can run it; prints what it has in it."""
    said = subprocess.run([path, "worker", "--about"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if said.returncode != 0:
        print(f"{name} is left out: it ended with {said.returncode}")
        return False
    print(f"{name}: {json.loads(said.stdout)['kernels']}")
    return True


def processor_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--rounds", type=int, default=3)
    flags.add_argument("--seconds", type=float, default=180, help="of speech, the recordings repeated")
    flags.add_argument("--package", type=Path)
    flags.add_argument("--native", type=Path, default=daemon.ROOT / "target/release/transcriptord")
    flags.add_argument("--quality", default="fast")
    flags.add_argument("--audio")
    flags.add_argument("--language", default="en")
    asked = flags.parse_args()

    with tempfile.TemporaryDirectory(prefix="transcriptord-bench-") as folder:
        folder = Path(folder)
        (folder / "alone").mkdir()
        programs = builds(asked.package or newest(), asked.native, folder / "alone")
        data, reference = sound.joined(sound.clips(asked.audio, asked.language), asked.seconds)
        media, length = sound.write_wav(folder / "audio.wav", data), len(data) / sound.SECOND
        print(f"{length:.0f} s of sound, {asked.rounds} rounds, {asked.quality}, load before {os.getloadavg()[0]:.1f}")
        seen = {name: [] for name in programs}
        # The first round makes the form of the weights, where it has to be made, and is not counted.
        for number in range(asked.rounds + 1):
            for name, program in programs.items():
                before = processor_s()
                wall_s, peak_kb, out = daemon.measured(
                    [program, "transcribe", "--models-dir", daemon.models(), "--model", "base", "--language",
                     asked.language, "--quality", asked.quality, "--output", "-", media])
                used_s = processor_s() - before
                error = words.error_rate(reference, words.srt_text(out), asked.language)
                if number:
                    seen[name].append((wall_s, used_s, peak_kb, error))
                    print(f"  round {number}, {name}: {wall_s:.1f} s, {used_s:.1f} s of processors", file=sys.stderr)

    middle = lambda name, i: statistics.median(run[i] for run in seen[name])
    daemon.table([[n, f"{length / middle(n, 0):.1f}", f"{middle(n, 0):.1f}", f"{middle(n, 1):.1f}",
                   f"{middle(n, 2) / 1024:.0f}", f"{middle(n, 3):.3f}"] for n in seen],
                 ["build", "× real time", "wall s", "processor s", "peak MB", "word errors"])
    if "native" not in seen:
        return
    print()
    over = lambda name, i: statistics.median(a[i] / b[i] for a, b in zip(seen[name], seen["native"]))
    daemon.table([[n, f"{over(n, 1):.2f}", f"{over(n, 0):.2f}"] for n in seen if n != "native"],
                 ["over native", "processor", "wall"])


if __name__ == "__main__":
    main()
