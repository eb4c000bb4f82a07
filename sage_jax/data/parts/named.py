"""Data sets of the field by name; docs/data.md says where they are from."""

from collections.abc import Sequence
from typing import Literal

from sage_jax.data.named import DATA_SETS, load
from sage_jax.data.parts.reading import without
from sage_jax.data.problem import Problem
from sage_jax.data.problem_set import ProblemSet


def gsm8k(
    *, data_dir: str = "", manual_dir: str = "", exclude_ids: tuple[str, ...] = ()
) -> ProblemSet:
    """GSM8K: word problems of grade school, 7,473 to train on and 1,319 held out. MIT.

    Prepared once in `data_dir`, a folder of TensorFlow Datasets (`TFDS_DATA_DIR` or
    ~/tensorflow_datasets where none is named), from `gsm8k_train.jsonl` and `gsm8k_test.jsonl` in
    `manual_dir` (or in `SAGE_DATA_DIR`), or else from upstream. `exclude_ids` are not trained on.
    """
    return _trained("gsm8k", data_dir, manual_dir, exclude_ids)


def math(
    *, data_dir: str = "", manual_dir: str = "", exclude_ids: tuple[str, ...] = ()
) -> ProblemSet:
    """MATH: problems of competitions, 7,500 to train on and 5,000 held out. MIT.

    Those of `math500` are among the held-out ones. Prepared once in `data_dir`, see `gsm8k`, from
    `MATH.tar` in `manual_dir`, or else from the Internet Archive. `exclude_ids` are not trained on.
    """
    return _trained("math", data_dir, manual_dir, exclude_ids)


def dapo_math_17k(
    *,
    language: Literal["", "en", "zh"] = "",
    data_dir: str = "",
    manual_dir: str = "",
    exclude_ids: tuple[str, ...] = (),
) -> ProblemSet:
    """DAPO-Math-17k: 17,243 problems with integer answers, 14,034 of them English. Apache-2.0.

    `language` takes the English (`en`) or the Chinese (`zh`) ones. Which are held out is said by
    `held_out_share`. Prepared once in `data_dir`, see `gsm8k`, from `dapo_math_17k.jsonl.gz` in
    `manual_dir`, or else from upstream. `exclude_ids` are left out.
    """
    problems = _loaded("dapo_math_17k", data_dir, manual_dir)["train"]
    source = f"dapo_math_17k/{language}"
    chosen = [one for one in problems if one.source.startswith(source)]
    return ProblemSet(without(chosen, exclude_ids, "dapo_math_17k"))


def math500(*, data_dir: str = "", manual_dir: str = "") -> ProblemSet:
    """MATH-500: 500 test problems of MATH, to evaluate on alone. MIT.

    Prepared once in `data_dir`, see `gsm8k`, from `math500.jsonl` in `manual_dir`, or else from
    upstream.
    """
    return _evaluated("math500", data_dir, manual_dir)


def aime24(*, data_dir: str = "", manual_dir: str = "") -> ProblemSet:
    """AIME 2024, I and II: 30 problems, to evaluate on alone. The problems are the MAA's.

    Prepared once in `data_dir`, see `gsm8k`, from `aime24.jsonl` in `manual_dir`, or else from
    upstream.
    """
    return _evaluated("aime24", data_dir, manual_dir)


def aime25(*, data_dir: str = "", manual_dir: str = "") -> ProblemSet:
    """AIME 2025, I and II: 30 problems, to evaluate on alone. The problems are the MAA's.

    Prepared once in `data_dir`, see `gsm8k`, from `aime25.jsonl` in `manual_dir`, or else from
    upstream.
    """
    return _evaluated("aime25", data_dir, manual_dir)


def amc23(*, data_dir: str = "", manual_dir: str = "") -> ProblemSet:
    """AMC 12 of 2023: 40 problems with integer answers, to evaluate on alone. They are the MAA's.

    Prepared once in `data_dir`, see `gsm8k`, from `amc23.jsonl` in `manual_dir`, or else from
    upstream.
    """
    return _evaluated("amc23", data_dir, manual_dir)


def minerva(*, data_dir: str = "", manual_dir: str = "") -> ProblemSet:
    """Minerva: 272 problems of MIT's courses, to evaluate on alone. CC BY-NC-SA 4.0.

    Prepared once in `data_dir`, see `gsm8k`, from `minerva.jsonl` in `manual_dir`, or else from
    upstream.
    """
    return _evaluated("minerva", data_dir, manual_dir)


def _loaded(name: str, data_dir: str, manual_dir: str) -> dict[str, list[Problem]]:
    return load(DATA_SETS[name], data_dir=data_dir, manual_dir=manual_dir)


def _trained(name: str, data_dir: str, manual_dir: str, exclude: Sequence[str]) -> ProblemSet:
    splits = _loaded(name, data_dir, manual_dir)
    return ProblemSet(without(splits["train"], exclude, name), splits["test"])


def _evaluated(name: str, data_dir: str, manual_dir: str) -> ProblemSet:
    return ProblemSet([], _loaded(name, data_dir, manual_dir)["test"])
