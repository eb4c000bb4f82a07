"""Nothing that is read is run, and no secret of the environment is written."""

import ast
import json
from pathlib import Path

import pytest
import yaml

from sage_jax import yaml_text
from sage_jax.data import DataError, Problem
from sage_jax.data.prompts import render_text
from sage_jax.models import ModelError, load
from sage_jax.models.load import folder_tokenizer

ROOT = Path(__file__).parents[1] / "sage_jax"
GOLDEN = Path(__file__).parent / "golden" / "tiny_llama"
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "torch"}
CALLS = {"eval", "exec", "compile", "__import__", "execfile"}


def dangers(tree):
    """What in a file could run what it reads, each as a word."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            found += _of_call(node)
    return found


def _of_call(node):
    name = ast.unparse(node.func)
    true = {k.arg for k in node.keywords if ast.unparse(k.value) != "False"}
    found = [name] if name in CALLS or name in ("os.system", "os.popen") else []
    found += sorted(true & {"allow_pickle", "trust_remote_code", "shell"})
    if name.startswith("yaml.") and "load" in name and name != "yaml.safe_load":
        loaders = [ast.unparse(argument) for argument in node.args[1:]]
        found += [] if loaders == ["_Loader"] else [name]
    return found


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_can_run_what_it_reads(path):
    assert dangers(ast.parse(path.read_text())) == []


@pytest.mark.parametrize(
    "code",
    ["import pickle", "from torch import load", "eval('1')", "exec(x)",
     "np.load(p, allow_pickle=True)", "AutoModel.from_pretrained(p, trust_remote_code=True)",
     "f(trust_remote_code=flag)",
     "yaml.load(text, yaml.Loader)", "yaml.unsafe_load(text)", "subprocess.run(x, shell=True)",
     "os.system(x)"],
)  # fmt: skip
def test_the_look_at_the_code_finds_what_it_looks_for(code):
    assert dangers(ast.parse(code))


def test_yaml_is_read_by_a_safe_loader():
    assert issubclass(yaml_text._Loader, yaml.SafeLoader)
    for tag in ("python/object/apply:os.getcwd []", "python/name:os.getcwd ''"):
        with pytest.raises(yaml_text.YamlError, match="could not determine a constructor"):
            yaml_text.read(f"!!{tag}")


CODE = "import pathlib\npathlib.Path({marker!r}).touch()\n"


@pytest.fixture
def with_code(tmp_path):
    """A model folder with Python files that leave a marker when they are imported."""
    folder, marker = tmp_path / "model", tmp_path / "marker"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes((GOLDEN / name).read_bytes())
    for name in ("modeling_odd.py", "tokenization_odd.py", "configuration_odd.py", "__init__.py"):
        (folder / name).write_text(CODE.format(marker=str(marker)))
    yield folder
    assert not marker.exists()


def edit(path, **changes):
    fields = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(fields | changes))


def test_a_model_with_code_is_refused_and_the_code_not_run(with_code):
    parts = {"AutoConfig": "configuration_odd.C", "AutoModelForCausalLM": "modeling_odd.M"}
    edit(with_code / "config.json", auto_map=parts, trust_remote_code=True)
    with pytest.raises(ModelError, match="auto_map is set: the model needs code of its own"):
        load(with_code)


def test_a_tokenizer_with_code_is_not_run(with_code):
    parts = {"AutoTokenizer": ["tokenization_odd.T", None]}
    edit(with_code / "tokenizer_config.json", auto_map=parts, tokenizer_class="T")
    with pytest.raises(ModelError, match=r"the tokenizer in .* cannot be read"):
        folder_tokenizer(with_code)


TEMPLATES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.system('true') }}",
    "{% set x = messages.append(1) %}",
    "{{ raise_exception('no') }}",
    "{{ 1 // 0 }}",
    "{% for",
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_chat_template_reaches_nothing_and_is_refused_by_name(template):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE({"a": 0}, [])))
    tokenizer.chat_template = template
    with pytest.raises(DataError, match="chat template refuses user messages"):
        render_text(tokenizer, Problem(id="a", problem="1+1?", answer="2"))
