"""The sections of a config: every field with its type, default, bounds and meaning.

Every field has a default except `name` and `model`.
"""

import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pydantic
import tyro
from pydantic import Field

from sage_jax.config.checks import impossible
from sage_jax.config.words import by_word
from sage_jax.parts import (
    ADVANTAGES,
    ESTIMATORS,
    GATES,
    GUIDES,
    LISTENERS,
    REDUCTIONS,
    REPAIRS,
    REWARDS,
    SURROGATES,
    ListenerSpec,
    RewardSpec,
    Room,
    Spec,
    SuiteSpec,
    TaskSpec,
    within,
)

Part = Annotated[Spec, by_word(Spec)]
Reward = Annotated[RewardSpec, by_word(RewardSpec)]
Listener = Annotated[ListenerSpec, by_word(ListenerSpec)]
Suite = Annotated[SuiteSpec, by_word(SuiteSpec)]
Task = Annotated[TaskSpec, by_word(TaskSpec)]
"""A part by name: a word, or a mapping of `use` and arguments."""

if TYPE_CHECKING:
    FamilyName = str
else:
    # The modules of `sage_jax.models.families`, found without importing Flax for it.
    _HOME = Path(__file__).parents[1] / "models" / "families"
    FamilyName = Literal[tuple(sorted(module.name for module in pkgutil.iter_modules([_HOME])))]


class Section(pydantic.BaseModel):
    """Base of all sections: frozen, no unknown fields, no silent conversions."""

    model_config = pydantic.ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        use_attribute_docstrings=True,
        # YAML writes them, and the config of a run folder would not be read back.
        allow_inf_nan=False,
    )

    @pydantic.field_validator("*")
    @classmethod
    def _bounded(cls, value: Any) -> Any:
        if isinstance(value, int) and abs(value) >= 2**32:
            raise ValueError("Input should be less than 4294967296")
        return value


class Architecture(Section):
    """Shape of a model that starts from random weights."""

    family: FamilyName = "llama"
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
    rope_theta: float = Field(default=10000.0, gt=1)
    """Base of the rotary positions; a small one tells the places of short texts apart."""
    tie_embeddings: bool = True
    """One matrix for tokens read and written; two learn small puzzles faster."""


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
    """Dtype in which weights are kept. Those trained in bfloat16 have float32 masters in the
    optimiser's state, which are what checkpoints go on from and `export` writes; adapters are
    float32 always."""
    remat: Literal["none", "dots", "full"] = "dots"
    """What the backward pass computes again: nothing, all but matrix products, or everything."""
    attention: Literal["plain", "splash", "cudnn"] = "plain"
    """How scoring and update attend: by XLA's products, or by a kernel that holds no scores, for
    TPUs (`splash`; elsewhere it is interpreted, for tests) or for NVIDIA GPUs (`cudnn`, which
    takes bfloat16; elsewhere XLA's products stand in for it)."""


class Lora(Section):
    """Low-rank adapters; with rank 0 all weights are trained."""

    rank: int = Field(default=0, ge=0)
    """Rank r of each adapter; 0 means full fine-tuning."""
    alpha: float = Field(default=16.0, gt=0)
    """Adapters are scaled by alpha / rank."""
    targets: tuple[str, ...] = ("all-linear",)
    """Layers that get one: `all-linear`, or q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj,
    down_proj."""


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
    compactions: int | None = Field(default=None, ge=0)
    """Times that decoding goes on with half of the rows once the others have ended. By default 3 on
    CPU for completions of 64 tokens or more, else 0: the smaller batch's cache lies beside the
    larger one's for a moment, and memory is what accelerators lack."""
    cache_doublings: int | None = Field(default=None, ge=0)
    """Times that the cache is doubled while decoding, instead of attending over room for the
    longest completion from the start. By default 2 where `compactions` is 3, for that reason."""
    chunks: int = Field(default=1, ge=1)
    """Parts that the prompts are sampled in, one after the other: the answers of one are judged
    while the devices sample the next. Changes no result; smaller batches decode less at once.
    `plan` takes all prompts at once."""
    dynamic_sampling: int = Field(default=0, ge=0)
    """Further rollouts allowed a step to replace groups whose rewards are all equal."""

    @property
    def num_completions(self) -> int:
        """Of a step, B = N · G."""
        return self.num_prompts * self.group_size


