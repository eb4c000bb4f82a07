"""What a loss takes beside its parts, as text for a terminal."""

from collections.abc import Iterator

from pydantic.fields import FieldInfo

from sage_jax.config.sections import Loss, Section
from sage_jax.parts import Spec
from sage_jax.parts.listing import plain


def switches() -> str:
    """The fields of `loss` that name no part, each with its default and its meaning."""
    fields = ((name, one) for name, one in Loss.model_fields.items() if not _names_parts(one))
    lines = [line for name, one in fields for line in _told(name, one)]
    return "\n".join(["switches: fields of `loss` of a config", *lines]) + "\n"


def _names_parts(field: FieldInfo) -> bool:
    values = field.default if isinstance(field.default, tuple) else (field.default,)
    # A tuple of parts may be empty, and only parts come in tuples.
    return field.default == () or any(isinstance(one, Spec) for one in values)


def _told(name: str, field: FieldInfo) -> Iterator[str]:
    if isinstance(field.default, Section):
        section = type(field.default)
        inner = ", ".join(f"{n}: {plain(one.default)}" for n, one in section.model_fields.items())
        yield f"  {name}: {{{inner}}}"
        meant = section.__doc__ or ""
    else:
        yield f"  {name}: {plain(field.default)}"
        meant = field.description or ""
    yield from (f"      {line}" for line in meant.splitlines())
