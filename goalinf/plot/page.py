"""Audit as one self-contained HTML page."""

from __future__ import annotations

import base64
import io
from importlib.metadata import version
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from goalinf import display
from goalinf.atomic_files import written_whole
from goalinf.checks import check_flag, check_kind
from goalinf.identify import Audit
from goalinf.plot.audits import audit as draw_audit
from goalinf.plot.audits import panels_of
from goalinf.plot.rewards import reward as draw_reward
from goalinf.plot.rewards import reward_map
from goalinf.rewards import StateReward
from goalinf.worlds import World, label

_LIBRARIES = ("goalinf", "jax", "numpyro", "arviz")  # libraries whose versions are on the page
_DIRECTIONS = 4  # null directions that are drawn
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222b35; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
img { max-width: 100%; } pre { white-space: pre-wrap; font: inherit; }
table { border-collapse: collapse; font-size: 0.85rem; } td, th { padding: 0.2rem 0.7rem; text-align: left; }
tr:nth-child(even) { background: #f3f1ec; } .small { color: #6b7280; font-size: 0.85rem; }
"""


def audit_page(audit: Audit, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write an audit as one page of HTML: sentences, figures and table.

    Parameters
    ----------
    audit : Audit
        From :func:`goalinf.audit`.
    path : path
        An ``.html`` file in an existing folder.
    overwrite : bool
        Replace the file if it exists already.

    Returns
    -------
    Path

    Raises
    ------
    FileExistsError
        Where the file exists and ``overwrite`` is False.
    FileNotFoundError
        Where the folder does not exist.
    ValueError
        Where the suffix is not ``.html`` or ``.htm``.

    Examples
    --------
    >>> import goalinf as gi
    >>> page = gi.plot.audit_page(gi.audit(fit), "audit.html")  # doctest: +SKIP
    """
    check_kind("audit", audit, Audit, "an Audit, such as gi.audit returns")
    path = new_page("path", path, overwrite)
    text = _page(audit)
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def new_page(what: str, path: str | Path, overwrite: bool) -> Path:
    """Return the path of a page that can be written.

    Raises
    ------
    FileExistsError
        Where the file exists and ``overwrite`` is False.
    FileNotFoundError
        Where the folder does not exist.
    IsADirectoryError
        Where it is a folder.
    ValueError
        Where the suffix is not ``.html`` or ``.htm``.
    """
    check_kind(what, path, (str, Path), "the name of a file, such as 'audit.html'")
    check_flag("overwrite", overwrite)
    path = Path(path)
    if path.suffix not in (".html", ".htm"):
        raise ValueError(f"{path}: the suffix is {path.suffix!r}; a page is written as .html")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {path.parent}; create it first")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder and is not replaced; give another name")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists already; give another name, or overwrite=True to replace it")
    return path


def _page(audit: Audit) -> str:
    head, *lines = str(audit).splitlines()
    sections = [display.paragraphs("\n".join(lines))]
    if audit.n_parameters:
        sections += ["<h2>Reward</h2>", *_maps(audit)]
    if panels_of(audit):
        sections += ["<h2>Figures</h2>", image(draw_audit(audit), "panels of the audit")]
    if null := _null_directions(audit):
        sections += ["<h2>Null directions</h2>", *null]
    sections += ["<h2>Numbers</h2>", display.table(audit.readable(), index=False)]
    sections.append(f'<p class="small">{display.escape(_provenance(audit))}</p>')
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Audit</title><style>{STYLE}</style></head>'
        f"<body><h1>{display.escape(head)}</h1>{''.join(sections)}</body></html>"
    )


def _provenance(audit: Audit) -> str:
    """Return versions, seed and sampler, in one sentence each."""
    attrs = audit.fit.tree.attrs
    versions = [f"{name} {attrs[f'version_{name}']}" for name in _LIBRARIES if f"version_{name}" in attrs]
    sentences = [f"Audit by goalinf {version('goalinf')}", f"Fit by {', '.join(versions)}" if versions else ""]
    if "seed" in attrs:
        sentences.append(f"Seed {', '.join(map(str, np.ravel(attrs['seed'])))}")
    sentences.append(str(attrs.get("sampler", "")))
    return " ".join(f"{sentence.rstrip('.')}." for sentence in sentences if sentence)


def image(figure: Figure, alt_text: str) -> str:
    """Return a figure as HTML, with the picture inside."""
    with io.BytesIO() as file:
        figure.savefig(file, format="png", dpi=110)
        data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="{display.escape(alt_text)}" src="data:image/png;base64,{data}">'


def _maps(audit: Audit) -> list[str]:
    """Draw the reward in each world."""
    worlds = audit.fit.world
    if isinstance(worlds, World):
        return [image(reward_map(audit.fit), "posterior mean and standard deviation of the reward")]
    return [
        f"<h3>{display.escape(label(name))}</h3>"
        + image(reward_map(audit.fit, context=name), f"reward in {label(name)}")
        for name in worlds
    ]


def _null_directions(audit: Audit) -> list[str]:
    """Draw null directions of a reward of states, where there is one world."""
    world, kind = audit.fit.world, audit.fit.reward
    if not isinstance(world, World) or not isinstance(kind, StateReward):
        return []
    basis = audit.null_space.basis.values[: audit.nullity]
    images = []
    for vector in basis[:_DIRECTIONS]:
        # The constant direction is reported in the text; the sign of the other directions is arbitrary.
        if np.ptp(vector) > 1e-9:
            alt_text = f"adding any multiple of this reward does not change {audit.null_space.unchanged}"
            images.append(image(draw_reward(world, StateReward(vector, on=kind.on)), alt_text))
    if images:
        unchanged = display.escape(audit.null_space.unchanged)
        images.insert(0, f"<p>Adding any multiple of one of these rewards does not change {unchanged}.</p>")
    return images
