"""Comparisons of methods under one protocol: one command each, whose figures are docs/study.md."""
