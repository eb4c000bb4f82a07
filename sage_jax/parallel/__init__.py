"""The mesh, and the one table from logical axes to mesh axes."""

from sage_jax.parallel.axes import batch_sharding, replicated, shardings
from sage_jax.parallel.mesh import MeshError, make_mesh, row_shards

__all__ = ["MeshError", "batch_sharding", "make_mesh", "replicated", "row_shards", "shardings"]
