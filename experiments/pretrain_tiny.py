"""`python -m experiments.pretrain_tiny`, the training of experiments/tiny_model/pretrain.py."""

import sys

from experiments.tiny_model.pretrain import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
