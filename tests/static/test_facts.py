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


@pytest.mark.parametrize(
    ("end", "certainty"),
    [
        ("min(usable, (3_000_000 // s.seq) * s.seq) + 1", "certain"),
        ("min(usable, s.most // s.seq * s.seq) + 1", "depends"),
        ("min(usable, 900_000_000) + 1", ""),
        ("max(usable, 3_000_000) + 1", ""),
        ("usable + 1", ""),
    ],
)
def test_a_validation_set_that_ends_at_the_lesser_of_its_length_and_a_number(
    end: str, certainty: str
) -> None:
    body = scripts.PLAIN.replace(
        "    total, count",
        f"    usable = (val.numel() - 1) // s.seq * s.seq\n    val = val[: {end}]\n    total, count",
        1,
    )
    field = '    most = int(os.environ.get("MOST", 2_097_152))\n    seq = 1024\n'
    facts = look(scripts.script(body).replace("    seq = 1024\n", field))
    assert [(f.kind, f.certainty) for f in facts.facts] == ([("partial_val", certainty)] if certainty else [])


@pytest.mark.parametrize("pattern", ["fineweb_*.bin", "fineweb_*_*.bin", "*.bin"])
def test_training_shards_by_a_pattern_that_val_shards_match(pattern: str) -> None:
    facts = look(scripts.script(scripts.PLAIN).replace("fineweb_train_*.bin", pattern))
    found = facts.of("train_on_val_before_score")
    assert [(f.certainty, f.unreached) for f in found] == [("depends", True)]
    assert pattern in found[0].summary


def test_a_leading_space_counted_twice() -> None:
    assert kinds(look(scripts.script(TABLE.replace("{more}", " + 1")))) == {"byte_count"}
    assert look(scripts.script(TABLE.replace("{more}", ""))).facts == ()


def test_a_byte_token_that_counts_as_several_bytes() -> None:
    table = TABLE.replace("{more}", "").replace(
        "        piece = sp.id_to_piece(i)\n",
        "        if sp.is_byte(i):\n            size[i] = {own}\n            continue\n        piece = sp.id_to_piece(i)\n",
    )
    assert kinds(look(scripts.script(table.replace("{own}", "3")))) == {"byte_count"}
    assert look(scripts.script(table.replace("{own}", "1"))).facts == ()


def test_a_constant_number_of_bytes_for_each_token() -> None:
    tail = scripts.TAIL.replace("loss / math.log(2) / size", "loss / math.log(2) / 2.4")
    assert kinds(look(scripts.script(scripts.PLAIN, tail=tail))) == {"byte_count"}


def test_a_constant_number_of_bytes_times_a_count_of_tokens() -> None:
    body = scripts.PLAIN.replace("total.item() / count, (val > 0).sum().item()", "total.item(), count")
    tail = scripts.TAIL.replace("loss / math.log(2) / size", "loss / math.log(2) / (size * 4.3)")
    assert kinds(look(scripts.script(body, tail=tail))) == {"byte_count"}
    weighed = body.replace("return total.item(),", "return total.item() * (val > 0).float().mean().item(),")
    facts = look(scripts.script(weighed, tail=tail))
    assert (kinds(facts), kinds(facts, "depends")) == (set(), {"byte_count"})


def test_windows_limited_by_the_smaller_of_two_numbers() -> None:
    loop = (
        "for start in range(0, val.numel() - 1, s.seq):\n        part = val[start : start + s.seq + 1].long()"
    )
    some = "for i in range(min(500, val.numel() // 1024)):\n        part = val[i * 1024 : i * 1024 + 1025].long()"
    assert kinds(look(scripts.script(scripts.PLAIN.replace(loop, some)))) == {"partial_val"}
    enough = some.replace("500", "500_000")
    assert look(scripts.script(scripts.PLAIN.replace(loop, enough))).facts == ()


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


