"""Results of suites on disk, and the part of the report on them."""

import dataclasses
import json

import pytest

from sage_jax.evaluate import ResultError, write_report
from sage_jax.evaluate.runs import read_runs
from sage_jax.evaluate.suites import of_runs, read_suites, suite_file


@pytest.fixture
def save(make_result):
    """save(home, suite, tag, rate=..., seeds=...): results of a suite below a folder."""

    def write(home, suite, tag, *, rate=0.3, seeds=2, **options):
        for seed in range(seeds):
            one = make_result(tag, 0, rate=rate, seed=7, task=suite, **options)
            path = suite_file(home, suite, tag, seed)
            dataclasses.replace(one, seed=seed).save(path)

    return write


def test_what_was_saved_is_read_by_tag_and_suite(tmp_path, save):
    for seeds, suite in ((11, "aime24"), (1, "amc23")):
        save(tmp_path, suite, "base", seeds=seeds)
    (tmp_path / "aime24" / "base" / "seed-0").mkdir()  # Completions lie beside.
    found = read_suites(tmp_path)
    assert {tag: [*suites] for tag, suites in found.items()} == {"base": ["aime24", "amc23"]}
    assert found["base"]["aime24"].seeds == tuple(range(11))
    assert read_suites(tmp_path / "none") == {}


def test_seeds_that_do_not_go_together_name_their_folder(tmp_path, save, make_result):
    save(tmp_path, "amc23", "base")
    make_result("base", 0, problems=3, task="amc23").save(suite_file(tmp_path, "amc23", "base", 1))
    with pytest.raises(ResultError, match=r"amc23/base: "):
        read_suites(tmp_path)


def test_runs_of_one_base_share_its_row(tmp_path, save):
    for name, rate in (("a", 0.5), ("b", 0.6)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text("{}")
        save(tmp_path / name / "suites", "amc23", "base")
        save(tmp_path / name / "suites", "amc23", "step-000010", rate=0.1)
        save(tmp_path / name / "suites", "amc23", "final", rate=rate)
    found = of_runs(read_runs([tmp_path]))
    assert [*found] == ["base", "a", "b"]
    assert found["b"]["amc23"].column("pass@1").mean() == pytest.approx(0.6, abs=0.15)


def test_the_report_holds_their_table(tmp_path, save, write_run):
    run = write_run(tmp_path / "arm")
    for suite in ("aime24", "amc23"):
        save(run / "suites", suite, "base", rate=0.2)
        save(run / "suites", suite, "final", rate=0.8)
    page = write_report([run], tmp_path / "report").read_text()
    assert "<h2>Suites</h2>" in page or ">Suites<" in page
    for head in ("aime24 pass@1", "amc23 pass@16", "average pass@1"):
        assert head in page
    rows = (tmp_path / "report" / "suites.md").read_text().splitlines()[2:4]
    assert [row.split("|")[1].strip() for row in rows] == ["base", "arm"]
    assert "\\*" in rows[1]  # A rise of .6 on 24 problems is no luck.
    assert "\\toprule" in (tmp_path / "report" / "suites.tex").read_text()


@pytest.mark.parametrize("decontaminate", [True, False])
def test_problems_that_were_trained_on_are_left_out_beside(
    tmp_path, save, write_run, decontaminate
):
    run = write_run(tmp_path / "arm", config={"task": {"decontaminate": decontaminate}})
    for suite in ("aime24", "amc23"):
        save(run / "suites", suite, "base")
    ids = [*read_suites(run / "suites")["base"]["amc23"].ids][:4]
    lines = [{"id": f"t{n}", "evaluation_id": id} for n, id in enumerate(ids)]
    lines = [] if decontaminate else lines
    (run / "contaminated.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    write_report([run], tmp_path / "report")
    table = (tmp_path / "report" / "suites.md").read_text()
    # Both suites have problems of these names.
    for name in ("amc23 (clean, 20)", "aime24 (clean, 20)", "average (clean)"):
        assert (name in table) is not decontaminate


def test_without_suites_there_is_none(tmp_path, write_run):
    page = write_report([write_run(tmp_path / "arm")], tmp_path / "report").read_text()
    assert ">Suites<" not in page
    assert not (tmp_path / "report" / "suites.md").exists()
