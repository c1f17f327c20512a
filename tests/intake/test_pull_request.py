"""Pull requests of a git clone: what counts as changed, where it was merged, and names that mean harm."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.case import Submission
from harness.intake import IntakeError, load_pull_request

TRAIN = """\
import torch
import torch.nn.functional as F

def eval_val(model, val_tokens):
    return F.cross_entropy(model(val_tokens[:-1]), val_tokens[1:])

if __name__ == "__main__":
    print("val_bpb", {value})
"""
EVAL = """\
import torch
from train_gpt import eval_val

if __name__ == "__main__":
    val_tokens = torch.zeros(8)
    print("val_loss", eval_val(None, val_tokens))
"""
PREPARE = "import numpy\nif __name__ == '__main__':\n    numpy.zeros(3).tofile('fineweb_val_000000.bin')\n"
R = "records/track_10min_16mb"


def train(value: int) -> str:
    return TRAIN.replace("{value}", str(value))


class Clone:
    """A throw-away clone with a main line and pull requests."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")
        self.commit(
            {"README.md": "challenge", "train_gpt.py": train(0), f"{R}/base/train_gpt.py": train(1)}, "Start"
        )

    def git(self, *arguments: str, feed: bytes | None = None) -> str:
        identity = (
            "-c",
            "user.name=Tester",
            "-c",
            "user.email=tester@example.org",
            "-c",
            "commit.gpgsign=false",
        )
        return subprocess.run(
            ("git", "-C", str(self.path), *identity, *arguments), input=feed, capture_output=True, check=True
        ).stdout.decode().strip()  # fmt: skip

    def commit(self, files: dict[str, str | bytes | None], subject: str) -> str:
        for name, content in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                target.unlink()
            else:
                target.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "-A", "--force")
        self.git("commit", "-q", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def pull_request(self, number: int, files: dict[str, str | bytes | None]) -> str:
        """A branch off the main line; its files are committed, and the work tree goes back to the main line."""
        self.git("checkout", "-q", "-b", f"pr{number}")
        head = self.commit(files, "Work")
        self.git("checkout", "-q", "main")
        self.git("update-ref", f"refs/pull/{number}/head", head)
        return head

    def raw_pull_request(self, number: int, entries: list[tuple[str, str, bytes]]) -> None:
        """A pull request whose top-level tree is the main line's and these (mode, name, content), unchecked."""
        rows = self.git("ls-tree", "-z", "HEAD").split("\0")[:-1]
        for mode, name, content in entries:
            if mode == "160000":
                object = "1" * 40
            else:
                object = self.git("hash-object", "-w", "--stdin", feed=content)
            rows.append(f"{mode} {'commit' if mode == '160000' else 'blob'} {object}\t{name}")
        tree = self.git("mktree", "-z", "--missing", feed="".join(f"{r}\0" for r in rows).encode())
        head = self.git("commit-tree", tree, "-p", "HEAD", "-m", "Raw")
        self.git("update-ref", f"refs/pull/{number}/head", head)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def load(clone: Clone, number: int, tmp_path: Path) -> list[Submission]:
    return load_pull_request(clone.path, number, tmp_path / "workspace")


def scripts(found: list[Submission]) -> list[tuple[str, str | None]]:
    return [(s.folder, s.script.path if s.script else None) for s in found]


def notes(found: list[Submission]) -> str:
    return " ".join(n for s in found for n in s.notes)


def test_two_folders_and_an_evaluation_script_are_three_submissions(clone: Clone, tmp_path: Path) -> None:
    head = clone.pull_request(
        7,
        {
            f"{R}/one/train_gpt.py": train(2),
            f"{R}/one/eval_ttt.py": EVAL,
            f"{R}/one/prepare_data.py": PREPARE,
            f"{R}/one/README.md": "read me",
            "records/track_non_record_16mb/two/train_gpt.py": train(3),
        },
    )
    clone.commit({f"{R}/other/train_gpt.py": train(9)}, "Somebody else's record (#6)")
    found = load(clone, 7, tmp_path)
    assert scripts(found) == [
        (f"{R}/one", "train_gpt.py"),
        (f"{R}/one", "eval_ttt.py"),
        ("records/track_non_record_16mb/two", "train_gpt.py"),
    ]
    assert [s.track for s in found] == ["record", "record", "non_record"]
    first = found[0]
    assert first.files == {
        "README.md": 7,
        "eval_ttt.py": len(EVAL),
        "prepare_data.py": len(PREPARE),
        "train_gpt.py": len(train(2)),
    }
    assert (first.root / "README.md").read_text() == "read me"
    assert (first.origin.pull_request, first.origin.head_sha, first.origin.merged) == (7, head, False)
    assert found[1].root == first.root


def test_what_an_old_branch_brings_of_others_is_not_counted(clone: Clone, tmp_path: Path) -> None:
    other = {f"{R}/other/train_gpt.py": train(9)}
    clone.pull_request(8, other | {f"{R}/mine/train_gpt.py": train(4)})
    clone.commit(dict(other), "Somebody else's record (#6)")
    found = load(clone, 8, tmp_path)
    assert scripts(found) == [(f"{R}/mine", "train_gpt.py")]
    assert "1 files that the main line already holds unchanged" in notes(found)


def test_a_folder_of_which_the_main_line_got_a_part_later_stays_whole(clone: Clone, tmp_path: Path) -> None:
    script = {f"{R}/mine/train_gpt.py": train(4)}
    clone.pull_request(8, script | {f"{R}/mine/README.md": "first", "train_gpt.py": train(5)})
    clone.commit(script | {f"{R}/mine/README.md": "second"}, "The same, opened again (#9)")
    found = load(clone, 8, tmp_path)
    assert scripts(found) == [(f"{R}/mine", "train_gpt.py")]
    assert found[0].files.keys() == {"README.md", "train_gpt.py"}


@pytest.mark.parametrize("how", ["merge commit", "squash"])
def test_a_merged_pull_request_is_compared_with_the_main_line_before_its_merge(
    clone: Clone, tmp_path: Path, how: str
) -> None:
    head = clone.pull_request(9, {f"{R}/mine/train_gpt.py": train(5), f"{R}/mine/train.log": "log"})
    before = clone.commit({f"{R}/other/train_gpt.py": train(9)}, "Another record (#4)")
    if how == "squash":
        clone.commit(
            {f"{R}/mine/train_gpt.py": train(5), f"{R}/mine/train.log": "log"}, "Record: mine (1.1) (#9)"
        )
    else:
        clone.git("merge", "-q", "--no-ff", "-m", "Merge pull request #9 from mine", head)
    clone.commit({f"{R}/later/train_gpt.py": train(6)}, "A later record (#10)")
    found = load(clone, 9, tmp_path)
    assert scripts(found) == [(f"{R}/mine", "train_gpt.py")]
    assert found[0].origin.merged is True
    assert found[0].origin.base_sha == clone.git("merge-base", before, head)
    assert set(found[0].files) == {"train_gpt.py", "train.log"}


def test_a_number_in_a_subject_that_is_not_the_merge_does_not_count(clone: Clone, tmp_path: Path) -> None:
    clone.pull_request(12, {f"{R}/mine/train_gpt.py": train(5)})
    clone.commit({"README.md": "new"}, "Discuss #12 and (#12) again (#3)")
    assert load(clone, 12, tmp_path)[0].origin.merged is False


def test_a_script_at_the_top_level_is_a_submission_with_a_note(clone: Clone, tmp_path: Path) -> None:
    clone.pull_request(3, {"train_gpt.py": train(7)})
    found = load(clone, 3, tmp_path)
    assert scripts(found) == [("", "train_gpt.py")]
    assert found[0].track == "unknown"
    assert "outside records/" in notes(found)


def test_a_copy_outside_records_is_audited_once(clone: Clone, tmp_path: Path) -> None:
    clone.pull_request(3, {"train_gpt.py": train(7), f"{R}/mine/train_gpt.py": train(7)})
    found = load(clone, 3, tmp_path)
    assert scripts(found) == [(f"{R}/mine", "train_gpt.py")]
    assert "not audited: the record folder is the submission" in notes(found)


def test_unchanged_modules_that_a_changed_script_needs_are_laid_out(clone: Clone, tmp_path: Path) -> None:
    clone.commit(
        {f"{R}/base/model.py": "X = 1\n", f"{R}/base/table.json": "{}", f"{R}/base/idle.py": "Y = 1\n"},
        "More",
    )
    source = "import model\nopen('table.json')\n" + train(8)
    clone.pull_request(5, {f"{R}/base/train_gpt.py": source})
    found = load(clone, 5, tmp_path)
    assert scripts(found) == [(f"{R}/base", "train_gpt.py")]
    assert set(found[0].files) == {"train_gpt.py", "model.py", "table.json"}
    assert (
        "Unchanged files that its scripts need were taken from its head: model.py, table.json."
        in found[0].notes
    )


def test_a_script_that_runs_another_record_is_followed_there(clone: Clone, tmp_path: Path) -> None:
    launcher = (
        "import runpy\nfrom pathlib import Path\nroot = Path(__file__).resolve().parents[3]\n"
        "runpy.run_path(str(root / 'records' / 'track_10min_16mb' / 'base' / 'train_gpt.py'), run_name='__main__')\n"
    )
    clone.pull_request(5, {f"{R}/mine/train_gpt.py": launcher})
    script = load(clone, 5, tmp_path)[0].script
    assert script is not None
    assert script.source == train(1)
    assert script.stages == ("file ../../../records/track_10min_16mb/base/train_gpt.py",)


def test_nothing_to_run_is_said(clone: Clone, tmp_path: Path) -> None:
    clone.pull_request(1, {"README.md": "typo"})
    clone.pull_request(2, {f"{R}/mine/helper.py": "X = 1\n", f"{R}/mine/train_gpt.py": "\n"})
    clone.pull_request(3, {f"{R}/base/train_gpt.py": None})
    clone.pull_request(4, {"tool.py": "X = 1\n"})
    found = {n: load(clone, n, tmp_path) for n in (1, 2, 3, 4)}
    assert [len(f) for f in found.values()] == [1, 1, 1, 1]
    assert all(f[0].script is None for f in found.values())
    assert "no Python script" in notes(found[1])
    assert f"No script in {R}/mine computes" in notes(found[2])
    assert "(train_gpt.py is empty)" in notes(found[2])
    assert set(found[2][0].files) == {"helper.py", "train_gpt.py"}
    assert f"Deleted, so not audited: {R}/base/train_gpt.py." in notes(found[3])
    assert "nothing to run: tool.py." in notes(found[4])


def test_a_record_in_which_nothing_scores_is_mentioned_beside_one_that_does(
    clone: Clone, tmp_path: Path
) -> None:
    clone.pull_request(2, {f"{R}/mine/train_gpt.py": train(1), f"{R}/old/README.md": "only words"})
    found = load(clone, 2, tmp_path)
    assert scripts(found) == [(f"{R}/mine", "train_gpt.py")]
    assert f"No script in {R}/old computes" in notes(found)


def test_papers_of_a_record_without_a_script_go_with_the_script_elsewhere(
    clone: Clone, tmp_path: Path
) -> None:
    papers: dict[str, str | bytes | None] = {f"{R}/mine/submission.json": "{}", f"{R}/mine/logs.txt": "x"}
    clone.pull_request(2, {"train_mine.py": train(7), "README.md": "mine", **papers})
    clone.pull_request(3, {"train_mine.py": train(7), f"{R}/base/notes.md": "only words"})
    clone.pull_request(4, {"a/train.py": train(7), "b/train.py": train(8), **papers})
    found = load(clone, 2, tmp_path)
    assert scripts(found) == [(f"{R}/mine", "train_mine.py")]
    assert found[0].track == "record"
    assert set(found[0].files) == {"submission.json", "logs.txt", "train_mine.py"}
    assert "taken for its script: train_mine.py." in notes(found)
    assert [s.folder for s in load(clone, 3, tmp_path)] == [""]
    several = load(clone, 4, tmp_path)
    assert [(s.folder, s.script.path if s.script else None) for s in several] == [
        (f"{R}/mine", None),
        ("a", "train.py"),
        ("b", "train.py"),
    ]


def test_papers_that_the_change_leaves_alone_are_read_with_its_script(clone: Clone, tmp_path: Path) -> None:
    papers: dict[str, str | bytes | None] = {
        f"{R}/base/{n}": "x" for n in ("README.md", "submission.json", "train.log", "idle.txt.bak")
    }
    clone.commit(papers, "Papers")
    clone.pull_request(3, {f"{R}/base/train_gpt.py": train(7)})
    found = load(clone, 3, tmp_path)
    assert set(found[0].files) == {"train_gpt.py", "README.md", "submission.json", "train.log"}
    assert "leaves as they are were taken from its head: README.md, submission.json, train.log." in notes(
        found
    )


def test_links_submodules_pointers_and_large_files_are_left_out_with_a_sentence(
    clone: Clone, tmp_path: Path
) -> None:
    folder = clone.path / R / "mine"
    folder.mkdir(parents=True)
    (folder / "link.txt").symlink_to("/etc/passwd")
    clone.pull_request(
        4,
        {
            f"{R}/mine/train_gpt.py": train(2),
            f"{R}/mine/model.ptz": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
            f"{R}/mine/big.bin": bytes(20_000_001),
        },
    )
    found = load(clone, 4, tmp_path)
    assert set(found[0].files) == {"train_gpt.py"}
    assert f"symbolic link: {R}/mine/link.txt." in notes(found)
    assert "Git LFS pointer, not the file: model.ptz." in notes(found)
    assert "larger than 20,000,000 bytes: big.bin." in notes(found)


def test_an_object_that_the_clone_lacks_is_said(clone: Clone, tmp_path: Path) -> None:
    clone.pull_request(4, {f"{R}/mine/train_gpt.py": train(2), f"{R}/mine/lost.txt": "lost"})
    object = clone.git("hash-object", "--stdin", feed=b"lost")
    (clone.path / ".git" / "objects" / object[:2] / object[2:]).unlink()
    found = load(clone, 4, tmp_path)
    assert set(found[0].files) == {"train_gpt.py"}
    assert "missing in the clone" in notes(found)


@pytest.mark.parametrize(
    "name", ["..", "a\\..\\..\\b.py", "new\nline.py", "\x1b[31mred.py", "-rf.py", "$(touch x).py", "a b'.py"]
)
def test_hostile_names_do_no_harm(clone: Clone, tmp_path: Path, name: str) -> None:
    clone.raw_pull_request(6, [("100644", name, train(3).encode()), ("160000", "sub", b"")])
    found = load(clone, 6, tmp_path)
    laid_out = [p for p in (tmp_path / "workspace").rglob("*") if p.is_file()]
    assert all(p.resolve().is_relative_to((tmp_path / "workspace").resolve()) for p in laid_out)
    assert "submodule" in notes(found)
    said = notes(found) + "".join(s.name + s.folder for s in found)
    assert said.isprintable()
    harmless = name in ("-rf.py", "$(touch x).py", "a b'.py")
    assert [p.name for p in laid_out if p.name != "sub"] == ([name] if harmless else [])


def test_settings_of_a_hostile_clone_run_nothing(clone: Clone, tmp_path: Path) -> None:
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    clone.pull_request(
        4, {f"{R}/mine/train_gpt.py": train(2), ".gitattributes": "* diff=x filter=x textconv=x\n"}
    )
    for key in (
        "diff.external",
        "diff.x.command",
        "diff.x.textconv",
        "filter.x.smudge",
        "core.fsmonitor",
        "core.pager",
    ):
        clone.git("config", key, str(trap))
    assert scripts(load(clone, 4, tmp_path)) == [(f"{R}/mine", "train_gpt.py")]
    assert not (tmp_path / "sprung").exists()


def test_a_bare_clone_reads_the_same(clone: Clone, tmp_path: Path) -> None:
    clone.pull_request(4, {f"{R}/mine/train_gpt.py": train(2)})
    bare = tmp_path / "bare.git"
    subprocess.run(("git", "clone", "-q", "--mirror", str(clone.path), str(bare)), check=True)
    found = load_pull_request(bare, 4, tmp_path / "workspace")
    assert scripts(found) == [(f"{R}/mine", "train_gpt.py")]


def test_a_pull_request_that_the_clone_lacks_is_fetched(clone: Clone, tmp_path: Path) -> None:
    head = clone.pull_request(4, {f"{R}/mine/train_gpt.py": train(2)})
    copy = tmp_path / "copy"
    subprocess.run(
        ("git", "clone", "-q", "--branch", "main", "--single-branch", str(clone.path), str(copy)), check=True
    )
    found = load_pull_request(copy, 4, tmp_path / "workspace")
    assert found[0].origin.head_sha == head
    with pytest.raises(IntakeError, match=r"does not have pull request 5 .*origin: "):
        load_pull_request(copy, 5, tmp_path / "workspace")


def test_a_clone_without_remote_says_so(clone: Clone, tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match="no remote"):
        load(clone, 99, tmp_path)


@pytest.mark.parametrize("number", [0, -1, True])
def test_what_is_no_number_is_refused(clone: Clone, tmp_path: Path, number: int) -> None:
    with pytest.raises(IntakeError, match="not the number"):
        load(clone, number, tmp_path)


def test_what_is_no_clone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match="is not a git clone"):
        load_pull_request(tmp_path, 1, tmp_path / "workspace")
    with pytest.raises(IntakeError, match="is not a folder"):
        load_pull_request(tmp_path / "absent", 1, tmp_path / "workspace")


