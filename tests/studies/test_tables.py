from typing import Any

import pytest

from studies import store, tables


def row(arm, coef, pair, value) -> dict[str, Any]:
    named = ("real", *pair, arm, {}, coef, 1e-3 if arm != "base" else 0.0)
    metrics = ("pass@1", "pass@4", "pass@16", "pass@64", "modes/kept", "kl", "entropy", "seconds")
    return {**dict(zip(store.NAMED, named, strict=True)), **dict.fromkeys(metrics, value)}


@pytest.mark.parametrize("plain", [[], ["no KL"]])
def test_what_was_sampled_64_times_has_its_tables_and_pictures(tmp_path, plain):
    """Rows of the real model end at pass@64, and its arms have names of their own."""
    pairs = [(0, 0), (1, 1)]
    arms = [
        ("base", 0.0, 0.5),
        ("k3", 0.1, 0.6),
        ("k3", 0.3, 0.55),
        *((a, 0.0, 0.7) for a in plain),
    ]
    for pair in pairs:
        for arm, coef, value in arms:
            store.append(tmp_path / "rows.jsonl", row(arm, coef, pair, value))
    tables.main(["--results", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "out")])
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"real-0.001.md", "real-0.001.png", "real-0.001-pass-at-k.png"}
