"""Models out: what an exported folder holds, whether it is the run's model, and what is refused."""

import json
import re

import huggingface_hub
import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

from sage_jax import cli, models, yaml_text
from sage_jax import config as configs
from sage_jax.evaluate import EvalResult
from sage_jax.run import exporting
from sage_jax.run.export_check import CheckError
from sage_jax.run.exporting import Asked, export_run
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.trained import Trained, load_trained

TOKEN = "hf_thisisnotarealtoken"


@pytest.fixture(scope="module")
def merged(adapted, tmp_path_factory):
    """All weights in bfloat16 and in shards of 20 kB, read back and compared."""
    config, folder = adapted
    out = tmp_path_factory.mktemp("out") / "merged"
    export_run(folder.path, config, out, Asked(dtype="bfloat16", shard_gb=2e-5, check=True))
    return out


def head_and_text(out):
    """The YAML at the head of a card, and what stands below."""
    empty, head, text = (out / "README.md").read_text().split("---\n", 2)
    assert not empty
    return yaml_text.read(head), text


def test_merged_weights_lie_in_shards_beside_all_that_goes_with_them(merged, adapted):
    names = {path.name for path in merged.iterdir()}
    assert {"config.json", "generation_config.json", "README.md", "tokenizer.json",
            "chat_template.jinja", "model.safetensors.index.json"} <= names  # fmt: skip
    shards = sorted(name for name in names if name.endswith(".safetensors"))
    assert shards[0] == f"model-00001-of-{len(shards):05d}.safetensors"
    tensors = {k: v for name in shards for k, v in load_file(merged / name).items()}
    assert {str(x.dtype) for x in tensors.values()} == {"bfloat16"}
    index = json.loads((merged / "model.safetensors.index.json").read_text())
    assert index["weight_map"].keys() == tensors.keys()
    assert index["metadata"]["total_size"] == sum(x.nbytes for x in tensors.values())
    loaded, tokenizer = models.load(merged), models.load(adapted[0].model.source).tokenizer
    assert loaded.tokenizer is not None
    assert tokenizer is not None
    assert loaded.tokenizer.chat_template == tokenizer.chat_template


def test_transformers_is_told_to_sample_as_the_run_did(make_words_config, merged):
    rollout = {"temperature": 0.7, "top_p": 0.9, "min_p": 0.01}
    shape = models.read_config(merged)
    told = exporting.generation(make_words_config({"rollout": rollout}), shape)
    assert told == {
        "do_sample": True, "top_k": 0, **rollout, "eos_token_id": [3], "pad_token_id": 3,
    }  # fmt: skip
    written = json.loads((merged / "generation_config.json").read_text())
    assert (written["temperature"], written["eos_token_id"]) == (1.0, [3])


def test_the_card_says_what_it_is_how_it_was_made_and_what_it_scored(merged, adapted):
    config, folder = adapted
    head, text = head_and_text(merged)
    assert head == {
        "library_name": "transformers", "pipeline_tag": "text-generation",
        "tags": ["sage-jax", "reinforcement-learning", "rlvr", "lora"],
    }  # fmt: skip
    assert "step 2 of 2. This is all weights, merged, bfloat16." in text
    for row in ("| guide | `branch` |", "| estimator | `k3` |", "| kl_coef | `0.05` |",
                "| steps | `2` |"):  # fmt: skip
        assert row in text
    figure = EvalResult.load(folder.eval_file("final")).summary()["pass@2"]
    low, mean, high = (100 * figure[name] for name in ("low", "mean", "high"))
    assert re.search(rf"pass@2 .*\| {mean:.1f} \[{low:.1f}, {high:.1f}\] \|", text)
    [written] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert configs.parse(yaml_text.read(written)) == config


def test_an_adapter_is_written_alone_and_is_the_runs(adapted, tmp_path, capsys):
    config, folder = adapted
    out = tmp_path / "adapter"
    cli.main(["export", str(folder.path), "--out", str(out), "--adapter", "--check"])
    printed = " ".join(capsys.readouterr().out.split())
    assert re.search(r"differ from the run's by at most \S+ nats \(bound 0.001", printed)
    assert f"wrote {out}" in printed
    assert {"adapter_config.json", "tokenizer.json", "generation_config.json"} <= {
        path.name for path in out.iterdir()
    }
    assert not list(out.glob("model*"))
    trained = load_trained(folder.path, config)
    trained.base.task.close()
    loaded = trained.base.loaded
    read = models.read_adapter(out, loaded.config, loaded.params)
    assert (read.rank, read.alpha) == (2, 16.0)
    jax.tree.map(np.testing.assert_array_equal, read.adapters, trained.weights)
    fields = json.loads((out / "adapter_config.json").read_text())
    assert fields["base_model_name_or_path"] == config.model.source
    head, text = head_and_text(out)
    assert head["library_name"] == "peft"
    assert "AutoPeftModelForCausalLM" in text


