"""What a lane multiplies with: slices give the whole product, and groups of four bits divide the row."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from trtbench.lanes.openvino.export import GROUPS, group_of
from trtbench.lanes.tuned import decoder


@pytest.mark.parametrize("rows", [5, 8, 9, 23])
@pytest.mark.parametrize("biased", [False, True])
def test_slices_give_the_whole_product(rows: int, biased: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "WIDEST_ON_CPU", 8)
    monkeypatch.setattr(decoder, "ROWS", 2)
    x, weight = torch.randn(2, 3, 4), torch.randn(rows, 4)
    bias = torch.randn(rows) if biased else None
    torch.testing.assert_close(decoder.linear(x, weight, bias), F.linear(x, weight, bias))


@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_sums_give_the_product_of_few_rows(batch: int, biased: bool, dtype: torch.dtype) -> None:
    x, weight = torch.randn(batch, 1, 40).to(dtype), torch.randn(12, 40).to(dtype)
    bias = torch.randn(12).to(dtype) if biased else None
    product = decoder.sums(x, weight, bias)
    assert product.dtype is dtype
    exact = F.linear(x.double(), weight.double(), None if bias is None else bias.double())
    tolerance = 1e-5 if dtype is torch.float32 else 1e-2
    torch.testing.assert_close(product.double(), exact, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("columns", "group"), [(2048, 128), (576, 64), (1536, 128), (96, 32), (100, 100)], ids=lambda value: str(value)
)
def test_four_bits_share_a_scale_in_groups_that_divide_the_row(columns: int, group: int) -> None:
    assert group_of(columns) == group
    assert columns % group == 0
    assert group in GROUPS or all(columns % smaller for smaller in GROUPS)
