"""What a run reads from outside, known again by digests that its folder keeps.

A config names paths. A file that was changed, or other weights in the same folder, would go on as
the same run with another meaning: problems are drawn by their number, and adapters or an anchor
belong to the weights they began with.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sage_jax import config as configs
from sage_jax import json_text, parts
from sage_jax.data import jsonl
from sage_jax.data.problem import DataError, Problem
from sage_jax.data.problem_set import Split, digest_of
from sage_jax.data.tasks import Task
from sage_jax.files import write_atomically
from sage_jax.parallel import hosts
from sage_jax.run import digests, named_data
from sage_jax.run.run_folder import RunFolder
from sage_jax.telling import OneLine, UserError, brief

SOURCE, BASE = "model.source", "the warmed-up base"
MODEL = (SOURCE, BASE)
PARTS = "parts of your own"
TRAINING, HELD_OUT = "problems to train on", "problems held out"
_OF_FILES = (PARTS, *MODEL)  # Known by a digest of each file.

_ROW = 8  # Hexadecimal digits that a problem is known by.

Facts = dict[str, Any]


class InputError(OneLine, UserError):
    """Something that a run reads is not what it began with; the message says what differs."""


def refuse_others(
    config: configs.Config, folder: RunFolder, names: Collection[str] | None = None
) -> dict[str, Any]:
    """Refuse inputs that are others than the folder's run began with. A collective.

    What is the same under another path, in another compression or with other times goes on.

    Args:
        config: of the run.
        folder: of the run; where none has begun there is nothing to compare with.
        names: what to look at: `MODEL`, or `of_evaluation`; by default all.

    Returns:
        The digests, by name, for `keep`.

    Raises:
        InputError: on every process; names the file, what differs, and what to do.
        HostsError: the processes read other data or weights than each other.
        DataError, ModelError: of what cannot be read at all.
    """
    paths = _paths(config, folder, names)
    seen = {name: _digest(name, path) for name, path in paths.items()}
    hosts.refuse_difference({f"{name} {paths[name]}": _short(seen[name]) for name in seen})
    _refuse(folder, _faults(folder, paths, seen) if hosts.is_main() else [])
    return seen


def refuse_other_problems(
    folder: RunFolder, task: Task, names: Collection[str] = (TRAINING, HELD_OUT)
) -> dict[str, Facts]:
    """Refuse problems that are others than the folder's run began with. A collective.

    Whatever they come from: a hub's data set has no file that a config names, and what is made of
    a file may change, too.

    Args:
        folder: of the run; where none has begun there is nothing to compare with.
        task: whose problems they are; of one without any nothing is known.
        names: `TRAINING` and `HELD_OUT`, or one of both.

    Returns:
        The facts, by name, for `keep`.

    Raises:
        InputError: on every process; says which problems differ, and what to do.
    """
    split = getattr(task, "problems", None)
    if not isinstance(split, Split):
        return {}
    parts = {TRAINING: split.train, HELD_OUT: split.held_out}
    rows = {name: _rows(parts[name]) for name in names}
    known = _known(folder) if hosts.is_main() else {}
    faults = []
    for name in names:
        before = _cut(known.get(name, {}).get("rows", "")) or rows[name]
        if before != rows[name]:
            ids = [one.id for one in parts[name]]
            faults.append(f"{name}: {difference(before, rows[name], ids)}")
    _refuse(folder, faults)
    return {
        name: {"path": "", "digest": _short(of), "rows": "".join(of)} for name, of in rows.items()
    }


def _refuse(folder: RunFolder, faults: list[str]) -> None:
    """Raise what the first process found, on every one."""
    if faults := hosts.agree(faults):
        raise InputError(
            f"{folder.path}: not what this run began with: {'; '.join(faults)}. Put back what was "
            "there, or begin anew with another --run_dir"
        )


def of_evaluation(config: configs.Config) -> list[str]:
    """Names of what an evaluation reads beside the model: not what is for training alone."""
    own = ((name, name.rpartition(".")[2]) for name in config.files)
    files = (name for name, argument in own if not argument.startswith(("train_", "rates_")))
    return [*files, *named_data.of(config), PARTS]


def keep(
    config: configs.Config,
    folder: RunFolder,
    seen: dict[str, Any],
    problems: Mapping[str, Facts] = MappingProxyType({}),
) -> None:
    """Write down what the run reads, beside what is known of earlier parts of it.

    Args:
        config: of the run.
        folder: of the run.
        seen: of `refuse_others`; a base that was made since is read here.
        problems: of `refuse_other_problems`.
    """
    if not hosts.is_main():
        return
    known = _known(folder)
    paths = _paths(config, folder, None)
    now = known | {
        name: _facts(name, path, seen.get(name) or _digest(name, path), known.get(name))
        for name, path in paths.items()
    }
    now |= problems
    if now != known:
        write_atomically(folder.inputs_file, json.dumps(now, indent=1).encode())


def _paths(
    config: configs.Config, folder: RunFolder, names: Collection[str] | None
) -> dict[str, str]:
    """What this start of the run will read, by name."""
    read = config.files | named_data.of(config)
    if config.modules:
        read[PARTS] = ", ".join(config.modules)
    if config.warmup.steps and folder.has_base():
        read[BASE] = str(folder.base)
    elif config.model.source != "random":
        read[SOURCE] = config.model.source
    return {name: path for name, path in read.items() if names is None or name in names}


def _digest(name: str, path: str) -> Any:
    if name == PARTS:
        found = parts.sources(path.split(", "))
        return {name: digests.of_file(file) for name, file in found.items()}
    if name in MODEL:
        return digests.of_model(path)
    return named_data.digest(path) if named_data.is_one(name) else digests.of_data(path)


def _short(digest: Any) -> str:
    return hashlib.sha256(json.dumps(digest).encode()).hexdigest()[:12]


def _facts(name: str, path: str, digest: Any, known: Facts | None) -> Facts:
    """What is written down of an input."""
    facts: Facts = {"path": path, "digest": digest}
    if name in _OF_FILES or named_data.is_one(name):
        return facts
    if known is not None and known["digest"] == digest:
        return known | facts
    problems = _problems(path)
    return facts | ({"rows": "".join(_rows(problems))} if problems else {})


def _problems(path: str) -> list[Problem] | None:
    """The problems in a file, None if it holds something else."""
    try:
        return jsonl.read_problems(path)
    except DataError:
        return None


def _rows(problems: Sequence[Problem]) -> list[str]:
    """Each problem's digest, of all that is read of it."""
    return [digest_of(problem)[:_ROW] for problem in problems]


