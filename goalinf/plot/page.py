"""An audit as one page of HTML that needs no other file."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from goalinf.checks import check_flag, check_kind
from goalinf.identify import Audit
from goalinf.plot.audits import audit as draw_audit
from goalinf.plot.audits import panels_of
from goalinf.plot.rewards import reward as draw_reward
from goalinf.plot.rewards import reward_map
from goalinf.rewards import StateReward
from goalinf.worlds import World

_DIRECTIONS = 4  # blind directions that are drawn
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222b35; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
img { max-width: 100%; } pre { white-space: pre-wrap; font: inherit; }
table { border-collapse: collapse; font-size: 0.85rem; } td, th { padding: 0.2rem 0.7rem; text-align: left; }
tr:nth-child(even) { background: #f3f1ec; } .small { color: #6b7280; font-size: 0.85rem; }
"""


def audit_page(audit: Audit, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write an audit as one page of HTML: the sentences, the pictures, the table.

    Parameters
    ----------
    audit : Audit
        From :func:`goalinf.audit`.
    path : path
        An ``.html`` file in a folder that is there.
    overwrite : bool
        Replace the file if it is there already.

    Returns
    -------
    Path

    Raises
    ------
    FileExistsError
        Where the file is there and may not be replaced.
    FileNotFoundError
        Where the folder is not there.
    ValueError
        Where the suffix is another one.

    Examples
    --------
    >>> import goalinf as gi
    >>> page = gi.plot.audit_page(gi.audit(fit), "audit.html")  # doctest: +SKIP
    """
    check_kind("audit", audit, Audit, "an Audit, such as gi.audit returns")
    check_kind("path", path, (str, Path), "the name of a file, such as 'audit.html'")
    check_flag("overwrite", overwrite)
    path = Path(path)
    if path.suffix not in (".html", ".htm"):
        raise ValueError(f"{path}: the suffix is {path.suffix!r}; a page is written as .html")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}; create it first")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, and is left alone; give another name")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists already; give another name, or overwrite=True to replace it")
    text = _page(audit)
    half = path.with_name(f".{path.name}.partial")
    try:
        half.write_text(text, encoding="utf-8")
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
    return path


def _page(audit: Audit) -> str:
    head, *lines = str(audit).splitlines()
    sections = [f"<pre>{html.escape(chr(10).join(lines))}</pre>"]
    if audit.n_parameters:
        sections += ["<h2>The reward</h2>", *_maps(audit)]
    if panels_of(audit):
        sections += ["<h2>In pictures</h2>", _image(draw_audit(audit), "panels of the audit")]
    if blind := _blind(audit):
        sections += ["<h2>What no behavior shows</h2>", *blind]
    table = audit.to_frame()
    table["value"] = [f"{value:.6g}" for value in table["value"]]
    sections += ["<h2>The numbers</h2>", table.to_html(index=False, border=0)]
    made = {name: audit.fit.tree.attrs.get(name) for name in ("goalinf", "seed", "sampler")}
    said = "; ".join(f"{name} {value}" for name, value in made.items() if value is not None)
    sections.append(f'<p class="small">{html.escape(said)}</p>')
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Audit</title><style>{_STYLE}</style></head>'
        f"<body><h1>{html.escape(head)}</h1>{''.join(sections)}</body></html>"
    )


def _image(figure: Figure, words: str) -> str:
    with io.BytesIO() as file:
        figure.savefig(file, format="png", dpi=110)
        data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="{html.escape(words)}" src="data:image/png;base64,{data}">'


def _maps(audit: Audit) -> list[str]:
    """The reward in each world."""
    worlds = audit.fit.world
    if isinstance(worlds, World):
        return [_image(reward_map(audit.fit), "posterior mean and standard deviation of the reward")]
    return [
        f"<h3>{html.escape(str(name))}</h3>" + _image(reward_map(audit.fit, context=name), f"reward in {name}")
        for name in worlds
    ]


def _blind(audit: Audit) -> list[str]:
    """Rewards of states that no choice depends on, drawn where there is one world."""
    world, kind = audit.fit.world, audit.fit.reward
    if not isinstance(world, World) or not isinstance(kind, StateReward):
        return []
    basis = audit.null_space.basis.values[: audit.nullity]
    found = []
    for vector in basis[:_DIRECTIONS]:
        # The constant is said in words; of the others the sign is no matter.
        if np.ptp(vector) > 1e-9:
            words = "adding any multiple of this changes no choice"
            found.append(_image(draw_reward(world, StateReward(vector, on=kind.on)), words))
    if found:
        found.insert(0, "<p>Adding any multiple of one of these rewards changes no choice.</p>")
    return found
