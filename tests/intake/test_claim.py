"""The claimed configuration: which run is claimed, which line states it, and with which settings it ran."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.case import Claim, Origin, Script, Submission
from harness.intake.claim import claimed_configuration

SCRIPT = """\
import os, torch

def _flag(name, default):
    return os.environ.get(name, default).strip().lower() in ("1", "true", "yes")

class Hyperparameters:
    data_path = os.environ.get("DATA_PATH", "./data")
    seed = int(os.environ.get("SEED", 1337))
    num_layers = int(os.environ.get("NUM_LAYERS", 9))
    tied_embed_lr = float(os.environ.get("TIED_EMBED_LR", 0.05))
    embed_lr = float(os.environ.get("EMBED_LR", 0.6))
    swa_enabled = _flag("SWA_ENABLED", "1")
    ttt_enabled = bool(int(os.environ.get("TTT_ENABLED", "0")))
    ttt_lr = float(os.environ.get("TTT_LR", 0.001))
    ttt_freeze_blocks = int(os.environ.get("TTT_FREEZE_BLOCKS", 2))
    slot_enabled = bool(int(os.environ.get("SLOT_ENABLED", "0")))
    eval_only = os.environ.get("EVAL_ONLY", "")

def main():
    args = Hyperparameters()
    token_lr = args.tied_embed_lr
    print(f"embed_lr:{token_lr} num_layers:{args.num_layers}")
    print(f"model_params:{123}")
    print(f"peak memory allocated:{1}")
    print(f"Serialized model int8:{1}")
    if args.ttt_enabled:
        print(f"ttt_sliding:start lr={args.ttt_lr} freeze_blocks={args.ttt_freeze_blocks}")
        print(f"legal_ttt_exact val_loss:{1.0} val_bpb:{1.0}")
    print(f"final_exact val_loss:{1.0} val_bpb:{1.0}")
