#!/usr/bin/env bash
# Gold answers that are ISO dates come out of `load_dataset("json")` as timestamps, and read as text they have another spelling.
# The file is valid: every value is a JSON string. One value that is no date keeps the whole column text, so that the type of an
# answer column depends on which questions a split happens to hold.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet datasets==5.2.0
cd "$work"
HF_HUB_OFFLINE=1 HF_HOME="$work/home" "$work/venv/bin/python" - <<'PY'
import json
from pathlib import Path

import datasets

rows = {"dates": ["1994-03-05", "2001-11-30"], "mixed": ["1994-03-05", "in spring"]}
seen = {}
for name, answers in rows.items():
    Path(f"{name}.jsonl").write_text("".join(json.dumps({"answer": one}) + "\n" for one in answers))
    table = datasets.load_dataset("json", data_files=f"{name}.jsonl", split="train")
    seen[name] = (str(table.features["answer"].dtype), str(table[0]["answer"]))
print("datasets", datasets.__version__, seen)
assert seen["mixed"] == ("string", "1994-03-05"), seen
assert seen["dates"][0].startswith("timestamp"), seen
assert seen["dates"][1] != "1994-03-05", seen
print("a column of ISO dates is read as", *seen["dates"])
PY
