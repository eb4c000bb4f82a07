"""The whole evaluation and training files, where SAGE_DATA_DIR names a folder that holds them."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sage_jax.data import check_golds, named, read_problems
from sage_jax.data.named import gsm8k
from sage_jax.rewards import VerifierPool

FOLDER = os.environ.get("SAGE_DATA_DIR")
ROWS = {
    "math500.jsonl": 500,
    "minerva.jsonl": 272,
    "aime24.jsonl": 30,
    "aime25.jsonl": 30,
    "amc23.jsonl": 40,
    "gsm8k_train.jsonl": 7473,
    "gsm8k_test.jsonl": 1319,
    "dapo_math_17k.jsonl.gz": 17243,
}
pytestmark = [
    pytest.mark.skipif(not FOLDER, reason="SAGE_DATA_DIR names no folder of the data files"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def two_workers():
    # Some of Minerva's pairs take seconds to be found unequal; none of its golds does.
    with VerifierPool(num_workers=2) as verifier:
        yield verifier


def problems_of(name):
    return read_problems(Path(FOLDER or "") / name)


@pytest.mark.parametrize("name", ROWS)
def test_every_gold_is_accepted_in_its_box(name, two_workers):
    problems = problems_of(name)
    assert len(problems) == ROWS[name]
    check_golds(problems, two_workers)
    pairs = [(rf"The answer is $\boxed{{{p.answer}}}$", p.answer) for p in problems]
    verdicts = zip(problems, two_workers.score(pairs), strict=True)
    assert [(p.id, v.reason) for p, v in verdicts if v.reason != "correct"] == []


@pytest.mark.parametrize("name", ["math500.jsonl", "minerva.jsonl", "gsm8k_test.jsonl"])
def test_answers_of_others_are_refused(name, two_workers):
    problems = problems_of(name)
    pairs = [
        (rf"\boxed{{{other.answer}}}", problem.answer)
        for problem, other in zip(problems, problems[1:] + problems[:1], strict=True)
        if other.answer != problem.answer
    ]
    verdicts = zip(pairs, two_workers.score(pairs), strict=True)
    accepted = {pair for pair, verdict in verdicts if verdict.reward}
    assert accepted <= {(r"\boxed{x=5}", "5")}  # equal in value, so rightly accepted


def test_powers_of_ten_of_minerva(two_workers):
    golds = [p.answer for p in problems_of("minerva.jsonl") if "e" in p.answer]
    plain = [
        gold for gold in golds if gold.replace("e", "").replace("-", "").replace(".", "").isdigit()
    ]
    assert len(plain) >= 50
    pairs = [
        (rf"\boxed{{{m} \times 10^{{{x}}}}}", f"{m}e{x}") for m, x in (g.split("e") for g in plain)
    ]
    assert all(verdict.reward == 1.0 for verdict in two_workers.score(pairs))


def test_english_part_of_dapo():
    path = Path(FOLDER or "") / "dapo_math_17k.jsonl.gz"
    assert len(read_problems(path, source_prefix="dapo_math_17k/en")) == 14034


@pytest.mark.parametrize("name", [name for name in named.DATA_SETS if name != "math"])
def test_data_sets_by_name_are_what_is_in_these_files(tmp_path, name):
    data = named.DATA_SETS[name]
    found = named.load(data, data_dir=str(tmp_path), manual_dir=FOLDER or "")
    assert {split.file: len(found[key]) for key, split in data.splits.items()} == {
        file: rows for file, rows in ROWS.items() if file.startswith(name)
    }
    for key, split in data.splits.items():
        assert found[key] == problems_of(split.file)


def test_upstream_rows_of_gsm8k_and_dapo_come_to_the_same(tmp_path):
    """The real problems, written as upstream has them, with what was left out put back."""
    train = problems_of("gsm8k_train.jsonl")
    path = tmp_path / "train.jsonl"
    rows = ({"question": one.problem, "answer": one.solution} for one in train)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert gsm8k.converted("train")([path]) == train

    kept = {int(one.id.removeprefix("dapo-")): one for one in problems_of("dapo_math_17k.jsonl.gz")}
    first, rows = kept[0], []
    for place in range(17917):
        one = kept.get(place)  # Left out were copies; copies of another row do as well here.
        text, answer = (one.problem, one.answer) if one else (f" {first.problem}\n", first.answer)
        rows.append({"prompt": [{"content": text}], "reward_model": {"ground_truth": answer}})
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "dapo.parquet")
    split = named.DATA_SETS["dapo_math_17k"].splits["train"]
    assert split.fault(split.convert([tmp_path / "dapo.parquet"])) == ""
