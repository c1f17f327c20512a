"""Labels of printed scores change in the script and in its logs alike, and nothing else does."""

from __future__ import annotations

from pathlib import Path

from harness.bench.renamed import copy_of
from harness.bench.rewording import labels, reworded, reworded_papers
from harness.intake import load_target

SOURCE = """
import os
mode = os.environ.get("MODE", "sliding")
log(f"step:{step}/{steps} val_loss:{loss:.4f} val_bpb:{bpb:.4f}")
log(f"final_int6_roundtrip val_loss:{loss:.4f} val_bpb:{bpb:.4f} eval_time:{ms}ms")
log(f"sliding legal_ttt_exact "
    f"val_loss: {loss:.8f}")
log("saved artifact of the roundtrip")
"""


def test_words_before_a_score_are_labels() -> None:
    assert labels(SOURCE) == {"final_int6_roundtrip": "lq0x", "legal_ttt_exact": "lq1x"}


def test_the_script_prints_other_words() -> None:
    text = reworded(SOURCE, labels(SOURCE))
    assert "lq0x val_loss:" in text
    assert "sliding lq1x val_loss:" in text
    assert "saved artifact of the roundtrip" in text
    assert "final_int6_roundtrip" not in text


def test_only_lines_with_a_score_change_in_a_log() -> None:
    log = "final_int6_roundtrip begins\r\nfinal_int6_roundtrip val_loss:3.1 val_bpb:1.2\r\n"
    new = "final_int6_roundtrip begins\r\nlq0x val_loss:3.1 val_bpb:1.2\r\n"
    assert reworded_papers({"train.log": log}, labels(SOURCE)) == {"train.log": new}


def test_a_copy_has_its_own_log_and_other_files_are_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    log = "final_int6_roundtrip val_loss:3.1000 val_bpb:1.2000\n"
    example = Path(__file__).parents[2] / "submissions/pass/plain_eval/train_gpt.py"
    script = example.read_text() + SOURCE.replace("import os", "")
    (folder / "train.log").write_text(script + log)
    (folder / "model.ptz").write_bytes(bytes(range(256)))
    (folder / "train_gpt.py").write_text(script)
    (submission,) = load_target(folder, tmp_path / "work")
    made = copy_of(submission, tmp_path / "copy")
    assert made is not None
    copy, said = made
    assert said.labels >= 2
    assert copy.script is not None
    assert (copy.root / "train.log").read_text().startswith(copy.script.source.strip())
    assert "final_int6_roundtrip" not in (copy.root / "train.log").read_text()
    assert (submission.root / "train.log").read_text() == script + log
    assert (copy.root / "model.ptz").read_bytes() == bytes(range(256))
