"""What `ape console` knows besides: the contracts of the network's zone, by their names in its deployments file.

    $ ape console --network xlayer:mainnet
    In [1]: zone.staking.totalStaked()
    In [2]: perps.perpOf(1)

All of them are attributes of ``zone``; each is also there by its own name, but for those that Ape's console has
something else for (``chain`` is Ape's, ``zone.chain`` the state chain).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final

import ape
import click

from scripts._common import find_deployment
from tradezone.chain import Deployment
from tradezone.chain.deployment import ALL_NAMES, FOLDER

OF_APE: Final = frozenset(ape.__all__)


def ape_init_extras(project: Any, networks: Any) -> dict[str, Any]:
    """Return the contracts of the zone that is deployed on the connected network, by name; none if none is."""
    provider = networks.active_provider
    if provider is None:
        return {}
    path = find_deployment(provider.network, provider.chain_id, project.path / FOLDER)
    if not path.exists():
        click.echo(f"no zone is recorded in {FOLDER}/{path.name}; deploy one: ape run deploy zone")
        return {}
    contracts = {
        name: getattr(project, ALL_NAMES[name]).at(address)
        for name, address in Deployment.load(path).contracts.items()
        if name in ALL_NAMES
    }
    click.echo(f"zone of {path.name}: {', '.join(contracts)}")
    by_name = {name: contract for name, contract in contracts.items() if name not in OF_APE}
    return {"zone": SimpleNamespace(**contracts), **by_name}
