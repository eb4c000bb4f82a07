"""The command line: `sage-jax COMMAND TARGET [--section.field value ...]`."""

import dataclasses
import errno
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import tyro

from sage_jax import config as configs
from sage_jax import parts, paths
from sage_jax.telling import UserError, brief

_USAGE = """usage: sage-jax COMMAND ...

  quickstart                         trains a tiny model several ways, in minutes: plots and a table
  train CONFIG [--run_dir DIR]       warm-up where configured, then reinforcement learning; resumes;
                                     ends with the table of pass@k, and writes the page
  eval CONFIG | RUN_DIR              pass@k and majority@k, base against trained, on suites
  eval CONFIG --from COMPLETIONS     the same of completions that any program wrote
  data CONFIG                        what a run will see: problems, what is left out, prompts
  sample RUN_DIR --prompt TEXT       completions, with reward and entropy per token
  entropies CONFIG | RUN_DIR         histogram of the reference's entropies, and a threshold
  rate CONFIG | RUN_DIR [--out FILE] how often the base model solves each training problem
  report RUN_DIR [RUN_DIR ...]       the table, plots and one page, comparing runs
  export RUN_DIR --out DIR           Hugging Face's files, or PEFT's with --adapter; --check
                                     reads them back, --push ORG/NAME uploads them
  verify FILE.jsonl                  scores {"id", "gold", "completion"} lines as training does
  parts [KIND [NAME]]                every part that a config can name, with its arguments;
                                     without KIND what a loss takes beside them too
  configs [NAME]                     the configs that come with the project, or the text of one
  plan CONFIG [--arm NAME] [--topology v5e:4x4] [--json] [--search]
                                     whether it fits a slice that is not at hand, and at what cost

CONFIG is a YAML file, or the name of one that comes with the project, such as smollm2_gsm8k.
Every field of the config can be overridden: --section.field value. `sage-jax COMMAND CONFIG --help`
lists them with their meaning. Folders may lie in a bucket: gs://BUCKET/FOLDER.
"""


@dataclasses.dataclass
class _Overrides:
    """What may follow a config or a run folder."""

    config: Annotated[configs.Config, tyro.conf.arg(name=""), tyro.conf.FlagConversionOff]


@dataclasses.dataclass
class _TrainOptions(_Overrides):
    run_dir: str = ""
    """Folder of the run; default runs/<name>. A run that is there is resumed."""


@dataclasses.dataclass
class _EvalOptions(_Overrides):
    out: str = ""
    """Folder for completions and results of suites; default runs/<name>/suites."""
    source: Annotated[str, tyro.conf.arg(name="from")] = ""
    """Completions of any program, as a file of JSON Lines {"id", "completion"}, perhaps gzipped, or
    a folder of such: judged, and nothing is sampled."""


@dataclasses.dataclass
class _DataOptions(_Overrides):
    prompts: int = 3
    """How many prompts to show whole."""


@dataclasses.dataclass
class _SampleOptions(_Overrides):
    prompt: str = ""
    """What to ask (of token tasks: token ids). Empty asks the first held-out problem."""
    gold: str = ""
    """The right answer, to have the completions judged."""
    count: int = 4
    """Completions."""


@dataclasses.dataclass
class _EntropiesOptions(_Overrides):
    out: str = ""
    """Folder to write to; default `entropies/` in the run folder, of a config runs/<name>."""
    problems: int = 256
    """Training problems to complete, each once."""


@dataclasses.dataclass
class _RateOptions(_Overrides):
    out: str = ""
    """File to write; default `rates.jsonl` in the run folder, of a config runs/<name>."""
    samples: int = 8
    """Completions of each training problem."""


@dataclasses.dataclass
class _ExportOptions(_Overrides):
    out: str = ""
    """Folder to write; must not exist or be empty."""
    adapter: bool = False
    """The adapter alone, in PEFT's format, instead of all weights with it folded in."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the weights in the files."""
    shard_gb: float = 5.0
    """Size of one file of weights, in 10^9 bytes; more are cut into several with an index."""
    push: str = ""
    """Upload to the hub as ORG/NAME; the token is that of `hf auth login` or HF_TOKEN."""
    check: bool = False
    """Read the files back, and compare log-probabilities of held-out prompts with the run's own."""


