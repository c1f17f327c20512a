"""The claimed number is rebuilt whatever form the losses take on their way to the print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.witnesses.trace import Trace

Watched = Callable[..., Trace]

FORMS = {
    "sum": """
        with torch.no_grad():
            total = F.cross_entropy(net.logits(X).reshape(-1, 64), Y.reshape(-1), reduction="sum")
        report(total.item() / 2048)
        """,
    "masked": """
        with torch.no_grad():
            nll = F.cross_entropy(net.logits(X).reshape(-1, 64), Y.reshape(-1), reduction="none").view(X.shape)
            mask = torch.ones_like(nll, dtype=torch.float64)
            total, n = torch.zeros((), dtype=torch.float64), 0.0
            def accumulate(total, part):
                total += (nll.double() * part).sum()
            accumulate(total, mask)
        report(total.item() / 2048)
        """,
    "log softmax and gather": """
        with torch.no_grad():
            logp = F.log_softmax(net.logits(X).float(), dim=-1)
            report(-logp.gather(-1, Y.unsqueeze(-1)).squeeze(-1).mean().item())
        """,
    "taken along an axis, all by place": """
        with torch.no_grad():
            logp = torch.log_softmax(net.logits(X).view(-1, 64), 1)
            one = torch.take_along_dim(logp[:1024], Y.reshape(-1)[:1024, None], 1)
            two = logp[1024:].take_along_dim(Y.reshape(-1)[1024:, None], 1)
            report(-(one.sum().item() + two.sum().item()) / 2048)
        """,
    "logsumexp less the target's logit": """
        with torch.no_grad():
            z = net.logits(X)
            report((torch.logsumexp(z, -1) - z.gather(2, Y[..., None])[..., 0]).double().mean().item())
        """,
    "indexed": """
        with torch.no_grad():
            logp = F.log_softmax(net.logits(X).view(-1, 64), dim=-1)
            report(-logp[torch.arange(2048), Y.reshape(-1)].mean().item())
        """,
    "a kernel of its own": """
        class Fused(torch.autograd.Function):
            @staticmethod
            def forward(ctx, z, y):
                return torch.logsumexp(z, -1) - z[torch.arange(len(y)), y]
            @staticmethod
            def backward(ctx, g):
                return g, None
        with torch.no_grad():
            report(Fused.apply(net.logits(X).view(-1, 64), Y.reshape(-1)).double().mean().item())
        """,
    "numpy": """
        parts = []
        with torch.no_grad():
            for i in range(32):
                nll = F.cross_entropy(net.logits(X[i:i+1])[0], Y[i], reduction="none")
                parts.append(nll.cpu().numpy().astype(np.float64))
        report(float(np.concatenate(parts).mean()))
        """,
    "a loss, a count and bytes in one tensor": """
        sums = torch.zeros(3, dtype=torch.float64)
        with torch.no_grad():
            for i in range(32):
                nll = F.cross_entropy(net.logits(X[i:i+1])[0], Y[i], reduction="none")
                sums += torch.stack([nll.double().sum(), torch.tensor(64.0), torch.tensor(128.0)])
        nats, tokens, size = sums.tolist()
        report(nats / tokens)
        """,
    "only the bits are printed": """
        total = torch.zeros((), dtype=torch.float64)
        with torch.no_grad():
            total += F.cross_entropy(net.logits(X).reshape(-1, 64), Y.reshape(-1), reduction="none").double().sum()
        print(f"final val_bpb:{total.item() / math.log(2) / 4096:.8f}")
        """,
    "python numbers": """
        total, n = 0.0, 0
        with torch.no_grad():
            for i in range(32):
                for one in F.cross_entropy(net.logits(X[i:i+1])[0], Y[i], reduction="none").tolist():
                    total, n = total + one, n + 1
        report(total / n)
        """,
    "documents in another order, padded": """
        total = torch.zeros((), dtype=torch.float64)
        with torch.no_grad():
            for i in sorted(range(32), key=lambda i: -int(Y[i, 0])):
                x, y = torch.zeros(2, 100, dtype=torch.int64), torch.zeros(2, 100, dtype=torch.int64)
                x[0, :64], y[0, :64] = X[i], Y[i]
                nll = F.cross_entropy(net.logits(x).reshape(-1, 64), y.reshape(-1), reduction="none").view(2, 100)
                total += nll[0, :64].to(torch.float64).sum()
        report(total.item() / 2048)
        """,
}


@pytest.mark.parametrize("form", FORMS)
def test_form(watched: Watched, form: str) -> None:
    trace = watched(FORMS[form])
    assert trace.balance.nats
    assert trace.balance.bytes
    assert trace.coverage is not None
    assert trace.coverage.scored == 2048
    assert trace.coverage.repeated == 0
    assert trace.leak is None


def test_sliding_window_counts_only_its_tail(watched: Watched) -> None:
    trace = watched(
        """
        total, n = torch.zeros((), dtype=torch.float64), 0
        with torch.no_grad():
            for start in range(0, 2048, 16):
                end = min(start + 64, 2048)
                x, y = val[start:end], val[start + 1:end + 1]
                nll = F.cross_entropy(net.logits(x[None])[0], y, reduction="none")
                fresh = 0 if start == 0 else max(len(y) - 16, 0)
                if end - start < 64:
                    break
                total += nll[fresh:].to(torch.float64).sum()
                n += len(y) - fresh
        report(total.item() / n)
        """
    )
    assert trace.balance.nats
    assert trace.coverage is not None
    assert trace.coverage.scored == 2048
    assert trace.coverage.repeated == 0


def test_number_that_no_score_adds_up_to(watched: Watched) -> None:
    trace = watched("evaluate()\nreport(1.2345)")
    assert not trace.balance.nats
    assert trace.coverage is None


def test_wrong_bytes(watched: Watched) -> None:
    trace = watched(
        "print(f'val_loss:{net(X, Y).item():.8f} val_bpb:{net(X, Y).item() / math.log(2) / 2.4:.8f}')"
    )
    assert trace.balance.nats
    assert not trace.balance.bytes
    assert trace.balance.printed_bpb is not None
    assert trace.balance.rebuilt_bpb is not None
    assert trace.balance.printed_bpb / trace.balance.rebuilt_bpb == pytest.approx(2 / 2.4, rel=1e-4)


def test_part_of_the_stream(watched: Watched) -> None:
    trace = watched(
        """
        with torch.no_grad():
            report(net(X[:8], Y[:8]).item())
        """
    )
    assert trace.coverage is not None
    assert trace.coverage.scored == 512
    assert trace.coverage.missing_tail == 1536


def test_another_line_says_nothing_about_the_claimed_one(watched: Watched) -> None:
    trace = watched('evaluate("summary")', is_claimed=lambda line: line.startswith("final_lora_ttt"))
    assert trace.balance.line is None
    assert not trace.covers


def test_a_model_that_computes_with_losses_does_not_fill_the_book(
    watched: Callable[..., Trace], tmp_path: Path
) -> None:
    source = """
        with torch.no_grad():
            surprise = F.cross_entropy(net.logits(X[:4]).reshape(-1, 64), Y[:4].reshape(-1), reduction="none")
            h = surprise.view(4, 64, 1).expand(4, 64, 64)
            for _ in range(20):
                h = torch.sin(h @ torch.eye(64)) + h
        evaluate()
    """
    assert watched(source).balance.nats
    assert (tmp_path / "trace" / "codes.bin").stat().st_size < 500_000
    assert (tmp_path / "trace" / "events.jsonl").stat().st_size < 500_000
