"""How the documents are built: MyST Markdown whose blocks run, and API pages from the docstrings."""

import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

project = "Crossmargin"
author = "The Crossmargin authors"
release = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]["version"]

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_design"]
exclude_patterns = ["_build"]
nitpicky = False
suppress_warnings = ["mystnb.unknown_mime_type"]

# Blocks find the command of this Python and the helpers in `pages.py`, and print to one width everywhere.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
os.environ |= {"PYTHONPATH": str(Path(__file__).parent), "PYTHONUTF8": "1", "COLUMNS": "108"}

# Every block runs in every build. One that fails is a warning with its traceback, and `make docs` fails on warnings.
nb_execution_mode = "force"
nb_execution_show_tb = True
nb_execution_timeout = 120
nb_render_markdown_format = "gfm"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
default_role = "code"

html_theme = "pydata_sphinx_theme"
html_title = "Crossmargin"
html_show_sourcelink = False
html_static_path = [name for name in ("_static",) if (Path(__file__).parent / name).is_dir()]
html_css_files = ["pages.css"] if html_static_path else []
html_sidebars = {"**": ["globaltoc"]}
html_theme_options = {
    "navbar_center": [],
    "navigation_with_keys": False,
    "show_prev_next": True,
    "show_toc_level": 2,
}


def escape(_app: Any, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Docstrings are plain text with `code` in them: |k| is no substitution, and x_ no link."""
    lines[:] = [re.sub(r"([\\*|_])", r"\\\1", line) for line in lines]


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", escape)
