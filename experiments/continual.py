"""`python -m experiments.continual`, the study of experiments/effects/continual.py."""

import sys

from experiments.effects.continual import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