def as_tuple(value: Any) -> Any:
    """Several parts as they are, one as the only one."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


class EntropyAdvantage(Section):
    """Advantages that are larger where the policy is uncertain: A + min(alpha H, |A| / kappa)."""

    alpha: float = Field(default=0.0, ge=0)
    """Weight of the entropy in nats; 0 leaves advantages as they are. The paper's is 0.4."""
    kappa: float = Field(default=2.0, gt=1)
    """The entropy adds no more than the advantage's size divided by this."""


class Loss(Section):
    """The policy-gradient loss and its KL anchor."""

    surrogate: Part = Spec(use="clipped")
    """Policy gradient of each token, from ratios and advantages: `clipped` with `eps_low`,
    `eps_high` and `delta`; `cispo`, `sapo`, `dppo` or `vespo`; `clip_cov` or `kl_cov`, which treat
    some tokens apart; or `module:function` of your own."""
    level: Literal["token", "sequence"] = "token"
    """Importance ratio that the surrogate gets: of each token, or of the whole sequence (GSPO)."""
    top_entropy_quantile: float = Field(default=1.0, gt=0, le=1)
    """Share of tokens, the most uncertain first, that the policy gradient uses."""
    entropy_advantage: EntropyAdvantage = EntropyAdvantage()
    entropy_coef: float = Field(default=0.0, ge=0)
    """Weight of the entropy bonus: the loss less this times the policy's entropy."""
    mask_truncated: bool = False
    """Leave completions that ran out of room out of the loss, its KL included. Their rewards still
    count in their group's advantages."""
    kl_coef: float = Field(default=0.05, ge=0)
    """Weight of the KL anchor; 0 drops it and the reference model."""
    kl_estimator: Part = Spec(use="k3")
    """Estimator of the KL term. `k1`, `k2`, `k3` and `exact` are of the reverse KL, `forward` and
    `forward_exact` of the forward KL; the exact ones sum over the vocabulary and take
    `renormalize`, which divides the shaped anchor by its sum: true by default for `exact`, false
    for `forward_exact`. Or `module:function` of your own."""
    kl_in: Literal["loss", "reward", "advantage"] = "loss"
    """Where the KL stands: a term of the loss; taken off the reward, before advantages; or off the
    advantages, centred in each group (ZCPO)."""
    kl_gates: tuple[Part, ...] = ()
    """Where the KL holds: factors of `kl_coef` by prompt, row and token, multiplied. Each is
    `unequal`, `unclipped`, `wrong`, `opening`, ... or `module:function` of your own; `sage-jax
    parts gate` lists them."""
    advantage: tuple[Part, ...] = (Spec(use="group"),)
    """From rewards to advantages: one rule, or several of which each gets what the one before gave.
    Standard deviation that divides r - mean(group): `group`'s, `batch`'s, `none` (Dr. GRPO);
    leave-one-out without scaling (`rloo`); rules of how many of a group are right, as `pkpo` and
    `maxrl`; after any of these right answers weighed by how rare they are, as `rare_by_logps`; or
    `module:function` of your own, (rewards, *, group_size, **options) -> advantages [B].
    `sage-jax parts advantage` lists them."""
    reduction: Part = Spec(use="grpo")
    """Normaliser: mean of each sequence (`grpo`), tokens of the update (`bnpo`), a constant length
    (`dr_grpo`), tokens of the whole rollout (`dapo`), or `module:function` of your own."""
    sampler_correction: Literal["none", "truncate", "mask"] = "none"
    """What to do where the sampler's probabilities differ from the scorer's."""
    sampler_cap: float = Field(default=2.0, gt=1)
    """Bound of the correction's ratio."""

    _several = pydantic.field_validator("kl_gates", "advantage", mode="before")(as_tuple)


