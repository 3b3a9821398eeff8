"""Detection of abstentions: answers that state that the answer is not known, and state nothing else.

The rules are regular expressions for English as chat models write it. The first clause of the text must match one of
`_WORDINGS` ("the text does not mention ...", "it is unclear who ...", "I do not know ..."). Every further clause must match
`_WORDINGS` or `_ADDITIONS` (what the sources do say, offers of help). Clauses are separated at sentence ends, at "but",
"however" and the like, and at semicolons. A clause with a guess ("it can be inferred", "probably") is an answer. The wordings
were collected from recorded answers, and the error rates were measured on them: docs/measuring.md,
`python -m experiments.abstention`.
"""

from __future__ import annotations

import re

from rag_eval.text.normalize import normalize
from rag_eval.types import ABSTENTION

# Complete answers that are abstentions, normalised.
REFUSALS = frozenset(
    {
        ABSTENTION,
        *("answer is unknown", "answer is not known", "not known", "unanswerable", "no answer", "na"),
        *("i dont know", "i do not know", "dont know", "do not know", "it is not known", "it is unknown", "this is not known"),
        *("not stated", "not mentioned", "not specified", "insufficient information", "not enough information", "no information"),
        *("cannot be determined", "cannot be answered", "i cannot answer", "i cannot answer this question", "i dont know answer"),
        *("documents do not say", "context does not say", "documents do not contain answer", "context does not contain answer"),
    }
)

_LONGEST = 600  # characters; a longer text is never an abstention


def _any(words: str, *phrases: str) -> str:
    """Regular expression that matches any of the single words in `words` or any of the phrases."""
    return f"(?:{'|'.join((*phrases, *words.split()))})"


_NOT = r"(?:\s+not|n't|\s+never)"
_BE = r"(?:'s|\s+is|\s+was)"
_ADVERBS = _any(
    "explicitly directly clearly specifically actually currently yet really even necessarily definitively fully further precisely exactly"
    " expressly particularly readily otherwise publicly officially accurately confidently been being be",
    "seem to",
    "appear to",
)
_ADVERBS = rf"(?:{_ADVERBS}\s+)*"
_NOUN = _any(
    "contexts? texts? passages? documents? chunks? information excerpts? articles? papers? story narrative narrator author books? novel"
    " sources? snippets? paragraphs? materials? content statements? filing notes? leaflet pages? transcript sections? question prompt"
    " conversation",
    "knowledge base",
    "search results",
    "form 10-k",
)
# A source of information: "the second chunk provided", "none of the articles", "the leaflet of the medicine".
_SOURCE = (
    rf"(?:(?:the|this|that|these|those|your|our|any|none of the)\s+)?(?:[\w'-]+\s+){{0,3}}?{_NOUN}"
    r"(?:\s+(?:provided|given|above|below|here|alone|i have|you (?:have )?(?:provided|gave|given)|\d+|of [\w' -]{1,40}?))*"
)
_IN_SOURCE = rf"(?:\s+(?:in|by|within|from|on|based on|anywhere in)\s+{_SOURCE}\b.*)"
_SAY = _any(
    "mention specify state contain provide include say give indicate reveal disclose address discuss describe explain detail tell offer"
    " answer identify name list clarify cover define express elaborate",
    "refer to",
)
_SAID = _any(
    "mentioned specified stated provided given known disclosed described detailed discussed indicated revealed explained clear",
    "spelled out",
)
# Participles that are also used of other things than answers ("no survivors were found"): they count only with a named source.
_SAID_THERE = _any(
    "available included addressed defined identified named listed recorded reported found present covered noted answered contained"
)
_WHAT = _any("information mention answer indication details? context data description explanation reference discussion")
_TELL = _any("determine tell say know answer give identify find provide infer locate verify confirm offer help assist recall see")
_WONDER = r"(?:who|whom|whose|what|which|when|where|why|how|whether|if)\b.*"
_UNKNOWN = _any("unknown unclear uncertain unspecified undisclosed unavailable unstated")
_SUBJECT = r"(?:(?!\b(?:but|however|although|though|because|since|when|if)\b|;).){1,200}?"
_CANNOT = r"(?:cannot|can't|can not|could not|couldn't)"

