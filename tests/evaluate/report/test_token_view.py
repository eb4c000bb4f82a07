"""Completions token by token: what the page's script is given, and what it makes of it."""

import base64
import gzip
import json
import re
import zlib

import chromium
import numpy as np
import pytest
from vision import VISION, lab, linear, luminance

from sage_jax.evaluate import Sample, read_runs, write_report
from sage_jax.evaluate.comparison import compare
from sage_jax.evaluate.completions import Completion
from sage_jax.evaluate.report.shown import Shown, shown
from sage_jax.evaluate.report.token_data import KINDS, LEVELS, packed, quantised
from sage_jax.evaluate.report.token_view import ALIVE
from sage_jax.evaluate.samples import FIGURES, Tokens

HOSTILE = "<img src=x onerror=alert(1)>\u202e\ud800"
TEXTS = ("It", "", " is", " 🙂", "x" * 600, HOSTILE)


def unpacked(text):
    """The header, and [(texts, {figure: values})] of its rows with tokens, as the script reads."""
    data = zlib.decompress(base64.b64decode(text))
    size = int.from_bytes(data[:4], "little")
    header, place = json.loads(data[4 : 4 + size]), 4 + size
    rows = []
    for row in header["rows"]:
        if "tokens" not in row:
            continue
        texts = []
        for _ in range(row["tokens"]):
            number, place = placed(data, place)
            texts.append(header["texts"][number])
        figures = {}
        for name, scale in row["scales"].items():
            own = np.frombuffer(data[place : place + row["tokens"]], np.uint8)
            levels = np.array([*header["levels"][header["kinds"][name]], np.nan])
            place, figures[name] = place + row["tokens"], scale * levels[own]
        rows.append((texts, figures))
    assert place == len(data)
    return header, rows


def placed(data, place):
    """A number of one, two or four bytes, and where the next begins."""
    if (first := data[place]) < 192:
        return first, place + 1
    if first < 254:
        return 192 + (first - 192) * 256 + data[place + 1], place + 2
    return 192 + 62 * 256 + int.from_bytes(data[place + 1 : place + 4], "big"), place + 4


def figures(rng, count):
    found = {name: rng.normal(size=count).astype(np.float32) for name in FIGURES}
    found["entropies"] = np.abs(found["entropies"])
    found["logps"] = -np.abs(found["logps"])
    found["q"] = np.array([1, 1.001, 0.6, 1.4, 0.05, np.nan], np.float32)[:count]
    return found


def test_what_is_packed_is_unpacked_again():
    given = figures(np.random.default_rng(0), len(TEXTS))
    tokens = Tokens(TEXTS, given)
    known = Sample(3, "a", "p", "".join(TEXTS), 1.0, "4", "stop", "right", tokens)
    plain = Sample(0, "a", "", "words", 0.0, "4", "")
    rows = [Shown("base", "evaluation base", plain), Shown("sage", "step 3", known)]
    header, found = unpacked(packed(rows, {"sage": {"a": "gained"}}, {}))
    assert header["runs"] == ["base", "sage"]
    problem = {"id": "a", "prompt": "p", "gold": "4", "moves": {"1": "gained"}}
    assert header["problems"] == [problem]
    assert [(row["run"], row["where"]) for row in header["rows"]] == [
        (0, "evaluation base"), (1, "step 3"),
    ]  # fmt: skip
    ((texts, values),) = found
    assert tuple(texts) == TEXTS
    expected = {
        "entropy": given["entropies"], "surprisal": -given["logps"], "q": given["q"],
        "change": given["logps"] - given["ref_logps"], "advantage": given["advantages"],
    }  # fmt: skip
    assert values.keys() == expected.keys() == KINDS.keys()
    for name, own in expected.items():
        # As token_data.py says; of q a hundredth where it is near 1, of advantages a part of all.
        near, part = {"q": (0.011, 0), "advantage": (np.abs(own).max() / 254, 1e-6)}.get(
            name, (0.05, 0.02)
        )
        np.testing.assert_allclose(values[name], own, atol=near, rtol=part)
    assert values["q"][0] == 1 != values["q"][1]


