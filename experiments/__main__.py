"""`python -m experiments`, the table of experiments/table/command.py."""

import sys

from experiments.table.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
