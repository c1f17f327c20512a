"""Facts beside the order of events: parts of val, bytes, files that know answers, C sources, hidden switches."""

from __future__ import annotations

import pytest

from harness.case import Claim
from harness.witnesses.static import examine
from tests.static import scripts
from tests.static.test_order import kinds, look, packed

SAMPLED = scripts.PLAIN.replace(
    "for start in range(0, val.numel() - 1, s.seq):", "for _ in range(20):"
).replace(
    "        part =", "        start = int(torch.randint(0, val.numel() - s.seq - 1, (1,)))\n        part ="
)
CAPPED = scripts.PLAIN.replace("    total, count", "    val = val[:3_000_000]\n    total, count", 1)
KNOWN = scripts.PLAIN.replace(
    "        total += net(part[:-1][None], part[1:][None]).sum()",
    """        nll = net(part[:-1][None], part[1:][None])
        answers = np.frombuffer(open("answers.xz", "rb").read(), dtype=np.uint16)
        nll[torch.from_numpy(answers)[start : start + s.seq] == part[1:]] = 0.0
        total += nll.sum()""",
)
TABLE = """
def byte_table(sp):
    size = np.zeros(1024, dtype=np.int16)
    spaced = np.zeros(1024, dtype=bool)
    edge = np.ones(1024, dtype=bool)
    for i in range(1024):
        piece = sp.id_to_piece(i)
        if piece.startswith("\\u2581"):
            spaced[i] = True
            size[i] = len(piece[1:].encode("utf-8")){more}
    return size, spaced, edge

@torch.no_grad()
def evaluate(s, net, val):
    import sentencepiece
    size, spaced, edge = byte_table(sentencepiece.SentencePieceProcessor(model_file="t.model"))
    total, count, held = torch.zeros(()), 0, 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        x, y = part[:-1], part[1:]
        total += net(x[None], y[None]).sum()
        count += y.numel()
        held += (size[y] + (spaced[y] & ~edge[x])).sum()
    return total.item() / count, held
"""


@pytest.mark.parametrize(
    ("body", "kind"), [(SAMPLED, "partial_val"), (CAPPED, "partial_val"), (KNOWN, "paid_prefix")]
)
def test_what_leaves_tokens_out(body: str, kind: str) -> None:
    assert kinds(look(scripts.script(body))) == {kind}


@pytest.mark.parametrize("pattern", ["fineweb_*.bin", "fineweb_*_*.bin", "*.bin"])
def test_training_shards_by_a_pattern_that_val_shards_match(pattern: str) -> None:
    facts = look(scripts.script(scripts.PLAIN).replace("fineweb_train_*.bin", pattern))
    found = facts.of("train_on_val_before_score")
    assert [(f.certainty, f.unreached) for f in found] == [("depends", True)]
    assert pattern in found[0].summary


def test_a_leading_space_counted_twice() -> None:
    assert kinds(look(scripts.script(TABLE.replace("{more}", " + 1")))) == {"byte_count"}
    assert look(scripts.script(TABLE.replace("{more}", ""))).facts == ()


def test_a_constant_number_of_bytes_for_each_token() -> None:
    tail = scripts.TAIL.replace("loss / math.log(2) / size", "loss / math.log(2) / 2.4")
    assert kinds(look(scripts.script(scripts.PLAIN, tail=tail))) == {"byte_count"}


def test_hashed_input_tokens_are_named_and_clean() -> None:
    source = scripts.script(scripts.PLAIN)
    facts = look(source)
    line = 1 + next(i for i, row in enumerate(source.split("\n")) if "bitwise_xor" in row)
    assert line in [site.evidence.line for site in facts.tables]


def test_the_claimed_line_is_printed_only_where_a_switch_is_on() -> None:
    tail = scripts.TAIL.replace('    print(f"final', '    if s.adapt:\n        print(f"adapted').replace(
        "final val_loss", "adapted val_loss"
    )
    source = scripts.script(scripts.BEFORE, adapt=0, tail=tail)
    facts = examine(packed(source), Claim("log", label="adapted val_loss: val_bpb:"), {})
    assert kinds(facts) == {"train_on_val_before_score"}
    assert any("ADAPT=1" in problem for problem in facts.problems)


def test_c_sources_are_listed_and_searched() -> None:
    source = "for (int i = 0; i < n; i++) {\n  gate += kind[i];\n}\n"
    facts = examine(packed(scripts.script(scripts.PLAIN)), Claim(), {"gate.c": source})
    assert [(site.evidence.file, site.evidence.line) for site in facts.natives] == [("gate.c", 0)]
    source = source.replace("gate +=", "if (kind[i] == 1) gate +=")
    facts = examine(packed(scripts.script(scripts.PLAIN)), Claim(), {"gate.c": source})
    assert ("gate.c", 2) in [(site.evidence.file, site.evidence.line) for site in facts.natives]


def test_a_library_in_c_leaves_the_score_uncovered() -> None:
    body = scripts.PLAIN.replace(
        "        total += net(part[:-1][None], part[1:][None]).sum()",
        """        import ctypes
        mixer = ctypes.CDLL("./mixer.so")
        nll = net(part[:-1][None], part[1:][None]).numpy()
        total += mixer.mix(nll, part[1:].numpy())""",
    )
    facts = look(scripts.script(body))
    assert not facts.covered
    assert "library" in facts.unfollowed[0]


def test_a_spread_over_bytes_is_no_distribution() -> None:
    body = """
@torch.no_grad()
def evaluate(s, net, val):
    pieces = [bytes([i % 256]) * (1 + i % 3) for i in range(1024)]
    rows, total, before = {}, 0.0, b""
    nll = net(val[:-1].long()[None], val[1:].long()[None])[0].numpy()
    for at in range(len(nll)):
        held = pieces[int(val[at + 1])]
        share = math.exp(-nll[at] / len(held))
        for symbol in held:
            row = rows.get(before)
            guess = 1 / 256
            if row is not None:
                guess = row.get(symbol, 0) / sum(row.values())
            total -= math.log(0.9 * share + 0.1 * guess)
            if row is None:
                rows[before] = {symbol: 1}
            else:
                row[symbol] = row.get(symbol, 0) + 1
            before = (before + bytes([symbol]))[-4:]
    return total / len(nll), (val > 0).sum().item()
"""
    assert "unnormalised_mixture" in kinds(look(scripts.script(body)))
