"""What the static witness says of the order of scoring and updating, and of what enters the score."""

from __future__ import annotations

import ast
import builtins
import keyword

import pytest

from harness.case import Claim, Evidence, Script, Setting
from harness.limits import Limits
from harness.witnesses.static import StaticFacts, examine
from tests.static import scripts


def packed(source: str) -> Script:
    """A plain script."""
    return Script("train_gpt.py", len(source), "", source, source, "train_gpt.py")


def look(source: str, **settings: str) -> StaticFacts:
    """Examine a script under a claimed configuration."""
    evidence = Evidence("README.md", 1, "")
    claim = Claim("readme", tuple(Setting(k, v, evidence) for k, v in settings.items()))
    return examine(packed(source), claim, {})


def kinds(facts: StaticFacts, certainty: str = "certain") -> set[str]:
    """The kinds of facts of one certainty."""
    return {f.kind for f in facts.facts if f.certainty == certainty}


BAD = {
    "BEFORE": "train_on_val_before_score",
    "TRAIN_FIRST": "train_on_val_before_score",
    "LAST_EPOCH": "multi_pass_rescore",
    "TWICE": "multi_pass_rescore",
    "MINIMUM": "multi_pass_rescore",
    "SLOT": "slot",
    "TARGET_IN_KEY": "ngram_target_in_key",
    "ORACLE": "unnormalised_mixture",
}
GOOD = ("PLAIN", "SCORE_FIRST", "FIRST_EPOCH", "LORA_AFTER", "FULL_ROWS")


@pytest.mark.parametrize("name", BAD)
def test_a_violation_is_certain_and_has_its_category(name: str) -> None:
    facts = look(scripts.script(getattr(scripts, name)))
    assert kinds(facts) == {BAD[name]}
    assert facts.certain(BAD[name])[0].path[-1].line > 0


@pytest.mark.parametrize("name", GOOD)
def test_a_legal_twin_is_clean_and_covered(name: str) -> None:
    facts = look(scripts.script(getattr(scripts, name)))
    assert facts.facts == ()
    assert facts.covered
    assert facts.claimed_line is not None
    assert facts.claimed_line.snippet.startswith("print(")
    assert facts.causal


@pytest.mark.parametrize("name", [*BAD, *GOOD])
def test_verdicts_survive_renaming_every_identifier(name: str) -> None:
    source = scripts.script(getattr(scripts, name))
    renamed = rename(source)
    assert "evaluate" not in renamed
    before, after = look(source), look(renamed)
    assert kinds(after) == kinds(before)
    assert [f.kind for f in after.facts] == [f.kind for f in before.facts]
    assert after.covered == before.covered


def test_a_stable_sum_of_two_probabilities_is_no_choice() -> None:
    assert "unnormalised_mixture" not in kinds(look(scripts.script(scripts.STABLE_SUM)))


def test_counting_how_often_the_mixture_helped_keeps_nothing() -> None:
    assert "unnormalised_mixture" not in kinds(look(scripts.script(scripts.COUNTED_HELP)))
    assert "unnormalised_mixture" in kinds(look(scripts.script(scripts.KEPT_LOWER)))


def test_code_behind_a_switch_that_is_off_is_a_switch_and_no_violation() -> None:
    source = scripts.script(scripts.BEFORE, adapt=0)
    facts = look(source)
    assert facts.facts == ()
    assert ("ADAPT",) in [s.names for s in facts.switches]


def test_the_claimed_configuration_decides() -> None:
    source = scripts.script(scripts.BEFORE, adapt=0)
    assert kinds(look(source, ADAPT="1")) == {"train_on_val_before_score"}
    assert kinds(look(scripts.script(scripts.BEFORE), ADAPT="0")) == set()


def test_an_ambiguous_claim_makes_a_finding_depend_on_it() -> None:
    claim = Claim(ambiguous=("nothing says whether ADAPT_MODE was on",))
    facts = examine(packed(scripts.script(scripts.BEFORE)), claim, {})
    assert kinds(facts) == set()
    assert kinds(facts, "depends") == {"train_on_val_before_score"}


def test_what_holds_for_either_setting_of_a_switch_in_doubt_is_certain() -> None:
    body = scripts.BEFORE.replace(
        "    if s.adapt:\n        with", "    if s.adapt:\n        s.epochs = 3\n    if True:\n        with"
    )
    doubt = "README.md:3 and README.md:9 disagree on {} (0 and 1), and no log tells which one was run"
    claim = Claim(ambiguous=(doubt.format("ADAPT_ON"),))
    either, one = (scripts.script(b).replace('"ADAPT"', '"ADAPT_ON"') for b in (body, scripts.BEFORE))
    facts = examine(packed(either), claim, {})
    assert kinds(facts) == {"train_on_val_before_score"}
    assert all(f.whichever for f in facts.facts)
    hanging = examine(packed(one), claim, {})
    assert kinds(hanging) == set()
    assert kinds(hanging, "depends") == {"train_on_val_before_score"}


