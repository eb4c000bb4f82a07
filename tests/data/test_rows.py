"""Rows as problems: paths, texts, answers cut out, conversations, filters, and what is told."""

import datetime
import decimal
import doctest
import importlib
from typing import Any

import numpy as np
import pytest

from sage_jax.data import DataError, Problem
from sage_jax.data.problem_set import Dropped
from sage_jax.data.rows import Choice, Layout, Row, RowError, Table, answers, limited, read_table
from sage_jax.data.rows.answers import by_pattern
from sage_jax.data.rows.conversations import Conversation, read_conversation
from sage_jax.data.rows.row import look_up
from sage_jax.data.rows.texts import as_text, is_missing


def table(*rows: Any) -> Table:
    """A table of mappings; text stands for a row that could not be read."""
    said = ((row, "") if not isinstance(row, str) else ({}, row) for row in rows)
    return Table("t.parquet", [Row(f"t-{n}", f"row {n}", *one) for n, one in enumerate(said, 1)])


def read(*rows, columns: Any = None, answer_from="", source="", **choice: Any):
    return read_table(table(*rows), Layout(columns or {}, answer_from, source), Choice(**choice))


def first(row, **options) -> Problem:
    return read(row, **options).problems[0]


def refusal(*rows, **options) -> str:
    with pytest.raises(DataError) as caught:
        read(*rows, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["row", "texts", "answers", "conversations"])
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"sage_jax.data.rows.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


GSM8K = {"question": "2 + 2?", "answer": "2 + 2 = <<2+2=4>>4\n#### 4"}
VERL = {
    "data_source": "math_dapo",
    "prompt": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "2 + 2?"},
    ],
    "ability": "MATH",
    "reward_model": {"ground_truth": "4", "style": "rule"},
    "extra_info": {"index": "9a9b"},
}


