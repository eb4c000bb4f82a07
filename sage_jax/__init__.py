"""Reinforcement learning of language models with verifiable rewards and shaped KL anchors."""

__version__ = "0.1.0"