def test_one_epoch_leaves_nothing_to_rescore() -> None:
    assert kinds(look(scripts.script(scripts.LAST_EPOCH), EPOCHS="1")) == set()


def test_a_helper_file_is_followed() -> None:
    body = scripts.script(scripts.BEFORE)
    start, end = body.index("def tune"), body.index("@torch.no_grad()")
    helper = "import torch\n\n" + body[start:end]
    source = body[:start] + "from helper import tune\n" + body[end:]
    facts = examine(packed(source), Claim(), {"helper.py": helper})
    assert kinds(facts) == {"train_on_val_before_score"}
    assert "helper.py" in {e.file for e in facts.facts[0].path}


TAIL_CALIBRATED = scripts.TAIL.replace(
    "    val = read_all", "    calibrate(s, net)\n    quantize(net)\n    val = read_all"
)


def test_training_shards_after_the_whole_clock() -> None:
    late = scripts.script(scripts.CALIBRATED, tail=TAIL_CALIBRATED)
    assert kinds(look(late)) == {"gptq_calibration_eval_time"}
    reserved = scripts.script(scripts.CALIBRATED, limit="590.0", tail=TAIL_CALIBRATED)
    assert look(reserved).facts == ()


AGAIN = """
def anneal(s, net):
    tokens = read_all(s.train_files)
    opt = torch.optim.AdamW(net.parameters(), lr=1e-4)
    started = time.perf_counter()
    for step in range(100):
{clock}        batch = tokens[step * s.seq : (step + 1) * s.seq + 1].long()
        opt.zero_grad()
        net(batch[:-1][None], batch[1:][None]).mean().backward()
        opt.step()
"""
OWN_CLOCK = "        if time.perf_counter() - started >= 590.0:\n            break\n"


@pytest.mark.parametrize(
    ("limit", "clock", "found"),
    [("600.0", "", {"train_time"}), ("590.0", "", set()), ("600.0", OWN_CLOCK, set())],
)
def test_a_phase_of_training_after_the_whole_clock(limit: str, clock: str, found: set[str]) -> None:
    tail = scripts.TAIL.replace("    val = read_all", "    anneal(s, net)\n    val = read_all")
    facts = look(scripts.script(scripts.PLAIN + AGAIN.format(clock=clock), limit=limit, tail=tail))
    assert (kinds(facts, "depends"), kinds(facts)) == (found, set())


def test_the_whole_clock_is_the_hosts() -> None:
    tail = TAIL_CALIBRATED
    script = packed(scripts.script(scripts.CALIBRATED, limit="300.0", tail=tail))
    assert kinds(examine(script, Claim(), {})) == set()
    short = examine(script, Claim(), {}, Limits(train_seconds=300.0))
    assert kinds(short) == {"gptq_calibration_eval_time"}


def test_calibration_after_a_phase_without_a_clock() -> None:
    tail = TAIL_CALIBRATED.replace("    calibrate(s, net)", "    anneal(s, net)\n    calibrate(s, net)")
    late = scripts.script(scripts.CALIBRATED + AGAIN.format(clock=""), tail=tail)
    assert kinds(look(late), "depends") == {"train_time"}
    assert kinds(look(late), "certain") == {"gptq_calibration_eval_time"}


def test_warming_up_before_the_clock_is_no_training_after_it() -> None:
    tail = scripts.TAIL.replace("    fit(s, net)", "    anneal(s, net)\n    fit(s, net)")
    assert kinds(look(scripts.script(scripts.PLAIN + AGAIN.format(clock=""), tail=tail))) == set()


def test_a_setting_chosen_by_the_loss_of_training_tokens_after_the_clock_is_a_question() -> None:
    tempered = look(scripts.script(scripts.TEMPERED, tail=TAIL_CALIBRATED))
    assert kinds(tempered, "certain") == set()
    assert kinds(tempered, "depends") == {"gptq_calibration_eval_time"}
    hooked = look(scripts.script(scripts.HOOKED, tail=TAIL_CALIBRATED))
    assert kinds(hooked, "certain") == {"gptq_calibration_eval_time"}


def test_what_a_model_does_in_training_only_it_does_not_do_while_it_scores() -> None:
    tail = scripts.TAIL.replace("net = Net(", "net = Governed(")
    assert kinds(look(scripts.script(scripts.GOVERNED, tail=tail))) == set()
    adapting = scripts.GOVERNED.replace("if self.training", "if not self.training")
    assert kinds(look(scripts.script(adapting, tail=tail)))