"""

HEADER = "embed_lr:0.05 num_layers:11\nmodel_params:123\nseed:42\n"
TAIL = "peak memory allocated:1\nSerialized model int8:15000000 bytes\n"


def log(bpb: float, *, ttt: bool = False, seed: int = 42) -> str:
    lines = f"embed_lr:0.05 num_layers:11\nmodel_params:123\nseed:{seed}\n{TAIL}"
    lines += "Total submission size int8: 15050000 bytes\n"
    if ttt:
        lines += "ttt_sliding:start lr=0.002 freeze_blocks=0\n"
        lines += f"legal_ttt_exact val_loss:1.9 val_bpb:{bpb - 0.01:.8f}\n"
    return lines + f"final_exact val_loss:1.95 val_bpb:{bpb:.8f}\n"


@pytest.fixture
def submit(tmp_path: Path) -> Callable[..., Submission]:
    """A submission of the given files; a dict becomes JSON."""

    def build(script: str = SCRIPT, **files: object) -> Submission:
        for name, content in files.items():
            path = tmp_path / name.replace("__", ".")
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        data = script.encode()
        made = Script(
            "train_gpt.py", len(data), hashlib.sha256(data).hexdigest(), script, script, "train_gpt.py"
        )
        (tmp_path / "train_gpt.py").write_bytes(data)
        sizes = {p.name: p.stat().st_size for p in tmp_path.iterdir()}
        return Submission("t", "records/track_10min_16mb/t", tmp_path, Origin("t"), made, sizes, "record")

    return build


def settings(claim: Claim) -> dict[str, str]:
    return claim.environment()


def test_the_log_that_states_the_score_is_the_claimed_run(submit: Callable[..., Submission]) -> None:
    claim = claimed_configuration(
        submit(submission__json={"val_bpb": 1.2345}, a__log=log(1.3, seed=1), b__log=log(1.2345, seed=2))
    )
    assert claim.log == "b.log"
    assert claim.label == "final_exact val_loss: val_bpb:"
    assert claim.label_evidence is not None
    assert "1.23450000" in claim.label_evidence.snippet
    assert settings(claim)["SEED"] == "2"
    assert claim.artifact_bytes == 15_050_000


def test_a_mean_over_seeds_chooses_the_label_and_the_nearest_log(submit: Callable[..., Submission]) -> None:
    logs = {"a__log": log(1.11, ttt=True), "b__log": log(1.13, ttt=True), "c__log": log(1.121, ttt=True)}
    claim = claimed_configuration(submit(submission__json={"val_bpb": 1.1103}, **logs))
    assert claim.log == "c.log"
    assert claim.label == "legal_ttt_exact val_loss: val_bpb:"


@pytest.mark.parametrize(
    "field", [{"mean_val_bpb": 1.2345}, {"results": {"val_bpb_mean": 1.2345}}, {"bpb": 1.2345}]
)
def test_field_names_vary(submit: Callable[..., Submission], field: dict[str, object]) -> None:
    assert claimed_configuration(submit(submission__json=field, a__log=log(1.2345))).claimed_bpb == 1.2345


def test_other_numbers_of_submission_json_are_not_the_score(submit: Callable[..., Submission]) -> None:
    data = {"baseline_val_bpb": 1.3, "val_bpb_std": 0.0004, "pre_quant_val_bpb": 1.1, "val_bpb": 1.2345}
    assert claimed_configuration(submit(submission__json=data, a__log=log(1.2345))).claimed_bpb == 1.2345


def test_printed_settings_outrank_the_command_and_the_contradiction_is_noted(
    submit: Callable[..., Submission],
) -> None:
    readme = "```bash\nNUM_LAYERS=10 SWA_ENABLED=0 torchrun train_gpt.py\n```\n"
    claim = claimed_configuration(
        submit(submission__json={"val_bpb": 1.2345}, a__log=log(1.2345), README__md=readme)
    )
    assert claim.source == "log"
    assert settings(claim)["NUM_LAYERS"] == "11"
    assert settings(claim)["SWA_ENABLED"] == "0"
    assert any("NUM_LAYERS" in note and "the log decides" in note for note in claim.notes)
    assert claim.ambiguous == ()


def test_a_key_printed_from_another_value_is_not_a_setting(submit: Callable[..., Submission]) -> None:
    claim = claimed_configuration(submit(submission__json={"val_bpb": 1.2345}, a__log=log(1.2345)))
    assert "EMBED_LR" not in settings(claim)


def test_hyperparameter_dumps_become_variables_that_parse_to_the_same_value(
    submit: Callable[..., Submission],
) -> None:
    dump = (
        "Hyperparameters:\n  data_path: /root/x\n  swa_enabled: False\n  ttt_enabled: True\n  ttt_lr: 0.002\n"
    )
    claim = claimed_configuration(submit(submission__json={"val_bpb": 1.2345}, a__log=dump + log(1.2345)))
    held = settings(claim)
    assert (held["SWA_ENABLED"], held["TTT_ENABLED"], held["TTT_LR"]) == ("0", "1", "0.002")
    assert "DATA_PATH" not in held


def test_a_printed_value_ends_where_its_sentence_goes_on(submit: Callable[..., Submission]) -> None:
    script = SCRIPT + "\nif int(os.environ.get('REORDER', '1')):\n    print('REORDER=1: by row')\n"
    claim = claimed_configuration(
        submit(script, submission__json={"val_bpb": 1.2345}, a__log="REORDER=1: by row\n" + log(1.2345))
    )
    assert settings(claim)["REORDER"] == "1"


def test_a_placeholder_claims_nothing(submit: Callable[..., Submission]) -> None:
    readme = "```\nTTT_LR=<your rate> \\\nTTT_ENABLED='<0 or 1>' \\\nNUM_LAYERS=11 \\\ntorchrun train_gpt.py\n```\n"
    claim = claimed_configuration(submit(submission__json={"val_bpb": 1.2345}, README__md=readme))
    assert settings(claim) == {"NUM_LAYERS": "11"}


def test_commands_are_never_merged_with_each_other(submit: Callable[..., Submission]) -> None:
    readme = (
        "# val_bpb 1.2345\n```bash\nTTT_LR=0.5 torchrun train_gpt.py\n```\n\n## Ablation\n"
        "```bash\nSWA_ENABLED=0 torchrun train_gpt.py\n```\n"
    )
    claim = claimed_configuration(submit(submission__json={"val_bpb": 1.2345}, README__md=readme))
    assert claim.source == "readme"
    assert settings(claim) == {"TTT_LR": "0.5"}


def test_a_difference_in_the_readme_is_no_score(submit: Callable[..., Submission]) -> None:
    readme = "The tuning alone gives -0.0079 BPB (BPB: +0.0012 without).\n\n| **val_bpb** | 1.0739 |\n"
    assert claimed_configuration(submit(README__md=readme)).claimed_bpb == 1.0739


def test_a_run_script_comes_before_the_readme(submit: Callable[..., Submission]) -> None:
    shell = "export TTT_ENABLED=1\nfor SEED in 1 2; do\n  SEED=$SEED torchrun train_gpt.py \\\n"
    shell += "    2>&1 | tee log\ndone\n"
    readme = "```\nTTT_ENABLED=0 torchrun train_gpt.py\n```\n"
    claim = claimed_configuration(
        submit(submission__json={"val_bpb": 1.2345}, run__sh=shell, README__md=readme)
    )
    assert claim.source == "run_script"
    assert settings(claim) == {"TTT_ENABLED": "1"}
    assert claim.argv == ()


def test_feature_switched_off_by_the_readme_is_claimed_off(submit: Callable[..., Submission]) -> None:
    script = SCRIPT.replace('"TTT_ENABLED", "0"', '"TTT_ENABLED", "1"')
    readme = "```\nTTT_ENABLED=0 torchrun train_gpt.py\n```\n"
    claim = claimed_configuration(
        submit(script, submission__json={"val_bpb": 1.2345}, a__log=log(1.2345), README__md=readme)
    )
    assert settings(claim)["TTT_ENABLED"] == "0"


def test_a_line_printed_only_under_a_switch_proves_the_switch(submit: Callable[..., Submission]) -> None:
    claim = claimed_configuration(submit(submission__json={"val_bpb": 1.2245}, a__log=log(1.2345, ttt=True)))
    assert settings(claim)["TTT_ENABLED"] == "1"
    assert settings(claim)["TTT_FREEZE_BLOCKS"] == "0"
    assert any("TTT_ENABLED=1" in note for note in claim.notes)


def test_a_switch_is_proved_under_another_name_of_it(submit: Callable[..., Submission]) -> None:
    script = SCRIPT.replace("    if args.ttt_enabled:", "    adapts = args.ttt_enabled\n    if adapts:")
    claim = claimed_configuration(
        submit(script, submission__json={"val_bpb": 1.2245}, a__log=log(1.2345, ttt=True))
    )
    assert settings(claim)["TTT_ENABLED"] == "1"


@pytest.mark.parametrize("again", ["    adapts = args.slot_enabled", "    adapts = adapts and True"])
def test_a_name_of_several_meanings_proves_no_switch(submit: Callable[..., Submission], again: str) -> None:
    script = SCRIPT.replace(
        "    if args.ttt_enabled:", f"    adapts = args.ttt_enabled\n{again}\n    if adapts:"
    )
    claim = claimed_configuration(
        submit(script, submission__json={"val_bpb": 1.2245}, a__log=log(1.2345, ttt=True))
    )
    assert "TTT_ENABLED" not in settings(claim)


@pytest.mark.parametrize(("digits", "proved"), [(8, True), (4, False)])
def test_another_log_of_the_same_run_proves_switches_too(
    submit: Callable[..., Submission], digits: int, proved: bool
) -> None:
    """The script's own log file lacks what was printed; what the terminal showed states the same score."""
    own = log(1.23456789)
    shown = f"ttt_sliding:start lr=0.002 freeze_blocks=0\nfinal_exact val_loss:1.95 val_bpb:{1.23456789:.{digits}f}\n"
    made = submit(submission__json={"val_bpb": 1.23456789}, a__log=own, b__log=shown)
    assert (settings(claimed_configuration(made)).get("TTT_ENABLED") == "1") == proved


