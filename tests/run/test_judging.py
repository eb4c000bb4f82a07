"""Verdicts of several processes, told as JSON, in the order of their rows."""

import json

import numpy as np

from sage_jax.data.tasks import Judged
from sage_jax.run import judging
from sage_jax.run.judging import Verdicts, shared


def verdicts(rows, name, parts, modes=()):
    size = len(rows)
    judged = Judged(
        np.array(rows, np.float32) / 3, np.array(rows) % 2 == 1, [str(row) for row in rows],
        ["correct"] * size, {key: np.array(values, np.float32) for key, values in parts.items()},
        modes, [name] * size,
    )  # fmt: skip
    places = np.array(rows)
    return Verdicts(places, judged, places + 10, places * 0)


def test_all_processes_are_told_of_all_rows_whatever_each_was_judged_by(monkeypatch):
    processes = [
        verdicts([2, 3], "sums", {"sums/short": [0.25, 0.5]}, modes=["", "b"]),
        verdicts([0, 1], "words", {}, modes=["", "a"]),
        Verdicts(np.zeros(0, int), judging._NOTHING, np.zeros(0, int), np.zeros(0, int)),
    ]
    said = []
    monkeypatch.setattr(judging.jax, "process_count", lambda: 3)
    monkeypatch.setattr(judging.hosts, "gather", lambda value: said.append(value) or [value])
    for own in processes:
        shared(own)
    told = json.loads(json.dumps(said))
    monkeypatch.setattr(judging.hosts, "gather", lambda value: told)
    judged, lengths, _ = shared(processes[0])
    np.testing.assert_array_equal(judged.rewards, np.arange(4, dtype=np.float32) / 3)
    assert judged.rewards.dtype == np.float32
    assert judged.correct.tolist() == [False, True, False, True]
    assert judged.answers == ["0", "1", "2", "3"]
    assert judged.modes == ["", "a", "", "b"]
    assert judged.sources == ["words", "words", "sums", "sums"]
    np.testing.assert_array_equal(judged.parts["sums/short"], [np.nan, np.nan, 0.25, 0.5])
    assert judged.means() == {"reward/sums/short": 0.375}
    assert lengths.tolist() == [10, 11, 12, 13]
