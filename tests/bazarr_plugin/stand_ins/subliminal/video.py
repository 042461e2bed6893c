"""What a provider is asked about."""


class Video:
    def __init__(self, name, audio_languages=()):
        self.name = name
        self.original_path = name
        self.audio_languages = audio_languages


class Episode(Video):
    pass


class Movie(Video):
    pass
