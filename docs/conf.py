"""How Sphinx builds the site. ``make docs`` calls it, with warnings as errors."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Erlen"
author = "the Erlen authors"
copyright = "the Erlen authors"
release = installed_version("erlen")
# 'tools/build_docs.py' says what it is called in addresses and in the menu.
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinxcontrib.svgbob",
    "cross_references",
    "descriptions",
    "reference_texts",
    "diagrams",
    "differences",
    "repository",
    "tested_blocks",
]
exclude_patterns = ["_build", "_ext"]
nitpicky = True
# Files of the time of the build would make each build another one.
html_last_updated_fmt = None

# Markdown
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist", "smartquotes"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
# A page of the repository that the site shows may begin below the first level.
suppress_warnings = ["myst.header"]

# The reference
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
# What looks like a signature in a docstring is one of Python's own dict.
autodoc_docstring_signature = False
# Longer ones have a line for each parameter. What counts is the text with the whole names of types.
python_maximum_signature_line_length = 150
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

# Pages
html_theme = "furo"
html_title = "Erlen"
# Both keep the contrast that WCAG asks for at level AAA.
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["site.css"]
html_js_files = [("versions.js", {"defer": "defer"})]
html_copy_source = False
html_show_sphinx = False
html_favicon = "_static/icon.svg"
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/versions.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#1d5c4a",
        "color-brand-content": "#1d6a54",
        "color-brand-visited": "#4a5a86",
        "color-api-name": "#1d5c4a",
        "color-api-pre-name": "#1d5c4a",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7fd1b4",
        "color-brand-content": "#7fd1b4",
        "color-brand-visited": "#a9b8ea",
        "color-api-name": "#7fd1b4",
        "color-api-pre-name": "#7fd1b4",
    },
}
# What is copied of a console are the commands alone.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_here_doc_delimiter = "EOF"