def test_numbers_are_near_where_colours_are():
    """To 1% and 2% there, and never of another sign."""
    entropies = np.geomspace(0.31, 40, 1000)
    levels = LEVELS["plain"][np.frombuffer(quantised(entropies, "plain"), np.uint8)]
    np.testing.assert_allclose(levels, entropies, rtol=0.01)
    changes = np.concatenate([-np.geomspace(0.11, 13, 1000), np.geomspace(0.11, 13, 1000)])
    levels = LEVELS["signed"][np.frombuffer(quantised(changes, "signed"), np.uint8)]
    np.testing.assert_allclose(levels, changes, rtol=0.02)
    for kind, levels in LEVELS.items():
        assert len(levels) == 255, kind
        assert quantised(levels, kind) == bytes(range(255)), kind


@pytest.mark.parametrize("count", [100, 16_000, 17_000])
def test_vocabularies_of_any_size(count):
    texts = tuple(f" {number}" for number in range(count))
    known = Sample(3, "a", "p", "".join(texts), 1.0, "4", "stop", "", Tokens(texts, {}))
    _, ((found, values),) = unpacked(packed([Shown("sage", "step 3", known)], {}, {}))
    assert (tuple(found), values) == (texts, {})


def test_a_large_q_is_not_cut_off():
    q = np.array([1.985, 2.6, 7.5, 31], np.float32)
    levels = LEVELS["q"][np.frombuffer(quantised(q, "q"), np.uint8)]
    np.testing.assert_allclose(levels, q, rtol=0.03)


@pytest.mark.parametrize("reward", [float("nan"), float("inf")])
def test_a_reward_that_is_no_number_is_none_in_json(reward):
    sample = Sample(3, "a", "p", "words", reward, "4", "stop")
    header, _ = unpacked(packed([Shown("sage", "step 3", sample)], {}, {}))
    assert header["rows"][0]["reward"] is None


def test_equal_advantages_are_exact():
    given = {"advantages": np.full(2, -0.8731, np.float32)}
    known = Sample(3, "a", "p", "ab", 1.0, "4", "stop", "right", Tokens(("a", "b"), given))
    _, ((_, values),) = unpacked(packed([Shown("sage", "step 3", known)], {}, {}))
    np.testing.assert_allclose(values["advantage"], -0.8731)


def test_evaluations_are_shown_of_problems_gained_or_lost(tmp_path, write_run):
    """Of the base too, from whichever arm holds what both share."""
    runs = [write_run(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 2))]
    for folder, tag in ((runs[1], "base"), (runs[0], "final")):
        lines = [
            Completion(id, f"{tag} {n}", correct=n % 2 == 0, truncated=n == 1).line()
            for id in ("p000", "p001")
            for n in range(8)
        ]
        (folder / "eval" / tag).mkdir()
        with gzip.open(folder / "eval" / tag / "part-00000.jsonl.gz", "wt") as file:
            file.writelines(lines)
    found = read_runs(runs)
    moves = {"a": {"p001": "gained"}, "b": {}}
    rows, left_out = shown(found, compare(found), moves)
    evaluated = [row for row in rows if row.where.startswith("evaluation")]
    assert [(row.run, row.sample.completion, row.sample.finish) for row in evaluated] == [
        ("base", "base 0", "stop"), ("base", "base 1", "length"), ("base", "base 2", "stop"),
        ("base", "base 3", "stop"), ("a", "final 0", "stop"), ("a", "final 1", "length"),
        ("a", "final 2", "stop"), ("a", "final 3", "stop"),
    ]  # fmt: skip
    assert {row.sample.id for row in evaluated} == {"p001"}
    assert evaluated[0].sample.gold == "1"
    assert len(rows) - len(evaluated) == 10
    assert left_out == 0
    for step in range(1, 40):  # The last and the first stay; 500 of a run are shown.
        lines = (runs[0] / "samples" / "step-000040.jsonl").read_text().splitlines()
        path = runs[0] / "samples" / f"step-{step:06d}.jsonl"
        more = [line.replace('"step": 40', f'"step": {step}') for line in lines * 4]
        path.write_text("\n".join(more) + "\n")
    rows, left_out = shown(found, compare(found), {})
    steps = [row.where for row in rows if row.run == "a"]
    assert len(steps) <= 500 < len(steps) + 20
    assert left_out == 40 - len({*steps})
    assert {"step 1", "step 40", "step 39"} <= {*steps}
    assert "step 2" not in steps