BY_ORDER = """
class Tables:
    def __init__(self, orders):
        self.orders = orders
        self.context, self.pair = {}, {}
        for n in range(2, orders + 1):
            self.context[n] = np.zeros(1 << 20)
            self.pair[n] = np.zeros(1 << 20)

    def ask(self, ids, where):
        found = np.zeros(len(where))
        for n in range(self.orders, 1, -1):
            key = (ids[where - n + 1].astype(np.uint64) * 36313) & 0xFFFFF
            full = (key ^ (ids[where].astype(np.uint64) * 27191)) & 0xFFFFF
            found = self.pair[n][{asked}] / np.maximum(self.context[n][key], 1)
        return found

    def learn(self, ids, where):
        for n in range(2, self.orders + 1):
            key = (ids[where - n + 1].astype(np.uint64) * 36313) & 0xFFFFF
            np.add.at(self.context[n], key, 1)
            np.add.at(self.pair[n], (key ^ (ids[where].astype(np.uint64) * 27191)) & 0xFFFFF, 1)

@torch.no_grad()
def evaluate(s, net, val):
    tables, ids, total, count = Tables(9), val.numpy(), 0.0, 0
    for start in range(0, val.numel() - 1, s.seq):
        part = val[start : start + s.seq + 1].long()
        p = np.exp(-net(part[:-1][None], part[1:][None])[0].numpy())
        where = np.arange(start + 1, start + 1 + len(p))
        total += -np.log(0.7 * p + 0.3 * tables.ask(ids, where)).sum()
        count += len(p)
        tables.learn(ids, where)
    return total / count, (val > 0).sum().item()
"""


def test_tables_by_order_in_a_dictionary_that_a_loop_fills() -> None:
    assert kinds(look(scripts.script(BY_ORDER.replace("{asked}", "full")))) == {"ngram_target_in_key"}
    legal = look(scripts.script(BY_ORDER.replace("{asked}", "key")))
    assert "ngram_target_in_key" not in kinds(legal) | kinds(legal, "depends")


GATHERED = scripts.PLAIN.replace(
    "    return total.item() / count, (val > 0).sum().item()",
    """    share = np.array([total.item()])
    share.tofile(open("rank0.bin.tmp", "wb"))
    os.replace("rank0.bin.tmp", "rank0.bin")
    total = np.fromfile("rank0.bin", dtype=np.float64).sum()
    return total / count, (val > 0).sum().item()""",
)


def test_losses_that_processes_hand_each_other_in_files_are_followed() -> None:
    facts = look(scripts.script(GATHERED))
    assert facts.covered
    assert facts.facts == ()


MIXER = '''
C_SOURCE = """#include <math.h>
double mix(const double*nll,const long*y,const int*size,long n,double*out){
    double total=0;
    for(long i=0;i<n;i++){
        double share=-nll[i]/(double)size[y[i]];
        for(int j=0;j<size[y[i]];j++) total-=log(exp(share)*0.9+0.1*table(j));
    }
    out[0]=total; return 0;
}
"""

@torch.no_grad()
def evaluate(s, net, val):
    import ctypes, subprocess
    open("mix.c", "w").write(C_SOURCE)
    subprocess.run(["gcc", "-shared", "-o", "mix.so", "mix.c"])
    library = ctypes.CDLL("./mix.so")
    nll = net(val[:-1].long()[None], val[1:].long()[None])[0].numpy()
    out = np.zeros(1)
    library.mix(
        nll.ctypes.data_as(ctypes.c_void_p), val[1:].numpy().ctypes.data_as(ctypes.c_void_p),
        ctypes.c_long(len(nll)), out.ctypes.data_as(ctypes.c_void_p),
    )
    return out[0] / len(nll), (val > 0).sum().item()
'''


def test_c_code_that_spreads_losses_over_bytes_and_blends_them() -> None:
    facts = look(scripts.script(MIXER.replace("log(exp(share)*0.9", "log(exp(share)*lam+(1-lam)*0.9")))
    assert kinds(facts) == {"unnormalised_mixture"}
    assert not facts.covered
    row = next(e for e in facts.facts[0].path if "share" in e.snippet)
    assert "nll[i]" in row.snippet
    whole = MIXER.replace("-nll[i]/(double)size[y[i]]", "-nll[i]").replace(
        "log(exp(share)*0.9", "log(exp(share)*lam"
    )
    assert kinds(look(scripts.script(whole))) == set()


