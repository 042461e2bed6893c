"""A Bazarr provider that submits a job to transcriptord and polls for its subtitle.

Knows nothing of Bazarr's own Whisper provider; README.md beside it says how to install it and what it does better.
"""

import json
import logging
import os
import subprocess
import time

import requests
from subliminal.exceptions import ConfigurationError
from subliminal.video import Episode, Movie
from subliminal_patch.providers import Provider
from subliminal_patch.subtitle import Subtitle
from subzero.language import Language

log = logging.getLogger(__name__)

# Tags that name no language.
NAMELESS = {"und", "mul", "zxx", "mis", "qaa"}
# Uploads before one download is given up.
TRIES = 5
# Seconds; shorter than the time without a byte after which a call counts as lost.
LONGEST_POLL = 30


def pause(answer):
    """Seconds to wait before asking again, as the daemon says, if it says something."""
    told = answer.headers.get("Retry-After", "") if answer is not None else ""
    return int(told) if told.isdigit() else 5


class TranscriptordSubtitle(Subtitle):
    """A subtitle that will be made when it is downloaded."""

    provider_name = "transcriptord"
    hash_verifiable = False

    def __init__(self, language, path, spoken, task):
        super().__init__(language)
        self.path = path
        self.spoken = spoken  # alpha-3 code of the speech; None: the daemon finds out
        self.task = task
        self.release_info = f"{task} of {spoken or 'unknown'} audio"

    @property
    def id(self):
        return f"{self.path}|{self.spoken}|{self.task}"

    def get_matches(self, video):
        if isinstance(video, Episode):
            return {"series", "season", "episode"}
        return {"title"}


class TranscriptordProvider(Provider):
    """Asks with `?async=true`, so no connection is ever held longer than a poll."""

    languages = {Language.fromalpha2(code) for code in (
        "af ar az be bg bn bs ca cs cy da de el en es et fa fi fr gl he hi hr hu hy id is it ja ka kk kn ko "
        "lt lv mi mk mr ms ne nl no pl pt ro ru sk sl sr sv sw ta th tl tr uk ur vi zh").split()}
    video_types = (Episode, Movie)

    def __init__(self, endpoint="http://127.0.0.1:9000", api_key=None, timeout=4 * 3600, response=60,
                 ffmpeg_path="ffmpeg", ffprobe_path="ffprobe"):
        if not endpoint or not endpoint.startswith(("http://", "https://")):
            raise ConfigurationError("the endpoint of transcriptord must be like http://127.0.0.1:9000")
        self.endpoint = endpoint.rstrip("/")
        self.api_key = api_key
        self.timeout = timeout  # seconds for one subtitle, in the queue and at work
        self.response = response  # seconds without a byte before a call counts as lost
        self.ffmpeg_path = ffmpeg_path
        self.ffprobe_path = ffprobe_path
        self.session = None

    def initialize(self):
        self.session = requests.Session()
        self.session.headers["User-Agent"] = "Bazarr transcriptord plug-in"
        if self.api_key:
            self.session.headers["X-Api-Key"] = self.api_key

    def terminate(self):
        if self.session:
            self.session.close()
            self.session = None

    def ping(self):
        return self.session.get(f"{self.endpoint}/status", timeout=self.response).ok

    def list_subtitles(self, video, languages):
        path = getattr(video, "original_path", None) or video.name
        tags = [str(tag) for tag in getattr(video, "audio_languages", None) or []]
        tags = [tag for tag in tags if tag not in NAMELESS]
        found = []
        for language in languages:
            if getattr(language, "forced", False) or getattr(language, "hi", False):
                continue
            if language.alpha3 in tags:
                found.append(TranscriptordSubtitle(language, path, language.alpha3, "transcribe"))
            elif language.alpha3 == "eng":
                spoken = tags[0] if tags else None
                found.append(TranscriptordSubtitle(language, path, spoken, "translate"))
        return found

    def download_subtitle(self, subtitle):
        """Leaves `content` empty when there is no subtitle (yet): the job stays, the next search finds its result."""
        job = self._submit(subtitle)
        if job and self._ended(job):
            answer = self.session.get(f"{self.endpoint}/api/jobs/{job}/subtitle", params={"format": "srt"},
                                      timeout=self.response)
            text = answer.content if answer.status_code == 200 else b""
            if text.strip():
                subtitle.content = text

    def _submit(self, subtitle):
        """The job's id, or None. A daemon that is busy or away for a moment is asked again."""
        query = {"task": subtitle.task, "output": "srt", "encode": "false", "async": "true",
                 "video_file": subtitle.path}
        if subtitle.spoken:
            query["language"] = subtitle.spoken
        for _ in range(TRIES):
            ffmpeg = self._decode(subtitle)
            try:
                # A bare body is streamed: the track is never whole in Bazarr's memory.
                answer = self.session.post(f"{self.endpoint}/asr", params=query, data=ffmpeg.stdout,
                                           headers={"Content-Type": "application/octet-stream"},
                                           timeout=self.response)
            except requests.RequestException as error:
                log.warning("transcriptord cannot be reached: %s", error)
                answer = None
            finally:
                ffmpeg.stdout.close()
                broken = ffmpeg.wait()
            if answer is not None and broken:
                log.error("ffmpeg could not read %s to its end", subtitle.path)
                return None
            if answer is not None and answer.status_code == 202:
                return answer.json()["id"]
            if answer is not None and answer.status_code != 503:
                log.error("transcriptord answered %s: %s", answer.status_code, answer.text[:300])
                return None
            time.sleep(pause(answer))
        return None

    def _decode(self, subtitle):
        command = [self.ffmpeg_path, "-nostdin", "-loglevel", "error", "-i", f"file:{os.fspath(subtitle.path)}",
                   "-map", f"0:a:{self._track(subtitle)}", "-ac", "1", "-ar", "16000",
                   "-af", "aresample=async=1:first_pts=0", "-f", "s16le", "-"]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

    def _track(self, subtitle):
        """The index of the first audio track in the spoken language; files say `ger` where Bazarr says `deu`."""
        if not subtitle.spoken:
            return 0
        language = Language(subtitle.spoken)
        codes = {language.alpha3, getattr(language, "alpha3b", None), getattr(language, "alpha2", None)}
        command = [self.ffprobe_path, "-v", "error", "-select_streams", "a", "-show_entries", "stream_tags=language",
                   "-of", "json", f"file:{os.fspath(subtitle.path)}"]
        told = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).stdout or b"{}"
        tags = [stream.get("tags", {}).get("language") for stream in json.loads(told).get("streams", [])]
        return next((index for index, tag in enumerate(tags) if tag in codes), 0)

    def _ended(self, job):
        """Polls until the job's end; a daemon that restarts meanwhile is waited for. False: no subtitle."""
        until = time.monotonic() + self.timeout
        while (left := until - time.monotonic()) > 0:
            try:
                answer = self.session.get(f"{self.endpoint}/api/jobs/{job}",
                                          params={"wait": min(LONGEST_POLL, int(left) + 1)}, timeout=self.response)
            except requests.RequestException as error:
                log.debug("transcriptord did not answer: %s", error)
                time.sleep(pause(None))
                continue
            if answer.status_code == 404:
                return False
            if not answer.ok:
                time.sleep(pause(answer))
                continue
            told = answer.json()
            if told["status"] == "completed":
                return True
            if told["status"] in ("failed", "cancelled"):
                log.error("transcriptord job %s %s: %s", job, told["status"], told.get("error"))
                return False
        log.info("transcriptord job %s goes on; the next search finds its result", job)
        return False
