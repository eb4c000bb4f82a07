"""Contestants side by side: processes that stay alive and take turns, A B A B.

Only the one whose turn it is may compute: the others are stopped by a signal until theirs comes.
The protocol is that of `peers/serve.py`.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE / ".envs"
RUNNING = ""  # The environment of the Python that runs this.


class Contestant:
    """A process with a model loaded and warmed up.

    Args:
        name: what the tables call it.
        script: a file of `peers/`.
        environment: a folder of `.envs/`, or `RUNNING` for the Python that runs this.
        task: what it is to do; anything that JSON can say.
    """

    def __init__(self, name: str, script: str, environment: str, task: dict[str, Any]):
        self.name = name
        ours = environment == RUNNING
        python = sys.executable if ours else ENVIRONMENTS / environment / "bin" / "python"
        quiet = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "WANDB_MODE": "disabled"}
        path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [str(python), str(HERE / "peers" / script)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env=os.environ | quiet | {"PYTHONPATH": path if ours else ""},
        )  # fmt: skip
        self.facts = self._ask(task)
        self._pause()

    def run(self, seed: int) -> dict[str, Any]:
        """Its turn."""
        self._process.send_signal(signal.SIGCONT)
        result = self._ask({"seed": seed})
        self._pause()
        return result

    def close(self) -> None:
        """End the process."""
        self._process.send_signal(signal.SIGCONT)
        self._process.communicate()

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        print(json.dumps(message), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise SystemExit(f"{self.name} ended early (status {self._process.wait()})")
        return json.loads(line)

    def _pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)


def installed(environment: str) -> bool:
    """Whether an environment is there; says how to make it if not."""
    there = environment == RUNNING or (ENVIRONMENTS / environment / "bin" / "python").exists()
    if not there:
        print(f"{environment} is left out; bash benchmarks/environment.sh {environment} adds it")
    return there


def race(contestants: list[Contestant], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Let all of them run once a round, in turn, and collect what each did.

    The first goes last in every other round, so that nobody always runs on a warmer machine.
    """
    runs: dict[str, list[dict[str, Any]]] = {one.name: [] for one in contestants}
    for number in range(rounds):
        for one in contestants if number % 2 == 0 else reversed(contestants):
            runs[one.name].append(one.run(number))
            print(f"round {number}: {one.name} {runs[one.name][-1]['seconds']:.2f} s", flush=True)
    for one in contestants:
        one.close()
    return runs
