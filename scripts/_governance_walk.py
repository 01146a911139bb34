"""A walk through the root of trust on a local chain: stake, slot, perpetual, incident, jury, slash, votes.

``ape run demo --governance``. Every contract is the one that a zone for real money deploys, with its periods; time is
moved. One thing is played: the zone's engine. What it would claim here, one state with an incident and a loss that
nobody has covered, is put together record by record, committed, claimed, and final after its window like any
other. Exit status 0 only if every number held; the story is left in ``.demo/governance.txt``.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from ape import accounts as ape_accounts
from ape import project
from ape.logging import logger

from scripts._court_deployment import CourtParams
from scripts._deployment import DAY, OKB, ZoneParams
from scripts._governance import GovernanceParams
from scripts._markets_deployment import SLOT_KINDS, Period
from scripts._trust import Trust, TrustParams, deploy_trust
from tradezone.protocol import batches, messages
from tradezone.protocol.actions import unpack
from tradezone.protocol.enums import ACTIVE, OUTBOX_INCIDENT
from tradezone.protocol.errors import Code
from tradezone.protocol.hashing import keccak
from tradezone.protocol.records import TABLE_BY_NAME
from tradezone.state.tree import RecordTree, to_words

FOLDER: Final = Path(".demo")
USD: Final = 10**6  # atoms of a dollar
OKB_IN_USD: Final = 50  # the price that governance sets
HOUR: Final = 3_600
PERP_KIND: Final = 2
TAKER_DELAY: Final = 14  # the limit that the last vote moves
LOSS: Final = 40 * USD  # that the venue's ledger shows uncovered
BLOCKS: Final = (2, 4, 6, 8, 10, 12, 16)  # of a case's phases: their days count here
SALT: Final = keccak(b"a juror keeps this for itself")
AGAINST, FOR = 0, 1
SUCCEEDED, QUEUED, EXECUTED = 4, 5, 7
FRAUD: Final = 3
LEDGER_SLOT, OUTBOX_SLOT = 1, 1

NO_TIER: Final = (0, 0, 0)
PERP: Final = {
    "venue": 1,
    "quote": 2,
    "feed": 1,
    "feedScale": 10**7,  # a tick is ten cents
    "tickValue": 100,  # of a thousandth of a coin
    "minNotional": 5 * USD,
    "maxNotional": 1 << 61,
    "maxLots": 10**6,
    "maxPrice": 2 * 10**6,
    "takerFee": 500,
    "makerFee": 100,
    "protocolShare": 200_000,
    "insuranceShare": 200_000,
    "takerDelay": 3,
    "calendar": 0,
    "band": 100_000,
    "openInterestCap": 1_000_000 * USD,
    "accountCap": 100_000 * USD,
    "closes": 0,
    "effectiveAt": 0,
    "parameters": {
        "fundingCap": 4_000_000,
        "interest": 100_000,
        "impactNotional": 1_000 * USD,
        "bandListing": 50_000,
        "bandBasis": 30_000,
        "oiLower": 500_000 * USD,
        "oiUpper": 5_000_000 * USD,
        "lossCap": 10_000 * USD,
        "tiers": [(0, 50_000, 25_000), (100_000 * USD, 100_000, 50_000), NO_TIER, NO_TIER],
    },
}


class WalkError(click.ClickException):
    """A number is not what it has to be."""


@dataclass
class Walk:
    """What the steps hand on to each other, and the story so far."""

    trust: Trust
    people: Any
    provider: Any
    began: int
    lines: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    checks: int = 0

    # --- telling

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self._say("")
        self._say(f"{len([x for x in self.lines if x.startswith('## ')]) + 1:>2}. {title}", "## ")

    def tell(self, text: str) -> None:
        """Say what happened, and on which day."""
        self._say(f"day {(self.now - self.began) / DAY:6.2f}  {text}")

    def equal(self, what: str, is_: object, expected: object) -> None:
        """Check a number, and show it."""
        if is_ != expected:
            raise WalkError(f"{what} is {is_}, expected {expected}")
        self.checks += 1

    def _say(self, text: str, mark: str = "") -> None:
        self.lines.append(mark + text)
        print(text, flush=True)

    # --- time

    @property
    def now(self) -> int:
        """Time of the newest block, seconds."""
        return int(self.provider.get_block("latest").timestamp)

    def wait(self, seconds: int, blocks: int = 1) -> None:
        """Let time and blocks pass."""
        if blocks > 1:
            self.provider.make_request("anvil_mine", [hex(blocks - 1), "0x1"])
        self.provider.make_request("evm_increaseTime", [seconds])
        self.provider.make_request("anvil_mine", ["0x1"])

    def wait_until(self, moment: int, block: int = 0) -> None:
        """Let time pass up to a moment, and blocks up to a block."""
        head = self.provider.get_block("latest")
        self.wait(max(moment - head.timestamp, 0) + 1, max(block - head.number, 0) + 1)

    # --- what the zone is told

    def told(self, kind: int) -> dict[str, Any]:
        """Return the newest inbox message of a kind."""
        inbox = self.trust.zone.inbox
        head = self.provider.get_block("latest").number
        logs = [log for log in inbox.Message.range(0, head + 1) if log.kind == kind]
        newest = max(logs, key=lambda log: log.index)
        return unpack(messages.BODIES[kind], bytes(newest.payload))


def run_walk(provider: Any) -> None:
    """Walk from the first stake to the last vote; WalkError names the first number that is wrong."""
    logger.set_level("WARNING")
    started = time.perf_counter()
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    FOLDER.mkdir()
    walk = begin(provider)
    stake(walk)
    buy_slot(walk)
    choose_providers(walk)
    price_stake(walk)
    list_perpetual(walk)
    claim, ledger = record_incident(walk)
    case = accuse(walk)
    judge(walk, case)
    compensate(walk, case, claim, ledger)
    change_parameter(walk)
    walk.chapter("The end")
    walk.tell(f"all of it held: {walk.checks} numbers were checked")
    walk.summary |= {"checks": walk.checks, "seconds": round(time.perf_counter() - started, 1)}
    (FOLDER / "governance.json").write_text(json.dumps(walk.summary, indent=2) + "\n")
    text = "\n".join(line.removeprefix("## ") for line in walk.lines)
    (FOLDER / "governance.txt").write_text(text.strip() + "\n")
    print(f"\nthe story is in {FOLDER}/governance.txt")


# --- the parts -------------------------------------------------------------------------------------


def begin(provider: Any) -> Walk:
    """Deploy a whole root of trust."""
    people = ape_accounts.test_accounts
    days = {"window_seconds": 7 * DAY, "unbonding_seconds": 21 * DAY, "case_seconds": 21 * DAY}
    days |= {"change_notice": 3 * DAY, "close_notice": 7 * DAY}
    days |= {"silence_seconds": 3 * DAY, "stall_seconds": 30 * DAY, "closing_seconds": 30 * DAY}
    zone = ZoneParams.local(
        keccak(b"an empty zone"),
        people[1].address,
        people[1].address,
        venue_stake=1_000 * OKB,
        **days,
    )
    boards = tuple(people[i].address for i in range(13, 20))
    made = TrustParams.local(zone, GovernanceParams.local(boards, boards))
    kinds = list(SLOT_KINDS)
    kinds[PERP_KIND - 1] = replace(kinds[PERP_KIND - 1], base_slots=0)
    court = CourtParams(
        limit_blocks=BLOCKS, proof_blocks=4, claim_blocks=4, min_bond=OKB, quorum_floor=OKB
    )
    markets = replace(
        made.markets,
        slot_kinds=tuple(kinds),
        provider_bond=100 * OKB,
        key_seconds=2 * DAY,
        notice_seconds=DAY,
        evidence_seconds=14 * DAY,
        provider_unbonding=Period(21 * DAY, 5),
        case=Period(21 * DAY, 5),
    )
    trust = deploy_trust(people[0], project, replace(made, markets=markets, court=court))
    began = int(provider.get_block("latest").timestamp)
    walk = Walk(trust, people, provider, began)
    walk.chapter("A root of trust")
    walk.tell(
        f"{len(trust.addresses)} contracts are deployed; roles, closed lists, timelocks and pointers were read"
    )
    walk.tell("back from the chain: the deployer has no right left, and custody never had an owner")
    return walk


def stake(walk: Walk) -> None:
    """Let a deployer and four voters stake, and open a venue."""
    zone, people = walk.trust.zone, walk.people
    alice, voters = people[2], people[3:7]
    walk.chapter("Stake, and a venue")
    zone.staking.stake(sender=alice, value=1_500 * OKB)
    for voter in voters:
        zone.staking.stake(sender=voter, value=2_000 * OKB)
    walk.equal("stake in all", zone.staking.totalStaked(), 9_500 * OKB)
    walk.equal("coin of the vault", zone.staking.balance, 9_500 * OKB)
    walk.tell(
        "Alice stakes 1,500 OKB, four voters 2,000 each: the vault holds 9,500, as its books say"
    )
    venue = zone.venue_registry.createVenue("northstar", 0, sender=alice).return_value
    walk.equal("venue", venue, 1)
    walk.equal("stake behind it", zone.staking.stakeOf(1), 1_000 * OKB)
    walk.equal("Alice's free stake", zone.staking.freeOf(alice), 500 * OKB)
    walk.tell(
        "Alice opens venue 1, 'northstar'; 1,000 OKB of her stake are locked behind it, 500 stay free"
    )
    usd = alice.deploy(project.TestToken, "Demo dollar", "USD", 6)
    bond = zone.params.asset_bond
    zone.asset_registry.registerAsset(usd, 1, 10**17, sender=alice, value=bond)
    walk.summary["token"] = usd.address
    walk.wait(8 * DAY)
    walk.tell("a week later the stake is old enough to vote")


def buy_slot(walk: Walk) -> None:
    """Buy room for a perpetual in the Dutch auction."""
    slots, alice = walk.trust.beside["slots"], walk.people[2]
    walk.chapter("A slot in the auction")
    walk.wait(20 * HOUR)
    asked = slots.price(PERP_KIND)
    most = asked + 50 * OKB
    receipt = slots.buy(1, PERP_KIND, most, sender=alice, value=most)
    sale = next(log for log in receipt.events if log.event_name == "LicenceBought")
    price = sale.price
    walk.equal("price at the sale, at most", price <= asked, True)
    walk.equal("refund", slots.refundOf(alice), most - price)
    before = alice.balance
    paid = slots.collectRefund(alice, sender=alice)
    walk.equal("refund collected", alice.balance, before + most - price - paid.total_fees_paid)
    walk.equal("proceeds", slots.proceeds(), price)
    walk.equal("licence's kind", slots.licenceOf(1).kind, PERP_KIND)
    walk.summary["slot_price"] = price
    walk.tell(
        f"the price has fallen to {_okb(asked)}; Alice sends 50 OKB more than that, pays {_okb(price)}"
    )
    walk.tell("and takes the difference back: licence 1, room for one perpetual for a year")


def choose_providers(walk: Walk) -> None:
    """Let three providers register and a venue choose two of three."""
    oracles, people = walk.trust.beside["oracles"], walk.people
    alice, providers = people[2], people[8:11]
    walk.chapter("Price providers")
    bond = oracles.config().bond
    oracles.openFeed(1, 8, keccak(b"BTC in US dollars"), sender=alice)
    for number, account in enumerate(providers, 1):
        oracles.register(account, bytes(32), "", sender=account, value=bond)
        oracles.offer(number, 1, sender=account)
    walk.equal("bonds", oracles.balance, 3 * bond)
    selection = ([1, 2, 3], 2, 2_000, 5_000, 50_000)
    oracles.select(1, selection, sender=alice)
    told = walk.told(messages.ORACLE_SET)
    walk.equal("quorum told", told["quorum"], 2)
    signers = [told[f"signer{i}"] for i in range(3)]
    walk.equal("signers told", signers, [bytes.fromhex(p.address[2:]) for p in providers])
    walk.tell(f"three providers post {_okb(bond)} each and offer Alice's feed 'BTC in US dollars'")
    walk.tell("she selects all three, two of which make an index; the zone is told their keys")


def price_stake(walk: Walk) -> None:
    """Let governance say what stake counts for: an optimistic parameter that nobody objects to."""
    trust, people = walk.trust, walk.people
    risk = trust.beside["risk"]
    walk.chapter("What stake counts for")
    draft = _draft("parameter", (risk, "setPrice", 2, OKB_IN_USD * USD), "OKB in dollars")
    number = _propose(walk, draft, people[3])
    walk.tell(
        f"a voter proposes that one OKB counts for {OKB_IN_USD} USD; three days pass, nobody objects"
    )
    governor = trust.governance.governor("parameter")
    walk.wait_until(governor.proposalDeadline(number))
    walk.equal("state", governor.state(number), SUCCEEDED)
    _enact(walk, draft, number)
    walk.equal("price", risk.priceOf(2), OKB_IN_USD * USD)
    walk.tell("after its day in the timelock anyone executes it")


def list_perpetual(walk: Walk) -> None:
    """List a perpetual on the bought slot."""
    trust, alice = walk.trust, walk.people[2]
    beside = trust.beside
    walk.chapter("A perpetual")
    market = beside["perps"].listPerp(PERP, sender=alice).return_value
    walk.equal("market", market, 1)
    slot = beside["slots"].slotOf(market)
    walk.equal("licence it stands on", slot.licence, 1)
    told = walk.told(messages.LIST_PERP)
    walk.equal("id told", told["id"], 1 << 16 | 1)
    walk.equal("margins told", (told["imr0"], told["mmr0"]), (50_000, 25_000))
    cap = walk.told(messages.SET_RISK)["cap"]
    multiple = trust.governance.limits.valueOf(13)
    walk.equal("cap told", cap, 1_000 * multiple * OKB_IN_USD * USD)
    walk.summary["cap"] = cap
    walk.tell(
        "Alice lists BTC-USD on licence 1: 20x, 2.5 % maintenance, bounds checked against the protocol's"
    )
    walk.tell(
        f"its open interest is sized by stake: 1,000 OKB x {multiple} x {OKB_IN_USD} USD = {_usd(cap)}"
    )


def record_incident(walk: Walk) -> tuple[bytes, tuple[Any, ...]]:
    """Make a state final in which a provider was caught and the venue has a loss; record the incident."""
    trust, people = walk.trust, walk.people
    zone, oracles = trust.zone, trust.beside["oracles"]
    walk.chapter("An incident, from a root")
    tree = Records()
    tree.put(
        "outbox",
        OUTBOX_SLOT,
        kind=OUTBOX_INCIDENT,
        asset=int(Code.DEVIATION),
        owner=3,
        market=1,
        venue=1,
        amount=5_500_000_000_000,
        time=walk.now * 1000,
    )
    tree.put("ledger", LEDGER_SLOT, state=ACTIVE, venue=1, asset=2, deficit=LOSS)
    asserter, sequencer = people[11], people[1]
    zone.chain.postBond(sender=asserter, value=zone.params.claim_bond)
    parent = bytes(zone.chain.genesisClaim())
    header = _commit(walk, sequencer)
    zone.chain.claim(parent, header.number, header.hash(), tree.root, sender=asserter)
    claim = batches.claim_id(parent, header.number, header.hash(), tree.root)
    walk.tell(
        "the zone's price of BTC broke: provider 3 was far off, and a loss of 40 USD is uncovered"
    )
    walk.tell(
        "the batch is committed, its state claimed with a bond; whoever disagrees has seven days"
    )
    params = zone.params
    walk.wait(params.window_seconds, params.window_blocks + 1)
    zone.chain.finalize(claim, sender=people[12])
    walk.equal("final root", bytes(zone.chain.finalRootOf(claim)), tree.root)
    oracles.recordIncident(claim, tree.proof("outbox", OUTBOX_SLOT), sender=people[12])
    count = oracles.incidentsOf(3, int(Code.DEVIATION))
    walk.equal("incidents of provider 3", count, 1)
    walk.summary["incidents"] = count
    walk.tell("the root is final: a stranger proves the incident record against it, once")
    return claim, tree.proof("ledger", LEDGER_SLOT)


def accuse(walk: Walk) -> bytes:
    """Accuse the deployer of negligence before a jury."""
    trust, people = walk.trust, walk.people
    court, alice, accuser = trust.beside["court"], people[2], people[12]
    walk.chapter("An accusation")
    base = court.baseOf(alice, 1)
    walk.equal("what is at stake", base, 1_500 * OKB)
    share = 20
    bond = court.bondFor(base, share)
    walk.equal("bond", bond, base * share // 100 * 2 // 100)
    accusation = (
        alice,
        1,
        1,
        share,
        2,
        keccak(b"incident 1: two of three providers were one person"),
    )
    receipt = court.accuse(accusation, "ipfs://incident-1", sender=accuser, value=bond)
    case = bytes(court.Accused.from_receipt(receipt)[0].caseId)
    walk.equal("open cases", trust.zone.staking.caseOf(case).isClosed, False)
    walk.tell(
        "somebody accuses Alice of negligence: two of the providers she chose were one person"
    )
    walk.tell(
        f"{_okb(base)} are at stake, 20 % are asked, the bond is {_okb(bond)}; her stake is locked at once"
    )
    court.respond(case, keccak(b"I did not know"), "ipfs://answer", sender=alice)
    walk.tell("Alice answers within three days")
    return case


def judge(walk: Walk, case: bytes) -> None:
    """Let aged stake judge in secret, and rule."""
    trust, people = walk.trust, walk.people
    court, staking = trust.beside["court"], trust.zone.staking
    alice, accuser = people[2], people[12]
    walk.chapter("The jury")
    votes = {people[3]: 20, people[4]: 12, people[5]: 12, people[6]: 0}
    _end(walk, court, case, 2)
    for juror, share in votes.items():
        sealed = court.commitmentFor(case, 1, juror, share, SALT)
        court.commitVote(case, sealed, sender=juror)
    walk.tell("four jurors with 2,000 OKB each send sealed votes")
    _end(walk, court, case, 3)
    for juror, share in votes.items():
        court.revealVote(case, share, SALT, sender=juror)
    walk.equal("weight revealed", court.revealedOf(case, 1), 8_000 * OKB)
    _end(walk, court, case, 4)
    verdict = court.verdictOf(case, 1)
    walk.equal("verdict", (verdict.isReached, verdict.share), (True, 12))
    walk.tell(
        "they open them: 20 %, 12 %, 12 %, 0 %; half of the weight wants 12 % or less: that is the verdict"
    )
    _end(walk, court, case, 5)
    walk.tell("three days for an appeal pass unused")
    before = {
        name: court.owedTo(who)
        for name, who in (("accuser", accuser), ("treasury", trust.governance.treasury))
    }
    bond = court.caseOf(case).bond
    walk.chapter("The slash")
    court.rule(case, sender=people[7])
    taken = 1_500 * OKB * 12 // 100
    walk.equal("stake behind the venue", staking.stakeOf(1), 1_000 * OKB - taken)
    walk.equal("pool", court.poolOf(case).amount, taken // 2)
    reward = taken * 5 // 100
    walk.equal("owed to the accuser", court.owedTo(accuser), before["accuser"] + bond + reward)
    rest = taken - taken // 2 - reward
    walk.equal(
        "owed to the treasury", court.owedTo(trust.governance.treasury), before["treasury"] + rest
    )
    walk.equal("stake in all", staking.totalStaked(), 9_500 * OKB - taken)
    walk.summary["slashed"] = taken
    walk.tell(
        f"anyone calls the ruling: {_okb(taken)} of Alice's stake are taken: {_okb(taken // 2)} for the harmed,"
    )
    walk.tell(f"{_okb(reward)} and the bond back to the accuser, {_okb(rest)} to the treasury")
    risk = trust.beside["risk"]
    risk.tell(1, 2, sender=people[7])
    cap = walk.told(messages.SET_RISK)["cap"]
    walk.equal("cap told", cap, (1_000 * OKB - taken) // OKB * 20 * OKB_IN_USD * USD)
    walk.tell(f"less stake carries less: the zone now opens at most {_usd(cap)} on this venue")
    del alice


def compensate(walk: Walk, case: bytes, claim: bytes, ledger: tuple[Any, ...]) -> None:
    """Give what the ledger lost behind the venue's wall."""
    trust, people = walk.trust, walk.people
    court, desk, zone = trust.beside["court"], trust.beside["restitution"], trust.zone
    usd = project.TestToken.at(walk.summary["token"])
    walk.chapter("Compensation")
    treasury = trust.governance.treasury
    before, pool = court.owedTo(treasury), court.poolOf(case).amount
    walk.equal("newest final claim", bytes(zone.chain.latestFinal()), claim)
    court.compensate(case, ledger, sender=people[7])
    given = LOSS * OKB // (OKB_IN_USD * USD)
    walk.equal("coin for sale", desk.lotOf(1).left, given)
    walk.equal("rest to the treasury", court.owedTo(treasury), before + pool - given)
    walk.tell(
        f"the final root shows a loss of {_usd(LOSS)}: {_okb(given)} of the pool are for it, no more; the rest is the"
    )
    walk.tell("treasury's, because what a fund keeps is its deployer's in the end")
    buyer = people[4]
    usd.mint(buyer, 1_000 * USD, sender=buyer)
    usd.approve(desk, 1_000 * USD, sender=buyer)
    walk.wait(44 * HOUR)
    cost = desk.costOf(1, given)
    vault = usd.balanceOf(zone.vault)
    paid = desk.buy(1, given, cost, sender=buyer).return_value
    walk.equal("paid, at most what was shown", paid <= cost, True)
    walk.equal("dollars in the vault", usd.balanceOf(zone.vault), vault + paid)
    told = walk.told(messages.SLASH)
    walk.equal("told to the zone", told, {"venue": 1, "asset": 2, "amount": paid})
    walk.equal("owed by the vault", zone.vault.outstanding(2), paid)
    walk.equal("coin left", desk.balance, 0)
    walk.summary["compensated"] = paid
    walk.tell(f"stake is sold by a falling price; after two days somebody pays {_usd(paid)} for it")
    walk.tell(
        "the dollars are in the vault, and the zone books them to the venue's ledger: losses first"
    )
    court.collect(people[12], sender=people[12])
    court.collect(treasury, sender=people[7])
    walk.equal("coin of the court", court.balance, court.totalOwed())
    walk.tell("accuser and treasury are paid; the court holds nothing that it does not owe")


