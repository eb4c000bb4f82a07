"""Support expansion: which problems training put within reach, and which it lost."""

from dataclasses import dataclass

import numpy as np

from sage_jax.evaluate.bootstrap import pairing
from sage_jax.evaluate.results import EvalResult


@dataclass(frozen=True)
class Support:
    """Problems by whether the base and the trained model solved them (one correct of n is enough).

    Attributes:
        gained: ids solved by the trained model only.
        kept: ids solved by both.
        lost: ids solved by the base model only.
        never: ids solved by neither.
        base_samples: n of the base model.
        samples: n of the trained model.
        exact: whether chances were computed: then solved are problems that k = n samples would more
            likely solve than not.
    """

    gained: tuple[str, ...]
    kept: tuple[str, ...]
    lost: tuple[str, ...]
    never: tuple[str, ...]
    base_samples: int
    samples: int
    exact: bool = False

    @property
    def caveat(self) -> str:
        """What a finite number of samples can and cannot say, in a sentence or two.

        0 of n correct leaves solve rates up to 1 - 0.05^(1/n) (about 3/n) possible at 95%.
        """
        if self.exact:
            return (
                f"“Solved” means that {self.samples} samples would more likely than not hold a "
                "correct one, by the exact chances of both models."
            )
        smallest = min(self.base_samples, self.samples)
        bound = 1 - 0.05 ** (1 / smallest)
        text = (
            f"“Solved” means at least one correct of {self.base_samples} samples by the base model "
            f"and of {self.samples} by the trained one. None correct of {smallest} still leaves "
            f"solve rates up to {bound:.1%} possible (95% bound), so problems near that rate move "
            "between the groups by luck."
        )
        if self.base_samples != self.samples:
            text += " The budgets differ: the model with more samples has the better chance."
        return text


def _solved(result: EvalResult) -> np.ndarray:
    if result.exact:
        return result.pass_table([result.largest_k])[:, 0] >= 0.5
    return np.array([problem.correct > 0 for problem in result.problems])


def support_expansion(base: EvalResult, trained: EvalResult) -> Support:
    """Problems gained, kept, lost and never solved by a trained model against its base.

    Raises:
        ValueError: the two results cover different problems; the ids are named. Or one was sampled
            and the other is exact.
    """
    if base.exact != trained.exact:
        raise ValueError("one of the two results was sampled and the other is exact")
    order = pairing(base.ids, trained.ids)
    before, after = _solved(base), _solved(trained)[order]
    ids = np.array(base.ids, dtype=object)
    masks = (~before & after, before & after, before & ~after, ~before & ~after)
    gained, kept, lost, never = (tuple(ids[mask]) for mask in masks)
    return Support(gained, kept, lost, never, base.largest_k, trained.largest_k, base.exact)


def expected_support(base: EvalResult, trained: EvalResult, k: int) -> dict[str, float]:
    """How many problems would be gained, kept, lost, never solved with k fresh samples from each.

        gained = sum_i pass@k_trained(i) · (1 - pass@k_base(i)),

    and so on: the two models draw independently, so products of the unbiased estimates are
    unbiased. At k = n these are the observed counts; how fast they move with k shows how much of
    them is the sample budget.

    Args:
        base: result of the base model.
        trained: result of the trained model on the same problems.
        k: samples per model, at most the smaller n.

    Raises:
        ValueError: different problems, or k outside 1..n.
    """
    order = pairing(base.ids, trained.ids)
    before = base.pass_table([k])[:, 0]
    after = trained.pass_table([k])[order, 0]
    return {
        "gained": float(((1 - before) * after).sum()),
        "kept": float((before * after).sum()),
        "lost": float((before * (1 - after)).sum()),
        "never": float(((1 - before) * (1 - after)).sum()),
    }
