"""Languages by code. Those that tests name have all of theirs; of the others two letters are known."""

KNOWN = {"de": ("deu", "ger"), "en": ("eng", "eng"), "ja": ("jpn", "jpn"), "fr": ("fra", "fre")}


class Language:
    def __init__(self, alpha3, forced=False, hi=False):
        self.alpha3, self.forced, self.hi = alpha3, forced, hi
        two = [two for two, (three, _) in KNOWN.items() if three == alpha3]
        self.alpha2 = two[0] if two else None
        self.alpha3b = KNOWN[two[0]][1] if two else None

    @classmethod
    def fromalpha2(cls, code):
        return cls(KNOWN.get(code, (code,))[0])

    def __str__(self):
        return self.alpha3

    def __eq__(self, other):
        return (self.alpha3, self.forced, self.hi) == (other.alpha3, other.forced, other.hi)

    def __hash__(self):
        return hash(self.alpha3)
