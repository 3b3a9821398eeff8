"""The one bridge from here to the invented world: which facts its questions take.

The dataset itself is `synthworld.dataset.world`, which configurations name.
"""

from __future__ import annotations

from synthworld.asked_attributes import asked_attributes

__all__ = ["asked_attributes"]