_WORDINGS = tuple(
    map(
        re.compile,
        (
            # Subject is a source: "the text does not mention ...", "the passages contain no information", "none of the documents says"
            rf"{_SOURCE}\s+(?:do|does|did){_NOT}\s+{_ADVERBS}{_SAY}\b.*",
            rf"{_SOURCE}\s+(?:contains?|provides?|gives?|makes?|offers?|includes?|has|have|had)\s+no\s+(?:[\w-]+\s+){{0,2}}{_WHAT}\b.*",
            rf"{_SOURCE}\s+(?:(?:lacks?|lacked)\s+.*|(?:is|are)\s+silent\b.*)",
            rf"(?:none|neither)\s+of\s+{_SOURCE}\s+{_SAY}s?\b.*",
            # Subject is the requested fact: "the year is not stated", "... is not available in the text", "it is unclear who ..."
            rf"{_SUBJECT}\s*\b(?:is|are|was|were|has|have){_NOT}\s+{_ADVERBS}{_SAID}{_IN_SOURCE}?",
            rf"{_SUBJECT}\s*\b(?:is|are|was|were|has|have){_NOT}\s+{_ADVERBS}{_SAID_THERE}{_IN_SOURCE}",
            rf"(?:it|this|that|the answer|this information){_BE}{_NOT}\s+{_ADVERBS}{_SAID_THERE}{_IN_SOURCE}?",
            rf"it(?:{_BE}|\s+has)\s+not\s+{_ADVERBS}(?:{_SAID}|certain){_IN_SOURCE}?",
            rf"it(?:{_BE}|\s+has)\s+not\s+{_ADVERBS}(?:{_SAID}|certain)(?:\s+(?:in|by|from)\s+{_SOURCE})?,?\s+{_WONDER}",
            rf"it{_BE}\s+(?:not possible|impossible)\s+to\s+{_ADVERBS}{_TELL}\b.*",
            rf"(?:it|{_SUBJECT})(?:{_BE}|\s+are|\s+were|\s+remains?)\s+(?:currently\s+|still\s+|largely\s+)?{_UNKNOWN}"
            rf"(?:\s+to\s+(?:me|us))?(?:{_IN_SOURCE}|\s+{_WONDER})?",
            rf"(?:the\s+)?{_any('answer date author name year number location place cause reason source origin information details?')}\s+"
            rf"(?:unknown|unspecified|not\s+(?:{_SAID}|{_SAID_THERE}){_IN_SOURCE}?)",
            rf"(?:(?!\b(?:but|however|when|if|that|which)\b).){{0,200}}?{_CANNOT}\s+be\s+{_ADVERBS}"
            rf"(?:(?:determined|answered|inferred|ascertained|deduced)\b.*|(?:found|identified|established|verified|confirmed|known){_IN_SOURCE})",
            rf"(?:the|this|that)\s+(?:answer|information)\b(?:\s+to\s+[^.]*?)?\s+(?:is|was){_NOT}\s+(?:in|part of|within)\s+{_SOURCE}.*",
            # "There is no mention of ...", "no information", "not stated in the text"
            r"there(?:'s|\s+is|\s+was|\s+are|\s+were)\s+no\s+(?:[\w-]+\s+){0,2}(?:mention|information|answer|indication)\b.*",
            rf"there(?:'s|\s+is|\s+was|\s+are|\s+were)\s+no\s+.*{_IN_SOURCE}",
            rf"there(?:'s|\s+is|\s+was|\s+are)\s*(?:not|n't)\s+(?:any|enough|sufficient)\s+(?:[\w-]+\s+)?{_WHAT}\b.*",
            rf"not\s+{_ADVERBS}(?:{_SAID}|{_SAID_THERE}){_IN_SOURCE}?",
            r"(?:not enough|insufficient)\s+(?:information|context|data|details?)\b.*",
            r"no\s+(?:[\w-]+\s+){0,2}(?:information|mention|indication)\b.*",
            rf"no\s+(?:[\w'-]+\s+){{1,5}}(?:is|are|was|were|has been|can be|could be)\s+{_ADVERBS}"
            rf"(?:{_SAID}{_IN_SOURCE}?|{_SAID_THERE}{_IN_SOURCE})",
            rf"no\s+answer\s+(?:(?:is|was|can be|could be)\s+)?{_ADVERBS}(?:{_SAID}|{_SAID_THERE})\b.*",
            # Subject is the speaker: "I do not know ...", "I have no information", "I am not sure", "please provide more context"
            rf"(?:i|we)\s+(?:(?:do|did|can|could)(?:\s+not|n't)|cannot|can't)\s+{_ADVERBS}"
            rf"(?:{_TELL}|have\s+(?:enough|any|sufficient|access|(?:[\w-]+\s+){{0,2}}{_WHAT}))\b.*",
            rf"(?:i|we)\s+(?:do|did|can|could)(?:\s+not|n't)\s+(?:have|find|see)\b.*{_IN_SOURCE}",
            rf"(?:i|we|the author|{_SOURCE})(?:'m|'re|\s+am|\s+are|\s+is|\s+was)\s+(?:unable|not able)\s+to\s+{_ADVERBS}{_TELL}\b.*",
            r"(?:i|we)(?:'m|'re|\s+am|\s+are)\s+(?:not (?:sure|aware|certain)|unsure|uncertain|unaware)\b.*",
            rf"(?:i|we)\s+have\s+no\s+(?:idea|knowledge|way|{_WHAT})\b.*",
            r"(?:i|we)\s+(?:would\s+)?need\s+(?:more|further|additional)\s+(?:information|context|details)\b.*",
            r"(?:please|could you|can you)\s+(?:provide|give|clarify|share|specify)\b.*",
        ),
    )
)
# Clauses that may follow an abstention: what the sources do contain, and offers of help.
_ADDITIONS = tuple(
    map(
        re.compile,
        (
            rf"(?:it|they)\s+(?:do|does|did){_NOT}\s+{_ADVERBS}{_SAY}\b.*",
            rf"(?:it|they|this|{_SOURCE})\s+(?:only|merely|simply|just)\b.*",
            r"(?:please|if you|you (?:may|can|could|might)|let me know|feel free|for more|would you)\b.*",
            r"i(?: can| could| would| will|'d|'ll)\b.*",
        ),
    )
)
_GUESS = re.compile(
    r"\b(?:infer(?:red)?|impl(?:y|ies|ied)|suggest(?:s|ed)?|likely|probably|perhaps|possibly|presumably|maybe|guess|estimated?|assum(?:e|ed|ing)"
    r"|(?:could|might|may|would) (?:be|have)|(?:appears?|seems?) to|i (?:think|believe))\b"
)
_LEAD_IN = re.compile(
    r"^(?:(?:i'm|i am|we're|we are) (?:very |really |so )?(?:sorry|afraid)|(?:my )?apologies|i apologi[sz]e|sorry|unfortunately|regrettably"
    r"|as an? (?:ai|language)\b[^,.]*|as of my\b[^,.]*|(?:based on|according to|given|from|in|considering|without)\b[^,.]{1,60}"
    r"|none|answer:?|the answer is:)"
    r"(?:\s*[,.:;!]+\s*|\s+(?=(?:but|that|i|we|the|this|there|it)\b)|$)(?:but\s+|that\s+)?"
)
_SENTENCE_END = re.compile(r"(?<!\b[A-Z])(?<!\bMrs)(?<!\bMr)(?<!\bDr)(?<!\bMs)(?<!\bSt)[.!?]+[\"')\]]*\s+(?=[^a-z])|\n+")
_TURN = re.compile(
    r",?\s+(?:but|however|although|though)\b,?\s*|^(?:but|however|additionally|in fact|instead|therefore|thus|so)\b,?\s*"
    r"|,\s+(?:so|nor)\s+|;\s+"
)
_MARKUP = re.compile(r"[*_`#]+")
_HINT = re.compile(r"\b(?:no|not|none|neither|silent|cannot|unable|lacks?|insufficient|please|need|un[a-z]+)\b|n['’]t\b", re.IGNORECASE)