def change_parameter(walk: Walk) -> None:
    """Propose a limit, object, vote, execute."""
    trust, people = walk.trust, walk.people
    limits, governor = trust.governance.limits, trust.governance.governor("parameter")
    walk.chapter("A parameter, through objection and vote")
    call = (limits, "set", TAKER_DELAY, 25)
    draft = _draft("parameter", call, "takers wait 25 ms at most")
    number = _propose(walk, draft, people[3])
    walk.tell("a voter proposes to lower the longest taker delay from 50 to 25 ms")
    first_end = governor.proposalDeadline(number)
    walk.wait(2 * HOUR)
    governor.castVoteWithReason(number, AGAINST, "makers need more", sender=people[6])
    end = governor.proposalDeadline(number)
    walk.equal("the vote is longer", end > first_end, True)
    walk.tell(
        "one with a fifth of the stake objects: silence is consent no longer, it is a vote of five days"
    )
    for voter in people[3:6]:
        governor.castVote(number, FOR, sender=voter)
    against, in_favour, _ = governor.proposalVotes(number)
    walk.equal("votes", (against, in_favour), (2_000 * OKB, 6_000 * OKB))
    walk.wait_until(end)
    walk.equal("state", governor.state(number), SUCCEEDED)
    walk.tell("6,000 OKB for, 2,000 against: it passes, with a quorum of a fifth")
    _enact(walk, draft, number)
    walk.equal("longest taker delay", limits.valueOf(TAKER_DELAY), 25)
    walk.summary["taker_delay"] = 25
    walk.tell("queued, a day in plain sight, executed: 25 ms")


