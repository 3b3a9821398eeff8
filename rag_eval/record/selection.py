"""Which recorded runs may stand in one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rag_eval.errors import UserError
from rag_eval.record.facts import Choice
from rag_eval.record.run_directory import RECORD, finished_in, runs_in
from rag_eval.record.run_record import RunRecord
from rag_eval.record.serialize import canonical
from rag_eval.score.primary import train_phrasing
from rag_eval.types import Estimate

# What must be equal for answers to be compared, and the command's word for it.
SAME_DATA = ("dataset", "questions", "scorer", "primary")
SAME_MODEL = ("base_model", "dtype", "decoding", "prompt", "style")  # of runs in which a model answers
SAME_FORM = ("n_exemplars",)  # of these, the runs whose exemplars are not what the arm is about
SAME_EXEMPLARS = ("exemplars",)  # of these, the runs that show some and say which
ENOUGH_LEARNED = 0.95  # below, a trained arm is under-trained and says nothing about what fine-tuning can do
SAME_PROMPTING = ("prompting",)  # of runs in which a model is asked through a tokenizer that is known, its adapter's aside
SAME_ADAPTER = ("adapter_mode",)  # of runs with an adapter: merged into the weights, or beside them
IN_WORDS = {
    "primary": "primary score",
    "style": "style of the prompt (chat template or plain text)",
    "n_exemplars": "number of solved questions in the prompt",
    "exemplars": "choice of solved questions in the prompt",
}


def finished_runs(root: Path, experiment: str | None) -> list[tuple[Path, RunRecord]]:
    """All finished runs whose files agree with their manifest, with their folders, oldest first.

    Args:
        root: folder of all experiments.
        experiment: name of the only experiment to read; None = all.

    Returns:
        At least one folder and record.

    Raises:
        UserError: if there is none.
    """
    found = finished_in(root.glob(experiment or "*"))
    if not found:
        where, n_runs = root / experiment if experiment else root, len(list(root.glob(f"{experiment or '*'}/*/{RECORD}")))
        raise UserError(f"{where}: no finished run among {n_runs}; run `python run.py mode=rag` first.")
    return sorted(found, key=lambda one: (one[1].ended or "", one[1].run_id))


def recorded(folders: Iterable[Path]) -> tuple[list[RunRecord], int]:
    """Every run of these experiments in whatever state, oldest first, and how many an earlier version left that say too little."""
    found = [record for _, record in runs_in(folders)]
    known = [record for record in found if record.is_comparable]
    return sorted(known, key=lambda record: (record.started, record.run_id)), len(found) - len(known)


def latest_per_arm(records: Sequence[RunRecord]) -> list[RunRecord]:
    """The last of the runs that differ in nothing but when or from which source they ran; every seed by itself."""
    return list({_arm(record): record for record in records}.values())


def labels(records: Sequence[RunRecord]) -> list[str]:
    """A short distinct name for each run: its mode, and the choices in which it differs from others of that mode."""
    found = [_label(record, [other for other in records if other.mode == record.mode]) for record in records]
    return [f"{label} ({record.run_id[:8]})" if found.count(label) > 1 else label for label, record in zip(found, records, strict=True)]


def mismatches(records: Sequence[RunRecord]) -> list[str]:
    """One line for each field in which the runs are not comparable, with both values."""
    answered = [record for record in records if record.facts.comparison.base_model is not None]
    known = (*SAME_FORM, *SAME_EXEMPLARS, *SAME_PROMPTING, *SAME_ADAPTER)
    saying = {name: [record for record in answered if getattr(record.facts.comparison, name) is not None] for name in known}
    groups = [*((field, records) for field in SAME_DATA), *((field, answered) for field in SAME_MODEL), *saying.items()]
    return [line for field, those in groups if (line := _difference(field, those))]


def is_under_trained(record: RunRecord) -> bool:
    """Whether a trained arm gives so few of its training answers that it says nothing about what fine-tuning can do."""
    found = learned_by(record)
    return record.facts.provenance.is_trained and found is not None and found.mean < ENOUGH_LEARNED


def learned_by(record: RunRecord) -> Estimate | None:
    """The share of its training questions that a trained arm answers right; None = not measured."""
    return record.estimates.get(train_phrasing(record.facts.comparison.primary))


def _difference(field: str, records: Sequence[RunRecord]) -> str:
    first: dict[str, RunRecord] = {}
    for record in records:
        first.setdefault(str(getattr(record.facts.comparison, field)), record)
    if len(first) < 2:
        return ""
    (one, a), (other, b) = list(first.items())[:2]
    if field == "dataset":
        one, other = (f"{record.facts.comparison.dataset_name}, sha256 {digest[:12]}" for digest, record in ((one, a), (other, b)))
    if field == "primary":
        one, other = (record.scoring.label(name) for name, record in ((one, a), (other, b)))
    why = _other_sample(a, b) if field == "questions" else ""
    return f"{IN_WORDS.get(field, field)} differs{why}: {one} ({a.mode}, run {a.run_id[:12]}) and {other} ({b.mode}, run {b.run_id[:12]})"


def _other_sample(a: RunRecord, b: RunRecord) -> str:
    """The settings that decide which questions of a dataset are asked, where two runs differ in them."""
    mine, theirs = _settings(a), _settings(b)
    names = [name for name in mine | theirs if name in ("limit", "split") or name.startswith("dataset.")]
    differing = [
        f"{name} is {_short(mine.get(name))} and {_short(theirs.get(name))}" for name in names if mine.get(name) != theirs.get(name)
    ]
    return f" ({', '.join(differing)})" if differing else ""


def _arm(record: RunRecord) -> str:
    provenance = record.facts.provenance
    return canonical([record.mode, provenance.seed, provenance.choices, vars(record.facts.comparison)])


def _label(record: RunRecord, others: Sequence[RunRecord]) -> str:
    choices = [_settings(one) for one in others]
    mine = _settings(record).items()
    differing = {name: value for name, value in mine if name != "mode" and any(one.get(name) != value for one in choices)}
    return " ".join([record.mode, *(f"{name.removeprefix(f'{record.mode}.')}={_short(value)}" for name, value in differing.items())])


def _settings(record: RunRecord) -> dict[str, Choice]:
    return {"seed": record.facts.provenance.seed, **record.facts.provenance.choices}


def _short(value: object) -> str:
    """A path by its last part."""
    return str(value).rstrip("/").rpartition("/")[2] or str(value)
