"""The front door: `python run.py mode=rag`, `python run.py -m mode=rag,finetune seed=0,1`, `python run.py --help`.

A run is: conf/config.yaml and the command line are composed (rag_eval/cli/run.py), checked (rag_eval/config/check.py) and
run (rag_eval/evaluate.py). Exit codes: 0 done, 2 user error, 3 partly failed, 4 environment, 130/143 signals, 1 a bug.
"""

import sys

from rag_eval.cli.run import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
