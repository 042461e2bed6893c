"""The base class of providers: a pool makes one, enters it, and leaves it."""


class Provider:
    def __enter__(self):
        self.initialize()
        return self

    def __exit__(self, *_):
        self.terminate()
