"""Compiling for a real TPU slice; needs libtpu, no TPU."""

import pytest

from sage_jax import config as configs
from sage_jax.plan import make_plan
from sage_jax.plan.topology import open_topology, roomy

pytest.importorskip("libtpu")
pytestmark = pytest.mark.slow


def test_a_small_config_on_eight_chips(small):
    config = configs.override(small, {"mesh": {"data": 2, "fsdp": 4}})
    plan = make_plan(config, "v5e:2x4")
    assert plan.fits
    assert not plan.estimated
    rollout, _, update = plan.steps
    assert rollout.costs
    assert rollout.costs.bound in (7, 8)
    assert update.costs
    assert update.costs.whole.flops > 0
    assert update.costs.whole.sent_in_all > 0
    assert all(array.size > 0 for array in update.arrays)


def test_updates_with_fewer_groups_than_devices_compile(small):
    # On a slice of their parts libtpu 0.0.41 to 0.0.47 abort, see `Shards.settle`.
    changes = {
        "mesh": {"data": 1, "fsdp": 16, "tensor": 4},
        "model": {"architecture": {"num_heads": 8, "num_kv_heads": 4}},
        "rollout": {"max_prompt_length": 64, "max_completion_length": 192},
        "optimizer": {"num_minibatches": 2, "micro_batch": 16},
        "lora": {"rank": 8},
    }
    plan = make_plan(configs.override(small, changes), "v5e:8x8")
    assert [step.memory is not None for step in plan.steps] == [True] * 3


def test_the_kernel_for_attention_compiles_and_takes_less(small):
    lengths = {"max_prompt_length": 512, "max_completion_length": 2048, "num_prompts": 8}
    changes = {"mesh": {"data": 2, "fsdp": 2, "tensor": 2}, "rollout": lengths}
    plain = make_plan(configs.override(small, changes), "v5e:2x4")
    kernel = make_plan(
        configs.override(small, {**changes, "model": {"attention": "splash"}}), "v5e:2x4"
    )
    for one, other in zip(kernel.steps[1:], plain.steps[1:], strict=True):
        assert one.memory
        assert other.memory
        assert one.memory.temporaries < 0.7 * other.memory.temporaries, one.name


def test_what_does_not_fit_is_compiled_for_a_chip_with_room(small):
    config = configs.override(
        small,
        {
            "model": {
                "source": "Qwen/Qwen2.5-1.5B",
                "compute_dtype": "bfloat16",
                "param_dtype": "float32",
            },
            "task": {"use": "arithmetic"},
            "warmup": {"steps": 0},
            "rollout": {"max_prompt_length": 64, "max_completion_length": 64},
            "mesh": {"data": 4},
        },
    )
    plan = make_plan(config, "v5e:2x2")
    assert not plan.fits
    assert 1 <= len(plan.changes) <= 3


@pytest.mark.parametrize("name", ["v5e:1x1", "v6e:1x1"])
def test_one_chip_of_a_notebook_is_a_slice(name):
    found = open_topology(name)
    assert found.compiles
    assert len(found.devices) == 1


@pytest.mark.parametrize("devices", [16, 64, 256])
def test_there_is_a_slice_with_room_of_any_size(devices):
    found = roomy(devices)
    assert found is not None
    assert len(found.devices) == devices
