"""Extraction of the answer from a sentence that frames it: "The answer is: Paris." gives "Paris".

Frames, for English. The first that matches is used; a text without a frame is returned unchanged:

1. The only code block, or the last `\\boxed{X}`.
2. The last sentence or line that announces the answer: "Answer: X", "The (final, correct, ...) answer (to ...) is (:) X",
   "X is the (correct) answer".
3. The only text in bold: "He was born in **Warsaw**."
4. The first sentence, without "Based on ...,", "According to ...," and the like, if it has the form "S is (are, was, were) X",
   as in "It was X"; S contains no negation, and a copula after who, which, that, what, where or there is skipped.
5. A single sentence after "Based on ...," and the like.

X ends before ", which", "because" and the like. Quotes, bold and code marks around X and a final period are removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_SENTENCE = re.compile(
    r"(?<!\b[A-Z]\.)(?<!\bMrs\.)(?<!\bMr\.)(?<!\bDr\.)(?<!\bMs\.)(?<!\bSt\.)(?:(?<=[.!?])|(?<=[.!?][\"”’)*]))\s+(?=[^a-z])|\n+"
)
_CODE = re.compile(r"```[\w-]*\n(.*?)```", re.DOTALL)
_BOXED = re.compile(r"\\boxed\{([^{}]+)\}")
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*|__([^_\n]+)__")
_LABEL = r"(?:(?:the|my)\s+)?(?:(?:final|correct|right|short|best)\s+)*answer"
_ANNOUNCED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_LABEL}\s*:\s*(?:is\s+)?(.+)",
        rf"(?:(?:so|thus|therefore|hence|and),?\s+)?{_LABEL}(?:\s+(?:to|for)\s+[^:]{{1,200}}?)?\s+(?:is|was)(?:\s*:\s*|,?\s+)(.+)",
        rf"(.+?)\s+(?:is|was)\s+{_LABEL}(?:\s+(?:to|for)\s+.+?)?[.!]?",
    )
)
_LEAD_IN = re.compile(r"(?:based on|according to|given|from|in|as stated in|per)\s+[^,.]{1,80},\s+(.+)", re.IGNORECASE)
_COPULA = re.compile(
    r"(?P<subject>.{1,200}?)(?<!\bwho)(?<!\bwhich)(?<!\bthat)(?<!\bwhat)(?<!\bwhere)(?<!\bthere)(?:\s+(?:is|are|was|were)|(?<=\bit)['’]s)"
    r"(?:\s+(?:called|named|known\s+as))?\s*:?\s+(?P<said>.+)",
    re.IGNORECASE,
)
_DENIAL = re.compile(r"\b(?:not|no|never|none|nobody|neither|without|cannot)\b|n['’]t\b", re.IGNORECASE)
_AFTERTHOUGHT = re.compile(r",\s+(?:which|who|whose|where|when|as|since|according to)\b.*|,?\s+because\b.*", re.IGNORECASE)
_PAIRS = (('"', '"'), ("“", "”"), ("'", "'"), ("‘", "’"), ("«", "»"), ("**", "**"), ("__", "__"), ("*", "*"), ("`", "`"))


def extracted(text: str) -> str:
    """Answer inside the frame of a text; the text without surrounding marks if it has no frame."""
    sentences = [one for one in _SENTENCE.split(re.sub(r":(\*\*)?\s*\n+", r":\1 ", text.strip())) if one.strip()]
    readings: tuple[Callable[[], str | None], ...] = (
        lambda: _only(_CODE.findall(text)),
        lambda: next(reversed(_BOXED.findall(text)), None),
        lambda: next((found for one in reversed(sentences) if (found := _announced(one))), None),
        lambda: _only([first or second for first, second in _BOLD.findall(text) if not (first or second).rstrip().endswith(":")]),
        lambda: _predicate(_without_lead_in(sentences[0])) if sentences else None,
        lambda: _without_lead_in(sentences[0]) if len(sentences) == 1 else None,
    )
    return _bare(next((found for read in readings if (found := read())), text))


def _only(found: list[str]) -> str | None:
    return found[0] if len(found) == 1 else None


def _announced(sentence: str) -> str | None:
    plain = re.sub(r"\*\*|__", "", sentence).strip()
    return next((_AFTERTHOUGHT.sub("", found[1]) for form in _ANNOUNCED if (found := form.fullmatch(plain))), None)


def _without_lead_in(sentence: str) -> str:
    found = _LEAD_IN.fullmatch(sentence.strip())
    return found[1] if found else sentence


def _predicate(sentence: str) -> str | None:
    """Predicate of the sentence: the part after the first copula that does not belong to a relative clause."""
    found = _COPULA.fullmatch(_bare(sentence))
    if not found or sentence.rstrip().endswith("?") or _DENIAL.search(found["subject"]):
        return None
    return _AFTERTHOUGHT.sub("", found["said"])


def _bare(text: str) -> str:
    """Text without surrounding white space, quotes and marks, and without a final period."""
    before, bare = "", text.strip()
    while bare != before:
        before = bare
        bare = bare.strip().removesuffix(".").strip()
        for start, end in _PAIRS:
            inner = bare[len(start) : len(bare) - len(end)]
            if bare.startswith(start) and bare.endswith(end) and inner.strip() and start not in inner and end not in inner:
                bare = inner
    return bare
