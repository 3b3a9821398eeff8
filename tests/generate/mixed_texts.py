"""Texts of every kind that a tokenizer meets, the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable

WORDS = (
    "the", "of", "a", "river", "Ostrava", "isn't", "they'll", "I'VE", "naïve", "café", "Zürich", "can't", "she'd", "state-of-the-art",
    "e.g.", "U.S.", "x86_64", "2nd", "mRNA",
)  # fmt: skip
SCRIPTS = (
    "Вопрос и ответ", "Ποια είναι η πρωτεύουσα", "日本語の文章です。", "中文 句子，很好！", "한국어 문장", "हिन्दी वाक्य", "বাংলা",
    "தமிழ்", "العربية نص", "עברית", "ไทยภาษา", "ქართული", "አማርኛ", "Tiếng Việt", "ÅÄÖ åäö ß", "ĳ ﬁ Ⅻ ½ ² ₃", "e\u0301 n\u0303 \u1e69",
    "٣٤٥ १२३ ４５６",
)  # fmt: skip
EMOJI = ("🙂", "👩‍👩‍👧‍👦", "🇨🇿", "👍🏽", "☃️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "𝒜", "𐍈", "\U0001f9ff")
SPACES = (" ", "  ", "\t", "\n", "\n\n", "\r\n", "\r", "\u00a0", "\u3000", "\u2003", "\u200b", "\ufeff", "\u2028", "\u0085", "\v", "\f")
CONTROLS = tuple(chr(one) for one in (*range(32), *range(127, 160)))
CODE = (
    "def f(x):\n    return x**2 + 1\n", "for (int i = 0; i < 10; ++i) {\n\ta[i] = i;\n}", "SELECT * FROM t WHERE a >= 3.5;",
    '{"key": [1, 2.50, null]}', "<p class='x'>a&nbsp;b</p>", "x = y if z else -1  # why?", "$ ls -la | grep '^d'", "\\frac{1}{2}",
)  # fmt: skip
MARKS = "!?.,:;-–—…'\"“”‘’«»()[]{}<>/\\|@#%&*+=~^_`§°€£"


def mixed_texts(n: int, seed: int, special: tuple[str, ...]) -> list[str]:
    """n texts, each of up to twelve pieces of any kind.

    Args:
        n: how many.
        seed: of all choices.
        special: spellings of special tokens, which stand among the pieces.
    """
    rng = random.Random(seed)
    kinds: tuple[Callable[[], str], ...] = (
        lambda: " ".join(rng.choices(WORDS, k=rng.randint(1, 8))),
        lambda: rng.choice((str(rng.randint(0, 10**9)), f"{rng.random():.4f}", f"{rng.randint(1, 31)}/12/2024", "1,234,567.89", "-40°C")),
        lambda: f"[{rng.randint(1, 12)}] Title: {rng.choice(WORDS)} {rng.randint(1, 99)}\n{rng.choice(WORDS)} {rng.choice(WORDS)}.\n\n",
        lambda: f"\n\n{rng.randint(1, 20)}. {rng.choice(WORDS)}\n  {rng.randint(1, 9)}) {rng.choice(WORDS)}",
        lambda: rng.choice(SCRIPTS),
        lambda: "".join(rng.choices(EMOJI, k=rng.randint(1, 3))),
        lambda: "".join(rng.choices(SPACES, k=rng.randint(1, 6))),
        lambda: "".join(rng.choices(CONTROLS, k=rng.randint(1, 3))),
        lambda: rng.choice(CODE),
        lambda: "".join(rng.choices(MARKS, k=rng.randint(1, 6))),
        lambda: "".join(chr(_code_point(rng)) for _ in range(rng.randint(1, 4))),
        lambda: rng.choice(special),
        lambda: rng.choice(special)[:-1],
    )
    return ["".join(rng.choice(kinds)() for _ in range(rng.randint(1, 12))) for _ in range(n)]


def _code_point(rng: random.Random) -> int:
    """Any but a surrogate; a third of them of the first plane's beginning, where most scripts are."""
    found = rng.choice((rng.randrange(0x3000), rng.randrange(0x10000), rng.randrange(0x110000)))
    return found if not 0xD800 <= found <= 0xDFFF else 0x20
