"""A configuration to a run that has begun: all that can be refused is refused here, while nothing is lost yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from omegaconf import DictConfig, OmegaConf

from rag_eval.adapt.knowledge_budget import budget, taught_by
from rag_eval.checks import check_adapter, check_questions, check_recorded, noted_overlap
from rag_eval.config.build import build, dataset_of, system_of
from rag_eval.config.check import check
from rag_eval.generate.auto_dtype import AUTO, dtype_of
from rag_eval.generate.gguf.folder import is_gguf
from rag_eval.models.hub_commit import pinned
from rag_eval.probes.sample import sample
from rag_eval.prompt_form import formed
from rag_eval.protocols import Teaching
from rag_eval.record.facts import RunFacts
from rag_eval.record.run_directory import RunDirectory
from rag_eval.record.run_facts import known_before
from rag_eval.replay.answer import Answers
from rag_eval.replay.resolve import passages
from rag_eval.run_spec import RunSpec
from rag_eval.score.metric import metric
from rag_eval.score.primary import chosen_primary
from rag_eval.score.scorer import Scorer
from rag_eval.system import System
from rag_eval.types import Example, Form, QADataset, TrainingRow


def prepared(cfg: DictConfig) -> tuple[RunSpec, QADataset, Form]:
    """Check a configuration and decide what it leaves open: commits of hub models, primary score, number format and form of the prompt.

    Args:
        cfg: composed configuration.

    Returns:
        The checked run, its dataset, and the form of its prompt.

    Raises:
        ConfigError: if the configuration is wrong, or the dataset's primary score cannot be used.
        DataError: if the tokenizer of an adapter folder does not fit the model, or the run cannot be about this dataset.
    """
    spec = pinned(check(cfg))
    check_adapter(spec)
    dataset = dataset_of(spec)
    spec = replace(spec, metrics=replace(spec.metrics, primary=chosen_primary(vars(spec.metrics), dataset.primary)))
    check_questions(spec, dataset, questions_of(spec, dataset))  # first, for what follows may load a model
    spec, form = formed(_with_dtype(spec), dataset)
    return spec, dataset, form


def questions_of(spec: RunSpec, dataset: QADataset) -> tuple[Example, ...]:
    """Those that are asked."""
    asked = dataset.test if spec.split == "test" else dataset.dev
    return sample(asked, spec.limit, dataset.counterpart or dataset.fingerprint)


def _with_dtype(spec: RunSpec) -> RunSpec:
    """The run with a number format in place of its generator's `auto`: it decides the result, so a run is known by it."""
    generator = spec.generator
    if generator.get("dtype") != AUTO:
        return spec
    model = generator.params["model"]
    made = build(generator).dtype if is_gguf(model) else None  # the sizes of a file are known once it is dequantised
    dtype = made or dtype_of(model, generator.get("revision"), generator.params["device"], build(spec.cache))
    return replace(spec, generator=generator.having(dtype=dtype))


@dataclass(frozen=True)
class Run:
    """A run that has begun: what is asked of which system, and where it is recorded."""

    spec: RunSpec
    dataset: QADataset
    questions: tuple[Example, ...]
    system: System  # has learned nothing yet
    taught: Sequence[TrainingRow] | None  # what its adapter trains on; None = it trains on nothing, or was trained elsewhere
    answers: Answers  # recorded ones, their contexts recognised
    overlap: Mapping[str, str]  # by question, what it shares with the training questions
    facts: RunFacts  # known before it
    directory: RunDirectory

    @property
    def uses_cuda(self) -> bool:
        """Whether its generator runs on a GPU."""
        return self.system.generator.device == "cuda"

    @property
    def primary(self) -> str:
        """The score that says whether an answer is right."""
        return self.facts.comparison.primary

    def scorer(self, asked: System) -> Scorer:
        """What scores the answers of a system."""
        metrics, retriever = self.spec.metrics, asked.retriever
        return Scorer(
            answer={name: metric(target) for name, target in metrics.answer.items()},
            retrieval={name: metric(target) for name, target in metrics.retrieval.items()},
            retrieval_k=metrics.retrieval_k,
            depth=retriever.depth,
            context=retriever.context,
            documents={document.id: document for document in self.dataset.documents},
            passages=passages(self.answers),
            overlap=self.overlap,
            primary=self.primary,
        )


def begun(spec: RunSpec, dataset: QADataset, questions: tuple[Example, ...], answers: Answers, directory: RunDirectory, form: Form) -> Run:
    """The run, marked as running once nothing that can be told beforehand speaks against it."""
    system = system_of(spec)
    overlap = noted_overlap(dataset, questions)
    if spec.replay:
        answers = check_recorded(answers, dataset, questions)
    _ = system.generator.max_prompt_tokens  # refused before anything is learned, if there is no room for a prompt
    prompt = system.prompt.learn(dataset)
    _ = system.generator.count_tokens([prompt.render(one, ()) for one in questions])  # or if its chat template cannot put one
    taught = taught_by(system.adapter, system.generator, prompt, dataset, spec.seed)
    knowledge = None if taught is None else budget(replace(dataset, test=questions), taught.rows, taught.exercises)
    facts = known_before(spec, dataset, questions, system, prompt, overlap, form, knowledge)
    if taught is not None and isinstance(system.adapter, Teaching):
        system = replace(system, adapter=system.adapter.with_rows(taught.rows))
    directory.begin(OmegaConf.to_yaml(OmegaConf.create(spec.to_config())), facts)
    rows = None if taught is None else taught.rows
    return Run(spec, dataset, questions, system, rows, answers, overlap.strata, facts, directory)
