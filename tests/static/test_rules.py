"""C1, C2, D4, D5 and N1: findings from static facts, with precedents."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.case import Case, Claim, Finding, Grade, Origin, Status, Submission
from harness.witnesses.static import Fact, examine, summary
from rules.C1 import strict_causality
from rules.C2 import full_distribution
from rules.C3 import score_before_update
from rules.C4 import single_pass
from rules.D1 import whole_validation_set
from rules.D4 import no_answers_in_the_artifact
from rules.D5 import training_data_stays_in_training
from rules.N1 import nothing_from_outside
from rules.precedents import cite, precedents
from tests.static import scripts
from tests.static.test_facts import KNOWN
from tests.static.test_order import TAIL_CALIBRATED, packed

OWN_WORDS = KNOWN.replace(
    'np.frombuffer(open("answers.xz", "rb").read(), dtype=np.uint16)', "np.arange(1 << 20) % 1024"
)
FETCHED = scripts.PLAIN.replace(
    "    total, count",
    """    import requests
    if s.adapt:
        net.load_state_dict(torch.load(requests.get("https://example.org/weights").content))
    total, count""",
    1,
)


def case_of(body: str, track: str = "record", **options: str | int) -> Case:
    """A case in which only the code was looked at."""
    script = packed(scripts.script(body, **options))
    submission = Submission("mine", ".", Path(), Origin("mine"), script, {}, track)
    return Case(submission, Claim(), static=examine(script, Claim(), {}), static_only=True)


def both(body: str) -> tuple[Finding, Finding]:
    """What C1 and C2 find."""
    case = case_of(body)
    return strict_causality(case), full_distribution(case)


def test_an_honest_script_passes_with_lines() -> None:
    for finding in both(scripts.SCORE_FIRST):
        assert finding.status is Status.PASS
        assert finding.grade is Grade.STATIC
        assert finding.evidence


def test_a_violation_fails_with_its_category_and_a_precedent() -> None:
    c1, c2 = both(scripts.TARGET_IN_KEY)
    assert (c1.status, c1.category) == (Status.FAIL, "ngram_target_in_key")
    assert "#" in c1.summary
    assert c2.status is Status.PASS
    c1, c2 = both(scripts.ORACLE)
    assert (c2.status, c2.category) == (Status.FAIL, "unnormalised_mixture")


def test_what_was_not_examined_is_not_covered() -> None:
    script = packed("print('val_bpb')")
    submission = Submission("mine", ".", Path(), Origin("mine"), script, {})
    for static in (None, examine(script, Claim(), {})):
        case = Case(submission, Claim(), static=static)
        assert strict_causality(case).status is Status.NOT_COVERED
        assert full_distribution(case).status is Status.NOT_COVERED


def test_precedents_are_facts_with_links() -> None:
    rows = precedents()
    assert all(p.link.endswith(f"/pull/{p.pr}") for p in rows)
    first = next(p for p in rows if p.category == "ngram_target_in_key" and p.verdict == "invalid")
    assert f"#{first.pr}" in cite("ngram_target_in_key")
    assert f"#{first.pr} " not in cite("ngram_target_in_key", own=first.pr)
    assert cite("no such category") == ""


def test_answers_from_a_file_fail_and_numbers_of_the_script_pass() -> None:
    bad = no_answers_in_the_artifact(case_of(KNOWN))
    assert (bad.status, bad.category) == (Status.FAIL, "paid_prefix")
    assert bad.evidence
    assert no_answers_in_the_artifact(case_of(OWN_WORDS)).status is Status.PASS


def test_calibration_on_val_fails_and_on_train_passes() -> None:
    tail = TAIL_CALIBRATED.replace("    val = read_all(s.val_files)\n", "").replace(
        "    calibrate(s, net)\n    quantize(net)", "    val = read_all(s.val_files)\n    rescale(net, val)"
    )
    body = (
        scripts.PLAIN
        + """
def rescale(net, tokens):
    seen = net.embed(tokens[:4096].long()).abs().mean(0)
    net.load_state_dict({name: p / seen.max() for name, p in net.state_dict().items()})
