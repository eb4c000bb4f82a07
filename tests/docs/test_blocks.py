"""Every block of every page is looked at by a test, or is said to be for the eye alone."""

import re

import pages
import pytest

# All blocks of these are looked at, by test_commands.py and test_scripts.py, and test_configs.py.
EVERYWHERE = ("sh", "bash", "yaml")
# Of the others, for each block of a page in its order: the test that executes it or compares it
# with what the program says. What is no test says why there is none.
HELD = {
    ("README.md", "python"): [
        "tests/integrations/test_reuse.py::test_the_readmes_loss_is_the_recipe",
        "tests/learn/test_front_door.py::test_the_readme_trains_with_a_reward_of_ones_own",
    ],
    ("README.md", "text"): [
        "tests/docs/test_usage.py::test_the_commands_are_those_of_the_program",
        "tests/docs/test_usage.py::test_the_folders_are_those_of_the_package",
    ],
    ("docs/data.md", "console"): ["what it prints needs the data; its command is looked at"],
    ("docs/evaluation.md", "python"): [
        "tests/evaluate/test_examples.py::test_differences_of_two_evaluations",
        "tests/evaluate/test_examples.py::test_a_table_of_suites",
        "tests/evaluate/test_examples.py::test_stored_completions_are_judged_and_counted",
    ],
    ("docs/extending.md", "python"): [
        "tests/run/test_extending.py::test_what_the_page_shows_trains_and_is_resumed",
    ]
    * 9,
    ("docs/guides/notebook.md", "python"): [
        "tests/docs/test_notebook.py::test_the_cells_train_and_go_on",
    ]
    * 2,
    ("docs/guides/notebook.md", "text"): [
        "tests/docs/test_scripts.py::test_a_program_and_its_options_exist",
        "tests/docs/test_commands.py::test_a_command_and_its_options_exist",
        "tests/docs/test_commands.py::test_a_command_and_its_options_exist",
        "a module of the notebook service",
        "tests/docs/test_commands.py::test_a_command_and_its_options_exist",
        "tests/docs/test_commands.py::test_a_command_and_its_options_exist",
    ],
    ("docs/launch.md", "console"): [
        "tests/launch/test_common.py::test_the_page_shows_what_is_printed",
    ],
    ("docs/losses.md", "python"): ["tests/losses/test_docs.py::test_examples_of_the_page_run"] * 3,
    ("docs/losses.md", "text"): ["formulas"] * 2,
    ("docs/models.md", "python"): ["tests/models/test_family.py::test_one_file_is_a_family"],
    ("docs/reuse.md", "python"): [
        "tests/integrations/test_reuse.py::test_optax_and_a_model_by_hand",
        "tests/integrations/test_reuse.py::test_flax_linen",
        "tests/integrations/test_reuse.py::test_flax_linen",
        "tests/integrations/test_reuse.py::test_maxtext",
        "tests/integrations/test_tunix.py::test_examples_of_the_page_run",
        "tests/integrations/test_tunix.py::test_examples_of_the_page_run",
    ],
    ("docs/rewards.md", "text"): ["a drawing"],
    ("docs/sage.md", "text"): ["a formula"],
    ("docs/scaling.md", "text"): ["a drawing"],
    ("docs/start.md", "json"): ["tests/docs/test_start.py::test_problems_of_ones_own_are_read"] * 2,
    ("docs/start.md", "text"): [
        "tests/docs/test_start.py::test_the_table_that_is_read_is_that_of_the_results",
    ],
}
TESTS = sorted({(page, test) for (page, _), tests in HELD.items() for test in tests})


def test_every_page_is_looked_at():
    names = {*pages.names()}
    assert {"README.md", "CONTRIBUTING.md", "docs/start.md", "docs/guides/gpu.md"} < names
    assert {page for page, _ in HELD} < names


@pytest.mark.parametrize("page", pages.names())
def test_every_block_is_held(page):
    """Sphinx looks at its own directives, whose names stand in braces."""
    found = {}
    for block in pages.every_block():
        if block.page == page and block.language not in EVERYWHERE:
            assert block.language, f"{block.place}: fence it, and say its language: sh, text, ..."
            if block.language[0] != "{":
                found.setdefault((page, block.language), []).append(block.place)
    told = {key: tests for key, tests in HELD.items() if key[0] == page}
    assert {key: len(tests) for key, tests in told.items()} == {
        key: len(places) for key, places in found.items()
    }, f"say in {__file__} by which test each is held: {found}"


@pytest.mark.parametrize(("page", "test"), [one for one in TESTS if "::" in one[1]])
def test_the_test_is_there_and_reads_the_page(page, test):
    """By the page's name, unless it goes over all of them."""
    file, name = test.split("::")
    code = (pages.ROOT / file).read_text()
    assert re.search(rf"^def {name}\(", code, flags=re.MULTILINE)
    assert page in code or "pages.every_block()" in code or "shell.of_pages()" in code


def test_ci_runs_the_tests_in_tunix():
    """They are skipped where it is not installed, as among all other tests."""
    script = (pages.ROOT / "launch" / "test_tunix.sh").read_text()
    assert "pytest -n 0 tests/integrations/test_tunix.py" in script
    assert "bash launch/test_tunix.sh" in (pages.ROOT / ".ci" / "run").read_text()
