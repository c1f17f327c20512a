"""Which hardware a report may judge times on, and what it says of the rest."""

from __future__ import annotations

import pytest
import torch

from harness.witnesses.rerun import hardware


def pretend(monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda i: names[i])


@pytest.mark.parametrize(
    ("names", "official"),
    [
        (["NVIDIA H100 80GB HBM3"] * 8, True),
        (["NVIDIA H100 80GB HBM3"] * 4, False),
        (["NVIDIA H100 PCIe"] * 8, False),
        (["NVIDIA H200"] * 8, False),
        ([*["NVIDIA H100 80GB HBM3"] * 7, "NVIDIA A100-SXM4-80GB"], False),
    ],
)
def test_eight_h100_sxm_are_official(
    monkeypatch: pytest.MonkeyPatch, names: list[str], official: bool
) -> None:
    pretend(monkeypatch, names)
    hardware.check("cuda", len(names))
    found = hardware.machine("cuda", len(names))
    assert found.official is official
    assert names[0] in found.hardware


def test_too_few_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, ["NVIDIA H200"])
    with pytest.raises(hardware.NoDevice, match="as many GPUs, and this machine has 1"):
        hardware.check("cuda", 2)


def test_a_cpu_says_that_nothing_was_measured_on_a_gpu() -> None:
    found = hardware.machine("cpu", 1)
    assert found.emulated
    assert "not measured on a GPU" in found.hardware
