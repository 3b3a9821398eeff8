"""Recorded runs to tables, in the terminal and in a folder. Computes from what runs recorded and runs nothing.

python -m rag_eval.report [key=value ...]                         one line an arm; rank=MEASURE puts them in order
python -m rag_eval.report compare RUN_A RUN_B [key=value ...]     two or more runs against each other
python -m rag_eval.report power effect=0.03 discordant=0.2 deff=1.5   how many questions a comparison needs
python -m rag_eval.report decide queries_per_day=... ...          which arm meets constraints at least cost; decide --help
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from rag_eval.errors import RagEvalError
from rag_eval.report.markdown import inert

USAGE = __doc__
COMMANDS = ("compare", "decide", "power")  # modules of this folder


def main(argv: Sequence[str]) -> int:
    """Report on recorded runs. Returns the exit code, after one line on an expected failure."""
    command, *arguments = argv or [""]
    try:
        if {"-h", "--help"} & set(argv):
            print(_help(command))
        elif command == "compare":
            from rag_eval.report.commands.compare import compare

            compare(arguments)
        elif command == "decide":
            from rag_eval.report.commands.decide import decide_command

            decide_command(arguments)
        elif command == "power":
            from rag_eval.report.commands.power import power

            print(power(arguments))
        else:
            from rag_eval.report.commands.summary import report

            report(argv)
    except RagEvalError as error:
        Console(stderr=True).print(Text(f"error: {inert(error)}"), soft_wrap=True)
        return error.exit_code
    return 0


def _help(command: str) -> str:
    """What a command does and which keys it has."""
    return str(importlib.import_module(f"rag_eval.report.commands.{command}").__doc__) if command in COMMANDS else str(USAGE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
