"""The rules of ARCHITECTURE.md, held by reading the source: imports point one way, third parties stay in their
place."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "worldgen"
FILES = sorted(SOURCE.rglob("*.py"))

LEVELS = (
    {"core"},
    {"files"},
    {"prompts", "simulation", "data", "models"},
    {"rendering"},
    {"models.native", "models.backbones", "instruments"},
    {"training", "evaluation"},
    {"generation"},
    {"api"},
    {"cli"},
)
"""Rooms from the lowest to the highest. A module belongs to the longest name that begins its own; rooms of a level are
siblings."""
LEVEL = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}
ROOT_MODULES = {"__init__", "__main__"}


CONFINED = {
    "omegaconf": ("files/config_files.py",),
    "yaml": ("files/config_files.py",),
    "ray": ("generation/campaign/cluster.py",),
    "accelerate": ("training/",),
    "transformers": (
        "models/",
        "training/",
        "instruments/detector/pretrained.py",
        "instruments/depth_reader.py",
        "evaluation/distances/frame_features.py",
    ),
    "peft": ("models/", "training/"),
    "pyarrow": (
        "data/dataset/index.py",
        "data/dataset/index_table.py",
        "data/ingest/logs/tables/arrow_files.py",
        "data/export/",
    ),
    "diffusers": ("models/", "training/"),
    "torch": ("models/", "instruments/", "training/", "evaluation/", "generation/", "api/", "cli/"),
    "tqdm": ("cli/",),
    "argparse": ("cli/",),
    "av": ("data/video/",),
    "embreex": ("rendering/raycast/geometry/ray_mesh.py",),
    "jinja2": ("data/view/", "generation/report/", "generation/insert/labelled_sets/"),
}
"""Third-party package -> where it may be imported, as starts of paths."""

FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
"""They run code from files, and worldgen opens files from anywhere."""
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_ATTRIBUTES = {("torch", "load"), ("torch", "save")}
ALLOWED_RANDOM = {"Generator", "default_rng", "SeedSequence", "PCG64"}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}
MAX_LINES = 400
MAX_MODULES = 15


def _name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def _module(path: Path) -> str:
    return "worldgen." + _name(path).removesuffix(".py").replace("/", ".").removesuffix(".__init__")


MODULES = {_module(path) for path in FILES}


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _imports(path: Path, *, at_import_only: bool = False, for_types: bool = True) -> list[tuple[str, int]]:
    """Full dotted names that a file imports, with their lines.

    at_import_only: leave out imports inside functions. for_types: with those under ``if TYPE_CHECKING``.
    """
    found: list[tuple[str, int]] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            found.extend((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)}:{node.lineno} uses a relative import"
            for alias in node.names:  # "from package import module" is an import of the module, not of the package
                inner = f"{node.module}.{alias.name}"
                found.append((inner if inner in MODULES else node.module or "", node.lineno))
        for child in ast.iter_child_nodes(node):
            if at_import_only and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if not for_types and isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
                continue
            visit(child)

    visit(_tree(path))
    return found


def test_the_walk_sees_the_package():
    assert {"worldgen.core.ego", "worldgen.cli.main"} <= MODULES and len(FILES) > 20
    assert "worldgen.core.errors" in {name for name, _ in _imports(SOURCE / "core" / "camera.py")}


def _room(module: str) -> str | None:
    """The room of a module of worldgen; None for the package itself and what lies beside the rooms."""
    parts = module.split(".")[1:]
    names = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((name for name in names if name in LEVEL), None)


def test_every_module_is_in_a_room():
    homeless = [m for m in sorted(MODULES) if _room(m) is None and m.split(".")[-1] not in {*ROOT_MODULES, "worldgen"}]
    assert not homeless, f"no level for {homeless}; add it to LEVELS and to ARCHITECTURE.md"


def test_imports_point_down():
    wrong = []
    for path in FILES:
        own = _room(_module(path))
        for name, line in _imports(path):
            other = _room(name) if name.startswith("worldgen.") else None
            if own is None or other is None or other == own:
                continue
            if LEVEL[other] >= LEVEL[own]:
                kind = "a sibling" if LEVEL[other] == LEVEL[own] else "a higher level"
                wrong.append(f"{_name(path)}:{line}: {own} may not import {other} ({kind})")
    assert not wrong, "\n".join(wrong)


def test_third_parties_stay_in_their_place():
    wrong = []
    for path in FILES:
        for name, line in _imports(path):
            places = CONFINED.get(name.split(".")[0])
            if places is not None and not _name(path).startswith(places):
                wrong.append(f"{_name(path)}:{line}: {name} belongs in {places}")
    assert not wrong, "\n".join(wrong)


def test_no_import_cycles():
    """Not even inside a package or for type checkers: a cycle means that two files are one."""
    edges: dict[str, set[str]] = {}
    for path in FILES:
        module = _module(path)
        targets = {name for name, _ in _imports(path, at_import_only=True)} & MODULES
        edges[module] = targets - {module, "worldgen"} if module != "worldgen" else set()  # its names are loaded lazily
    done: set[str] = set()

    def walk(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, "import cycle: " + " -> ".join([*trail[trail.index(module) :], module])
        if module not in done:
            for target in sorted(edges[module]):
                walk(target, (*trail, module))
            done.add(module)

    for module in sorted(edges):
        walk(module, ())


def _dangers(path: Path) -> list[str]:
    """What in a file could run code from data, depends on global randomness, prints or swallows errors."""
    found = [
        f"{_name(path)}:{line}: {name} runs code from data"
        for name, line in _imports(path)
        if name.split(".")[0] in FORBIDDEN_IMPORTS
    ]
    for node in ast.walk(_tree(path)):
        where = f"{_name(path)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in FORBIDDEN_CALLS:
                found.append(f"{where}: {node.func.id}()")
            if node.func.id == "print" and not _name(path).startswith("cli/"):
                found.append(f"{where}: only cli prints")
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            found.append(f"{where}: allow_pickle")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            pair = (node.value.id, node.attr)
            if pair in FORBIDDEN_ATTRIBUTES:
                found.append(f"{where}: {'.'.join(pair)} (weights are safetensors)")
        is_random = isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("np.random", "numpy.random")
        if is_random and node.attr not in ALLOWED_RANDOM:
            found.append(f"{where}: np.random.{node.attr} is global; pass a Generator")
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            found.append(f"{where}: bare except")
    return found


def test_nothing_dangerous_or_global():
    found = [line for path in FILES for line in _dangers(path)]
    assert not found, "\n".join(found)


def test_files_are_short_and_folders_small():
    long = {_name(path): lines for path in FILES if (lines := path.read_text("utf-8").count("\n")) > MAX_LINES}
    assert not long, f"more than {MAX_LINES} lines: {long}"
    folders = Counter(path.parent.relative_to(SOURCE).as_posix() for path in FILES if path.name != "__init__.py")
    full = {folder: count for folder, count in folders.items() if count > MAX_MODULES}
    assert not full, f"more than {MAX_MODULES} modules in a folder: {full}"


def test_names_say_what_they_hold_and_are_used_once():
    vague = [_name(path) for path in FILES if VAGUE_NAMES & set(path.relative_to(SOURCE).with_suffix("").parts)]
    assert not vague, f"names that say nothing: {vague}"
    modules = Counter(path.stem for path in FILES if path.name not in ("__init__.py", "__main__.py"))
    classes = Counter(node.name for path in FILES for node in ast.walk(_tree(path)) if isinstance(node, ast.ClassDef))
    twice = [name for names in (modules, classes) for name, count in sorted(names.items()) if count > 1]
    assert not twice, f"module or class names used more than once: {twice}"


def _undocumented(path: Path) -> list[str]:
    tree = _tree(path)
    missing = []
    if tree.body and not ast.get_docstring(tree) and path.name != "__init__.py":
        missing.append("the module")
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            if not ast.get_docstring(node):
                missing.append(node.name)
            for inner in node.body if isinstance(node, ast.ClassDef) else ():
                # Accessors, serialisation pairs and overrides of documented bases say it in their name.
                if (
                    isinstance(inner, ast.FunctionDef)
                    and not inner.name.startswith("_")
                    and not inner.decorator_list
                    and not node.bases
                    and len(inner.body) > 4
                    and not ast.get_docstring(inner)
                    and inner.name not in ("to_json", "from_json")
                ):
                    missing.append(f"{node.name}.{inner.name}")
    return [f"{_name(path)}: no docstring on {name}" for name in missing]


def test_public_things_say_what_they_are():
    missing = [line for path in FILES for line in _undocumented(path)]
    assert not missing, "\n".join(missing)


def test_annotations_are_lazy():
    """Python 3.10 reads the annotations of newer syntax only as text."""
    eager = [
        _name(path)
        for path in FILES
        if any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in _tree(path).body)
        and not any(name == "__future__" for name, _ in _imports(path))
    ]
    assert not eager, f"no `from __future__ import annotations`: {eager}"


def test_the_command_modules_start_with_the_standard_library_only():
    """What ``worldgen --help`` imports; numpy alone would cost a tenth of a second."""
    heavy = []
    for path in sorted((SOURCE / "cli").rglob("*.py")):
        for name, line in _imports(path, at_import_only=True, for_types=False):
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top != "worldgen":
                heavy.append(f"{_name(path)}:{line}: import {name} inside the function that needs it")
    assert not heavy, "\n".join(heavy)
