"""Any command line ends with a status and, where it fails, a message: never a trace of ours."""

import contextlib
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import ODD, fuzzed

from sage_jax import cli, plan
from sage_jax import config as configs
from sage_jax.run import arms, commands, entropies, exporting, rating

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = ["quickstart.yaml", "smollm2_arithmetic.yaml", "qwen2_5_math_7b_dapo.yaml"]
TARGETS = [
    *(str(CONFIGS / name) for name in FILES), str(CONFIGS), "nowhere.yaml", "", ".", "/",
    "/dev/null", "x" * 300, "a\x00b", "\ud800", "\udcff", "gs://", "s3://bucket/x", "~", "--help",
    "-h", "--", "--seed", "-1",
]  # fmt: skip
WORDS = [
    *ODD, "none", "branch", "trunk", "auto", "true", "False", "0", "1", "2.5", "-1", "inf", "-inf",
    "1e-3", "9" * 20, "9" * 5000, "[1, 2]", "{}", "bfloat16", "--", "-", "=", "v5e:4x4", "--help",
    "a b", "é", "\udcff",
]  # fmt: skip
WHOLE = configs.load(CONFIGS / FILES[0]).model_dump(exclude={"arms"})
FIELDS = [
    *(f"--{section}" for section in WHOLE),
    *(f"--{s}.{f}" for s, fields in WHOLE.items() if isinstance(fields, dict) for f in fields),
]
FLAGS = {
    "train": ["--run_dir", "--run-dir"], "eval": ["--arms"], "sample": ["--prompt", "--count"],
    "entropies": ["--out", "--problems"], "rate": ["--out", "--samples"],
    "report": ["--out"], "export": ["--out", "--dtype", "--shard_gb", "--push", "--check"],
    "verify": ["--num_workers", "--deadline_s"],
    "plan": ["--topology", "--json", "--search"], "fly": ["--x"], "": ["--help"], "--help": ["x"],
}  # fmt: skip


def options(flags):
    """Up to two flags, mostly with one value each."""
    value = st.sampled_from(WORDS) | st.text(max_size=8)
    pair = st.tuples(st.sampled_from(flags), value) | st.tuples(st.sampled_from([*flags, *WORDS]))
    return st.lists(pair, max_size=2).map(lambda pairs: [word for pair in pairs for word in pair])


@pytest.fixture(scope="module", autouse=True)
def nothing_starts(tmp_path_factory):
    """Commands end where their work would begin; nothing is written beside the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, names in {
            arms: ["train_arms"],
            commands: ["evaluate_config", "evaluate_run", "sample_run"],
            exporting: ["export_run"],
            entropies: ["entropies_of_config", "entropies_of_run"],
            rating: ["rate_config", "rate_run"],
            plan: ["prepare", "make_plan", "write"],
        }.items():
            for name in names:
                patch.setattr(owner, name, lambda *_, **__: _Fits())
        patch.chdir(tmp_path_factory.mktemp("empty"))
        yield


class _Fits:
    fits = True


def run(arguments):
    """(status, what was printed)."""
    out, error, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            cli.main(arguments)
        except SystemExit as leaving:
            status = leaving.code
    return status, out.getvalue(), error.getvalue()


def check(arguments):
    status, out, error = run(arguments)
    assert status in (0, 1, 2), (arguments, status)
    assert "Traceback" not in out + error, error
    assert status == 0 or error or "usage" in out, arguments
    assert os.listdir() == []


@pytest.mark.parametrize("command", FLAGS)
@fuzzed(25)
@given(st.data())
def test_any_command_line(command, data):
    target = data.draw(st.sampled_from(TARGETS))
    check([command, target, *data.draw(options(FLAGS[command]))])


@fuzzed(60)
@given(st.sampled_from(["train", "eval", "plan"]), st.sampled_from(FILES), options(FIELDS))
def test_any_override(command, name, rest):
    check([command, str(CONFIGS / name), *rest])


@pytest.mark.parametrize("target", TARGETS, ids=ascii)
@pytest.mark.parametrize("command", ["train", "report", "verify"])
def test_any_target(command, target):
    check([command, target])


REFUSED = [
    ("verify", "/dev/null", "--num_workers", "0"),
    ("verify", "/dev/null", "--num_workers", "1000000"),
    ("verify", "/dev/null", "--deadline_s", "nan"),
    ("train", str(CONFIGS / FILES[0]), "--run_dir", "x" * 300),
    ("train", str(CONFIGS / FILES[0]), "--run_dir", "a\x00b"),
    ("train", str(CONFIGS / FILES[0]), "--optimizer.learning_rate", "inf"),
    ("train", str(CONFIGS / FILES[1]), "--task.instruction", "\ud800"),
]


@pytest.mark.parametrize("arguments", REFUSED, ids=lambda a: ascii(a[2:])[:40])
def test_values_that_nothing_can_run_with(arguments):
    check(list(arguments))
    assert run(list(arguments))[0] in (1, 2)
