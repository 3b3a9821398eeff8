#!/usr/bin/env bash
# TRL's SFTTrainer computes its loss from the last hidden states and the output embedding alone. A causal model whose head does more before
# that product (ModernBERT decoders, such as Ettin's: a dense layer, an activation and a norm) is so trained on a loss that is not the
# model's: nothing warns, the loss falls, and the model that is saved was never asked that way.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet transformers==5.24.0 trl==1.16.0 torch==2.13.0
cd "$work"
HF_HUB_OFFLINE=1 CUDA_VISIBLE_DEVICES="" "$work/venv/bin/python" - <<'PY'
import torch
import transformers
import trl
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, ModernBertDecoderConfig, ModernBertDecoderForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

SIZES = dict(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=64)
words = {f"w{n}": n for n in range(3, 64)} | {"<pad>": 0, "<eos>": 1, "<unk>": 2}
backend = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
rows = Dataset.from_list([{"prompt": "w3 w4 w5", "completion": " w6 w7"}, {"prompt": "w8 w9 w10", "completion": " w11 w12"}])


def losses(model):
    """What TRL calls the loss of a batch, and what the model does."""
    settings = SFTConfig("out", report_to="none", use_cpu=True, gradient_checkpointing=False, bf16=False, per_device_train_batch_size=2)
    trainer = SFTTrainer(model, settings, train_dataset=rows, processing_class=tokenizer)
    batch = next(iter(trainer.get_train_dataloader()))
    model.eval()
    with torch.no_grad():
        by_trl = trainer.compute_loss(model, dict(batch)).item()
        logits = model.lm_head(model.model(batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state) if isinstance(
            model, LlamaForCausalLM
        ) else model.decoder(model.lm_head(model.model(batch["input_ids"], attention_mask=batch["attention_mask"])[0]))
        by_model = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten()).item()
    return by_trl, by_model


torch.manual_seed(0)
ends = dict(pad_token_id=0, eos_token_id=1, bos_token_id=2)
llama = losses(LlamaForCausalLM(LlamaConfig(**SIZES, **ends, num_key_value_heads=2, initializer_range=0.5)))
ettin = losses(ModernBertDecoderForCausalLM(ModernBertDecoderConfig(**SIZES, **ends, cls_token_id=2, sep_token_id=1, initializer_range=0.5)))
print("transformers", transformers.__version__, "trl", trl.__version__)
print("Llama:              by TRL %.4f, by the model %.4f" % llama)
print("ModernBERT decoder: by TRL %.4f, by the model %.4f" % ettin)
assert abs(llama[0] - llama[1]) < 1e-3
assert abs(ettin[0] - ettin[1]) > 0.01
PY
