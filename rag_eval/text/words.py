"""Word segmentation of texts in any script, shared by scoring and retrieval.

In scripts with spaces between words, a word is a run of letters and digits with their combining marks, so that the vowel
signs of Hindi, Bengali or Tamil (Unicode categories Mc and Mn) stay with their consonants. In scripts without (Han, kana,
Thai, Lao, Khmer, Burmese, Tibetan and related ones), every character with its marks is a word, as in MLQA for Chinese ("mixed
segmentation", Lewis et al. 2020, arXiv 1910.07475), so that scores do not depend on a segmenter. Korean has spaces.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby


def _ranges(codes: list[int]) -> str:
    """Code points as the content of a regular-expression character class."""
    runs = [[code for _, code in run] for _, run in groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0])]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)


# Combining marks; beyond the first two planes there are only variation selectors.
MARKS = _ranges([code for code in (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0)) if unicodedata.category(chr(code)) in ("Mn", "Mc")])
# Blocks of the scripts without spaces between words, in the order of their numbers.
UNSPACED = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f"  # Thai, Lao, Tibetan; Burmese; Khmer; Tai; Balinese
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u302d\u3031-\u303c\u3041-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"  # Han, kana, Bopomofo
    "\u3400-\u4dbf\u4e00-\ua4cf\ua980-\ua9ff\uaa60-\uaadf"  # Han, Yi, Javanese, Burmese of minorities, Tai Viet
    "\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003fffd"  # more Han and kana
)
# Blocks of all scripts but Latin, Greek and Cyrillic: from Armenian on.
_ELSEWHERE = re.compile(
    "[\u0531-\u1c7f\u2d00-\u2ddf\u2e80-\ua63f\ua800-\uab2f\uabc0-\ufaff\ufb1d-\ufdff\ufe70-\ufefc\uff66-\uffdc"
    "\U00010300-\U0001cfff\U0001e000-\U0001efff\U00020000-\U0003fffd]"
)
_INVISIBLE = dict.fromkeys((0xAD, 0x200C, 0x200D, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF)) | {0x200B: " "}
_WIDE = re.compile("[\uff01-\uff9f]+")
_DIGIT = re.compile(r"(?![\x00-\x7f])\d")
_BEYOND_LATIN = re.compile("[^\x00-\xac\xae-\u02ff\u2010-\u2027]")
_UNSPACED = re.compile(f"[{UNSPACED}]")
_SEGMENT = re.compile(f"[{UNSPACED}][{MARKS}]*|[^{UNSPACED}\\s]+")
_LATIN_WORD = re.compile(r"[^\W_]+")
_WORD = re.compile(f"(?=[^\\W_])(?:[{UNSPACED}][{MARKS}]*|(?:(?![{UNSPACED}])[^\\W_][{MARKS}]*)+)")


def words(text: str) -> list[str]:
    """Words of a text in order: folded and without punctuation; articles are kept."""
    plain = folded(text)
    return (_WORD if _BEYOND_LATIN.search(plain) else _LATIN_WORD).findall(plain)


def segments(text: str) -> list[str]:
    """Whitespace-separated tokens, with characters of scripts without spaces as single tokens. English is split as by `str.split`."""
    return _SEGMENT.findall(text) if _UNSPACED.search(text) else text.split()


def length(text: str) -> float:
    """Number of segments, where two characters of a script without spaces count as one: about one word of Chinese or Japanese."""
    parts = segments(text)
    return len(parts) - sum(_UNSPACED.match(part) is not None for part in parts) / 2


def folded(text: str) -> str:
    """Text in the form of `even`, in lower case."""
    return even(text).lower()


def even(text: str) -> str:
    """NFC text without invisible characters, with standard-width characters, and decimal digits of any script as 0 to 9."""
    plain = unicodedata.normalize("NFC", text)
    if not _BEYOND_LATIN.search(plain):
        return plain
    plain = _WIDE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), plain.translate(_INVISIBLE))
    return _DIGIT.sub(lambda found: str(unicodedata.decimal(found[0])), plain)


def is_elsewhere(text: str) -> bool:
    """Whether a text has letters of a script other than Latin, Greek and Cyrillic."""
    return _ELSEWHERE.search(text) is not None
