"""Named tensors between the sandbox and the outside, and the quantizers that the comparison rests on."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.inside.rerun import tensors
from harness.witnesses.rerun.quantization import compare, reference
from harness.witnesses.rerun.weights import WeightsError, read_weights, write_weights

STATE = {
    "matrix": torch.randn(6, 5, generator=torch.Generator().manual_seed(1)),
    "half": torch.tensor([1.5, -2.25]).half(),
    "brain": torch.tensor([1.5, -2.25, 3e38]).bfloat16(),
    "scalar": torch.tensor(3.0, dtype=torch.float64),
    "whole": torch.arange(4),
    "flags": torch.tensor([True, False]),
    "empty": torch.empty(0, 3),
}


def test_the_outside_reads_what_the_inside_writes(tmp_path: Path) -> None:
    assert tensors.save(tmp_path / "a", STATE) == []
    found = read_weights(tmp_path / "a")
    assert found.keys() == STATE.keys()
    for name, tensor in STATE.items():
        assert found[name].shape == tuple(tensor.shape)
        assert (found[name] == tensor.to(torch.float64).numpy()).all()


def test_the_inside_reads_what_the_outside_writes(tmp_path: Path) -> None:
    arrays = {n: t.numpy() for n, t in STATE.items() if n != "brain"}
    write_weights(tmp_path / "a", arrays)
    found = tensors.load(tmp_path / "a")
    assert all(torch.equal(found[n], STATE[n]) for n in arrays)
    tensors.save(tmp_path / "b", {"brain": STATE["brain"]})
    assert torch.equal(tensors.load(tmp_path / "b")["brain"], STATE["brain"])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 4) + b"nope",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 60) + b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}     ',
        struct.pack("<Q", 60) + b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[4,0]}}     ',
    ],
)
def test_a_strangers_file_that_is_damaged_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(WeightsError):
        read_weights(tmp_path / "a")


def test_a_link_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("/etc/passwd")
    with pytest.raises(WeightsError, match="missing"):
        read_weights(tmp_path / "a")


def test_errors_are_those_of_each_tensor() -> None:
    floats = {"a": np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), "b": np.ones(4, np.float32)}
    decoded = {"a": floats["a"] + np.array([[0.0, 0.5], [0.0, 0.0]], np.float32), "c": np.ones(4, np.float32)}
    found = compare(floats, decoded, artifact_bytes=5)
    (row,) = found.tensors
    assert (row.largest, row.rms) == (0.5, 0.25)
    assert row.relative == pytest.approx(0.25 / np.sqrt(7.5))
    assert found.unmatched == ("b", "c")
    assert found.bits_per_weight == 10.0
    assert not found.same
    assert compare(floats, floats, None).same


@pytest.mark.parametrize(("name", "most", "bits"), [("int8", 0.005, 8.0), ("int6", 0.02, 6.0)])
def test_reference_quantizers_err_as_their_bits_say(name: str, most: float, bits: float) -> None:
    rng = np.random.default_rng(0)
    floats = {"w": rng.uniform(-1, 1, (64, 512)).astype(np.float32), "b": np.arange(3, dtype=np.float32)}
    found, decoded = reference(name, floats)
    assert found.relative < most
    assert (decoded["b"] == floats["b"]).all()
    step = np.abs(floats["w"]).max(1, keepdims=True) / (2 ** (bits - 1) - 1)
    assert (np.abs(decoded["w"] - floats["w"]) <= 0.51 * step).all()
    assert bits * 0.9 < found.bits_per_weight < bits * 1.05


def test_a_row_of_zeros_stays_zero() -> None:
    floats = {"w": np.zeros((2, 40_000), np.float32)}
    assert not reference("int8", floats)[1]["w"].any()
