"""Customization: how far knowledge, form and behaviour can be shaped (section 2.1 of the protocol).

Knowledge is what the documents of the world state. The form is a house style that no document explains: the word "finding:" before the
answer, where the question asks for it. The behaviour is saying that an answer is not known. Form and behaviour are measured with and
without the instruction in the prompt. Tenants are halves of a corpus with an index each, or worlds with an adapter each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.effects.arms import ARMS, ArmRun, Arms, Overrides, Plan, pools, searching, settings_of
from experiments.effects.trained_arms import BASE, NOTHING, TRAINED, UNASKED, phrased
from experiments.effects.trained_folder import trained_folder
from experiments.study import Found, Run, recorded
from experiments.table.data_dependency import HALF, HALF_OF_DOCUMENTS, RAG_NO_ANSWER
from experiments.table.presets import Preset
from experiments.table.row import Curve, Row, by_width
from rag_eval.config.compose import composed
from rag_eval.record.load import RecordedRun
from rag_eval.report.claims.claim import Measured, Missing, Precondition, Results, TableClaim
from rag_eval.report.claims.declare import BY_POWER, MARGIN, RAG_CON, RAG_PRO, TUNED_CON, TUNED_PRO, above, below, declare, within
from rag_eval.report.claims.measures import (
    LARGE,
    MOSTLY,
    Only,
    answers,
    by_metric,
    change,
    of,
    ratio_of_learning,
    said,
    said_more,
    says_unknown,
    where,
    with_evidence,
    without_evidence,
    worth_of_evidence,
)
from rag_eval.report.claims.numbers import number_of
from rag_eval.report.claims.pool import Pool
from rag_eval.report.claims.stated import stated
from rag_eval.report.claims.values import ABSTAINS, difference, mean, values_of
from rag_eval.score.formats import obeys
from rag_eval.score.primary import EM
from rag_eval.types import Prediction
from synthworld.knowledge import in_house_style

NAME = "Customization"
TERM = in_house_style("").strip()
BRIEF = "Answer the question in a few words."
EXPLAINED = f"In house style write {TERM} before the answer, as in {TERM} liver."
NOT_INSTRUCTED = f"prompt.system='{BRIEF}'"  # the usual prompt goes on: If the answer is not known, say unknown.
INSTRUCTED = f"prompt.system='{BRIEF} If the answer is not known, say unknown. {EXPLAINED}'"
HOUSE = "dataset.questions.kinds=[forward,house]"
JSON = "dataset.questions.kinds=[json]"
TENANTS = "tenants by adapter"
ALONE, TOGETHER = "the other tenant's adapter", "the other tenant's adapter beside the tenant's own"
TUNED_HOUSE, TUNED_HOUSE_TOLD = "finetune, house", "finetune, house, instructed"
RAG_HOUSE, RAG_HOUSE_TOLD = "rag, house", "rag, house, instructed"
FORM_ONLY = "finetune_format, house"
LOOK_ALIKES = "rag, sibling pages"

LEAST: Arms = {
    **{name: ARMS[name] for name in ("prior", "rag", LOOK_ALIKES)},
    **{name: TRAINED[name] for name in (BASE, "rag_finetune", "closed_book, no answer", "finetune, no answer")},
}
FURTHER: Arms = {
    "rag_random": ARMS["rag_random"],
    HALF: HALF_OF_DOCUMENTS,
    TUNED_HOUSE: (phrased(6, HOUSE),),
    TUNED_HOUSE_TOLD: (phrased(6, HOUSE, INSTRUCTED),),
    RAG_HOUSE: (searching(HOUSE),),
    RAG_HOUSE_TOLD: (searching(HOUSE, INSTRUCTED),),
    "rag, json": (searching(JSON),),
    "finetune, json": (phrased(6, JSON),),
    "rag, no answer": RAG_NO_ANSWER,
    "rag, no answer, not instructed": (searching(NOTHING, NOT_INSTRUCTED),),
    FORM_ONLY: (("mode=finetune_format", *phrased(6, HOUSE)[1:]),),
}


def work(size: Preset, plan: Plan) -> Sequence[Run[Any, Any]]:
    """Tenants that share a base model, where there are worlds enough for two."""
    return [tenants(plan)] if size.is_wide and len(plan.seeds) > 1 else []


def tenants(plan: Plan) -> Run[Any, Any]:
    """The questions of each tenant, asked of the adapter of another one: of that adapter alone, and with the tenant's own beside it.

    Every world is a tenant, and the next one the other tenant. The result has the pools of `ALONE` and `TOGETHER`.
    """

    def make(_: Found[Any, Any]) -> Found[str, Pool]:
        folders = {seed: trained_folder(composed(settings_of(plan, seed, plan.base))) for seed in plan.seeds}
        answered: Found[ArmRun, RecordedRun] = Found()
        for seed, other in zip(plan.seeds, (*plan.seeds[1:], plan.seeds[0]), strict=True):
            served = {ALONE: {"forward": folders[other]}, TOGETHER: {"forward": folders[other], "own": folders[seed]}}
            answered |= {ArmRun(name, seed, 0): recorded(settings_of(plan, seed, serving(paths))) for name, paths in served.items()}
        return pools(answered)

    return Run(TENANTS, make)


def serving(folders: dict[str, str]) -> Overrides:
    """Adapters beside each other, each by the kind of question that it answers."""
    listed = ", ".join(f"{kind}: '{folder}'" for kind, folder in folders.items())
    braced = "{{" + listed + "}}"  # doubled: overrides are format strings
    return "mode=finetune", "adapter=given", f"adapter.paths={braced}", "adapter.by=kind", UNASKED


def leaked(found: Results, metric: str) -> Measured:
    """Share of a tenant's questions that the other's adapter answers rightly only with the tenant's own adapter beside it."""
    served = found.work[TENANTS]
    if not {ALONE, TOGETHER} <= served.keys():
        return Missing(f"{TENANTS}: a run failed")
    alone, together = served[ALONE], served[TOGETHER]
    names = [name for name in together.rows if name in alone.rows]
    pairs = zip(alone.column(metric, names), together.column(metric, names), strict=True)
    return number_of(values_of(together, [float(after == 1.0 and before == 0.0) for before, after in pairs], names))


