"""The run configuration: frozen, strict, and checked as a whole before any work starts.

One YAML file describes one run. Every field has a default except `name` and `model`, every field
can be overridden on the command line, and an unknown field, a value of the wrong type or an
impossible combination is one `ConfigError` that names the field, the value and what would be
right. Nothing below `train/` and `evaluate/` ever sees these classes.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import tyro
import yaml
from pydantic import Field

from sage_jax import yaml_text
from sage_jax.paths import as_path
from sage_jax.telling import OneLine, brief, line, printable

GuideKind = Literal["none", "branch", "token", "random"]


class ConfigError(OneLine):
    """A configuration that cannot be run, with a message fit to be shown as it is."""


class Section(pydantic.BaseModel):
    """Base of all sections: frozen, no unknown fields, no silent conversions."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True,
        # YAML writes them, and the config of a run folder would not be read back.
        allow_inf_nan=False,
    )  # fmt: skip

    @pydantic.field_validator("*")
    @classmethod
    def _bounded(cls, value: Any) -> Any:
        if isinstance(value, int) and abs(value) >= 2**32:
            raise ValueError("Input should be less than 4294967296")
        return value


class Architecture(Section):
    """Shape of a model that starts from random weights."""

    family: Literal["llama", "qwen2", "qwen3"] = "llama"
    """Which family's block to build."""
    hidden_size: int = Field(default=64, ge=8)
    """Width D."""
    intermediate_size: int = Field(default=128, ge=8)
    """Width of the gated MLP."""
    num_layers: int = Field(default=2, ge=1)
    """Number of blocks L."""
    num_heads: int = Field(default=4, ge=1)
    """Query heads."""
    num_kv_heads: int = Field(default=4, ge=1)
    """Key and value heads; divides num_heads."""


class Model(Section):
    """Which model, and in which precision."""

    source: str
    """A Hugging Face folder or hub id, a .gguf file, `package:NAME` for the GGUF file inside an
    installed package, or `random` for new weights of the shape in `architecture`."""
    architecture: Architecture = Architecture()
    """Used with `source: random` only; the task sets the vocabulary."""
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """Dtype of activations and matrix products; log-probabilities are float32 all the same."""
    param_dtype: Literal["float32", "bfloat16"] = "float32"
    """Dtype in which weights are kept."""
    remat: Literal["none", "dots", "full"] = "dots"
    """What the backward pass computes again: nothing, all but matrix products, or everything."""
    attention: Literal["plain", "splash"] = "plain"
    """How scoring and update attend: by XLA's products, or by a TPU kernel that holds no scores;
    off a TPU that kernel is interpreted, for tests."""


class Lora(Section):
    """Low-rank adapters; with rank 0 all weights are trained."""

    rank: int = Field(default=0, ge=0)
    """Rank r of each adapter; 0 means full fine-tuning."""
    alpha: float = Field(default=16.0, gt=0)
    """Adapters are scaled by alpha / rank."""
    targets: tuple[str, ...] = ("all-linear",)
    """Layers that get one: `all-linear`, or q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj,
    down_proj."""


class Task(Section):
    """What is asked and how it is judged."""

    kind: Literal["brackets", "arithmetic", "jsonl"]
    """`brackets`: token puzzle judged inside the compiled step; `arithmetic`: procedural text
    problems; `jsonl`: problems from files, judged by math-verify."""
    train_file: str = ""
    """Problems to train on (JSON Lines, may be gzipped); for `jsonl`."""
    eval_file: str = ""
    """Held-out problems; for `jsonl`."""
    source_prefix: str = ""
    """Train only on rows whose `source` begins so, e.g. `dapo_math_17k/en`."""
    exclude_ids: tuple[str, ...] = ()
    """Rows never trained on, e.g. those that also stand in an evaluation set."""
    system_prompt: str = ""
    """System message; empty leaves the template's own."""
    instruction: str = "Put your final answer within \\boxed{}."
    """Said after each problem, to fix the answer's form."""
    prefix: str = ""
    """How every completion begins: written for the model, judged with what it adds."""
    prepared_dir: str = ""
    """Folder where files are kept as TFDS ArrayRecord; empty reads them as they are."""
    min_operand: int = Field(default=10, ge=0)
    """Smallest operand; for `arithmetic`."""
    max_operand: int = Field(default=99, ge=2)
    """Largest operand; for `arithmetic`."""
    operations: tuple[Literal["add", "subtract", "multiply"], ...] = ("add", "subtract")
    """Operations asked for; for `arithmetic`."""
    format_weight: float = Field(default=0.0, ge=0, lt=1)
    """Share of the reward given for a single well-formed \\boxed{} whatever it holds."""
    num_workers: int = Field(default=2, ge=1, le=1024)
    """Verifier processes."""
    deadline_s: float = Field(default=5.0, gt=0)
    """Seconds after which an answer that is still being judged scores 0."""
    max_lost: float = Field(default=0.05, ge=0, le=1)
    """Share of recent verdicts that may be lost to the deadline, to the memory limit or to a
    crash; above it the run stops and says which. 1 never stops it."""


