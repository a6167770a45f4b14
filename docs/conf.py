"""Settings of the documentation."""

from __future__ import annotations

from alliancekit import __version__

project = "alliancekit"
author = "The alliancekit developers"
version = release = __version__
copyright = author

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["_build", "auto_examples"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

html_theme = "pydata_sphinx_theme"
html_title = f"alliancekit {__version__}"
html_show_sourcelink = False
html_show_copyright = False
html_last_updated_fmt = None
html_sidebars = {"**": []}
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": [],
    "footer_end": [],
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
}
