"""Write an invented world as files: python -m rag_eval.data.world preset=laptop seed=0 out=world-laptop-0."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from rag_eval.data.world.files import write_world
from rag_eval.errors import ConfigError, RagEvalError
from rag_eval.meter import peak_bytes

DEFAULTS = {"preset": "laptop", "seed": "0", "out": ""}


def main(argv: Sequence[str]) -> int:
    """Write a world; options are key=value. Returns the exit code, after one line on an expected failure."""
    console = Console()
    if {"-h", "--help"} & set(argv):
        console.print(__doc__, markup=False)
        return 0
    try:
        options = _options(argv)
        begun = time.perf_counter()
        manifest = write_world(options["preset"], int(options["seed"]), Path(options["out"]))
    except RagEvalError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, soft_wrap=True)
        return error.exit_code
    except OSError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, soft_wrap=True)
        return 4
    for name, file in manifest["files"].items():
        console.print(f"{name}: {file['rows']:,} rows, {file['bytes']:,} bytes, sha256 {file['sha256']}", markup=False, soft_wrap=True)
    seconds, mib = time.perf_counter() - begun, peak_bytes() / 2**20
    total = manifest["bits"]["total"]
    console.print(f"{total:,.0f} bits of facts; {seconds:.1f} s; peak memory {mib:,.0f} MiB", markup=False, soft_wrap=True)
    console.print(str(options["out"]), markup=False, soft_wrap=True)
    return 0


def _options(argv: Sequence[str]) -> dict[str, str]:
    given = dict(DEFAULTS)
    for argument in argv:
        name, is_pair, value = argument.partition("=")
        if name not in DEFAULTS or not is_pair:
            raise ConfigError(f"expected {', '.join(f'{key}=VALUE' for key in DEFAULTS)}, got {argument!r}.")
        given[name] = value
    if not given["out"]:
        raise ConfigError("out= is missing: give the folder to write to.")
    if not given["seed"].isdecimal():
        raise ConfigError(f"seed: expected a whole number of at least 0, got {given['seed']!r}.")
    return given


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
