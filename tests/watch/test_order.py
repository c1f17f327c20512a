"""What the trace says of scripts that keep the order of scoring and updating, and of scripts that break it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.witnesses.trace import Trace

from .conftest import line_of

Watched = Callable[[str], Trace]

HONEST = {
    "plain": "evaluate()",
    "score first, optimizer": """
        total = 0.0
        for i in range(0, 32, 4):
            with torch.no_grad():
                total += net(X[i:i+4], Y[i:i+4]).item() * 256
            for _ in range(3):
                train(X[i:i+4], Y[i:i+4])
        report(total / 2048)
        """,
    "score first, by hand": """
        total = torch.zeros(())
        for i in range(0, 32, 4):
            loss = net(X[i:i+4], Y[i:i+4])
            total += loss.detach()
            loss.backward()
            for p in net.parameters():
                p.data -= 0.1 * p.grad
                p.grad = None
        report((total / 8).item())
        """,
    "trained and restored": """
        kept = {k: v.clone() for k, v in net.state_dict().items()}
        train(X[:4], Y[:4])
        net.load_state_dict(kept)
        evaluate()
        """,
    "adapter reset for each document": """
        class Adapter(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Parameter(torch.zeros(64))
                self.reset()
            def reset(self):
                nn.init.uniform_(self.a, -0.01, 0.01)
            def forward(self, x):
                return x + self.a
        adapter, total = Adapter(), 0.0
        for i in range(0, 32, 4):
            adapter.reset()
            for j in range(i, i + 4):
                loss = F.cross_entropy(adapter(net.logits(X[j:j+1]))[0], Y[j])
                total += loss.item() * 64
                adapter.zero_grad()
                loss.backward()
                with torch.no_grad():
                    for p in adapter.parameters():
                        p.sub_(0.1 * p.grad)
        report(total / 2048)
        """,
    "adapter of another run thrown away": """
        class Adapter(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Parameter(torch.zeros(64))
            def forward(self, x):
                return x + self.a
        warm = Adapter()
        opt = torch.optim.AdamW(warm.parameters())
        F.cross_entropy(warm(net.logits(X[:2])).view(-1, 64), Y[:2].view(-1)).backward()
        opt.step()
        evaluate()
        """,
    "documents scored first, joined with the next one's BOS": """
        total = 0.0
        for pair in ((0, 2), (1, 3), (4, 6), (5, 7)):
            with torch.no_grad():
                for d in pair:
                    total += net(val[d*256:d*256+256][None], val[d*256+1:d*256+257][None]).item() * 256
            joined = torch.cat([val[d*256:d*256+257] for d in pair])
            train(joined[None, :-1], joined[None, 1:])
        report(total / 2048)
        """,
    "monitoring before a legal pass": """
        evaluate("monitor")
        total = 0.0
        for i in range(0, 32, 4):
            with torch.no_grad():
                total += net(X[i:i+4], Y[i:i+4]).item() * 256
            train(X[i:i+4], Y[i:i+4])
        report(total / 2048)
        """,
}


@pytest.mark.parametrize("name", HONEST)
def test_honest(watched: Watched, name: str) -> None:
    trace = watched(HONEST[name])
    assert trace.balance.nats
    assert trace.balance.bytes
    assert trace.leak is None
    assert trace.choice is None
    assert trace.coverage is not None
    assert trace.coverage.scored == 2048
    assert trace.coverage.repeated_after_update == 0


BROKEN = {
    "epochs before the eval": ("for _ in range(2):\n    train(X, Y)\nevaluate()", 2048, False),
    "off by one": (
        """
        total = 0.0
        for i in range(0, 32, 4):
            train(X[i:i+4], Y[i:i+4])
            with torch.no_grad():
                total += net(X[i:i+4], Y[i:i+4]).item() * 256
        report(total / 2048)
        """,
        2048,
        False,
    ),
    "by hand": (
        """
        net(X, Y).backward()
        for p in net.parameters():
            p.data.add_(p.grad, alpha=-0.1)
        evaluate()
        """,
        2048,
        False,
    ),
    "before quantization": (
        """
        train(X, Y)
        packed = {k: (torch.round(v * 127).to(torch.int8)) for k, v in net.state_dict().items()}
        torch.save(packed, "model.pt")
        net = Net()
        net.load_state_dict({k: v.float() / 127 for k, v in torch.load("model.pt").items()})
        evaluate()
        """,
        2048,
        False,
    ),
    "last epoch": (
        """
        def ttt():
            total = torch.zeros((), dtype=torch.float64)
            for epoch in range(3):
                total.zero_()
                for i in range(0, 32, 4):
                    loss = net(X[i:i+4], Y[i:i+4])
                    total += loss.detach().double() * 256
                    net.zero_grad()
                    loss.backward()
                    with torch.no_grad():
                        for p in net.parameters():
                            p -= 0.1 * p.grad
            return (total / 2048).item()
        report(ttt())
        """,
        2048,
        True,
    ),
    "second pass": (
        """
        def ttt():
            total = 0.0
            for i in range(0, 32, 4):
                with torch.no_grad():
                    total += net(X[i:i+4], Y[i:i+4]).item() * 256
                train(X[i:i+4], Y[i:i+4])
            return total / 2048
        report(ttt(), "first")
        report(ttt(), "second")
        """,
        2048,
        True,
    ),
    "two passes of one evaluation": (
        """
        def evaluation():
            first, second = 0.0, 0.0
            for i in range(0, 32, 4):
                with torch.no_grad():
                    first += net(X[i:i+4], Y[i:i+4]).item() * 256
            train(X, Y)
            for i in range(0, 32, 4):
                with torch.no_grad():
                    second += net(X[i:i+4], Y[i:i+4]).item() * 256
            return second / 2048
        report(evaluation())
        """,
        2048,
        True,
    ),
    "after a monitoring pass by the same driver": (
        """
        def plain():
            with torch.no_grad():
                return sum(net(X[i:i+4], Y[i:i+4]).item() for i in range(0, 32, 4)) / 8
        def adapted():
            total = 0.0
            for i in range(0, 32, 4):
                train(X[i:i+4], Y[i:i+4])
                with torch.no_grad():
                    total += net(X[i:i+4], Y[i:i+4]).item() * 256
            return total / 2048
        def timed(label, work):
            report(work(), label)
        def program():
            timed("plain", plain)
            timed("final", adapted)
        program()
        """,
        2048,
        False,
    ),
    "trained between two evaluations of a driver": (
        """
        def plain():
            with torch.no_grad():
                return sum(net(X[i:i+4], Y[i:i+4]).item() for i in range(0, 32, 4)) / 8
        def timed(label, work):
            report(work(), label)
        def program():
            timed("plain", plain)
            train(X, Y)
            timed("final", plain)
        program()
        """,
        2048,
        False,
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken(watched: Watched, name: str) -> None:
    source, positions, rescored = BROKEN[name]
    trace = watched(source)
    assert trace.balance.nats
    assert trace.leak is not None
    assert trace.leak.positions == positions
    assert trace.leak.rescored is rescored
    assert not trace.leak.loose


def test_lines_of_the_update(watched: Watched) -> None:
    source = BROKEN["epochs before the eval"][0]
    leak = watched(source).leak
    assert leak is not None
    assert [f.line for f in leak.update] == [
        line_of("opt.step()", source),
        line_of("    train(X, Y)", source),
    ]
    assert leak.update[0].function == "train"
    assert leak.update[0].start == line_of("def train", source)


def test_offset_optimized_for_its_own_window_is_loose(watched: Watched) -> None:
    trace = watched(
        """
        total = 0.0
        for i in range(32):
            delta = torch.zeros(64, requires_grad=True)
            opt = torch.optim.AdamW([delta], lr=0.1)
            for _ in range(2):
                opt.zero_grad()
                F.cross_entropy((net.logits(X[i:i+1]) + delta)[0], Y[i]).backward()
                opt.step()
            with torch.no_grad():
                total += F.cross_entropy((net.logits(X[i:i+1]) + delta)[0], Y[i]).item() * 64
        report(total / 2048)
        """
    )
    assert trace.leak is not None
    assert trace.leak.loose
    assert trace.leak.positions == 2048


def test_lowest_of_several_passes(watched: Watched) -> None:
    trace = watched(
        """
        best = torch.full((2048,), float("inf"))
        for shift in range(3):
            with torch.no_grad():
                for i in range(32):
                    nll = F.cross_entropy(net.logits(X[i:i+1])[0] + shift * torch.randn(64), Y[i], reduction="none")
                    at = torch.arange(i * 64, i * 64 + 64)
                    best[at] = torch.minimum(best[at], nll)
        report(best.double().mean().item())
        """
    )
    assert trace.choice is not None
    assert trace.choice.positions == 2048
