"""Data flows one way: a module imports only from its own folder and from those above it."""

import ast
from pathlib import Path

from gflow.runs.code import ROOMS as ORDER

PACKAGE = Path(__file__).parent.parent / "gflow"

JAX_FREE = ("errors", "plugin", "random", "table", "data", "scenario", "cost")


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def room(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "gflow" and len(parts) > 1 and parts[1] in ORDER else None


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        if relative.parts[0] not in ("__init__.py", "__main__.py"):
            yield path, relative.parts[0].removesuffix(".py")


def test_every_module_has_a_place_in_the_house():
    assert {here for _, here in modules()} <= set(ORDER)


def test_a_module_imports_only_from_above():
    wrong = [
        f"{path.relative_to(PACKAGE)} imports gflow.{there}"
        for path, here in modules()
        for there in sorted({room(name) for name in imports(path)} - {None})
        if ORDER.index(there) > ORDER.index(here)
    ]

    assert wrong == []


def test_only_the_steps_import_diffrax_and_only_the_figures_import_matplotlib():
    def importers(package):
        return {
            str(path.relative_to(PACKAGE))
            for path, _ in modules()
            if any(name.split(".")[0] == package for name in imports(path))
        }

    assert importers("diffrax") == {"flow/stepper.py", "flow/stretch.py"}
    assert all(name.startswith("report/") for name in importers("matplotlib"))


def test_the_question_does_not_need_jax():
    heavy = {"jax", "diffrax", "equinox", "xarray", "matplotlib", "scipy"}
    for path, here in modules():
        if here in JAX_FREE:
            assert not {name.split(".")[0] for name in imports(path)} & heavy, path


def test_no_module_postpones_its_annotations():
    for path, _ in modules():
        assert "__future__" not in imports(path), path


def test_measures_know_nothing_of_the_flow():
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path, here in modules()
        if here == "measure"
        for name in imports(path)
        if room(name) == "flow"
    ]

    assert wrong == []
