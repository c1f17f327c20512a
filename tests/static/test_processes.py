"""What a forked process does is followed: it may hand its work back in a file."""

from __future__ import annotations

from tests.static import scripts
from tests.static.test_order import kinds, look

FORKED = scripts.BEFORE.replace(
    "    if s.adapt:\n        with torch.enable_grad():\n            tune(s, net, val)\n",
    """    child = os.fork()
    if child == 0:
        with torch.enable_grad():
            tune(s, net, val)
        torch.save(net.state_dict(), "tuned.pt")
        os._exit(0)
    os.waitpid(child, 0)
    net.load_state_dict(torch.load("tuned.pt"))
""",
)


def test_a_forked_process_that_trains_on_val() -> None:
    assert "fork" in FORKED
    assert kinds(look(scripts.script(FORKED)), "depends") == {"train_on_val_before_score"}


def test_a_way_out_is_no_violation() -> None:
    leaving = scripts.PLAIN.replace(
        "    total, count", "    if val.numel() < 2:\n        os._exit(1)\n    total, count"
    )
    assert look(scripts.script(leaving)).facts == ()