GATE = """
void hints(const unsigned short *tokens, long n, const unsigned char *starts, float *weight) {
    for (long i = 0; i < n; ++i) {
        const unsigned short tok = tokens[i];
        const unsigned char fresh = starts[tok];
        if ({condition}) {
            weight[i] = 1.0f;
        }
        last = tok;
    }
}
"""


@pytest.mark.parametrize(("condition", "found"), [("!fresh", True), ("starts[last]", False)])
def test_c_code_whose_gate_looks_at_the_current_token(condition: str, found: bool) -> None:
    body = scripts.PLAIN.replace(
        "        total += net(part[:-1][None], part[1:][None]).sum()",
        """        import ctypes
        library = ctypes.CDLL("./hints.so")
        nll = net(part[:-1][None], part[1:][None])[0].numpy()
        weight = np.zeros(len(nll), dtype=np.float32)
        library.hints(part.numpy().ctypes.data_as(ctypes.c_void_p), weight.ctypes.data_as(ctypes.c_void_p))
        total += (nll * (1 - weight)).sum()""",
    )
    source = GATE.replace("{condition}", condition)
    facts = examine(packed(scripts.script(body)), Claim(), {"hints.c": source})
    assert ("target_gating" in kinds(facts, "depends")) is found
    other = source + "\nint plain(long n)\n{\n    return n;\n}\n"
    aside = examine(
        packed(scripts.script(body.replace("library.hints(", "library.plain("))), Claim(), {"hints.c": other}
    )
    assert "target_gating" not in kinds(aside, "depends")
    through = other.replace("    return n;", "    hints(0, n, 0, 0);\n    return n;")
    called = examine(
        packed(scripts.script(body.replace("library.hints(", "library.plain("))),
        Claim(),
        {"hints.c": through},
    )
    assert ("target_gating" in kinds(called, "depends")) is found


def test_a_line_with_just_the_claimed_words_is_never_replaced_by_another() -> None:
    tail = scripts.TAIL.replace(
        "    print(f",
        '    print(f"mixed val_bpb:{somewhere():.4f}")\n    print(f"plain val_bpb:{loss:.4f}")\n    print(f',
        1,
    )
    claim = Claim("log", label="mixed val_bpb:")
    facts = examine(packed(scripts.script(scripts.PLAIN, tail=tail)), claim, {})
    assert not facts.covered
    assert facts.claimed_line is not None
    assert "mixed" in facts.claimed_line.snippet


def test_where_no_log_states_the_score_a_switch_that_prints_another_is_a_question() -> None:
    more = """    if s.adapt:
        tune(s, net, val)
        loss, size = evaluate(s, net, val)
        print(f"tuned val_bpb:{loss / size:.4f}")
"""
    tail = scripts.TAIL.replace("\n\nif __name__", "\n" + more + "\nif __name__")
    body = scripts.BEFORE.replace("    if s.adapt:", "    if False:")
    source = scripts.script(body, adapt=0, tail=tail)
    assert kinds(look(source), "depends") == {"train_on_val_before_score"}
    assert look(source, ADAPT="0").facts == ()
    stated = examine(packed(source), Claim("log", label="final val_loss: val_bpb:"), {})
    assert stated.facts == ()


ANSWERED = scripts.FULL_ROWS.replace(
    "        mixed = 0.8 * p + 0.2 * rows\n",
    "        weight = torch.where(counts[x, y] > 0, 0.2, 0.0)[:, None]\n        mixed = (1 - weight) * p + weight * rows\n",
)


CLOSED_FORM = scripts.FULL_ROWS.replace(
    "        mixed = 0.8 * p + 0.2 * rows\n        total -= mixed.gather(-1, y[:, None]).log().sum()\n",
    """        known = (counts[x, y] + 0.01) / (counts[x].sum(-1) + 10.24)
        total -= (0.8 * p.gather(-1, y[:, None])[:, 0] + 0.2 * known).log().sum()
""",
)