def test_an_export_that_is_another_model_is_refused_and_nothing_is_left(
    adapted, tmp_path, monkeypatch
):
    config, folder = adapted
    monkeypatch.setattr(Trained, "export", lambda self: self.base.loaded.params)
    with pytest.raises(CheckError, match=r"by at most \S+ nats, more than 0.001 .*nothing was wri"):
        export_run(folder.path, config, tmp_path / "out", Asked(check=True))
    assert list(tmp_path.iterdir()) == []


class Hub:
    """What is asked of `huggingface_hub.HfApi`, which keeps what it was asked."""

    def __init__(self, *, fails=""):
        self.fails, self.asked = fails, []

    def _ask(self, name, *told):
        self.asked.append((name, *told))
        if name == self.fails:
            raise ConnectionError(f"no way\nto {TOKEN}")

    def whoami(self):
        self._ask("whoami")

    def create_repo(self, name, *, exist_ok):
        self._ask("create_repo", name, exist_ok)

    def upload_folder(self, *, repo_id, folder_path):
        self._ask("upload_folder", repo_id, folder_path)


@pytest.fixture
def on_hub(monkeypatch):
    """A function that puts a hub in the place of the real one, with a token for it."""

    def put(hub, token=TOKEN):
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: hub)
        monkeypatch.setattr(huggingface_hub, "get_token", lambda: token)
        return hub

    return put


def export(folder, out, *options, capsys):
    """(status, what was said) of the command."""
    status = 0
    try:
        cli.main(["export", str(folder.path), "--out", str(out), *options])
    except SystemExit as leaving:
        status = leaving.code
    said = capsys.readouterr()
    return status, said.out + said.err


def test_a_push_uploads_what_was_written(adapted, tmp_path, on_hub, capsys):
    hub, out = on_hub(Hub()), tmp_path / "out"
    status, said = export(adapted[1], out, "--adapter", "--push", "org/name", capsys=capsys)
    assert status == 0
    assert hub.asked == [
        ("whoami",), ("create_repo", "org/name", True), ("upload_folder", "org/name", str(out)),
    ]  # fmt: skip
    assert "pushed to https://huggingface.co/org/name" in said
    assert "from_pretrained('org/name')" in (out / "README.md").read_text()
    everything = b"".join(path.read_bytes() for path in out.iterdir()) + said.encode()
    assert TOKEN.encode() not in everything


def test_a_push_that_fails_keeps_the_folder_and_the_token(adapted, tmp_path, on_hub, capsys):
    on_hub(Hub(fails="upload_folder"))
    status, said = export(
        adapted[1], tmp_path / "out", "--adapter", "--push", "org/name", capsys=capsys
    )
    assert status == 1
    assert "--push org/name: not uploaded (ConnectionError: no way to ...)" in said
    assert (tmp_path / "out" / "adapter_config.json").is_file()
    assert TOKEN not in said


@pytest.fixture
def whole(make_config, tmp_path_factory):
    """The folder of a run of all weights, of which nothing but the config is there."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "whole")
    folder.write_config(make_config())
    return folder


@pytest.fixture
def nothing_is_loaded(monkeypatch):
    def load(*_):
        raise AssertionError("weights were read")

    monkeypatch.setattr(exporting, "load_trained", load)


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--adapter"], 1, "--adapter: this run trained all weights (lora.rank is 0)"),
        (["--shard_gb", "0"], 1, "--shard_gb is 0.0; it must be positive"),
        (["--shard_gb", "nan"], 1, "--shard_gb is nan; it must be positive"),
        (["--dtype", "int8"], 2, "invalid choice"),
        (["--push", "name"], 1, "--push is 'name'; it must be ORG/NAME"),
        (["--push", "a/b"], 1, "--push a/b: the hub does not answer us (ConnectionError: no way"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("nothing_is_loaded")
def test_what_cannot_be_is_refused_before_anything_is_loaded(
    whole, tmp_path, on_hub, capsys, options, status, message
):
    on_hub(Hub(fails="whoami"))
    found, said = export(whole, tmp_path / "out", *options, capsys=capsys)
    assert found == status
    assert message in said
    assert TOKEN not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("nothing_is_loaded")
def test_a_push_without_a_token_is_refused(whole, tmp_path, on_hub, capsys):
    hub = on_hub(Hub(), token=None)
    status, said = export(whole, tmp_path / "out", "--push", "a/b", capsys=capsys)
    assert (status, hub.asked) == (1, [])
    assert said == (
        "sage-jax: --push a/b: no token of the hub: set HF_TOKEN, or run `hf auth login`\n"
    )


@pytest.mark.usefixtures("nothing_is_loaded")
def test_a_folder_that_holds_something_is_left_alone(whole, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    status, said = export(whole, tmp_path, capsys=capsys)
    assert status == 1
    assert "exists and is not empty" in said
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
