"""Rates and weights of training problems, by the file and the curriculum that a config names."""

import logging
from collections.abc import Collection

import numpy as np

from sage_jax.data.problem_set import Split
from sage_jax.data.rates import (
    BASE_PASS_RATE,
    is_rate,
    read_rates,
    refuse_missing_rates,
    with_rates,
)
from sage_jax.faults import ConfigError
from sage_jax.parts import CURRICULA, Part, TaskSpec, resolve
from sage_jax.telling import brief

_log = logging.getLogger(__name__)


def weighed(found: Split, spec: TaskSpec, *, field: str) -> Split:
    """Problems with the rates of `rates_file` and the weights of `curriculum`, where those are.

    Which problems have no rate, and how many no weight, is told in the log.

    Raises:
        DataError: if the file is bad, or a curriculum reads a rate that a problem does not have.
        ConfigError: if the curriculum does not fit, or gives no weights.
    """
    if spec.rates_file:
        known = read_rates(spec.rates_file)
        found = found._replace(train=with_rates(found.train, known))
        _tell_missing(found, spec.rates_file)
    if spec.curriculum is None:
        return found
    part = resolve(spec.curriculum, CURRICULA, field=f"{field}.curriculum")
    refuse_missing_rates(found.train, [BASE_PASS_RATE], reader=part.field)
    given = np.array([float(one.extra[BASE_PASS_RATE]) for one in found.train])
    weights = _weights(part, given)
    if part.spec.is_foreign and not np.array_equal(_weights(part, given), weights):
        raise ConfigError(
            f"{part.field}: {part.spec.use} gives other weights when it is called again, as a run "
            "that is resumed calls it: make them of `rates` alone"
        )
    left_out = np.count_nonzero(weights == 0)
    _log.warning(
        "%s: %d of %d training problems have no weight and are left out",
        *(part.field, left_out, len(weights)),
    )
    return found._replace(weights=weights.tolist())


def tell_unknown(path: str, ids: Collection[str]) -> None:
    """Say in the log whether a file of rates has some of problems that are not among `ids`."""
    known = read_rates(path)
    others = [id for id in known if id not in ids]
    if others:
        _log.warning(
            "%s: %d of %d rates are of problems that are not there, as %s",
            *(path, len(others), len(known), brief(others[0])),
        )


def _tell_missing(found: Split, path: str) -> None:
    bare = [one.id for one in found.train if not is_rate(one.extra.get(BASE_PASS_RATE))]
    if bare:
        _log.warning(
            "%s: %d of %d training problems have no rate there, as %s",
            *(path, len(bare), len(found.train), brief(bare[0])),
        )


def _weights(part: Part, given: np.ndarray) -> np.ndarray:
    """What a curriculum makes of rates [N], float64[N]."""
    made = part.call(rates=given)
    with part.explained():
        weights = np.asarray(made, np.float64)
    if weights.shape != given.shape:
        raise ConfigError(
            f"{part.field}: {part.spec.use} gives {brief(made)} for {len(given)} rates; one weight "
            "for each is needed"
        )
    odd = weights[~(np.isfinite(weights) & (weights >= 0))]
    if odd.size:
        raise ConfigError(
            f"{part.field}: {part.spec.use} gives the weight {odd[0]:g}; 0 or more is needed"
        )
    if not weights.any():
        raise ConfigError(
            f"{part.field}: {part.spec.use} leaves none of the {len(given)} training problems, "
            f"whose rates go from {given.min():g} to {given.max():g}"
        )
    return weights
