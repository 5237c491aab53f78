"""Report of a fit as one self-contained HTML page: model, data, diagnostics, estimates, checks, Methods paragraph."""

from __future__ import annotations

import inspect
import textwrap
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

import goalinf.agents
from goalinf import display
from goalinf.agents.agent import Agent
from goalinf.atomic_files import written_whole
from goalinf.checks import check_kind
from goalinf.data import Trajectories
from goalinf.data.trajectory_arrays import many
from goalinf.identify import Audit
from goalinf.inference.model.models import StandardModel
from goalinf.inference.results.fit import Fit
from goalinf.planning.pooling import Pooling
from goalinf.planning.shared_correlation import SharedCorrelation
from goalinf.plot.forest import forest
from goalinf.plot.model_checks import calibration as draw_calibration
from goalinf.plot.model_checks import predictive as draw_predictive
from goalinf.plot.model_checks import recovery as draw_recovery
from goalinf.plot.page import STYLE, image, new_page
from goalinf.workflow.calibration import Calibration
from goalinf.workflow.predictive_checks import Replications, check_in_words
from goalinf.workflow.recovery import Recovery
from goalinf.workflow.statistics import usual

_ROWS = 60  # of the table of estimates
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title><style>{{ style }}</style></head><body>
<h1>{{ title }}</h1>
{% if not converged %}<p><strong>This fit has NOT converged. Its numbers are not estimates.</strong></p>{% endif %}
<h2>Methods</h2><p>{{ methods }}</p>
<h2>Model</h2>{% for line in model %}<p>{{ line }}</p>{% endfor %}
{% if equation %}<pre>{{ equation }}</pre>{% endif %}
{{ priors }}
<h2>Data</h2><pre>{{ data }}</pre>{% if pooled %}<p>{{ pooled }}</p>{% endif %}
<h2>Diagnostics</h2><p>{{ diagnosis }}</p>
<h2>Estimates</h2>{{ estimates }}{% if more %}<p class="small">{{ more }}</p>{% endif %}
{% for picture in forests %}<p>{{ picture }}</p>{% endfor %}
{% for section in sections %}<h2>{{ section.title }}</h2>
{% for line in section.lines %}<p>{{ line }}</p>{% endfor %}{{ section.table }}{{ section.picture }}{% endfor %}
<h2>References</h2><ul>{% for reference in references %}<li>{{ reference }}</li>{% endfor %}</ul>
<p class="small">{{ provenance }}</p>
</body></html>
"""
_REFERENCES = (
    "Phan, Pradhan and Jankowiak (2019). Composable effects for flexible and accelerated probabilistic programming in "
    "NumPyro. arXiv:1912.11554.",
    "Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021). Rank-normalization, folding, and localization: an "
    "improved R-hat. Bayesian Analysis 16.",
    "Martin et al. (2026). ArviZ: exploratory analysis of Bayesian models. https://www.arviz.org.",
)
_CHECKS = {
    "check": "Gelman, Meng and Stern (1996). Posterior predictive assessment of model fitness. Statistica Sinica 6.",
    "recovery": "Wilson and Collins (2019). Ten simple rules for the computational modeling of behavioral data. "
    "eLife 8.",
    "calibration": "Talts et al. (2018). Validating Bayesian inference algorithms with simulation-based calibration. "
    "arXiv:1804.06788.",
}


def report(
    fit: Fit,
    *,
    out: str | Path,
    check: Replications | None = None,
    recovery: Recovery | None = None,
    calibration: Calibration | None = None,
    audit: Audit | None = None,
    title: str = "Report of a fit",
    overwrite: bool = False,
) -> Path:
    """Write a report of a fit as one page of HTML, with its pictures inside.

    Parameters
    ----------
    fit : Fit
        Fit of world, agent and reward.
    out : path
        An ``.html`` file in an existing folder.
    check : Replications, optional
        From :func:`~goalinf.posterior_predictive`.
    recovery : Recovery, optional
        From :func:`~goalinf.recover`.
    calibration : Calibration, optional
        From :func:`~goalinf.calibrate`.
    audit : Audit, optional
        From :func:`~goalinf.audit`.
    title : str
        Title of the page.
    overwrite : bool
        Replace the file if it exists already.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        Where the model is a user's own, or the suffix is not ``.html`` or ``.htm``.
    FileExistsError
        Where the file exists and ``overwrite`` is False.
    FileNotFoundError
        Where the folder does not exist.

    Examples
    --------
    >>> import goalinf as gi
    >>> page = gi.report(fit, out="report.html")  # doctest: +SKIP
    """
    kinds = {"check": Replications, "recovery": Recovery, "calibration": Calibration, "audit": Audit}
    given = {"check": check, "recovery": recovery, "calibration": calibration, "audit": audit}
    check_kind("fit", fit, Fit, "a Fit, such as gi.infer returns")
    for name, value in given.items():
        if value is not None:
            check_kind(name, value, kinds[name], f"a {kinds[name].__name__}")
    path = new_page("out", out, overwrite)
    model = fit.standard("world, agent and reward")
    sections = [
        *([_predictive(check, fit)] if check is not None else []),
        *([_recovery(recovery)] if recovery is not None else []),
        *([_calibration(calibration)] if calibration is not None else []),
        *([_audit(audit)] if audit is not None else []),
    ]
    cited = [text for name, text in _CHECKS.items() if given[name] is not None]
    table = fit.summary()
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(_PAGE)
    text = page.render(
        title=title,
        style=Markup(STYLE),
        converged=fit.converged,
        methods=methods(fit),
        model=[f"Agent: {model.agent!r}", f"Reward: {_reward_text(model)}", *_description(model.agent)],
        equation=_equation(model.agent),
        priors=_table(_priors(model)),
        data=str(fit.data),
        pooled=fit.pooled,
        diagnosis=fit.diagnosis,
        estimates=_table(table.head(_ROWS)),
        more=f"{len(table) - _ROWS} more rows: fit.summary()" if len(table) > _ROWS else "",
        forests=_forests(fit),
        sections=sections,
        references=[*_REFERENCES, *cited],
        provenance=_provenance(fit),
    )
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def methods(fit: Fit) -> str:
    """Return a paragraph for the Methods section of a paper."""
    model, attrs, sizes = fit.standard("agent and reward"), fit.tree.attrs, fit.posterior.sizes
    data = fit.data
    counts = [many(len(data.names("subject")), "subject"), many(len(data.subject), data.unit)]
    counts.append(many(data.n_observed, data.noun))
    priors = "; ".join(f"{name} ~ {prior}" for name, prior in _priors(model)["prior"].items())
    draws = f"{sizes['chain']} chains of {sizes['draw']} draws" if fit.kind == "MCMC" else f"{fit.n_draws:,} draws"
    seed = ", ".join(map(str, np.ravel(attrs["seed"])))
    return (
        f"We modeled {', '.join(counts)} with the agent {model.agent.name} in goalinf {version('goalinf')}. Priors: "
        f"{priors}. Posterior draws: {draws}, in {attrs['precision']}, seed {seed}. {fit.diagnosis}"
    )


def _priors(model: StandardModel) -> pd.DataFrame:
    """Return the prior of every parameter, and its regression in words."""
    rows = {
        name: {"prior": display.describe(prior), "meaning": _meaning(name, prior)}
        for name, prior in model.priors.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["prior", "meaning"])


def _meaning(name: str, prior: Any) -> str:
    if not isinstance(prior, Pooling):
        return "one value for all"
    by = " and ".join(prior.by)
    if prior.formula is not None:
        varying = f", and a deviation of each {by}{_correlated(prior)}" if by else ""
        return f"link({name}) = link(median) + coefficients of {prior.formula}{varying}"
    if prior.spread is None:
        return f"one value for each {by}, independent of the others"
    normal = f"one value for each {by}, normal around the median of the group on the scale of the link"
    return f"{normal}{_correlated(prior)}"


def _correlated(prior: Pooling) -> str:
    """Return a clause about correlated deviations; empty where they are independent."""
    if prior.correlation is None:
        return ""
    if isinstance(prior.correlation, SharedCorrelation):
        return f", correlated across the units with those of the record {prior.correlation.name!r} (LKJ prior)"
    return f" in the intercept and in {', '.join(prior.slopes)}, which are correlated (LKJ prior)"


def _reward_text(model: StandardModel) -> str:
    return repr(model.reward)


def _constructor(agent: Agent) -> str:
    """Return the docstring of the named constructor of an agent; empty where there is none."""
    function = getattr(goalinf.agents, agent.name, None)
    return inspect.getdoc(function) or "" if callable(function) else ""


def _description(agent: Agent) -> list[str]:
    text = _constructor(agent)
    return [text.split("\n", maxsplit=1)[0]] if text else []


def _equation(agent: Agent) -> str:
    """Return the first equation of the documentation of an agent, in TeX."""
    _, found, rest = _constructor(agent).partition(".. math::")
    if not found:
        return ""
    lines: list[str] = []
    for line in rest.split("\n"):
        if line.strip() and not line.startswith((" ", "\t")) and lines:
            break
        lines.append(line)
    return textwrap.dedent("\n".join(lines)).strip()


def _forests(fit: Fit) -> list[Markup]:
    pictures = []
    names = [str(name) for name in fit.posterior.data_vars]
    for site in fit.sites:
        if site.by[:1] == ("subject",) and site.name in names and set(site.dims) == {"subject"}:
            pictures.append(_picture(forest(fit, site.name), f"posterior of {site.name} by subject"))
    return pictures


def _predictive(check: Replications, fit: Fit) -> dict[str, Any]:
    assert isinstance(fit.data, Trajectories)
    names = list(dict.fromkeys((*usual(check.model, fit.data), "stay")))
    table = check.check(fit.data, names)
    return {
        "title": "Posterior predictive check",
        "lines": [check_in_words(table)],
        "table": _table(table.reset_index().head(_ROWS)),
        "picture": _picture(draw_predictive(check, fit.data, of=names), "observed and replicated statistics"),
    }


def _recovery(recovered: Recovery) -> dict[str, Any]:
    text = f"{recovered.runs} data sets were simulated from the priors and fitted."
    if recovered.failed:
        text += f" {recovered.failed} fits did NOT converge."
    return {
        "title": "Parameter recovery",
        "lines": [text],
        "table": _table(recovered.table),
        "picture": _picture(draw_recovery(recovered), "estimates against true values"),
    }


def _calibration(calibrated: Calibration) -> dict[str, Any]:
    return {
        "title": "Simulation-based calibration",
        "lines": [calibrated.verdict],
        "table": _table(calibrated.table),
        "picture": _picture(draw_calibration(calibrated), "distribution of ranks"),
    }


def _audit(audit: Audit) -> dict[str, Any]:
    return {"title": "What the data cannot say", "lines": str(audit).split("\n"), "table": "", "picture": ""}


def _table(table: pd.DataFrame) -> Markup:
    """Return a table with escaped text and numbers of three digits."""
    return Markup(display.table(table))


def _picture(figure: Any, alt_text: str) -> Markup:
    return Markup(image(figure, alt_text))


def _provenance(fit: Fit) -> str:
    attrs = fit.tree.attrs
    names = [str(name) for name in attrs if str(name).startswith("version_")]
    versions = [f"{name.removeprefix('version_')} {attrs[name]}" for name in names]
    return f"Written by goalinf {version('goalinf')}. Fit by {', '.join(versions)}. Data: SHA-256 {attrs['data_hash']}."
