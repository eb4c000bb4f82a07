import dataclasses

import numpy as np
import pytest

from sage_jax.evaluate import EvalResult, ProblemResult, mean_interval, sign_flips
from sage_jax.evaluate.bootstrap import average_interval
from sage_jax.evaluate.holm import holm
from sage_jax.evaluate.report.latex import to_latex
from sage_jax.evaluate.report.markdown import to_markdown
from sage_jax.evaluate.report.subsets import with_clean
from sage_jax.evaluate.report.suite_table import suite_table
from sage_jax.evaluate.seeded import SeededResult


def evaluated(*correct: int, samples: int = 4, seed: int = 0, ids: str = "abcdefgh") -> EvalResult:
    problems = tuple(ProblemResult(id, c, samples) for id, c in zip(ids, correct, strict=False))
    return EvalResult("final", 1, "toy", samples, seed, 0.3, problems, 5.0, 0.0)


@pytest.fixture
def runs():
    return {
        "base": {"AIME24": evaluated(0, 1), "MATH-500": evaluated(4, 4, 2, 2)},
        "GRPO": {"AIME24": evaluated(2, 1), "MATH-500": evaluated(4, 4, 4, 3)},
        "GRPO + branch": {"AIME24": evaluated(2, 2), "MATH-500": evaluated(4, 4, 4, 2)},
    }


MARKDOWN = r"""
| model | AIME24 pass@1 | AIME24 pass@4 | MATH-500 pass@1 | MATH-500 pass@4 | average pass@1 | average pass@4 |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| base | 12.5 | 50.0 | 75.0 | **100.0** | 43.8 | 75.0 |
| GRPO | 37.5 | **100.0** | **93.8** | **100.0** | 65.6 | **100.0** |
| GRPO + branch | **50.0** | **100.0** | 87.5 | **100.0** | **68.8** | **100.0** |

Shares in percent. Averages weigh suites alike.
"""  # noqa: E501

LATEX = r"""
% Needs \usepackage{booktabs}.
% Shares in percent.
% Averages weigh suites alike.
\begin{tabular}{lrrrrrr}
\toprule
 & \multicolumn{2}{c}{AIME24} & \multicolumn{2}{c}{MATH-500} & \multicolumn{2}{c}{average} \\
\cmidrule(lr){2-3} \cmidrule(lr){4-5} \cmidrule(lr){6-7}
model & pass@1 & pass@4 & pass@1 & pass@4 & pass@1 & pass@4 \\
\midrule
base & 12.5 & 50.0 & 75.0 & \textbf{100.0} & 43.8 & 75.0 \\
GRPO & 37.5 & \textbf{100.0} & \textbf{93.8} & \textbf{100.0} & 65.6 & \textbf{100.0} \\
GRPO + branch & \textbf{50.0} & \textbf{100.0} & 87.5 & \textbf{100.0} & \textbf{68.8} & \textbf{100.0} \\
\bottomrule
\end{tabular}
"""  # noqa: E501


def test_the_table_of_a_paper(runs):
    table = suite_table(runs, ["pass@1", "pass@4"])
    assert to_markdown(table) == MARKDOWN.lstrip()
    assert to_latex(table) == LATEX.lstrip()


def test_an_average_counts_suites_and_not_problems(runs):
    table = suite_table(runs, ["pass@1"])
    found = table.cells["GRPO", "average", "pass@1"].interval
    assert found.mean == pytest.approx((3 / 8 + 15 / 16) / 2)
    assert found.low < found.mean < found.high


def test_the_interval_of_an_average_is_of_independent_suites():
    rng = np.random.default_rng(0)
    suites = [rng.random(40), rng.random(90)]
    found = average_interval(suites)
    assert found is not None
    expected = 1.96 * np.sqrt(sum(s.var() / len(s) for s in suites)) / 2
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=0.05)
    assert average_interval(suites[:1]) == mean_interval(suites[0])
    assert average_interval([suites[0], np.array([np.nan])]) is None
    assert average_interval([]) is None


def test_intervals_stand_beside_the_figures(runs):
    table = suite_table(runs, ["pass@1"])
    found = table.cells["base", "MATH-500", "pass@1"].interval
    low, high = (100 * x for x in (found.low, found.high))
    assert f"| 75.0 [{low:.1f}, {high:.1f}] |" in to_markdown(table, intervals=True)
    assert f"& 75.0 {{\\scriptsize[{low:.1f}, {high:.1f}]}} &" in to_latex(table, intervals=True)


def test_runs_that_differ_from_the_baseline_are_marked_and_corrected_for():
    better = {"A": evaluated(*[4] * 8), "B": evaluated(*[4] * 8)}
    runs = {"base": {"A": evaluated(*[0] * 8), "B": evaluated(*[3] * 8)}, "GRPO": better}
    runs["same"] = runs["base"]
    table = suite_table(runs, ["pass@1"], baseline="base")
    # Both ends of 2^8 flips, and of 2^16 for the average.
    ps = [2 / 2**8, 2 / 2**8, 2 / 2**16, 1, 1, 1]
    found = [table.cells[run, g, "pass@1"].p for run in ("GRPO", "same") for g in table.groups]
    np.testing.assert_allclose(found, holm(ps))
    assert table.tests == 6
    shown = to_markdown(table)
    assert "| GRPO | **100.0**\\* | **100.0**\\* | **100.0**\\* |" in shown
    assert "| base | 0.0 | 75.0 | 37.5 |" in shown
    assert "Holm's correction for 6 tests" in shown
    assert "\\textbf{100.0}$^{*}$" in to_latex(table)


