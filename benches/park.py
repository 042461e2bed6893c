#!/usr/bin/env python3
"""Measures how long an urgent request waits for its first window while another job has all workers.

A long job runs alone; then the same again, while Bazarr requests come in at `--times` random moments (6; from `--seed`).

Repeat:  make bench-park      or      benches/park.py --seconds 900 --times 20
Prints:  the delay from the end of the upload to the begin of the urgent job's first window, in ms and in windows (the
         time that the long job's windows took that were under way just then); and whether the long job's result is
         the same as when it ran alone. Triggers in the daemon's own database note when each window begins and ends.
         Exit 1 when a delay is longer than `--limit` windows, a result differs or an urgent job has no subtitle.
"""
import argparse
import random
import socket
import sqlite3
import statistics
import time

import daemon
import provider
import sound

# 2147483647: a file being opened, no window.
NOTES = """
CREATE TABLE bench_window (job_id TEXT NOT NULL, idx INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER);
CREATE TRIGGER bench_begin AFTER INSERT ON windows_in_flight WHEN new.idx < 2147483647
BEGIN INSERT INTO bench_window VALUES (new.job_id, new.idx, new.since, NULL); END;
CREATE TRIGGER bench_end AFTER DELETE ON windows_in_flight WHEN old.idx < 2147483647
BEGIN UPDATE bench_window SET until = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
      WHERE job_id = old.job_id AND idx = old.idx AND until IS NULL; END;
"""


def rows(served, text, *values):
    with sqlite3.connect(served.database, timeout=30) as connection:
        return connection.execute(text, values).fetchall()


def begin(served, film):
    with sqlite3.connect(served.database, timeout=30) as connection:
        connection.executescript(NOTES)
    ask = {"file_path": str(film), "source_lang": "en", "target_lang": "en", "is_manual_request": False}
    status, job = served.ask("POST", "/api/jobs", ask)
    if status != 201:
        raise SystemExit(f"the long job was refused: {job}")
    while not rows(served, "SELECT 1 FROM bench_window WHERE until IS NOT NULL LIMIT 1"):
        time.sleep(0.02)
    return job["id"]


def ended(served, job):
    while True:
        _, told = served.ask("GET", f"/api/jobs/{job}?wait=60", timeout_s=90)
        if told["status"] == "completed":
            return served.ask("GET", f"/api/jobs/{job}/subtitle?format=verbose_json")[1]
        if told["status"] in ("failed", "cancelled"):
            raise SystemExit(f"job {job} {told['status']}: {told['error']}")


def urgent(served, pcm):
    """(job, when the upload ended in ms since 1970, cues)."""
    head, body = provider.request(served.port, pcm, "/asr?task=transcribe&language=en&output=srt&encode=false")
    answer = provider.Answer()
    with socket.create_connection(("127.0.0.1", served.port), 60) as probe:
        probe.sendall(head + body)
        sent_ms = time.time() * 1000
        lines = probe.makefile("rb")
        while (line := lines.readline().decode("latin-1").strip()):
            if line.lower().startswith("x-job-id:"):
                answer.job = line.split(":", 1)[1].strip()
        # Read to its end as any client would; the text is fetched from the store.
        ended(served, answer.job)
    again = provider.download(served.port, pcm)
    return answer.job, sent_ms, provider.cues(again.body)


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--seconds", type=float, default=600, help="of speech in the long job")
    flags.add_argument("--times", type=int, default=6, help="urgent requests, one after the other")
    flags.add_argument("--urgent-seconds", type=float, default=20, help="of speech in each of them")
    flags.add_argument("--longest-pause", type=float, default=3, metavar="S", help="between two of them")
    flags.add_argument("--workers", type=int, default=2)
    flags.add_argument("--threads", type=int, default=1)
    flags.add_argument("--limit", type=float, default=1, metavar="WINDOWS")
    flags.add_argument("--seed", type=int, default=1)
    asked = flags.parse_args()

    chance = random.Random(asked.seed)
    clips = sound.clips()
    whole = sound.looped(clips, asked.urgent_seconds + 7 * asked.times)
    slices = [whole[7 * n * sound.SECOND:][:int(asked.urgent_seconds) * sound.SECOND] for n in range(asked.times)]
    flags = ["--workers", str(asked.workers), "--threads", str(asked.threads)]
    results, windows, delays, textless = [], [], [], 0
    for disturbed in (False, True):
        served = daemon.Daemon(*flags)
        film = sound.write_wav(served.data / "film.wav", sound.looped(clips, asked.seconds))
        served.flags += ["--library", str(served.data)]
        with served:
            job = begin(served, film)
            for pcm in slices if disturbed else []:
                time.sleep(chance.uniform(0, asked.longest_pause))
                _, told = served.ask("GET", f"/api/jobs/{job}")
                if told["status"] != "processing":
                    raise SystemExit(f"the long job ended after {len(delays)} urgent ones: ask for more --seconds")
                hasty, sent_ms, cues = urgent(served, pcm)
                first = rows(served, "SELECT min(since) FROM bench_window WHERE job_id = ?", hasty)[0][0]
                under_way = rows(served, "SELECT until - since FROM bench_window WHERE job_id = ? AND since <= ? "
                                 "AND until IS NOT NULL ORDER BY since DESC LIMIT ?", job, sent_ms, asked.workers)
                windows.append(statistics.mean(ms for (ms,) in under_way))
                delays.append(first - sent_ms)
                textless += not cues
            results.append(ended(served, job))
    shares = [delay / window for delay, window in zip(delays, windows)]
    same = results[0] == results[1]
    daemon.table([
        ["urgent requests", len(delays), ""],
        ["windows that were under way, median", f"{statistics.median(windows):.0f}", "1.00"],
        ["delay, median", f"{statistics.median(delays):.0f}", f"{statistics.median(shares):.2f}"],
        ["delay, longest", f"{max(delays):.0f}", f"{max(shares):.2f}"],
        ["urgent ones without a subtitle", textless, ""],
        ["the long job's result", "the same" if same else "DIFFERS", ""],
    ], ["", "ms", "windows"])
    raise SystemExit(0 if same and not textless and max(shares) <= asked.limit else 1)


if __name__ == "__main__":
    main()
