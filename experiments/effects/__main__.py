"""`python -m experiments.effects`."""

import sys

from experiments.effects.report import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
