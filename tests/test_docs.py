"""The documentation is true: its rule works, its links lead somewhere, its commands and options exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

TRY = """
import sys
from pathlib import Path
from harness.case import Case, Claim, Origin, Submission
from rules.registry import all_rules
before = {r.id for r in all_rules()}
exec(compile(Path(sys.argv[1]).read_text(), sys.argv[1], "exec"), {"__name__": "__main__"})
(new,) = [r for r in all_rules() if r.id not in before]
for files in ({"train_gpt.py": 1}, {"train_gpt.py": 1, "kernels.so": 9}):
    case = Case(Submission("n", "f", Path(), Origin(""), None, files), Claim())
    print(new.id, new.check(case).status.value)
"""


def test_the_rule_of_the_contributor_page_works(tmp_path: Path) -> None:
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs/contributing.md").read_text(), re.S)
    assert code is not None
    file = tmp_path / "P9.py"
    file.write_text(code[1])
    done = subprocess.run([sys.executable, "-c", TRY, str(file)], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:2] == ["P9 pass", "P9 review"], done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), target


def commands() -> list[tuple[str, list[str]]]:
    found = []
    for page in PAGES:
        for line in re.findall(r"(?:python cli\.py|pgolf-audit) ([^\n`#]+)", page.read_text()):
            words = [word for word in shlex.split(line.replace("...", "")) if word not in ("|", "&&")]
            found.append((page.name, words))
    return found


@pytest.mark.parametrize(("page", "words"), commands(), ids=lambda value: str(value))
def test_commands_and_options_exist(page: str, words: list[str]) -> None:
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            pytest.fail(f"{page}: there is no command {words[0]}")
        command = command.commands[words.pop(0)]
    options = {name for p in command.params for name in p.opts} | {"--help", "--version"}
    assert {word for word in words if word.startswith("--")} <= options, page
