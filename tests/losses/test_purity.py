"""losses/ stands on jax and the standard library alone and works wherever it is copied."""

import ast
import doctest
import importlib
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sage_jax import losses

FOLDER = Path(losses.__file__).parent
MODULES = sorted(module.name for module in pkgutil.iter_modules([str(FOLDER)]))
ALL = sorted(m.name for m in pkgutil.walk_packages([str(FOLDER)], f"{losses.__name__}."))

BLOCKED = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"sage_jax", "flax", "optax", "orbax", "transformers", "chex"}:
            raise ImportError(f"{name} must not be needed")

sys.meta_path.insert(0, Refuse())
import jax, jax.numpy as jnp
from trainer_of_mine.shaped import guides, recipes, Terms
mask = jnp.ones((2, 3))
log_q = guides.branch(jnp.full((2, 3), 1.7), mask)
loss = recipes.sage(guides.branch_guide())
terms = Terms(-mask, mask, jnp.ones(2), ref_logps=-mask, entropies=1.7 * mask)
mean, metrics = jax.jit(loss)(terms, step=0, key=None)
assert abs(float(jnp.exp(log_q)[0, 0]) - 1.15) < 1e-6
assert abs(float(metrics["q/mean"].value()) - 1.15) < 1e-6
assert jnp.isfinite(mean.value())
"""


def _imports(path: Path) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.level, node.module or ""))
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.name)
def test_only_jax_the_standard_library_and_siblings_are_imported(path):
    depth = len(path.relative_to(FOLDER).parts)
    for level, name in _imports(path):
        root = name.split(".")[0]
        assert 1 <= level <= depth or (
            level == 0 and (root == "jax" or root in sys.stdlib_module_names)
        ), f"{path.name} imports {'.' * level}{name}"


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.name)
def test_files_stay_small(path):
    assert len(path.read_text().splitlines()) <= 300


def test_a_copy_under_another_name_works_without_us(tmp_path):
    package = tmp_path / "trainer_of_mine"
    shutil.copytree(FOLDER, package / "shaped", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").write_text("")
    command = [sys.executable, "-W", "error", "-c", BLOCKED]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_all_submodules_are_exported():
    public = {name for name in MODULES if not name.startswith("_")}
    assert public <= set(losses.__all__)
    assert all(hasattr(losses, name) for name in losses.__all__)


@pytest.mark.parametrize("name", ALL)
def test_docstring_examples_are_true(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0
