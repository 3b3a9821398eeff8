#!/usr/bin/env bash
# Where two documents have the same score, ir_measures gives RR@10 = 1.0 and RR = 0.5 for the same run of two documents: a measure with
# and one without a cutoff are computed by different providers, and these order ties in opposite ways, by ascending and by descending
# document id. Scores are compared in float32 by one of them and in float64 by the other, so that scores which differ in the eighth digit
# are ties for one and none for the other. MRR@10 and MRR of lexical retrieval, where ties are common, are then not of the same ranking.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet ir-measures==0.4.3
cd "$work"
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

import ir_measures
from ir_measures import RR, Success, nDCG

relevant = [ir_measures.Qrel("q1", "a", 1)]


def scores(found):
    measured = ir_measures.calc_aggregate([RR, RR @ 10, Success @ 1, nDCG @ 1], relevant, [ir_measures.ScoredDoc("q1", *one) for one in found.items()])
    return {str(measure): value for measure, value in measured.items()}


tied = scores({"a": 1.0, "b": 1.0})
other_order = scores({"b": 1.0, "a": 1.0})
a_nearly_tied = scores({"a": 1.00000002, "b": 1.00000001})
b_nearly_tied = scores({"a": 1.00000001, "b": 1.00000002})
apart = scores({"a": 1.1, "b": 1.0})
print("ir_measures", version("ir_measures"))
seen = {
    "tied": tied,
    "tied, given in the other order": other_order,
    "a higher in the eighth digit": a_nearly_tied,
    "b higher in the eighth digit": b_nearly_tied,
    "a higher": apart,
}
for name, one in seen.items():
    print(f"{name}: {one}")
assert set(apart.values()) == {1.0}
assert tied == other_order == a_nearly_tied
assert tied["RR@10"] == 1.0 and tied["RR"] == 0.5, tied
assert b_nearly_tied["RR@10"] == 0.5 and b_nearly_tied["RR"] == 0.5, b_nearly_tied
assert tied["Success@1"] == tied["nDCG@1"] == 0.0, tied
PY
