"""Drive a governed zone in tests: proposals from draft to execution, and states with records of any table.

As `tests.contracts.driver`, it remembers nothing that the chain knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import ape

from scripts._governance import selector_of
from tests.contracts.driver import DAY, OKB, Zone
from tests.vectors import make_tree as slow
from tradezone.protocol.hashing import keccak
from tradezone.protocol.records import TABLE_BY_NAME

PENDING, ACTIVE, CANCELED, DEFEATED, SUCCEEDED, QUEUED, EXPIRED, EXECUTED = range(8)
AGAINST, FOR, ABSTAIN = range(3)
AGE = 7 * DAY
BLOCKS_PER_DAY = 10


def impersonate(chain, contract):
    """A contract as a sender that a test plays, with coin for gas."""
    chain.provider.make_request("anvil_setBalance", [contract.address, hex(10**20)])
    return ape.accounts[contract.address]


class State:
    """Records of a state, and their tree in the slowest code there is."""

    def __init__(self):
        self._words: dict[tuple[int, int], list[int]] = {}

    def put(self, table: str, slot: int, **values):
        layout = TABLE_BY_NAME[table]
        fields = {field.name: 0 for field in layout.fields} | values
        for name, value in fields.items():
            if hasattr(value, "address"):
                fields[name] = int(value.address, 16)
        self._words[layout.number, slot] = slow.words_of(layout, fields)

    @property
    def leaves(self) -> dict[int, bytes]:
        leaves = {
            slow.index_of(number, slot): slow.leaf_of(number, slot, words)
            for (number, slot), words in self._words.items()
        }
        leaves[slow.index_of(1, 3)] = slow.leaf_of(1, 3, [7])  # a state is never quite empty
        return leaves

    @property
    def root(self) -> bytes:
        return slow.root_of(self.leaves, slow.DEPTH)

    def words(self, table: str, slot: int) -> list[bytes]:
        layout = TABLE_BY_NAME[table]
        words = self._words.get((layout.number, slot), [0] * layout.words)
        return [word.to_bytes(32, "big") for word in words]

    def siblings(self, table: str, slot: int) -> list[bytes]:
        number = TABLE_BY_NAME[table].number
        return slow.proof_of(self.leaves, slow.index_of(number, slot), slow.DEPTH)

    def proof(self, table: str, slot: int) -> tuple:
        """What the chamber takes: slot, words, siblings."""
        return (slot, self.words(table, slot), self.siblings(table, slot))


@dataclass(frozen=True)
class Draft:
    """A proposal's calls and words."""

    kind: str
    targets: tuple
    values: tuple
    calldatas: tuple
    description: str

    @property
    def arguments(self) -> tuple:
        return (list(self.targets), list(self.values), list(self.calldatas), self.description)

    @property
    def hashed(self) -> tuple:
        """What queue, execute and cancel take."""
        return (*self.arguments[:3], keccak(self.description.encode()))


class GovernedZone(Zone):
    """A zone with governance, and the hands that work it."""

    def __init__(self, deployment, governance, chain, accounts):
        super().__init__(deployment, chain, accounts)
        self.governance = governance
        for name in governance.addresses:
            setattr(self, name, getattr(governance, name))
        self.court = accounts[19]

    # --- stake

    def stake(self, account, okb=1000):
        self.staking.stake(sender=account, value=okb * OKB)

    def grow_old(self):
        self.clock.pass_time(AGE + 1)

    # --- proposals

    def draft(self, kind, *calls, description="a proposal", values=None) -> Draft:
        """A proposal of (contract, function, arguments...) calls."""
        return Draft(
            kind,
            tuple(contract.address for contract, *_ in calls),
            tuple(values or [0] * len(calls)),
            tuple(
                bytes(getattr(contract, name).encode_input(*arguments))
                for contract, name, *arguments in calls
            ),
            description,
        )

    def governor(self, draft):
        return self.governance.governor(draft.kind)

    def id_of(self, draft) -> int:
        return self.governor(draft).hashProposal(*draft.hashed)

    def state(self, draft) -> int:
        return self.governor(draft).state(self.id_of(draft))

    def propose(self, draft, by) -> int:
        self.governor(draft).propose(*draft.arguments, sender=by)
        return self.id_of(draft)

    def vote(self, draft, by, support=FOR):
        return self.governor(draft).castVote(self.id_of(draft), support, sender=by)

    def begin(self, draft):
        """Pass the time before the vote."""
        self.pass_seconds(self.governor(draft).votingDelay() + 1)

    def end(self, draft):
        """Pass the vote."""
        governor = self.governor(draft)
        left = governor.proposalDeadline(self.id_of(draft)) - self.clock.time
        self.pass_seconds(max(left, 0) + 1)

    def pass_seconds(self, seconds: int):
        """Time, and enough blocks for it."""
        self.clock.pass_blocks(seconds * BLOCKS_PER_DAY // DAY + 2)
        self.clock.pass_time(seconds)

    def queue(self, draft, by=None):
        return self.governor(draft).queue(*draft.hashed, sender=by or self.deployer)

    def wait(self, draft):
        """Pass the timelock."""
        self.pass_seconds(self.governance.timelock(draft.kind).getMinDelay() + 1)

    def execute(self, draft, by=None):
        return self.governor(draft).execute(*draft.hashed, sender=by or self.deployer)

    def cancel(self, draft, by):
        return self.governor(draft).cancel(*draft.hashed, sender=by)

    def accept(self, draft, proposer, *voters):
        """Propose, vote for it and let the vote end; it has passed then."""
        self.propose(draft, proposer)
        self.begin(draft)
        for voter in voters:
            self.vote(draft, voter)
        self.end(draft)

    def enact(self, draft, proposer, *voters):
        """The whole way."""
        self.accept(draft, proposer, *voters)
        self.queue(draft)
        self.wait(draft)
        return self.execute(draft)

    # --- states

    def header_of(self, batch: int) -> tuple:
        """The header that was committed, from the logs."""
        for log in self.chain.BatchCommitted.range(0, self.clock.block + 1):
            if log.number == batch:
                return tuple(log.header)
        raise LookupError(batch)

    def finalized_state(self, asserter, state: State) -> bytes:
        return self.finalized(asserter, state.root)


class TrustZone(GovernedZone):
    """A governed zone with everything that stands beside it."""

    def __init__(self, trust, chain, accounts):
        super().__init__(trust.zone, trust.governance, chain, accounts)
        self.trust = trust
        for name, contract in trust.beside.items():
            setattr(self, name, contract)


def list_entry(contract, name):
    """What the Charter's lists hold of a function."""
    return contract.address, selector_of(contract, name)