def is_abstention(text: str) -> bool:
    """Whether a text is an abstention: one of `REFUSALS` after normalisation, or matched by the rules in the module docstring."""
    if normalize(text) in REFUSALS:
        return True
    if len(text) > _LONGEST or not _HINT.search(text) or text.lstrip()[:1] in "\"“'‘" or _is_title(text):
        return False
    clauses = [clause for sentence in _SENTENCE_END.split(_MARKUP.sub("", text)) for clause in _clauses(sentence)]
    return bool(clauses) and _is_unknown(clauses[0]) and all(_is_unknown(one) or _adds_nothing(one) for one in clauses[1:])


def _clauses(sentence: str) -> list[str]:
    """Clauses of a sentence in lower case, separated at "but", "however" and semicolons, without polite lead-ins."""
    rest, before = sentence.lower().replace("’", "'").strip(" .,;:!?"), None
    while rest != before:
        before, rest = rest, _LEAD_IN.sub("", rest, count=1)
    return [part.strip(" .,;:") for part in _TURN.split(rest) if part.strip(" .,;:")]


def _is_unknown(clause: str) -> bool:
    return normalize(clause) in REFUSALS or (not _GUESS.search(clause) and any(form.fullmatch(clause) for form in _WORDINGS))


def _adds_nothing(clause: str) -> bool:
    return not _GUESS.search(clause) and any(form.fullmatch(clause) for form in _ADDITIONS)


def _is_title(text: str) -> bool:
    """Whether all words of more than three letters are capitalised, as in the song title "I Don't Know How to Love Him"."""
    long = [word for word in text.split() if len(word) > 3]
    return len(long) > 1 and all(word[0].isupper() for word in long) and text.rstrip()[-1].isalnum()
