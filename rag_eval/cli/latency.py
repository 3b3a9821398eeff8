"""`rag-eval latency`: several arms timed on the same questions in one session."""

from __future__ import annotations

import sys

from rag_eval.cli.errors import fail, prepare
from rag_eval.cli.left_out import LeftOut
from rag_eval.errors import Terminated

LATENCY_USAGE = """rag-eval latency mode=rag,finetune [key=value ...]
The arms are run first, or their recorded runs taken, and then asked the same questions in alternation.
latency=default (one at a time), offline (all at once) or poisson (at random times)
latency.n_queries, latency.n_warmup, latency.n_blocks, latency.forced_tokens, latency.rate_per_s, latency.cache_state, latency.seed
Any other key of python run.py, such as dataset.preset=ci or experiment_name=NAME."""


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
        left_out = LeftOut(arguments)
        for cfg in cfgs.values():
            left_out.leave_out(cfg)
        if (unused := left_out.unused()) is not None:
            raise unused
        from rag_eval.report.latency_console import show_latency
        from rag_eval.time_arms import time_arms

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
