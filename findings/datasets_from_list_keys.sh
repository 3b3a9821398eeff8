#!/usr/bin/env bash
# `Dataset.from_list` and `Dataset.from_generator` take their columns from the first row: a key that only later rows have is dropped for
# all of them without a word. Rows of a question set in which the first question has no evidence (or no answer, or no choices) lose the
# evidence of every question. `load_dataset("json")` keeps the column for the same rows, with null where a row has none.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet datasets==5.2.0
cd "$work"
HF_HUB_OFFLINE=1 HF_HOME="$work/home" "$work/venv/bin/python" - <<'PY' 2>/dev/null
import json
from pathlib import Path

import datasets

rows = [{"question": "who?"}] + [{"question": f"where is {at}?", "evidence": f"d{at}"} for at in range(9)]
Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
ways = {
    "Dataset.from_list": datasets.Dataset.from_list(rows),
    "Dataset.from_list, last row first": datasets.Dataset.from_list(rows[::-1]),
    'load_dataset("json")': datasets.load_dataset("json", data_files="rows.jsonl", split="train"),
    "Dataset.from_generator": datasets.Dataset.from_generator(lambda: iter(rows)),
}
print("datasets", datasets.__version__)
kept = {name: sum(row.get("evidence") is not None for row in way) for name, way in ways.items()}
for name, n in kept.items():
    print(f"{name}: columns {ways[name].column_names}, evidence of {n} of 9 questions")
assert kept == dict(zip(ways, [0, 9, 9, 0], strict=True)), kept
PY
