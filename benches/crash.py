#!/usr/bin/env python3
"""Measures what kill -9 costs.

A batch of files is transcribed while the daemon or a worker process is killed at `--kills` random moments
(30; from `--seed`); a killed daemon is started again. Then the batch runs to its end.

Repeat:  make bench-crash      or      benches/crash.py --kills 100 --files 60 --seconds 25 --longest-pause 6
Prints:  lost, doubled and torn files; windows whose words were never stored, or stored twice; and the windows decoded
         more than once, per kill. Triggers in the daemon's own database note each begin and each end of a window, so
         nothing is believed.
         Exit 1 when anything was lost, doubled or torn, or more than one window a worker and kill repeated.
"""
import argparse
import os
import random
import signal
import sqlite3
import time

import daemon
import provider
import sound

# 2147483647: a file being opened, no window.
NOTES = """
CREATE TABLE bench_begun (job_id TEXT NOT NULL, idx INTEGER NOT NULL);
CREATE TABLE bench_stored (job_id TEXT NOT NULL, idx INTEGER NOT NULL);
CREATE TRIGGER bench_begin AFTER INSERT ON windows_in_flight WHEN new.idx < 2147483647
BEGIN INSERT INTO bench_begun VALUES (new.job_id, new.idx); END;
CREATE TRIGGER bench_store AFTER INSERT ON checkpoints
BEGIN INSERT INTO bench_stored VALUES (new.job_id, new.idx); END;
"""
NEVER_STORED = "SELECT count(*) FROM (SELECT job_id, idx FROM bench_begun EXCEPT SELECT job_id, idx FROM bench_stored)"
STORED_TWICE = "SELECT count(*) - count(DISTINCT job_id || ' ' || idx) FROM bench_stored"


def query(database, text):
    with sqlite3.connect(database, timeout=30) as connection:
        return connection.execute(text).fetchall()


def kill_one(served, chance):
    """Kills the daemon or one of its worker processes; says which. None: it had just ended by itself."""
    workers = served.workers()
    if workers and chance.random() < 0.5:
        try:
            os.kill(chance.choice(workers), signal.SIGKILL)
        except ProcessLookupError:
            return None
        return "worker"
    served.kill()
    served.start()
    return "daemon"


def judged(served, files, folder):
    """(lost, doubled, torn): lists of complaints."""
    lost, doubled, torn = [], [], []
    _, page = served.ask("GET", "/api/jobs?page_size=500")
    for file in files:
        jobs = [j for j in page["jobs"] if j["file_path"] == str(file)]
        if len(jobs) > 1:
            doubled.append(f"{file.name}: {len(jobs)} jobs")
        if not jobs or jobs[0]["status"] != "completed":
            lost.append(f"{file.name}: {jobs[0]['status'] + ' ' + str(jobs[0]['error']) if jobs else 'no job'}")
        made = sorted(folder.glob(file.stem + ".*.srt"))
        if not made:
            lost.append(f"{file.name}: no subtitle")
        if len(made) > 1:
            doubled.append(f"{file.name}: {len(made)} subtitles")
        torn += [f"{one.name}: not a whole subtitle" for one in made if not provider.cues(one.read_bytes())]
    known = {f.name for f in files} | {s.name for s in folder.glob("*.srt")}
    torn += [f"{f.name}: left behind" for f in folder.iterdir() if f.name not in known]
    return lost, doubled, torn


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--kills", type=int, default=30)
    flags.add_argument("--files", type=int, default=12)
    flags.add_argument("--seconds", type=float, default=120, help="of speech in each file")
    flags.add_argument("--workers", type=int, default=2)
    flags.add_argument("--longest-pause", type=float, default=15, metavar="S", help="between two kills")
    flags.add_argument("--patience", type=float, default=3600, metavar="S", help="for the batch to end")
    flags.add_argument("--seed", type=int, default=1)
    asked = flags.parse_args()

    chance = random.Random(asked.seed)
    whole = sound.looped(sound.clips(), asked.seconds + 3.1 * asked.files)
    served = daemon.Daemon("--workers", str(asked.workers), "--threads", "1")
    folder = served.data / "library"
    folder.mkdir()
    files = []
    for number in range(asked.files):
        at = int(3.1 * number * sound.RATE) * 2
        files.append(sound.write_wav(folder / f"film{number:03}.wav", whole[at:at + int(asked.seconds) * sound.SECOND]))
    served.flags += ["--library", str(folder)]
    with served:
        with sqlite3.connect(served.database, timeout=30) as connection:
            connection.executescript(NOTES)
        for file in files:
            status, told = served.ask("POST", "/api/jobs", {"file_path": str(file), "source_lang": "en", "target_lang": "en"})
            if status != 201:
                raise SystemExit(f"the job for {file.name} was refused: {told}")
        done, slowest_start = [], 0.0
        begun = time.monotonic()
        while len(done) < asked.kills:
            time.sleep(chance.uniform(0, asked.longest_pause))
            _, stats = served.ask("GET", "/api/jobs/stats")
            if stats["queued"] + stats["processing"] == 0:
                break
            at = time.monotonic()
            done += filter(None, [kill_one(served, chance)])
            slowest_start = max(slowest_start, time.monotonic() - at)
        while time.monotonic() - begun < asked.patience:
            _, stats = served.ask("GET", "/api/jobs/stats")
            if stats["queued"] + stats["processing"] == 0:
                break
            time.sleep(0.5)
        lost, doubled, torn = judged(served, files, folder)
        begins, windows = query(served.database, "SELECT count(*), count(DISTINCT job_id || ' ' || idx) FROM bench_begun")[0]
        (never,), (twice,) = query(served.database, NEVER_STORED)[0], query(served.database, STORED_TWICE)[0]
        log = served.told()
    repeated = begins - windows
    allowed = len(done) * asked.workers
    daemon.table([
        ["kills", f"{len(done)} ({done.count('daemon')} daemon, {done.count('worker')} worker)"],
        ["files", asked.files], ["windows", windows],
        ["lost", len(lost)], ["doubled", len(doubled)], ["torn", len(torn)],
        ["windows lost", never], ["windows doubled", twice],
        ["windows repeated", f"{repeated} (at most {allowed} allowed)"],
        ["repeated per kill", f"{repeated / max(1, len(done)):.2f}"],
        ["slowest return after a kill, s", f"{slowest_start:.2f}"],
    ], ["", "value"])
    for complaint in lost + doubled + torn:
        print(complaint)
    if lost:
        print(log)
    if len(done) < asked.kills:
        print(f"the batch ended after {len(done)} kills: ask for more --files or --seconds")
    failed = lost or doubled or torn or never or twice or repeated > allowed or len(done) < asked.kills
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
