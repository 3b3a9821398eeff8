"""How many questions a comparison needs, before any is asked.

    python -m rag_eval.report power effect=0.03 discordant=0.2 deff=1.5
    python -m rag_eval.report power n=500 discordant=0.2 deff=1.5

effect: the difference in share right that should be found. discordant: share of questions that exactly one arm gets right.
deff: design effect of questions about one entity, 1 if independent; `compare` tells that of your data. n: the questions that
there are. alpha=0.05 and power=0.8 may be given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rag_eval.errors import UserError
from rag_eval.report.commands.options import one_number, parsed
from rag_eval.stats.power import minimum_detectable_effect, required_n
from rag_eval.text.counted import counted

DEFAULTS = {"effect": "", "n": "", "discordant": "", "deff": "", "alpha": "0.05", "power": "0.8"}


def power(argv: Sequence[str]) -> str:
    """Number of questions that find a difference, or the smallest difference that a number of questions finds.

    Args:
        argv: `discordant=`, `deff=`, one of `effect=` and `n=`, and optionally `alpha=` and `power=`.

    Returns:
        One line of text.

    Raises:
        UserError: if an option is missing, unknown or out of range.
    """
    words, options = parsed(argv, DEFAULTS)
    if words or not options["discordant"] or not options["deff"] or bool(options["effect"]) == bool(options["n"]):
        raise UserError(
            "expected discordant=SHARE deff=NUMBER and one of effect=SHARE and n=QUESTIONS, as in effect=0.03 discordant=0.2 deff=1.5."
        )
    level = {"alpha": one_number(options, "alpha"), "power": one_number(options, "power")}
    discordant, deff = one_number(options, "discordant"), one_number(options, "deff")
    terms = f"{discordant:g} of questions discordant, design effect {deff:g}, level {level['alpha']:g}, power {level['power']:g}"
    try:
        if options["effect"]:
            effect = one_number(options, "effect")
            return f"{_questions(required_n(effect, discordant, deff, **level))} a difference of {effect:g} ({terms})"
        n = one_number(options, "n")
        if n != round(n):
            raise UserError(f"n: expected a number of questions, got {options['n']!r}.")
        effect = minimum_detectable_effect(round(n), discordant, deff, **level)
        if math.isinf(effect):
            return f"{_questions(round(n))} no difference, however large ({terms})"
        return f"{_questions(round(n))} a difference of {effect:.4f} ({terms})"
    except ValueError as error:
        raise UserError(str(error).replace("p_disc", "discordant")) from None


def _questions(n: int) -> str:
    return counted(n, "question finds", "questions find")