def _cut(text: str) -> list[str]:
    """The digests that were joined."""
    return [text[start : start + _ROW] for start in range(0, len(text), _ROW)]


def _known(folder: RunFolder) -> dict[str, Facts]:
    """What the folder keeps; nothing where no run has begun, or the file is damaged."""
    if not folder.has_begun():
        return {}
    try:
        known = json_text.read(folder.inputs_file.read_bytes())
        return {name: facts for name, facts in known.items() if _is_whole(name, facts)}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _is_whole(name: str, facts: Facts) -> bool:
    kinds: dict[str, type] = {"path": str, "digest": dict if name in _OF_FILES else str}
    kinds |= {"rows": str} if "rows" in facts else {}
    return all(isinstance(facts.get(field), kind) for field, kind in kinds.items())


def _faults(folder: RunFolder, paths: dict[str, str], seen: dict[str, Any]) -> list[str]:
    known = _known(folder)
    faults = []
    for name, path in paths.items():
        if name in known and known[name]["digest"] != seen[name]:
            of = _files_fault if name in _OF_FILES else _data_fault
            told = of(known[name], path, seen[name])
            moved = known[name]["path"] != path
            where = f"{known[name]['path']} then, {path} now" if moved else path
            faults += [f"{name} ({where}): {told}"] if told else []
    return faults


def _files_fault(known: Facts, path: str, seen: dict[str, str]) -> str:
    """The files that differ, with their sizes."""
    before: dict[str, str] = known["digest"]
    odd = [name for name in sorted(before | seen) if before.get(name) != seen.get(name)]
    parts = [f"{name} {_change(before.get(name), seen.get(name))}" for name in odd[:4]]
    more = [f"and {len(odd) - 4} files more"] if len(odd) > 4 else []
    return ", ".join(parts + more)


def _change(before: str | None, now: str | None) -> str:
    if before is None or now is None:
        return "is gone" if now is None else "was not there"
    sizes = [text.partition(",")[0] for text in (before, now)]
    if sizes[0] == sizes[1]:
        return f"holds something else ({sizes[0]} as before)"
    return f"was {sizes[0]}, is {sizes[1]}"


def _data_fault(known: Facts, path: str, seen: str) -> str:
    """How the problems differ, or the bytes; empty if they are the same in another form."""
    problems, text = _problems(path), known.get("rows", "")
    if not (problems and text):
        return _change(known["digest"] or None, seen or None)
    rows = _rows(problems)
    before = _cut(text)
    return "" if rows == before else difference(before, rows, [one.id for one in problems])


def difference(before: Sequence[str], now: Sequence[str], ids: Sequence[str]) -> str:
    """How two unlike lists of problems differ, in words.

    Args:
        before: digests of the problems then.
        now: digests of the problems now.
        ids: names of those now.

    >>> difference(["a", "b"], ["a", "b", "c"], ["p", "q", "r"])
    "2 problems then, 3 now: 1 added at the end, from number 3 (id 'r') on"
    >>> difference(["a", "b"], ["a", "c"], ["p", "q"])
    "1 of 2 problems differs, number 2 (id 'q')"
    """
    odd = [place for place, pair in enumerate(zip(before, now, strict=False)) if len({*pair}) > 1]
    counts = f"{len(before)} problems then, {len(now)} now"
    first = odd[0] if odd else min(len(before), len(now))
    where = f"number {first + 1} (id {brief(ids[first])})" if first < len(ids) else ""
    if not odd and len(now) > len(before):
        return f"{counts}: {len(now) - len(before)} added at the end, from {where} on"
    if not odd:
        return f"{counts}: the last {len(before) - len(now)} are gone"
    if Counter(before) == Counter(now):
        return f"the same {len(now)} problems in another order, from {where} on"
    if len(before) != len(now):
        return f"{counts}; the first that differs is {where}"
    if len(odd) == 1:
        return f"1 of {len(now)} problems differs, {where}"
    return f"{len(odd)} of {len(now)} problems differ, the first is {where}"
