#!/usr/bin/env python3
"""Measures whether Bazarr would ever be throttled.

`--requests` downloads at once (24), each of other audio, against one worker, with Bazarr's shortest
timeouts (5 s to connect and upload, 5 s a read). With `--kill-workers 3` the worker process is killed
that many times meanwhile; no open connection may notice.

Repeat:  make bench-bazarr      or      benches/bazarr.py --workers 1 --seconds 120 --kill-workers 3
Prints:  subtitles, throttles that Bazarr would have set, the slowest header (from the end of the upload),
         the longest silence between bytes. Exit 1 when a subtitle is missing or a throttle was set.
"""
import argparse
import concurrent.futures
import os
import random
import signal
import threading
import time

import daemon
import provider
import sound


def kill_workers(served, times, every_s, over, killed):
    """kill -9 of a worker process, `times` times, each when one is there and has had time to work."""
    chance = random.Random(1)
    while len(killed) < times and not over.is_set():
        if over.wait(every_s * chance.uniform(0.5, 1.5)):
            return
        for pid in served.workers()[:1]:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--requests", type=int, default=24)
    flags.add_argument("--workers", default="1")
    flags.add_argument("--threads", default="auto", help="inside each worker; 1 on a busy machine")
    flags.add_argument("--seconds", type=float, default=60, help="of speech in each request")
    flags.add_argument("--kill-workers", type=int, default=0, metavar="TIMES")
    flags.add_argument("--kill-every", type=float, default=15, metavar="S")
    flags.add_argument("--connect", type=float, default=5, help="Bazarr's connection timeout")
    flags.add_argument("--read", type=float, default=5, help="Bazarr's transcription timeout")
    asked = flags.parse_args()

    parts = sound.clips()
    all_sound = sound.looped(parts, asked.seconds + 3.1 * asked.requests)
    length = int(asked.seconds) * sound.SECOND
    starts = [int(3.1 * i * sound.RATE) * 2 for i in range(asked.requests)]
    slices = [all_sound[at:at + length] for at in starts]
    print(f"{asked.requests} requests of {asked.seconds:.0f} s each, {asked.workers} workers, {daemon.program()}")
    with daemon.Daemon("--workers", asked.workers, "--threads", asked.threads) as served:
        over, killed = threading.Event(), []
        killer = threading.Thread(target=kill_workers, args=(served, asked.kill_workers, asked.kill_every, over, killed))
        killer.start()
        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(asked.requests) as pool:
            ask = lambda pcm: provider.download(served.port, pcm, connect_s=asked.connect, read_s=asked.read)
            answers = list(pool.map(ask, slices))
        wall_s = time.monotonic() - begun
        over.set()
        killer.join()
        again = provider.download(served.port, slices[0], connect_s=asked.connect, read_s=asked.read)
        _, stats = served.ask("GET", "/api/jobs/stats")

    good = [a for a in answers if provider.cues(a.body)]
    throttles = [t for a in answers for t in a.throttles]
    jobs = {a.job for a in answers}
    daemon.table([
        ["subtitles", f"{len(good)} of {asked.requests}"],
        ["throttles Bazarr would have set", len(throttles)],
        ["uploads", sum(a.uploads for a in answers)],
        ["worker processes killed", len(killed)],
        ["slowest header, ms", f"{1000 * max(a.header_s for a in answers):.0f}"],
        ["slowest upload, ms", f"{1000 * max(a.upload_s for a in answers):.0f}"],
        ["longest silence, s", f"{max(a.silence_s for a in answers):.2f}"],
        ["longest wait for a subtitle, s", f"{max(a.total_s for a in answers):.0f}"],
        ["all, s", f"{wall_s:.0f}"],
        ["the first asked again, ms", f"{1000 * again.total_s:.0f}"],
        ["jobs made", stats["total_jobs"]],
    ], ["", "value"])
    for why, seconds in throttles:
        print(f"throttle of {seconds} s: {why}")
    short = asked.kill_workers - len(killed)
    if short:
        print(f"{short} kills did not happen: the work ended before; ask for more --seconds")
    sane = len(good) == asked.requests and not throttles and len(jobs) == asked.requests == stats["total_jobs"]
    raise SystemExit(0 if sane and again.body == answers[0].body and not short else 1)


if __name__ == "__main__":
    main()
