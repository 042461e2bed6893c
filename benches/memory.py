#!/usr/bin/env python3
"""Measures memory over the length of the media, over the number of workers, and of the idle daemon.

Tables, peaks of resident memory in MB (the largest sum over the whole process tree, ffmpeg included):
1. `transcriptord transcribe` for 30 s to 3 h (or 10 h) of a film made of ten-minute reels: speech at three places,
   soft noise, music and silence between. As WAV, FLAC in Matroska and Opus in Matroska. `needed` is without the libraries
   of ffmpeg (40 MB on Debian), which stand in the system's cache: the short file's ffmpeg has ended before its peak.
2. The same program with 1, 2, 3 workers on three minutes of speech alone: what each session adds.
3. With `--only limit`, as root: the least memory limit (a cgroup's, to 5 MB) in which 30 s go through, and whether the longest
   does with `--bound` more. Each run begins with the system's cache dropped: all that it reads counts, libraries too.
4. The daemon: idle; and with an upload of 30 s and of `--upload` hours, as Bazarr sends it: daemon and worker process.

Repeat:  benches/memory.py [--short | --long] [--workers N] [--kinds wav,flac.mkv,opus.mkv,aac.mkv] [--only length|limit|...]
Prints:  the tables; exit 1 when a file or an upload has a peak over `--bound` MB (64) above that of 30 s of the same kind, does not
         go through in the limit, or the idle daemon has 20 MB or more.
"""
import argparse
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import daemon
import provider
import sound

LENGTHS = {30: "30 s", 180: "3 min", 1800: "30 min", 10_800: "3 h", 36_000: "10 h"}


def transcribing(media, workers, folder, more=()):
    return [daemon.program(), "transcribe", "--models-dir", str(daemon.models()), "--language", "en", "--workers", str(workers),
            "--threads", "1", *more, "--set", f"cache_dir={daemon.cache() / 'forms'}", "--output", folder + "/out.srt", str(media)]


def transcribed(media, workers, more=()):
    """(seconds, peak MB, what it needs of it) of one run."""
    with tempfile.TemporaryDirectory() as folder:
        wall_s, peak_kb, _ = daemon.measured(transcribing(media, workers, folder, more))
    return wall_s, peak_kb / 1024, peak_kb.needed / 1024


def by_length(asked, longest):
    rows, failed = [], False
    for kind in asked.kinds.split(","):
        first = None
        for seconds in (s for s in LENGTHS if s <= longest and (s in (30, longest) or not asked.ends)):
            wall_s, peak, needed = transcribed(sound.long_media(seconds, kind, asked.spoken), asked.workers)
            first = first or (peak, needed)
            failed |= peak - first[0] > asked.bound
            more = [f"{peak - first[0]:+.0f}", f"{needed:.0f}", f"{needed - first[1]:+.0f}"]
            rows.append([kind, LENGTHS[seconds], f"{peak:.0f}", *more, f"{wall_s:.0f}"])
            print(".", end="", flush=True)
    print()
    daemon.table(rows, ["media", "length", "peak MB", "growth MB", "needed MB", "growth MB", "wall s"])
    return failed


