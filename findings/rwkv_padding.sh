#!/usr/bin/env bash
# A batch of prompts that is padded on the left, as transformers documents it for generation, gives other answers than the same prompts one
# by one where the network takes no notice of attention_mask: RWKV reads the padding as text. Nothing warns; an evaluation in batches of 16
# scores other answers than the model gives.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet transformers==5.24.0 torch==2.13.0
cd "$work"
HF_HUB_OFFLINE=1 CUDA_VISIBLE_DEVICES="" "$work/venv/bin/python" - <<'PY'
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, RwkvConfig, RwkvForCausalLM


def agreement(model):
    """How many of 8 prompts are answered alike in a left-padded batch and alone."""
    model.eval()
    dice = torch.Generator().manual_seed(0)
    prompts = [torch.randint(3, 64, (length,), generator=dice).tolist() for length in (3, 4, 5, 6, 7, 8, 9, 12)]
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    asked = dict(max_new_tokens=8, do_sample=False, pad_token_id=0, eos_token_id=None)
    together = model.generate(ids, attention_mask=mask, **asked)[:, longest:].tolist()
    alone = [model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long), **asked) for prompt in prompts]
    return sum(one == other[0, len(prompt) :].tolist() for one, other, prompt in zip(together, alone, prompts, strict=True))


torch.manual_seed(0)
sizes = dict(vocab_size=64, hidden_size=32, num_hidden_layers=2, initializer_range=0.5, bos_token_id=None, eos_token_id=None)
llama = agreement(LlamaForCausalLM(LlamaConfig(**sizes, intermediate_size=64, num_attention_heads=2, num_key_value_heads=2)))
rwkv = agreement(RwkvForCausalLM(RwkvConfig(**sizes)))
print("transformers", transformers.__version__)
print("answers that a left-padded batch leaves as they are: Llama %d of 8, RWKV %d of 8" % (llama, rwkv))
assert llama == 8
assert rwkv < 8
PY
