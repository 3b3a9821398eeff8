"""`python -m experiments.recipes list` and `python -m experiments.recipes verify NAME`."""

import sys

from experiments.recipes.verify import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
