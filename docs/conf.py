"""The site of these pages: `python -m sphinx -W --keep-going docs build/site`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import docstrings
import reference

project = "sage_jax"
copyright = "The sage_jax authors"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
html_theme = "furo"
html_title = "sage_jax"
html_static_path = ["_static"]
html_css_files = ["site.css"]
myst_heading_anchors = 4
copybutton_exclude = ".linenos, .gp, .go"
autodoc_typehints = "none"  # The signature has them.
autodoc_member_order = "bysource"
default_role = "literal"  # `name` is code, as in Markdown.
napoleon_use_ivar = True
napoleon_use_rtype = False
toc_object_entries = False


def setup(app):
    """Write the pages that are made of the code, and read docstrings as they are meant."""
    app.connect("builder-inited", lambda app: reference.write(Path(app.srcdir) / "reference"))
    # Before napoleon, which reads their sections.
    app.connect("autodoc-process-docstring", docstrings.read, priority=400)