def test_the_entry_of_the_answer_in_a_row_of_the_context_is_no_key_with_the_answer() -> None:
    facts = look(scripts.script(CLOSED_FORM))
    assert kinds(facts) == set()
    assert kinds(facts, "depends") <= {"unnormalised_mixture"}


def test_a_weight_that_asks_a_table_of_pairs_for_the_answer() -> None:
    assert kinds(look(scripts.script(ANSWERED))) == {"target_gating"}
    legal = ANSWERED.replace("counts[x, y] > 0", "counts[x].sum(-1) > 0")
    assert kinds(look(scripts.script(legal))) == set()


HOOKED = (
    scripts.PLAIN
    + """
def calibrate(s, net, tokens):
    moments, hooks = {}, []

    def attach(name, module):
        def note(_, inputs):
            x = inputs[0].flatten(0, -2).float()
            moments[name] = moments.get(name, 0) + x.t() @ x

        hooks.append(module.register_forward_pre_hook(note))

    for name, module in net.named_modules():
        if isinstance(module, nn.Linear):
            attach(name, module)
    for start in range(0, 64 * s.seq, s.seq):
        net(tokens[start : start + s.seq].long()[None], tokens[start + 1 : start + s.seq + 1].long()[None])
    for hook in hooks:
        hook.remove()
    weights = dict(net.named_parameters())
    net.load_state_dict({name: rounded(weights[name], h) for name, h in moments.items()})

def rounded(w, moment):
    w = w.detach().clone()
    codes = torch.empty_like(w)
    for c in range(w.shape[1]):
        codes[:, c] = w[:, c].round()
        w[:, c:] -= (w[:, c] - codes[:, c])[:, None] * moment[c, None, c:]
    return codes
"""
)


@pytest.mark.parametrize(("tokens", "kind"), [("val_files", {"val_calibration"}), ("train_files", set())])
def test_calibration_through_hooks_and_a_column_by_column_rounding(tokens: str, kind: set[str]) -> None:
    tail = scripts.TAIL.replace(
        "    val = read_all(s.val_files)\n",
        f"    calibrate(s, net, read_all(s.{tokens}))\n    val = read_all(s.val_files)\n",
    )
    ordered = HOOKED.replace(
        "    codes = torch",
        "    order = torch.argsort(torch.diag(moment), descending=True)\n"
        "    w, moment = w[:, order], moment[order][:, order]\n"
        "    codes = torch",
    ).replace("    return codes\n", "    return codes[:, torch.argsort(order)]\n")
    patched = HOOKED.replace(
        "        hooks.append(module.register_forward_pre_hook(note))\n",
        "        old = module.forward\n"
        "        def seen(x):\n            note(module, (x,))\n            return old(x)\n"
        "        module.forward = seen\n",
    )
    every = """    for name, module in net.named_modules():
        if isinstance(module, nn.Linear):
            attach(name, module)
"""
    each = "    for i in range(len(net.blocks)):\n        attach(str(i), net.blocks[i])\n"
    assert every in patched
    for body in (HOOKED, ordered, patched.replace(every, each)):
        assert kinds(look(scripts.script(body, limit="590.0", tail=tail))) == kind


@pytest.mark.parametrize(
    ("test", "late"),
    [
        ("(time.perf_counter() - started) / s.limit_s >= 1.0", True),
        ("s.limit_s - (time.perf_counter() - started) <= 0", True),
        ("(time.perf_counter() - started) / s.limit_s >= 0.97", False),
    ],
)
def test_a_clock_as_a_share_of_its_limit(test: str, late: bool) -> None:
    tail = scripts.TAIL.replace(
        "    val = read_all", "    calibrate(s, net)\n    quantize(net)\n    val = read_all"
    )
    source = scripts.script(scripts.CALIBRATED, tail=tail).replace(
        "time.perf_counter() - started >= s.limit_s", test
    )
    assert test in source
    assert kinds(look(source)) == ({"gptq_calibration_eval_time"} if late else set())


