"""The pure part of training: policy, log-probabilities, update; no config and no files."""
