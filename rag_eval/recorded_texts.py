"""The texts behind a recorded run, made again from its configuration: questions, gold answers, documents and prompts.

A run directory holds answers, scores, the ids of passages and a digest of each prompt. Its configuration names the dataset, which is
read or drawn again; it counts only where it has the fingerprint that the run recorded, and a prompt only where it has the digest.
"""

from __future__ import annotations

import logging

from omegaconf import DictConfig, OmegaConf

from rag_eval.config.build import build, dataset_of
from rag_eval.config.check import check
from rag_eval.errors import RagEvalError
from rag_eval.protocols import PromptWriter
from rag_eval.record.load import RecordedRun
from rag_eval.record.run_directory import CONFIG
from rag_eval.record.texts import Texts
from rag_eval.run_spec import RunSpec
from rag_eval.text.counted import counted
from rag_eval.types import Document, Example, Prompt, QADataset

log = logging.getLogger(__name__)


def texts_of(run: RecordedRun) -> Texts:
    """What a recorded run was asked, and what stood in its prompts; no model is loaded.

    Args:
        run: a finished run. Its dataset is read or drawn again.

    Returns:
        The texts; without any, and with the reason, where the dataset is not there any more or is another one.
    """
    try:
        cfg = OmegaConf.load(run.folder / CONFIG)
        if not isinstance(cfg, DictConfig):
            return Texts(lacking="its configuration is no mapping")
        spec = check(cfg)
        dataset = dataset_of(spec)
        recorded = run.record.facts.comparison.dataset
        if recorded not in (dataset.counterpart, dataset.fingerprint):
            return Texts(lacking="its dataset has changed since")
        return _texts(run, spec, dataset)
    except (RagEvalError, OSError) as error:
        log.warning("%s: its texts are not shown: %s", run.folder, error)
        return Texts(lacking=f"its dataset cannot be made again: {error}")


def _texts(run: RecordedRun, spec: RunSpec, dataset: QADataset) -> Texts:
    asked = dataset.test if spec.split == "test" else dataset.dev
    examples = {one.id: one for one in asked if one.id in run.rows}
    documents = {one.id: one for one in dataset.documents}
    writer: PromptWriter = build(spec.prompt).learn(dataset)
    prompts = {id: prompt for id, one in examples.items() if (prompt := _prompt(run, one, documents, writer)) is not None}
    n_lacking = len(run.rows) - len(prompts)
    lacking = f"the prompts of {counted(n_lacking, 'question', 'questions')} could not be written again" if n_lacking else ""
    return Texts(examples, documents, prompts, lacking)


def _prompt(run: RecordedRun, example: Example, documents: dict[str, Document], writer: PromptWriter) -> Prompt | None:
    """The prompt of a question, if it has the digest that was recorded and all of its passages are known."""
    said = run.predictions[example.id]
    if not said.is_context_known or not all(id in documents for id in said.in_prompt):
        return None
    prompt = writer.render(example, [documents[id] for id in said.in_prompt])
    return prompt if prompt.stripped_sha == said.prompt_sha else None
