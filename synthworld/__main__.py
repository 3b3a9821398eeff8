"""Write an invented world as files: python -m synthworld preset=laptop seed=0 out=world-laptop-0.

kinds=forward,two_hop names the kinds of question in qa/. preset=retrieval_10m writes vectors only, rows=1000000 fewer of them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from rag_eval.errors import ConfigError, RagEvalError
from synthworld.export import write_world
from synthworld.questions import KINDS
from synthworld.vectors import N_ROWS, write_vectors

VECTORS = "retrieval_10m"  # the preset without a world
MAX_DIGITS = 18  # of a number
DEFAULTS = {"preset": "laptop", "seed": "0", "out": "", "kinds": "forward", "rows": str(N_ROWS)}


def main(argv: Sequence[str]) -> int:
    """Write a world; options are key=value. Returns the exit code, after one line on an expected failure."""
    console = Console()
    if {"-h", "--help"} & set(argv):
        console.print(__doc__, markup=False)
        return 0
    try:
        options = _options(argv)
        begun = time.perf_counter()
        manifest = _write(options)
    except RagEvalError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, soft_wrap=True)
        return error.exit_code
    except OSError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, soft_wrap=True)
        return 4
    for name, file in manifest["files"].items():
        console.print(f"{name}: {file['rows']:,} rows, {file['bytes']:,} bytes, sha256 {file['sha256']}", markup=False, soft_wrap=True)
    seconds = time.perf_counter() - begun
    total = f"{manifest['bits']['total']:,.0f} bits of facts; " if "bits" in manifest else ""
    console.print(f"{total}{seconds:.1f} s", markup=False, soft_wrap=True)
    console.print(str(options["out"]), markup=False, soft_wrap=True)
    return 0


def _write(options: Mapping[str, str]) -> dict[str, Any]:
    seed, out = int(options["seed"]), Path(options["out"])
    if options["preset"] == VECTORS:
        return write_vectors(seed, out, int(options["rows"]))
    return write_world(options["preset"], seed, out, options["kinds"].split(","))  # type: ignore[arg-type]


def _options(argv: Sequence[str]) -> dict[str, str]:
    given = dict(DEFAULTS)
    for argument in argv:
        name, is_pair, value = argument.partition("=")
        if name not in DEFAULTS or not is_pair:
            raise ConfigError(f"expected {', '.join(f'{key}=VALUE' for key in DEFAULTS)}, got {argument!r}.")
        given[name] = value
    if not given["out"]:
        raise ConfigError("out= is missing: give the folder to write to.")
    for name in ("seed", "rows"):
        if not given[name].isdecimal() or len(given[name]) > MAX_DIGITS:
            raise ConfigError(f"{name}: expected a whole number of at least 0 with at most {MAX_DIGITS} digits, got {given[name][:40]!r}.")
    other = "kinds" if given["preset"] == VECTORS else "rows"
    if given[other] != DEFAULTS[other]:
        raise ConfigError(f"{other}={given[other]} says nothing with preset={given['preset']}; leave it out or choose another preset.")
    kinds = given["kinds"].split(",")
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise ConfigError(f"kinds: no such kind of question as {unknown[0]!r}; choices: {', '.join(KINDS)}.")
    if len(set(kinds)) < len(kinds):
        raise ConfigError(f"kinds: expected every kind once, got {given['kinds']}.")
    return given


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
