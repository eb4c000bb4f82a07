"""Every `sage-jax` that a page shows: its command, its config and its options exist."""

import functools

import pages
import pytest
import shell

from sage_jax import cli, parts, yaml_text
from sage_jax import config as configs

OVER_A_CONFIG = ("train", "eval", "data", "sample", "entropies", "rate", "export", "plan")
FOLDERS = ("runs/", "gs://", "/content/", "RUN_DIR")
SCRIPTS = ("cloud_tpu", "gke", "skypilot", "slurm")


def ours():
    """(page, words behind `sage-jax`), also of those that a script of launch/ runs."""
    found = []
    for page, words in shell.of_pages():
        match words:
            case ["sage-jax", *rest]:
                found.append((page, rest))
            case ["bash", "launch/local.sh", *rest]:
                found.append((page, ["train", *rest]))
            case ["bash", script, "train", config, *rest] if _starts_a_run(script):
                found.append((page, ["train", config, *_behind_dashes(rest)]))
    return [pytest.param(page, words, id=f"{page}: {' '.join(words)}") for page, words in found]


def _starts_a_run(script):
    return script in [f"launch/{name}.sh" for name in SCRIPTS]


def _behind_dashes(words):
    return words[words.index("--") + 1 :] if "--" in words else []


@functools.cache
def _config(name):
    """The config that a command names; of a run folder any will do."""
    arms, own = (yaml_text.read(text) for text in pages.blocks("docs/start.md", "yaml"))
    quickstart = configs.load(pages.ROOT / "configs" / "quickstart.yaml")
    if name == "own.yaml":
        return configs.parse(own)
    if name == "again.yaml":
        return configs.override(quickstart, arms)
    if name == "CONFIG" or name.startswith(FOLDERS):
        return quickstart
    return configs.load(configs.shipped(name) or pages.ROOT / name)


@pytest.mark.parametrize(("page", "words"), ours())
def test_a_command_and_its_options_exist(page, words, folder_of_ones_own):
    match [word for word in words if word != "--help"]:
        case []:
            pass
        case ["quickstart", *rest]:
            _check("train", "quickstart", rest)
        case ["parts", *rest]:
            assert parts.listing(*rest)
        case ["report" | "verify" as name, *rest]:
            assert not rest or cli._parsed(_options(name), name, rest)
        case ["configs", *names]:
            assert all(map(configs.shipped, names))
        case [name]:
            assert name in OVER_A_CONFIG
        case [name, target, *rest]:
            _check(name, target, rest)


def _options(name):
    return getattr(cli, f"_{name.title()}Options")


def _check(name, target, rest):
    assert name in OVER_A_CONFIG
    config, kind = _config(target), _options(name)
    if name == "eval" and target.startswith(FOLDERS):
        kind = cli._Overrides
    if rest:
        options = cli._parsed(kind, name, rest, config)
        assert not getattr(options, "arm", "") or configs.arm(config, options.arm)


def test_an_option_that_is_gone_is_seen(capsys):
    with pytest.raises(SystemExit):
        _check("plan", "CONFIG", ["--no_such_option", "1"])
    assert "no_such_option" in capsys.readouterr().err
