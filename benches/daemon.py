"""A daemon under test, and what its processes cost. Not run by itself.

Starts `transcriptord serve` on a free port with a data folder of its own, finds its worker processes
through /proc (children of the daemon that was started here, no others), and ends what it started.
"""
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("CACHE") or Path(base) / "transcriptord")


def program():
    """TRANSCRIPTORD, else the release build, else the debug build."""
    named = os.environ.get("TRANSCRIPTORD")
    for place in [Path(named)] if named else [ROOT / "target/release/transcriptord", ROOT / "target/debug/transcriptord"]:
        if place.exists():
            return str(place.resolve())
    raise SystemExit("no program: run `make build`, or name one in TRANSCRIPTORD")


def models():
    return Path(os.environ.get("MODELS") or cache() / "models")


def children(pid):
    """The process ids right under `pid`."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += [int(word) for word in file.read().split()]
    except OSError:
        pass
    return found


def tree(pid):
    """`pid` and all under it."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += children(one)
    return found


def memory(pid, field="VmRSS"):
    """One process's kilobytes by that name, from status or smaps_rollup (Pss); 0 when it is gone."""
    file = "smaps_rollup" if field.startswith("Pss") else "status"
    try:
        with open(f"/proc/{pid}/{file}") as lines:
            for line in lines:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


class Peak(int):
    """The largest sum of a process tree's resident memory, in kilobytes. `needed`: the same, but of programs that the first
    one has started only what is their own (anonymous): ffmpeg's two hundred libraries stand in the system's cache, and go
    when memory is short."""

    needed = 0


class Watch(threading.Thread):
    """Looks at a process tree 20 times a second, or as often as is asked."""

    def __init__(self, pid, every_s=0.05):
        super().__init__(daemon=True)
        self.pid, self.every_s, self.peak, self.needed, self.over = pid, every_s, 0, 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(self.every_s):
            under = tree(self.pid)[1:]
            first = memory(self.pid)
            self.peak = max(self.peak, first + sum(memory(one) for one in under))
            self.needed = max(self.needed, first + sum(memory(one, "RssAnon") for one in under))

    def stop(self):
        self.over.set()
        self.join()
        peak = Peak(self.peak)
        peak.needed = self.needed
        return peak


class GpuPeak:
    """The most memory of an NVIDIA GPU that is in use inside a `with`, less what was in use before it: `mb`. 0 for a CPU."""

    def __init__(self, device):
        self.device, self.mb, self.looking = device, 0, None

    def __enter__(self):
        if self.device != "cpu":
            number = self.device.partition(":")[2] or "0"
            self.looking = subprocess.Popen(["nvidia-smi", "-i", number, "--query-gpu=memory.used", "--format=csv,noheader,nounits",
                                             "-lms", "50"], stdout=subprocess.PIPE, text=True)
            self.before = int(self.looking.stdout.readline())
        return self

    def __exit__(self, *_):
        if self.looking:
            self.looking.terminate()
            seen = [int(line) for line in self.looking.communicate()[0].split() if line.isdigit()]
            self.mb = max([self.before, *seen]) - self.before


def measured(command, **more):
    """Runs a command to its end: (seconds, [`Peak`] of its process tree, what it printed)."""
    begun = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    watch = Watch(child.pid)
    out, err = child.communicate()
    seconds = time.monotonic() - begun
    if child.returncode != 0:
        raise SystemExit(f"{command[0]} failed ({child.returncode}): {err.decode(errors='replace')[-2000:]}")
    return seconds, watch.stop(), out.decode(errors="replace")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Daemon:
    """`transcriptord serve` with a data folder of its own, ended at the end of a `with`."""

    def __init__(self, *flags, env=None):
        self.flags, self.env, self.port = list(flags), env or {}, free_port()
        self.folder = tempfile.TemporaryDirectory(prefix="transcriptord-bench-")
        self.data = Path(self.folder.name)
        self.database = self.data / "transcriptord.db"
        self.log = open(self.data / "log", "ab")
        self.child = None
        self.workers_seen = set()

    def start(self):
        """Starts it and waits until it answers; returns how long that took, in seconds."""
        command = [program(), "serve", "--listen", f"127.0.0.1:{self.port}", "--data-dir", str(self.data),
                   "--database-url", f"sqlite://{self.database}", "--models-dir", str(models()), *self.flags]
        begun = time.monotonic()
        self.child = subprocess.Popen(command, stdout=self.log, stderr=self.log, env={**os.environ, **self.env})
        while time.monotonic() - begun < 60:
            if self.child.poll() is not None:
                raise SystemExit("the daemon ended at once:\n" + self.told())
            try:
                # It listens before its database is open, and answers when it is.
                self.ask("GET", "/status")
                return time.monotonic() - begun
            except OSError:
                time.sleep(0.01)
        raise SystemExit("the daemon does not answer:\n" + self.told())

    def told(self, last=3000):
        return (self.data / "log").read_text(errors="replace")[-last:]

    def workers(self):
        """The process ids of its worker processes."""
        return children(self.child.pid)

    def kill(self):
        """kill -9 of the daemon alone. Its workers are left to notice; they are remembered for the end."""
        self.workers_seen |= set(self.workers())
        self.child.kill()
        self.child.wait()

    def ask(self, method, path, body=None, timeout_s=60):
        """(status, JSON) of one call."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, method=method,
                                         headers={"Content-Type": "application/json", "Accept": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)

    def stop(self, patience_s=60):
        """SIGTERM, and how long its end took, in seconds."""
        begun = time.monotonic()
        if self.child and self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(patience_s)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        return time.monotonic() - begun

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.log.close()
        self.folder.cleanup()


def table(rows, head):
    """Prints rows under a head, columns as wide as they must be."""
    lines = [[str(cell) for cell in row] for row in [head, *rows]]
    wide = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for number, line in enumerate(lines):
        print("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, wide))))
        if number == 0:
            print("  ".join("-" * w for w in wide))
