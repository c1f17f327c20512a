"""Ways to put a val gradient into a model without an optimizer, and honest scripts that look like them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.witnesses.trace import Trace

Watched = Callable[..., Trace]

WAYS = {
    "bytes written past torch, gradients cleared": """
        import ctypes
        net(X, Y).backward()
        for p in net.parameters():
            new = (p.detach() - 0.1 * p.grad).contiguous()
            ctypes.memmove(p.data_ptr(), new.data_ptr(), new.numel() * 4)
        net.zero_grad()
        evaluate()
        """,
    "in an array that shares its memory, gradients cleared": """
        opt = torch.optim.SGD(net.parameters(), lr=0.1)
        net(X, Y).backward()
        for p in net.parameters():
            array = p.detach().numpy()
            array -= 0.1 * p.grad.numpy()
        opt.zero_grad()
        evaluate()
        """,
    "when the process ends": """
        import atexit
        evaluate()
        atexit.register(lambda: (train(X, Y), evaluate()))
        """,
    "in a thread that outlives the script": """
        import threading
        evaluate()
        threading.Thread(target=lambda: (train(X, Y), evaluate())).start()
        """,
    "data assigned": """
        net(X, Y).backward()
        for p in net.parameters():
            p.data = p.data - 0.1 * p.grad
        evaluate()
        """,
    "copied from an expression": """
        net(X, Y).backward()
        with torch.no_grad():
            for p in net.parameters():
                p.copy_(p - 0.1 * p.grad)
        evaluate()
        """,
    "slice assigned": """
        net(X, Y).backward()
        for p in net.parameters():
            p.data[:] = p.data - 0.1 * p.grad
        evaluate()
        """,
    "storage set": """
        net(X, Y).backward()
        with torch.no_grad():
            for p in net.parameters():
                p.set_(p - 0.1 * p.grad)
        evaluate()
        """,
    "new parameter": """
        net(X, Y).backward()
        with torch.no_grad():
            net.head.weight = nn.Parameter(net.head.weight - 0.1 * net.head.weight.grad)
        evaluate()
        """,
    "vector of parameters": """
        g = torch.autograd.grad(net(X, Y), list(net.parameters()))
        v = nn.utils.parameters_to_vector(net.parameters()).detach()
        nn.utils.vector_to_parameters(v - 0.1 * torch.cat([x.reshape(-1) for x in g]), net.parameters())
        evaluate()
        """,
    "fast weights": """
        g = torch.autograd.grad(net(X, Y), list(net.parameters()))
        fast = {n: p.detach() - 0.1 * x for (n, p), x in zip(net.named_parameters(), g)}
        total = 0.0
        with torch.no_grad():
            for i in range(0, 32, 4):
                total += torch.func.functional_call(net, fast, (X[i:i+4], Y[i:i+4])).item() * 256
        report(total / 2048)
        """,
    "out": """
        net(X, Y).backward()
        with torch.no_grad():
            for p in net.parameters():
                torch.add(p, p.grad, alpha=-0.1, out=p)
        evaluate()
        """,
    "numpy": """
        net(X, Y).backward()
        for p in net.parameters():
            a = p.detach().numpy()
            a -= 0.1 * p.grad.numpy()
        evaluate()
        """,
    "state dict": """
        net(X, Y).backward()
        net.load_state_dict({n: p.detach() - 0.1 * p.grad for n, p in net.named_parameters()})
        evaluate()
        """,
    "pickled as a whole": """
        import io, pickle
        train(X, Y)
        net = pickle.loads(pickle.dumps(net))
        evaluate()
        """,
    "saved and loaded as a whole": """
        import io
        train(X, Y)
        file = io.BytesIO()
        torch.save(net, file)
        file.seek(0)
        net = torch.load(file, weights_only=False)
        evaluate()
        """,
    "soft targets": """
        F.cross_entropy(net.logits(X).reshape(-1, 64), F.one_hot(Y.reshape(-1), 64).float()).backward()
        torch.optim.SGD(net.parameters(), 0.1).step()
        evaluate()
        """,
}


@pytest.mark.parametrize("name", WAYS)
def test_update_by_hand(watched: Watched, name: str) -> None:
    leak = watched(WAYS[name]).leak
    assert leak is not None
    assert leak.positions >= 2047
    assert not leak.suspect


def test_trained_weights_put_aside_and_replaced_by_others_are_suspect(watched: Watched) -> None:
    leak = watched(
        """
        train(X, Y)
        for p in net.parameters():
            p.data = p.data * 0.999
        evaluate()
        """
    ).leak
    assert leak is not None
    assert leak.suspect


def test_a_copy_that_was_changed_since_is_not_clean(watched: Watched) -> None:
    leak = watched(
        """
        kept = {n: p.data.clone() for n, p in net.named_parameters()}
        for p in net.parameters():
            p.data.mul_(0.5)
        train(X, Y)
        for n, p in net.named_parameters():
            kept[n].data.mul_(0.0).add_(torch.from_numpy(p.detach().numpy().copy()))
            p.data.copy_(kept[n])
        evaluate()
        """
    ).leak
    assert leak is not None


HONEST = {
    "a gradient that is never used": "net(X, Y).backward()\nevaluate()",
    "trained and put back": """
        kept = {n: p.detach().clone() for n, p in net.named_parameters()}
        train(X, Y)
        for n, p in net.named_parameters():
            p.data = kept[n]
        evaluate()
        """,
    "put back by a copy while gradients lie ready": """
        kept = {n: p.detach().clone() for n, p in net.named_parameters()}
        net(X, Y).backward()
        with torch.no_grad():
            for n, p in net.named_parameters():
                p.add_(1.0).sub_(1.0).copy_(kept[n])
        evaluate()
        """,
    "put back as new storage while gradients lie ready": """
        kept = {n: p.detach().clone() for n, p in net.named_parameters()}
        net(X, Y).backward()
        for n, p in net.named_parameters():
            p.data = kept[n]
        evaluate()
        """,
    "averaged weights adapt in monitoring, and the trained ones are put back": """
        mean = {n: p.data.clone() for n, p in net.named_parameters()}
        def adapting(name):
            kept = {n: p.data.clone() for n, p in net.named_parameters()}
            for n, p in net.named_parameters():
                p.data.copy_(mean[n])
            total = 0.0
            for i in range(0, 32, 4):
                total += net(X[i:i+4], Y[i:i+4]).item() * 256
                train(X[i:i+4], Y[i:i+4])
            for n, p in net.named_parameters():
                p.data.copy_(kept[n])
            report(total / 2048, name)
        for name in ("monitoring", "final"):
            for n, p in net.named_parameters():
                mean[n].mul_(0.9).add_(p.data, alpha=0.1)
            adapting(name)
        """,
    "a deep copy of a model that is clean": """
        clean = copy.deepcopy(net)
        train(X, Y)
        net = copy.deepcopy(clean)
        evaluate()
        """,
    "a pickle made before and read after": """
        import pickle
        before = pickle.dumps(net)
        kept = copy.deepcopy(net)
        train(X, Y)
        net = pickle.loads(before)
        evaluate()
        """,
    "put back from a deep copy": """
        for p in net.parameters():
            p.data.mul_(1.5)
        kept = copy.deepcopy(net.state_dict())
        for p in net.parameters():
            p.data.mul_(0.5)
        train(X, Y)
        net.load_state_dict(kept)
        evaluate()
        """,
    "fast weights, each chunk scored first": """
        fast = {n: p.detach().clone() for n, p in net.named_parameters()}
        total = 0.0
        for i in range(0, 32, 4):
            fast = {n: p.requires_grad_() for n, p in fast.items()}
            loss = torch.func.functional_call(net, fast, (X[i:i+4], Y[i:i+4]))
            total += loss.item() * 256
            g = torch.autograd.grad(loss, list(fast.values()))
            fast = {n: (p - 0.1 * x).detach() for (n, p), x in zip(fast.items(), g)}
        report(total / 2048)
        """,
    "data assigned, each chunk scored first": """
        total = 0.0
        for i in range(0, 32, 4):
            loss = net(X[i:i+4], Y[i:i+4])
            total += loss.item() * 256
            net.zero_grad()
            loss.backward()
            for p in net.parameters():
                p.data = p.data - 0.1 * p.grad
        report(total / 2048)
        """,
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_by_hand(watched: Watched, name: str) -> None:
    trace = watched(HONEST[name])
    assert trace.balance.nats
    assert trace.leak is None