class Rollout(Section):
    """How completions are sampled."""

    num_prompts: int = Field(default=32, ge=1)
    """Distinct prompts a step, N."""
    group_size: int = Field(default=8, ge=1)
    """Completions of each prompt, G."""
    max_prompt_length: int = Field(default=64, ge=1)
    """Tokens; longer prompts are dropped and counted, never cut."""
    max_completion_length: int = Field(default=64, ge=1)
    """Tokens, the end token included."""
    temperature: float = Field(default=1.0, gt=0)
    """Of the policy: sampling, scoring and the loss all use it."""
    top_k: int = Field(default=0, ge=0)
    """Keep the k likeliest tokens; 0 keeps all."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Keep the smallest set of tokens with at least this probability."""
    min_p: float = Field(default=0.0, ge=0, lt=1)
    """Drop tokens less likely than this share of the likeliest."""
    stop: tuple[str, ...] = ()
    """Strings that end a completion, beside the model's own end tokens."""
    halvings: int | None = Field(default=None, ge=0)
    """Times that decoding goes on with half of the rows once the others have ended. By default 3 on
    CPU for completions of 64 tokens or more, else 0: the smaller batch's cache lies beside the
    larger one's for a moment, and memory is what accelerators lack."""
    growths: int | None = Field(default=None, ge=0)
    """Times that the cache is doubled while decoding, instead of attending over room for the
    longest completion from the start. By default 2 where `halvings` is 3, for the same reason."""
    resample: int = Field(default=0, ge=0)
    """Further rollouts allowed a step to replace groups whose rewards are all equal."""


class Loss(Section):
    """The policy-gradient loss and its KL anchor."""

    reduction: Literal["grpo", "bnpo", "dr_grpo", "dapo"] = "grpo"
    """Normaliser: mean of each sequence, tokens of the update, a constant length, tokens of the
    whole rollout."""
    level: Literal["token", "sequence"] = "token"
    """Importance ratio of each token, or of the whole sequence (GSPO)."""
    eps_low: float = Field(default=0.2, ge=0, lt=1)
    """Lower clip: the ratio counts down to 1 - eps_low."""
    eps_high: float = Field(default=0.2, ge=0)
    """Upper clip: the ratio counts up to 1 + eps_high."""
    delta: float | None = Field(default=None, gt=1)
    """Upper bound of the unclipped ratio, none if null."""
    top_entropy_quantile: float = Field(default=1.0, gt=0, le=1)
    """Share of tokens, the most uncertain first, that the policy gradient uses."""
    kl_coef: float = Field(default=0.05, ge=0)
    """Weight of the KL anchor; 0 drops it and the reference model."""
    kl_estimator: Literal["k1", "k2", "k3", "exact", "forward", "forward_exact"] = "k3"
    """Estimator of the KL term. k1, k2, k3 and exact are of the reverse KL, forward and
    forward_exact of the forward KL; the exact ones sum over the vocabulary."""
    kl_renormalize: bool = False
    """Divide the shaped anchor by its sum over the vocabulary; for exact and forward_exact."""
    kl_in_reward: bool = False
    """Take the KL off the reward instead of adding it to the loss."""
    advantage: Literal["group", "batch", "none", "rloo"] = "group"
    """Standard deviation that divides r - mean(group): the group's, the batch's, none (Dr. GRPO);
    or leave-one-out without scaling (RLOO)."""
    sampler_correction: Literal["none", "truncate", "mask"] = "none"
    """What to do where the sampler's probabilities differ from the scorer's."""
    sampler_cap: float = Field(default=2.0, gt=1)
    """Bound of the correction's ratio."""