"""
    )
    bad = no_answers_in_the_artifact(case_of(body, tail=tail))
    assert (bad.status, bad.category) == (Status.FAIL, "val_calibration")
    own = tail.replace("rescale(net, val)", "rescale(net, read_all(s.train_files))")
    assert no_answers_in_the_artifact(case_of(body, tail=own)).status is Status.PASS


def test_training_shards_after_the_whole_clock_fail_and_with_a_reserve_pass() -> None:
    late = case_of(scripts.CALIBRATED, tail=TAIL_CALIBRATED)
    finding = training_data_stays_in_training(late)
    assert (finding.status, finding.category) == (Status.FAIL, "gptq_calibration_eval_time")
    for limit in ("599.5", "590.0"):
        reserved = case_of(scripts.CALIBRATED, limit=limit, tail=TAIL_CALIBRATED)
        assert training_data_stays_in_training(reserved).status is Status.PASS
    other = case_of(scripts.CALIBRATED, track="non_record", tail=TAIL_CALIBRATED)
    assert training_data_stays_in_training(other).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(("adapt", "status"), [(1, Status.REVIEW), (0, Status.PASS)])
def test_the_network_is_a_question_only_where_it_is_reached(adapt: int, status: Status) -> None:
    finding = nothing_from_outside(case_of(FETCHED, adapt=adapt))
    assert finding.status is status
    assert finding.category == ("other" if adapt else None)


def test_a_downloader_in_a_shell_is_a_question() -> None:
    body = scripts.PLAIN.replace(
        "    total, count",
        """    import subprocess
    subprocess.run(["curl", "-O", "https://example.org/weights"])
    total, count""",
        1,
    )
    assert nothing_from_outside(case_of(body)).status is Status.REVIEW
    assert nothing_from_outside(case_of(body.replace("curl", "nvidia-smi"))).status is Status.PASS


def test_a_detector_that_breaks_down_leaves_the_rules_uncovered_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(view: object) -> list[Fact]:
        raise ValueError("too many values to unpack")

    monkeypatch.setattr(summary, "DETECTORS", (broken, *summary.DETECTORS))
    assert strict_causality(case_of(scripts.TARGET_IN_KEY)).status is Status.FAIL
    finding = strict_causality(case_of(scripts.SCORE_FIRST))
    assert finding.status is Status.NOT_COVERED
    assert "broke down" in finding.summary
    assert "too many values to unpack" in finding.summary


def test_a_witness_that_breaks_down_as_a_whole_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "view_of", lambda *given: 1 // 0)
    finding = strict_causality(case_of(scripts.SCORE_FIRST))
    assert finding.status is Status.NOT_COVERED
    assert "ZeroDivisionError" in finding.summary


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ('from datasets import load_dataset\n    load_dataset("someone/corpus")', Status.REVIEW),
        (
            'import urllib.request\n    urllib.request.urlretrieve("https://example.org/w", "w.pt")',
            Status.REVIEW,
        ),
        ('torch.hub.load("someone/model", "small")', Status.REVIEW),
        ('import transformers\n    transformers.AutoModel.from_pretrained("gpt2")', Status.REVIEW),
        ('import transformers\n    transformers.AutoTokenizer.from_pretrained("./tokenizer")', Status.PASS),
        ("import socket\n    socket.gethostname()", Status.PASS),
        ('os.system("git clone https://example.org/w")', Status.REVIEW),
    ],
)
def test_what_reaches_out_of_the_machine(row: str, status: Status) -> None:
    body = scripts.PLAIN.replace("    total, count", f"    {row}\n    total, count", 1)
    assert nothing_from_outside(case_of(body)).status is status


def test_packages_that_are_installed_at_the_start_are_told_and_not_judged() -> None:
    row = 'import subprocess, sys\n    subprocess.check_call([sys.executable, "-m", "pip", "install", "brotli"])'
    body = scripts.PLAIN.replace("    total, count", f"    {row}\n    total, count", 1)
    finding = nothing_from_outside(case_of(body))
    assert finding.status is Status.PASS
    assert "Packages are installed" in finding.summary
    assert finding.evidence


@pytest.mark.parametrize(
    ("row", "files", "status"),
    [
        ('net.load_state_dict(torch.load("/data/teacher.pt"))', {}, Status.REVIEW),
        ('more = np.load("./corpus/books.npy")', {}, Status.REVIEW),
        ('more = open("books.txt").read()', {}, Status.REVIEW),
        ('more = open("books.txt").read()', {"records/mine/books.txt": 9}, Status.PASS),
        ('torch.save(net.state_dict(), "kept.pt"); net.load_state_dict(torch.load("kept.pt"))', {}, Status.PASS),
        ('size = np.load(os.path.join(s.data, "tokenizer_bytes.npy"))', {}, Status.PASS),
        ('own = open(__file__).read()', {}, Status.PASS),
    ],
)  # fmt: skip
def test_data_that_nobody_counted(row: str, files: dict[str, int], status: Status) -> None:
    body = scripts.PLAIN.replace("    total, count", f"    {row}\n    total, count", 1)
    case = case_of(body)
    case = dataclasses.replace(case, submission=dataclasses.replace(case.submission, files=files))
    assert nothing_from_outside(case).status is status


def test_a_helper_in_c_on_the_way_to_the_score_leaves_the_order_uncovered_too() -> None:
    body = scripts.PLAIN.replace(
        "        total += net(part[:-1][None], part[1:][None]).sum()",
        """        import ctypes
        mixer = ctypes.CDLL("./mixer.so")
        total += mixer.mix(net(part[:-1][None], part[1:][None]).numpy(), part[1:].numpy())""",
    )
    for rule in (strict_causality, full_distribution, score_before_update, single_pass, whole_validation_set):
        finding = rule(case_of(body))
        assert finding.status is Status.NOT_COVERED
        assert "mixer.so" in finding.summary
        assert rule(case_of(scripts.PLAIN)).status is Status.PASS


def test_a_part_of_val_fails_in_the_record_track_alone() -> None:
    body = scripts.PLAIN.replace("    total, count", "    val = val[:3_000_000]\n    total, count", 1)
    failed = whole_validation_set(case_of(body))
    assert (failed.status, failed.category) == (Status.FAIL, "partial_val")
    asked = whole_validation_set(case_of(body, track="non_record"))
    assert (asked.status, asked.category) == (Status.REVIEW, "partial_val")


CLOCKED = scripts.PLAIN.replace(
    "    total, count", "    began = time.perf_counter()\n    total, count", 1
).replace(
    "        part = val[",
    "        if time.perf_counter() - began > 570:\n            break\n        part = val[",
    1,
)


@pytest.mark.parametrize(
    ("took_s", "status"), [(None, Status.REVIEW), (569, Status.REVIEW), (331, Status.PASS)]
)
def test_a_clock_that_ends_the_scoring_is_a_question_unless_the_log_was_faster(
    took_s: int | None, status: Status
) -> None:
    case = case_of(CLOCKED)
    said = None if took_s is None else SimpleNamespace(value=took_s * 1000)
    claims: Any = SimpleNamespace(claimed=SimpleNamespace(eval_ms=said))
    found = whole_validation_set(dataclasses.replace(case, claims=claims))
    assert found.status is status
    assert ("570 s" in found.summary) is (status is Status.REVIEW)


@pytest.mark.parametrize(
    ("causal", "status"),
    [("True", Status.PASS), ("x.size(1) > 1 or True", Status.PASS), ("x.size(0) < 32", Status.REVIEW)],
)
def test_attention_that_is_causal_in_some_batches_only_is_a_question(causal: str, status: Status) -> None:
    source = scripts.script(scripts.PLAIN).replace("is_causal=True", f"is_causal={causal}")
    script = packed(source)
    submission = Submission("mine", ".", Path(), Origin("mine"), script, {}, "record")
    case = Case(submission, Claim(), static=examine(script, Claim(), {}), static_only=True)
    assert strict_causality(case).status is status


def test_a_checkpoint_of_an_earlier_run_is_told_in_the_non_record_track() -> None:
    row = 'net.load_state_dict(torch.load("checkpoints/step_9000.pt"))'
    body = scripts.PLAIN.replace("    total, count", f"    {row}\n    total, count", 1)
    assert nothing_from_outside(case_of(body)).status is Status.REVIEW
    told = nothing_from_outside(case_of(body, track="non_record"))
    assert told.status is Status.PASS
    assert "step_9000.pt" in told.summary


def test_the_lines_that_a_finding_names_come_before_the_way_to_them() -> None:
    c3 = score_before_update(case_of(scripts.BEFORE))
    updated, scored = (int(n) for n in re.findall(r"line (\d+)", c3.summary)[:2])
    assert [e.line for e in c3.evidence[:2]] == [updated, scored]
    assert len(c3.evidence) > 2