class TestLayout:
    def test_own_columns_need_nothing(self):
        row = {"id": "a", "problem": "p", "answer": "1", "source": "s", "solution": "so", "x": [1]}
        assert first(row) == Problem("a", "p", "1", "s", "so", {"x": [1]})

    def test_gsm8k(self):
        columns = {"problem": "question", "solution": "answer"}
        found = first(GSM8K, columns=columns, answer_from="hashes", source="gsm8k")
        assert found == Problem("t-1", "2 + 2?", "4", "gsm8k", GSM8K["answer"])

    def test_nested_answers_and_turns(self):
        columns = {
            "answer": "reward_model.ground_truth",
            "id": "extra_info.index",
            "source": "data_source",
        }
        found = first(VERL, columns=columns)
        assert (found.id, found.problem, found.answer, found.source) == (
            "9a9b", "2 + 2?", "4", "math_dapo",
        )  # fmt: skip
        rest = {name: VERL[name] for name in ("ability", "reward_model", "extra_info")}
        assert found.extra == {**rest, "system": "Be brief."}

    def test_json_inside_text_is_read_where_a_path_leads_into_it(self):
        row = {"prompt": '[{"role": "user", "content": "p"}]', "meta": '{"gold": [4]}'}
        columns = {"problem": "prompt.-1.content", "answer": "meta.gold.0"}
        found = first(row, columns=columns)
        assert (found.problem, found.answer, found.extra) == ("p", "4", row)

    def test_a_column_named_like_a_path_goes_first(self):
        row = {"problem": "p", "a.b": "1", "a": {"b": "2"}}
        assert first(row, columns={"answer": "a.b"}).answer == "1"

    def test_an_assistants_turn_is_the_solution_and_may_hold_the_answer(self):
        turns = [{"role": "user", "content": "p"}, {"role": "assistant", "content": r"\boxed{7}"}]
        found = first({"messages": turns}, answer_from="boxed")
        assert (found.problem, found.answer, found.solution) == ("p", "7", r"\boxed{7}")
        other = first({"messages": turns, "solution": r"\boxed{8}"}, answer_from="boxed")
        assert (other.answer, other.solution) == ("8", r"\boxed{8}")

    def test_columns_of_ones_own_names(self):
        row = {"problem": "p", "answer": 4, "meta": {"level": 3}, "how": "hard"}
        columns = {"level": "meta.level", "system": "how"}
        assert first(row, columns=columns).extra == {
            "level": 3, "system": "hard", "meta": {"level": 3},
        }  # fmt: skip

    def test_an_empty_path_leaves_out(self):
        row = {"problem": "p", "answer": "1", "solution": [1, 2]}
        assert first(row, columns={"solution": ""}).solution is None
        assert first({"problem": "p"}, columns={"answer": ""}).answer == ""

    @pytest.mark.parametrize(
        ("rows", "options", "message"),
        [
            ([], {}, "t.parquet: holds no row"),
            ([GSM8K], {}, "t.parquet: there is no column 'problem' for the statement; there are "
             "question, answer: name one, as task.columns: {problem: question}"),
            ([{"problem": "p", "final": "1"}], {}, "t.parquet: there is no column 'answer'; there "
             "are problem, final: name one, as task.columns: {answer: final}, or give "
             "task.answer_from to cut it out of the solution, or task.columns: {answer: ''} if "
             "there is none"),
            ([GSM8K], {"columns": {"problem": "qestion"}}, "t.parquet: task.columns.problem: there "
             "is no column 'qestion' (perhaps question?); there are question, answer"),
            ([GSM8K], {"columns": {"problem": ""}}, "t.parquet: there is no column 'problem' for "
             "the statement; there are question, answer: name one, as task.columns: {problem: "
             "question}"),
            ([GSM8K], {"columns": {"source": "answer"}, "source": "x"},
             "task.source and task.columns.source: give one of both"),
            ([GSM8K], {"columns": {"problem": "question"}, "answer_from": "box"},
             "task.answer_from: 'box' has 0 groups; give hashes, boxed, or a regular expression "
             "with one group, as 'Answer: (.*)'"),
            ([GSM8K], {"columns": {"problem": "question"}, "answer_from": "a("},
             "task.answer_from: 'a(' is no regular expression (missing ) at position 2); give "
             "hashes, boxed, or a regular expression with one group, as 'Answer: (.*)'"),
        ],
    )  # fmt: skip
    def test_what_no_row_can_be_read_by_is_told_at_once(self, rows, options, message):
        assert refusal(*rows, **options) == message


