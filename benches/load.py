#!/usr/bin/env python3
"""Measures how the daemon answers under load.

`--clients` (1,000) connections poll a job, each every `--every` seconds, while `--uploads` (50) Bazarr
requests arrive and all workers transcribe.

Repeat:  make bench-load      or      benches/load.py --clients 1000 --uploads 50
Prints:  p50, p99 and the slowest of: the header of an upload (from the end of the upload), a poll; errors;
         the daemon's memory before, during, and after a minute without uploads, when it has given back what it
         can. Exit 1 on any error. Needs `ulimit -n` above the clients.
"""
import argparse
import asyncio
import resource
import time

import daemon
import provider
import sound


# The daemon looks once a minute whether it was one.
QUIET_S = 75


def at(values, share):
    values = sorted(values)
    return 1000 * values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


async def head_of(reader):
    return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")


async def poll(port, path, every_s, offset_s, until, times, errors):
    """One client: a connection kept open, a GET every so often, its ETag sent along."""
    try:
        await asyncio.sleep(offset_s)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        tag = ""
        while not until.is_set():
            begun = time.monotonic()
            known = f"If-None-Match: {tag}\r\n" if tag else ""
            writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n{known}\r\n".encode())
            head = await asyncio.wait_for(head_of(reader), 30)
            lines = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            if head.split()[1] == "200":
                await asyncio.wait_for(reader.readexactly(int(lines["content-length"])), 30)
                tag = lines.get("etag", "")
            elif head.split()[1] != "304":
                errors.append("poll: " + head.split("\r\n")[0])
            times.append(time.monotonic() - begun)
            await asyncio.sleep(every_s)
        writer.close()
    except Exception as e:  # whatever breaks a client is what is counted here
        errors.append(f"poll: {type(e).__name__} {e}")


async def upload(port, pcm, gate, headers, errors):
    """One Bazarr request; its answer is read until the load is over."""
    head, body = provider.request(port, pcm, "/asr?task=transcribe&language=en&output=srt&encode=false")
    try:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            writer.write(body)
            await asyncio.wait_for(writer.drain(), 60)
            sent = time.monotonic()
            first = await asyncio.wait_for(head_of(reader), 60)
            headers.append(time.monotonic() - sent)
        if " 200 " not in first.split("\r\n")[0]:
            errors.append("upload: " + first.split("\r\n")[0])
        return reader, writer, first
    except Exception as e:
        errors.append(f"upload: {type(e).__name__} {e}")
        return None


async def load(served, asked, slices):
    headers, times, errors, until = [], [], [], asyncio.Event()
    gate = asyncio.Semaphore(asked.at_once)
    first = await upload(served.port, slices[0], gate, headers, errors)
    if first is None:
        raise SystemExit(errors[0])
    job = next(line.split(": ", 1)[1] for line in first[2].split("\r\n") if line.lower().startswith("x-job-id"))
    clients = [asyncio.create_task(poll(served.port, f"/api/jobs/{job}", asked.every, asked.every * n / asked.clients,
                                        until, times, errors)) for n in range(asked.clients)]
    await asyncio.sleep(asked.every)
    open_now = [first] + await asyncio.gather(*(upload(served.port, pcm, gate, headers, errors) for pcm in slices[1:]))
    peak = 0
    for _ in range(int(asked.seconds)):
        await asyncio.sleep(1)
        peak = max(peak, daemon.memory(served.child.pid))
    _, stats = await asyncio.to_thread(served.ask, "GET", "/api/jobs/stats")
    until.set()
    await asyncio.gather(*clients)
    for one in open_now:
        if one:
            one[1].close()
    return headers, times, errors, peak, stats


def main():
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--clients", type=int, default=1000)
    flags.add_argument("--every", type=float, default=5, metavar="S", help="between two polls of a client")
    flags.add_argument("--uploads", type=int, default=50)
    flags.add_argument("--at-once", type=int, default=50, help="uploads under way together")
    flags.add_argument("--upload-seconds", type=float, default=300, help="of sound in each upload")
    flags.add_argument("--seconds", type=float, default=60, help="how long the load goes on after the uploads")
    asked = flags.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * asked.clients + asked.uploads + 256
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SystemExit(f"the limit of open files is {hard}, {needed} are needed: ulimit -n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))

    whole = sound.looped(sound.clips(), asked.upload_seconds + 3.1 * asked.uploads)
    starts = [int(3.1 * n * sound.RATE) * 2 for n in range(asked.uploads)]
    slices = [whole[s:s + int(asked.upload_seconds) * sound.SECOND] for s in starts]
    with daemon.Daemon() as served:
        before = daemon.memory(served.child.pid)
        headers, times, errors, peak, stats = asyncio.run(load(served, asked, slices))
        time.sleep(QUIET_S)
        after = daemon.memory(served.child.pid)
    daemon.table([[name, len(values), f"{at(values, .5):.1f}", f"{at(values, .99):.1f}", f"{at(values, 1):.1f}"]
                  for name, values in (("header of an upload", headers), ("poll", times))],
                 ["ms", "count", "p50", "p99", "slowest"])
    print(f"daemon's resident memory: {before / 1024:.1f} MB before, {peak / 1024:.1f} at most under load, {after / 1024:.1f} after")
    print(f"jobs still at work at the end of the load: {stats['processing']} (0 means that it was no load)")
    print(f"errors: {len(errors)}")
    for error in sorted(set(errors))[:10]:
        print("  " + error)
    raise SystemExit(1 if errors else 0)


if __name__ == "__main__":
    main()