def test_a_line_printed_only_in_one_mode_proves_the_mode(submit: Callable[..., Submission]) -> None:
    script = SCRIPT.replace(
        'eval_only = os.environ.get("EVAL_ONLY", "")', 'ttt_mode = os.environ.get("TTT_MODE", "standard")'
    ).replace("if args.ttt_enabled:", 'if args.ttt_mode == "lora":')
    claim = claimed_configuration(
        submit(script, submission__json={"val_bpb": 1.2245}, a__log=log(1.2345, ttt=True))
    )
    assert settings(claim)["TTT_MODE"] == "lora"
    other = claimed_configuration(submit(script, submission__json={"val_bpb": 1.2345}, a__log=log(1.2345)))
    assert "TTT_MODE" not in settings(other)


def test_a_title_s_feature_is_not_in_doubt_where_the_log_shows_a_way_of_it(
    submit: Callable[..., Submission],
) -> None:
    script = SCRIPT.replace(
        'eval_only = os.environ.get("EVAL_ONLY", "")', 'ttt_mode = os.environ.get("TTT_MODE", "standard")'
    ).replace("if args.ttt_enabled:", 'if args.ttt_mode == "lora":')
    for ran in (True, False):
        made = submit(
            script, submission__json={"val_bpb": 1.2245 if ran else 1.2345}, a__log=log(1.2345, ttt=ran)
        )
        claim = claimed_configuration(dataclasses.replace(made, folder=f"{made.folder}_LoRA_TTT"))
        assert (not claim.ambiguous) == ran, claim.ambiguous


