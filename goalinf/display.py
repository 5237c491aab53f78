"""Display of records: numbers with three digits, priors with their parameters, names as data, and compact HTML.

Notebooks call ``_repr_html_`` of a record. All HTML of the library is made in this module, which escapes every text, so
that a name such as ``<b>`` or ``a & b`` is displayed as it was written.
"""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from goalinf.types import Real

if TYPE_CHECKING:
    import pandas as pd

_ZERO = 1e-12  # rounding errors of sums of numbers of about unit size are smaller
_COUNTS = 1e9  # whole numbers below are counts, shown with every digit
_ENTRIES = 12  # largest size of an array that is shown entry by entry
_LONG = 160  # characters of the description of a part
_WRAPPERS = ("ExpandedDistribution", "Independent", "MaskedDistribution")
# Notebooks typeset $…$ in HTML unless one of these classes says that it is text.
_TEXT = "tex2jax_ignore mathjax_ignore"


def number(value: Real | bool | np.bool_) -> str:
    """Format a number with three significant digits, a whole number with all digits, a rounding error as 0.

    Examples
    --------
    >>> from goalinf.display import number
    >>> [number(value) for value in (1234, 1065.0, 0.123456, -2e-17, 98765.4, 1.5e-7, float("inf"))]
    ['1,234', '1,065', '0.123', '0', '98,800', '1.5e-07', 'infinite']
    """
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{value:,}"
    value = float(value)
    if np.isnan(value):
        return "unknown"
    if np.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    if value.is_integer() and abs(value) < _COUNTS:
        return f"{int(value):,}"
    return "0" if abs(value) < _ZERO else f"{float(f'{value:.3g}'):,g}"


def printable(name: object) -> str:
    r"""Format a name on one line: control characters, line breaks among them, become their escapes (``\n``)."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(name))


def describe(value: Any) -> str:
    """Describe a parameter: a number, the entries of an array or its range, a prior with its parameters, a part.

    Examples
    --------
    >>> import numpy as np
    >>> import numpyro.distributions as dist
    >>> from goalinf.display import describe
    >>> describe(np.array([0.0, 0.5, 2.0])), describe(dist.LogNormal(0.0, 1.0))
    ('[0, 0.5, 2]', 'LogNormal(loc=0, scale=1)')
    """
    from numpyro.distributions import Distribution  # here: a world needs none of NumPyro

    if isinstance(value, Distribution):
        plain = type(value).__repr__ is Distribution.__repr__  # without the parameters
        return _prior(value) if plain else repr(value)
    if isinstance(value, (jax.core.Tracer, jax.ShapeDtypeStruct)):
        return f"array of shape {value.shape}"
    if isinstance(value, (np.ndarray, np.generic, jax.Array, int, float)):
        return _array(np.asarray(value))
    if isinstance(value, (str, type(None))):
        return repr(value)
    if isinstance(value, tuple):
        return _short(f"({', '.join(map(describe, value))})")
    if dataclasses.is_dataclass(value):
        return _short(f"{type(value).__name__}({', '.join(f'{k}={v}' for k, v in settings(value).items())})")
    return _short(getattr(value, "__name__", None) or repr(value))


def settings(record: Any) -> dict[str, str]:
    """Describe the fields of a record that differ from their defaults."""
    fields = {field.name: (getattr(record, field.name), field.default) for field in dataclasses.fields(record)}
    return {name: describe(value) for name, (value, default) in fields.items() if value is not default}


def _array(values: np.ndarray) -> str:
    if values.dtype.kind not in "biuf":
        return _short(repr(values.tolist()))
    if not values.ndim:
        return number(values.item())
    if values.dtype.kind == "b" and values.size > _ENTRIES:
        return f"{int(values.sum()):,} of {values.size:,} true"
    if values.ndim == 1 and values.size <= _ENTRIES:
        return f"[{', '.join(number(entry) for entry in values.tolist())}]"
    low, high = (number(bound) for bound in (values.min(), values.max())) if values.size else ("none", "none")
    return f"{' x '.join(map(str, values.shape))} values from {low} to {high}"


def _prior(prior: Any) -> str:
    while type(prior).__name__ in _WRAPPERS:
        prior = prior.base_dist
    known = [name for name in prior.arg_constraints if name in vars(prior)]
    return f"{type(prior).__name__}({', '.join(f'{name}={describe(getattr(prior, name))}' for name in known)})"


def _short(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


# -- HTML -------------------------------------------------------------------------------------


def escape(name: object) -> str:
    """Escape a text for HTML."""
    return html.escape(printable(name))


def card(head: str, *parts: str) -> str:
    """Return a record as HTML: its name in bold, then parts made by the functions below."""
    return f'<div class="{_TEXT}"><div><b>{escape(head)}</b></div>{"".join(parts)}</div>'


def paragraphs(text: str) -> str:
    """Return lines of text, with their indentation, as HTML."""
    shown = "\n".join(escape(line) for line in text.split("\n"))
    return f'<div style="white-space: pre-wrap; text-align: left">{shown}</div>' if text else ""


def drawing(text: str) -> str:
    """Return lines of a map as HTML, in characters of equal width."""
    shown = "\n".join(escape(line) for line in text.split("\n"))
    return f'<pre style="line-height: 1.1; margin: 0.3em 0">{shown}</pre>'


def facts(rows: Mapping[str, Any]) -> str:
    """Return a table of name and value by row as HTML; numbers with three digits."""
    return _table([], [[name, value] for name, value in rows.items()])


def table(frame: pd.DataFrame, *, index: bool = True) -> str:
    """Return a data frame as HTML, numbers with three digits and no text cut off."""
    heads = ([frame.index.name or ""] if index else []) + list(frame.columns)
    columns = [frame.index.tolist()] * index + [frame[name].tolist() for name in frame.columns]
    return _table(heads, list(zip(*columns, strict=True)))


def _table(heads: Sequence[Any], rows: Sequence[Sequence[Any]]) -> str:
    head = f"<thead><tr>{''.join(f'<th>{escape(name)}</th>' for name in heads)}</tr></thead>" if heads else ""
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table>{head}<tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    if isinstance(value, (int, float, np.integer, np.floating)):
        return f'<td style="text-align: right">{escape(number(value))}</td>'
    return f'<td style="text-align: left">{escape(value)}</td>'
