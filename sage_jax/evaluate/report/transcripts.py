"""Completions written down while training, as markup: whatever the model wrote, as plain text."""

from collections.abc import Sequence

from sage_jax.evaluate.report.page import Html, arm_name, join, tag
from sage_jax.evaluate.report.tables import Looks
from sage_jax.evaluate.runs import Run
from sage_jax.evaluate.samples import Sample

_PROBLEMS_SHOWN = 4
_SAMPLES_SHOWN = 4
_CHARACTERS_SHOWN = 3000


def _clipped(text: str) -> str:
    """Long text without its middle; the end is where the answer stands."""
    if len(text) <= _CHARACTERS_SHOWN:
        return text
    half = _CHARACTERS_SHOWN // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters left out …]\n{text[-half:]}"


def _completion(sample: Sample) -> Html:
    sign, look = ("✗", "down") if sample.reward <= 0 else ("◐", "none")
    if sample.reward >= 1:
        sign, look = "✓", "up"
    chip = tag("span", f"{sign} reward {sample.reward:g}", class_=f"chip {look}")
    ended = sample.finish and f"ended by {sample.finish}"
    notes = " · ".join(note for note in (sample.reason, ended) if note)
    line = tag("div", chip, tag("span", notes, class_="muted"))
    return join([line, tag("pre", _clipped(sample.completion))])


def _problem(samples: Sequence[Sample]) -> Html:
    first = samples[0]
    mean = sum(sample.reward for sample in samples) / len(samples)
    title = f"{first.id} · mean reward {mean:.2f} of {len(samples)}"
    title += f" · answer {first.gold}" if first.gold else ""
    shown = samples[:_SAMPLES_SHOWN]
    rest = len(samples) - len(shown)
    more = [tag("p", f"and {rest} more in the file", class_="muted")] if rest else []
    prompt = tag("pre", _clipped(first.prompt), class_="prompt")
    return join([tag("h4", title), prompt, *map(_completion, shown), *more])


def transcripts(run: Run, looks: Looks, *, unfold: bool) -> Html:
    """The first problems of an arm's last file of completions, with rewards; not selected."""
    problems: dict[str, list[Sample]] = {}
    for sample in run.samples:
        problems.setdefault(sample.id, []).append(sample)
    shown = [_problem(samples) for samples in list(problems.values())[:_PROBLEMS_SHOWN]]
    step = max(sample.step for sample in run.samples)
    title = tag("summary", arm_name(run.name, looks[run.name]), f" at step {step}")
    return tag("details", title, *shown, open="open" if unfold else None)