class Optimizer(Section):
    """AdamW and how a rollout is cut into updates."""

    learning_rate: float = Field(default=5e-6, gt=0)
    """Peak learning rate."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """Shape after the rise."""
    warmup_steps: int = Field(default=0, ge=0)
    """Updates over which the learning rate rises from 0."""
    end_factor: float = Field(default=0.0, ge=0, le=1)
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
    num_minibatches: int = Field(default=1, ge=1)
    """Updates that one rollout is split into."""
    epochs: int = Field(default=1, ge=1)
    """Passes over each rollout."""
    micro_batch: int = Field(default=0, ge=0)
    """Rows in one forward and backward pass; 0 takes an update's rows at once."""
    packing: bool = True
    """Let completions of a prompt share rows in scoring and update, where their lengths leave room.
    Not with an attention by kernels, and not where an estimator needs all logits."""


class Warmup(Section):
    """Supervised fine-tuning before reinforcement learning; 0 steps leaves it out."""

    steps: int = Field(default=0, ge=0)
    """Number of supervised steps."""
    task: Suite | None = None
    """A task whose worked solutions are shown, in the place of those of `task`."""
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
    """Rollouts to train on. A run that is there may be given more."""
    schedule_steps: int = Field(default=0, ge=0)
    """Steps that the schedules of learning rate and guide are spread over; 0 takes `steps`, and of
    a run that is given more steps those it began with, after which the last values stay."""
    checkpoint_every: int = Field(default=50, ge=1)
    """Steps between checkpoints; the last step always gets one."""
    keep_checkpoints: int = Field(default=2, ge=1)
    """Newest checkpoints kept."""
    eval_every: int = Field(default=0, ge=0)
    """Steps between evaluations while training; 0 evaluates before and after only."""
    sample_every: int = Field(default=25, ge=1)
    """Steps between written samples: completions, with what the step made of each token."""
    stop_within_s: float = Field(default=600.0, gt=0)
    """Seconds that a stop by a signal may take for the step and the save; then none is made."""
    stall_s: float = Field(default=60.0, gt=0)
    """Seconds before a step, save or evaluation of ten times the usual length is reported."""
    max_bad_steps: int = Field(default=3, ge=1)
    """Steps in a row whose update was skipped for NaN or infinity, after which the run stops."""
    entropies: int = Field(default=0, ge=0)
    """Training problems that the reference completes before training, for the histogram of its
    entropies on the page, as `sage-jax entropies` draws it; 0 draws none."""


# Temperature and nucleus: of the paper's tables; of most published figures on AIME and its kind
# (DeepSeek-R1's protocol); of DAPO's.
_SAMPLING = {"paper": (0.3, 0.95), "r1": (0.6, 0.95), "dapo": (1.0, 0.7)}


