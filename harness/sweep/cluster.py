"""Tasks on a Ray cluster: the same interface as the pool of this machine's processes, where whole machines may die."""

from __future__ import annotations

import functools
import importlib
import os
import socket
import time
from collections.abc import Callable
from typing import Any

from harness.intake.errors import IntakeError
from harness.sweep.content import code_of_auditor
from harness.sweep.plan import Plan
from harness.sweep.pool import Done, Pool

TRIES = 3
"""So often a task is begun that its worker, or the process below it, does not survive."""

_REACH_S = 10.0
_ANSWER_S = 180.0
_COUNT_S = 5.0


class Cluster:
    """A Ray cluster: the one at the plan's address, or one of our own on this machine with as many workers as the plan has
    processes, which ends with this process.

    A Ray worker does a task in a process below it (see pool.py), with the limits that it has on one machine. Where the
    worker dies Ray gives the task to another. Raises IntakeError where there is no Ray, no such cluster, or a machine of
    it that has no room for a task or not this auditor.
    """

    def __init__(self, plan: Plan) -> None:
        self._ray = _import_ray()
        self._limits = plan.limits
        self._open: dict[Any, tuple[object, float]] = {}
        self._counted, self._room = -_COUNT_S, 0
        self._connect(plan)
        try:
            self._inspect()
        except BaseException:
            self._ray.shutdown()
            raise
        self._task = self._ray.remote(
            num_cpus=1, memory=self._limits.usual_bytes, max_retries=TRIES - 1, retry_exceptions=False
        )(_work)

    @property
    def free(self) -> bool:
        """Whether a task would find a worker now; machines may come and go."""
        if time.monotonic() - self._counted > _COUNT_S:
            self._counted = time.monotonic()
            self._room = max(1, sum(self._slots(node) for node in self._nodes()))
        return len(self._open) < self._room

    @property
    def busy(self) -> bool:
        """Whether a task is under way."""
        return bool(self._open)

    def submit(self, key: object, function: Callable[..., Any], *arguments: Any) -> None:
        """Start a task; `key` comes back with its end."""
        limits = self._limits
        task = self._task.remote(function, arguments, limits.seconds, limits.fresh, limits.most_bytes)
        self._open[task] = (key, time.monotonic())

    def wait(self, patience_s: float) -> list[Done]:
        """The tasks that have ended; waits until one has, or for so long."""
        if not self._open:
            return []
        ended, _ = self._ray.wait(list(self._open), num_returns=1, timeout=patience_s)
        return [self._ended(task) for task in ended]

    def close(self) -> None:
        """Leave the cluster; what was under way there ends."""
        self._ray.shutdown()

    def _ended(self, task: Any) -> Done:
        key, since = self._open.pop(task)
        took = time.monotonic() - since
        try:
            result, problem, seconds = self._ray.get(task)
        except self._ray.exceptions.RayError as error:
            why = f"The Ray worker that audited it died, the last of {TRIES} times: {type(error).__name__}."
            return Done(key, None, why, took, died=True)
        return Done(key, result, problem, seconds)

    def _connect(self, plan: Plan) -> None:
        _reach(plan.ray or "")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        own: dict[str, Any] = {}
        if plan.ray == "local":
            memory = plan.processes * self._limits.usual_bytes
            own = {"num_cpus": plan.processes, "_memory": memory, "include_dashboard": False}
        try:
            self._ray.init(address=plan.ray, log_to_driver=False, logging_level="ERROR", **own)
        except (ConnectionError, RuntimeError, ValueError) as error:
            line = str(error).strip().split("\n")[0]
            raise IntakeError(f"no Ray cluster could be had at {plan.ray}: {line}") from error

    def _nodes(self) -> list[dict[str, Any]]:
        return [n for n in self._ray.nodes() if n["Alive"]]

    def _slots(self, node: dict[str, Any]) -> int:
        """How many tasks a machine takes at a time, by its cores and its memory."""
        has = node["Resources"]
        return int(min(has.get("CPU", 0), has.get("memory", 0) // self._limits.usual_bytes))

    def _inspect(self) -> None:
        """Ask every machine that takes tasks for its auditor."""
        nodes = [n for n in self._nodes() if self._slots(n)]
        if not nodes:
            gb = self._limits.usual_bytes / 1e9
            raise IntakeError(f"no machine of the Ray cluster has a core and {gb:.1f} GB for an audit.")
        pin = importlib.import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
        ask = self._ray.remote(num_cpus=0)(_code)
        for node in nodes:
            where = node["NodeManagerAddress"]
            asked = ask.options(scheduling_strategy=pin(node["NodeID"], soft=False)).remote()
            try:
                code = self._ray.get(asked, timeout=_ANSWER_S)
            except self._ray.exceptions.RayError as error:
                line = str(error).strip().split("\n")[-1]
                raise IntakeError(f"the auditor does not start on Ray's machine {where}: {line}") from error
            if code != code_of_auditor():
                raise IntakeError(f"Ray's machine {where} has another version of the auditor.")


def _import_ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise IntakeError("--engine ray needs the package Ray: pip install 'ray>=2.40'.") from error


def _reach(address: str) -> None:
    """Raises IntakeError where nothing listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host, int(port)), timeout=_REACH_S).close()
    except (OSError, OverflowError) as error:
        raise IntakeError(f"no Ray cluster could be had at {address}: {error}") from error


def _code() -> str:
    """The auditor of the machine that is asked."""
    return code_of_auditor()


def _work(
    function: Callable[..., Any], arguments: tuple[Any, ...], limit_s: float, fresh: bool, bytes_each: int | None
) -> tuple[Any, str, float]:  # fmt: skip
    """A task as a Ray worker does it: (result, problem, seconds)."""
    pool = _pool(limit_s, fresh, bytes_each)
    for _ in range(TRIES):
        pool.submit(None, function, *arguments)
        (done,) = pool.wait()
        if not done.died:
            break
    return done.result, done.problem, done.seconds


@functools.cache
def _pool(limit_s: float, fresh: bool, bytes_each: int | None) -> Pool:
    """The one process below a Ray worker; it dies with the worker."""
    return Pool(1, limit_s, fresh=fresh, bytes_each=bytes_each)