GOOD = {"problem": "p", "answer": "1"}
TURN = {"role": "user", "content": "p"}
BAD = {
    "empty statement": ({"problem": " "}, {}, "problem (problem) is empty"),
    "null answer": ({"answer": None}, {}, "answer (answer) is empty"),
    "nan answer": ({"answer": float("nan")}, {}, "answer (answer) is empty"),
    "infinite answer": ({"answer": float("inf")}, {}, "answer (answer) is inf, which is no number"),
    "several answers": ({"answer": ["1", "2"]}, {},
                        "answer (answer) is a list of 2 (['1', '2']): name one, by .0 behind it"),
    "no answers": ({"answer": []}, {}, "answer (answer) is [], which is no text"),
    "uneven turns": ({"problem": {"role": ["user", "assistant"], "content": ["p"]}}, {},
                     "problem (problem) is {'content': ['p'], 'role': ['user', 'assistant']}, "
                     "which is no text"),
    "mapping": ({"answer": {"a": 1}}, {}, "answer (answer) is {'a': 1}, which is no text"),
    "bytes": ({"answer": b"1"}, {}, "answer (answer) is b'1', which is no text"),
    "half a surrogate": ({"problem": "x \ud800"}, {},
                         "problem (problem) holds half a surrogate pair at character 2"),
    "solution": ({"solution": [1, 2]}, {},
                 "solution (solution) is a list of 2 ([1, 2]): name one, by .0 behind it"),
    "no such field": ({"m": {"b": 1}}, {"columns": {"answer": "m.a"}}, "answer (m.a) is empty"),
    "no such place": ({"m": [1]}, {"columns": {"answer": "m.1"}}, "answer (m.1) is empty"),
    "no place": ({"m": [1]}, {"columns": {"answer": "m.a"}},
                 "'m' holds a list: 'a' must be a place in it, as 0 or -1"),
    "no struct": ({"m": 1}, {"columns": {"answer": "m.a"}}, "'m' holds 1, in which no 'a' can lie"),
    "no json": ({"m": "{"}, {"columns": {"answer": "m.a"}},
                "'m' holds text that is no JSON: Expecting property name enclosed in double "
                "quotes: line 1 column 2 (char 1)"),
    "no hashes": ({}, {"answer_from": "hashes"},
                  "answer (answer) has no match of '#### ANSWER': it ends in '1'"),
    "no box": ({"answer": r"so \boxed{1"}, {"answer_from": "boxed"},
               r"answer (answer) has no \boxed{} that closes: it ends in 'so \\boxed{1'"),
    "empty box": ({"answer": r"\boxed{ }"}, {"answer_from": "boxed"},
                  r"answer (answer) has an empty \boxed{}: it ends in '\\boxed{ }'"),
    "no match": ({}, {"answer_from": "A: (.*)"},
                 "answer (answer) has no match of 'A: (.*)': it ends in '1'"),
    "empty match": ({"answer": "A: "}, {"answer_from": "A: (.*)"},
                    "answer (answer) has an empty match of 'A: (.*)': it ends in 'A: '"),
    "no solution": ({"solution": None}, {"answer_from": "boxed", "columns": {"answer": ""}},
                    "there is no solution to cut the answer out of"),
    "id twice": ({"id": "t-0"}, {}, "id 't-0' is already used in row 1"),
    "two questions": ({"problem": [TURN, {"role": "assistant", "content": "a"}, TURN]}, {},
                      "problem (problem) is a conversation of 3 turns, 2 of them the user's: only "
                      "those of one question are read; leave it out by task.where or "
                      "max_bad_share"),
    "no question": ({"problem": [{"role": "system", "content": "a"}]}, {},
                    "problem (problem) has no turn of the user, only of system"),
    "answer first": ({"problem": [{"role": "assistant", "content": "a"}, TURN]}, {},
                     "problem (problem) has turns of assistant, user: one of the user is needed, "
                     "perhaps behind one of the system and before one of the assistant"),
    "other role": ({"problem": [{"role": "tool", "content": "a"}]}, {}, "problem (problem) has the "
                   "role 'tool' in turn 1: system, user, assistant are read"),
    "sharegpt": ({"problem": [{"from": "human", "value": "p"}]}, {}, "problem (problem) has no "
                 "`role` and `content` in turn 1 (it has from, value)"),
    "no turn": ({"problem": [TURN, "p"]}, {},
                "problem (problem) has no `role` and `content` in turn 2 ('p')"),
    "image": ({"problem": [{"role": "user", "content": [{"type": "image", "image": "i"}]}]}, {},
              "problem (problem) has [{'image': 'i', 'type': 'image'}] as the content of turn 1, "
              "which is no text"),
    "empty turn": ({"problem": [{"role": "user", "content": ""}]}, {},
                   "problem (problem) is empty"),
}  # fmt: skip