def test_settings_whose_type_is_that_of_their_default() -> None:
    tail = scripts.TAIL.replace("    s = Settings()", "    s = settings()")
    body = (
        scripts.BEFORE
        + """
def settings():
    import argparse
    p = argparse.ArgumentParser()
    def add(name, default):
        p.add_argument("--" + name.lower(), type=type(default), default=os.environ.get(name, default))
    for name, default in (("ADAPT", 0), ("EPOCHS", 2), ("SEQ", 1024), ("LIMIT_S", 600.0)):
        add(name, default)
    s = p.parse_args()
    s.train_files, s.val_files = Settings.train_files, Settings.val_files
    return s
"""
    )
    source = scripts.script(body, tail=tail)
    assert kinds(look(source)) == set()
    assert kinds(look(source, ADAPT="1")) == {"train_on_val_before_score"}


SECOND = scripts.PLAIN.replace(
    "        total += net(part[:-1][None], part[1:][None]).sum()",
    """        x, y = part[:-1], part[1:]
        p = torch.exp(-net(x[None], y[None])[0])
        known = pairs[x, y] / pairs[x].sum(-1)
        weight = {weight}
        total += -torch.log((1 - weight) * p + weight * known).sum()""",
).replace(
    "    total, count",
    """    seen = read_all(s.train_files).long()
    pairs = torch.ones(1024, 1024)
    pairs.index_put_((seen[:-1], seen[1:]), torch.ones(len(seen) - 1), accumulate=True)
    total, count""",
    1,
)


def test_a_second_source_that_was_asked_for_the_answer_alone() -> None:
    fixed = look(scripts.script(SECOND.replace("{weight}", "0.2")))
    assert kinds(fixed) == set()
    assert kinds(fixed, "depends") == {"unnormalised_mixture"}
    of_context = look(scripts.script(SECOND.replace("{weight}", "0.2 * (pairs[x].sum(-1) > 1100)")))
    assert kinds(of_context) == set()
    assert kinds(of_context, "depends") == {"unnormalised_mixture"}
    of_answer = look(scripts.script(SECOND.replace("{weight}", "0.2 * (3 * known).clamp(max=1)")))
    assert kinds(of_answer) == {"unnormalised_mixture"}


def test_sums_of_losses_and_of_bytes_are_no_second_source() -> None:
    body = TABLE.replace("{more}", "").replace(
        "    total, count, held = torch.zeros(()), 0, 0", "    sums = torch.zeros(3)"
    )
    body = body.replace("        total += net", "        sums[0] += net").replace(
        "        count +=", "        sums[1] +="
    )
    body = body.replace("        held +=", "        sums[2] = sums[2] +")
    body = body.replace("total.item() / count, held", "sums[0] / sums[1], sums[2] / sums[1]")
    assert look(scripts.script(body)).facts == ()
    kept = TABLE.replace("{more}", "").replace(
        "total += net(x[None], y[None]).sum()",
        "total += (net(x[None], y[None]) * (y != 0) + 0.0 * x.float().mean()).sum()",
    )
    assert look(scripts.script(kept)).facts == ()


EACH = "range(0, val.numel() - 1, s.seq)"
LOOP = f"    for start in {EACH}:\n"
STOP = "            break\n"
LIMITED = {
    "a literal": (f"    for n, start in enumerate({EACH}):\n        if n >= 20:\n{STOP}", "certain"),
    "a counter": (f"    n = 0\n{LOOP}        n += 1\n        if n > s.most:\n{STOP}", "depends"),
    "windows": ("    for i in range(500):\n        start = i * 1024\n", "certain"),
    "many rounds": (f"    for n, start in enumerate({EACH}):\n        if n >= 500:\n{STOP}", "depends"),
    "all rounds": (f"    for n, start in enumerate({EACH}):\n        if n >= 99_999:\n{STOP}", ""),
    "a slice": (f"    import itertools\n    for start in itertools.islice({EACH}, 20):\n", "certain"),
    "all windows": ("    for i in range((val.numel() - 1) // s.seq):\n        start = i * s.seq\n", ""),
    "its end": (f"{LOOP}        if start >= val.numel() - 2:\n{STOP}", ""),
    "no limit": (f"    n = 0\n{LOOP}        n += 1\n        if s.none > 0 and n > s.none:\n{STOP}", ""),
    "shares": (
        "    size = val.numel() // 500\n    for i in range(500):\n        start = i * size\n",
        "",
    ),
}


