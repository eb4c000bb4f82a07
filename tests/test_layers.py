"""The shape of the code: imports point downward, and `losses` stands alone."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "sage_jax"
# From the bottom up; a package may import those before it.
ORDER = [
    "losses", "telling", "json_text", "json_lines", "yaml_text", "paths", "faults", "parts",
    "files", "models", "parallel", "rollout", "rewards", "data", "learn", "evaluate", "config",
    "setup", "plan", "run", "integrations", "cli",
]  # fmt: skip


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return {n.split(".")[1] for n in names if n.startswith("sage_jax.")} & set(ORDER)


MODULES = [p for p in sorted(ROOT.rglob("*.py")) if p.parent != ROOT or p.stem in ORDER]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downward(path):
    home = path.relative_to(ROOT).parts[0].removesuffix(".py")
    above = set(ORDER[ORDER.index(home) + 1 :])
    assert not imported(path) & above


@pytest.mark.parametrize("path", sorted((ROOT / "evaluate").glob("[!_]*.py")), ids=lambda p: p.stem)
def test_figures_stand_without_the_report(path):
    assert "sage_jax.evaluate.report" not in path.read_text()


def test_errors_are_for_the_user_but_those_that_readers_say_in_their_own_words():
    trees = [ast.parse(path.read_text()) for path in ROOT.rglob("*.py")]
    found = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    bases = {one.name: {ast.unparse(base) for base in one.bases} for one in found}
    errors = {name for name in bases if name.endswith("Error") and name != "UserError"}
    assert len(errors) > 10
    others = {name for name in errors if "UserError" not in bases[name]}
    assert others == {"JsonLinesError", "YamlError", "RowError"}


def test_the_walk_finds_what_it_looks_for():
    assert imported(ROOT / "run" / "step.py") >= {"data", "learn", "losses", "rollout"}
