"""Flash attention where its package is not installed: PyTorch's own, under the names that scripts import."""

from __future__ import annotations

from ..emulator.attention import provide_flash


def install() -> None:
    """Provide the flash modules. Raises NotImplementedError later, for what only the kernels can do."""
    provide_flash()