class Group:
    """A control group with a memory limit, gone at the end of a `with`."""

    PLACES = ((Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max"))

    def __enter__(self):
        for place, limit in self.PLACES:
            self.place = place / f"transcriptord-bench-{os.getpid()}"
            try:
                self.place.mkdir()
            except OSError:
                continue
            self.limit = self.place / limit
            if self.limit.exists():
                # What would go to swap is to count too.
                self.swap = [self.place / name for name in ("memory.swap.max", "memory.memsw.limit_in_bytes")]
                return self
            self.place.rmdir()
        raise SystemExit("a memory limit cannot be set here: that takes root and cgroups with the memory controller")

    def __exit__(self, *_):
        self.place.rmdir()

    def goes(self, mb, media, workers):
        """Seconds that a run took under that limit; None when it was killed."""
        # The two limits of the older groups may not cross.
        for name in [self.limit, *self.swap, self.limit]:
            try:
                name.write_text("0" if name.name == "memory.swap.max" else str(mb << 20))
            except OSError:
                pass
        if int(self.limit.read_text()) != mb << 20:
            raise SystemExit(f"the limit {self.limit} cannot be set")
        Path("/proc/sys/vm/drop_caches").write_text("1")

        def enter():
            (self.place / "cgroup.procs").write_text(str(os.getpid()))

        with tempfile.TemporaryDirectory() as folder:
            begun = time.monotonic()
            # The program's own limit does not come before this one.
            child = subprocess.run(transcribing(media, workers, folder, ["--set", "memory_limit_mb=1000000"]), preexec_fn=enter,
                                   stderr=subprocess.DEVNULL)
        return None if child.returncode else time.monotonic() - begun


def by_limit(asked, longest):
    rows, failed = [], False
    with Group() as group:
        for kind in asked.kinds.split(","):
            short, too_little, enough = sound.long_media(30, kind, asked.spoken), 40, 400
            if group.goes(enough, short, asked.workers) is None:
                raise SystemExit(f"30 s do not go through in {enough} MB: try it without a limit")
            while enough - too_little > 5:
                mb = (too_little + enough) // 2
                too_little, enough = (mb, enough) if group.goes(mb, short, asked.workers) is None else (too_little, mb)
            wall_s = group.goes(enough + int(asked.bound), sound.long_media(longest, kind, asked.spoken), asked.workers)
            failed |= wall_s is None
            end = "killed" if wall_s is None else f"{wall_s:.0f} s"
            rows.append([kind, enough, LENGTHS[longest], enough + int(asked.bound), end])
            print(".", end="", flush=True)
    print()
    daemon.table(rows, ["media", "30 s in MB", "length", "allowed MB", "went through in"])
    return failed


def by_workers():
    """What each session adds, with the greedy decoder and with beams."""
    speech = sound.write_wav(sound.kept("speech-180s.wav"), sound.looped(sound.clips(), 180))
    rows = []
    for quality in ("fast", "best"):
        last = None
        for workers in (1, 2, 3):
            _, peak, _ = transcribed(speech, workers, ["--quality", quality])
            rows.append([quality, workers, f"{peak:.0f}", "" if last is None else f"{peak - last:+.0f}"])
            last = peak
    daemon.table(rows, ["quality", "workers", "peak MB", "more MB"])


class Peaks(threading.Thread):
    """The most that the daemon and its worker process took, in MB."""

    def __init__(self, served):
        super().__init__(daemon=True)
        self.served, self.own, self.worker, self.over = served, 0, 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.1):
            pids = self.served.workers()
            self.own = max(self.own, daemon.memory(self.served.child.pid, "VmHWM") / 1024)
            self.worker = max([self.worker, *(daemon.memory(pid, "VmHWM") / 1024 for pid in pids)])


def uploads(asked):
    """Uploads as Bazarr sends them; each to a daemon of its own."""
    rows, first, failed = [], None, False
    for seconds in (30, int(asked.upload * 3600)):
        film = sound.pcm(sound.long_media(seconds, "wav", asked.spoken))
        with daemon.Daemon("--workers", asked.workers, env={"TRANSCRIPTORD_CACHE_DIR": str(daemon.cache() / "forms")}) as served:
            peaks = Peaks(served)
            answer = provider.download(served.port, film, read_s=30)
            peaks.over.set()
            peaks.join()
        if answer.throttles or provider.cues(answer.body) is None:
            raise SystemExit(f"the upload of {seconds} s was not answered: {answer.throttles}")
        total = peaks.own + peaks.worker
        first = first or total
        failed |= total - first > asked.bound
        rows.append([f"upload of {seconds / 3600:.2f} h", f"{peaks.own:.0f}", f"{peaks.worker:.0f}", f"{total - first:+.0f}",
                     provider.cues(answer.body), f"{answer.total_s:.0f}"])
    daemon.table(rows, ["", "daemon MB", "worker MB", "growth MB", "cues", "wall s"])
    return failed


def idle():
    """Rows of the idle daemon: resident, proportional and private-dirty memory in MB."""
    rows = []
    with daemon.Daemon() as served:
        time.sleep(2)
        for name in ("idle daemon, just started", "idle daemon, after 100 requests"):
            pid = served.child.pid
            rows.append([name, *(f"{daemon.memory(pid, f) / 1024:.1f}" for f in ("VmRSS", "Pss", "RssAnon"))])
            for _ in range(100):
                served.ask("GET", "/api/status")
    daemon.table(rows, ["", "RSS MB", "Pss MB", "anonymous MB"])
    return any(float(row[1]) >= 20 for row in rows)


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--short", action="store_true", help="to 3 minutes")
    flags.add_argument("--long", action="store_true", help="10 hours too")
    flags.add_argument("--ends", action="store_true", help="only the shortest and the longest")
    flags.add_argument("--spoken", type=int, default=60, metavar="S", help="speech in ten minutes")
    flags.add_argument("--kinds", default="wav,flac.mkv,opus.mkv")
    flags.add_argument("--workers", default="2")
    flags.add_argument("--upload", type=float, default=3, metavar="HOURS")
    flags.add_argument("--bound", type=float, default=64, metavar="MB")
    flags.add_argument("--only", choices=["length", "limit", "workers", "upload", "idle"])
    asked = flags.parse_args()
    if asked.short:
        asked.upload = 0.05
    longest = 180 if asked.short else 36_000 if asked.long else 10_800
    print(f"{daemon.program()}, {asked.workers} workers, {asked.spoken} s of speech in ten minutes")
    # The forms of the model are made before anything is measured.
    transcribed(sound.long_media(30, "wav", asked.spoken), 1)
    parts = {"length": lambda: by_length(asked, longest), "limit": lambda: by_limit(asked, longest), "workers": by_workers,
             "upload": lambda: uploads(asked), "idle": idle}
    failed = False
    for name, part in parts.items():
        if asked.only == name or not asked.only and name != "limit":
            failed |= bool(part())
            print()
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
