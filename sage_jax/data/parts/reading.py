"""The words that say how rows become problems, which are those of several tasks."""

from typing import Any

from sage_jax.data.rows import Choice, Layout


def read_by(
    columns: dict[str, str] | None,
    answer_from: str,
    source: str,
    where: dict[str, Any] | None,
    limit: int,
    shuffle_seed: int | None,
    max_bad_share: float,
) -> tuple[Layout, Choice]:
    """How rows are read and which are taken, as a config says it.

    Raises:
        DataError: of what makes no sense whatever the rows.
    """
    layout = Layout(columns or {}, answer_from, source)
    return layout, Choice(where or {}, limit, shuffle_seed, max_bad_share)
