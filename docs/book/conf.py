"""The book: README, documents, notebooks and the docstrings of the package, by Sphinx, for `make docs`.

The source folder is the whole checkout, so that links between files work as they do there. Notebooks are run only if
the variable BOOK_RUN of the environment says so: "all", or numbers such as "01 02"; what has been run is kept in
build/book-cache until the notebook changes. Nothing is loaded from the network, neither by the build nor by the pages.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]  # the extension below; the package `analysis`, which is not installed
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))  # of the kernels

project = "PixelSmile workbench"
author = "The maintainers of the PixelSmile workbench"
extensions = ["myst_nb", "sphinx.ext.autodoc", "rooms"]
root_doc = "docs/book/index"
include_patterns = ["*.md", "docs/**", "notebooks/*", "pxs/mini/weights/README.md"]
exclude_patterns = ["**/.ipynb_checkpoints"]

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
_run = os.environ.get("BOOK_RUN", "").split()
nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "build" / "book-cache")
nb_execution_excludepatterns = [
    f"notebooks/{name}" for name in NOTEBOOKS if _run != ["all"] and name[:2] not in {n.zfill(2) for n in _run}
]
nb_execution_in_temp = True
nb_execution_timeout = -1
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_ipywidgets_js = {}  # of a network; pictures of the widgets stand in the pages

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"

highlight_language = "none"  # of indented blocks in docstrings; others name theirs
suppress_warnings = ["ref.python"]  # of two classes with one name, such as Settings

html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files = ["book.css"]
html_extra_path = ["static/index.html"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
templates_path = []

linkcheck_ignore = [r"http://127\.0\.0\.1"]
