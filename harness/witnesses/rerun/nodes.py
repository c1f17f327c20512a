"""Several machines: node 0 makes the steps and gives orders in the shared work folder, the others start the same processes.

torchrun joins the processes by its static rendezvous at the endpoint. The sandboxes then share their machines' network, so
what a script fetches is not prevented: a rerun on several nodes says so. Orders lie beside the folders that a sandbox can
write, never in one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.witnesses.rerun.steps import StepFailed

PATIENCE_S = 600.0
"""So long a node waits for the others to come, or for its next order once a step's own time has passed."""
_PAUSE_S = 0.1
NOTE = "{count} nodes: the sandboxes shared their machines' network, so that the script could have reached others"


@dataclasses.dataclass(frozen=True)
class Nodes:
    """As torchrun names them: how many, which of them this is, and HOST:PORT where node 0 is met."""

    count: int = 1
    rank: int = 0
    endpoint: str = ""

    def arguments(self) -> list[str]:
        """Those of torchrun."""
        if self.count == 1:
            return ["--standalone"]
        return [
            "--nnodes", str(self.count), "--node-rank", str(self.rank),
            "--rdzv-backend", "static", "--rdzv-endpoint", self.endpoint,
        ]  # fmt: skip

    @property
    def local(self) -> bool:
        """Whether the endpoint is on this machine's own loopback."""
        return self.count == 1 or self.endpoint.startswith("127.")


def nodes(count: int, rank: int, endpoint: str | None) -> Nodes:
    """Checked, with the endpoint's host as an address: a sandbox asks no name server. Raises ValueError with a sentence."""
    if count == 1:
        if rank or endpoint:
            raise ValueError("--node-rank and --rdzv-endpoint go with --nnodes of 2 or more.")
        return Nodes()
    if not 0 <= rank < count:
        raise ValueError(
            f"--node-rank is {rank}, and with --nnodes {count} it lies between 0 and {count - 1}."
        )
    host, _, port = (endpoint or "").rpartition(":")
    if not host or not port.isdigit():
        raise ValueError("--nnodes needs --rdzv-endpoint HOST:PORT, where every node reaches node 0.")
    try:
        address = socket.gethostbyname(host)
    except OSError as error:
        raise ValueError(f"--rdzv-endpoint: there is no host {host}.") from error
    return Nodes(count, rank, f"{address}:{port}")


class Orders:
    """The orders of one call in the shared folder; node 0 clears those of earlier calls."""

    def __init__(self, work: Path) -> None:
        self.folder = work / "orders"

    def begin(self, count: int, patience_s: float = PATIENCE_S) -> None:
        """Wait for the other nodes. Raises StepFailed where they do not come."""
        # Other nodes make the folder and say that they are here meanwhile: what is in it goes, the folder stays.
        self.folder.mkdir(parents=True, exist_ok=True)
        for stale in self.folder.iterdir():
            stale.unlink(missing_ok=True)
        until = time.monotonic() + patience_s
        while len(self._here()) < count - 1:
            if time.monotonic() > until:
                raise StepFailed(f"{len(self._here()) + 1} of {count} nodes came within {patience_s:.0f} s")
            time.sleep(_PAUSE_S)

    def give(self, order: dict[str, Any]) -> None:
        """Give the other nodes their next order."""
        number = len(list(self.folder.glob("order-*.json")))
        aside = self.folder / "next.part"
        aside.write_text(json.dumps({"to": self._here(), **order}), encoding="utf-8")
        os.replace(aside, self.folder / f"order-{number:03}.json")

    def end(self) -> None:
        """There are no more."""
        if self.folder.is_dir():
            self.give({"end": True})

    def follow(self, obey: Callable[[dict[str, Any]], None], patience_s: float = PATIENCE_S) -> int:
        """Obey node 0's orders until it gives no more; how many there were. Raises StepFailed where none come."""
        me, done, until = uuid.uuid4().hex, 0, time.monotonic() + patience_s
        while time.monotonic() < until:
            self._come(me)
            order = self._order(done)
            if order is None or me not in order["to"]:
                time.sleep(_PAUSE_S)
                continue
            if order.get("end"):
                return done
            obey(order)
            done, until = done + 1, time.monotonic() + patience_s
        raise StepFailed(f"node 0 gave no order within {patience_s:.0f} s in {self.folder}")

    def _here(self) -> list[str]:
        return sorted(p.name.removeprefix("here-") for p in self.folder.glob("here-*"))

    def _come(self, me: str) -> None:
        """Say that this node is here, again where node 0 has cleared the folder since."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / f"here-{me}").touch()
        except FileNotFoundError:  # cleared this moment
            return

    def _order(self, number: int) -> dict[str, Any] | None:
        try:
            found = json.loads((self.folder / f"order-{number:03}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and isinstance(found.get("to"), list) else None
