"""Bazarr's Whisper provider as the server sees it. Not run by itself.

The same bytes and the same timeouts: the body goes out in one sendall under the connection timeout, each
read has the transcription timeout, a session posts 3 times 5 s apart, the pool asks it 3 times 6 s apart.
What each end does to Bazarr is what Bazarr 1.5.2 did when it was watched.
"""
import os
import socket
import time
import zlib
from dataclasses import dataclass, field

TRIES, TRY_PAUSE_S = 3, 5
ROUNDS, ROUND_PAUSE_S = 3, 6
DAY, HOUR, TEN_MINUTES = 24 * 3600, 3600, 600


class Failed(Exception):
    """`throttle_s` is how long Bazarr would leave the provider alone; `again`: the session posts once more."""

    def __init__(self, why, throttle_s, again):
        super().__init__(why)
        self.throttle_s, self.again = throttle_s, again


@dataclass
class Answer:
    """What one download met."""
    body: bytes = b""
    header_s: float = 0.0
    upload_s: float = 0.0
    silence_s: float = 0.0
    job: str = ""
    uploads: int = 0
    throttles: list = field(default_factory=list)
    total_s: float = 0.0


class Wire:
    """A connection whose longest silence, from the end of the upload on, is noted."""

    def __init__(self, port, connect_s, read_s):
        self.connect_s, self.read_s, self.buffer, self.silence_s = connect_s, read_s, b"", 0.0
        try:
            self.socket = socket.create_connection(("127.0.0.1", port), connect_s)
        except OSError as e:
            raise Failed(f"connect: {e}", DAY, True) from e

    def send(self, head, body):
        self.socket.settimeout(self.connect_s)
        try:
            self.socket.sendall(head)
            self.socket.sendall(body)
        except OSError as e:
            raise Failed(f"upload: {e}", DAY, True) from e
        self.socket.settimeout(self.read_s)

    def fill(self, headers_seen):
        begun = time.monotonic()
        try:
            got = self.socket.recv(65536)
        except TimeoutError as e:
            if headers_seen:
                raise Failed("silence after the headers", DAY, True) from e
            raise Failed("no headers in time", HOUR, True) from e
        except OSError as e:
            if headers_seen:
                raise Failed(f"reset in the body: {e}", TEN_MINUTES, False) from e
            raise Failed(f"reset before the headers: {e}", DAY, True) from e
        self.silence_s = max(self.silence_s, time.monotonic() - begun)
        if not got:
            if headers_seen:
                raise Failed("cut in the body", TEN_MINUTES, False)
            raise Failed("closed before the headers", DAY, True)
        self.buffer += got

    def until(self, mark, headers_seen):
        while mark not in self.buffer:
            self.fill(headers_seen)
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def exactly(self, count):
        while len(self.buffer) < count:
            self.fill(True)
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found


def request(port, pcm, query):
    boundary = os.urandom(16).hex()
    body = (f'--{boundary}\r\nContent-Disposition: form-data; name="audio_file"; filename="audio_file"\r\n\r\n'.encode()
            + pcm + f"\r\n--{boundary}--\r\n".encode())
    head = (f"POST {query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: Subliminal/2.1\r\n"
            "Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n"
            f"Content-Length: {len(body)}\r\nContent-Type: multipart/form-data; boundary={boundary}\r\n\r\n")
    return head.encode(), body


def post(port, pcm, query, connect_s, read_s, answer):
    """One upload and its answer."""
    head, body = request(port, pcm, query)
    answer.uploads += 1
    wire = Wire(port, connect_s, read_s)
    try:
        begun = time.monotonic()
        wire.send(head, body)
        sent = time.monotonic()
        lines = wire.until(b"\r\n\r\n", False).decode("latin-1").split("\r\n")
        answer.upload_s = max(answer.upload_s, sent - begun)
        answer.header_s = max(answer.header_s, time.monotonic() - sent)
        headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        answer.job = headers.get("x-job-id", "")
        raw = bytearray()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(wire.until(b"\r\n", True).split(b";")[0], 16):
                raw += wire.exactly(size)
                wire.exactly(2)
            wire.until(b"\r\n", True)
        else:
            raw += wire.exactly(int(headers.get("content-length", 0)))
        if headers.get("content-encoding") == "gzip" and raw:
            inflate = zlib.decompressobj(31)
            raw = inflate.decompress(bytes(raw)) + inflate.flush()
            if not inflate.eof:
                raise Failed("a gzip body without its end", TEN_MINUTES, False)
        return bytes(raw)
    finally:
        answer.silence_s = max(answer.silence_s, wire.silence_s)
        wire.socket.close()


def download(port, pcm, language="en", task="transcribe", connect_s=5, read_s=5, video_file=""):
    """One subtitle, as Bazarr fetches it."""
    query = f"/asr?task={task}&language={language}&output=srt&encode=false{video_file}"
    answer, begun = Answer(), time.monotonic()
    for round_number in range(ROUNDS):
        for attempt in range(TRIES):
            try:
                answer.body = post(port, pcm, query, connect_s, read_s, answer)
                answer.total_s = time.monotonic() - begun
                return answer
            except Failed as e:
                if attempt + 1 < TRIES and e.again:
                    time.sleep(TRY_PAUSE_S)
                    continue
                answer.throttles.append((str(e), e.throttle_s))
                if not e.again:
                    answer.total_s = time.monotonic() - begun
                    return answer
                break
        if round_number + 1 < ROUNDS:
            time.sleep(ROUND_PAUSE_S)
    answer.total_s = time.monotonic() - begun
    return answer


def cues(body):
    """How many cues a SubRip body has, or None when Bazarr would refuse it."""
    blocks = [b for b in body.decode("utf-8", "replace").replace("\r\n", "\n").strip().split("\n\n") if b.strip()]
    for block in blocks:
        lines = block.split("\n")
        if len(lines) < 2 or not any("-->" in line for line in lines[:2]):
            return None
    return len(blocks)