class GuideOptions(Section):
    """Constants of the guides; those of guides not in use do nothing."""

    q_min: float = Field(default=0.6, gt=0, le=1)
    """Lower clip of q."""
    q_max: float = Field(default=1.4, ge=1)
    """Upper clip of q."""
    use_source: Literal["policy", "ref"] = "policy"
    """Whose surprisal or entropy the guide reads."""
    ratio: float = Field(default=0.3, ge=0)
    """branch: slope of q over the entropy beyond the threshold."""
    threshold: float = Field(default=1.2, ge=0)
    """branch: entropy in nats from which q rises."""
    norm: Literal["minmax", "rank", "zscore"] = "minmax"
    """token: how surprisals are normalised inside a row."""
    level_upper: float | None = Field(default=None, ge=0)
    """token's alpha or random's epsilon at its upper bound; null takes 0.3 or 0.1."""
    level_lower: float | None = Field(default=None, ge=0)
    """The same at its lower bound; null takes 0.1 or 0."""
    sigma_upper: float | None = Field(default=None, ge=0)
    """token's or random's noise at its upper bound; null takes 0.25 or 0.15."""
    sigma_lower: float | None = Field(default=None, ge=0)
    """The same at its lower bound; null takes 0.1 or 0.05."""
    num_cycles: int = Field(default=8, ge=1)
    """Cosine cycles over the run."""
    decay_rate: float = Field(default=0.9, gt=0, le=1)
    """Factor on the upper bounds after each cycle."""


class Optimizer(Section):
    """AdamW and how a rollout is cut into updates."""

    learning_rate: float = Field(default=5e-6, gt=0)
    """Peak learning rate."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """Shape after the rise."""
    rise_steps: int = Field(default=0, ge=0)
    """Updates over which the learning rate rises from 0."""
    final_share: float = Field(default=0.0, ge=0, le=1)
    """Learning rate at the end as a share of the peak; for linear and cosine."""
    b1: float = Field(default=0.9, ge=0, lt=1)
    """Adam's first decay."""
    b2: float = Field(default=0.999, ge=0, lt=1)
    """Adam's second decay."""
    eps: float = Field(default=1e-8, gt=0)
    """Added to the root of Adam's second moment; gradients well below it make small steps."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled weight decay of matrices; norms and biases never decay."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Bound of the gradient's global norm."""
    updates_per_rollout: int = Field(default=1, ge=1)
    """Updates that one rollout is split into."""
    epochs: int = Field(default=1, ge=1)
    """Passes over each rollout."""
    micro_batch: int = Field(default=0, ge=0)
    """Rows in one forward and backward pass; 0 takes an update's rows at once."""


class Warmup(Section):
    """Supervised fine-tuning before reinforcement learning; 0 steps leaves it out."""

    steps: int = Field(default=0, ge=0)
    """Number of supervised steps."""
    batch_size: int = Field(default=256, ge=1)
    """Demonstrations a step."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """Peak learning rate; rises over a tenth of the steps, then cosine to 5%."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled weight decay of matrices."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Bound of the gradient's global norm."""
    checkpoint_every: int = Field(default=500, ge=1)
    """Steps between checkpoints of the warm-up."""
    min_pass1: float = Field(default=0.0, ge=0, lt=1)
    """Held-out pass@1 that the warmed-up model must reach; below it the next seed is tried."""
    attempts: int = Field(default=1, ge=1)
    """Seeds to try before giving up."""


class Train(Section):
    """The loop."""

    steps: int = Field(default=100, ge=1)
    """Rollouts to train on."""
    checkpoint_every: int = Field(default=50, ge=1)
    """Steps between checkpoints; the last step always gets one."""
    keep_checkpoints: int = Field(default=2, ge=1)
    """Newest checkpoints kept."""
    eval_every: int = Field(default=0, ge=0)
    """Steps between evaluations while training; 0 evaluates before and after only."""
    sample_every: int = Field(default=25, ge=1)
    """Steps between written samples."""
    stop_within_s: float = Field(default=600.0, gt=0)
    """Seconds that a stop by a signal may take for the step and the save; then none is made."""
    stall_s: float = Field(default=60.0, gt=0)
    """Seconds before a step, save or evaluation of ten times the usual length is reported."""
    max_bad_steps: int = Field(default=3, ge=1)
    """Steps in a row whose update was skipped for NaN or infinity, after which the run stops."""


