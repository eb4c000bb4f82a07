import io

from sage_jax.rewards import frames, verifier, worker


def test_frames_round_trip():
    message = {"answer": "é \ud800 中", "gold": "1"}
    frame = frames.encode(message)
    assert frames.decode(frame) == message
    assert all(frames.decode(frame[:cut]) is None for cut in range(len(frame)))


def serve(questions, answer=verifier.answer, **settings):
    source = io.BytesIO(b"".join(frames.encode(question) for question in questions))
    sink = io.BytesIO()
    worker._serve(
        source,
        sink,
        answer,
        **{"alarm_s": 60.0, "recycle_after": 10, "memory_limit": 2**60} | settings,
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


def test_leaves_after_its_last_answer():
    replies = serve([{"answer": "1", "gold": "1"}] * 3, recycle_after=2)
    assert [reply["last"] for reply in replies] == [False, True]


def test_leaves_when_it_has_kept_half_of_its_limit():
    kept = []
    replies = serve(
        [{"size": 1}, {"size": 100_000_000}, {"size": 1}],
        lambda size: {"kept": kept.append(bytes([1]) * size)},
        memory_limit=100_000_000,
    )
    assert [reply["last"] for reply in replies] == [False, True]


def test_memory_error_is_a_reason():
    def greedy(size):
        raise MemoryError

    replies = serve([{"size": 1}] * 2, greedy)
    assert [(reply["reason"], reply["last"]) for reply in replies] == [("memory", True)]
