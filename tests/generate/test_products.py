"""Linear layers multiply by the way that is clearly the fastest, every way gives the same numbers, and the layers are left as they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from rag_eval.generate import products
from rag_eval.generate.products import MANY, Products, chosen, multiplying, products_of, seconds, ways
from tests.claims import every

Layers = Callable[[torch.dtype], Any]


@pytest.fixture
def layers() -> Layers:
    def made(dtype: torch.dtype) -> Any:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(32, 64), nn.Linear(64, 16, bias=False)).to(dtype).eval()
        network.dtype = dtype  # type: ignore[assignment]
        return network

    return made


@pytest.mark.parametrize("n_rows", [2, MANY])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_way_gives_the_same_numbers(dtype: torch.dtype, n_rows: int, layers: Layers) -> None:
    network, rows = layers(dtype), torch.randn(1, n_rows, 32).to(dtype)
    tolerance = {torch.float32: 1e-5, torch.bfloat16: 2e-2}[dtype]
    with torch.inference_mode():
        expected = network(rows)
        assert len(ways(dtype)) == 2
        for name in ways(dtype):
            with multiplying(network, Products(name, name)):
                found = network(rows)
            assert found.dtype == dtype
            assert torch.allclose(found.float(), expected.float(), atol=tolerance, rtol=tolerance), name


def test_few_rows_are_written_and_many_are_read(layers: Layers, monkeypatch: pytest.MonkeyPatch) -> None:
    network, used = layers(torch.float32), []
    own = {name: lambda *given, name=name: used.append(name) or nn.functional.linear(*given) for name in ("torch", "onednn")}
    monkeypatch.setattr(products, "ways", lambda _: own)
    with torch.inference_mode(), multiplying(network, Products("onednn", "torch")):
        network(torch.ones(1, MANY, 32))
        network(torch.ones(1, MANY - 1, 32))
        network(torch.ones(MANY, 1, 32))
    assert used == ["onednn"] * 2 + ["torch"] * 2 + ["onednn"] * 2
    network(torch.ones(1, MANY, 32))
    assert len(used) == 6  # as before


def test_a_way_is_chosen_only_where_it_is_clearly_faster_than_torchs_own() -> None:
    assert chosen({"torch": 1.0, "float32": 0.5}) == "float32"
    assert chosen({"torch": 1.0, "float32": 0.9}) == "torch"
    assert chosen({"torch": 1.0, "float32": 2.0}) == "torch"


def test_what_pays_is_judged_by_the_shape_that_most_weights_have(layers: Layers, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []

    def measured(dtype: torch.dtype, *shape: int) -> dict[str, float]:
        asked.append(shape)
        return {"torch": 1.0, "float32": 0.5 if shape[2] == products.READ else 2.0}

    monkeypatch.setattr(products, "seconds", measured)
    assert products_of(layers(torch.bfloat16)) == Products("float32", "torch")
    assert asked == [(64, 32, products.READ), (64, 32, products.WRITE)]


def test_measuring_is_short_and_of_large_weights_a_part_is_measured() -> None:
    small, large = seconds(torch.float32, 64, 64, 16), seconds(torch.float32, 20_000, 4096, 16)
    assert every(0 < one < 0.1 for one in small.values())
    assert every(large[name] > small[name] for name in small)


def test_a_layer_that_does_more_than_a_linear_one_is_left_alone() -> None:
    class More(nn.Linear):
        pass

    network = nn.Sequential(More(8, 8))
    network.dtype = torch.float32  # type: ignore[assignment]
    with multiplying(network, Products("onednn", "onednn")):
        assert "forward" not in vars(network[0])
    assert products_of(network) == Products("torch", "torch")