class Eval(Section):
    """Evaluation on held-out problems."""

    num_problems: int = Field(default=256, ge=2)
    """Problems, the first of the file or draw."""
    num_samples: int = Field(default=64, ge=1)
    """Completions of each problem, before and after training."""
    num_samples_during: int = Field(default=8, ge=1)
    """Completions of each problem in evaluations while training."""
    batch_prompts: int = Field(default=64, ge=1)
    """Problems sampled at once."""
    temperature: float = Field(default=1.0, gt=0)
    """Sampling temperature."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus of the sampling distribution."""


class Mesh(Section):
    """Devices along each axis; one of them may be -1: all that are left. Or the word `auto`."""

    auto: bool = False
    """Pick the axes by what has to fit on a device, and say why; the three below are ignored."""
    data: int = Field(default=-1, ge=-1)
    """Replicas, each with its own rows."""
    fsdp: int = Field(default=1, ge=-1)
    """Shards of the weights, gathered layer by layer; rows are split here too."""
    tensor: int = Field(default=1, ge=-1)
    """Shards of each matrix product."""
    topology: str = ""
    """The slice that the config is meant for, e.g. v5e:4x4; `plan` compiles for it."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        return {"auto": True} if value == "auto" else value


class Config(Section):
    """One run."""

    name: str = Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the run and of its default folder, `runs/<name>`."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Root of all randomness."""
    model: Model
    task: Task
    guide: GuideKind = "branch"
    """The guide q that reshapes the anchor; `none` leaves the reference as it is."""
    guide_options: GuideOptions = GuideOptions()
    lora: Lora = Lora()
    rollout: Rollout = Rollout()
    loss: Loss = Loss()
    optimizer: Optimizer = Optimizer()
    warmup: Warmup = Warmup()
    train: Train = Train()
    eval: Eval = Eval()
    mesh: Mesh = Mesh()
    arms: Annotated[dict[str, dict[str, Any]], tyro.conf.Suppress] = {}
    """Variants trained one after the other from the same warmed-up model: name -> overrides."""

    @pydantic.model_validator(mode="after")
    def _check(self) -> "Config":
        for problem in _impossible(self):
            raise ValueError(problem)
        return self


