from studies import chosen


def row(arm, coef, seed, pass1, pass64, base=0):
    own = {"arm": arm, "kl_coef": coef, "seed": seed, "base": base}
    return own | {"pass@1": pass1, "pass@16": 0.5, "pass@64": pass64, "modes/kept": 1.0}


ROWS = [
    *(row("base", 0.0, 0, 0.1, 0.97, base) for base in (0, 1)),
    *(row("k3", 0.1, seed, 0.3, 0.90, base) for seed in (0, 1) for base in (0, 1)),
    *(row("k3", 0.2, 0, 0.2, 0.965, base) for base in (0, 1)),
    *(row("k3", 0.4, 0, 0.1, 0.98, base) for base in (0, 1)),
    # What came of the seed that is reported has no say in the choice.
    *(row("k3", 0.2, 1, 0.22, 0.5, base) for base in (0, 1)),
    *(row("k3", 0.4, 1, 0.9, 0.99, base) for base in (0, 1)),
    row("gated", 0.2, 0, 0.2, 0.97),
    row("gated", 0.2, 0, 0.2, 0.97, 1),
    row("gated", 0.2, 1, 0.25, 0.97),
    row("gated", 0.2, 1, 0.26, 0.97, 1),
    row("no KL", 0.0, 0, 0.4, 0.6),
    row("no KL", 0.0, 1, 0.4, 0.6),
]


def test_a_coefficient_is_the_best_of_those_that_keep_pass_at_64():
    assert chosen.choose(ROWS, "k3") == 0.2
    assert chosen.choose(ROWS, "no KL") is None


def test_the_table_reports_other_seeds_than_it_chose_by():
    table = chosen.table(ROWS)
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:4]]
    assert lines[0][:6] == ["gated", "0.2", "0.255", "0.500", "0.970", "1.000"]
    assert lines[0][6].startswith("+0.035 ±")
    assert lines[1][:3] == ["k3", "0.2", "0.220"]
    assert table.endswith("At every coefficient they lost more: no KL.")
