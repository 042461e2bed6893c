"""Asks the plug-in for a subtitle as Bazarr's pool does, and tells what became of it: one JSON value a line.

    ask.py '{"endpoint": ..., "film": ..., "tags": ["jpn", "eng"], "wanted": "eng", "api_key": null, "timeout": 60}'

Where the plug-in would pause, `{"pause": SECONDS}` is written and a line on the standard input is awaited instead;
`{"get": URL}` is written before each GET.
"""

import json
import logging
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "stand_ins"), str(HERE.parent.parent / "provider-spec/bazarr-plugin")]
try:
    import requests
except ImportError:
    # The same library, as pip carries it.
    from pip._vendor import requests

    sys.modules["requests"] = requests

import transcriptord  # noqa: E402
from subliminal.video import Movie  # noqa: E402
from subzero.language import Language  # noqa: E402


def tell(**what):
    print(json.dumps(what), flush=True)


class Session(requests.Session):
    def get(self, url, **more):
        tell(get=url)
        return super().get(url, **more)


def wait_instead(seconds):
    tell(pause=seconds)
    sys.stdin.readline()


class Told(logging.Handler):
    """The plug-in's own words."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def main():
    asked = json.loads(sys.argv[1])
    time.sleep, requests.Session = wait_instead, Session
    told = Told()
    transcriptord.log.addHandler(told)
    transcriptord.log.setLevel(logging.DEBUG)
    settings = {"endpoint": asked["endpoint"], "api_key": asked.get("api_key"), "timeout": asked.get("timeout", 60)}
    film = Movie(asked["film"], [Language(tag) for tag in asked["tags"]])
    with transcriptord.TranscriptordProvider(**settings) as provider:
        ping = provider.ping() if asked.get("ping") else None
        wanted = {Language(asked["wanted"]), Language(asked["wanted"], forced=True), Language(asked["wanted"], hi=True)}
        found = provider.list_subtitles(film, wanted)
        for subtitle in found:
            provider.download_subtitle(subtitle)
    made = [subtitle.content.decode() if subtitle.content is not None else None for subtitle in found]
    tell(found=[[str(s.language), s.spoken, s.task] for s in found], made=made, log=told.lines, ping=ping)


if __name__ == "__main__":
    main()