def test_the_test_of_an_average_weighs_problems_as_the_average_does():
    before = {"A": evaluated(0, 2), "B": evaluated(1, 1, 3, 0)}
    after = {"A": evaluated(3, 1), "B": evaluated(2, 1, 2, 4)}
    table = suite_table({"base": before, "run": after}, ["pass@1"], baseline="base")
    weighted = [3 / 2, -1 / 2, 1 / 4, 0, -1 / 4, 4 / 4]
    (expected,) = sign_flips(np.array(weighted)[:, None])
    ps = [sign_flips(after[s].pass_table([1]) - before[s].pass_table([1]))[0].p for s in "AB"] + [
        expected.p
    ]
    found = [table.cells["run", group, "pass@1"].p for group in ("A", "B", "average")]
    np.testing.assert_allclose(found, holm(ps))


def test_problems_are_paired_by_id_whatever_their_order():
    runs = {"base": {"A": evaluated(0, 4)}, "run": {"A": evaluated(4, 0, ids="ba")}}
    table = suite_table(runs, ["pass@1"], baseline="base")
    assert table.cells["run", "A", "pass@1"].p == 1
    runs["run"]["A"] = evaluated(4, 0, ids="bx")
    with pytest.raises(ValueError, match="A: run and base: the two results cover different"):
        suite_table(runs, ["pass@1"], baseline="base")


def test_what_a_run_does_not_have_is_a_dash_and_so_is_its_average(runs):
    del runs["GRPO"]["AIME24"]
    runs["base"]["AIME24"] = evaluated(0, 1, samples=2)
    table = suite_table(runs, ["pass@1", "pass@4", "diversity"])
    rows = to_markdown(table).splitlines()[2:5]
    assert rows[1] == "| GRPO | — | — | — | **93.8** | **100.0** | — | — | — | — |"
    assert rows[0].startswith("| base | 25.0 | — | — | 75.0 | **100.0** | — | 50.0 | — | — |")
    assert "GRPO & -- & -- & -- &" in to_latex(table)


def test_seeds_count_by_their_mean():
    seeds = SeededResult((evaluated(0, 4), evaluated(4, 4, seed=1)))
    table = suite_table({"run": {"A": seeds}}, ["pass@1"])
    assert table.cells["run", "A", "pass@1"].interval.mean == 0.75
    assert table.groups == ("A",)  # An average of one suite would be the suite.


def test_fewer_draws_are_better_and_one_run_is_not_the_best():
    runs = {"slow": {"A": evaluated(1, 1)}, "fast": {"A": evaluated(4, 2)}}
    shown = to_markdown(suite_table(runs, ["draws@4"]), intervals=False)
    assert "| slow | 2.5 |" in shown
    assert "| fast | **1.3** |" in shown
    assert "**" not in to_markdown(suite_table({"slow": runs["slow"]}, ["draws@4"]))


def test_names_are_shown_as_they_are():
    runs = {"[50%|a_b & c]\n$x^2$ *y* \\n{z}~#": {"set_1 <b>": evaluated(1)}}
    table = suite_table(runs, ["pass^1"])
    head, _, row, *_ = to_markdown(table).splitlines()
    assert head == r"| model | set\_1 \<b\> pass^1 |"
    assert row.startswith(r"| \[50%\|a\_b & c\] $x^2$ \*y\* \\n{z}\~# |")
    lines = to_latex(table).splitlines()
    assert lines[-3].startswith(
        r"{[}50\%\textbar{}a\_b \& c{]} \$x\textasciicircum{}2\$ *y* "
        r"\textbackslash{}n\{z\}\textasciitilde{}\# & 25.0"
    )
    assert r"\multicolumn{1}{c}{set\_1 \textless{}b\textgreater{}}" in "\n".join(lines)


def test_clean_subsets_stand_beside_the_full_ones(runs):
    widened, averages = with_clean(runs, {"MATH-500": ["a", "b", "elsewhere"]})
    table = suite_table(widened, ["pass@1"], averages=averages)
    means = {g: table.cells["base", g, "pass@1"].interval.mean for g in table.groups}
    assert means == {
        "AIME24": 1 / 8,
        "MATH-500": 3 / 4,
        "MATH-500 (clean, 2)": 1 / 2,
        "average": 7 / 16,
        "average (clean)": 5 / 16,
    }
    assert with_clean(runs, {}) == (runs, {"average": ("AIME24", "MATH-500")})
    seeds = {"run": {"A": SeededResult((evaluated(0, 4), evaluated(4, 4, seed=1)))}}
    assert [*with_clean(seeds, {"A": "a"})[0]["run"]] == ["A", "A (clean, 1)"]


@pytest.mark.parametrize(
    ("figures", "options", "message"),
    [
        ([], {}, "needs a run with an evaluation, and a figure"),
        (["accuracy"], {}, "there is no figure 'accuracy'"),
        (["pass@1"], {"baseline": "nobody"}, "'nobody' is none of the runs base, GRPO"),
        (["pass@1"], {"averages": {"all": ["AIME25"]}}, "'all' must have a name and suites"),
        (["pass@1"], {"averages": {"AIME24": ["MATH-500"]}}, "average 'AIME24' must have a name"),
    ],
)
def test_refuses_what_is_no_table(runs, figures, options, message):
    with pytest.raises(ValueError, match=message):
        suite_table(runs, figures, **options)
    with pytest.raises(ValueError, match="needs a run with an evaluation"):
        suite_table({"base": {}}, ["pass@1"])


def test_rows_have_as_many_cells_as_the_head(runs):
    table = dataclasses.replace(suite_table(runs, ["pass@1", "pass@2", "pass@4"]), rows=("base",))
    lines = to_latex(table).splitlines()
    cells = [line.count(" & ") for line in lines if line.endswith(r"\\")]
    assert cells == [3, 9, 9]
