"""One engine answers one block of prompts in a process of its own, with whichever rag_eval or lm_eval stands on its path.

    python -P real_model_worker.py rag_eval|harness JOB.json

What it measured is the last line that it prints.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BATCH = 16  # of the harness


def rag_eval(job: dict[str, Any]) -> tuple[Callable[[], list[Any]], Callable[[Any], tuple[str, float]]]:
    from rag_eval import types
    from rag_eval.generate.hf import HF

    prompt_class = vars(types).get("Prompt") or vars(types)["Rendered"]  # as an earlier commit calls it

    generator = HF(job["model"], job["dtype"], "cpu", job["n_new"], job["token_budget"], [])
    generator._encode = lambda _: job["ids"]  # type: ignore[method-assign, assignment]
    prompts = [prompt_class((), "", "")] * len(job["ids"])
    _ = generator._network, getattr(generator, "_decoder", None)  # loaded; earlier commits have no decoder of its own
    return lambda: generator.generate(prompts), lambda one: (one.text, one.total_s)


def harness(job: dict[str, Any]) -> tuple[Callable[[], list[Any]], Callable[[Any], tuple[str, float]]]:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=job["model"], dtype=job["dtype"], device="cpu", batch_size=BATCH, add_bos_token=False)
    tokens = [model.tok_encode(text, add_special_tokens=False) for text in job["texts"]]
    if tokens != job["ids"]:
        raise SystemExit("the harness reads other tokens than rag_eval gives")
    asked = {"until": [], "max_gen_toks": job["n_new"], "do_sample": False}
    requests = [Instance("generate_until", {}, (text, asked), at) for at, text in enumerate(job["texts"])]
    return lambda: model.generate_until(requests, disable_tqdm=True), lambda text: (text, 0.0)


def main() -> None:
    engine, job = sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    begun = time.perf_counter()
    answer, read = {"rag_eval": rag_eval, "harness": harness}[engine](job)
    loaded, cpu = time.perf_counter(), time.process_time()
    said = answer()
    wall_s, cpu_s = time.perf_counter() - loaded, time.process_time() - cpu
    texts, seconds = zip(*map(read, said), strict=True)
    found = {
        "load_s": loaded - begun,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "answers_s": sum(seconds),  # without what came before the answers; 0 = not told
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "texts": [text.strip() for text in texts],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
