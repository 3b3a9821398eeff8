"""Where the files of configuration are."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE_FOLDER = Path(__file__).parent


def conf_dir() -> Path:
    """The folder of configuration: $RAG_EVAL_CONF, else that of the checkout, else the one inside the package."""
    here = PACKAGE_FOLDER
    chosen = os.environ.get("RAG_EVAL_CONF")
    return Path(chosen) if chosen else next((one for one in (here.parent / "conf", here / "conf") if one.is_dir()), here / "conf")
