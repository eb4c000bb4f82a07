"""From rows of a table, which are mappings, to problems: by the names of their columns.

Nothing here opens a file: `data.tables` gives rows.
"""

from sage_jax.data.rows.choice import Choice
from sage_jax.data.rows.layout import Layout
from sage_jax.data.rows.reading import Found, limited, parted, problem_set, read_table
from sage_jax.data.rows.row import Row, RowError, Table

__all__ = [
    "Choice",
    "Found",
    "Layout",
    "Row",
    "RowError",
    "Table",
    "limited",
    "parted",
    "problem_set",
    "read_table",
]
