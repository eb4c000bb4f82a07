"""docs/data.md: the tables of one's own that its configs name are read."""

from pathlib import Path

import pages
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sage_jax import config as configs
from sage_jax import parts, yaml_text

ROWS = {
    "data/train.parquet": [{"question": "3 + 4?", "answer": "3 + 4 = 7\n#### 7"}],
    "data/test.parquet": [{"question": "1,000 + 234?", "answer": "#### 1,234"}],
    "data/dapo-math-17k.parquet": [
        {
            "prompt": [{"role": "user", "content": f"Half of {n}?"}],
            "ability": ability,
            "reward_model": {"ground_truth": str(n // 2)},
            "data_source": "math_dapo",
        }
        for n, ability in ((2, "MATH"), (4, "MATH"), (6, "CODE"))
    ],
}
TABLE = "Number,Question,Final,Level\na,One?,1,3\nb,Two?,2,4\nc,Three?,3,5\n"


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """The problem sets of the page's blocks that name files in `data/`, in their order."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    for name, rows in ROWS.items():
        pq.write_table(pa.Table.from_pylist(rows), name)
    Path("data/problems.csv").write_text(TABLE)
    base = configs.load(configs.shipped("smollm2_gsm8k") or "")
    shown = [text for text in pages.blocks("docs/data.md", "yaml") if "train_file: data/" in text]
    tasks = [configs.override(base, yaml_text.read(text)).task for text in shown]
    return [parts.resolve(task, parts.TASKS, field="task").call(seed=0) for task in tasks]


def test_the_tables_are_read_as_the_page_says(tables):
    hashes, turns, table = tables
    assert [(one.problem, one.answer) for one in hashes.train] == [("3 + 4?", "7")]
    assert [one.answer for one in hashes.held_out] == ["1234"]
    assert [one.problem for one in turns.train] == ["Half of 2?", "Half of 4?"]
    assert [(one.answer, one.source) for one in turns.train] == [(n, "math_dapo") for n in "12"]
    assert {(one.id, one.answer, one.source) for one in table.train} == {
        ("b", "2", "my-problems"),
        ("c", "3", "my-problems"),
    }
