"""lighteval's pass@k and pass^k of stored verdicts: a JSON object on stdin, one on stdout.

Each verdict becomes an answer that equals the gold or does not, so the whole path is lighteval's.
"""

import importlib.metadata
import json
import logging
import sys

from lighteval.metrics.metrics_sample import GPassAtK, PassAtK
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.requests import Doc


def main():
    """Answer one request."""
    request = json.load(sys.stdin)
    figures = {"version": importlib.metadata.version("lighteval"), "pass": [], "all": []}
    for k in request["ks"]:
        figures["pass"].append([passed(one, k) for one in request["verdicts"]])
        figures["all"].append([all_passed(one, k) for one in request["verdicts"]])
    json.dump(figures, sys.stdout)


def passed(verdicts, k):
    """pass@k of one problem."""
    return float(PassAtK(k=k, n=len(verdicts)).compute(**stored(verdicts)))


def all_passed(verdicts, k):
    """G-Pass@k at the threshold 1, all of k right, which is pass^k."""
    found = GPassAtK(k=k, n=len(verdicts), thresholds=[1.0]).compute(**stored(verdicts))
    return float(found[f"g-pass@{k}_1.0"])


def stored(verdicts):
    """A problem and the answers to it."""
    answers = ["right" if verdict else "wrong" for verdict in verdicts]
    doc = Doc(query="", choices=["right"], gold_index=0)
    return {"doc": doc, "model_response": ModelResponse(text=answers)}


if __name__ == "__main__":
    logging.disable()
    main()
