"""Warnings of runs on the page."""

import json

import pytest

from sage_jax.evaluate import ResultError, write_report
from sage_jax.evaluate.report.warned import read_warned


def test_the_page_lists_what_each_run_warned_of_as_text(tmp_path, write_run):
    loud, quiet = write_run(tmp_path / "loud"), write_run(tmp_path / "quiet")
    assert "Warnings" not in write_report([quiet], tmp_path / "out").read_text()
    said = {"time": 1.5e9, "text": "the guide <b>cannot act</b>"}
    (loud / "warnings.jsonl").write_text(json.dumps(said) + "\n")
    page = write_report([loud, quiet], tmp_path / "out").read_text()
    assert "the guide &lt;b&gt;cannot act&lt;/b&gt;" in page
    assert "2017-07-14 02:40:00" in page


def test_what_arms_share_warned_once_for_all_of_them(tmp_path, write_run):
    arms = [write_run(tmp_path / name) for name in ("one", "two")]
    said = {"time": 1.5e9, "text": "an odd warm-up"}
    (tmp_path / "warnings.jsonl").write_text(json.dumps(said) + "\n")
    assert "an odd warm-up" not in write_report(arms, tmp_path / "out").read_text()
    (tmp_path / "shared.yaml").write_text("{}")
    page = write_report(arms, tmp_path / "out").read_text()
    assert page.count("an odd warm-up") == 1


@pytest.mark.parametrize(
    "line", ["[]", "{}", '{"text": 1, "time": 2}', '{"text": "", "time": true}',
             '{"text": "", "time": 1e300}']
)  # fmt: skip
def test_what_is_no_warning_is_refused_with_its_line(tmp_path, line):
    path = tmp_path / "warnings.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ResultError, match=r"warnings\.jsonl, line 1"):
        read_warned(path)
