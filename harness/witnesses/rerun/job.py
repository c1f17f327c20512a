"""One rerun while it goes on: its steps in order, each kept in the work folder; what is known can be told at any time."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Claim, Script, Submission
from harness.emulate import Way, other_way
from harness.sandbox import Sandbox
from harness.witnesses.claims.labels import claimed_test
from harness.witnesses.claims.log import Log, ScoreLine, read_log
from harness.witnesses.claims.runs import run_facts
from harness.witnesses.rerun import hardware, runs, scoring
from harness.witnesses.rerun.beside import claimed_beside, own_pass, read_pass, windows
from harness.witnesses.rerun.changes import change
from harness.witnesses.rerun.facts import Artifact, Change, Measured, Outcome, OwnPass, RerunFacts, Step
from harness.witnesses.rerun.nodes import NOTE, Orders
from harness.witnesses.rerun.passes import rebuild
from harness.witnesses.rerun.process import Place
from harness.witnesses.rerun.quantization import Comparison, Yardstick, compare, reference
from harness.witnesses.rerun.settings import Progress, Settings
from harness.witnesses.rerun.steps import StepFailed, Steps, sizes
from harness.witnesses.rerun.weights import WeightsError, read_weights, write_weights
from harness.worlds.fineweb import OfficialData

YARDSTICKS = ("int8", "int6")
NO_FLASH = re.compile(r"No module named '(?:flash_attn|hopper)")


class Job:
    """The steps of one rerun, and what they found so far."""

    def __init__(
        self, submission: Submission, script: Script, claim: Claim, data: OfficialData, work: Path,
        sandbox: Sandbox, settings: Settings, progress: Progress,
    ) -> None:  # fmt: skip
        self.settings, self.claim, self.data, self.folder = settings, claim, data, work
        self.place = Place(
            submission,
            script,
            claim,
            data,
            sandbox,
            settings.device,
            settings.processes * settings.nodes.count,
            work,
            settings.seconds,
            nodes=settings.nodes,
        )
        self.steps, self.progress = Steps(work), progress
        self.notes: list[str] = []
        self.told: list[Step] = []
        self.outcome = Outcome("no_score", "nothing was run")
        self.artifact: Artifact | None = None
        self.measured: list[Measured] = []
        self.comparison: Comparison | None = None
        self.yardsticks: list[Yardstick] = []
        self.passes: list[OwnPass] = []
        self.changes: list[Change] = []
        self.log: Log | None = None
        self.line: ScoreLine | None = None
        self.adapts = False

    def work(self) -> None:
        """Every step, in order. Raises StepFailed where the script itself did not score; what follows stands alone."""
        if self.place.nodes.count == 1:
            return self._all()
        orders = Orders(self.folder)
        self.notes.append(NOTE.format(count=self.place.nodes.count))
        try:
            orders.begin(self.place.nodes.count)
            return self._all()
        finally:
            orders.end()

    def _all(self) -> None:
        captured = self._run()
        for step in (self._again, self._load, self._yardsticks, self._score, self._passes):
            try:
                step(captured)
            except StepFailed as failed:
                self.notes.append(str(failed))

    def _step(
        self, name: str, inputs: Any, work: Callable[[], dict[str, Any]], tell: Callable[[Any], str]
    ) -> Any:
        self.progress(name)
        base = [
            self.place.script.sha256, sorted(self.claim.environment().items()), list(self.claim.argv),
            self.data.fingerprint(), self.settings.device, self.place.processes,
        ]  # fmt: skip
        try:
            result = self.steps.do(name, [base, inputs], work)
        except StepFailed as failed:
            self.told.append(Step(name, 0.0, 0, str(failed), done=False))
            raise
        resumed = " (kept from an earlier call)" if name in self.steps.resumed else ""
        memory = int(result.get("memory_bytes", 0))
        self.told.append(Step(name, float(result["seconds"]), memory, tell(result) + resumed))
        return result

    def _run(self) -> dict[str, Any]:
        """The script, whole; on a CPU in whatever way of shrinking it works."""
        weights = [runs.fingerprint(self.settings.weights), self.settings.untrained]

        given = self.settings.weights

        def work() -> dict[str, Any]:
            result = self._in_some_way()
            outcome, reason = result["outcome"], result["reason"]
            if outcome == "scored" and given is not None and result["artifact"] is None:
                outcome, reason = "no_score", "it read no file back that it had written, so it never saw them"
            if outcome != "scored":
                reason = f"with the weights of {given.name}: {reason}" if given is not None else reason
                self.outcome = Outcome(outcome, reason)
                raise StepFailed(f"the script did not score{' ' if given else ': '}{reason}")
            return result

        result = self._step("run", weights, work, lambda r: str(r["reason"]))
        way = Way(**{**result["way"], "keep": frozenset(result["way"]["keep"])})
        self.place = dataclasses.replace(self.place, way=way, attention=bool(result["attention"]))
        if self.place.attention:
            self.notes.append("flash attention is not installed here: PyTorch's own attention stands for it")
        self._read_log(result)
        self.adapts = bool(result["adapts"])
        self.notes += [str(n)[:300] for n in result["notes"][:20]]
        return dict(result)

    def _in_some_way(self) -> dict[str, Any]:
        """The run; an emulated one that our scale may have broken is repeated another way."""
        way = Way()
        while True:
            result = runs.run(
                dataclasses.replace(self.place, way=way),
                self.folder / "run",
                give=self.settings.weights,
                untrained=self.settings.untrained,
            )
            result["way"] = {**dataclasses.asdict(way), "keep": sorted(way.keep)}
            result["attention"] = self.place.attention
            reason = result["reason"].partition("failed: ")[2]
            if not (self.place.emulated or self.place.attention) and NO_FLASH.search(reason):
                self.place = dataclasses.replace(self.place, attention=True)
                continue
            another = other_way(way, result["outcome"], reason, [tuple(o) for o in result["overrides"]])
            if another is None or not self.place.emulated:
                return result
            way = another

    def _read_log(self, result: dict[str, Any]) -> None:
        """What the script printed in this run, as the claims witness reads logs."""
        log = self.log = read_log(self.folder / "run" / "told.txt", "the rerun's own output")
        label = self.claim.label
        test = claimed_test(label, [s.text for s in log.scores]) if label else None
        lines = [s for s in log.scores if test is None or test(s.text)] or log.finals()
        self.line = lines[-1] if lines else None
        found = run_facts(log, self.line) if self.line else None
        self.outcome = Outcome(
            outcome=str(result["outcome"]),
            reason=str(result["reason"]),
            line=self.line.text if self.line else None,
            loss=self.line.loss if self.line else None,
            bpb=self.line.bpb if self.line else None,
            train_s=found.train_ms.value / 1000 if found and found.train_ms else None,
            eval_s=found.eval_ms.value / 1000 if found and found.eval_ms else None,
        )

    def _again(self, captured: dict[str, Any]) -> None:
        """The script's own tail once more on the captured float weights: is the artifact the same to the byte?"""
        found = captured["artifact"]
        if found is None:
            self.notes.append(
                "the script read no file back that it had written: that what it scores comes from an artifact is not shown"
            )
            return
        floats = self.folder / "run" / "out" / "float.safetensors"
        told = "not made again: the float weights were not captured"
        if self.settings.weights is not None:
            told = "given with --weights, not made here"
        elif floats.is_file():
            told = self._made_again(found["sha256"], floats)
        code = self.place.script.shipped_bytes
        self.artifact = Artifact(Path(found["name"]).name, found["bytes"], found["sha256"], code, told)

    def _made_again(self, digest: str, floats: Path) -> str:
        """What came of the script's own tail. Where that is another artifact, all training steps are taken once more: what
        it quantizes by, such as the batches that come next, may depend on how far training came. Only an emulated run
        takes as many steps as before.
        """
        artifact = self.folder / "run" / "out" / "artifact.bin"

        def step(name: str, whole: bool) -> str:
            result = self._step(
                name,
                [digest],
                lambda: runs.again(self.place, self.folder / name, floats, artifact, whole=whole),
                lambda r: str(r["told"]),
            )
            return str(result["told"])

        told = step("again", whole=False)
        if told == "identical" or not self.place.emulated:
            return told
        entire = step("again after training", whole=True)
        if entire == "identical":
            return f"identical, once all training steps were taken again; after a single one {told}"
        return told if told.startswith("another") else entire

    def _load(self, captured: dict[str, Any]) -> None:
        """The artifact in a fresh process that has trained one step: are its weights those that scored?"""
        out = self.folder / "run" / "out"
        if self.artifact is None or self.settings.weights is not None:
            return
        name, scored = self.artifact.name, out / "decoded.safetensors"

        def step(title: str, whole: bool) -> dict[str, Any]:
            found: dict[str, Any] = self._step(
                title,
                [digest, runs.fingerprint(scored)],
                lambda: runs.load(
                    self.place, self.folder / title, out / "artifact.bin", name, scored, whole=whole
                ),
                lambda r: str(r["told"]),
            )
            return found

        digest = self.artifact.sha256
        result = step("load", whole=False)
        if result["same"] is None and self.place.emulated:
            result = step("load after training", whole=True)
        self.artifact = dataclasses.replace(
            self.artifact, loaded=result["same"], loaded_told=str(result["told"])
        )

    def _yardsticks(self, captured: dict[str, Any]) -> None:
        """Compare float and decoded weights, and quantize the float ones by the reference quantizers."""
        out = self.folder / "run" / "out"
        try:
            floats = read_weights(out / "float.safetensors")
            decoded = read_weights(out / "decoded.safetensors")
        except WeightsError as error:
            self.notes.append(f"quantization is not compared: {error}")
            return
        packed = self.artifact.bytes if self.artifact else None
        self.comparison = compare(floats, decoded, packed)
        if self.settings.weights is not None:
            self.comparison = None
            self.notes.append(
                "quantization is not compared: with --weights there are no float weights of this artifact"
            )
            return
        if self.comparison.same:
            self.notes.append(
                "float and decoded weights are the same: the script quantizes in place, or does not quantize"
            )

        def work() -> dict[str, Any]:
            made = {}
            for name in YARDSTICKS:
                yardstick, weights = reference(name, floats)
                write_weights(self.folder / f"{name}.safetensors", weights)
                made[name] = dataclasses.asdict(yardstick)
            files = sizes(self.folder, *(f"{n}.safetensors" for n in YARDSTICKS))
            return {"yardsticks": made, "files": files}

        result = self._step(
            "yardsticks",
            runs.fingerprint(out / "float.safetensors"),
            work,
            lambda r: ", ".join(r["yardsticks"]),
        )
        self.yardsticks = [Yardstick(**y) for y in result["yardsticks"].values()]

    def _score(self, captured: dict[str, Any]) -> None:
        """Our own sliding windows over every set of weights."""
        out = self.folder / "run" / "out"
        sets = [scoring.Set("decoded", out / "decoded.pt")] if (out / "decoded.pt").is_file() else []
        if (out / "float.pt").is_file() and self.settings.weights is None:
            sets.append(scoring.Set("float", out / "float.pt"))
            sets += [
                scoring.Set(y.name, out / "float.pt", self.folder / f"{y.name}.safetensors")
                for y in self.yardsticks
            ]
        if not sets:
            self.notes.append("no model was captured, so it is not scored by ourselves")
            return
        length, stride = windows(self.place, self.settings)
        batch = self.settings.batch or scoring.BATCH[self.settings.device]

        def work() -> dict[str, Any]:
            figures = scoring.score(self.place, self.folder / "score", sets, length, stride, batch)
            memory = max((f.get("memory_bytes", 0) for f in figures.values()), default=0)
            files = sizes(self.folder, *(f"score/out/losses-{s.name}.npy" for s in sets))
            return {"figures": figures, "memory_bytes": memory, "files": files}

        inputs = [length, stride, batch, [[s.name, runs.fingerprint(s.model)] for s in sets]]
        result = self._step("score", inputs, work, lambda r: ", ".join(r["figures"]))
        counted = self.data.target_bytes()
        self.measured = [
            scoring.measured(n, f, self._losses(n), counted) for n, f in result["figures"].items()
        ]
        self._change("float -> decoded", "float", "decoded")

    def _losses(self, name: str) -> Path:
        return self.folder / "score" / "out" / f"losses-{name}.npy"

    def _change(self, title: str, before: str, after: str) -> None:
        scored = {m.weights for m in self.measured if m.failed is None}
        if {before, after} <= scored:
            targets = self.data.val_tokens - 1
            both = [scoring.read_losses(self._losses(n), targets) for n in (before, after)]
            found = change(title, both[0], both[1], self.data.val_stream()[1:], self.data.pieces())
            self.changes += [found] if found else []

    def _passes(self, captured: dict[str, Any]) -> None:
        """The script's own evaluation as its losses show it."""
        out = self.folder / "run" / "out"
        files = [out / f"calls-{r}.bin" for r in range(self.place.processes)]
        finals = {s.text for s in self.log.finals()} if self.log else set()
        running = sorted({s.text for s in self.log.scores} - finals) if self.log else []

        def work() -> dict[str, Any]:
            lines, names = [], []
            trained = np.zeros(self.data.val_tokens - 1, np.bool_)
            targets = self.data.val_stream()[1:]
            for number, found in enumerate(rebuild(files, targets, running, self.data.bos_id)):
                read, printed, claimed = read_pass(found, self.log, self.line)
                names.append(f"pass-{number}.npy")
                np.save(self.folder / names[-1], read.losses)
                lines.append(dataclasses.asdict(own_pass(read, self.data, printed, trained, claimed=claimed)))
                trained |= read.trained_at > 0
            return {"passes": lines, "files": sizes(self.folder, *names)}

        result = self._step(
            "passes",
            [[runs.fingerprint(f) for f in files], running],
            work,
            lambda r: f"{len(r['passes'])} seen",
        )
        self.passes = [OwnPass(**p) for p in result["passes"]]
        self._adaptation()

    def _adaptation(self) -> None:
        """Before and after test-time training: our pass over the decoded weights beside the claimed pass of the script."""
        claimed = [i for i, p in enumerate(self.passes) if p.claimed and p.steps and not p.coarse]
        if claimed and any(m.weights == "decoded" and m.failed is None for m in self.measured):
            targets = self.data.val_tokens - 1
            before = scoring.read_losses(self._losses("decoded"), targets)
            after = scoring.read_losses(self.folder / f"pass-{claimed[-1]}.npy", targets)
            title = "decoded, not adapted -> the script's own evaluation"
            found = change(title, before, after, self.data.val_stream()[1:], self.data.pieces())
            self.changes += [found] if found else []

    def facts(self) -> RerunFacts:
        """All that is known."""
        length, stride = windows(self.place, self.settings)
        scale = self.place.scale()
        documents = int((self.data.val_stream() == self.data.bos_id).sum())
        machine = hardware.machine(self.settings.device, self.settings.processes, self.settings.nodes.count)
        given = self.settings.weights is not None
        return RerunFacts(
            machine=machine,
            length=length,
            stride=stride,
            documents=documents,
            targets=self.data.val_tokens - 1,
            outcome=self.outcome,
            claimed=claimed_beside(
                self.place,
                self.outcome,
                self.measured,
                adapts=self.adapts,
                comparable=(machine.official and not self.settings.untrained)
                or (given and not machine.emulated),
            ),
            steps=tuple(self.told),
            artifact=self.artifact,
            measured=tuple(self.measured),
            quantization=self.comparison,
            yardsticks=tuple(self.yardsticks),
            passes=tuple(self.passes),
            changes=tuple(self.changes),
            overrides=scale.overrides if scale else (),
            notes=tuple(self.notes),
            trained=not (given or self.settings.untrained),
        )
