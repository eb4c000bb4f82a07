import io

import pytest

from sage_jax.rewards import frames, worker


def test_frames_round_trip():
    message = {"answer": "é \ud800 中", "gold": "1"}
    frame = frames.encode(message)
    assert frames.decode(frame) == message
    assert all(frames.decode(frame[:cut]) is None for cut in range(len(frame)))


def serve(questions, **settings):
    source = io.BytesIO(b"".join(frames.encode(question) for question in questions))
    sink = io.BytesIO()
    worker._serve(
        source, sink, **{"alarm_s": 60.0, "recycle_after": 10, "memory_limit": 2**60} | settings
    )
    replies, rest = [], sink.getvalue()
    while rest:
        replies.append(frames.decode(rest))
        rest = rest[4 + frames.HEADER.unpack_from(rest)[0] :]
    return replies


def test_serves_until_the_input_ends():
    replies = serve([{"answer": "x+1", "gold": "1+x"}, {"answer": "x", "gold": "1+x"}])
    assert [reply["reason"] for reply in replies] == ["correct", "wrong"]
    assert not any(reply["last"] for reply in replies)


@pytest.mark.parametrize("settings", [{"recycle_after": 1}, {"memory_limit": 1}])
def test_leaves_when_worn(settings):
    replies = serve([{"answer": "1", "gold": "1"}] * 3, **settings)
    assert [reply["last"] for reply in replies] == [True]


def test_memory_error_is_a_reason(monkeypatch):
    def judge(answer, gold, question):
        raise MemoryError

    monkeypatch.setattr(worker, "judge", judge)
    replies = serve([{"answer": "1", "gold": "1"}] * 2)
    assert [(reply["reason"], reply["last"]) for reply in replies] == [("memory", True)]
