"""A notebook shows figures and records: once, as a picture or as HTML."""

import base64
import struct

import nbclient
import nbformat
import pytest

WORLD = "import goalinf as gi\nhall = gi.gridworld('s.a', discount=0.9)\nwants = gi.StateReward.zero(hall)"
CELLS = {
    "setup": WORLD,
    "figure": "gi.plot.world(hall)",
    "two panels": "gi.plot.policy(hall, gi.agents.uniform(), wants)",
    "kept": "figure = gi.plot.world(hall)",
    "shown": "from IPython.display import display\ndisplay(figure)",
    "world": "hall",
    "agent": "gi.agents.soft_optimal(beta=2.0)",
    "reward": "wants",
    "null space": "gi.identify.null_space(hall, gi.agents.soft_optimal(beta=1.0), wants)",
    "data": "import jax\ngi.simulate(jax.random.key(0), hall, gi.agents.uniform(), wants, trajectories=2, steps=3)",
    "pyplot": "%matplotlib inline\nimport matplotlib.pyplot as plt",
    "beside pyplot": "gi.plot.world(hall)",
    "kept beside pyplot": "figure = gi.plot.world(hall)",
}


@pytest.fixture(scope="module")
def outputs():
    """Outputs of each cell, by name."""
    cells = [nbformat.v4.new_code_cell(code) for code in CELLS.values()]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return {name: cell["outputs"] for name, cell in zip(CELLS, notebook["cells"], strict=True)}


@pytest.mark.parametrize("name", ["figure", "two panels", "shown", "beside pyplot"])
def test_a_figure_is_shown_once(outputs, name):
    (output,) = outputs[name]
    picture = base64.b64decode(output["data"]["image/png"])
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 2000


def test_a_figure_has_its_size_in_inches(outputs):
    (output,) = outputs["figure"]
    width, height = struct.unpack(">II", base64.b64decode(output["data"]["image/png"])[16:24])
    shown = output["metadata"]["image/png"]
    assert (shown["width"], shown["height"]) == (round(width * 96 / 150), round(height * 96 / 150))


@pytest.mark.parametrize("name", ["kept", "kept beside pyplot"])
def test_a_figure_that_is_kept_is_not_shown(outputs, name):
    assert outputs[name] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("world", ["World (map)", "3: s, 0,1, a", "0.9"]),
        ("agent", ["Agent soft_optimal", "parameter beta", ">2<"]),
        ("reward", ["StateReward", "[0, 0, 0]", "departure"]),
        ("null space", ["1 of 3 directions of reward", "constant"]),
        ("data", ["2 trajectories, 3 steps each", "next_state"]),
    ],
)
def test_records_are_shown_as_html(outputs, name, words):
    (output,) = outputs[name]
    for word in words:
        assert word in output["data"]["text/html"]
