"""The site of gflow, built offline: `sphinx-build -j auto -W -n docs docs/_build/html`.

Tutorials and how-to pages are notebooks, executed when the site is built, so every output that a
page shows was printed by this version.
"""

import os
import sys
from functools import partialmethod
from pathlib import Path

from nbclient import NotebookClient

import gflow

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
# Cells that call `gflow` mean the one of the environment that builds.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ["COLUMNS"] = "84"  # as wide as a page
# Pages have problems of the same few sizes, so most of them find their flows compiled.
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(HERE / "_build" / ".compiled")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

# A shell prints in pieces that break off anywhere; they belong together.
NotebookClient.__init__ = partialmethod(NotebookClient.__init__, coalesce_streams=True)

project = "gflow"
author = "The gflow authors"
release = version = gflow.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_design",
    "docstrings",
    "pages",
]
exclude_patterns = ["_build", "_ext"]

html_theme = "furo"
html_title = f"gflow {release}"
smartquotes = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3
highlight_language = "text"
copybutton_exclude = ".linenos, .gp, .go"

nb_execution_mode = "force"  # of each page that is read, so an unchanged one is not run again
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_show_tb = True
nb_output_stderr = "remove"  # progress

autodoc_default_options = {"members": True, "ignore-module-all": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autoclass_content = "class"

# A short name of a type may be that of several classes.
suppress_warnings = ["ref.python"]

# Types of other projects have no page here, and the site is built without a network.
nitpick_ignore_regex = [(r"py:.*", r".*")]
