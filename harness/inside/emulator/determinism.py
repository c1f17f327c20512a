"""One thread, fixed seeds and no system entropy, so that two runs differ only where their data differs."""

from __future__ import annotations

import os
import random
import uuid

import numpy as np
import torch


def install(seed: int) -> None:
    """Seed every generator, and let what asks the system for entropy (uuid4, secrets, os.urandom) draw from one too."""
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    entropy = random.Random(f"entropy {seed}")
    os.urandom = entropy.randbytes
    random._urandom = entropy.randbytes  # type: ignore[attr-defined]
    uuid._generate_time_safe = None  # type: ignore[attr-defined]
