"""Plays gcloud, xpk, sky, sbatch and their like for the tests of the launch scripts.

It refuses what the real program would not take, writes down each call, and replies as told. The
flags are those of the programs' own help: gcloud 528, xpk 1.16, SkyPilot 0.14, SLURM 24.
"""

import json
import os
import sys

FOLDER = os.environ["STAND_IN"]
PLACE = "project zone"
SSH = f"{PLACE} worker ssh-flag command"
XPK = f"cluster {PLACE}"

# Command: (positional arguments at least, at most, flags with a value, flags without).
COMMANDS: dict[str, tuple[int, int, str, str]] = {
    "gcloud compute tpus queued-resources create": (
        1, 1, f"{PLACE} node-id accelerator-type runtime-version network subnetwork",
        "quiet spot reserved guaranteed internal-ips async"),
    "gcloud compute tpus queued-resources describe": (1, 1, f"{PLACE} format", "quiet"),
    "gcloud compute tpus queued-resources delete": (1, 1, PLACE, "quiet force async"),
    "gcloud compute tpus tpu-vm describe": (1, 1, f"{PLACE} format", "quiet"),
    "gcloud compute tpus tpu-vm ssh": (1, 1, SSH, "quiet"),
    "gcloud compute tpus tpu-vm scp": (2, 9, f"{PLACE} worker scp-flag", "quiet recurse compress"),
    "xpk workload create": (
        0, 0, f"{XPK} workload tpu-type num-slices max-restarts base-docker-image script-dir"
        " command termination-grace-period-seconds env priority restart-on-exit-codes", "spot"),
    "xpk workload list": (0, 0, f"{XPK} wait-for-job-completion filter-by-job timeout", ""),
    "xpk workload delete": (0, 0, f"{XPK} workload", "force"),
    "kubectl logs": (0, 0, "selector container tail", "follow"),
    "sky jobs launch": (1, 1, "name gpus infra num-nodes env job-recovery",
                        "yes use-spot detach-run"),
    "sky jobs queue": (0, 0, "", ""),
    "sky jobs logs": (0, 0, "name", "follow"),
    "sky jobs cancel": (0, 0, "name", "yes"),
    "sbatch": (1, 99, "job-name nodes ntasks-per-node gpus-per-node time output open-mode signal"
               " partition", "wait requeue"),
    "squeue": (0, 0, "name", "me"),
    "scancel": (0, 0, "name", "me"),
    "scontrol requeue": (1, 1, "", ""),
    "srun": (1, 99, "", ""),
}  # fmt: skip


def main(program: str, words: list[str]) -> int:
    call = " ".join([program, *words, ""])
    command = next((one for one in COMMANDS if call.startswith(f"{one} ")), None)
    if command is None:
        sys.exit(f"{program}: no such command: {call}")
    given, flags = _parse(command, words[len(command.split()) - 1 :])
    with open(f"{FOLDER}/calls.jsonl", "a") as file:
        file.write(json.dumps([program, *words]) + "\n")
    reply = _reply(_key(command, flags))
    if reply.get("play"):
        return _play(command, given, flags)
    sys.stdout.write(reply.get("out", ""))
    sys.stderr.write(reply.get("err", ""))
    sys.stdout.flush()
    if reply.get("hang"):
        _hang()
    return reply.get("status", 0)


def _parse(command: str, words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Positional arguments and flags. By hand: tests call this a thousand times."""
    least, most, valued, plain = COMMANDS[command]
    given, flags = [], {}
    for i, word in enumerate(words):
        name, equals, value = word[2:].partition("=")
        if word.startswith("--") and name in valued.split() and equals:
            flags[name] = value
        elif word.startswith("--") and name in plain.split() and not equals:
            flags[name] = ""
        elif word.startswith("-"):
            sys.exit(f"{command}: unrecognized {word}")
        elif command in ("sbatch", "srun"):  # The rest is the script's own.
            given = words[i:]
            break
        else:
            given.append(word)
    if not least <= len(given) <= most:
        sys.exit(f"{command}: {least} to {most} arguments, not {given}")
    if command.startswith("gcloud") and not ("project" in flags and "zone" in flags):
        sys.exit("--project and --zone: else gcloud takes those that whoever runs it has set")
    return given, flags


def _key(command: str, flags: dict[str, str]) -> str:
    """What replies are listed under: `describe queued-resources`, `ssh start`, else the command."""
    if command.endswith("describe"):
        return f"describe {command.split()[3]}"
    if command.endswith("ssh"):
        return f"ssh {flags['command'].partition('worker.sh ')[2].split()[0]}"
    return command


def _reply(key: str) -> dict:
    """The next reply of that key; the last one stays."""
    with open(f"{FOLDER}/replies.json") as file:
        replies = json.load(file).get(key, [""])
    counter, count = f"{FOLDER}/count {key}", 0
    if os.path.exists(counter):
        with open(counter) as file:
            count = int(file.read())
    with open(counter, "w") as file:
        file.write(str(count + 1))
    reply = replies[min(count, len(replies) - 1)]
    return {"out": reply + "\n" if reply else ""} if isinstance(reply, str) else reply


def _play(command: str, given: list[str], flags: dict[str, str]) -> int:
    """Be one worker whose home is the folder `worker`, or a node of SLURM's."""
    import shutil
    import subprocess

    home = f"{FOLDER}/worker"
    if command.endswith("scp"):
        shutil.copy(given[0], f"{home}/{given[1].partition(':')[2]}")
        return 0
    if command == "srun":
        os.execvp(given[0], given)
    script = ["bash", "-c", flags["command"]]
    return subprocess.run(script, cwd=home, env=os.environ | {"HOME": home}).returncode


def _hang() -> None:
    """As gcloud does: with a child, and Ctrl-C answered by a plain status."""
    import subprocess

    with subprocess.Popen(["sleep", "600"]) as child:
        open(f"{FOLDER}/hanging", "w").close()
        try:
            child.wait()
        except KeyboardInterrupt:
            sys.exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
