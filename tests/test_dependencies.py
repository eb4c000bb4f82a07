"""Every package that is imported is declared, and every declared one is used and explained."""

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Packages whose module has another name.
PACKAGES = {"PIL": "pillow", "yaml": "pyyaml", "orbax": "orbax-checkpoint", "tunix": "google-tunix"}
# Modules that an extra of another package brings.
BROUGHT = {"libtpu"}
# Declared though nothing here imports them by a statement, and who does.
NOT_IMPORTED = {
    "jinja2": "transformers, for chat templates",
    "array-record": "tensorflow-datasets, for its files",
    "gcsfs": "fsspec, for gs://",
    "gguf": "models.gguf_file, by name, since it is optional",
    "datasets": "data.tables.hub, by name, since it is optional",
    "reasoning-gym": "rewards.gym, by name, since it is optional",
    "mlflow-skinny": "run.tracking.mlflow, by name, since it is optional",
    "tensorboardx": "run.tracking.tensorboard, by name, since it is optional",
    "trackio": "run.tracking.trackio, by name, since it is optional",
    "wandb": "run.tracking.wandb, by name, since it is optional",
}


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(tree):
    """Top-level modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module)
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"sage_jax"}


def declared():
    """Packages of the project and of its extras but those of the tests and of the site."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = project["dependencies"] + [
        p for name in extras if name not in ("test", "docs") for p in extras[name]
    ]
    return {canonical(re.split(r"[\[<>=~!; ]", one)[0]) for one in wanted}


def used():
    trees = [ast.parse(path.read_text()) for path in (ROOT / "sage_jax").rglob("*.py")]
    modules = set().union(*map(imported, trees)) - BROUGHT
    return {canonical(PACKAGES.get(module, module)) for module in modules}


def test_what_is_imported_is_declared():
    assert used() - declared() == set()


def test_what_is_declared_is_used():
    assert declared() - used() == set(NOT_IMPORTED)


def test_what_is_declared_is_explained():
    rows = [
        line.split("|")[1]
        for line in (ROOT / "docs" / "dependencies.md").read_text().splitlines()
        if line.startswith("|")
    ]
    explained = {canonical(name) for row in rows for name in re.findall(r"[\w.-]+", row)}
    assert declared() - explained == set()


def test_what_is_declared_is_pinned():
    lines = (ROOT / "launch" / "constraints.txt").read_text().splitlines()
    pinned = {canonical(line.split("==")[0]) for line in lines if "==" in line}
    assert declared() - pinned == set()