def test_a_line_that_is_missing_proves_the_switch_off(submit: Callable[..., Submission]) -> None:
    script = SCRIPT.replace('"TTT_ENABLED", "0"', '"TTT_ENABLED", "1"')
    claim = claimed_configuration(submit(script, submission__json={"val_bpb": 1.2345}, a__log=log(1.2345)))
    assert settings(claim)["TTT_ENABLED"] == "0"


def test_a_command_that_the_log_s_missing_line_denies_is_in_doubt(submit: Callable[..., Submission]) -> None:
    readme = "```\nTTT_ENABLED=1 torchrun train_gpt.py\n```\n"
    denied = claimed_configuration(
        submit(submission__json={"val_bpb": 1.2345}, README__md=readme, a__log=log(1.2345))
    )
    assert settings(denied)["TTT_ENABLED"] == "0"
    assert "README.md:2 says TTT_ENABLED=1" in denied.ambiguous[0]
    shown = claimed_configuration(
        submit(submission__json={"val_bpb": 1.2245}, README__md=readme, a__log=log(1.2345, ttt=True))
    )
    assert settings(shown)["TTT_ENABLED"] == "1"
    assert shown.ambiguous == ()


@pytest.mark.parametrize("mode", ["standard", "sliding"])
def test_the_line_of_the_other_branch_proves_a_size_zero(
    submit: Callable[..., Submission], mode: str
) -> None:
    script = SCRIPT.replace(
        'eval_only = os.environ.get("EVAL_ONLY", "")', 'stride = int(os.environ.get("EVAL_STRIDE", 64))'
    ).replace(
        "    if args.ttt_enabled:\n",
        "    if args.stride > 0 and args.stride < args.num_layers * 99:\n"
        '        print(f"final_eval_mode:sliding stride:{args.stride}")\n'
        "    else:\n"
        '        print("final_eval_mode:standard")\n'
        "    if args.ttt_enabled:\n",
    )
    told = log(1.2345).replace("final_exact", f"final_eval_mode:{mode}\nfinal_exact")
    claim = claimed_configuration(submit(script, submission__json={"val_bpb": 1.2345}, a__log=told))
    assert settings(claim).get("EVAL_STRIDE") == ("0" if mode == "standard" else None)