# --- hands -----------------------------------------------------------------------------------------


class Records:
    """A state of a few records, and its tree."""

    def __init__(self) -> None:
        self._tables = [replace(TABLE_BY_NAME[n], capacity=4) for n in ("outbox", "ledger")]
        self._state = {t.number: np.zeros(t.capacity, t.dtype) for t in self._tables}
        self._tree = RecordTree(self._tables)

    def put(self, name: str, slot: int, **values: int) -> None:
        """Write a record."""
        table = TABLE_BY_NAME[name]
        for column, value in values.items():
            self._state[table.number][slot][column] = value
        self._tree.rebuild(self._state)

    @property
    def root(self) -> bytes:
        """The state's root."""
        return self._tree.root

    def proof(self, name: str, slot: int) -> tuple[int, list[bytes], list[bytes]]:
        """Slot, words and siblings of a record, as contracts take them."""
        number = TABLE_BY_NAME[name].number
        words = to_words(self._state[number][slot].tobytes())
        parts = [words[i : i + 32] for i in range(0, len(words), 32)]
        return slot, parts, self._tree.prove(number, slot)


def _commit(walk: Walk, sequencer: Any) -> batches.Header:
    """Commit a batch that has consumed the whole inbox."""
    zone = walk.trust.zone
    tip, count = zone.chain.tip(), zone.inbox.count()
    moment = max(tip.endTime, walk.now * 1000)
    header = batches.Header(
        epoch=1,
        number=tip.number + 1,
        parent=bytes(tip.hash),
        inputs_root=keccak(b"a day of trading"),
        first_seq=tip.nextSeq,
        count=10,
        inbox_index=count,
        inbox_hash=bytes(zone.inbox.prefixHash(count)),
        first_block=tip.nextBlock,
        blocks=3,
        start_time=moment,
        end_time=moment,
    )
    zone.chain.commit(astuple(header), sender=sequencer)
    return header


