"""The least work that each phase of a step takes, in FLOPs of matrix products and bytes moved.

    python benchmarks/work.py            # of a step of SmolLM2-135M, as a table

Counted is what the model's arithmetic asks for, not what a program happens to do: every prompt is
read once for its group, attention sees valid tokens only, nothing is computed twice. Bytes are
weights once a pass, and the cache: read up to the present token, and written.
"""

import dataclasses

import results
from shapes import SHAPES

from sage_jax.models import ModelConfig


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much is asked for.

    Attributes:
        prompts: N.
        group: G.
        prompt_length: P tokens, all valid.
        length: T new tokens of every row.
        item: bytes of a number.
        adapters: whether only low-rank adapters are trained.
    """

    prompts: int
    group: int
    prompt_length: int
    length: int
    item: int = 4
    adapters: bool = False

    @property
    def rows(self) -> int:
        """B = N·G."""
        return self.prompts * self.group


@dataclasses.dataclass(frozen=True)
class Work:
    """FLOPs and bytes, of `times` equal parts that must follow each other."""

    flops: float
    moved: float

    def seconds(self, flop_rate: float, byte_rate: float) -> float:
        """The shortest time at these rates: arithmetic and memory traffic overlap at best."""
        return max(self.flops / flop_rate, self.moved / byte_rate)

    def limit(self, flop_rate: float, byte_rate: float) -> str:
        """Which of the two it is."""
        return "matmul" if self.flops / flop_rate > self.moved / byte_rate else "memory"


def weights(shape: ModelConfig) -> int:
    """Numbers in the matrices of all layers."""
    heads = (2 * shape.num_heads + 2 * shape.num_kv_heads) * shape.head_dim
    return shape.num_layers * shape.hidden_size * (heads + 3 * shape.intermediate_size)


def unembedding(shape: ModelConfig) -> int:
    """Numbers in the output matrix."""
    return shape.hidden_size * shape.vocab_size


def attention(shape: ModelConfig, pairs: float) -> float:
    """FLOPs of QK' and of the weighted sum, for that many pairs of a query and a key."""
    return 4.0 * shape.num_layers * shape.num_heads * shape.head_dim * pairs


def cache(shape: ModelConfig, tokens: float) -> float:
    """Numbers in the keys and values of that many tokens."""
    return 2.0 * shape.num_layers * shape.num_kv_heads * shape.head_dim * tokens


def prefill(shape: ModelConfig, sizes: Sizes) -> Work:
    """All prompts read once; logits of their last tokens."""
    tokens = sizes.prompts * sizes.prompt_length
    flops = 2.0 * (weights(shape) * tokens + unembedding(shape) * sizes.prompts)
    flops += attention(shape, tokens * (sizes.prompt_length + 1) / 2)
    numbers = weights(shape) + unembedding(shape) + cache(shape, tokens)
    return Work(flops, sizes.item * numbers)


def decode(shape: ModelConfig, sizes: Sizes) -> Work:
    """T - 1 passes of one token a row; the first token comes from the prefill."""
    steps = sizes.length - 1
    mean = sizes.prompt_length + (steps + 1) / 2
    tokens = sizes.rows * steps
    flops = 2.0 * (weights(shape) + unembedding(shape)) * tokens + attention(shape, tokens * mean)
    numbers = steps * (weights(shape) + unembedding(shape)) + cache(shape, tokens * (mean + 1))
    return Work(flops, sizes.item * numbers)


def score(shape: ModelConfig, sizes: Sizes) -> Work:
    """Hidden states of prompts and completions, and logits of every completion token."""
    prompts, own = sizes.prompts * sizes.prompt_length, sizes.rows * sizes.length
    flops = 2.0 * (weights(shape) * (prompts + own) + unembedding(shape) * own)
    flops += attention(shape, prompts * (sizes.prompt_length + 1) / 2)
    flops += attention(shape, own * (sizes.prompt_length + (sizes.length + 1) / 2))
    return Work(flops, sizes.item * (weights(shape) + unembedding(shape)))


def update(shape: ModelConfig, sizes: Sizes) -> Work:
    """The score's work, and twice as much for gradients; frozen matrices need none of their own."""
    forward = score(shape, sizes)
    own = sizes.rows * sizes.length
    products = 2.0 * weights(shape) * (sizes.prompts * sizes.prompt_length + own)
    products += 2.0 * unembedding(shape) * own
    saved = products if sizes.adapters else 0.0
    numbers = weights(shape) + unembedding(shape)
    # Forward, backward, and gradient, moments and weights read and written.
    passes = 2 if sizes.adapters else 9
    return Work(3 * forward.flops - saved, passes * sizes.item * numbers)


PHASES = {"prefill": prefill, "decode": decode, "score": score, "update": update}


def main() -> None:
    """Print the table."""
    sizes = Sizes(prompts=8, group=8, prompt_length=112, length=128)
    rows = [[name, f"{work.flops / 1e9:.1f}", f"{work.moved / 1e9:.2f}"]
            for name, of in PHASES.items() for work in [of(SHAPES["smollm2"], sizes)]]  # fmt: skip
    print(results.table(("phase", "GFLOP", "GB"), rows))


if __name__ == "__main__":
    main()
