"""The claims of the table's six rows that cannot be judged on anybody's documents, each with the name of what it lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag_eval.report.claims.claim import Measured, Missing, Results, TableClaim
from rag_eval.report.claims.declare import ANY, MARGIN, RAG_CON, RAG_PRO, TUNED_CON, TUNED_PRO, Cell, Limit, above, below, declare, within

UPDATES, DELETIONS, FORM = "versions of the documents", "deletions", "a house style"
PARTS, SWEEPS, FALSE = "parts of the corpus", "sweeps of trainings", "false pages"
TENANTS, PRIOR, REPEATS = "tenants", "the prior", "repeated builds"
SIZES, STORE, PASSAGES = "corpus sizes", "a live store", "numbers of passages"
PUBLIC = "public texts"

REASONS: Mapping[str, str] = {
    UPDATES: f"{UPDATES}: these data are one version, without events that change facts and without the old and new values",
    DELETIONS: f"{DELETIONS}: which facts only the deleted documents state is known of the invented world alone",
    FORM: f"{FORM}: no question of these data demands a form that no document explains, with and without an instruction",
    PARTS: f"{PARTS}: which facts remain without a document is known of the invented world alone",
    SWEEPS: f"{SWEEPS}: trainings by number of phrasings, restatements, ranks or facts; facts and phrasings are not marked here",
    FALSE: f"{FALSE}: which values a false document states is known of the invented world alone",
    TENANTS: f"{TENANTS}: these data are of one tenant",
    PRIOR: f"{PRIOR}: the commonest answer to each kind of question; the kinds are not marked here",
    REPEATS: f"{REPEATS}: seconds to learn were measured once, which gives no interval; those of each arm stand under what they spent",
    SIZES: f"{SIZES}: this corpus has one size",
    STORE: f"{STORE}: no documents are written here while questions are answered",
    PUBLIC: f"{PUBLIC}: they are other documents than these",
    PASSAGES: f"{PASSAGES}: the arms show as many passages as retriever.k says",
}

Line = tuple[str, Cell, str, Limit, str, str]  # id, cell, statement, limit, unit, what it lacks
SHARE, TIMES, SLOPE = "share", "times", "slope"
CUSTOM, DATA, ADAPT = "customization", "data-dependency", "adaptability"
COST, TIME, SCALE = "computational-cost", "inference-time", "scalability"

LINES: Mapping[str, Sequence[Line]] = {
    "Customization": (
        (f"{CUSTOM}/fine-tuning-facts", TUNED_PRO, "Fine-tuning answers more than 20 points above the prior.", above(0.2), SHARE, PRIOR),
        (f"{CUSTOM}/fine-tuning-form", TUNED_PRO, "Untold, fine-tuning gives a form 30 points more often.", above(0.3), SHARE, FORM),
        (f"{CUSTOM}/fine-tuning-form-precision", TUNED_PRO, "The form stays out of other answers.", below(0.05), SHARE, FORM),
        (f"{CUSTOM}/fine-tuning-form-depth", TUNED_PRO, "A trained form does not need the instruction.", above(-0.05), SHARE, FORM),
        (f"{CUSTOM}/fine-tuning-form-without-facts", TUNED_PRO, "The form comes from the style alone.", within(0.0, MARGIN), SHARE, FORM),
        (f"{CUSTOM}/fine-tuning-tenants", TUNED_PRO, "Adapters of several tenants leak nothing.", below(0.05), SHARE, TENANTS),
        (f"{CUSTOM}/fine-tuning-other-forms", TUNED_CON, "Short answers overwrite another form: JSON.", above(0.2), SHARE, FORM),
        (f"{CUSTOM}/fine-tuning-resources", TUNED_CON, "Training takes over ten times as long as indexing.", above(10.0), TIMES, REPEATS),
        (f"{CUSTOM}/rag-tenants", RAG_PRO, "An index of one's own gives nothing of another tenant's.", below(0.05), SHARE, TENANTS),
        (f"{CUSTOM}/rag-form", RAG_CON, "RAG does not give a form that nothing explains.", below(0.05), SHARE, FORM),
        (f"{CUSTOM}/rag-form-instructed", RAG_CON, "An explanation does not bring RAG to the trained form.", above(0.02), SHARE, FORM),
        (f"{CUSTOM}/rag-refusal-instructed", RAG_CON, "RAG abstains only where the prompt tells it to.", above(0.2), SHARE, FORM),
    ),
    "Data dependency": (
        (f"{DATA}/fine-tuning-phrasings", TUNED_PRO, "More phrasings teach more in other words.", above(0.0), SHARE, SWEEPS),
        (f"{DATA}/fine-tuning-restatements", TUNED_PRO, "More restatements teach more of documents.", above(0.0), SHARE, SWEEPS),
        (f"{DATA}/fine-tuning-told-once", TUNED_CON, "Documents told once stay below 80 % of the oracle.", below(0.0), SHARE, SWEEPS),
        (f"{DATA}/fine-tuning-one-phrasing", TUNED_CON, "One phrasing stays below 80 % of the oracle.", below(0.0), SHARE, SWEEPS),
        (f"{DATA}/fine-tuning-order", TUNED_CON, "Facts in groups are learned worse than shuffled.", above(0.0), SHARE, SWEEPS),
        (f"{DATA}/fine-tuning-label-noise", TUNED_CON, "Wrong training answers cost half of their share.", below(-0.1), SHARE, SWEEPS),
        (f"{DATA}/rag-copies", RAG_PRO, "A second document that states a fact changes nothing.", within(0.0, MARGIN), SHARE, PARTS),
        (f"{DATA}/rag-coverage", RAG_CON, "Half of the documents cost over 20 points.", below(-0.2), SHARE, PARTS),
        (f"{DATA}/rag-coverage-linear", RAG_CON, "The loss is in proportion to what is missing.", within(0.0, 0.05), SHARE, PARTS),
        (f"{DATA}/rag-noise", RAG_CON, "Passages about others take from the answers.", below(0.0), SHARE, PASSAGES),
        *(
            (f"{DATA}/rag-real-text-{name}", RAG_PRO, f"On {title} plain lexical search finds the evidence.", above(0.8), SHARE, PUBLIC)
            for name, title in (("gard", "GARD"), ("qed", "QED"), ("squad2", "SQuAD 2.0"))
        ),
        (f"{DATA}/rag-false-pages", RAG_CON, "A false page for each right one makes RAG wrong.", below(0.0), SHARE, FALSE),
        (f"{DATA}/rag-repeats-false-pages", RAG_CON, "RAG repeats what false pages state.", above(0.05), SHARE, FALSE),
    ),
    "Computational cost": (
        (f"{COST}/rag-indexing", RAG_PRO, "Training takes ten times as long as indexing.", above(10.0), TIMES, REPEATS),
    ),
    "Adaptability": (
        (f"{ADAPT}/fine-tuning-stable", TUNED_PRO, "The model of before knows what is unchanged.", above(-MARGIN), SHARE, UPDATES),
        (f"{ADAPT}/fine-tuning-retrained", TUNED_PRO, "Trained anew, the model follows changes.", above(-MARGIN), SHARE, UPDATES),
        (f"{ADAPT}/fine-tuning-replay", TUNED_PRO, "Old questions in an update lessen forgetting.", above(0.0), SHARE, UPDATES),
        (f"{ADAPT}/fine-tuning-stale", TUNED_CON, "A model not trained again gives old values.", above(0.2), SHARE, UPDATES),
        (f"{ADAPT}/fine-tuning-recites", TUNED_CON, "Without passages a tuned model recites old values.", above(0.2), SHARE, UPDATES),
        (f"{ADAPT}/fine-tuning-deletion", TUNED_CON, "The model still tells what was withdrawn.", above(0.2), SHARE, DELETIONS),
        (f"{ADAPT}/fine-tuning-update-time", TUNED_CON, "An update takes ten times as long as indexing.", above(10.0), TIMES, UPDATES),
        (f"{ADAPT}/fine-tuning-forgets-continued", TUNED_CON, "Going on with what is new forgets.", below(-0.01), SHARE, UPDATES),
        (f"{ADAPT}/fine-tuning-forgets-replay", TUNED_CON, "It does so with 50 % replay.", below(-0.01), SHARE, UPDATES),
        (f"{ADAPT}/fine-tuning-forgets-stacked", TUNED_CON, "It does so with a stacked adapter.", below(-0.01), SHARE, UPDATES),
        (f"{ADAPT}/rag-follows", RAG_PRO, "With new documents indexed, RAG knows what has changed.", above(0.2), SHARE, UPDATES),
        (f"{ADAPT}/rag-not-stale", RAG_PRO, "RAG gives old values in fewer than 5 % of cases.", below(0.05), SHARE, UPDATES),
        (f"{ADAPT}/rag-deletion", RAG_PRO, "What is withdrawn from the index is not told.", below(0.05), SHARE, DELETIONS),
        (f"{ADAPT}/rag-stale-index", RAG_CON, "An index that is not updated gives old values.", above(0.2), SHARE, UPDATES),
        (f"{ADAPT}/rag-stale-index-useless", RAG_CON, "On what is too recent RAG is worth nothing.", within(0.0, MARGIN), SHARE, UPDATES),
        (f"{ADAPT}/rag-old-pages", RAG_CON, "Old documents beside new ones take from answers.", below(0.0), SHARE, UPDATES),
        (f"{ADAPT}/rag-old-pages-stale", RAG_CON, "Old documents bring old values back.", above(0.0), SHARE, UPDATES),
    ),
    "Inference time": (
        (f"{TIME}/fine-tuning-one-passage", TUNED_PRO, "One passage is a tenth slower still.", above(1.1), TIMES, PASSAGES),
        (f"{TIME}/fine-tuning-retraining", TUNED_CON, "Retraining takes ten times a write.", above(10.0), TIMES, STORE),
        (f"{TIME}/rag-current", RAG_PRO, "The next question finds a new text.", above(0.95), SHARE, STORE),
        (f"{TIME}/rag-written-to", RAG_PRO, "Answers take no longer while documents are written.", within(1.0, 0.1), TIMES, STORE),
    ),
    "Scalability": (
        (f"{SCALE}/fine-tuning-twice-the-facts", TUNED_PRO, "Twice the facts are held as well.", within(0.0, 0.05), SHARE, SWEEPS),
        (f"{SCALE}/fine-tuning-one-more-fact", TUNED_CON, "One more fact takes ten times an added vector.", above(10.0), TIMES, SIZES),
        (f"{SCALE}/fine-tuning-retraining", TUNED_CON, "Retraining grows with the facts.", within(1.0, 0.1), SLOPE, SWEEPS),
        (f"{SCALE}/fine-tuning-rank", TUNED_CON, "A lower rank holds fewer facts.", above(0.0), "share a doubling", SWEEPS),
        (f"{SCALE}/rag-graph-search", RAG_PRO, "Search through a graph hardly takes longer.", below(0.3), SLOPE, SIZES),
        (f"{SCALE}/rag-graph-recall", RAG_PRO, "A graph finds what exact search finds.", above(0.95), SHARE, SIZES),
        (f"{SCALE}/rag-exact-search", RAG_CON, "Exact search grows with the documents.", within(1.0, 0.1), SLOPE, SIZES),
        (f"{SCALE}/rag-lists-recall", RAG_CON, "Inverted lists find less among more.", below(-0.02), SHARE, SIZES),
        (f"{SCALE}/rag-memory", RAG_CON, "Memory grows with the documents.", within(1.0, 0.1), SLOPE, SIZES),
        (f"{SCALE}/rag-building", RAG_CON, "Building the graph takes time in proportion.", above(0.9), SLOPE, SIZES),
    ),
}


def not_judged() -> Mapping[str, Sequence[TableClaim]]:
    """The claims by row; each needs something that is left out, by name."""
    return {
        row: [
            declare(id, cell, text, limit, f"needs {lacks}", "the table (python -m experiments)", _never, (lacks,), unit, ANY)
            for id, cell, text, limit, unit, lacks in lines
        ]
        for row, lines in LINES.items()
    }


def _never(_: Results, __: str) -> Measured:
    return Missing("what it needs is left out")
