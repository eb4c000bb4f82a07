"""Trackers: a run told to TensorBoard, Weights & Biases, Trackio or MLflow.

Each is one file with what its library asks for (`Tracker`); what is told and when is
`Tracking`, a listener, and it is told on a thread of its own, the `Outbox`. No library is imported
before a config names it.
"""
