"""The prompt that the embedded model is trained and tested with: that of conf/prompt/qa.yaml."""

from __future__ import annotations

import yaml

from rag_eval.conf_folder import conf_dir
from rag_eval.prompt import PromptTemplate


def base_prompt() -> PromptTemplate:
    """The default prompt, without exemplars."""
    return PromptTemplate(yaml.safe_load((conf_dir() / "prompt" / "qa.yaml").read_text(encoding="utf-8"))["system"])
