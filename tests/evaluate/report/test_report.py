import base64
import hashlib
import re
import shutil
from html.parser import HTMLParser

import pytest

from sage_jax.evaluate import ResultError, write_report


class Text(HTMLParser):
    """What a reader sees, and every tag and attribute that is in force."""

    def __init__(self, page: str):
        super().__init__()
        self.text, self.tags = "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data + " "


@pytest.fixture(scope="module")
def report(arms, tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "new"
    return write_report([arms], out)


@pytest.fixture(scope="module")
def page(report):
    return Text(report.read_text(encoding="utf-8"))


def test_writes_the_page_and_a_plot_for_each_surface(report):
    names = {path.name for path in report.parent.iterdir()}
    plots = {"frontier", "pass_at_k", "support", "history", "training"}
    pictures = {f"{plot}{tint}.png" for plot in plots for tint in ("", "_dark")}
    assert names == pictures | {"index.html"}
    for picture in pictures:
        data = (report.parent / picture).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) > 10_000
        assert base64.b64encode(data).decode() in report.read_text()


def test_lists_all_arms_and_all_parts(page):
    titles = ["Results", "Paired differences", "Problems gained and lost", "Training",
              "Completions token by token", "Configuration differences",
              "Time and throughput"]  # fmt: skip
    for title in titles:
        assert title in page.text
    for row in ("grpo  −  base", "sage  −  base", "sage  −  grpo"):
        assert row in re.sub(r"\s*−\s*", "  −  ", page.text)
    for label in ("pass@1", "pass@16", "majority@16", "loss.guide", "peak memory", "1.00 GiB"):
        assert label in page.text


def test_needs_nothing_from_outside_and_runs_its_own_script_alone(report, page):
    tags = {name for name, _ in page.tags}
    assert not tags & {"link", "iframe", "object", "embed", "base", "form"}
    assert [at.get("type") for name, at in page.tags if name == "script"] == ["text/plain", None]
    own = re.findall(r"<script>(.*?)</script>", report.read_text(encoding="utf-8"), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(own[0].encode()).digest()).decode()
    (policy,) = (at["content"] for _, at in page.tags if "http-equiv" in at)
    assert policy.endswith(f"; script-src 'sha256-{digest}'")
    for _, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "srcset", "href"):
                assert value.startswith(("data:image/png;base64,", "#"))


def test_model_text_is_shown_as_text(report, page):
    raw = report.read_text(encoding="utf-8")
    assert raw.count("<script") == 2
    assert "<script>alert" not in raw
    assert "\u202e" not in raw
    assert "<script>alert('pwned')</script>" in page.text
    assert "\\u202eevil" in page.text
    assert page.text.count("attempt 0") == 2
    assert "and 1 more in the file" in page.text


def test_the_numbers_are_those_of_the_evaluation(arms, page):
    from sage_jax.evaluate import read_runs

    for run in read_runs([arms]):
        assert run.final is not None
        interval = run.final.pass_intervals([16])[0]
        assert f"{interval.mean:.1%}" in page.text
        assert f"{100 * interval.low:.1f} to {100 * interval.high:.1f}" in page.text


def test_problems_gained_and_lost_lead_to_their_completions(report):
    page = report.read_text()
    for arm in ("grpo", "sage"):
        assert re.search(rf'href="#moved=gained&amp;run=base&amp;run={arm}"[^>]*>[1-9]', page)
    assert 'href="#moved=never' not in page


def test_same_runs_same_page(arms, report, tmp_path):
    assert write_report([arms], tmp_path).read_bytes() == report.read_bytes()


def test_one_run_still_training_gets_a_page(tmp_path, write_run):
    run = write_run(tmp_path / "run")
    shutil.rmtree(run / "eval")
    page = write_report([run], tmp_path / "out").read_text()
    assert "No evaluation has been written yet" in page
    assert "Training" in page
    assert "Paired differences" not in page


def test_arms_on_different_problems_are_listed_but_not_paired(tmp_path, write_run, make_result):
    run = write_run(tmp_path / "run")
    make_result("final", 40, problems=20).save(run / "eval" / "final.json")
    shutil.rmtree(run / "samples")
    page = Text(write_report([run], tmp_path / "out").read_text())
    assert "not comparable" in page.text
    assert "only in the second: p020, p021, p022, p023" in page.text
    assert "The evaluations differ" in page.text


def test_a_base_evaluation_alone_gets_a_page(tmp_path, make_result):
    make_result("base", 0).save(tmp_path / "eval" / "base.json")
    page = write_report([tmp_path], tmp_path / "report").read_text()
    assert "before training" in page


def test_hostile_names_and_settings_are_escaped(tmp_path, write_run):
    run = write_run(tmp_path / "<img src=x>", config={"<script>": "</td><script>1</script>"})
    shutil.rmtree(run / "eval")
    raw = write_report([run], tmp_path / "out").read_text()
    assert raw.count("<script") == 2
    assert "<script>1" not in raw
    assert "<img src=x" not in raw


def test_a_corrupt_run_is_refused_and_nothing_is_written(tmp_path, write_run):
    run = write_run(tmp_path / "run")
    (run / "eval" / "final.json").write_text("{")
    with pytest.raises(ResultError, match=r"final\.json: not JSON"):
        write_report([run], tmp_path / "out")
    assert not (tmp_path / "out").exists()
