"""A zone whose inbox admits oracles and resolver, and these contracts beside it."""

from __future__ import annotations

from scripts import _deployment as zones
from scripts._markets_deployment import deploy_markets, market_sources


def deploy_zone_admitting(deployer, project, params) -> dict[str, str]:
    """Deploy a zone that admits what the deployer will deploy next; returns its addresses."""
    start = deployer.nonce
    names = list(zones.CONTRACTS)
    at = {name: zones.predict_address(deployer.address, start + i) for i, name in enumerate(names)}
    arguments = zones._constructor_arguments(at, params)
    chain, sources, kinds = arguments["inbox"]
    more = market_sources(deployer.address, start + len(names))
    arguments["inbox"] = (chain, [*sources, *more], [*kinds, *more.values()])
    for name, contract in zones.CONTRACTS.items():
        assert deployer.deploy(getattr(project, contract), *arguments[name]).address == at[name]
    return at


def deploy_all(deployer, project, params, markets) -> dict[str, str]:
    """Deploy such a zone and the contracts beside it; returns all addresses."""
    at = deploy_zone_admitting(deployer, project, params)
    found = deploy_markets(deployer, project, at, markets)
    return at | {name: contract.address for name, contract in found.items()}