def _impossible(c: Config) -> list[str]:
    """The combinations that cannot run, each as a sentence naming the fields."""
    rows = c.rollout.num_prompts * c.rollout.group_size
    per_update = rows // c.optimizer.updates_per_rollout
    micro = c.optimizer.micro_batch or per_update
    checks = [
        (
            c.rollout.group_size == 1,
            f"rollout.group_size is 1, but loss.advantage {c.loss.advantage!r} compares "
            "completions of one prompt: take a group of 2 or more",
        ),
        (
            c.guide != "none" and c.loss.kl_coef == 0,
            f"guide is {c.guide!r}, but loss.kl_coef is 0, so there is no anchor to reshape: set "
            "loss.kl_coef above 0 or guide 'none'",
        ),
        (
            rows % c.optimizer.updates_per_rollout != 0,
            f"optimizer.updates_per_rollout {c.optimizer.updates_per_rollout} does not divide the "
            f"{rows} rows of a rollout (rollout.num_prompts x rollout.group_size)",
        ),
        (
            per_update % micro != 0,
            f"optimizer.micro_batch {micro} does not divide the {per_update} rows of an update",
        ),
        (
            c.loss.kl_estimator == "k1" and not c.loss.kl_in_reward and c.loss.kl_coef > 0,
            "loss.kl_estimator 'k1' in the loss has an expected gradient of zero: set "
            "loss.kl_in_reward true, or take k2, k3, exact or forward",
        ),
        (
            c.loss.kl_in_reward and c.loss.kl_estimator != "k1",
            f"loss.kl_in_reward takes the log-ratio itself off the reward, which is kl_estimator "
            f"'k1', not {c.loss.kl_estimator!r}",
        ),
        (
            c.loss.kl_renormalize and c.loss.kl_estimator not in ("exact", "forward_exact"),
            f"loss.kl_renormalize needs kl_estimator 'exact' or 'forward_exact', not "
            f"{c.loss.kl_estimator!r}, which sees one token",
        ),
        (
            c.loss.kl_in_reward and c.loss.kl_coef == 0,
            "loss.kl_in_reward is true, but loss.kl_coef is 0",
        ),
        (
            c.task.kind == "jsonl" and not (c.task.train_file and c.task.eval_file),
            "task.kind 'jsonl' needs both task.train_file and task.eval_file",
        ),
        (
            c.model.source == "random" and c.task.kind != "brackets",
            f"model.source 'random' has no tokenizer, which task.kind {c.task.kind!r} needs: name "
            "a pretrained model, or take task.kind 'brackets'",
        ),
        (
            c.model.source != "random" and c.task.kind == "brackets",
            "task.kind 'brackets' has a vocabulary of its own: it needs model.source 'random'",
        ),
        (
            c.warmup.steps == 0 and c.model.source == "random",
            "model.source 'random' knows nothing to explore from: set warmup.steps above 0",
        ),
        (
            c.warmup.steps > 0 and c.lora.rank > 0,
            "warmup trains all weights and makes a new reference, so it does not go with lora.rank "
            f"{c.lora.rank}: warm up in a run of its own and name its base folder as model.source",
        ),
        (
            c.warmup.steps > 0 and c.warmup.batch_size % (c.optimizer.micro_batch or 1) != 0,
            f"optimizer.micro_batch {c.optimizer.micro_batch} does not divide warmup.batch_size "
            f"{c.warmup.batch_size}",
        ),
        (
            c.task.kind == "brackets"
            and (c.rollout.max_prompt_length < 6 or c.rollout.max_completion_length < 8),
            "task.kind 'brackets' has prompts of 6 and completions of 8 tokens: raise "
            f"rollout.max_prompt_length {c.rollout.max_prompt_length} or max_completion_length "
            f"{c.rollout.max_completion_length}",
        ),
        (
            bool(c.rollout.stop) and c.model.source == "random",
            f"rollout.stop {list(c.rollout.stop)} needs a tokenizer, which model.source 'random' "
            "does not have",
        ),
        (
            "all-linear" in c.lora.targets and len(c.lora.targets) > 1,
            f"lora.targets {list(c.lora.targets)}: 'all-linear' stands alone",
        ),
        (
            _above(c.guide_options.level_lower, c.guide_options.level_upper)
            or _above(c.guide_options.sigma_lower, c.guide_options.sigma_upper),
            "guide_options: a lower bound lies above its upper bound",
        ),
        (
            c.guide == "random" and _above(c.guide_options.level_upper, 1.0),
            f"guide_options.level_upper {c.guide_options.level_upper} is a probability under guide "
            "'random': take 1 or less",
        ),
        (
            [c.mesh.data, c.mesh.fsdp, c.mesh.tensor].count(-1) > 1,
            "mesh: only one of data, fsdp and tensor may be -1",
        ),
        (
            0 in (c.mesh.data, c.mesh.fsdp, c.mesh.tensor),
            "mesh: an axis of 0 devices holds nothing; take 1 or more, or -1 for what is left",
        ),
        (
            bool(set(c.lora.targets) - _LORA_TARGETS) or not c.lora.targets,
            f"lora.targets {list(c.lora.targets)} must name some of {sorted(_LORA_TARGETS)}",
        ),
        (
            c.model.architecture.num_heads % c.model.architecture.num_kv_heads != 0,
            f"model.architecture.num_kv_heads {c.model.architecture.num_kv_heads} does not divide "
            f"num_heads {c.model.architecture.num_heads}",
        ),
        (
            c.model.architecture.hidden_size % (2 * c.model.architecture.num_heads) != 0,
            f"model.architecture.hidden_size {c.model.architecture.hidden_size} does not give "
            f"{c.model.architecture.num_heads} heads an even number of dimensions each",
        ),
        (
            c.optimizer.schedule != "constant" and c.optimizer.rise_steps >= total_updates(c),
            f"optimizer.rise_steps {c.optimizer.rise_steps} leaves nothing of the run's "
            f"{total_updates(c)} updates for the schedule",
        ),
    ]
    return [message for wrong, message in checks if wrong]


