"""What all arms of a comparison share: the puzzle, the model, budgets and optimisers."""

import dataclasses
from typing import Literal

import jax

from sage_jax import models, parallel
from sage_jax.data import brackets, programs
from sage_jax.data.puzzle import Puzzle
from sage_jax.learn import Policy
from sage_jax.models import ModelConfig
from sage_jax.rollout import Decoding


@dataclasses.dataclass(frozen=True)
class Setting:
    """A laboratory: everything that is fixed before any arm is named.

    Attributes:
        task: the puzzle; brackets have neither programs nor noise.
        programs: K strategies.
        noise: probability that a demonstration's value is wrong.
        hidden_size: D of the model; its MLP is twice as wide.
        rope_theta: base of the rotary positions; small, since a row has twelve tokens.
        after: the setting whose warm-starts this one's warm-up goes on from; None: random weights.
        warmup_steps: of supervised fine-tuning, as often as `least_followed` asks for.
        warmup_batch: demonstrations a step.
        warmup_rate: highest learning rate there.
        least_followed: `Judgement.followed` below which a model has not learned to compute; .86 of
            (1 - noise)^5, the highest there is.
        steps: updates of reinforcement learning, whose rate falls to 0 in a line.
        num_prompts: N of a step.
        group_size: G.
        problems: held out, on which models are judged exactly.
    """

    task: Literal["programs", "brackets"] = "programs"
    programs: int = 8
    noise: float = 0.16
    hidden_size: int = 48
    rope_theta: float = 20.0
    after: "Setting | None" = None
    warmup_steps: int = 3500
    warmup_batch: int = 256
    warmup_rate: float = 3e-3
    least_followed: float = 0.36
    steps: int = 150
    num_prompts: int = 32
    group_size: int = 8
    problems: int = 512

    @property
    def puzzle(self) -> Puzzle:
        """What is solved."""
        if self.task == "brackets":
            return brackets.PUZZLE
        return programs.puzzle(programs.Odds(programs.cut(self.programs), self.noise))

    @property
    def decoding(self) -> Decoding:
        """Plain sampling at temperature 1."""
        end = self.puzzle.end
        return Decoding(
            group_size=self.group_size,
            max_completion_length=self.puzzle.completion_length,
            stop_ids=(end,),
        )

    def policy(self) -> Policy:
        """A model of random weights; those of a warm-start take their place."""
        size, puzzle = self.hidden_size, self.puzzle
        shape = ModelConfig(
            vocab_size=puzzle.vocab_size,
            hidden_size=size,
            intermediate_size=2 * size,
            num_layers=2,
            num_heads=4,
            num_kv_heads=4,
            head_dim=size // 4,
            rope_theta=self.rope_theta,
            eos_ids=(puzzle.end,),
            pad_id=puzzle.end,
        )
        mesh = parallel.make_mesh(data=1, fsdp=1, tensor=1)
        graphdef, params = models.init(shape, jax.random.key(0))
        return Policy(models.Loaded(graphdef, params, shape, None), mesh)
