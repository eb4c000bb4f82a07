"""README's lists, of commands and of folders, are what the program and the package have."""

import re

import pages
import pytest

from sage_jax import cli
from sage_jax import config as configs

USAGE, TREE = pages.blocks("README.md", "text")
LISTS = {"README.md": re.sub(r"^sage-jax ", "  ", USAGE, flags=re.MULTILINE), "cli": cli._USAGE}
QUICKSTART = configs.load(pages.ROOT / "configs" / "quickstart.yaml")


def listed(text):
    """{command: what stands behind it}, of which one may have several lines."""
    found = {}
    for name, line in re.findall(r"^  (\w+) ((?:.*\n(?!  \w|\n))*.*)", text, flags=re.MULTILINE):
        found[name] = found.get(name, "") + line
    return found


@pytest.mark.parametrize("name", LISTS)
def test_the_commands_are_those_of_the_program(name, capsys):
    with pytest.raises(SystemExit):
        cli.main(["no_such_command"])
    there = capsys.readouterr().err.partition("there are ")[2].strip().split(", ")
    assert set(listed(LISTS[name])) == set(there)


@pytest.mark.parametrize("name", LISTS)
def test_the_options_in_the_lists_exist(name):
    for command, text in listed(LISTS[name]).items():
        for option, value in re.findall(r"--(\w+)(?: ([A-Z]+(?:/[A-Z]+)?|\w+:\w+))?", text):
            words = [f"--{option}", *filter(None, [value])]
            kind = getattr(cli, f"_{command.title()}Options")
            assert cli._parsed(kind, command, words, QUICKSTART)


def test_the_folders_are_those_of_the_package():
    shown = re.findall(r"^sage_jax/(\w+)/ ", TREE, flags=re.MULTILINE)
    there = [path.parent.name for path in (pages.ROOT / "sage_jax").glob("*/__init__.py")]
    assert sorted(shown) == sorted(there)
