"""The sampler of the naive side: NUTS with NumPyro's defaults, four chains."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpyro

CHAINS = 4


def nuts(model: Callable[[], None], seed: int, warmup: int | None, draws: int) -> tuple[dict, dict]:
    """Return all sites by chain, and facts about the run."""
    mcmc = numpyro.infer.MCMC(
        numpyro.infer.NUTS(model),
        num_warmup=1000 if warmup is None else warmup,
        num_samples=draws,
        num_chains=CHAINS,
        chain_method="parallel",
        progress_bar=False,
    )
    mcmc.run(jax.random.key(seed), extra_fields=("num_steps", "diverging"))
    extra = mcmc.get_extra_fields()
    facts = f"{extra['num_steps'].mean():.0f} gradients a draw, {extra['diverging'].sum()} divergences"
    return mcmc.get_samples(group_by_chain=True), {"facts": facts}