def _draft(kind: str, call: tuple[Any, ...], words: str) -> tuple[Any, ...]:
    contract, function, *arguments = call
    data = bytes(getattr(contract, function).encode_input(*arguments))
    return kind, [contract.address], [0], [data], words


def _propose(walk: Walk, draft: tuple[Any, ...], by: Any) -> int:
    kind, *rest = draft
    governor = walk.trust.governance.governor(kind)
    governor.propose(*rest, sender=by)
    hashed = (*rest[:3], keccak(rest[3].encode()))
    walk.wait(governor.votingDelay() + 1)
    return int(governor.hashProposal(*hashed))


def _enact(walk: Walk, draft: tuple[Any, ...], number: int) -> None:
    kind, *rest = draft
    governance, anyone = walk.trust.governance, walk.people[7]
    governor = governance.governor(kind)
    hashed = (*rest[:3], keccak(rest[3].encode()))
    governor.queue(*hashed, sender=anyone)
    walk.equal("state", governor.state(number), QUEUED)
    walk.wait(governance.timelock(kind).getMinDelay() + 1)
    governor.execute(*hashed, sender=anyone)
    walk.equal("state", governor.state(number), EXECUTED)


def _end(walk: Walk, court: Any, case: bytes, phase: int) -> None:
    """Let a phase of a case pass."""
    walk.wait_until(*court.endOf(case, phase))


def _okb(wei: int) -> str:
    return f"{wei / OKB:,.2f}".rstrip("0").rstrip(".") + " OKB"


def _usd(atoms: int) -> str:
    return f"{atoms / USD:,.2f} USD".replace(".00 ", " ")