@dataclasses.dataclass
class _PlanOptions(_Overrides):
    topology: str = ""
    """Slice to plan for, CHIP:GRID: v5e:4x4, v5p:2x2x4, tpu7x:2x2x1, h100:8, cpu:8. Default
    mesh.topology."""
    arm: str = ""
    """Which of the config's arms. Without it the settings that all arms start from are planned: one
    plan takes minutes, and most arms differ from them in values and not in programs."""
    as_json: Annotated[bool, tyro.conf.arg(name="json")] = False
    """Print JSON instead of tables."""
    search: bool = False
    """Also find the largest micro-batch and the least rematerialisation that fit."""


@dataclasses.dataclass
class _ReportOptions:
    """Compare runs."""

    run_dirs: tyro.conf.Positional[tuple[str, ...]]
    """Run folders, or folders of arms."""
    out: str = ""
    """Where to write; default `report/` in the first folder."""


@dataclasses.dataclass
class _VerifyOptions:
    """Score completions as training would."""

    file: tyro.conf.Positional[str]
    """JSON Lines of {"id", "gold", "completion"}."""
    num_workers: int = 2
    """Verifier processes."""
    deadline_s: float = 5.0
    """Seconds for one answer."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; exits with 0, or 1 and one message, or 2 for wrong usage.

    130 says that Ctrl-C stopped it, 143 that SIGTERM did.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    commands: dict[str, Callable[[list[str]], None]] = {
        "train": _train,
        "eval": _eval,
        "sample": _sample,
        "data": _data,
        "entropies": _entropies,
        "rate": _rate,
        "report": _report,
        "export": _export,
        "verify": _verify,
        "plan": _plan,
        "parts": _parts,
        "configs": _configs,
        "quickstart": _quickstart,
    }
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(_USAGE)
        sys.exit(0 if arguments else 2)
    command, rest = arguments[0], arguments[1:]
    parts.look_in(Path.cwd())
    if command not in commands:
        _fail(f"no command {command!r}; there are {', '.join(commands)}", status=2)
    reported(commands[command], rest)


def reported(command: Callable[[list[str]], None], rest: list[str]) -> None:
    """Run a command; what ends it is said in one line, and to the other processes."""
    from sage_jax.parallel import hosts
    from sage_jax.run.stop import Stopped

    try:
        hosts.start()
        command(rest)
    except Stopped as stopped:
        if hosts.is_main():
            sys.stderr.write("stopped; the same command goes on from here\n")
        sys.exit(stopped.status)
    except KeyboardInterrupt:
        hosts.fail("interrupted", status=130)
        sys.exit(130)
    except SystemExit as leaving:
        if leaving.code:
            hosts.fail("it said why itself", status=int(leaving.code))
        raise
    except Exception as error:
        if isinstance(error, UserError) or getattr(error, "errno", None) in _OF_THE_MACHINE:
            _fail(str(error))
        traceback.print_exc()
        hosts.end_after(error)
        sys.exit(1)


# A full disk, a quota, a read-only folder, missing rights, a disk that fails: no fault of ours.
_OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def _fail(message: str, *, status: int = 1) -> NoReturn:
    from sage_jax.parallel import hosts

    sys.stderr.write(f"sage-jax: {message}\n")
    hosts.fail(message, status=status)
    sys.exit(status)


def _parsed(kind: Any, command: str, rest: list[str], config: configs.Config | None = None) -> Any:
    """Parse what follows the target; overrides are checked like the file."""
    default: dict[str, Any] = {}
    if config is not None:
        rest, changes = configs.part_arguments(rest, config)
        config = configs.override(config, changes, origin="options") if changes else config
        default = {"default": kind(config=config)}
    with configs.unchecked():
        options = tyro.cli(
            kind,
            args=rest,
            prog=f"sage-jax {command}",
            use_underscores=True,
            config=(tyro.conf.FlagCreatePairsOff,),
            **default,
        )
    if config is None:
        return options
    # Text from a shell may be no text, and could not be written into the run folder.
    checked = configs.parse(options.config.model_dump(mode="json"), origin="options")
    return dataclasses.replace(options, config=checked)


def _target(command: str, rest: list[str]) -> tuple[Path, list[str]]:
    if not rest or rest[0] in ("-h", "--help"):
        sys.stdout.write(_USAGE)
        sys.exit(0 if rest else 2)
    if rest[0].startswith("-"):
        _fail(f"{command}: the config or run folder comes first, then options", status=2)
    path = _path(rest[0])
    if not path.exists():
        path = configs.shipped(rest[0]) or path
    parts.look_in(path.parent.absolute())
    return path, rest[1:]


def _path(text: str) -> Path:
    return paths.reach(paths.as_path(text))


# Of a tiny model on a CPU: the compiler's last tenth of speed takes longer than its training.
_COMPILE_QUICKLY = (
    "--xla_backend_optimization_level=1 --xla_llvm_disable_expensive_passes=true"
    " --xla_cpu_use_fusion_emitters=false"
)


def _quickstart(rest: list[str]) -> None:
    if shutil.which("nvidia-smi") is None:
        os.environ["XLA_FLAGS"] = f"{_COMPILE_QUICKLY} {os.environ.get('XLA_FLAGS', '')}"
    _train(["quickstart", *rest])


def _out(path: str | Path, *, a_file: bool = False) -> Path:
    """What a command writes in the end, and what can be: it may take hours until then."""
    return paths.to_write(_path(str(path)), a_file=a_file)


def _train(rest: list[str]) -> None:
    path, rest = _target("train", rest)
    options = _parsed(_TrainOptions, "train CONFIG", rest, configs.load(path))
    from sage_jax.parallel import hosts
    from sage_jax.run import orbax_noise
    from sage_jax.run.arms import train_arms

    orbax_noise.mute()
    folder = _path(options.run_dir or f"runs/{options.config.name}")
    train_arms(options.config, folder)
    if hosts.is_main():
        _tell_results([folder], folder / "report")


def _eval(rest: list[str]) -> None:
    path, rest = _target("eval", rest)
    from sage_jax.run import commands

    if path.is_dir():
        config = commands.open_run(path).load()
        options = _parsed(_Overrides, "eval RUN_DIR", rest, config)
        commands.evaluate_run(path, options.config)
    else:
        options = _parsed(_EvalOptions, "eval CONFIG", rest, configs.load(path))
        home = _out(options.out or f"runs/{options.config.name}/suites")
        if options.source:
            commands.evaluate_stored(options.config, _path(options.source), home)
        else:
            commands.evaluate_config(options.config, home)


def _sample(rest: list[str]) -> None:
    path, rest = _target("sample", rest)
    from sage_jax.run import commands

    options = _parsed(_SampleOptions, "sample RUN_DIR", rest, commands.open_run(path).load())
    commands.sample_run(
        path, options.config, prompt=options.prompt, gold=options.gold, count=options.count
    )


def _data(rest: list[str]) -> None:
    path, rest = _target("data", rest)
    options = _parsed(_DataOptions, "data CONFIG", rest, configs.load(path))
    from rich.console import Console

    from sage_jax.run.preview import preview

    terminal = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    preview(options.config, terminal, prompts=options.prompts)


def _entropies(rest: list[str]) -> None:
    path, rest = _target("entropies", rest)
    from sage_jax.run import commands, entropies

    folder = commands.open_run(path) if path.is_dir() else None
    config = folder.load() if folder else configs.load(path)
    options = _parsed(_EntropiesOptions, "entropies CONFIG | RUN_DIR", rest, config)
    config = options.config
    home = folder.path if folder else _path(f"runs/{config.name}")
    out = _out(options.out or home / "entropies")
    if folder:
        entropies.entropies_of_run(folder, config, out, problems=options.problems)
    else:
        entropies.entropies_of_config(config, out, problems=options.problems)


def _rate(rest: list[str]) -> None:
    path, rest = _target("rate", rest)
    from sage_jax.run import commands, rating

    folder = commands.open_run(path) if path.is_dir() else None
    config = folder.load() if folder else configs.load(path)
    options = _parsed(_RateOptions, "rate CONFIG | RUN_DIR", rest, config)
    config = options.config
    home = folder.path if folder else _path(f"runs/{config.name}")
    out = _out(options.out or home / "rates.jsonl", a_file=True)
    if folder:
        rating.rate_run(folder, config, out, samples=options.samples)
    else:
        rating.rate_config(config, out, samples=options.samples)


def _report(rest: list[str]) -> None:
    options = _parsed(_ReportOptions, "report", rest)
    folders = [_path(folder) for folder in options.run_dirs]
    if not folders:
        _fail("report: name one run folder or more", status=2)
    _tell_results(folders, _out(options.out or folders[0] / "report"))


def _tell_results(folders: list[Path], out: Path) -> None:
    """Write the page, and print the table of pass@k and where the page lies."""
    from sage_jax.evaluate import print_table, write_report

    page, picture = write_report(folders, out), out / "entropies.png"
    print_table(folders)
    if picture.is_file():
        sys.stdout.write(f"where the reference branches: {picture}\n")
    sys.stdout.write(f"{page}\n")


def _export(rest: list[str]) -> None:
    path, rest = _target("export", rest)
    from sage_jax.run import commands, exporting

    options = _parsed(_ExportOptions, "export RUN_DIR", rest, commands.open_run(path).load())
    if not options.out:
        _fail("export: --out names the folder to write", status=2)
    asked = {name: getattr(options, name) for name in exporting.Asked._fields}
    exporting.export_run(path, options.config, _out(options.out), exporting.Asked(**asked))


def _verify(rest: list[str]) -> None:
    options = _parsed(_VerifyOptions, "verify", rest)
    from sage_jax.rewards import VerifierPool, verify_file

    try:
        pool = VerifierPool(options.num_workers, options.deadline_s)
    except ValueError as error:
        _fail(f"verify: {error}", status=2)
    with pool:
        for line in verify_file(options.file, pool):
            sys.stdout.write(json.dumps(line) + "\n")
        _tell_lost(pool.lost)


def _tell_lost(lost: dict[str, int]) -> None:
    """Say on standard error how many verdicts were not reached and why, if any."""
    why = ", ".join(f"{reason} {count}" for reason, count in lost.items() if count)
    if why:
        sys.stderr.write(f"sage-jax: verdicts lost: {sum(lost.values())} ({why})\n")


def _parts(rest: list[str]) -> None:
    if rest[:1] in (["-h"], ["--help"]) or len(rest) > 2:
        sys.stdout.write("usage: sage-jax parts [KIND [NAME | MODULE:FUNCTION]]\n")
        sys.exit(2 if len(rest) > 2 else 0)
    sys.stdout.write(parts.listing(*rest))
    if not rest:
        sys.stdout.write("\n" + configs.switches())


def _configs(rest: list[str]) -> None:
    if rest[:1] in (["-h"], ["--help"]) or len(rest) > 1:
        sys.stdout.write("usage: sage-jax configs [NAME]\n")
        sys.exit(2 if len(rest) > 1 else 0)
    if not rest:
        sys.stdout.write("".join(f"{name}\n" for name in configs.shipped_names()))
        return
    path = configs.shipped(rest[0])
    if path is None:
        names = ", ".join(configs.shipped_names())
        _fail(f"no config {brief(rest[0])} comes with the project; there are {names}")
    sys.stdout.write(path.read_text(encoding="utf-8"))


def _plan(rest: list[str]) -> None:
    path, rest = _target("plan", rest)
    options = _parsed(_PlanOptions, "plan CONFIG", rest, configs.load(path))
    config = configs.arm(options.config, options.arm) if options.arm else options.config
    from rich.console import Console

    from sage_jax import plan

    name = plan.choose(config, options.topology)
    plan.prepare(name)
    told = Console(stderr=True)
    if config.arms:
        told.print(f"none of the arms; --arm NAME plans one of {', '.join(config.arms)}")
    made = plan.make_plan(
        config,
        name,
        searching=options.search,
        progress=lambda step: told.print(f"compiling: {step}", style="dim"),
    )
    if options.as_json:
        sys.stdout.write(json.dumps(plan.as_json(made), indent=1) + "\n")
    else:
        plan.write(made, Console(width=None if sys.stdout.isatty() else 120))
    sys.exit(0 if made.fits else 1)


if __name__ == "__main__":
    main()
