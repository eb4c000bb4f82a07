"""XLA's flags for tests, which compile for minutes what runs for seconds."""

# Without LLVM's optimisations, and with the emitters for fusions that write LLVM's language
# directly, a whole step compiles in a fifth of the time. Few tests are large enough to miss them.
_QUICK = (
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_use_fusion_emitters=false",
)
# The other way round, as `compiler_options` of one program: for a model that is large enough.
OPTIMISED = {
    "xla_backend_optimization_level": 3,
    "xla_llvm_disable_expensive_passes": False,
    "xla_cpu_use_fusion_emitters": True,
}


def xla_flags(devices: int) -> str:
    """What XLA_FLAGS is to hold for so many fake CPU devices."""
    return " ".join((
        f"--xla_force_host_platform_device_count={devices}",
        # Devices on a busy machine of two cores may wait for each other longer than 40 seconds.
        "--xla_cpu_collective_call_terminate_timeout_seconds=600",
        *_QUICK,
    ))  # fmt: skip