class TestBadRows:
    @pytest.mark.parametrize("case", BAD)
    def test_each_is_told_with_its_row(self, case):
        change, options, message = BAD[case]
        good = {**GOOD, "id": "t-0", "m": {"a": "1"}, "solution": r"\boxed{1}"}
        if case == "no such place":
            good["m"] = [0, 1]
        if answer_from := options.get("answer_from"):
            good["answer"] = r"A: 1 \boxed{1}" if answer_from != "hashes" else "#### 1"
        wrong = {**GOOD, "m": {"a": "1"}, **change}
        told = refusal(good, wrong, **options)
        assert told == (
            f"t.parquet: 1 of 2 rows cannot be read: row 2: {message}; mend them, or leave up to a "
            "share of the rows out by task.max_bad_share, which is 0"
        )
        found = read(good, wrong, **options, max_bad_share=0.5)
        assert [one.id for one in found.problems] == ["t-0"]
        reason = "t.parquet: cannot be read"
        assert found.dropped == (Dropped(reason, 1, (f"row 2: {message}",)),)

    def test_ten_are_shown_and_the_others_counted(self):
        told = refusal(GOOD, *[{"problem": "p", "answer": ""}] * 12, max_bad_share=0.9)
        assert told.startswith("t.parquet: 12 of 13 rows cannot be read: row 2: answer (answer) is")
        assert "row 11: " in told
        assert "row 12: " not in told
        assert told.endswith("empty; and 2 more; mend them, or leave up to a share of the rows out "
                             "by task.max_bad_share, which is 0.9")  # fmt: skip

    def test_rows_that_are_none_at_all_count(self):
        told = "t.parquet: 1 of 2 rows cannot be read: row 1: not JSON; mend them, or leave up"
        assert refusal("not JSON", GOOD).startswith(told)
        assert len(read("not JSON", GOOD, max_bad_share=0.5).problems) == 1
        assert refusal("not JSON", max_bad_share=1.0) == (
            "t.parquet: 1 of 1 rows cannot be read: row 1: not JSON; mend them, or name other "
            "columns"
        )


class TestChoice:
    ROWS = tuple({**GOOD, "level": n % 3, "kind": "ab"[n % 2], "ok": n < 4, "f": float(n)}
                 for n in range(6))  # fmt: skip

    @pytest.mark.parametrize(
        ("where", "kept"),
        [
            ({"level": 1}, [1, 4]),
            ({"level": "1"}, [1, 4]),
            ({"level": [0, 2.0]}, [0, 2, 3, 5]),
            ({"kind": "a", "level": [0, 1]}, [0, 4]),
            ({"ok": False}, [4, 5]),
            ({"ok": "false"}, [4, 5]),
            ({"f": 5}, [5]),
            ({}, [0, 1, 2, 3, 4, 5]),
        ],
    )
    def test_rows_are_kept_by_value(self, where, kept):
        found = read(*self.ROWS, where=where)
        assert [one.extra["f"] for one in found.problems] == kept
        gone = 6 - len(kept)
        assert found.dropped == ((Dropped("t.parquet: not of task.where", gone),) if gone else ())

    def test_null_is_an_empty_cell_and_bad_rows_elsewhere_do_not_count(self):
        rows = [{**GOOD, "x": None}, {**GOOD, "x": ""}, {"problem": "p", "answer": "", "x": "y"}]
        assert len(read(*rows, where={"x": None}).problems) == 2

    def test_nested_columns_are_reached(self):
        rows = [{**GOOD, "m": {"k": key}} for key in "ab"]
        assert [one.id for one in read(*rows, where={"m.k": "b"}).problems] == ["t-2"]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"where": {"levl": 1}}, "t.parquet: task.where.levl: there is no column 'levl' "
             "(perhaps level?); there are problem, answer, level, kind, ok, f"),
            ({"where": {"level": 7, "kind": "a"}}, "t.parquet: task.where keeps none of 6 rows; "
             "'level' holds '0', '1', '2'; 'kind' holds 'a', 'b'"),
            ({"where": {"level": [1, {"a": 1}]}}, "task.where.level: [1, {'a': 1}] must be text, a "
             "number, true, false or null, or a list of them"),
            ({"limit": -1}, "task.limit: -1 must be 0, which takes all, or more"),
            ({"max_bad_share": 1.5}, "task.max_bad_share: 1.5 must lie in 0..1"),
        ],
    )  # fmt: skip
    def test_what_makes_no_sense_is_told(self, options, message):
        assert refusal(*self.ROWS, **options) == message

    def test_a_limit_takes_the_first_or_any(self):
        found = read(*self.ROWS)
        kept = limited(found, Choice(limit=2), "t")
        assert [one.id for one in kept.problems] == ["t-1", "t-2"]
        assert kept.dropped == (Dropped("t: beyond task.limit", 4),)
        orders = {
            seed: [
                one.id for one in limited(found, Choice(limit=4, shuffle_seed=seed), "t").problems
            ]
            for seed in range(8)
        }
        assert len({*map(tuple, orders.values())}) > 4
        more = read(*self.ROWS, *self.ROWS)
        for seed, order in orders.items():
            assert (
                limited(found, Choice(limit=4, shuffle_seed=seed), "t").problems[0].id == order[0]
            )
            # Rows that are added move no others.
            every = [one.id for one in limited(more, Choice(shuffle_seed=seed), "t").problems]
            assert [id for id in every if id in order] == order


