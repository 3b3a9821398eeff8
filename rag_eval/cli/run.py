"""`rag-eval run`, which is `python run.py`: one run, or every job of a sweep."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag_eval.cli.errors import fail, prepare
from rag_eval.cli.left_out import LeftOut
from rag_eval.processes import n_processes, rank

if TYPE_CHECKING:
    from rag_eval.record.run_record import RunResult

FAILED = float("nan")  # the objective of a job that failed


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
            from rag_eval.adapt.trainer.process_group import end_trainings

            end_trainings()


def _take_part() -> int:
    """What every process but the first does."""
    for ends in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ends, signal.SIG_DFL)  # at once, for it has nothing to clean up
    logging.disable(logging.WARNING)  # the first says it
    try:
        from rag_eval.adapt.trainer.job import take_part

        take_part()
    except Exception as error:
        return fail(error, f"process {rank()}: ", is_debug=False)
    return 0


def _run(arguments: list[str]) -> int:
    is_sweep = any(one in {"-m", "--multirun"} for one in arguments)
    left_out = LeftOut(arguments) if _sweeps_modes(arguments) else None
    n_finished = 0
    codes: list[int] = []
    finished: dict[str, list[Path]] = {}  # runs by sweep
    tracking: Any = None

    def job(cfg: Any) -> float | None:
        nonlocal n_finished, tracking
        try:
            if left_out is not None:
                left_out.leave_out(cfg)
            result = _run_and_show(cfg)
        except Exception as error:
            # Kept from Hydra, which would print the whole command line, secrets included.
            codes.append(fail(error, f"job {HydraConfig.get().job.num}: " if is_sweep else "", is_debug=cfg.get("debug", False)))
            return FAILED
        n_finished += 1
        if is_sweep and cfg.tracking.get("parent"):
            tracking = cfg.tracking
            finished.setdefault(str(tracking.parent), []).append(Path(result.directory))
        if result.facts.outcomes.counts.n_error:
            codes.append(3)
        from rag_eval.score.scoring import scoring_of

        found = next((result.estimates[name] for name in scoring_of(result).objective if name in result.estimates), None)
        return None if found is None else found.mean

    try:
        from hydra.core.hydra_config import HydraConfig

        from rag_eval.config.compose import refuse_unnamed_choices
        from rag_eval.config.secrets import refuse_secrets

        refuse_secrets(arguments)
        refuse_unnamed_choices(arguments)
        _hydra(job, arguments)
        for sweep, runs in finished.items():
            from rag_eval.publish import publish

            publish(tracking, sweep, runs)
        if left_out is not None and (unused := left_out.unused()) is not None:
            codes.append(fail(unused, "", is_debug=False))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2
    except BaseException as error:
        return fail(error, "", is_debug="debug=true" in arguments)
    return 3 if codes and n_finished else max(codes, default=0)


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

    from rag_eval.conf_folder import conf_dir
    from rag_eval.config.compose import added, register_resolvers

    register_resolvers()
    sys.argv = [sys.argv[0], *(added(arguments) if _sweeps_modes(arguments) else arguments)]
    hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(job)()


def _sweeps_modes(arguments: Sequence[str]) -> bool:
    is_sweep = any(one in {"-m", "--multirun"} for one in arguments)
    return is_sweep and any(re.fullmatch(r"mode=.*,.*|experiment=.+", one) for one in arguments)
