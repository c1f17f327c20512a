"""The sweep itself: reads pull requests, audits each new content once, and keeps what is finished."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from harness.intake.errors import IntakeError
from harness.sweep.cluster import Cluster
from harness.sweep.content import auditor_of
from harness.sweep.parcel import examine_parcel, pack
from harness.sweep.plan import Plan
from harness.sweep.pool import Done, Pool
from harness.sweep.store import Head, Store
from harness.sweep.work import Part, Reading, examine, read

_AHEAD = 8
"""So many audits may lie ready for a cluster before more pull requests are read."""

_GLANCE_S = 0.05
"""Seconds to wait for one of two pools before looking at the other."""

Progress = Callable[[int, int, str], None]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a sweep did: pull requests it looked at, those that were up to date, audits made, audits that were shared."""

    looked_at: int
    up_to_date: int
    audited: int
    shared: int
    problems: int


@dataclasses.dataclass
class _Pull:
    """A pull request under way: `open` holds the contents whose audit it waits for."""

    head: Head
    scratch: Path
    reading: Reading | None = None
    open: set[str] = dataclasses.field(default_factory=set)
    problem: str = ""
    seconds: float = 0.0


def sweep(
    plan: Plan, heads: Sequence[Head], database: Path, progress: Progress = lambda done, of, last: None
) -> Outcome:
    """Audit these pull requests into the database; those that it holds for this head, auditor and policy are passed over.

    Raises IntakeError where the database belongs to another kind of sweep or is in use.
    """
    auditor = auditor_of(plan.policy, plan.probes if not plan.static_only else "", str(plan.most))
    with _opened(database, "static" if plan.static_only else "full") as (store, scratch):
        known = store.finished(auditor)
        todo = [h for h in heads if known.get(h.number) != h.commit]
        run = _Sweep(plan, auditor, store, scratch, deque(todo), progress, len(todo))
        run.loop()
        store.tidy()
    return Outcome(len(todo), len(heads) - len(todo), run.audited, run.shared, run.problems)


@contextlib.contextmanager
def _opened(database: Path, kind: str) -> Iterator[tuple[Store, Path]]:
    """The database and a folder for files beside it, both ours alone; what a killed sweep left there is swept away."""
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(database.name + ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise IntakeError(f"another sweep is writing to {database}.") from error
        scratch = database.with_name(database.name + ".files")
        shutil.rmtree(scratch, ignore_errors=True)
        store = Store(database)
        try:
            holds = store.claim("kind", kind)
            if holds != kind:
                raise IntakeError(f"{database} holds {holds} audits; name another database for {kind} ones.")
            scratch.mkdir()
            yield store, scratch
        finally:
            store.close()
            shutil.rmtree(scratch, ignore_errors=True)


class _Sweep:
    def __init__(
        self, plan: Plan, auditor: str, store: Store, scratch: Path, todo: deque[Head], progress: Progress, total: int
    ) -> None:  # fmt: skip
        self.plan, self.auditor, self.store, self.scratch = plan, auditor, store, scratch
        self.todo, self.progress, self.total = todo, progress, total
        self.known = store.contents()
        self.pulls: dict[int, _Pull] = {}
        self.waiting: deque[Part] = deque()  # audits that no worker has taken yet
        self.under_way: set[str] = set()
        self.audited = self.shared = self.problems = self.finished = 0

    def loop(self) -> None:
        """Pull requests are read here, where the clone is; audits are made here too, or on a cluster."""
        limits = self.plan.limits
        with contextlib.ExitStack() as stack:
            cluster = None
            if self.plan.ray is not None:
                cluster = stack.enter_context(contextlib.closing(Cluster(self.plan)))
            pool = Pool(self.plan.processes, limits.seconds, fresh=limits.fresh, bytes_each=limits.most_bytes)
            readers = stack.enter_context(contextlib.closing(pool))
            auditors = cluster or readers
            while self.todo or self.waiting or readers.busy or auditors.busy:
                self._give(readers, auditors)
                if auditors is readers:
                    ended = readers.wait()
                else:
                    ended = readers.wait(_GLANCE_S) + auditors.wait(_GLANCE_S)
                for done in ended:
                    self._take(done)

    def _give(self, readers: Pool, auditors: Pool | Cluster) -> None:
        """Audits before new pull requests, so that few files lie about at a time."""
        while self.waiting and auditors.free:
            part = self.waiting.popleft()
            if isinstance(auditors, Cluster):
                auditors.submit(part.content, examine_parcel, self.plan, pack(part))
            else:
                auditors.submit(part.content, examine, self.plan, part)
        while self.todo and readers.free and len(self.waiting) < _AHEAD:
            head = self.todo.popleft()
            pull = self.pulls[head.number] = _Pull(head, self.scratch / str(head.number))
            pull.scratch.mkdir()
            readers.submit(head.number, read, self.plan, self.auditor, head.number, pull.scratch)

    def _take(self, done: Done) -> None:
        if isinstance(done.key, int):
            self._read(self.pulls[done.key], done)
        else:
            self._examined(str(done.key), done)

    def _read(self, pull: _Pull, done: Done) -> None:
        pull.seconds += done.seconds
        pull.reading = done.result if not done.problem else Reading((), None, done.problem)
        assert pull.reading is not None
        pull.problem = pull.reading.problem
        for part in pull.reading.parts:
            if part.content in self.known or part.content in pull.open:
                self.shared += 1
                continue
            pull.open.add(part.content)
            if part.content in self.under_way:
                self.shared += 1
            else:
                self.under_way.add(part.content)
                self.waiting.append(part)
        self._finish_if_done(pull)

    def _examined(self, content: str, done: Done) -> None:
        self.under_way.discard(content)
        if not done.problem:
            self.store.add(done.result)
            self.known.add(content)
            self.audited += 1
        for pull in [p for p in self.pulls.values() if content in p.open]:
            pull.open.discard(content)
            pull.problem = pull.problem or done.problem
            pull.seconds += done.seconds
            self._finish_if_done(pull)

    def _finish_if_done(self, pull: _Pull) -> None:
        """Keep a pull request whose audits are all there. Of one with a problem the audits that were made are kept too."""
        if pull.open:
            return
        assert pull.reading is not None
        parts = [(p.content, p.document) for p in pull.reading.parts if p.content in self.known]
        self.store.finish(
            pull.head, self.auditor, pull.reading.merged, parts, round(pull.seconds, 2), pull.problem
        )
        shutil.rmtree(pull.scratch, ignore_errors=True)
        del self.pulls[pull.head.number]
        self.problems += bool(pull.problem)
        self.finished += 1
        self.progress(self.finished, self.total, f"#{pull.head.number}")