def test_commands_that_disagree_on_a_feature_are_ambiguous(submit: Callable[..., Submission]) -> None:
    readme = (
        "```\nSLOT_ENABLED=1 torchrun train_gpt.py\n```\n```\nSLOT_ENABLED=0 torchrun train_gpt.py\n```\n"
    )
    claim = claimed_configuration(submit(submission__json={"val_bpb": 1.2345}, README__md=readme))
    assert len(claim.ambiguous) == 1
    assert "SLOT_ENABLED" in claim.ambiguous[0]


def test_a_command_for_part_of_the_script_does_not_stop_it_from_training(
    submit: Callable[..., Submission],
) -> None:
    readme = "```\nEVAL_ONLY=final.pt TTT_ENABLED=1 torchrun train_gpt.py\n```\n"
    claim = claimed_configuration(submit(submission__json={"val_bpb": 1.2345}, README__md=readme))
    assert settings(claim) == {"TTT_ENABLED": "1"}
    assert any("only a part" in note for note in claim.notes)


def test_numbers_of_an_embedded_script_are_not_results(submit: Callable[..., Submission]) -> None:
    source = SCRIPT.replace("seed = int", "# val_bpb: 1.2345\n    seed = int")
    claim = claimed_configuration(
        submit(submission__json={"val_bpb": 1.2345}, a__log=source + "=" * 100 + "\n" + log(1.25))
    )
    assert claim.log is None or claim.label_evidence is not None
    assert "1.2345" not in (claim.label_evidence.snippet if claim.label_evidence else "")
    assert any("no line" in note for note in claim.notes)


def test_a_log_of_another_script_is_noted(submit: Callable[..., Submission]) -> None:
    other = SCRIPT.replace("num_layers * 2", "num_layers").replace("1337", "7") + "\n" * 2
    claim = claimed_configuration(
        submit(submission__json={"val_bpb": 1.2345}, a__log=other + "=" * 100 + "\n" + log(1.2345))
    )
    assert any("embeds another script" in note for note in claim.notes)


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", '{"val_bpb": "x"}', '{"val_bpb": 1e999}', "\x00\x01"])
def test_broken_submission_json_is_no_error(submit: Callable[..., Submission], content: str) -> None:
    claim = claimed_configuration(submit(submission__json=content, a__log=log(1.2345)))
    assert claim.label == "final_exact val_loss: val_bpb:"


def test_a_script_that_does_not_parse_keeps_its_command(submit: Callable[..., Submission]) -> None:
    readme = "```\nTTT_ENABLED=1 torchrun train_gpt.py\n```\n"
    claim = claimed_configuration(
        submit("def broken(:\n", submission__json={"val_bpb": 1.2345}, README__md=readme)
    )
    assert settings(claim) == {"TTT_ENABLED": "1"}


def test_a_file_that_turns_a_feature_on_is_a_setting_and_a_place_on_a_machine_is_none(
    submit: Callable[..., Submission],
) -> None:
    script = SCRIPT.replace(
        "    seed = int",
        '    prefix_file = os.environ.get("PREFIX_FILE", "")\n'
        '    words_file = os.environ.get("WORDS_FILE", "words.txt")\n'
        '    resume_file = os.environ.get("RESUME_FILE", "")\n    seed = int',
        1,
    )
    readme = "```\nPREFIX_FILE=prefix.xz WORDS_FILE=mine.txt RESUME_FILE=a.pt python train_gpt.py\n```\n"
    held = {s.name: s.value for s in claimed_configuration(submit(script, **{"README.md": readme})).settings}
    assert held.get("PREFIX_FILE") == "prefix.xz"
    assert "WORDS_FILE" not in held
    assert "RESUME_FILE" not in held
    away = readme.replace("=prefix.xz", "=/home/me/prefix.xz")
    held = {s.name: s.value for s in claimed_configuration(submit(script, **{"README.md": away})).settings}
    assert "PREFIX_FILE" not in held


