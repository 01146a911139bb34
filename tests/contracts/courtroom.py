"""Drive a zone with a slashing court in tests: accusations, votes, calendars, signed block heads.

As `tests.contracts.driver`, it remembers nothing that the chain knows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from eth_abi import encode

from scripts._court_deployment import CourtParams
from tests.contracts.driver import DAY, OKB, Zone
from tradezone.client.signing import PrivateKey
from tradezone.protocol.batches import block_head_digest
from tradezone.protocol.hashing import keccak

(
    NO_CASE,
    WAITING,
    RESPONSE,
    COMMIT,
    REVEAL,
    APPEAL,
    APPEAL_COMMIT,
    APPEAL_REVEAL,
    RULING,
    CLOSED,
) = range(10)
OUTAGE, NEGLIGENCE, MANIPULATION, FRAUD = range(4)
HARM = 9  # claim asset
AGE = 7 * DAY
SALT = keccak(b"salt")
COURT_PARAMS = CourtParams(
    limit_blocks=(5, 10, 15, 20, 25, 30, 40),
    proof_blocks=10,
    claim_blocks=10,
    min_bond=OKB,
    quorum_floor=10 * OKB,
)


@dataclass(frozen=True)
class Head:
    """The fields of a block head that a sequencer signs."""

    epoch: int = 1
    block: int = 5
    first_seq: int = 20
    count: int = 4
    time: int = 10**12
    inbox_index: int = 0
    inbox_hash: bytes = bytes(32)
    head: bytes = keccak(b"head")
    parent: bytes = keccak(b"parent")

    @property
    def fields(self) -> tuple:
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)

    def next(self, **changes) -> Head:
        """The head of the block after this, with changes."""
        good = replace(
            self,
            block=self.block + 1,
            first_seq=self.first_seq + self.count,
            time=self.time + 1,
            parent=self.head,
            head=keccak(self.head),
        )
        return replace(good, **changes)


def key_of(account) -> PrivateKey:
    return PrivateKey(bytes.fromhex(account.private_key.removeprefix("0x")))


HEAD_ABI = "(uint64,uint64,uint64,uint64,uint64,uint64,bytes32,bytes32,bytes32)"


class CourtZone(Zone):
    """A zone with a court, and the hands that work it."""

    def __init__(self, deployment, found, chain, accounts):
        super().__init__(deployment, chain, accounts)
        self.found = found
        self.court, self.double_head = found.court, found.double_head

    # --- stake

    def stake(self, account, okb):
        self.staking.stake(sender=account, value=okb * OKB)

    def grow_old(self):
        self.clock.pass_time(AGE + 1)

    # --- jury track

    def accusation(self, accused, **changes) -> tuple:
        values = {
            "accused": getattr(accused, "address", accused),
            "venue": 0,
            "kind": FRAUD,
            "share": 40,
            "harm": 0,
            "evidence": keccak(b"evidence"),
        } | changes
        return tuple(values.values())

    def accuse(self, accuser, accused, bond=None, **changes) -> bytes:
        accusation = self.accusation(accused, **changes)
        if bond is None:
            base = self.court.baseOf(accused, accusation[1])
            bond = self.court.bondFor(base, accusation[3])
        receipt = self.court.accuse(accusation, "ipfs://evidence", sender=accuser, value=bond)
        return bytes(self.court.Accused.from_receipt(receipt)[0].caseId)

    def end(self, case: bytes, phase: int):
        """Let a phase of a case pass."""
        until_time, until_block = self.court.endOf(case, phase)
        clock = self.clock
        clock.pass_blocks(max(until_block - clock.block, 1))
        if clock.time < until_time:
            clock.pass_time(until_time - clock.time)

    def commit_vote(self, case, juror, share, second=1):
        commitment = self.court.commitmentFor(case, second, juror, share, SALT)
        return self.court.commitVote(case, commitment, sender=juror)

    def vote(self, case, votes: dict, second=1):
        """Bring a case from before its commits behind its reveals; ``votes`` are by juror."""
        commits, reveals = (COMMIT, REVEAL) if second == 1 else (APPEAL_COMMIT, APPEAL_REVEAL)
        self.end(case, RESPONSE if second == 1 else APPEAL)
        for juror, share in votes.items():
            self.commit_vote(case, juror, share, second)
        self.end(case, commits)
        for juror, share in votes.items():
            self.court.revealVote(case, share, SALT, sender=juror)
        self.end(case, reveals)

    def judge_case(self, case, votes: dict) -> object:
        """The whole way without an appeal."""
        self.vote(case, votes)
        self.end(case, APPEAL)
        return self.court.rule(case, sender=self.deployer)

    # --- proof track

    def digest(self, head: Head) -> bytes:
        return block_head_digest(bytes(self.chain.domainSeparator()), *head.fields)

    def evidence(self, first: Head, second: Head, signer=None) -> bytes:
        key = key_of(signer or self.sequencer)
        signed = []
        for head in (first, second):
            signed += [head.fields, key.sign_digest(self.digest(head))]
        return encode([HEAD_ABI, "bytes", HEAD_ABI, "bytes"], signed)

    def prove(self, accuser, first: Head, second: Head) -> bytes:
        data = self.evidence(first, second)
        receipt = self.court.prove(self.double_head, data, sender=accuser)
        return bytes(self.court.Proved.from_receipt(receipt)[0].caseId)

    # --- money

    def held(self) -> int:
        """What the court says it holds."""
        court = self.court
        return court.totalBonds() + court.totalPools() + court.totalOwed()
