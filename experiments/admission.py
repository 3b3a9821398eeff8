"""`python -m experiments.admission`, the gates of experiments/tiny_model/admission.py."""

import sys

from experiments.tiny_model.admission import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
