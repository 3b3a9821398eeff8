"""Words of a text in any script, and the pieces of them that lexical search compares where no spaces part words."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby, pairwise


def _class(codes: list[int]) -> str:
    """Code points as the inside of a character class."""
    runs = [[code for _, code in run] for _, run in groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0])]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)


# Combining marks such as vowel signs and accents. Beyond the first two planes there are selectors of variants alone.
_MARKS = _class([code for code in range(0x300, 0x20000) if unicodedata.category(chr(code)) in {"Mn", "Mc"}])
_HAN = "\u2e80-\u2fd5\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
# Blocks of scripts whose words are not parted, and Hangul, whose particles are written onto the word before them.
_UNPARTED = (
    f"{_HAN}\u3031-\u3035\u303c\u3041-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\U0001b000-\U0001b16f"  # kana, Bopomofo
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf"  # Thai, Lao, Burmese, Khmer, Tai
    "\u1100-\u11ff\ua960-\ua97c\uac00-\ud7fb"  # Hangul
)
# Dropped: joiners, soft hyphens, selectors of variants, and the points of Arabic and Hebrew, which most texts leave out.
_DROPPED = dict.fromkeys(
    [0xAD, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x640, 0x670]
    + [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
    + [*range(0x591, 0x5BE), 0x5BF, 0x5C1, 0x5C2, 0x5C4, 0x5C5, 0x5C7, *range(0x610, 0x61B), *range(0x64B, 0x660), *range(0x6D6, 0x6DD)]
)
_PLAIN = re.compile(r"\w+")
_WORD = re.compile(f"(?:(?=\\w)[{_UNPARTED}][{_MARKS}]*)+|(?:(?![{_UNPARTED}])\\w[{_MARKS}]*)+")
_CHARACTER = re.compile(f"\\w[{_MARKS}]*")
_BEGINS_UNPARTED = re.compile(f"[{_UNPARTED}]")
_BEGINS_HAN = re.compile(f"[{_HAN}]")


def words(text: str) -> list[str]:
    """The words in their order: compatible characters made one (NFKC), lower-cased, each letter with its marks.

    What stands between two signs of a script without spaces is one word.
    """
    plain = unicodedata.normalize("NFKC", text).lower()
    return _PLAIN.findall(plain) if plain.isascii() else _WORD.findall(plain.translate(_DROPPED))


def is_unparted(word: str) -> bool:
    """Whether it is of a script without spaces between words, or of Hangul."""
    return _BEGINS_UNPARTED.match(word) is not None


def pieces(word: str) -> list[str]:
    """What is compared of a word: itself; in a script without spaces each two neighbouring characters, and each Han character."""
    if not is_unparted(word):
        return [word]
    characters = _CHARACTER.findall(word)
    if len(characters) == 1:
        return characters
    pairs = [first + second for first, second in pairwise(characters)]
    return pairs + [character for character in characters if _BEGINS_HAN.match(character)]


def compared(text: str) -> list[str]:
    """The pieces of all words of a text."""
    return [piece for word in words(text) for piece in pieces(word)]