class Eval(Section):
    """Evaluation on held-out problems."""

    held_out: Suite | None = None
    """A task whose held-out problems are those that training is evaluated on, in the place of the
    ones that `task` holds out; asked and judged as those of `task` are."""
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
    sampling: Literal["", "paper", "r1", "dapo"] = ""
    """Temperature and nucleus by name, in the place of the two above: 0.3 and 0.95 as in SAGE's
    tables, 0.6 and 0.95 as in DeepSeek-R1's, 1.0 and 0.7 as in DAPO's."""
    suites: tuple[Suite, ...] = ()
    """What `sage-jax eval` evaluates on: tasks, each with all the problems that it holds out."""
    seeds: int = Field(default=1, ge=1, le=1000)
    """How often `sage-jax eval` samples each suite anew, `num_samples` completions each time."""
    ks: tuple[int, ...] = ()
    """The k of pass@k in tables of suites; by default 1 and `num_samples`."""
    exact: bool = False
    """Compute the chances of all right completions instead of sampling some, where a task can list
    them, as `brackets` and `programs` can: pass@k up to k = 1024 without the luck of samples.
    `num_samples` then means nothing."""

    _several = pydantic.field_validator("suites", mode="before")(as_tuple)

    @property
    def drawn_at(self) -> tuple[float, float]:
        """Temperature and nucleus, by name or by number."""
        return _SAMPLING.get(self.sampling, (self.temperature, self.top_p))


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
    """What is asked: `brackets` or `programs`, puzzles of tokens that judge themselves;
    `arithmetic`, `many_ways` or `reasoning_gym`, procedural problems in words; `gsm8k`, `math`,
    `dapo_math_17k` and other data by name; `jsonl`, `csv`, `parquet`, `hf` and `tfds`, problems of
    files and hubs; `mixture`, several of these by weight; or `module:function` of your own. Beside
    its arguments stands what holds for every task in words, as `instruction`; `sage-jax parts task`
    lists both."""
    guide: Part = Spec(use="branch")
    """The guide q that reshapes the anchor: `none`, `branch`, `token`, `random`, `gated`,
    `tempered`, `rival`, `support` or `module:function` of your own; `sage-jax parts guide` lists
    their arguments."""
    reward: tuple[Reward, ...] = ()
    """Rewards of a task in words, whose sum by `weight` is trained on; none named is the task's
    own, or else `math`. The first says what is correct, for pass@k: where it is above 0, or at
    least `correct_from`. Each is `boxed`, `math`, `matches`, `number`, `overlong` or
    `module:function` of your own; beside it may stand `weight`, `name`, and `isolate`, `deadline_s`
    and `memory_gb` of worker processes."""
    listeners: tuple[Listener, ...] = ()
    """Trackers and whatever else is to be told what happens: `module:function` of your own,
    (event) -> anything, or a function that is called once and gives one. They stop no run."""
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

    _one = pydantic.field_validator("reward", "listeners", mode="before")(as_tuple)

    @pydantic.model_validator(mode="after")
    def _check(self) -> "Config":
        if problem := next(impossible(self), None):
            raise ValueError(problem)
        return self

    @property
    def parts(self) -> list[tuple[str, Spec, Room]]:
        """Every part that is named: its field, what stands there, and where it is looked for."""
        return [
            *within("task", self.task),
            ("guide", self.guide, GUIDES),
            ("loss.surrogate", self.loss.surrogate, SURROGATES),
            ("loss.kl_estimator", self.loss.kl_estimator, ESTIMATORS),
            ("loss.reduction", self.loss.reduction, REDUCTIONS),
            *_listed("loss.kl_gates", self.loss.kl_gates, GATES),
            *_listed("loss.advantage", self.loss.advantage, ADVANTAGES),
            *_listed("reward", self.reward, REWARDS),
            *_listed("task.repairs", self.task.repairs, REPAIRS),
            *(within("warmup.task", self.warmup.task) if self.warmup.task else ()),
            *(within("eval.held_out", self.eval.held_out) if self.eval.held_out else ()),
            *(
                part
                for place, suite in enumerate(self.eval.suites)
                for part in within(f"eval.suites.{place}", suite)
            ),
            *_listed("listeners", self.listeners, LISTENERS),
        ]

    @property
    def modules(self) -> list[str]:
        """The user's own modules that decide what is computed, which listeners do not."""
        own = [spec for _, spec, room in self.parts if spec.is_foreign and room is not LISTENERS]
        return sorted({spec.module for spec in own})

    @property
    def files(self) -> dict[str, str]:
        """Files that decide what is computed, by the field that names them."""
        return {
            f"{field}.{name}": path
            for field, spec, room in self.parts
            if room is not LISTENERS
            for name, path in spec.files.items()
        }

    @property
    def scheduled_steps(self) -> int:
        """Steps that schedules are spread over."""
        return self.train.schedule_steps or self.train.steps

    @property
    def total_updates(self) -> int:
        """Optimiser updates that the schedule of the learning rate is spread over."""
        return self.scheduled_steps * self.optimizer.num_minibatches * self.optimizer.epochs


def _listed(field: str, specs: Sequence[Spec], room: Room) -> list[tuple[str, Spec, Room]]:
    """Several parts of one field, each by its place."""
    return [(f"{field}.{place}", spec, room) for place, spec in enumerate(specs)]
