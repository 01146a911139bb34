"""A zone that points at slots, oracles and resolver, and these contracts beside it."""

from __future__ import annotations

from dataclasses import replace

from scripts._deployment import CONTRACTS, deploy_zone
from scripts._markets_deployment import deploy_markets, market_sources, predict_markets


def deploy_zone_admitting(deployer, project, params) -> dict[str, str]:
    """Deploy a zone that points at what the deployer will deploy next; returns its addresses."""
    then = deployer.nonce + len(CONTRACTS)
    beside = market_sources(deployer.address, then)
    at = predict_markets(deployer.address, then)
    params = replace(params, auction=at["slots"], resolver=at["resolver"], perps=at["perps"])
    return deploy_zone(deployer, project, params, beside).addresses


def deploy_all(deployer, project, params, markets) -> dict[str, str]:
    """Deploy such a zone and the contracts beside it; returns all addresses."""
    at = deploy_zone_admitting(deployer, project, params)
    found = deploy_markets(deployer, project, at, markets)
    return at | {name: contract.address for name, contract in found.items()}
