"""How commands are found in what a page shows."""

import pytest
import shell


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=1 B=2 ls -l \\\n  x > out.txt  # why", [["ls", "-l", "x"]]),
        ("for a in *.b; do unzip -q $a; done", [["unzip", "-q", "$a"]]),
        ("cp a b && ls | tail -1", [["cp", "a", "b"], ["ls"], ["tail", "-1"]]),
        ("python -c 'import a\nprint(1)'\nls", [["python", "-c", "import a\nprint(1)"], ["ls"]]),
        ("python -m pytest -q", [["pytest", "-q"]]),
        ("python -m studies.real", [["python", "-m", "studies.real"]]),
        ("sage-jax rate C [--samples 8]", [["sage-jax", "rate", "C", "--samples", "8"]]),
        ("sage-jax report RUN ...", [["sage-jax", "report", "RUN"]]),
        ("pip install '.[gguf]'", [["pip", "install", ".[gguf]"]]),
        ("# a comment\n\n", []),
    ],
)
def test_commands_are_words(text, found):
    assert list(shell.commands(text)) == found
    with pytest.raises(AssertionError, match="open quotation"):
        list(shell.commands(text + "\n'"))
