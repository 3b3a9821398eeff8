#!/usr/bin/env bash
# LoRA on the output layer of a model whose input and output embeddings are one tensor (SmolLM2, Qwen2.5 up to 1.5B, Gemma), with the
# setting that PEFT offers for such models, ensure_weight_tying=True: merge_and_unload adds the shared update to that tensor twice. The
# merged model is not the one that was trained and measured, in whatever is served from merged weights (GGUF, vLLM), and nothing warns.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet peft==0.21.2 transformers==5.24.0 torch==2.13.0
cd "$work"
HF_HUB_OFFLINE=1 CUDA_VISIBLE_DEVICES="" "$work/venv/bin/python" - <<'PY'
import warnings

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

warnings.simplefilter("ignore")
sizes = dict(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2)
asked = torch.arange(1, 20)[None]


def merging(is_tied):
    """Share of the adapter's update that merging adds, and how far the merged model's logits are from the adapted one's."""
    torch.manual_seed(0)
    base = LlamaForCausalLM(LlamaConfig(**sizes, tie_word_embeddings=is_tied)).eval()
    before = base.lm_head.weight.detach().clone()
    lora = LoraConfig(r=4, lora_alpha=4, target_modules=["lm_head"], init_lora_weights=False, ensure_weight_tying=is_tied, task_type="CAUSAL_LM")
    adapted = get_peft_model(base, lora).eval()
    layer = adapted.base_model.model.lm_head
    update = layer.get_delta_weight("default").detach().clone()
    with torch.no_grad():
        logits = adapted(asked).logits
        merged = adapted.merge_and_unload()
        apart = ((merged(asked).logits - logits).abs().max() / logits.abs().max()).item()
    added = merged.lm_head.weight.detach() - before
    return (added * update).sum().item() / (update * update).sum().item(), apart


tied, untied = merging(True), merging(False)
print("peft", peft.__version__, "transformers", transformers.__version__)
for name, (times, apart) in {"untied": untied, "tied, ensure_weight_tying=True": tied}.items():
    print(f"{name}: the update is added {times:.3f} times; merged and adapted logits differ by {apart:.3f} of the largest")
assert abs(untied[0] - 1) < 1e-3 and untied[1] < 1e-3, untied
assert abs(tied[0] - 2) < 1e-3 and tied[1] > 0.1, tied
PY
