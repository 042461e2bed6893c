#!/usr/bin/env python3
"""Measures memory over the length of the media, and of the idle daemon.

Peak resident memory of the whole process tree (ffmpeg included) of `transcriptord transcribe` for 30 s, 3 min,
30 min and 3 h, as WAV, FLAC and MKV. Speech is in the first `--spoken` seconds, soft noise (WAV, MKV) or silence
(FLAC) follows, so that hours take minutes. Then an idle daemon, before and after it was asked for something.

Repeat:  benches/memory.py [--short | --long] [--workers N]      (--short: to 3 min; --long: 10 h too)
Prints:  a table in MB, the growth over the shortest; exit 1 when a file needs over `--bound` MB (64) more than 30 s
         of the same kind, or the idle daemon 20 MB or more.
"""
import argparse
import tempfile
import time

import daemon
import sound

LENGTHS = {30: "30 s", 180: "3 min", 1800: "30 min", 10_800: "3 h", 36_000: "10 h"}


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
    return rows


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--short", action="store_true")
    flags.add_argument("--long", action="store_true")
    flags.add_argument("--spoken", type=int, default=60, metavar="S")
    flags.add_argument("--workers", default="2")
    flags.add_argument("--bound", type=float, default=64, metavar="MB")
    asked = flags.parse_args()
    longest = 180 if asked.short else 36_000 if asked.long else 10_800
    print(f"{daemon.program()}, {asked.workers} workers, speech in the first {asked.spoken} s")
    rows, failed = [], False
    for suffix in (".wav", ".flac", ".mkv"):
        first = None
        for seconds in (s for s in LENGTHS if s <= longest):
            media = sound.long_media(seconds, suffix, asked.spoken)
            with tempfile.TemporaryDirectory() as folder:
                wall_s, peak_kb, _ = daemon.measured([
                    daemon.program(), "transcribe", "--models-dir", str(daemon.models()), "--language", "en",
                    "--workers", asked.workers, "--threads", "1", "--quality", "fast", "--output", folder + "/out.srt", str(media)])
            first = first or peak_kb
            growth = (peak_kb - first) / 1024
            failed |= growth > asked.bound
            rows.append([suffix[1:], LENGTHS[seconds], f"{peak_kb / 1024:.0f}", f"{growth:+.0f}", f"{wall_s:.0f}"])
    daemon.table(rows, ["media", "length", "peak MB", "growth MB", "wall s"])
    print()
    idle_rows = idle()
    daemon.table(idle_rows, ["", "RSS MB", "Pss MB", "anonymous MB"])
    failed |= any(float(row[1]) >= 20 for row in idle_rows)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
