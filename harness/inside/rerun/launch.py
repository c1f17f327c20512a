"""Runs one process of a submission under torchrun, its boundary hooked: `python -m inside.rerun.launch CONFIG.json`.

CONFIG holds script, argv, folder (what is captured goes there), work (the root below which the script writes), emulate (a
CPU stands for the GPUs), attention (flash attention is not installed), audit_dir, clock, seed, lazy_annotations, give (a
file served as the artifact), named (the only file that `give` stands for, or null), floats (weights to quantize), stop (end
when the artifact is "read", or when the model is about to "score"), hooked (False: the script alone, to measure what the
hooks cost). A process that fails leaves `failure-RANK.json`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

import torch

from ..launch import run
from . import attention, calls, capture, compiled, give
from .failure import fail


def main(config: dict[str, Any]) -> None:
    """Hook the boundary, run the script, keep what was seen whatever happens."""
    rank, ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    clock, folder = calls.real_clock(), Path(config["folder"])
    if config["emulate"]:
        _emulate(config, rank, ranks)
    elif config["attention"]:
        attention.install()
    noted = calls.Calls(folder / f"calls-{rank}.bin", clock)
    caught = capture.Capture(
        folder,
        config["work"],
        noted,
        rank,
        give=Path(config["give"]) if config["give"] else None,
        named=config["named"],
        stop=config["stop"],
        clock=clock,
    )
    if config["hooked"]:
        calls.install(noted)
        caught.install()
        if not config["emulate"]:
            compiled.install(noted)
    if config["floats"]:
        give.install(Path(config["floats"]), lambda: noted.open)
    try:
        run(config["script"], config["argv"], bool(config.get("lazy_annotations")))
    except capture.Stop:
        pass
    except SystemExit as ended:
        if ended.code:
            fail(folder, rank, clock(), config["script"], ended)
            raise
    except BaseException as error:
        fail(folder, rank, clock(), config["script"], error)
        raise
    finally:
        if config["hooked"]:
            caught.finish()
        noted.close()
        caught.facts["memory_bytes"] = _memory(config)
        (folder / f"facts-{rank}.json").write_text(json.dumps(caught.facts), encoding="utf-8")


def _emulate(config: dict[str, Any], rank: int, ranks: int) -> None:
    from .. import emulator

    environment = {
        k: os.environ[k] for k in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    }
    emulator.install({**config, "audit_dir": f"{config['audit_dir']}/rank{rank}", "one_process": ranks == 1})
    os.environ.update(environment)
    if ranks > 1:
        from . import gloo

        gloo.install()


def _memory(config: dict[str, Any]) -> int:
    if not config["emulate"]:
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
