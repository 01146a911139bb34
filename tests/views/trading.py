"""Random streams that go on trading, so that books and balances have something to be wrong about."""

from __future__ import annotations

import numpy as np

from tests.model.compare import events_to_dicts
from tests.model.phases import get_restart_phases
from tests.model.streams import TRADERS, Run, Stream
from tests.model.world import (
    Entry,
    Outcome,
    Zone,
    deposit,
    get_address,
    heartbeat,
    item,
    place_item,
    tell,
    update_market,
)
from tradezone.protocol import actions, messages
from tradezone.protocol.limits import RESTART_GAP

OPENED_EVERY = 6  # steps


class EngineZone(Zone):
    """A zone whose events are the engine's; the model only says what to send next (tests/engine holds the two together)."""

    heard: np.ndarray  # events of the last run

    def run(self, leaves, signers, inbox, header=None):
        self.model.execute(leaves, signers, inbox, header)
        results, events = self._run_engine(leaves, signers, inbox, header)
        self.heard = events.copy()
        return Outcome([int(result) for result in results], events_to_dicts(events), leaves)


class TradingStream(Stream):
    """A stream that does not die down.

    It sits out the phases behind a gap in block time (its own blocks, ms apart, would never end them), and now and then L1
    is heard of again, venues and markets are open to everybody and the traders get new money.
    """

    def step(self) -> Outcome:
        while get_restart_phases(self.zone.model):
            self.do(Run(((self.zone.time + RESTART_GAP // 3, ()),)))
        if len(self.runs) % OPENED_EVERY == 0:
            self.do(self._open_again())
        return super().step()

    def _open_again(self) -> Run:
        shares = {"protocolShare": 200_000, "insuranceShare": 100_000, "referrerShare": 300_000}
        tells = [heartbeat(), update_market(self.zone, self.pick((1, 5)), **shares)]
        tells += [tell(messages.UPDATE_VENUE, venue=v, state=1) for v in self.zone.model.venues]
        for owner in TRADERS:
            address = get_address(owner)
            tells += [deposit(owner, address, asset, 10_000) for asset in (1, 2, 3)]
        sets = [self.envelope(a, item(a, group=2, lots=3)) for a in (actions.SPLIT, actions.MERGE)]
        return Run(
            ((self.zone.time + 1, (*tells, *sets, *self._pay_interfaces())),), self._repairs()
        )

    def _pay_interfaces(self) -> list[Entry]:
        """Orders of one trader through an interface and through a door, which both charge something on top."""
        model = self.zone.model
        account = model.owners[self.pick(TRADERS)].main_account
        paid = model.venues[2].fee_account  # the venue of the door, too
        approval = item(actions.APPROVE_INTERFACE, interface=paid, maxFee=10_000)
        side, tif = self.pick((0, 1)), self.pick((0, 1, 2))
        orders = place_item(1, side, 5, 3, tif=tif, interface=paid, interface_fee=5_000)
        orders += place_item(9, side, 5, 3, tif=tif)
        return [
            self.envelope(actions.APPROVE_INTERFACE, approval, account=account),
            self.envelope(actions.PLACE, orders, account=account),
        ]