def test_unrelated_history_is_compared_with_the_main_line(clone: Clone, tmp_path: Path) -> None:
    clone.git("checkout", "-q", "--orphan", "alone")
    head = clone.commit({f"{R}/mine/train_gpt.py": train(2)}, "Alone")
    clone.git("checkout", "-q", "main")
    clone.git("update-ref", "refs/pull/2/head", head)
    found = load(clone, 2, tmp_path)
    assert scripts(found) == [(f"{R}/mine", "train_gpt.py")]
    assert "nothing in common with the main line" in notes(found)


def test_the_change_as_a_whole_is_kept(clone: Clone, tmp_path: Path) -> None:
    files: dict[str, str | bytes | None] = {
        "records/track_10min_16mb/a/train_gpt.py": train(1),
        "records/track_10min_16mb/a/logs/run.txt": "val_bpb:1.2\n",
        "records/track_10min_16mb/b/README.md": "b\n",
        "tools/plot.py": "print(1)\n",
    }
    clone.pull_request(7, files)
    change = load(clone, 7, tmp_path)[0].origin.change
    assert change is not None
    assert change.folders == ("records/track_10min_16mb/a", "records/track_10min_16mb/b")
    assert (change.outside, change.outside_count, change.altered_count) == (("tools/plot.py",), 1, 0)
