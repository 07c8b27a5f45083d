"""What the PyTorch lanes state alike."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from trtbench.lanes import torch_facts  # noqa: E402

NAMES = ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF")


@pytest.mark.parametrize("name", NAMES)
def test_what_the_image_tells_torch_s_allocator_is_noted_on_a_gpu_only(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in NAMES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a card")
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert torch_facts.statement_of("float16", gpu, notes=["own"]).notes == ["own"]
    monkeypatch.setenv(name, "garbage_collection_threshold:0.99999")
    noted = f"{name}=garbage_collection_threshold:0.99999"
    assert torch_facts.statement_of("float16", gpu, notes=["own"]).notes == ["own", noted]
    assert noted not in torch_facts.statement_of("float32", cpu).notes
