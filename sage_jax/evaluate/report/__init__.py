"""How results are shown: the page and its parts, plots, and tables for terminals and papers."""