def _above(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and low > high


_LORA_TARGETS = {
    "all-linear", "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
}  # fmt: skip


def total_updates(config: Config) -> int:
    """Number of optimiser updates in the whole run."""
    o = config.optimizer
    return config.train.steps * o.updates_per_rollout * o.epochs


def parse(data: Any, *, origin: str = "config") -> Config:
    """Check a nested dict and make a `Config` of it.

    Raises:
        ConfigError: one line with all faults, naming the field and the value of each.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{origin}: a config is a mapping of sections, not {type(data).__name__}")
    try:
        # Through JSON, because pydantic's strict mode takes JSON lists for tuples and ints for
        # floats, but still refuses "3" for 3.
        return Config.model_validate_json(_as_json(data))
    except pydantic.ValidationError as error:
        raise ConfigError(f"{origin}: {explain(error)}") from None
    except (TypeError, ValueError, RecursionError) as error:
        said = f"{_culprit(data)}a value that is neither text nor number: {line(error)}"
        raise ConfigError(f"{origin}: {said}") from None


def _as_json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


def _culprit(data: Any) -> str:
    """The field that JSON does not take, as the beginning of a sentence."""
    for field, value in _leaves(data, "", ()):
        try:
            _as_json({field: value})
        except (TypeError, ValueError):
            return f"{printable(field)[:200]}: "
    return ""


def _leaves(tree: Any, field: str, above: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    """(name, value) of all that is no mapping or list; what holds itself is passed over."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in pairs:
        name = f"{field}.{key}" if field else str(key)
        if not isinstance(value, dict | list):
            yield name, value
        elif id(value) not in above and len(above) < _DEEPEST:
            yield from _leaves(value, name, (*above, id(value)))


_DEEPEST = 20  # Of a fault that is named; no field of a config lies so deep.
_MOST_FAULTS = 8  # That are told at once.


def explain(error: pydantic.ValidationError) -> str:
    """The faults of a config in one line."""
    faults = error.errors()
    told = [_explain(fault) for fault in faults[:_MOST_FAULTS]]
    more = len(faults) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _explain(fault: Any) -> str:
    field = printable(".".join(str(part)[:100] for part in fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"{field}: there is no such field"
    if fault["type"] == "missing":
        return f"{field}: must be given"
    message = printable(fault["msg"].removeprefix("Value error, "))
    return f"{field}: {message} (got {brief(fault['input'])})" if field else message


def load(path: str | Path) -> Config:
    """Read a YAML file.

    Raises:
        ConfigError: if the file is missing, is not YAML, or is not a valid config.
        PathError: if it lies where nothing can be read.
    """
    path = as_path(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {line(error)}") from None
    try:
        return parse(yaml_text.read(text), origin=str(path))
    except yaml_text.YamlError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None


def dump(config: Config) -> str:
    """The config as YAML; `load` gives it back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def override(config: Config, changes: dict[str, Any], *, origin: str = "override") -> Config:
    """The config with nested `changes` merged in, checked again as a whole."""
    return parse(_merge(config.model_dump(mode="json"), changes), origin=origin)


def arms(config: Config) -> dict[str, Config]:
    """The configs of the arms, by name; empty if the run has none."""
    base = config.model_dump(mode="json") | {"arms": {}}
    for name, changes in config.arms.items():
        _check_arm(config, name, changes)
    return {
        name: parse(_merge(base, changes) | {"name": name}, origin=f"arms.{name}")
        for name, changes in config.arms.items()
    }


def _check_arm(config: Config, name: str, changes: dict[str, Any]) -> None:
    """Refuse an arm whose folder would be another's, or that would need a warm-up of its own."""
    if name in ("base", "warmup", "report", "eval"):
        raise ConfigError(f"arms.{name}: this name is taken by a folder beside the arms")
    shared = {"model", "task", "warmup", "seed"} & set(changes)
    if config.warmup.steps and shared:
        raise ConfigError(
            f"arms.{name}: arms start from one warmed-up model, so {sorted(shared)[0]} cannot "
            "differ between them"
        )


def _merge(base: Any, changes: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(changes, dict)):
        return changes
    return base | {key: _merge(base.get(key), value) for key, value in changes.items()}
