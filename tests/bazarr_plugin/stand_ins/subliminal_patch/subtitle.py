"""The base class of subtitles: what is left in `content` is saved, nothing is not."""


class Subtitle:
    def __init__(self, language):
        self.language = language
        self.content = None
