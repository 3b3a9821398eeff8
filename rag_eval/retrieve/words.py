"""Words of a text in any script, and the terms into which lexical search splits words of scripts without spaces."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby, pairwise


def _class(codes: list[int]) -> str:
    """Code points as the content of a regular-expression character class."""
    runs = [[code for _, code in run] for _, run in groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0])]
    return "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)


# Combining marks such as vowel signs and accents. Beyond the first two planes there are only variation selectors.
_MARKS = _class([code for code in range(0x300, 0x20000) if unicodedata.category(chr(code)) in {"Mn", "Mc"}])
_HAN = "\u2e80-\u2fd5\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
# Blocks of scripts without spaces between words, and Hangul, where particles are attached to words.
_UNPARTED = (
    f"{_HAN}\u3031-\u3035\u303c\u3041-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\U0001b000-\U0001b16f"  # kana, Bopomofo
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf"  # Thai, Lao, Burmese, Khmer, Tai
    "\u1100-\u11ff\ua960-\ua97c\uac00-\ud7fb"  # Hangul
)
# Removed: joiners, soft hyphens, variation selectors, and the points of Arabic and Hebrew, which most texts omit.
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
    """Words in order: NFKC, lower case, letters with their combining marks.

    In scripts without spaces, the text between two punctuation marks is one word.

    Args:
        text: any text.

    Returns:
        The words.
    """
    plain = unicodedata.normalize("NFKC", text).lower()
    return _PLAIN.findall(plain) if plain.isascii() else _WORD.findall(plain.translate(_DROPPED))


def is_unparted(word: str) -> bool:
    """Whether a word is in a script without spaces between words, or in Hangul."""
    return _BEGINS_UNPARTED.match(word) is not None


def pieces(word: str) -> list[str]:
    """Terms of a word: itself, or in scripts without spaces its character bigrams and Han characters."""
    if not is_unparted(word):
        return [word]
    characters = _CHARACTER.findall(word)
    if len(characters) == 1:
        return characters
    pairs = [first + second for first, second in pairwise(characters)]
    return pairs + [character for character in characters if _BEGINS_HAN.match(character)]


def compared(text: str) -> list[str]:
    """Terms of all words of a text."""
    return [piece for word in words(text) for piece in pieces(word)]
