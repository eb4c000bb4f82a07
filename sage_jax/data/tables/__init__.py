"""Tables from files, the hub and TFDS: rows as mappings, before anything is known of problems.

Parquet, the hub's and TFDS's readers are imported by those who use them: they take a while.
"""

from sage_jax.data.tables.shards import files_of, open_files
from sage_jax.data.tables.text import read_csv, read_json_lines

__all__ = ["files_of", "open_files", "read_csv", "read_json_lines"]
