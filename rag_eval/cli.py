"""The command line: `rag-eval run ...` (= `python run.py ...`), `rag-eval lessons ...` and others; errors become exit codes here."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rag_eval.errors import RagEvalError, Terminated
from rag_eval.processes import n_processes, rank

if TYPE_CHECKING:
    from rag_eval.record.run_record import RunResult

RESUMES = (
    "the same command goes on after the last recorded answer, or from the last state of its training, "
    "of which one is kept every adapter.checkpoint_every steps"
)
FAILED = float("nan")  # the objective of a job that failed

USAGE = """rag-eval run [key=value ...]      one run, or a sweep with -m; the same as python run.py
rag-eval latency [key=value ...]  time several modes together, as in mode=rag,finetune
rag-eval lessons [key=value ...]  training questions made of your documents
rag-eval report [key=value ...]   the table of recorded runs; report compare, report power

python run.py --help shows the keys and their choices."""

LATENCY_USAGE = """rag-eval latency mode=rag,finetune [key=value ...]
The arms are run first, or their recorded runs taken, and then asked the same questions in alternation.
latency=default (one at a time), offline (all at once) or poisson (at random times)
latency.n_queries, latency.n_warmup, latency.n_blocks, latency.forced_tokens, latency.rate_per_s, latency.cache_state, latency.seed
Any other key of python run.py, such as dataset.preset=ci or experiment_name=NAME."""


LESSONS_USAGE = """rag-eval lessons dataset=folder dataset.documents=DOCS dataset.questions=QA.csv generator=... out=LESSONS
A model writes training questions and restatements of the documents; what is malformed, asked before, a test question or not
answered by its passage is dropped and counted. The same command goes on where it was interrupted, and asks about changed
documents only.
out=FOLDER       where lessons.jsonl, restated.jsonl, manifest.json and the replies go
n_questions=5    of each document, or of each chunk with chunker=sentences
n_restated=3     restatements of each, at most 10
n_documents=N    a sample of the documents
hardware=NAME    a price sheet of conf/hardware; utilisation=1.0 of a machine that is paid by the hour
Any key of python run.py for dataset, chunker, generator and prompt.
Train on them: python run.py mode=finetune dataset=generated dataset.path=LESSONS dataset.of.documents=DOCS dataset.of.questions=QA.csv"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit code."""
    command, *arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    commands: dict[str, Callable[[list[str]], int]] = {"run": run, "latency": latency, "lessons": lessons, "report": report}
    if command in commands and command != "run" and n_processes() > 1:
        print(f"error: rag-eval {command} is started once; only run takes several processes. Leave accelerate launch out.", file=sys.stderr)
        return 2
    if command in commands:
        return commands[command](arguments)
    is_help = command in {"-h", "--help"}
    if not is_help:
        print(f"error: there is no command {command!r}; commands: {', '.join(commands)}.", file=sys.stderr)
    print(USAGE, file=sys.stdout if is_help else sys.stderr)
    return 0 if is_help else 2


def report(arguments: list[str]) -> int:
    """The table of recorded runs."""
    from rag_eval.report.__main__ import main as report_main

    return report_main(arguments)


def latency(arguments: list[str]) -> int:
    """Time the arms of `mode=a,b` on the same questions in one session."""
    if {"-h", "--help"} & set(arguments):
        print(LATENCY_USAGE)
        return 0
    prepare()
    try:
        from rag_eval.config.compose import composed_arms
        from rag_eval.config.secrets import refuse_secrets

        refuse_secrets(arguments)
        cfgs = composed_arms(arguments)
        left_out = _LeftOut(arguments)
        for cfg in cfgs.values():
            left_out.leave_out(cfg)
        if (unused := left_out.unused()) is not None:
            raise unused
        from rag_eval.report.latency_console import show_latency
        from rag_eval.timing import time_arms

        timed = time_arms(cfgs)
    except KeyboardInterrupt:
        print("error: interrupted; nothing of an unfinished session is kept", file=sys.stderr)
        return 130
    except Terminated:
        print("error: terminated; nothing of an unfinished session is kept", file=sys.stderr)
        return 143
    except BaseException as error:
        return fail(error, "", is_debug="debug=true" in arguments)
    show_latency([one.record for one in timed])
    for one in timed:
        print(one.path)
    return 0


def lessons(arguments: list[str]) -> int:
    """Make training questions of documents."""
    if {"-h", "--help"} & set(arguments):
        print(LESSONS_USAGE)
        return 0
    prepare()
    try:
        from rag_eval.config.secrets import refuse_secrets

        refuse_secrets(arguments)
        from rag_eval.lessons.command import make, read_plan
        from rag_eval.lessons.console import show_lessons

        made = make(*read_plan(arguments))
    except BaseException as error:
        return fail(error, "", is_debug="debug=true" in arguments)
    show_lessons(made)
    return 3 if made.lessons.counts.n_failed else 0


def run(arguments: list[str]) -> int:
    """Compose a configuration and run it, or every job of a sweep; a job that fails does not stop the others.

    Of several processes the first does this; the others train with it.
    """
    prepare()
    if rank():
        return _take_part()
    try:
        return _run(arguments)
    finally:
        if n_processes() > 1:
            from rag_eval.adapt.together import dismiss

            dismiss()


