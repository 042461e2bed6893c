"""Word error rate. Not run by itself.

Both texts are lower-cased, markup, brackets and punctuation go, numbers below a hundred are written out
in English, a few spellings are made the same; what then differs is counted by least edits.
"""
import re
import unicodedata

ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SAME = {"mr": "mister", "mrs": "missus", "dr": "doctor", "ok": "okay", "grey": "gray", "colour": "color"}


def spoken_number(word):
    number = int(word)
    if number < 20:
        return [ONES[number]]
    if number < 100:
        return [TENS[number // 10 - 2]] + ([ONES[number % 10]] if number % 10 else [])
    return [word]


def units(text, language="en"):
    """The words that are compared; for languages without spaces, the characters."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    text = re.sub(r"<[^>]*>|\[[^\]]*\]", " ", text)
    text = "".join(c if unicodedata.category(c)[0] in "LMN" or c == "'" else " " for c in text)
    if language in ("zh", "ja", "th"):
        return [c for c in text if not c.isspace() and c != "'"]
    found = []
    for word in (w.strip("'") for w in text.split()):
        if word.isascii() and word.isdigit() and language == "en":
            found += spoken_number(word)
        elif word:
            found.append(SAME.get(word, word))
    return found


def edits(reference, heard):
    """The least number of words to change, leave out or add."""
    numbers = {}
    a = [numbers.setdefault(w, len(numbers)) for w in reference]
    b = [numbers.setdefault(w, len(numbers)) for w in heard]
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            diagonal, row[j] = row[j], min(diagonal + (word != other), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def error_rate(reference, heard, language="en"):
    a = units(reference, language)
    return edits(a, units(heard, language)) / max(1, len(a))


def srt_text(srt):
    """The words of a SubRip text, without numbers and times."""
    lines = srt.replace("\r\n", "\n").split("\n")
    return " ".join(line for i, line in enumerate(lines)
                    if "-->" not in line and not (line.strip().isdigit() and i + 1 < len(lines) and "-->" in lines[i + 1]))
