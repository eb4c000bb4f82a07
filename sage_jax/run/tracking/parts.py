"""Listeners by name: the trackers that a config can name."""

from typing import Literal

from sage_jax.run.tracking import mlflow as mlflow_
from sage_jax.run.tracking import tensorboard as tensorboard_
from sage_jax.run.tracking import trackio as trackio_
from sage_jax.run.tracking import wandb as wandb_
from sage_jax.run.tracking.listener import Tracking

__all__ = ["mlflow", "tensorboard", "trackio", "wandb"]


def tensorboard(*, log_dir: str = "", wait_s: float = 30.0) -> Tracking:
    """TensorBoard: event files, by default in `tensorboard/` of the run folder.

    Completions are texts. A run that goes on from an older checkpoint purges the steps that it
    takes again. It holds no files, so that evaluations are there as figures alone.

    Args:
        log_dir: folder in which a folder of the run's name gets the event files; empty for
            `tensorboard/` of the run folder.
        wait_s: seconds that the end of a run waits at most for what is not written yet.
    """
    return Tracking(tensorboard_.TensorBoard(log_dir=log_dir), wait_s=wait_s)


def wandb(
    *,
    project: str = "sage-jax",
    entity: str = "",
    group: str = "",
    tags: tuple[str, ...] = (),
    mode: Literal["", "online", "offline"] = "",
    wait_s: float = 30.0,
) -> Tracking:
    """Weights & Biases, online or offline; a resumed run goes on in the same run there.

    The key is W&B's own business: `wandb login` or WANDB_API_KEY. What was sampled offline is sent
    by `wandb sync`.

    Args:
        project: of the run.
        entity: team or user; empty for the default of the key.
        group: of runs that belong together.
        tags: of the run.
        mode: empty for what WANDB_MODE says, else online.
        wait_s: seconds that the end of a run waits at most for what is not sent yet.
    """
    tracker = wandb_.WandB(project=project, entity=entity, group=group, tags=tags, mode=mode)
    return Tracking(tracker, wait_s=wait_s)


def trackio(
    *, project: str = "sage-jax", group: str = "", space_id: str = "", wait_s: float = 30.0
) -> Tracking:
    """Trackio, on this machine or in a Hugging Face Space; a resumed run goes on in the same run.

    Its key is that of the hub: `hf auth login` or HF_TOKEN.

    Args:
        project: of the run.
        group: of runs that belong together.
        space_id: ORG/NAME of a Space; empty keeps the run on this machine (TRACKIO_DIR).
        wait_s: seconds that the end of a run waits at most for what is not sent yet.
    """
    tracker = trackio_.Trackio(project=project, group=group, space_id=space_id)
    return Tracking(tracker, wait_s=wait_s)


def mlflow(
    *, experiment: str = "sage-jax", uri: str = "", tags: tuple[str, ...] = (), wait_s: float = 30.0
) -> Tracking:
    """MLflow: a tracking server, or a store that is installed here.

    Keys are MLflow's own business: MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and
    MLFLOW_TRACKING_PASSWORD.

    Args:
        experiment: by its name; made where it is not there.
        uri: of the server; empty for MLFLOW_TRACKING_URI, or else MLflow's default.
        tags: of the run, each with the value `true`.
        wait_s: seconds that the end of a run waits at most for what is not sent yet.

    Raises:
        ValueError: if the address has a password in it.
    """
    return Tracking(mlflow_.MLflow(experiment=experiment, uri=uri, tags=tags), wait_s=wait_s)
