"""Decoder-only transformers as pure functions of their parameters, one record a family."""

from flax.nnx import LoRAParam

from sage_jax.models import lora
from sage_jax.models.attention import attend
from sage_jax.models.axes import logical_axes
from sage_jax.models.cache import KVCache
from sage_jax.models.config import Llama3Scaling, ModelConfig
from sage_jax.models.cudnn import CuDNN
from sage_jax.models.errors import ModelError
from sage_jax.models.family import Family, family_names
from sage_jax.models.load import Described, Loaded, describe, is_hub_id, load, locate, read_config
from sage_jax.models.logprobs import token_logps
from sage_jax.models.peft import Adapter, read_adapter, write_adapter
from sage_jax.models.save import save_hf, write_hf
from sage_jax.models.splash import Splash
from sage_jax.models.split import abstract, build_graphdef, init, merge
from sage_jax.models.transformer import ModelOptions, Transformer, begins, count_positions
from sage_jax.models.whole import refuse_filled, written_whole

__all__ = [
    "Adapter",
    "CuDNN",
    "Described",
    "Family",
    "KVCache",
    "Llama3Scaling",
    "LoRAParam",
    "Loaded",
    "ModelConfig",
    "ModelError",
    "ModelOptions",
    "Splash",
    "Transformer",
    "abstract",
    "attend",
    "begins",
    "build_graphdef",
    "count_positions",
    "describe",
    "family_names",
    "init",
    "is_hub_id",
    "load",
    "locate",
    "logical_axes",
    "lora",
    "merge",
    "read_adapter",
    "read_config",
    "refuse_filled",
    "save_hf",
    "token_logps",
    "write_adapter",
    "write_hf",
    "written_whole",
]
