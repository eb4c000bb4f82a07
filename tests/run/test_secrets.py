"""What a run writes and prints holds no secret of its environment."""

import os

import pytest

from sage_jax import cli
from sage_jax import config as configs

SECRETS = {
    "HF_TOKEN": "hf_thisisnotarealtoken",
    "HUGGING_FACE_HUB_TOKEN": "hf_thisisnotarealonetoo",
    "WANDB_API_KEY": "0123456789abcdeffedcba9876543210",
    "GOOGLE_APPLICATION_CREDENTIALS": "/secret/key-5f2c.json",
}


def spoken(path):
    """Every byte below a folder, with the names of the files."""
    files = [file for file in path.rglob("*") if file.is_file()]
    assert {"config.yaml", "metrics.jsonl"} <= {file.name for file in files}
    return b"".join(os.fsencode(file) + file.read_bytes() for file in files)


def test_no_secret_is_written_or_printed(make_words_config, tmp_path, monkeypatch, capfd):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    path, folder = tmp_path / "words.yaml", tmp_path / "run"
    path.write_text(configs.dump(make_words_config({"train": {"steps": 1}})))
    cli.main(["train", str(path), "--run_dir", str(folder)])
    cli.main(["report", str(folder)])
    with pytest.raises(SystemExit):  # Errors are printed too.
        cli.main(["train", str(path), "--run_dir", str(folder), "--seed", "5"])
    printed = capfd.readouterr()
    everything = spoken(folder) + (printed.out + printed.err).encode()
    assert b"started with another config" in everything
    assert len(list((folder / "report").glob("*.html"))) == 1
    for value in SECRETS.values():
        assert value.encode() not in everything