class TestTexts:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (5, "5"), (-3, "-3"), (2**70, str(2**70)), (1.0, "1"), (-0.0, "0"), (0.1, "0.1"),
            (1.5e-7, "0.00000015"), (1e300, "1" + "0" * 300), (np.float32(0.1), "0.1"),
            (float(np.float32(0.1)), "0.1"), (float(np.float32(0.7)), "0.7"),
            (16777217.0, "16777217"), (100.0, "100"),
            (123456784.0, "123456784"), (1234567.125, "1234567.125"), (1 / 3, "0.3333333333333333"),
            (decimal.Decimal("1.50"), "1.5"), (True, "True"), (np.int64(4), "4"),
            (datetime.date(2024, 1, 2), "2024-01-02"), (["5"], "5"), ([5.0], "5"), ("", ""),
        ],
    )  # fmt: skip
    def test_values_are_written_as_a_person_would(self, value, text):
        assert as_text(value) == text

    def test_what_is_missing(self):
        assert all(map(is_missing, (None, float("nan"), "", " \n")))
        assert not any(map(is_missing, (0, 0.0, False, [], "0")))


class TestAnswers:
    @pytest.mark.parametrize(
        ("pattern", "text", "answer"),
        [
            ("hashes", "a #### 1\nb\n####  1,234,567.5 \n", "1234567.5"),
            ("hashes", "#### (1,2)", "(1,2)"),
            ("hashes", "####7", "7"),
            ("boxed", r"\boxed{a_{b}}, \boxed{\text{x \} y}}", r"\text{x \} y}"),
            ("boxed", r"\boxed{\boxed{7}}", "7"),
            (r"The answer is (\S+?)\.?$", "The answer is 3.", "3"),
            ("(?i)answer: (.*)", "Answer: 1\nANSWER: 2 ", "2"),
        ],
    )
    def test_the_last_is_cut_out(self, pattern, text, answer):
        assert by_pattern(pattern)(text) == answer

    def test_a_pattern_that_would_try_for_ever_is_told(self, monkeypatch):
        monkeypatch.setattr(answers, "_SECONDS", 0.01)
        told = r"\(\?:a\|aa\)\+\(b\)' takes more than 0\.01 s for a text of 99 characters"
        with pytest.raises(DataError, match=told):
            by_pattern("(?:a|aa)+(b)")("a" * 99)

    def test_solutions_of_the_field_give_their_answers(self, fixtures):
        from sage_jax.data import read_problems

        for name, pattern in (("gsm8k_test", "hashes"), ("math500", "boxed")):
            for one in read_problems(fixtures / f"{name}.jsonl"):
                assert by_pattern(pattern)(one.solution or "") == one.answer


def test_contents_in_parts_are_joined():
    parts = [{"type": "text", "text": "2 + "}, {"type": "text", "text": "2?"}]
    turns = [{"role": "developer", "content": "s"}, {"role": "user", "content": parts}]
    assert read_conversation(turns) == Conversation("2 + 2?", "", "s")


def test_a_path_into_nothing_is_nothing():
    assert look_up({"a": None}, "a.b.c") is None
    assert look_up({"a": {"b": {}}}, "a.b.c") is None
    with pytest.raises(RowError, match=r"'a\.b' holds 3, in which no 'c' can lie"):
        look_up({"a": {"b": 3}}, "a.b.c")


def test_turns_may_come_as_lists():
    row = {"messages": {"role": ["user", "assistant"], "content": ["p", "#### 3"]}}
    assert first(row, answer_from="hashes").answer == "3"