def _take_part() -> int:
    """What every process but the first does."""
    for ends in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ends, signal.SIG_DFL)  # at once, for it has nothing to clean up
    logging.disable(logging.WARNING)  # the first says it
    try:
        from rag_eval.adapt.training import take_part

        take_part()
    except Exception as error:
        return fail(error, f"process {rank()}: ", is_debug=False)
    return 0


def _run(arguments: list[str]) -> int:
    is_sweep = any(one in {"-m", "--multirun"} for one in arguments)
    left_out = _LeftOut(arguments) if _sweeps_modes(arguments) else None
    n_finished = 0
    codes: list[int] = []

    def job(cfg: Any) -> float | None:
        nonlocal n_finished
        try:
            if left_out is not None:
                left_out.leave_out(cfg)
            result = _run_and_show(cfg)
        except Exception as error:
            # Kept from Hydra, which would print the whole command line, secrets included.
            codes.append(fail(error, f"job {HydraConfig.get().job.num}: " if is_sweep else "", is_debug=cfg.get("debug", False)))
            return FAILED
        n_finished += 1
        if result.facts.outcomes.counts.n_error:
            codes.append(3)
        from rag_eval.score.scoring import scoring_of

        found = next((result.estimates[name] for name in scoring_of(result).objective if name in result.estimates), None)
        return None if found is None else found.mean

    try:
        from hydra.core.hydra_config import HydraConfig

        from rag_eval.config.secrets import refuse_secrets

        refuse_secrets(arguments)
        _hydra(job, arguments)
        if left_out is not None and (unused := left_out.unused()) is not None:
            codes.append(fail(unused, "", is_debug=False))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2
    except BaseException as error:
        return fail(error, "", is_debug="debug=true" in arguments)
    return 3 if codes and n_finished else max(codes, default=0)


def prepare() -> None:
    """Set up a command's process: warnings as one line on standard error, SIGTERM as an exception, errors of Hydra handed to us."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands its errors to us instead of ending the process
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    warnings.simplefilter("ignore", FutureWarning)  # of libraries about themselves
    signal.signal(signal.SIGTERM, _terminate)


def _run_and_show(cfg: Any) -> RunResult:
    """Run one configuration and print what it measured."""
    from rag_eval.evaluate import evaluate
    from rag_eval.report.console import show_run

    result = evaluate(cfg)
    try:
        show_run(result)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # whoever read has gone, as head does, for which rich exits; the run is recorded
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return result


def _hydra(job: Callable[[Any], float | None], arguments: list[str]) -> None:
    """Compose conf/config.yaml with the arguments and call the job, once or once a combination."""
    import hydra

    from rag_eval.config.compose import added, register_resolvers
    from rag_eval.config.paths import conf_dir

    register_resolvers()
    sys.argv = [sys.argv[0], *(added(arguments) if _sweeps_modes(arguments) else arguments)]
    hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(job)()


def _sweeps_modes(arguments: Sequence[str]) -> bool:
    is_sweep = any(one in {"-m", "--multirun"} for one in arguments)
    return is_sweep and any(re.fullmatch(r"mode=.*,.*|experiment=.+", one) for one in arguments)


class _LeftOut:
    """Settings of parts that only some arms of a sweep over modes have, as adapter.rank in mode=rag,finetune."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._given = [found[1] for one in arguments if (found := re.match(r"[+~]*(\w+\.[\w.]+)=", one))]
        self._n_jobs = 0
        self._n_times: dict[str, int] = {}

    def leave_out(self, cfg: Any) -> None:
        """Take from a job's configuration, with a word, what its arm has no use for."""
        from rag_eval.config.foreign import without_foreign

        self._n_jobs += 1
        for key in without_foreign(cfg, self._given):
            self._n_times[key] = self._n_times.get(key, 0) + 1
            print(f"{cfg.mode.name}: {key} is left out, this arm's {key.partition('.')[0]} has no such setting.", file=sys.stderr)

    def unused(self) -> RagEvalError | None:
        """An error that names the settings for which no arm had a use, if there are any."""
        from rag_eval.errors import ConfigError

        keys = ", ".join(key for key, n_times in self._n_times.items() if n_times == self._n_jobs)
        return ConfigError(f"{keys}: no arm of {self._n_jobs} has such a setting; name an arm that has, or leave it out.") if keys else None


def fail(error: BaseException, prefix: str = "", is_debug: bool = False) -> int:
    """Print an error as one line and return its exit code.

    Args:
        error: what ended a command or one of its jobs.
        prefix: before the message, such as the job's name.
        is_debug: whether the traceback is printed too; that of a bug always is.
    """
    message, code = _verdict(error)
    if is_debug or code == 1:
        traceback.print_exception(error)
    print(f"error: {prefix}{message}", file=sys.stderr)
    return code


def _verdict(error: BaseException) -> tuple[str, int]:
    """What to say of an error, and its exit code: expected ones have their own, a signal's is the shell's, anything else is a bug."""
    from rag_eval.config.expected import expected

    if isinstance(error, KeyboardInterrupt):
        return f"interrupted; {RESUMES}", 130
    if isinstance(error, Terminated):
        return f"terminated; {RESUMES}", 143
    if (ours := expected(error)) is not None:
        return str(ours), ours.exit_code
    return f"{type(error).__name__}: {error}. This is a bug of rag_eval; please report it with the lines above.", 1


def _terminate(*_: Any) -> None:
    raise Terminated