@pytest.mark.parametrize("name", LIMITED)
def test_a_loop_over_val_that_ends_at_a_number(name: str) -> None:
    loop, certainty = LIMITED[name]
    fields = '    most = int(os.environ.get("MOST", 64))\n    none = int(os.environ.get("NONE", 0))\n    seq = 1024\n'
    source = scripts.script(scripts.PLAIN.replace(LOOP, loop)).replace("    seq = 1024\n", fields)
    facts = look(source)
    assert [(f.kind, f.certainty) for f in facts.facts] == ([("partial_val", certainty)] if certainty else [])
    if name == "a counter":
        stated = look(source, MOST="64")
        assert [(f.kind, f.certainty) for f in stated.facts] == [("partial_val", "certain")]


STOPPED = (
    scripts.PLAIN.replace("def evaluate(s, net, val):", "def part(s, net, val, most=None):").replace(
        LOOP, f"    n = 0\n{LOOP}        if most and n >= most:\n{STOP}        n += 1\n"
    )
    + """
def evaluate(s, net, val):
    part(s, net, val{first})
    return part(s, net, val{last})
"""
)


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        ("", ", most=20", [("partial_val", "certain")]),
        (", 20", ", 500", [("partial_val", "depends")]),
        (", most=20", "", []),
        (", 20", ", val.numel() // s.seq", []),
    ],
)
def test_a_loop_that_ends_at_a_number_that_its_call_gives(
    first: str, last: str, found: list[tuple[str, str]]
) -> None:
    facts = look(scripts.script(STOPPED.replace("{first}", first).replace("{last}", last)))
    assert [(f.kind, f.certainty) for f in facts.facts] == found


RUN = """        import subprocess
        np.save("nll.npy", net(part[:-1][None], part[1:][None]).numpy())
        total += float(subprocess.check_output(["./mixer", "nll.npy", "tokens.bin"]))"""


def test_a_program_that_makes_the_score_is_named() -> None:
    line = "        total += net(part[:-1][None], part[1:][None]).sum()"
    added = look(scripts.script(scripts.PLAIN.replace(line, f"{line}\n{RUN}")))
    assert not added.covered
    assert "./mixer nll.npy tokens.bin" in added.unfollowed[0]
    told = RUN.replace('["./mixer", "nll.npy", "tokens.bin"]', '["nvidia-smi"]')
    assert look(scripts.script(scripts.PLAIN.replace(line, f"{line}\n{told}"))).covered


def test_a_library_on_the_way_to_the_score_is_named_with_its_source() -> None:
    body = scripts.PLAIN.replace(
        "        total += net(part[:-1][None], part[1:][None]).sum()",
        """        import ctypes
        mixer = ctypes.CDLL("./mixer.so")
        total += mixer.mix(net(part[:-1][None], part[1:][None]).numpy(), part[1:].numpy())""",
    )
    facts = examine(packed(scripts.script(body)), Claim(), {"mixer.c": "double mix() { return 0; }"})
    assert "./mixer.so" in facts.unfollowed[0]
    assert "mixer.c" in facts.unfollowed[0]
    bound = body.replace('mixer = ctypes.CDLL("./mixer.so")', "from torch.utils.cpp_extension import load")
    bound = bound.replace("mixer.mix(", 'load(name="mixer", sources=["mixer.cpp"]).mix(')
    assert "the library mixer loaded" in look(scripts.script(bound)).unfollowed[0]
    foreign = body.replace(
        'mixer = ctypes.CDLL("./mixer.so")', 'from cffi import FFI\n        mixer = FFI().dlopen("./m.so")'
    )
    assert not look(scripts.script(foreign)).covered