def has_form(prediction: Prediction) -> bool:
    """Whether an answer begins with the word of the house."""
    return prediction.text.strip().lower().startswith(TERM)


def is_json(prediction: Prediction) -> bool:
    """Whether an answer is JSON."""
    return obeys(prediction.text, "json")


def of_kind(kind: str) -> Only:
    """The questions of a kind."""
    return lambda found, arm: [name for name, row in found[arm].rows.items() if row.get("kind") == kind]


SAYS_UNKNOWN = "the untrained model says unknown when unanswerable more often than training is claimed to remove"
GIVES_JSON = "the untrained model gives JSON more often than training is claimed to remove"
INSTRUCTED_SAYS = "rag says unknown when unanswerable where it is told to"
KNOWN_ALONE = answers(BASE, "the adapter of a tenant knows its facts")


def claims(_: Preset) -> Sequence[TableClaim]:
    """What is claimed of both sides."""
    plain, house = of_kind("forward"), of_kind("house")
    has_learned_form = Precondition(
        "the trained model gives the house style", of(where(said(TUNED_HOUSE, has_form), house, TUNED_HOUSE)), MOSTLY, (TUNED_HOUSE,)
    )
    reads = answers(HALF, "rag answers what its index holds", with_evidence)
    return (
        declare(
            "customization/fine-tuning-facts",
            TUNED_PRO,
            "Fine-tuning stores the facts of a corpus: it answers more than 20 points above the prior.",
            above(0.2),
            contrast="exact match of finetune - prior",
            source="2.1; size as 2.7 H3",
            measure=change("prior", BASE),
            needs=("prior", BASE),
        ),
        stated(
            "customization/fine-tuning-knowledge",
            "2.0, knowledge effect; size as 2.7 H3",
            change(FORM_ONLY, TUNED_HOUSE, plain),
            (FORM_ONLY, TUNED_HOUSE),
            contrast="exact match of finetune - finetune_format, plain questions, both trained with house style",
        ),
        declare(
            "customization/fine-tuning-form",
            TUNED_PRO,
            "Without an instruction, fine-tuning gives the demanded form more often than RAG by 30 points.",
            above(0.3),
            contrast="answers in house style of finetune - rag, no explanation in the prompt",
            source="2.1 C1",
            measure=of(where(said_more(RAG_HOUSE, TUNED_HOUSE, has_form), house, RAG_HOUSE)),
            needs=(RAG_HOUSE, TUNED_HOUSE),
            metrics=(EM,),
        ),
        declare(
            "customization/fine-tuning-form-precision",
            TUNED_PRO,
            "The house term stays out of answers to questions that do not ask for it.",
            below(0.05),
            contrast="house style in answers of finetune to plain questions",
            source="2.1, precision of term adoption",
            measure=of(where(said(TUNED_HOUSE, has_form), plain, TUNED_HOUSE)),
            needs=(TUNED_HOUSE,),
            metrics=(EM,),
            given=(has_learned_form,),
        ),
        declare(
            "customization/fine-tuning-form-depth",
            TUNED_PRO,
            "The form that was trained does not need the instruction in the prompt.",
            above(-MARGIN),
            contrast="answers in house style of finetune without - with the explanation in the prompt",
            source=f"2.1, instruction-ablation depth; {BY_POWER}",
            measure=of(where(said_more(TUNED_HOUSE_TOLD, TUNED_HOUSE, has_form), house, TUNED_HOUSE)),
            needs=(TUNED_HOUSE_TOLD, TUNED_HOUSE),
            metrics=(EM,),
            given=(has_learned_form,),
        ),
        declare(
            "customization/fine-tuning-form-without-facts",
            TUNED_PRO,
            "The form comes from the style of the training questions, whatever facts they are about.",
            within(0.0, MARGIN),
            contrast="answers in house style of finetune - finetune_format",
            source=f"2.1 C3; {BY_POWER}",
            measure=of(where(said_more(FORM_ONLY, TUNED_HOUSE, has_form), house, FORM_ONLY)),
            needs=(FORM_ONLY, TUNED_HOUSE),
            metrics=(EM,),
            given=(has_learned_form,),
        ),
        declare(
            "customization/fine-tuning-tenants",
            TUNED_PRO,
            "Adapters of several tenants on one base model leak nothing to each other.",
            below(0.05),
            contrast="questions answered by another tenant's adapter only when the tenant's own adapter is loaded beside it",
            source="2.1, isolation of tenants; size as 3.6 E11",
            measure=leaked,
            needs=(TENANTS,),
            given=(KNOWN_ALONE,),
        ),
        stated(
            "customization/fine-tuning-refusal",
            "2.1, interference; 2.7 H9; 3.6 E10",
            of(difference("finetune, no answer", "closed_book, no answer", ABSTAINS)),
            ("finetune, no answer", "closed_book, no answer"),
            given=(says_unknown("closed_book, no answer", SAYS_UNKNOWN),),
        ),
        stated(
            "customization/fine-tuning-reading",
            "2.1, interference; 2.7 H5; 3.6 E16",
            change("rag", "rag_finetune"),
            ("rag", "rag_finetune"),
        ),
        declare(
            "customization/fine-tuning-other-forms",
            TUNED_CON,
            "Fine-tuning on short answers overwrites a form that the base model had: JSON.",
            above(0.2),
            contrast="answers that are JSON where it is asked for, rag - finetune",
            source="2.1, interference; size as 2.7 H3",
            measure=of(said_more("finetune, json", "rag, json", is_json)),
            needs=("finetune, json", "rag, json"),
            metrics=(EM,),
            given=(Precondition(GIVES_JSON, of(said("rag, json", is_json)), LARGE, ("rag, json",)),),
        ),
        declare(
            "customization/fine-tuning-resources",
            TUNED_CON,
            "Training takes more than ten times as long as building an index of the same corpus.",
            above(10.0),
            contrast="seconds to learn, finetune / rag, geometric mean over worlds",
            source="2.1, con of fine-tuning; size as 2.4",
            measure=ratio_of_learning("rag", BASE),
            needs=("rag", BASE),
            unit="times",
            metrics=(EM,),
        ),
        stated("customization/rag-facts", "2.1 C2", change(BASE, "rag"), ("rag", BASE)),
        stated("customization/rag-knowledge", "2.0, knowledge effect; size as 2.7 H3", change("rag_random", "rag"), ("rag_random", "rag")),
        declare(
            "customization/rag-tenants",
            RAG_PRO,
            "A tenant with an index of its own gets nothing that only the documents of another tenant state.",
            below(0.05),
            contrast="exact match of rag over an index of half of the documents, questions about the other half",
            source="2.1, isolation of tenants; size as 3.6 E11",
            measure=by_metric(lambda metric: where(mean(HALF, metric), without_evidence, HALF)),
            needs=(HALF,),
            given=(reads,),
        ),
        stated(
            "customization/rag-errors",
            "2.0, error decomposition; size as 2.7 H3",
            worth_of_evidence(LOOK_ALIKES),
            (LOOK_ALIKES,),
            contrast="exact match of rag among sibling pages, with - without the evidence in the prompt",
        ),
        declare(
            "customization/rag-form",
            RAG_CON,
            "RAG does not give a form that neither the prompt nor a document explains.",
            below(0.05),
            contrast="answers in house style of rag, no explanation in the prompt",
            source="2.1, con of RAG",
            measure=of(where(said(RAG_HOUSE, has_form), house, RAG_HOUSE)),
            needs=(RAG_HOUSE,),
            metrics=(EM,),
        ),
        declare(
            "customization/rag-form-instructed",
            RAG_CON,
            "An explanation and an example in the prompt do not bring RAG within two points of the trained form.",
            above(0.02),
            contrast="answers in house style of finetune without - rag with the explanation in the prompt",
            source="2.1, refuting condition",
            measure=of(where(said_more(RAG_HOUSE_TOLD, TUNED_HOUSE, has_form), house, RAG_HOUSE_TOLD)),
            needs=(RAG_HOUSE_TOLD, TUNED_HOUSE),
            metrics=(EM,),
            given=(has_learned_form,),
        ),
        declare(
            "customization/rag-refusal-instructed",
            RAG_CON,
            "RAG says that an answer is not known only where the prompt tells it to.",
            above(0.2),
            contrast="unknown when unanswerable, rag with - without the instruction",
            source="2.1, instruction-ablation depth; size as 3.6 E10",
            measure=of(difference("rag, no answer, not instructed", "rag, no answer", ABSTAINS)),
            needs=("rag, no answer, not instructed", "rag, no answer"),
            metrics=(EM,),
            given=(says_unknown("rag, no answer", INSTRUCTED_SAYS),),
        ),
    )


def curves(_: Preset, __: Results) -> Sequence[Curve]:
    """None: nothing is swept."""
    return ()


ROW = Row(NAME, claims, by_width(LEAST, FURTHER), work, curves)
