"""`python -m experiments.finetuning`, the study of experiments/effects/finetuning.py."""

import sys

from experiments.effects.finetuning import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
