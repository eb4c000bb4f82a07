"""Several processes, one program: start-up, agreement, and an end that all of them hear of.

Every function but `start` and `fail` is a collective: all processes call it, at the same place.
In a program of one process each of them is the identity.
"""

import atexit
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from sage_jax.telling import UserError

VARIABLE, HEARTBEAT = "SAGE_DISTRIBUTED", "SAGE_HEARTBEAT_S"
_FAILED = "sage_jax/failed"
_LOOK_S = 1.0


class HostsError(UserError, RuntimeError):
    """Processes that cannot work as one program."""


def start(environment: Mapping[str, str] = os.environ) -> None:
    """Join the other processes as `SAGE_DISTRIBUTED` says; call before anything else of JAX.

    Unset or empty, this process is alone. "auto" leaves it to JAX to find the others (Cloud TPU,
    GKE, SLURM, Open MPI). "HOST:PORT,COUNT,INDEX" names the first process's address, the number of
    processes and this one's index. A process that is silent for `SAGE_HEARTBEAT_S` seconds
    (default 100) is lost, and the others end.

    Raises:
        HostsError: if a variable is not of these forms, or the others do not answer.
    """
    how = environment.get(VARIABLE, "")
    if not how:
        return
    patience = _patience(environment)
    try:
        jax.distributed.initialize(**_place(how), heartbeat_timeout_seconds=patience)
    except (RuntimeError, ValueError) as error:
        raise HostsError(f"{VARIABLE}={how}: the processes do not come together: {error}") from None
    leaving = threading.Event()
    watcher = threading.Thread(target=_watch, args=(leaving,), name="hosts", daemon=True)
    watcher.start()
    # Before JAX leaves: a thread inside its client would bring the process down.
    atexit.register(lambda: (leaving.set(), watcher.join()))


def _patience(environment: Mapping[str, str]) -> int:
    said = environment.get(HEARTBEAT, "100")
    if not said.isdecimal() or not int(said):
        raise HostsError(f"{HEARTBEAT}={said} is not a positive number of seconds")
    return int(said)


def _place(how: str) -> dict[str, Any]:
    if how == "auto":
        return {}
    address, *numbers = how.split(",")
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        raise HostsError(f'{VARIABLE}={how} is neither "auto" nor HOST:PORT,COUNT,INDEX')
    count, index = map(int, numbers)
    return {"coordinator_address": address, "num_processes": count, "process_id": index}


def is_main() -> bool:
    """Whether this process writes logs and reports."""
    return jax.process_index() == 0


def gather(value: Any) -> list[Any]:
    """The JSON values of all processes, by process.

    Numbers keep their bits: JSON holds what a float64 needs to be read back.
    """
    if jax.process_count() == 1:
        return [value]
    said = np.frombuffer(json.dumps(value).encode(), np.uint8)
    sizes = multihost_utils.process_allgather(np.array([said.size], np.int32))
    # Powers of two, so that few shapes are compiled.
    room = 1 << int(sizes.max() - 1).bit_length()
    table = multihost_utils.process_allgather(np.pad(said, (0, room - said.size)))
    rows = zip(np.asarray(table), np.asarray(sizes).ravel(), strict=True)
    return [json.loads(row[:size].tobytes()) for row, size in rows]


def agree(value: Any) -> Any:
    """The first process's JSON value, for what each might see differently, like files."""
    return gather(value if is_main() else None)[0]


def any_of(flag: bool) -> bool:
    """Whether the flag is raised on any process."""
    return any(gather(bool(flag)))


def barrier() -> None:
    """Return once all processes are here."""
    gather(None)


def refuse_difference(facts: Mapping[str, str]) -> None:
    """Raise on every process if a named fact is not the same on all of them.

    Raises:
        HostsError: naming each such fact and who holds what.
    """
    everyone = gather(dict(facts))
    odd = [name for name in facts if len({one.get(name) for one in everyone}) > 1]
    if odd:
        lines = "; ".join(
            f"{name}: {_holders([one.get(name) for one in everyone])}" for name in odd
        )
        raise HostsError(f"the processes do not run the same program on the same data ({lines})")


def _holders(values: list[str | None]) -> str:
    by_value: dict[str | None, list[int]] = {}
    for process, value in enumerate(values):
        by_value.setdefault(value, []).append(process)
    return ", ".join(
        f"{value} on process {'/'.join(map(str, who))}" for value, who in by_value.items()
    )


def fail(message: str, *, status: int) -> None:
    """End this process, telling the others why; returns if this process is alone.

    A plain exit would wait for the others, who wait for this one in the middle of a collective.
    """
    client = _client()
    if client is None:
        return
    # Not jax.process_index(), which waits for all processes to tell of their devices.
    index = _state().process_id
    said = f"process {index} failed: {message}"
    try:
        client.key_value_set(_FAILED, json.dumps([said, status]))
        if index == 0:  # Which holds what was said until the others look.
            time.sleep(3 * _LOOK_S)
    except Exception as error:  # The first process may be the one that is lost.
        sys.stderr.write(f"sage-jax: the other processes were not told: {error}\n")
    sys.stderr.flush()
    os._exit(status)


def end_after(error: Exception) -> None:
    """End this process after an error of any kind, the others told; returns if it is alone.

    A collective breaks when another process is lost. Then JAX is given the time to notice which,
    to say so, and to end this process.
    """
    if _client() is None:
        return
    if isinstance(error, jax.errors.JaxRuntimeError):
        sys.stderr.write("sage-jax: a collective broke; waiting to learn which process was lost\n")
        sys.stderr.flush()
        time.sleep(_patience(os.environ) + 10)
    fail(f"{type(error).__name__}: {error}", status=1)


def _watch(leaving: threading.Event) -> None:
    """Thread: end this process when another one says that it failed."""
    client = _client()
    while client is not None and not leaving.wait(_LOOK_S):
        try:
            said, status = json.loads(client.key_value_try_get(_FAILED))
        except Exception as error:
            if "NOT_FOUND" in str(error):
                continue
            return  # The service is gone, and JAX ends this process by itself.
        sys.stderr.write(f"sage-jax: {said}\n")
        sys.stderr.flush()
        os._exit(status)


def _client() -> Any:
    return _state().client


def _state() -> Any:
    from jax._src import distributed  # JAX has no public door to its key-value store.

    return distributed.global_state
