"""The facts of a run: what it was, on which machine and data, and what came of it besides scores and spends.

They stand in run.json under `facts`, where `facts_json` writes and reads them. None means not measured, or not recorded by the
version that made the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from rag_eval.adapt.training_history import History as History
from rag_eval.cost.energy import Power
from rag_eval.data.audit import Audit as Audit
from rag_eval.data.chunking.chunker import Chunking as Chunking
from rag_eval.score.metric import Declaration
from rag_eval.score.scoring import Scoring
from rag_eval.types import Decoded, Form, KnowledgeBudget, Truncation

UNMETERED = Power(None, None)
Choice = str | int | float | bool | None  # of a setting; lists are JSON


@dataclass(frozen=True)
class Comparison:
    """What two runs must share before their numbers may stand in one table. Digests are hexadecimal."""

    dataset: str  # sha256 of every row, in order; of datasets to be compared with each other that of their common counterpart
    dataset_name: str
    base_model: str | None  # digest of its files; None = no model answers
    primary: str  # tracked name of the score that says whether an answer is right
    dtype: str | None = None
    decoding: str | None = None  # digest; None = no model answers
    prompt: str | None = None  # digest of its words
    style: str | None = None
    n_exemplars: int | None = None  # solved questions in the prompt; None also where they are what the arm adds
    exemplars: str | None = None  # digest of their ids; None = none are shown, or they are what the arm adds
    prompting: str | None = None  # digest of what acts on prompts beside their words
    questions: str | None = None  # digest of the ids of those asked
    scorer: str | None = None  # digest of the metrics and their code
    adapter_mode: str | None = None  # merged into the weights, or beside them; None = no adapter


@dataclass(frozen=True)
class Git:
    """The checkout that the package ran from; None where there was no git."""

    commit: str | None = None
    dirty: bool | None = None  # whether it had changes

    def __str__(self) -> str:
        return f"{self.commit or 'unknown'}{' with changes' if self.dirty else ''}"


@dataclass(frozen=True)
class Hardware:
    """The machine."""

    device: str  # cpu or cuda
    cpu: str  # name of the processor
    n_cores: int
    gpu: str | None = None  # name of the accelerator; None = none was used


@dataclass(frozen=True)
class BaseWeights:
    """The file that the base model's weights were dequantised from."""

    format: str
    sha256: str
    formats: Mapping[str, int]  # number of tensors by the format they are stored in
    dequantised_to: str

    def __str__(self) -> str:
        formats = ", ".join(f"{name} ({n} tensors)" for name, n in self.formats.items())
        return f"{self.format} {formats}, dequantised to {self.dequantised_to}, from the file with sha256 {self.sha256}"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What was run, from which code, on which machine."""

    mode: str
    context: str | None = None  # what stands in the prompt beside the question: none, retrieved, gold and so on
    weights: str | None = None  # base, trained and so on
    seed: int
    choices: Mapping[str, Choice]  # settings by dotted name
    base_weights: BaseWeights | None = None  # None = the weights were used as they were given
    git: Git = Git()
    source: str | None = None  # digest of the code that decides the result
    versions: Mapping[str, str] = field(default_factory=dict)  # of Python and libraries
    hardware: Hardware
    idle_watts: Power = UNMETERED  # of the machine, measured before the run
    form: Form | None = None  # of the prompt

    @property
    def is_trained(self) -> bool:
        """Whether the weights were trained for this run."""
        return self.weights == "trained"


@dataclass(frozen=True)
class WrittenData:
    """By whom training data were written, where a model wrote them."""

    id: str  # the same for runs that learned from the same ones
    is_hosted: bool  # by a service that sells tokens


@dataclass(frozen=True)
class DataAudit:
    """What the data let each side know."""

    audit: Audit | None = None  # counts over the questions asked
    chunking: Chunking | None = None  # None = documents are whole
    learned_from: str | None = None  # digest of the content that the arm could learn from
    written: WrittenData | None = None  # None = the arm learns from nothing that a model wrote
    knowledge: KnowledgeBudget | None = None  # None = nothing was trained on in this run


@dataclass(frozen=True)
class Counts:
    """How many questions there were, of which kind, and what went wrong with them."""

    n_questions: int | None = None
    n_answerable: int | None = None
    n_unanswerable: int | None = None
    n_answered: int | None = None
    n_abstained: int | None = None
    n_malformed: int | None = None
    n_error: int | None = None
    n_cut_answers: int | None = None  # at the limit of new tokens
    n_truncated_questions: int | None = None  # with passages left out, because they did not fit
    n_truncated_passages: int | None = None


@dataclass(frozen=True)
class StageSeconds:
    """Wall seconds a question, its share of a batch."""

    p50: float  # the median
    mean: float


@dataclass(frozen=True)
class TokenMeans:
    """Mean tokens a question."""

    prompt_mean: float | None = None  # given to the model
    output_mean: float | None = None  # written by it


@dataclass(frozen=True)
class Throughput:
    """Questions a second, one batch after the other."""

    searches_per_s: float | None = None


@dataclass(frozen=True)
class AskedAgain:
    """How many answers were given again one by one."""

    wanted: int
    asked: int
    why: str | None = None  # fewer than wanted


@dataclass(frozen=True)
class Outcomes:
    """What learning and answering told; nothing of it is known of a run that did not finish."""

    prompting: Mapping[str, JsonValue] | None = None  # what acts on prompts beside their words, as the generator names it
    brings_prompting: bool | None = None  # whether the adapter brought a tokenizer or chat template of its own
    counts: Counts = Counts()
    seconds: Mapping[str, StageSeconds] = field(default_factory=dict)  # by stage, and e2e; empty = some question was not timed
    tokens: TokenMeans = TokenMeans()
    truncation: Truncation | None = None  # of what was embedded; None = nothing was, or the embedder reads everything
    training: History | None = None  # None = nothing was trained, or it is not known how that went
    throughput: Throughput = Throughput()
    chance: float | None = None  # the primary score of the same answers given to other questions
    metrics: Mapping[str, Declaration] = field(default_factory=dict)  # what each metric declares, by tracked name
    asked_again: AskedAgain | None = None
    decoded: Decoded | None = None


@dataclass(frozen=True)
class RunFacts:
    """All facts of a run."""

    comparison: Comparison
    provenance: Provenance
    data: DataAudit = DataAudit()
    outcomes: Outcomes = Outcomes()

    @property
    def scoring(self) -> Scoring:
        """What the run was scored by."""
        return Scoring(self.outcomes.metrics, self.comparison.primary)