def test_a_number_that_is_kept_for_nobody_to_read_is_no_calibration() -> None:
    tail = scripts.TAIL.replace("net = Net(", "net = Governed(")
    kept = scripts.GOVERNED.replace("if self.training", "if True").replace(
        "self.share.copy_(ids.float().mean())",
        "self.share.copy_(ids.float().mean().to(device=self.share.device, dtype=self.share.dtype))",
    )
    assert "val_calibration" in kinds(look(scripts.script(kept, tail=tail)))
    assert (
        kinds(
            look(
                scripts.script(
                    kept.replace("super().logits(ids) * self.share", "super().logits(ids)"), tail=tail
                )
            )
        )
        == set()
    )


def test_slices_beyond_number_are_followed_without_their_places() -> None:
    body = scripts.PLAIN.replace(
        "        total +=",
        """        x = part
        for shift in (1, 2, 3, 5, 7, 11, 13):
            x = torch.cat([x[shift:], x[:-shift], x[start:]])
        total +=""",
    ).replace("net(part[:-1][None]", "net(x[:-1][None]")
    facts = look(scripts.script(body))
    assert facts.covered
    assert facts.facts == ()


def test_a_script_that_does_not_parse_is_said_so() -> None:
    facts = examine(packed("def broken(:\n"), Claim(), {})
    assert not facts.parsed
    assert not facts.covered
    assert "does not parse" in facts.problems[0]


def test_a_score_that_cannot_be_followed_is_not_covered() -> None:
    facts = examine(packed("import somewhere\nprint('val_bpb', somewhere.run())\n"), Claim(), {})
    assert facts.parsed
    assert not facts.covered


class Renamer(ast.NodeTransformer):
    """Renames what the script itself defines: variables, functions, classes, parameters, attributes."""

    def __init__(self, names: set[str], attributes: set[str]) -> None:
        self.names = {name: f"z{i}" for i, name in enumerate(sorted(names | attributes))}
        self.attributes = attributes

    def visit(self, node: ast.AST) -> ast.AST:
        for field in ("id", "name", "arg", "attr"):
            value = getattr(node, field, None)
            if not isinstance(value, str) or value not in self.names or isinstance(node, ast.alias):
                continue
            if field != "attr" or value in self.attributes:
                setattr(node, field, self.names[value])
        return self.generic_visit(node)


def rename(source: str) -> str:
    """The script with every identifier of its own replaced."""
    tree = ast.parse(source)
    names: set[str] = set()
    attributes: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    attributes.add(inner.name)
                elif isinstance(inner, ast.Assign):
                    attributes |= {t.id for t in inner.targets if isinstance(t, ast.Name)}
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            attributes.add(node.attr)
    fixed = {"forward", "__init__", "self"} | set(dir(builtins)) | set(keyword.kwlist)
    imported = {"np", "torch", "nn", "F", "glob", "math", "os", "time"}
    return ast.unparse(Renamer(names - fixed - imported, attributes - fixed - imported).visit(tree))


@pytest.mark.parametrize(
    "machine",
    [
        'os.path.exists("/proc/driver/nvidia/version") and "H100" in torch.cuda.get_device_name()',
        "os.cpu_count() > 64 and time.perf_counter() > 0.001",
        "sum(os.path.getsize(p) for p in glob.glob(s.val_files)) > 1_000_000_000",
    ],
)
def test_a_branch_that_only_another_machine_takes_is_not_silenced_by_a_run(machine: str) -> None:
    source = scripts.script(scripts.BEFORE.replace("if s.adapt:", f"if {machine}:"))
    found = [f for f in look(source).facts if f.kind == "train_on_val_before_score"]
    assert found
    assert all(f.certainty == "certain" or f.unreached for f in found)


LEFT_OVER = """
def fit(s, net, val):
    tokens = read_all(s.train_files)
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
    step = 0
    LOOP
        batch = tokens[step * s.seq : (step + 1) * s.seq + 1].long()
        net(batch[:-1][None], batch[1:][None]).mean().backward()
        opt.step()
        opt.zero_grad(set_to_none=True)
        if step >= 2000 and step % 10 == 0:
            at = int(torch.randint(0, val.numel() - s.seq - 1, ()))
            part = val[at : at + s.seq + 1].long()
            (0.1 * net(part[None, :-1], part[None, 1:]).mean()).backward()
        step += 1
"""


@pytest.mark.parametrize("loop", ["while step < 5000:", "for _ in range(5000):"])
def test_gradients_of_val_that_wait_for_the_next_round_s_step_are_found(loop: str) -> None:
    tail = scripts.TAIL.replace(
        "    fit(s, net)\n    val = read_all(s.val_files)\n",
        "    val = read_all(s.val_files)\n    fit(s, net, val)\n",
    )
    source = scripts.script(scripts.PLAIN + LEFT_OVER.replace("LOOP", loop), tail=tail)
    assert kinds(look(source)) & {"train_on_val_before_score", "multi_pass_rescore"}
    cleared = source.replace(
        "mean()).backward()\n        step", "mean()).backward()\n            opt.zero_grad()\n        step"
    )
    assert kinds(look(cleared)) == set()
