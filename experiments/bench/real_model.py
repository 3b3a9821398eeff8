"""How fast a real model answers, beside lm-evaluation-harness and an earlier commit: same model, prompts, tokens and precision.

The model is SmolLM2-135M-Instruct from PyPI, the questions are SQuAD's with the three passages that BM25 finds first, in the model's chat
template, and an answer has up to 24 tokens. Each engine loads the model in a process of its own, which is not counted, and answers the
block's questions, lm-evaluation-harness in batches of 16. The engines take turns, in one order and then in the other, and every block has
questions of its own. CPU seconds are those of the process, all threads together: other work on the machine changes them less. An earlier
commit of rag_eval may have spent time before its answers to find a batch that fits the memory: it counts in one row and not in the other.

    python -m experiments.bench.real_model                        # beside the harness
    python -m experiments.bench.real_model --baseline 0c1df03     # and beside a commit
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from experiments.bench.ratios import ratio, verdict
from experiments.study import Found, Report, Run, Study, ended
from rag_eval.config.build import build, system_of
from rag_eval.config.check import check
from rag_eval.config.compose import composed
from rag_eval.errors import EnvironmentFault
from rag_eval.generate.hf import HF
from rag_eval.report.table import Table

ROOT, WORKER = Path(__file__).parents[2], Path(__file__).with_name("real_model_worker.py")
HARNESS, N_NEW, TOKEN_BUDGET, N_PASSAGES = "0.4.13", 24, 16384, 3
DTYPES = ("float32", "bfloat16")
OURS = "rag_eval"
BESIDE_HARNESS, BESIDE_COMMIT = 1.3, 2.0  # times as fast as rag_eval should be


@dataclass(frozen=True)
class Options:
    """As the command line says them: see `read_options`."""

    baseline: str | None
    harness_python: str | None
    model: str | None
    data: str | None
    n: int
    blocks: int
    dtypes: str
    out: Path = Path("reports/bench")


@dataclass(frozen=True)
class Engine:
    """What answers, and where its code is."""

    name: str
    kind: str  # of worker
    python: str
    path: str  # PYTHONPATH
    target: float | None  # times its speed that ours should be
    is_earlier: bool = False


@dataclass(frozen=True)
class Prompt:
    """What is asked, as text and as tokens."""

    text: str
    ids: list[int]


@dataclass(frozen=True)
class Way:
    """One engine in one precision, a value for each block."""

    dtype: str
    name: str
    target: float | None
    wall_s: list[float]
    cpu_s: list[float]
    peak_bytes: list[int]
    texts: list[list[str]]


@cache
def prompts_of(n: int, data: str | None, model: str | None) -> tuple[str, list[Prompt]]:
    """The model's folder, and so many prompts that mean the same tokens to every tokenizer call."""
    squad = ["dataset=squad", f"dataset.path={data}/squad2_halfdev/dev-v2.0.json"]
    source = squad if data else ["dataset=world", "dataset.preset=laptop"]
    generator = ["generator=hf", f"generator.model={model}", "generator.dtype=float32"] if model else ["generator=smollm2"]
    passages = ["mode=rag", "retriever=bm25", f"retriever.k={N_PASSAGES}", "prompt.style=chat", "prompt.n_exemplars=0", "tracking=none"]
    spec = check(composed([*passages, *generator, *source]))
    dataset = build(spec.dataset)
    system, _ = system_of(spec).learn(dataset, seed=0)
    answering: Any = system.generator
    assert isinstance(answering, HF)
    questions = dataset.test[:: max(1, len(dataset.test) // (2 * n))]
    found: list[Prompt] = []
    for example, searched in zip(questions, system.retriever.search(questions), strict=True):
        rendered = system.prompt.render(example, [hit.document for hit in searched.hits[:N_PASSAGES]])
        text, (ids,) = answering.format(rendered).text, answering._encode([rendered])
        if answering._tokenizer(text, add_special_tokens=False)["input_ids"] == ids:  # no document spells a control token
            found.append(Prompt(text, ids))
    return str(Path(answering.model).resolve()), found[:n]


def harness_python(given: str | None, folder: Path) -> str:
    """A Python with lm-evaluation-harness and the libraries of this one; made once, if none is given."""
    if given:
        return given
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        (inside,) = folder.glob("lib/python*/site-packages")
        (inside / "libraries.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", f"lm_eval=={HARNESS}"], check=True)
    return str(python)


@contextmanager
def checkout(commit: str | None) -> Iterator[str]:
    """The folder of an earlier commit's files; "" where none is asked for."""
    if not commit:
        yield ""
        return
    with tempfile.TemporaryDirectory() as root:
        folder = str(Path(root) / commit)
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", folder, commit], check=True)
        try:
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", folder], check=True)


def answered(engine: Engine, model: str, dtype: str, prompts: Sequence[Prompt]) -> dict[str, Any]:
    """Let an engine answer prompts in a process of its own.

    Args:
        engine: the engine.
        model: folder or hub id of the model.
        dtype: number format of the weights.
        prompts: text and token ids of each prompt.

    Returns:
        What the engine measured of itself.

    Raises:
        EnvironmentFault: if the process fails.
    """
    job = {
        "model": model,
        "dtype": dtype,
        "n_new": N_NEW,
        "token_budget": TOKEN_BUDGET,
        "texts": [one.text for one in prompts],
        "ids": [one.ids for one in prompts],
    }
    environment = {**os.environ, "PYTHONPATH": engine.path, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "job.json"
        file.write_text(json.dumps(job), encoding="utf-8")
        process = subprocess.run(
            [engine.python, "-P", str(WORKER), engine.kind, str(file)],
            env=environment,
            cwd=made,
            capture_output=True,
            text=True,
            check=False,
        )
    if process.returncode:
        raise EnvironmentFault(f"{engine.name}: {process.stderr.strip()[-2000:]}")
    found: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return found


def measured(engines: Sequence[Engine], model: str, dtype: str, blocks: Sequence[Sequence[Prompt]]) -> list[Way]:
    """All engines in turn, block by block."""
    ways = {one.name: Way(dtype, one.name, one.target, [], [], [], []) for one in engines}
    without = {one.name: Way(dtype, f"{one.name}, answers alone", None, [], [], [], []) for one in engines if one.is_earlier}
    for at, prompts in enumerate(blocks):
        for engine in engines[:: -1 if at % 2 else 1]:
            found = answered(engine, model, dtype, prompts)
            print(f"{dtype} block {at + 1} of {len(blocks)}: {engine.name} {found['wall_s']:.1f} s", file=sys.stderr, flush=True)
            _add(ways[engine.name], found, 1.0)
            if engine.is_earlier:
                _add(without[engine.name], found, found["answers_s"] / found["wall_s"])
    return [*ways.values(), *without.values()]


def _add(way: Way, found: dict[str, Any], share: float) -> None:
    way.wall_s.append(found["wall_s"] * share)
    way.cpu_s.append(found["cpu_s"] * share)
    way.peak_bytes.append(found["peak_bytes"])
    way.texts.append(found["texts"])


COLUMNS = (
    "engine",
    "questions/s",
    "CPU s a question",
    "peak GiB",
    "times as slow",
    "by CPU",
    "target",
    "reached",
    "same answers",
)


def row(ours: Way, way: Way, n: int) -> dict[str, str]:
    """One line of the table; how many times as slow an engine is than ours has a 95 % interval over the blocks."""
    pairs = [(mine, other) for block, those in zip(ours.texts, way.texts, strict=True) for mine, other in zip(block, those, strict=True)]
    wall, by_cpu = ratio(way.wall_s, ours.wall_s), ratio(way.cpu_s, ours.cpu_s)
    cells = {
        "engine": way.name,
        "questions/s": f"{n * len(way.wall_s) / sum(way.wall_s):.3f}",
        "CPU s a question": f"{sum(way.cpu_s) / len(way.cpu_s) / n:.2f}",
        "peak GiB": f"{max(way.peak_bytes) / 2**30:.2f}",
    }
    if way is ours:
        return cells
    return cells | {
        "times as slow": "{:.2f} [{:.2f}, {:.2f}]".format(*wall),
        "by CPU": "{:.2f} [{:.2f}, {:.2f}]".format(*by_cpu),
        "target": "" if way.target is None else f"{way.target:.1f}",
        "reached": "" if way.target is None else verdict(way.target, *wall[1:]),
        "same answers": f"{statistics.fmean(mine == other for mine, other in pairs):.3f}",
    }


def runs(options: Options) -> list[Run[str, list[Way]]]:
    """All engines in each precision."""
    logging.disable(logging.WARNING)
    model, prompts = _asked(options)
    blocks = [prompts[at :: options.blocks] for at in range(options.blocks)]
    return [Run(dtype, partial(_measured, options, model, dtype, blocks)) for dtype in options.dtypes.split(",")]


def _asked(options: Options) -> tuple[str, list[Prompt]]:
    return prompts_of(options.n * options.blocks, options.data, options.model)


def _measured(options: Options, model: str, dtype: str, blocks: Sequence[Sequence[Prompt]], _: Found[str, list[Way]]) -> list[Way]:
    python = harness_python(options.harness_python, Path("cache/harness"))
    engines = [Engine(OURS, "rag_eval", sys.executable, str(ROOT), None)]
    engines.append(Engine(f"lm_eval {HARNESS}", "harness", python, "", BESIDE_HARNESS))
    with checkout(options.baseline) as earlier:
        if options.baseline:
            engines.append(Engine(options.baseline, "rag_eval", sys.executable, earlier, BESIDE_COMMIT, is_earlier=True))
        return measured(engines, model, dtype, blocks)


def report(options: Options, found: Found[str, list[Way]]) -> Report:
    """A table for each precision."""
    sections = [_section(dtype, ways, options) for dtype, ways in found.items()]
    kept = [{name: value for name, value in asdict(way).items() if name != "texts"} for ways in found.values() for way in ways]
    return Report(sections, [f"threads: {torch.get_num_threads()}"], {"ways": kept})


def _section(dtype: str, ways: Sequence[Way], options: Options) -> Table:
    (ours,) = (way for way in ways if way.name == OURS)
    rows = [row(ours, way, options.n) for way in ways]
    length = statistics.fmean(len(one.ids) for one in _asked(options)[1])
    reading = (
        f"{options.model or 'SmolLM2-135M-Instruct, dequantised'}; {'SQuAD' if options.data else 'the invented world'}, {N_PASSAGES} "
        f"passages, {length:.0f} prompt tokens on average, up to {N_NEW} new ones. {options.blocks} blocks of "
        f"{options.n} questions in turn; ratios with 95 % intervals over the blocks."
    )
    return Table(dtype, reading, COLUMNS, tuple(tuple(one.get(name, "") for name in COLUMNS) for one in rows))


def read_options(argv: Sequence[str]) -> Options:
    """The options of the command line, which this bench takes as `--name value`."""
    known = argparse.ArgumentParser(prog=f"python -m {STUDY.module}", description=(__doc__ or "").splitlines()[0])
    known.add_argument("--baseline", help="an earlier commit of rag_eval")
    known.add_argument("--harness-python", help=f"a Python that has lm_eval {HARNESS}; none = one is made in cache/harness")
    known.add_argument("--model", help="another folder than that of SmolLM2")
    known.add_argument("--data", default=os.environ.get("RAG_EVAL_DATA"), help="folder of the real data; none = the invented world")
    known.add_argument("--n", type=int, default=24, help="questions of a block")
    known.add_argument("--blocks", type=int, default=4)
    known.add_argument("--dtypes", default=",".join(DTYPES))
    return Options(**vars(known.parse_args(argv)))


STUDY = Study("real_model", "Speed of answering with a real model", "experiments.bench.real_model", Options, runs, report)


def main(argv: Sequence[str]) -> int:
    """Measure, print and write; returns the exit code."""
    options = read_options(argv)
    return ended(lambda: STUDY.carry_out(options, argv))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
