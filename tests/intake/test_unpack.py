"""Self-extracting scripts: every way of packing is undone without running it; what cannot be undone is said."""

from __future__ import annotations

import base64
import bz2
import codecs
import gzip
import hashlib
import json
import lzma
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from harness.case import Claim
from harness.intake.scoring import features
from harness.intake.unpack import STILL_PACKED, unpack, unpack_with_files
from harness.witnesses import static

NOISE = "".join(f"# {hashlib.sha256(bytes([i])).hexdigest()}\n" for i in range(20))  # payloads are long
PROGRAM = '"""A program."""\nimport math\nprint("val_bpb", math.log2(3))\n' + NOISE
RAW = '[{"id":L.FILTER_LZMA2}]'


def raw_lzma(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2}])


def b85(data: bytes) -> str:
    return base64.b85encode(data).decode()


def b64(data: bytes) -> bytes:
    return base64.b64encode(data)


P = PROGRAM.encode()
XZ = b85(lzma.compress(P))
Z = b85(zlib.compress(P))

FORMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "raw lzma": (
        f'import lzma as L,base64 as B\nexec(L.decompress(B.b85decode("{b85(raw_lzma(P))}"),'
        f"format=L.FORMAT_RAW,filters={RAW}))",
        ("base85", "lzma"),
    ),
    "raw lzma with a preset": (
        f"import lzma as L,base64 as B\nexec(L.decompress(B.b85decode({b85(raw_lzma(P))!r}),format=L.FORMAT_RAW,"
        "filters=[{'id':L.FILTER_LZMA2,'preset':9|L.PRESET_EXTREME}]))",
        ("base85", "lzma"),
    ),
    "xz, bytes literal, decode": (
        f'import lzma,base64;exec(lzma.decompress(base64.b85decode({XZ.encode()!r})).decode("utf-8"))',
        ("base85", "lzma"),
    ),
    "alone format": (
        f"import lzma,base64;exec(lzma.decompress(base64.b64decode({b64(lzma.compress(P, lzma.FORMAT_ALONE))!r})))",
        ("base64", "lzma"),
    ),
    "compile": (
        f"import zlib,base64\np={base64.a85encode(zlib.compress(P))!r}\n"
        f"exec(compile(zlib.decompress(base64.a85decode(p)),'t.py','exec'))",
        ("ascii85", "zlib"),
    ),
    "from imports": (
        f"from base64 import b85decode\nfrom zlib import decompress\nexec(decompress(b85decode({Z!r})).decode())",
        ("base85", "zlib"),
    ),
    "raw deflate": (
        f"import zlib\nexec(zlib.decompress(bytes.fromhex('{zlib.compress(P)[2:-4].hex()}'),-15))",
        ("hex", "zlib"),
    ),
    "bz2": (f"import bz2,base64\nexec(bz2.decompress(base64.b64decode({b64(bz2.compress(P))!r})))", ("base64", "bz2")),
    "gzip": (
        f"import gzip,binascii as A\nexec(gzip.decompress(A.unhexlify('{gzip.compress(P).hex()}')))",
        ("hex", "gzip"),
    ),
    "brotli": (
        f"import brotli as B,base64 as b\nexec(B.decompress(b.b85decode('{b85(brotli.compress(P))}')))",
        ("base85", "brotli"),
    ),
    "zstandard": (
        f"import zstandard,base64\n"
        f"exec(zstandard.ZstdDecompressor().decompress(base64.b85decode('{b85(zstandard.compress(P))}')))",
        ("base85", "zstandard"),
    ),
    "dunder import": (
        f"exec(__import__('lzma').decompress(__import__('base64').b85decode('{XZ}')))",
        ("base85", "lzma"),
    ),
    "getattr and importlib": (
        "import importlib\nB=importlib.import_module('base64')\nf=getattr(B,'b85'+'decode')\n"
        f"getattr(__builtins__,'ex'+'ec')(importlib.import_module('zlib').decompress(f('{Z}')))",
        ("base85", "zlib"),
    ),
    "eval of compile": (
        f"import zlib,base64\neval(compile(zlib.decompress(base64.b85decode('{Z}')),'x','exec'))",
        ("base85", "zlib"),
    ),
    "eval of text": (
        f"import zlib,base64\nexec(eval(\"zlib.decompress(base64.b85decode('{Z}'))\"))",
        ("base85", "zlib"),
    ),
    "codecs": (
        f"import codecs\n"
        f"exec(codecs.decode(codecs.decode({codecs.encode(zlib.compress(P), 'base64')!r},'base64'),'zlib'))",
        ("codec", "codec"),
    ),
    "reversed and joined": (
        f"import zlib,base64\nparts=[{b85(zlib.compress(P))[::-1][:20]!r},{b85(zlib.compress(P))[::-1][20:]!r}]\n"
        "exec(zlib.decompress(base64.b85decode(''.join(parts)[::-1])))",
        ("base85", "zlib"),
    ),
    "replaced and translated": (
        f"import zlib,base64\ns={b85(zlib.compress(P)).translate(str.maketrans('ab', 'ba')).replace('0', '__')!r}\n"
        "s=s.replace('__','0').translate(str.maketrans('ab','ba'))\nexec(zlib.decompress(base64.b85decode(s)))",
        ("base85", "zlib"),
    ),
    "xor with a function": (
        f"import base64\nd=lambda b,k:bytes(c^k for c in b)\n"
        f"exec(d(base64.b64decode({b64(bytes(c ^ 7 for c in P))!r}),7))",
        ("base64",),
    ),
    "main function": (
        f"import zlib,base64\ndef main():\n    src = zlib.decompress(base64.b85decode('{Z}'))\n"
        "    exec(compile(src, '<x>', 'exec'), globals())\nif __name__ == '__main__':\n    main()",
        ("base85", "zlib"),
    ),
    "linecache": (
        f"import lzma as L,base64 as B,linecache as C\nS=L.decompress(B.b85decode('{XZ}')).decode()\n"
        "F=__file__+'.d.py'\nC.cache[F]=(len(S),None,S.splitlines(True),F)\nexec(compile(S,F,'exec'))",
        ("base85", "lzma"),
    ),
    "temporary file and runpy": (
        f"import lzma as L,base64 as B,tempfile,os,runpy\n_c=L.decompress(B.b85decode('{XZ}'))\n"
        "_d=tempfile.mkdtemp()\n_f=os.path.join(_d,'t.py')\nopen(_f,'wb').write(_c)\n"
        "runpy.run_path(_f,run_name='__main__')",
        ("base85", "lzma"),
    ),
    "module loader": (
        "import lzma as L,base64 as B,importlib.util as IU,os,sys,fcntl\n"
        f"_c=L.decompress(B.b85decode('{XZ}'))\n_p='/tmp/inner.py'\n"
        "with open('/tmp/lock','w') as l:\n fcntl.flock(l,2)\n if not os.path.exists(_p):\n"
        "  with open(_p,'wb')as f:f.write(_c)\n"
        "_s=IU.spec_from_file_location('__main__',_p)\n_m=IU.module_from_spec(_s)\n_m.__name__='__main__'\n"
        "sys.modules['__main__']=_m\n_s.loader.exec_module(_m)",
        ("base85", "lzma"),
    ),
    "pathlib": (
        f"import zlib,base64,pathlib,runpy\np=pathlib.Path(__file__).parent/'_t.py'\n"
        f"p.write_bytes(zlib.decompress(base64.b85decode('{Z}')))\nrunpy.run_path(str(p))",
        ("base85", "zlib"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_packing_is_undone(form: str) -> None:
    source, stages = FORMS[form]
    script = unpack(source.encode(), "train_gpt.py")
    assert script.source == PROGRAM
    assert script.runnable == PROGRAM
    assert script.stages == stages
    assert script.display == f"train_gpt.py (unpacked: {', '.join(stages)})"
    assert script.shipped_bytes == len(source.encode())
    assert script.line(3) == 'print("val_bpb", math.log2(3))'


@pytest.mark.parametrize("depth", [2, 3])
def test_several_stages_are_peeled_one_after_the_other(depth: int) -> None:
    source = PROGRAM
    for _ in range(depth):
        source = f"import zlib,base64\nexec(zlib.decompress(base64.b85decode('{b85(zlib.compress(source.encode()))}')))"
    script = unpack(source.encode(), "t.py")
    assert script.source == PROGRAM
    assert script.stages == ("base85", "zlib") * depth


def test_a_script_packed_over_and_over_ends_with_a_note() -> None:
    source = PROGRAM
    for _ in range(12):
        source = f"import zlib,base64\nexec(zlib.decompress(base64.b85decode('{b85(zlib.compress(source.encode()))}')))"
    assert any("8 times over" in note for note in unpack(source.encode(), "t.py").notes)


def test_a_payload_in_a_file_beside_is_read() -> None:
    source = b"import lzma, pathlib\nexec(lzma.decompress(pathlib.Path(__file__).with_suffix('.xz').read_bytes()))\n"
    script = unpack(source, "train_gpt.py", {"train_gpt.xz": lzma.compress(P)}.get)
    assert script.source == PROGRAM
    assert script.stages == ("file train_gpt.xz", "lzma")


def test_a_payload_that_is_not_there_is_said() -> None:
    script = unpack(b"import lzma\nexec(lzma.decompress(open('gone.xz','rb').read()))\n", "train_gpt.py")
    assert script.stages == ()
    assert script.notes[0].startswith(STILL_PACKED)
    assert "gone.xz, which is not beside it" in script.notes[0]


def test_a_bundle_of_modules_is_laid_out_beside_the_script() -> None:
    parts = "\n# SPLIT\n".join(["import helper\nhelper.main()\n", "def main():\n    print('val_bpb')\n"])
    packed = b85(lzma.compress(parts.encode()))
    source = (
        "import lzma,base64,tempfile,os,sys\n"
        f"_p=lzma.decompress(base64.b85decode('{packed}')).decode().split('\\n# SPLIT\\n')\n"
        "_d=tempfile.mkdtemp(prefix='x')\n"
        "for _n,_c in zip(['run.py','helper.py'],_p):\n"
        " _f=os.path.join(_d,_n);os.makedirs(os.path.dirname(_f),exist_ok=True)\n"
        " open(_f,'w').write(_c)\n"
        "sys.path.insert(0,_d)\nos.environ.update(LAYERS='3')\nexec(open(os.path.join(_d,'run.py')).read())\n"
    )
    script, files = unpack_with_files(source.encode(), "train_gpt.py")
    assert list(files) == ["unpacked/helper.py"]
    assert "import helper" in script.line(1)
    assert "mkdtemp" not in script.source
    assert "'unpacked'" in script.line(1)
    assert "os.environ.update(LAYERS='3')" in script.line(1)


SHOW = 'print(os.environ["WIDTH"],os.environ["DEEP"])\n'
SETTINGS = "import os\nWIDTH = 8\nos.environ.setdefault('WIDTH', str(WIDTH))\n"
SETTINGS += "if WIDTH > 4:\n    os.environ['DEEP'] = '1'\n"


@pytest.mark.parametrize(
    ("program", "row"),
    [
        ("import os\nprint(os.environ['WIDTH'], os.environ['DEEP'])\n", 1),
        ('"""Doc."""\nimport os\nprint(os.environ["WIDTH"], os.environ["DEEP"])\n', 1),
        ('"""Doc."""\nfrom __future__ import annotations  # why\nimport os\n' + SHOW, 2),
        ("# comment\n\nimport os\nprint(os.environ['WIDTH'], os.environ['DEEP'])\n", 1),
        ('import os\nprint(f"{os.environ["WIDTH"]} {os.environ["DEEP"]}")\n', 1),
        ("\ndef f():\n    import os\n    print(os.environ['WIDTH'], os.environ['DEEP'])\nf()\n", 1),
    ],
)  # fmt: skip
def test_settings_of_the_wrapper_stay_in_effect_and_no_line_moves(
    program: str, row: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = f"import zlib,base64\nexec(zlib.decompress(base64.b85decode('{b85(zlib.compress(program.encode()))}')))\n"
    script = unpack((SETTINGS + packed).encode(), "train_gpt.py")
    lines, original = script.source.split("\n"), program.split("\n")
    assert len(lines) == len(original)
    assert [a for i, a in enumerate(lines, 1) if i != row] == [
        b for i, b in enumerate(original, 1) if i != row
    ]
    assert any("stay in effect" in note for note in script.notes)
    monkeypatch.setenv("WIDTH", "1")
    monkeypatch.delenv("WIDTH")
    monkeypatch.setenv("DEEP", "")
    exec(compile(script.runnable, "t.py", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == "8 1\n"


def test_a_program_that_starts_with_a_block_moves_down_one_line_and_says_so() -> None:
    program = "def f():\n    pass\nf()\n"
    packed = f"import zlib,base64\nexec(zlib.decompress(base64.b85decode('{b85(zlib.compress(program.encode()))}')))\n"
    script = unpack((SETTINGS + packed).encode(), "t.py")
    assert script.source.split("\n")[1] == "def f():"
    assert any("in a line before its first" in note for note in script.notes)


def test_names_of_the_wrapper_that_the_program_reads_stay_defined() -> None:
    program = "print(BATCH, L.FORMAT_RAW)\n"
    packed = b85(lzma.compress(program.encode()))
    source = f"import lzma as L,base64 as B\nBATCH=4\nUNUSED=5\nexec(L.decompress(B.b85decode('{packed}')))"
    script = unpack(source.encode(), "t.py")
    assert "BATCH = 4" in script.line(1)
    assert "import lzma as L" in script.line(1)
    assert "UNUSED" not in script.source


def test_what_the_wrapper_does_afterwards_is_shown_at_the_end() -> None:
    source = FORMS["bz2"][0] + "\nimport os\nos.system('true')\n"
    script = unpack(source.encode(), "t.py")
    assert script.source.startswith(PROGRAM)
    assert "os.system('true')" in script.source.removeprefix(PROGRAM)
    assert any("after the program" in note for note in script.notes)


BOMBS: dict[str, Callable[[bytes], tuple[bytes, str]]] = {
    "lzma": lambda z: (lzma.compress(z), "lzma.decompress"),
    "zlib": lambda z: (zlib.compress(z), "zlib.decompress"),
    "gzip": lambda z: (gzip.compress(z), "gzip.decompress"),
    "bz2": lambda z: (bz2.compress(z), "bz2.decompress"),
    "brotli": lambda z: (brotli.compress(z), "brotli.decompress"),
    "zstandard": lambda z: (zstandard.compress(z), "zstandard.decompress"),
}


@pytest.mark.parametrize("codec", BOMBS)
def test_decompression_bombs_end_in_a_note(codec: str) -> None:
    data, call = BOMBS[codec](b"#" * 9_000_000)
    source = f"import base64,{codec}\nexec({call}(base64.b85decode('{b85(data)}')))"
    script = unpack(source.encode(), "t.py")
    assert script.stages == ()
    assert "more than 8388608 bytes" in script.notes[0]


@pytest.mark.parametrize(
    "source",
    [
        "x='a'*10**9\nexec(x)",
        "x='a'*900000000\nexec(x)",
        "x=['a'*8000000]*1000\nexec(''.join(x))",
        "x='a'\nfor i in range(60): x=x+x\nexec(x)",
        "x=[1]\nfor i in range(60): x=x+x\nexec(str(x))",
        "x=1\nfor i in range(90000): x=x*x\nexec(str(x))",
        "def f(): return f()\nexec(f())",
        "exec('%999999999d' % 1)",
        "exec(f'{1:999999999}')",
        "exec(bytes(10**12))",
        "x='ab'.replace('a','b'*8000000).replace('b','b'*8000000)\nexec(x)",
        "f=lambda n: f(n)\nexec(f(1))",
        "while True: pass\nexec(x)",
        "for a in range(10**9):\n for b in range(10**9):\n  x=a\nexec(x)",
        "import json\nexec(json.loads('['*100000))",
    ],
)
def test_a_wrapper_that_would_compute_for_ever_is_left(source: str) -> None:
    script = unpack(source.encode(), "t.py")
    assert script.stages == ()
    assert script.notes[0].startswith(STILL_PACKED)


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_payload_cut_short_never_raises(name: str) -> None:
    source, _ = FORMS[name]
    for cut in (0.3, 0.6, 0.9):
        at = int(len(source) * cut)
        unpack((source[: at - 9] + source[at:]).encode(), "t.py")


@pytest.mark.parametrize(
    "trick",
    [
        "lzma.decompress = lambda data: b'print(1)'",
        "setattr(base64, 'b85decode', lambda data: data)",
        "import sys\nsys.modules['lzma'] = base64",
        "import builtins\nbuiltins.exec = print",
    ],
)
def test_a_wrapper_that_patches_the_library_is_not_believed(trick: str) -> None:
    source = f"import lzma, base64\n{trick}\nimport lzma\nexec(lzma.decompress(base64.b85decode('{XZ}')))"
    script = unpack(source.encode(), "t.py")
    assert script.stages == ()
    assert script.notes[0].startswith(STILL_PACKED)


def test_a_module_of_the_folder_that_shadows_a_codec_is_not_believed() -> None:
    source = f"import lzma, base64\nexec(lzma.decompress(base64.b85decode('{XZ}')))"
    assert unpack(source.encode(), "t.py").source == PROGRAM
    for shadow in ("lzma.py", "lzma/__init__.py"):
        script = unpack(source.encode(), "t.py", {shadow: b"decompress = print"}.get)
        assert script.stages == ()
        assert script.notes[0].startswith(STILL_PACKED)
    other = FORMS["compile"][0].replace("import zlib", "import lzma, zlib")  # it may patch zlib as well
    assert unpack(other.encode(), "t.py", {"lzma.py": b""}.get).stages == ()


def test_nothing_of_the_script_is_executed(capsys: pytest.CaptureFixture[str]) -> None:
    source = (
        "import os,base64,zlib,subprocess,socket\nprint('ran')\nos.system('echo ran')\n"
        f"subprocess.run(['echo','ran'])\nopen('/tmp/ran-by-intake','w').write('x')\n{FORMS['compile'][0]}"
    )
    script = unpack(source.encode(), "t.py")
    assert capsys.readouterr().out == ""
    assert "print('ran')" in script.line(1)


def test_an_ordinary_program_is_left_as_it_is() -> None:
    body = "".join(f"def f{i}(x):\n    return x + {i}\n" for i in range(400))
    source = f"import torch\n{body}model.eval()\nexec('y = 1')\n"
    script = unpack(source.encode(), "t.py")
    assert script.source == source
    assert script.stages == ()
    assert script.notes == ()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfx = 1\r\ny = 2\r\n", "x = 1\ny = 2\n"),
        (b"x = 1\ry = 2\r", "x = 1\ny = 2\n"),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "# -*- coding: latin-1 -*-\nx = 'é'\n"),
        ("x = 'é'\n".encode("utf-16"), "x = 'é'\n"),
        (b"x = '\xff'\n", "x = '\ufffd'\n"),
        (b"\xef\xbb\xbfx = '\xff'\n", "x = '\ufffd'\n"),
        (b"# coding: no-such-thing\nx = 1\n", "# coding: no-such-thing\nx = 1\n"),
        (b"", ""),
    ],
)
def test_text_is_decoded_as_python_does(data: bytes, text: str) -> None:
    assert unpack(data, "t.py").source == text


@pytest.mark.parametrize(
    "data",
    ["x = 'é'\n".encode("utf-16"), b"x = '\xff'\n", b"# coding: no-such-thing\nx = 1\n"],
)
def test_what_python_does_not_run_is_no_pass(data: bytes) -> None:
    script = unpack(data, "t.py")
    assert script.refused in script.notes
    facts = static.examine(script, Claim())
    assert not facts.covered
    assert facts.problems == (script.refused.removesuffix("."),)
    with pytest.raises((SyntaxError, ValueError)):  # null bytes are a ValueError before Python 3.11.4
        compile(data, "t.py", "exec")


@pytest.mark.parametrize(
    "source",
    [
        "x = '\0'",
        "(" * 10_000,
        "-" * 200_000 + "1",
        "x = a" + ".b" * 100_000,
        "x = 1" + " + 1" * 100_000,
        "lambda: " * 50_000 + "1",
        "\ud800",
        "if 1:\n" * 3,
        "def f(:\n",
    ],
)
def test_hostile_syntax_ends_in_a_note_at_most(source: str) -> None:
    script = unpack(source.encode("utf-8", "surrogatepass"), "t.py")
    assert all(isinstance(note, str) for note in script.notes)


def test_a_script_that_no_interpreter_parses_says_where() -> None:
    script = unpack(b"import io\nimport io import math\n", "t.py")
    assert "line 2" in script.notes[0]
    assert script.runnable == script.source


def test_bundles_as_json_are_followed() -> None:
    bundle = json.dumps({"helper.py": "X = 1\n", "main.py": PROGRAM}).encode()
    source = (
        b"import lzma, json, os\n"
        b"with open(os.path.join(os.path.dirname(__file__), 'code.lzma'), 'rb') as f:\n"
        b"    b = json.loads(lzma.decompress(f.read()))\n"
        b"for name, code in b.items():\n"
        b"    with open(os.path.join(os.path.dirname(__file__), name), 'w') as f:\n        f.write(code)\n"
        b"exec(compile(b['main.py'], 'main.py', 'exec'))\n"
    )
    script, files = unpack_with_files(source, "submission.py", {"code.lzma": lzma.compress(bundle)}.get)
    assert script.source == PROGRAM
    assert files == {"helper.py": b"X = 1\n"}


@pytest.mark.parametrize("depth", [150, 900, 3000])
@pytest.mark.parametrize(
    "form",
    [
        "if {deep}:\n    exec(x)\n",
        "exec({deep})\n",
        "def f():\n    return {deep}\nexec(f())\n",
        "print({deep})\nexec('print(1)')\n",
        "exec('print(1)')\nprint({deep})\n",
        "exec('x = {deep}')\n",
    ],
)
def test_deep_nesting_anywhere_ends_in_a_note_at_most(form: str, depth: int) -> None:
    for deep in ("1" + "+1" * depth, "a" + ".b" * depth, "-" * depth + "1", "[" * depth + "]" * depth):
        script = unpack(form.replace("{deep}", deep).encode(), "t.py")
        features(script.runnable, "t.py")


def test_settings_made_inside_the_main_function_of_a_launcher_stay_in_effect() -> None:
    source = (
        "import os, runpy\nfrom pathlib import Path\n\ndef main() -> None:\n    os.environ['LOOPS'] = '0'\n"
        "    here = Path(__file__).resolve().parent\n    runpy.run_path(str(here / 'base.py'), run_name='__main__')\n\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    script = unpack(
        source.encode(), "train_gpt.py", {"base.py": b"import os\nprint(os.environ['LOOPS'])\n"}.get
    )
    assert (
        script.source
        == "import os, runpy; os.environ['LOOPS'] = '0'; import os\nprint(os.environ['LOOPS'])\n"
    )
    assert script.stages == ("file base.py",)


def test_a_name_put_into_globals_is_kept() -> None:
    source = f"import lzma, base64\nglobals()['__file__'] = 'x.py'\nexec(lzma.decompress(base64.b85decode('{XZ}')))\n"
    script = unpack(source.encode(), "train_gpt.py")
    assert script.stages == ("base85", "lzma")
    assert "globals()['__file__'] = 'x.py'" in script.line(1)