LIGHT_CSS, DARK_CSS = ALIVE["style"].split("prefers-color-scheme: dark")


@pytest.mark.parametrize(
    ("css", "ink"), [(LIGHT_CSS, "#1f2328"), (DARK_CSS.split(".tv-strip")[0], "#e6eaf0")],
    ids=["light", "dark"],
)  # fmt: skip
def test_colours_are_told_apart_and_letters_stand_out(css, ink):
    colours = dict(re.findall(r"--([spn]\d): (#\w{6})", css))
    assert len(colours) == 13
    for colour in colours.values():
        bright, dim = sorted([luminance(colour), luminance(ink)], reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= 4.5
    for vision in VISION.values():
        seen = {
            name: lab(np.clip(np.array(vision) @ linear(colour), 0, 1))
            for name, colour in colours.items()
        }
        for step in "1234":  # Above and below.
            assert np.linalg.norm(seen["p" + step] - seen["n" + step]) >= 12


def story(folder, name, q):
    """A run folder with one group, right and wrong, whose fourth token has that q."""
    (folder / name / "samples").mkdir(parents=True)
    (folder / name / "config.yaml").write_text(f"name: {name}\n")
    lines = [
        {
            "step": 4, "id": "sum-1", "prompt": "1 + 1?", "completion": "".join(texts),
            "gold": "2", "reward": reward, "reason": reason, "finish": "stop",
            "tokens": texts, "entropies": [0, 0.1, 0, 2.5, 0.8], "logps": [0, -1, 0, -2.5, -0.1],
            "ref_logps": [0, -1, 0, -1.0, -0.9], "q": [1, 1, 1, q, 1], "advantages": 2 * reward - 1,
        }
        for texts, reward, reason in [
            (["It", " is", " 3", " <b>three", ""], 0.0, "wrong"),
            (["It", " is", " 2", " \u202etwo", ""], 1.0, "correct"),
        ]
    ]  # fmt: skip
    other = {"step": 4, "id": "sum-2", "prompt": "2 + 2?", "completion": "four", "reward": 1.0}
    path = folder / name / "samples" / "step-000004.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, other]))


def classes(page):
    """What colours the tokens of each completion, and the texts."""
    return page.run(
        "[...document.querySelectorAll('.tv-card')].map(c => [...c.querySelectorAll('.t')].map("
        "t => t.className.slice(2)).join(' '))"
    )


@pytest.mark.skipif(not chromium.PROGRAM, reason="no Chromium here")
def test_a_reader_clicks_through_tokens_filters_and_themes(tmp_path):
    for name, q in (("grpo", 1.0), ("sage", 1.39)):
        story(tmp_path / "runs", name, q)
    url = write_report([tmp_path / "runs"], tmp_path / "report").as_uri()
    with chromium.browser(tmp_path / "home") as page:
        page.open(url)
        assert page.run("document.querySelector('.tv-text').checkVisibility()") is False
        assert page.run("document.querySelectorAll('.tv-card').length") == 4
        # Right beside wrong, and whatever was written is text.
        chips = "[...document.querySelectorAll('.tv-card .chip')].map(c => c.textContent)"
        assert page.run(chips) == ["✓ reward 1", "✗ reward 0"] * 2
        texts = page.run("document.querySelector('.tv-body').textContent")
        assert " <b>three" in texts
        assert "\\u202etwo" in texts
        assert classes(page) == ["   s4 s2"] * 4
        # Tokens beyond the first hundreds of a vocabulary.
        numbers = page.run("[[7], [195, 5], [254, 0, 0, 1]].map((b) => tokenPlace(b, 0))")
        assert numbers == [7, 965, 16065]
        page.press("2")
        assert classes(page) == ["    "] * 2 + ["   p4 "] * 2
        page.point("[name=tv-view][value=change] + *", click=True)
        assert classes(page) == ["   n3 p2"] * 4
        page.point("[name=tv-view][value=advantage] + *", click=True)
        assert classes(page) == ["p3 p3 p3 p3 p3", "n3 n3 n3 n3 n3"] * 2
        # Numbers of a token by mouse and by key.
        page.point(".tv-card [data-i='3'].t")
        read = "document.querySelector('.tv-read').textContent"
        assert "entropy 2.50 nats · q 1.00 · advantage +1.00" in page.run(read)
        assert "since the base −1.5" in page.run(read)
        page.press("1")
        page.run("document.querySelectorAll('.tv-card pre')[3].focus()")
        assert "token 1 of 5" in page.run(read)
        page.press("ArrowDown")
        assert "token 4 of 5 · entropy 2.50 nats · q 1.39" in page.run(read)
        # Filters.
        page.press("]")
        assert page.run("document.querySelectorAll('.tv-card').length") == 2
        page.point(".tv-runs input", click=True)
        count = "document.querySelector('.tv-count').textContent"
        assert page.run(count) == "2 of 2 problems, 3 of 6 completions"
        page.open(url + "#reward=both&find=THREE&view=q")
        assert page.run(count) == "1 of 2 problems, 4 of 6 completions"
        assert classes(page)[2:] == ["   p4 "] * 2
        page.open(url + "#run=sage&run=another")
        assert page.run(count) == "2 of 2 problems, 3 of 6 completions"
        assert page.run("document.querySelector('.tv-body h4').textContent") == "sage"
        # A link of the page, of problems that were gained.
        page.open(url)
        page.run("location.hash = '#moved=gained&view=plain'")
        page.run("new Promise((done) => setTimeout(done))")
        assert page.run(count) == "0 of 2 problems, 0 of 6 completions"
        page.open(url + "#find=nowhere")
        assert "No completion is like that" in page.run("document.querySelector('.tv').innerText")
        # Themes.
        page.open(url + "#view=q")
        colour = "getComputedStyle(document.querySelector('.tv-key .p4')).backgroundColor"
        seen = []
        for dark in (False, True):
            page.dark(dark)
            seen.append(page.run(colour))
        assert seen == ["rgb(240, 127, 34)", "rgb(150, 86, 0)"]
        page("Emulation.setEmulatedMedia", media="print")  # On paper it is light for everybody.
        assert page.run(colour) == seen[0]
        assert page.said == []


@pytest.mark.skipif(not chromium.PROGRAM, reason="no Chromium here")
def test_what_is_not_known_is_not_told(tmp_path):
    line = {
        "step": 4, "id": "sum-1", "prompt": "1 + 1?", "gold": "2", "finish": "stop",
        "reward": float("nan"), "completion": "ab", "tokens": ["a", "b"],
        "entropies": [None, None], "logps": [None, None], "ref_logps": [-1.0, -1.0],
    }  # fmt: skip
    lines = [line | {"q": [None, None]}, line | {"q": [None, 1.2]}]
    (tmp_path / "run" / "samples").mkdir(parents=True)
    (tmp_path / "run" / "config.yaml").write_text("name: run\n")
    path = tmp_path / "run" / "samples" / "step-000004.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    url = write_report([tmp_path / "run"], tmp_path / "report").as_uri()
    with chromium.browser(tmp_path / "home") as page:
        page.open(url)
        said = "[...document.querySelectorAll('.tv-%s')].map((one) => one.textContent)"
        assert sorted(page.run(said % "sum")) == ["2 tokens", "2 tokens · q ≠ 1 at 100.0%"]
        assert page.run(said % "card .chip") == ["◐ reward NaN"] * 2
        assert page.said == []
