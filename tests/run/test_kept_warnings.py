"""What a run warns of is kept in its folder, and said as it was before."""

import json
import logging
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sage_jax.losses import InertGuideWarning
from sage_jax.run.console import warn
from sage_jax.run.kept_warnings import kept_warnings


def texts(path):
    return [json.loads(line)["text"] for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "warnings.jsonl"


def test_all_kinds_are_kept_once_and_still_said(path, capsys):
    def say_twice():
        with kept_warnings(path, ready=lambda: True):
            for _ in range(2):
                warn("of ours")
                logging.getLogger("sage_jax.models").warning("of %s", "a module")
                warnings.warn("of a loss", InertGuideWarning, stacklevel=1)

    with pytest.warns(InertGuideWarning):
        say_twice()
    assert texts(path) == ["of ours", "of a module", "InertGuideWarning: of a loss"]
    assert capsys.readouterr().err.count("sage-jax: of ours\n") == 2
    warn("after it")
    logging.getLogger("sage_jax.models").warning("after it")
    assert len(texts(path)) == 3


def test_a_run_that_goes_on_adds_to_what_is_there(path):
    for text in ("first", "second", "first"):
        with kept_warnings(path, ready=lambda: True):
            warn(text)
    assert texts(path) == ["first", "second"]


def test_nothing_is_written_before_the_folder_is_a_runs_nor_lost(path):
    begun = []
    with kept_warnings(path, ready=lambda: bool(begun)):
        warn("early")
        assert not path.exists()
        begun.append(True)
    assert texts(path) == ["early"]


def test_a_run_that_is_refused_leaves_no_file_and_one_that_fails_does(path):
    def fail(ready):
        with kept_warnings(path, ready=lambda: ready):
            warn("why")
            raise ValueError("refused")

    for ready in (False, True):
        with pytest.raises(ValueError, match="refused"):
            fail(ready)
        assert path.exists() == ready


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with kept_warnings(tmp_path / "file" / "warnings.jsonl", ready=lambda: True):
        warn("a full disk")


def test_a_bucket_that_does_not_answer_stops_nothing(monkeypatch):
    class Silent:
        def __str__(self):
            return "gs://bucket/run/warnings.jsonl"

        def read_bytes(self):
            raise RuntimeError("503")

    def ready():
        raise RuntimeError("503")

    silent: Any = Silent()
    with kept_warnings(silent, ready=ready):
        warn("a slow network")


def test_threads_warn_at_once(path, monkeypatch):
    monkeypatch.setattr(warnings, "showwarning", lambda *_: None)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with kept_warnings(path, ready=lambda: True), ThreadPoolExecutor(4) as pool:
            warnings.simplefilter("always")
            list(pool.map(warnings.warn, [f"warning {number}" for number in range(150)]))
    finally:
        sys.setswitchinterval(interval)
    assert len(texts(path)) == 150


def test_entries_that_no_report_reads_are_left_out(path):
    path.write_text('{"text": ["a"], "time": 1}\n{"text": "b", "time": "c"}\n')
    with kept_warnings(path, ready=lambda: True):
        warn("one")
    assert texts(path) == ["one"]


def test_a_file_of_another_kind_is_written_anew(path):
    path.write_text("no json\n{}\n")
    with kept_warnings(path, ready=lambda: True):
        warn("one")
    assert texts(path) == ["one"]


def test_numbers_in_texts_do_not_grow_it_without_end(path):
    with kept_warnings(path, ready=lambda: True):
        for step in range(300):
            warn(f"step {step}")
    assert len(texts(path)) == 200


def test_without_any_handler_logged_lines_still_reach_a_person(path, capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging, "lastResort", logging.StreamHandler())
    with kept_warnings(path, ready=lambda: True):
        logging.getLogger("sage_jax.models").warning("ignored fields")
    assert "ignored fields" in capsys.readouterr().err
