"""What is refused before any process is waited for."""

import pytest

from sage_jax.parallel import HostsError, hosts


@pytest.mark.parametrize("how", ["yes", "host:1,2", "host:1,two,0", "host:1,2,-1"])
def test_other_forms_are_refused(how):
    with pytest.raises(HostsError, match=f"{how} is neither"):
        hosts.start({"SAGE_DISTRIBUTED": how})


@pytest.mark.parametrize("seconds", ["", "soon", "0", "-5", "2.5"])
def test_patience_is_a_number_of_seconds(seconds):
    environment = {"SAGE_DISTRIBUTED": "127.0.0.1:1,2,0", "SAGE_HEARTBEAT_S": seconds}
    with pytest.raises(HostsError, match=f"SAGE_HEARTBEAT_S={seconds} is not a positive number"):
        hosts.start(environment)


def test_alone_there_is_nothing_to_start():
    hosts.start({})
    hosts.start({"SAGE_DISTRIBUTED": ""})
