"""Sections of a config as a command line gives them: of the right types, and checked later."""

import typing

from tyro.constructors import (
    MISSING_NONPROP,
    ConstructorRegistry,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from sage_jax.config.sections import Section


def unchecked() -> ConstructorRegistry:
    """Under which tyro makes sections without checking them, for `parse` to tell what is wrong.

    Checked by tyro, a bound is told in pydantic's words and a frame, and not in one line.
    """
    registry = ConstructorRegistry()
    registry.struct_rule(_section)
    return registry


def _section(info: StructTypeInfo) -> StructConstructorSpec | None:
    kind = info.type
    if not (isinstance(kind, type) and issubclass(kind, Section)):
        return None
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = (
        StructFieldSpec(
            name, hints[name], getattr(info.default, name, MISSING_NONPROP), one.description
        )
        for name, one in kind.model_fields.items()
    )
    return StructConstructorSpec(kind.model_construct, tuple(fields))