def test_numbers_beyond_measure_are_none(submit: Callable[..., Submission]) -> None:
    data = f'{{"val_bpb": 1.2345, "bytes_total": {"9" * 400}, "date": {"9" * 30}, "x": {{"²": 1.1}}}}'
    claim = claimed_configuration(submit(submission__json=data, a__log=log(1.2345)))
    assert claim.claimed_bpb == 1.2345
    assert claim.artifact_bytes is None or claim.artifact_bytes < 10**18


def test_a_small_file_beside_is_not_the_script_that_a_log_embeds(submit: Callable[..., Submission]) -> None:
    older = SCRIPT + "".join(f"old_{n} = {n}\n" for n in range(150))
    newer = SCRIPT + "".join(f"new_{n} = {n}\n" for n in range(400))
    files = {"helper__py": "import os\n\nBYTES = 2\n", "a__log": older + "=" * 100 + "\n" + log(1.2345)}
    assert claimed_configuration(submit(newer, submission__json={"val_bpb": 1.2345}, **files)).log == "a.log"
    files["helper__py"] = older
    assert claimed_configuration(submit(newer, submission__json={"val_bpb": 1.2345}, **files)).log is None


def test_settings_that_the_readme_names_without_a_command(submit: Callable[..., Submission]) -> None:
    script = SCRIPT.replace(
        'eval_only = os.environ.get("EVAL_ONLY", "")', 'mode = os.environ.get("EVAL_MODE", "sliding")'
    )
    readme = (
        "Scored by `EVAL_MODE=ngram`, with `NUM_LAYERS=9`.\nThe baseline has `EMBED_LR=0.5`.\n"
        "`TTT_LR=0.1` in one place\nand `TTT_LR=0.2` in another. `TTT_ENABLED=1`.\n```\nTTT_FREEZE_BLOCKS=3\n```\n"
    )
    claim = claimed_configuration(submit(script, submission__json={"val_bpb": 1.2345}, README__md=readme))
    assert settings(claim) == {"EVAL_MODE": "ngram", "TTT_FREEZE_BLOCKS": "3"}
    assert ["README.md:4 names TTT_ENABLED=1" in doubt for doubt in claim.ambiguous] == [True]
    command = f"{readme}```\nSWA_ENABLED=0 torchrun train_gpt.py\n```\n"
    told = claimed_configuration(submit(script, submission__json={"val_bpb": 1.2345}, README__md=command))
    assert settings(told) == {"SWA_ENABLED": "0"}
    assert told.ambiguous == ()


@pytest.mark.parametrize(
    ("default", "held"), [("100,1000", "100.0,2000.0"), ("[100, 1000]", "[100.0, 2000.0]")]
)
def test_a_list_that_the_script_makes_of_a_text_is_that_text(
    submit: Callable[..., Submission], default: str, held: str
) -> None:
    line = f'    rope_bases = os.environ.get("ROPE_BASES", "{default}")\n'
    script = SCRIPT.replace("    eval_only", line + "    eval_only").replace(
        '    print(f"model_params',
        '    bases = [float(b) for b in args.rope_bases.strip("[]").split(",")]\n'
        '    print(f"rope_bases:{bases}")\n    print(f"model_params',
    )
    printed = "rope_bases:[100.0, 2000.0]\n" + log(1.2345)
    claim = claimed_configuration(submit(script, submission__json={"val_bpb": 1.2345}, a__log=printed))
    assert settings(claim).get("ROPE_BASES") == held
