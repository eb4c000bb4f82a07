"""Where the reference branches, on the page."""

import json

import pytest

from sage_jax import cli
from sage_jax.evaluate import ResultError, write_report

FOUND = {
    "task": "puzzle",
    "histogram": {"edges": [0.0, 1.0, 2.0], "shares": [0.75, 0.25]},
    "positions": [{"mean": 1.9, "tokens": 4}, {"mean": 0.8, "tokens": 4}],
    "valley": {"threshold": 1.4, "share": 0.25},
}


def put(folder, **changes):
    file = folder / "entropies" / "entropies.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(FOUND | changes))


def test_a_report_draws_it_beside_the_other_pictures_and_tells_of_it(tmp_path, write_run, capsys):
    run, out = write_run(tmp_path / "run"), tmp_path / "out"
    assert "Where the reference branches" not in write_report([run], out).read_text()
    put(run)
    cli.main(["report", str(run), "--out", str(out)])
    assert f"where the reference branches: {out / 'entropies.png'}\n" in capsys.readouterr().out
    assert "Where the reference branches" in (out / "index.html").read_text()
    assert (out / "entropies_dark.png").read_bytes().startswith(b"\x89PNG")


def test_that_of_arms_lies_in_the_folder_of_all_of_them(tmp_path, write_run):
    arms = [write_run(tmp_path / name) for name in ("one", "two")]
    put(tmp_path)
    (tmp_path / "shared.yaml").write_text("{}")
    page = write_report(arms, tmp_path / "out").read_text()
    assert page.count("histogram of the reference&#x27;s entropies on puzzle") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"valley": 1.4},
        {"positions": []},
        {"histogram": {"edges": [0.0, 1.0], "shares": [0.5, 0.5]}},
        {"histogram": {"edges": [0.0, 1.0, 2.0], "shares": [0.5, None]}},
        {"task": None, "histogram": None},
    ],
)
def test_what_is_corrupt_is_refused_before_anything_is_written(tmp_path, write_run, changes):
    run = write_run(tmp_path / "run")
    put(run, **changes)
    with pytest.raises(ResultError, match=r"entropies\.json: not as `sage-jax entropies` writes"):
        write_report([run], tmp_path / "out")
    assert not (tmp_path / "out").exists()
