"""The table that ends a run: pass@k of base and trained model, with intervals."""

import io
import re

from sage_jax.evaluate import print_table


def printed(folders):
    file = io.StringIO()
    print_table(folders, file)
    return file.getvalue()


def test_every_model_has_its_figures_and_its_difference(arms):
    text = printed([arms])
    rows = [line for line in text.splitlines() if line.startswith("│")]
    names = [row.split("│")[1].strip() for row in rows]
    assert names[0] == "base"
    assert names[1:3] == [names[1], "− its base"]
    assert len(names) == 1 + 2 * (len(names) // 2)
    assert all(re.search(r"pass@1\b.*pass@16", line) for line in text.splitlines() if "┃" in line)
    assert re.search(r"\d+\.\d% \[\d+\.\d, \d+\.\d\]", rows[0])
    assert re.search(r"[+-]\d+\.\d \[[+-]\d+\.\d, [+-]\d+\.\d\]", rows[2])
    assert max(map(len, text.splitlines())) <= 200


def test_on_a_terminal_intervals_stand_below_their_figures(arms, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "150")
    text = re.sub(r"\x1b\[[\d;]*m", "", printed([arms]))
    assert re.search(r"│ +\d+\.\d% │", text)
    assert re.search(r"│ +\[\d+\.\d, \d+\.\d\] │", text)
    assert re.search(r"│ +[+-]\d+\.\d( \*)? │", text)
    assert not re.search(r", +│", text)  # No interval is broken.


def test_a_run_without_evaluations_prints_nothing(tmp_path):
    (tmp_path / "config.yaml").write_text("name: x\n")
    assert printed([tmp_path]) == ""
