"""docs/start.md: what is added to the quickstart, problems of one's own, and the table."""

import json
import re
from pathlib import Path

import pages

from sage_jax import config as configs
from sage_jax import setup, yaml_text
from sage_jax.run.run_folder import RunFolder

ARMS, OWN = map(yaml_text.read, pages.blocks("docs/start.md", "yaml"))


def test_the_arms_that_are_added_can_be_trained(tmp_path):
    old = configs.load(pages.ROOT / "configs" / "quickstart.yaml")
    config = configs.override(old, ARMS)
    assert set(config.arms) - set(old.arms) == {"sage_gated_0.4", "sage_token"}
    folder = RunFolder(tmp_path)
    folder.share(old)
    folder.share(config)  # Is not refused.


def test_the_quickstart_draws_the_histogram_that_the_page_and_the_readme_speak_of():
    assert configs.load(pages.ROOT / "configs" / "quickstart.yaml").train.entropies > 0
    for page in ("README.md", "docs/start.md"):
        assert "report/entropies.png" in (pages.ROOT / page).read_text()


def test_problems_of_ones_own_are_read(tmp_path, monkeypatch):
    import byte_models  # Transformers takes seconds.

    monkeypatch.chdir(tmp_path)
    train, held_out = pages.blocks("docs/start.md", "json")
    Path("problems.jsonl").write_text(train)
    Path("held_out.jsonl").write_text(held_out)
    model = byte_models.save(tmp_path / "model", max_positions=256)
    changes = {
        "rollout": {"max_prompt_length": 160},
        "task": {"num_workers": 1},
        "mesh": {"data": 1},
    }
    base = setup.open_base(configs.override(configs.parse(OWN), changes), str(model))
    try:
        assert [*base.task.held_out(2).ids] == ["cups", "third"]
        assert sorted(base.task.train_prompts(0, 3).ids) == ["half", "pens", "train"]
    finally:
        base.task.close()


def test_lines_of_json_are_problems():
    for text in pages.blocks("docs/start.md", "json"):
        for line in text.splitlines():
            assert json.loads(line).keys() == {"id", "problem", "answer"}


def test_the_table_that_is_read_is_that_of_the_results():
    seen = pages.text("docs/results.md")
    (table,) = pages.blocks("docs/start.md", "text")
    for row in table.splitlines()[1:]:
        name, step, *figures = re.split(r"\s{2,}", row.strip())
        assert step == ("0" if name == "base" else "150")
        found = re.search(rf"^\| `{name}` \| (.*) \|$", seen, flags=re.MULTILINE)
        assert found is not None
        assert figures == [_printed(cell) for cell in found[1].split(" | ")]


def _printed(cell):
    mean, low, high = map(float, re.findall(r"[\d.]+", cell))
    return f"{mean:.1%} [{100 * low:.1f}, {100 * high:.1f}]"
