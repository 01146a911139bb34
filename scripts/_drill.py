"""The drill's steps: a zone full of every kind of holding, its sequencer killed, and everybody out.

From the kill on nothing is used but the L1 node and the published batch files, by ``tradezone exit`` in
processes of their own. Owners hold no coin: one relayer pays all gas. What each owner must get is taken from the
engine before it dies and compared, owner by owner, with what L1 paid.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from ape import accounts as ape_accounts
from ape import project
from ape.logging import logger

from scripts import _drill_perps as perps
from scripts._deployment import OKB, Deployment, ZoneParams, deploy_zone
from scripts._story import Story

if TYPE_CHECKING:
    from tradezone.chain import InboxWatcher, Poster, Rpc
    from tradezone.client import Instrument, PrivateKey, Signer
    from tradezone.sequencer import ManualClock, Sequencer

FOLDER: Final = Path(".drill")
NATIVE, USD, SHARE, PLAY = 1, 2, 3, 4  # asset ids
GWEI: Final = 10**9
CENT: Final = 10**4  # atoms of the dollar
UNIT: Final = 10**6  # atoms that a contract pays: a dollar
DEPOSIT_USD: Final = 1_000 * 10**6
DEPOSIT_SHARES: Final = 100
DEPOSIT_NATIVE: Final = 5_000
LATE_USD: Final = 7 * 10**6
DONATION: Final = 12_345
LAST_FINAL: Final = 2  # newest batch with a final claim when the zone dies
CANDIDATES: Final = 3  # outcomes of the event that is open when the zone dies
DESK: Final = 7  # test account that lists perpetuals in the place of their registries
FORCED: Final = 3  # owners that act through L1 at the end
RESOLVED: Final = 5  # phase of an event with a result
THREE_WAY: Final = (2_500, 7_500, 0)  # of 10,000
TWO_WAY: Final = (10_000, 0)


class DrillError(click.ClickException):
    """A check did not hold."""


def check(is_true: bool, text: str) -> None:
    """Stop the drill if something does not hold."""
    if not is_true:
        raise DrillError(text)


@dataclass
class Owner:
    """Somebody with a key and no coin on L1."""

    number: int
    secret: bytes
    address: str
    signer: Signer | None = None


@dataclass
class Drill:
    """What the steps hand on to each other."""

    story: Story
    folder: Path
    rpc: Rpc
    zone: Deployment
    sequencer: Sequencer
    clock: ManualClock
    watcher: InboxWatcher
    poster: Poster
    resolver: Any
    tokens: dict[int, Any]
    owners: list[Owner]
    markets: dict[str, Instrument] = field(default_factory=dict)
    due: Counter[tuple[str, int]] = field(default_factory=Counter)
    before: Counter[tuple[str, int]] = field(default_factory=Counter)
    steps: list[dict[str, Any]] = field(default_factory=list)
    is_lost: bool = False
    provider: PrivateKey | None = None  # of prices

    def note(self, step: str, count: int, gas: int, seconds: float) -> None:
        """Record what a step cost: gas in all, and seconds of this machine."""
        self.steps.append({"step": step, "count": count, "gas": gas, "seconds": round(seconds, 1)})


def run_drill(
    provider: Any, count: int, folder: Path = FOLDER, *, is_lost: bool = False
) -> dict[str, Any]:
    """Run all steps against a local chain, and return what they cost.

    With ``is_lost`` the leaves of the batches behind the last final claim die with the sequencer.

    Raises
    ------
    DrillError
        naming the first check that does not hold
    """
    from tradezone.chain import Rpc

    logger.set_level("WARNING")
    started = time.perf_counter()
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    drill = start_zone(Story(), Rpc(provider.uri), count, folder)
    drill.is_lost = is_lost
    open_markets(drill)
    deposit(drill)
    trade(drill)
    late(drill)
    kill(drill)
    (end_abandoned if is_lost else end)(drill)
    leave(drill)
    compare(drill)
    drill.story.close()
    print_costs(drill)
    summary: dict[str, Any] = {
        "accounts": count,
        "steps": drill.steps,
        "seconds": round(time.perf_counter() - started, 1),
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(f"\nall of it held, in {summary['seconds']} s; figures in {folder}/summary.json")
    return summary


# --- a zone that lives -------------------------------------------------------------------------------


def start_zone(story: Story, rpc: Rpc, count: int, folder: Path) -> Drill:
    """Deploy the root of trust and tokens, and start a sequencer."""
    from tradezone.chain import InboxWatcher, KeySender, Poster
    from tradezone.client import PrivateKey, to_checksum_address
    from tradezone.engine import Engine
    from tradezone.protocol.actions import domain_separator
    from tradezone.protocol.hashing import keccak
    from tradezone.sequencer import BatchLimits, ManualClock, SequencerConfig, recover

    story.begin("root of trust")
    tests = ape_accounts.test_accounts
    secret = keccak(b"exchange os drill: sequencer")
    key = PrivateKey(secret)
    resolver = tests[0].deploy(project.PuppetResolver)
    params = ZoneParams.local(
        Engine().commit_root(),
        to_checksum_address(key.address),
        tests[2].address,
        claim_stride=2,
        resolver=resolver.address,
    )
    desk = {tests[DESK].address: perps.to_bitmap(perps.DESK_KINDS)}
    zone = deploy_zone(tests[0], project, params, desk)
    tests[0].transfer(to_checksum_address(key.address), 100 * OKB)
    tokens = {
        USD: tests[1].deploy(project.TestToken, "Drill dollar", "USD", 6),
        SHARE: tests[1].deploy(project.TestToken, "Drill share", "SHR", 0),
    }
    story.done("root of trust", f"{len(zone.addresses)} contracts, chain {zone.chain.address}")
    clock = ManualClock(rpc.head().time * 1_000)
    separator = domain_separator(rpc.chain_id(), bytes.fromhex(zone.chain.address[2:]))
    sequencer = recover(
        folder / "zone",
        SequencerConfig(separator),
        key,
        clock=clock,
        limits=BatchLimits(blocks=10**6, milliseconds=10**9),
    ).sequencer
    watcher = InboxWatcher(rpc, zone.inbox.address, folder / "inbox.json", confirmations=0)
    poster = Poster(rpc, zone.chain.address, KeySender(rpc, secret), folder / "zone")
    poster.post_bond()
    secrets = [keccak(b"exchange os drill: owner %d" % i) for i in range(count)]
    owners = [
        Owner(i, s, to_checksum_address(PrivateKey(s).address)) for i, s in enumerate(secrets)
    ]
    return Drill(
        story, folder, rpc, zone, sequencer, clock, watcher, poster, resolver, tokens, owners
    )


def open_markets(drill: Drill) -> None:
    """Open a venue with a spot market, two events and a simulated asset."""
    from tradezone.client import Asset, Market, OutcomeMarket

    story, zone = drill.story, drill.zone
    story.begin("venue")
    deployer = ape_accounts.test_accounts[1]
    zone.staking.stake(sender=deployer, value=zone.params.venue_stake)
    bond = zone.params.asset_bond
    for token in drill.tokens.values():
        zone.asset_registry.registerAsset(token.address, 1, 10**15, sender=deployer, value=bond)
    zone.venue_registry.createVenue("drill-venue", 0, sender=deployer)
    zone.asset_registry.registerSimulated(1, "PLAY", 6, 10**15, sender=deployer, value=bond)
    zone.asset_registry.setFaucet(PLAY, (10**6, 60_000), sender=deployer)
    common = {
        "minNotional": 0,
        "maxNotional": 10**12,
        "maxLots": 10**6,
        "takerFee": 500,
        "makerFee": 200,
        "protocolShare": 200_000,
        "insuranceShare": 100_000,
        "takerDelay": 3,
        "effectiveAt": 0,
    }
    spot = common | {
        "venue": 1,
        "base": SHARE,
        "quote": USD,
        "lotSize": 1,
        "tickValue": CENT,
        "maxPrice": 10**6,
    }
    zone.listings.listSpot(spot, sender=deployer)
    for outcomes in (CANDIDATES, 2):
        event = common | {
            "venue": 1,
            "asset": USD,
            "outcomes": outcomes,
            "unit": UNIT,
            "voidPayouts": to_vector([10_000, *[0] * (outcomes - 1)]),
            "question": bytes([outcomes]) * 32,
            "tickValue": CENT,
            "closes": 0,
        }
        zone.listings.listEvent(event, b"", sender=deployer)
    dollar, share = Asset(USD, "USD", 6), Asset(SHARE, "SHR", 0)
    drill.markets["spot"] = Market(1, share, dollar, 1, CENT, 10**6, 10**6)
    for i in range(CANDIDATES):
        market = OutcomeMarket(2 + i, f"candidate {i}", 1, dollar, UNIT, CENT, 10**6)
        drill.markets[f"candidate {i}"] = market
    drill.markets["coin"] = OutcomeMarket(2 + CANDIDATES, "coin", 2, dollar, UNIT, CENT, 10**6)
    open_perps(drill, 2 + CANDIDATES + 2)
    story.done("venue", "1 spot market, 2 perpetuals, 2 events, 1 simulated asset")


def open_perps(drill: Drill, first: int) -> None:
    """List a perpetual with isolated and one with shared margin, and give them a price."""
    from tradezone.client import Asset, PrivateKey
    from tradezone.protocol.hashing import keccak

    drill.provider = PrivateKey(keccak(b"exchange os drill: provider of prices"))
    address = bytes.fromhex(drill.provider.address[2:])
    for kind, body in perps.build_listings(first, address):
        drill.zone.inbox.enqueue(kind, body, sender=ape_accounts.test_accounts[DESK])
    dollar = Asset(USD, "USD", 6)
    for slot, name in ((first, "isolated"), (first + 1, "cross")):
        drill.markets[name] = perps.build_market(slot, name, dollar)


def get_perps(drill: Drill) -> list[int]:
    """Slots of the perpetuals."""
    return [drill.markets[name].slot for name in ("isolated", "cross")]


def quote(drill: Drill, dollars: int, leaves: tuple[bytes, ...] = ()) -> None:
    """Let a second pass and the provider say a price; ``leaves`` are in the same block."""
    check(drill.provider is not None, "there is no provider of prices")
    pass_time(drill, 1, 0)
    catch_up(drill)
    separator = drill.sequencer.config.separator
    drill.clock.time_ms = max(drill.clock.time_ms, drill.sequencer.time + 1)
    price = perps.sign(drill.provider, separator, dollars, drill.clock.time_ms)
    submit(drill, [price, *leaves])


def trade_perps(drill: Drill) -> None:
    """Make a quarter of the owners each long and short, in isolated and in cross pools; one at ten times leverage."""
    from tradezone.client import build_place
    from tradezone.protocol.enums import PRICE_LIVE

    tables = drill.sequencer.engine.tables
    slots = get_perps(drill)
    for _ in range(400):
        if all(int(tables["price"]["state"][slot]) == PRICE_LIVE for slot in slots):
            break
        quote(drill, perps.START)
    else:
        raise DrillError("the prices of the perpetuals do not come alive")
    signers = [owner.signer for owner in drill.owners if owner.signer]
    for at, name in ((0, "isolated"), (2, "cross")):
        market, is_cross = drill.markets[name], name == "cross"
        longs, shorts = signers[at::4], signers[at + 1 :: 4]
        pairs = min(len(longs), len(shorts))
        longs, shorts = longs[:pairs], shorts[:pairs]
        careful = [*longs[0 if is_cross else 1 :], *shorts]
        submit(drill, [s.leverage(market.slot, 2, is_cross=is_cross) for s in careful])
        sells = [
            s.place(build_place(market, "sell", perps.START, "0.1", tif="post_only"))
            for s in shorts
        ]
        submit(drill, sells)
        run(drill)
        quote(drill, perps.START)
        submit(drill, [s.place(build_place(market, "buy", perps.START, "0.1")) for s in longs])
        run(drill)
        quote(drill, perps.START)
        rest = [
            s.place(build_place(market, "sell", "1150", "0.01", tif="post_only"))
            for s in shorts[::2]
        ]
        submit(drill, rest)


def crash(drill: Drill, waiting: list[bytes]) -> None:
    """Let the price fall in the last blocks: one pool is under water, and nobody has come to close it."""
    for dollars in perps.CRASH[:-1]:
        quote(drill, dollars)
    quote(drill, perps.CRASH[-1], tuple(waiting))


def to_vector(fractions: list[int] | tuple[int, ...]) -> bytes:
    """Return a payout vector: outcome 0 first."""
    return b"".join(part.to_bytes(2, "big") for part in fractions).ljust(32, b"\0")


def send_all(drill: Drill, calls: list[tuple[str, bytes, int]]) -> None:
    """Send calls from the funder, and see that the last one went through."""
    funder = ape_accounts.test_accounts[3].address
    hash_ = ""
    for n, (to, data, value) in enumerate(calls, 1):
        transaction = {"from": funder, "to": to, "data": "0x" + data.hex(), "value": hex(value)}
        hash_ = drill.rpc.request("eth_sendTransaction", {**transaction, "gas": hex(600_000)})
        drill.story.progress(n, len(calls), "transactions")
    receipt = None
    while receipt is None:
        receipt = drill.rpc.request("eth_getTransactionReceipt", hash_)
    check(int(receipt["status"], 16) == 1, f"transaction {hash_} reverted")


def listen(drill: Drill) -> None:
    """Let the zone hear what L1 says, and run until nothing waits."""
    while found := drill.watcher.poll():
        drill.sequencer.offer_messages(found)
    run(drill)


def catch_up(drill: Drill) -> None:
    """Bring zone time to L1 time, without a gap that would begin the restart phases."""
    from tradezone.protocol.limits import RESTART_GAP

    sequencer = drill.sequencer
    drill.clock.time_ms = max(drill.rpc.head().time * 1_000, sequencer.time)
    while sequencer.block and sequencer.time < drill.clock.time_ms:
        sequencer.close_block(
            min(sequencer.time + RESTART_GAP, drill.clock.time_ms), is_empty_allowed=True
        )


def run(drill: Drill) -> None:
    """Close blocks until nothing waits, orders on their way to the book included."""
    catch_up(drill)
    drill.sequencer.close_until_idle(until_ms=drill.clock.time_ms + 1_000)


def deposit(drill: Drill) -> None:
    """Let somebody deposit for every owner, and the zone hear of it."""
    from tradezone.client import NonceSource, PrivateKey, Signer

    drill.story.begin("deposits")
    vault = drill.zone.vault
    funder = ape_accounts.test_accounts[3].address
    calls = []
    for token in drill.tokens.values():
        calls.append((token.address, bytes(token.mint.encode_input(funder, 10**15)), 0))
        calls.append((token.address, bytes(token.approve.encode_input(vault, 2**255)), 0))
    for owner in drill.owners:
        for asset, amount in ((USD, DEPOSIT_USD), (SHARE, DEPOSIT_SHARES)):
            data = bytes(vault.deposit.encode_input(asset, amount, owner.address))
            calls.append((vault.address, data, 0))
        if owner.number % 5 == 0:
            data = bytes(vault.depositNative.encode_input(owner.address))
            calls.append((vault.address, data, DEPOSIT_NATIVE * GWEI))
    send_all(drill, calls)
    listen(drill)
    tables = drill.sequencer.engine.tables
    registry = drill.zone.owner_registry
    first = registry.idOf(drill.owners[0].address)
    for owner in drill.owners:
        row = tables["owner"][first + owner.number]
        key_slot = int(row["first_key"])
        generation = int(tables["key"][key_slot]["generation"])
        owner.signer = Signer(
            PrivateKey(owner.secret),
            int(row["first_account"]),
            generation << 32 | key_slot,
            drill.sequencer.config.separator,
            nonces=NonceSource(lambda: drill.sequencer.time + 1),
        )
    drill.story.done("deposits", f"{len(calls) - 4:,} deposits for {len(drill.owners):,} owners")


def submit(drill: Drill, leaves: list[bytes]) -> None:
    """Hand envelopes in; all have to be let in and succeed."""
    from tradezone.protocol.errors import Code
    from tradezone.sequencer import Accepted

    catch_up(drill)
    for at in range(0, len(leaves), 200):
        answers = drill.sequencer.admit_and_submit(leaves[at : at + 200])
        for answer in answers:
            check(isinstance(answer, Accepted), f"intake refused an envelope: {answer}")
        block = drill.sequencer.close_block()
        check(block is not None, "envelopes made no block")
        failed = [Code(int(r) & 0xFFFF).name for r in block.results if int(r) >> 16]
        check(not failed, f"{len(failed)} envelopes failed, the first with {failed[:1]}")


def trade(drill: Drill) -> None:
    """Two batches that become final, and two more that are committed only."""
    from tradezone.client import Asset, build_place
    from tradezone.protocol.records import TABLE_BY_NAME

    story, spot = drill.story, drill.markets["spot"]
    story.begin("trading")
    play, dollar = Asset(PLAY, "PLAY", 6), Asset(USD, "USD", 6)
    signers = [owner.signer for owner in drill.owners if owner.signer]
    makers, takers = signers[0::2], signers[1::2]
    submit(
        drill, [s.place(build_place(spot, "sell", "50.10", 10, tif="post_only")) for s in makers]
    )
    run(drill)
    drill.sequencer.publish_batch()
    submit(drill, [s.place(build_place(spot, "buy", "50.10", 4)) for s in takers])
    run(drill)
    drill.sequencer.publish_batch()
    drill.poster.post()
    drill.poster.claim()
    params = drill.zone.params
    pass_time(drill, params.window_seconds, params.window_blocks)
    final = drill.poster.finalize()
    check([claim.batch for claim in final] == [2], "the first claim did not become final")
    if drill.is_lost:
        count_due(drill)

    trade_perps(drill)
    submit(drill, [s.split(1, 5) for s in signers[::3]])
    submit(drill, [s.faucet(play) for s in signers[::4]])
    coin, candidate = drill.markets["coin"], drill.markets["candidate 1"]
    submit(drill, [s.place(build_place(coin, "buy", "0.40", 20)) for s in makers])
    submit(drill, [s.place(build_place(coin, "sell", "0.40", 15)) for s in takers])
    submit(drill, [s.place(build_place(candidate, "sell", "0.30", 2)) for s in signers[::3]])
    run(drill)
    drill.sequencer.publish_batch()
    submit(drill, [s.place(build_place(candidate, "buy", "0.30", 3)) for s in signers[1::3]])
    run(drill)
    submit(drill, [s.withdraw(dollar, 11) for s in signers[::7]])
    # They can take: so they wait for their release when the sequencer dies.
    late = [s.place(build_place(drill.markets["cross"], "buy", "900", "0.01")) for s in makers[:2]]
    crash(drill, [s.place(build_place(spot, "buy", "50.20", 1)) for s in takers[::2]][:100] + late)
    drill.sequencer.publish_batch()
    posted = drill.poster.post()
    tables = drill.sequencer.engine.tables
    ordered = tables["order"][: int(tables["head"][TABLE_BY_NAME["order"].number]["high_water"])]
    states = Counter(int(state) for state in ordered["state"] if state)
    check(len(states) >= 2, f"expected resting and waiting orders, was {dict(states)}")
    orders = sum(states.values())
    found = perps.describe(tables, get_perps(drill))
    kinds = ("long", "short", "isolated", "cross", "under water", "open", "waiting")
    check(
        all(found[kind] for kind in kinds), f"expected perpetuals of all kinds, was {dict(found)}"
    )
    check(found["under water"] == 1, f"{found['under water']} positions are under water")
    story.done("trading", f"{posted[-1].last} batches, {orders:,} orders open or waiting")


def pass_time(drill: Drill, seconds: int, blocks: int) -> None:
    """Move L1 on."""
    drill.rpc.request("evm_increaseTime", seconds)
    drill.rpc.request("anvil_mine", hex(blocks + 1))


def late(drill: Drill) -> None:
    """Messages that no batch will consume: deposits, of a new owner too, and the result of one event."""
    from tradezone.client import PrivateKey, to_checksum_address
    from tradezone.protocol.hashing import keccak

    drill.story.begin("late messages")
    vault, owners = drill.zone.vault, drill.owners
    secret = keccak(b"exchange os drill: a late owner")
    owners.append(Owner(len(owners), secret, to_checksum_address(PrivateKey(secret).address)))
    wanted = [*owners[::20], owners[-1]]
    calls = [
        (vault.address, bytes(vault.deposit.encode_input(USD, LATE_USD, owner.address)), 0)
        for owner in wanted
    ]
    token = drill.tokens[USD]  # a gift, which is nobody's
    calls.append((token.address, bytes(token.transfer.encode_input(vault, DONATION)), 0))
    send_all(drill, calls)
    sender = ape_accounts.test_accounts[0]
    vector = to_vector(TWO_WAY)
    drill.resolver.setResult(2, RESOLVED, int.from_bytes(vector, "big"), sender=sender)
    drill.resolver.resolve(drill.zone.listings, 2, 2, vector, sender=sender)
    for owner in wanted:
        drill.due[owner.address, USD] += LATE_USD
    force(drill)
    drill.story.done(
        "late messages", f"{len(wanted)} deposits, {FORCED} forced operations, 1 result, 1 gift"
    )


def force(drill: Drill) -> None:
    """Owners withdraw, close and cancel through L1, when nobody listens any more."""
    from tradezone.chain import KeySender
    from tradezone.chain.forced import encode_fields
    from tradezone.protocol import messages

    tables = drill.sequencer.engine.tables
    asker = drill.owners[0]
    account = asker.signer.account if asker.signer else 0
    held = {
        int(tables["pool"]["account"][int(row["pool"])]): (slot, int(row["market"]))
        for slot, row in perps.get_rows(tables, "position").items()
    }
    position, market = held.get(account, (1, 1))
    operations: tuple[tuple[int, dict[str, int]], ...] = (
        (messages.FORCED_WITHDRAW, {"account": account, "asset": USD, "amount": 3 * 10**6}),
        (messages.FORCED_CLOSE, {"account": account, "market": market, "position": position}),
        (messages.FORCED_CANCEL_ALL, {"account": account}),
    )
    check(len(operations) == FORCED, "the story tells of other operations")
    contract = drill.zone.forced
    ape_accounts.test_accounts[0].transfer(asker.address, OKB)
    sender = KeySender(drill.rpc, asker.secret)
    for kind, fields in operations:
        data = bytes(contract.submit.encode_input(kind, encode_fields(kind, fields)))
        sender.send(contract.address, data, int(contract.bond()))


# --- and dies ----------------------------------------------------------------------------------------


def kill(drill: Drill) -> None:
    """Write down what everybody is owed, then leave nothing of the zone but the published files."""
    drill.story.begin("kill")
    if not drill.is_lost:
        count_due(drill)
    batches = drill.folder / "zone" / "batches"
    published = drill.folder / "published"
    published.mkdir()
    for path in batches.glob("*.batch"):
        if not drill.is_lost or int(path.stem) <= LAST_FINAL:
            shutil.copy(path, published)
    drill.sequencer.close()
    shutil.rmtree(drill.folder / "zone")
    for owner in drill.owners:
        for asset, token in drill.tokens.items():
            drill.before[owner.address, asset] = token.balanceOf(owner.address)
        drill.before[owner.address, NATIVE] = drill.rpc.balance(owner.address) // GWEI
    files = len(list(published.iterdir()))
    drill.story.done("kill", f"{files} published files are left of it")


def count_due(drill: Drill) -> None:
    """Add up what the engine says belongs to each owner, in the plainest way there is."""
    from tradezone.chain._codec import to_checksum
    from tradezone.protocol.records import TABLE_BY_NAME

    tables = drill.sequencer.engine.tables
    registry = drill.zone.owner_registry
    addresses: dict[int, str] = {}

    def address_of(owner: int) -> str:
        if owner not in addresses:
            addresses[owner] = to_checksum(bytes.fromhex(registry.ownerOf(owner)[2:]))
        return addresses[owner]

    def rows(table: str, column: str) -> Any:
        end = int(tables["head"][TABLE_BY_NAME[table].number]["high_water"])
        used = tables[table][:end]
        return used[used[column] == 1]

    for row in rows("balance", "state"):
        amount = int(row["free"]) + int(row["locked"])
        if int(row["asset"]) != PLAY and amount:
            drill.due[address_of(int(row["owner"])), int(row["asset"])] += amount
    for account, amount in perps.count_margin(tables, get_perps(drill)).items():
        owner = int(tables["account"]["owner"][account])
        drill.due[address_of(owner), USD] += amount
    vectors = {1: THREE_WAY, 2: TWO_WAY}
    for row in rows("holding", "state"):
        value = UNIT * vectors[int(row["group"])][int(row["outcome"])] // 10_000
        amount = int(row["yes"]) * value + int(row["no"]) * (UNIT - value)
        drill.due[address_of(int(row["owner"])), USD] += amount
    for row in rows("outbox", "kind"):
        drill.due[address_of(int(row["owner"])), int(row["asset"])] += int(row["amount"])
    for asset in (NATIVE, USD, SHARE):
        owed = sum(amount for (_, kind), amount in drill.due.items() if kind == asset)
        held = drill.zone.vault.outstanding(asset)
        check(owed == held, f"asset {asset}: the zone owes {owed} atoms, the vault {held}")


def run_tool(drill: Drill, *arguments: str, is_ok: bool = True) -> Any:
    """Run ``tradezone exit`` in a process that knows the RPC address and the published files only."""
    relayer = ape_accounts.test_accounts[5]
    needs_data = arguments[0] != "status"
    return run_command(
        drill,
        ["exit", *arguments],
        is_ok=is_ok,
        needs_data=needs_data,
        environment={"TRADEZONE_EXIT_KEY": relayer.private_key},
    )


def run_command(
    drill: Drill,
    arguments: list[str],
    *,
    is_ok: bool = True,
    needs_data: bool = True,
    environment: dict[str, str] | None = None,
) -> Any:
    """Run a command of ``tradezone`` that is told where L1 is and, if it needs them, the published files."""
    command = [sys.executable, "-m", "tradezone.cli", *arguments, "--json"]
    command += ["--rpc", drill.rpc.url, "--chain", drill.zone.chain.address]
    if needs_data:
        command += ["--data", str(drill.folder / "published")]
    known = os.environ | (environment or {})
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=known)
    if is_ok and done.returncode != 0:
        text = (done.stderr or done.stdout)[-2_000:]
        raise DrillError(f"`tradezone {' '.join(arguments)}` failed: {text}")
    return json.loads(done.stdout)


def advance(drill: Drill, step: str, expected: list[str]) -> dict[str, Any]:
    """Run ``exit advance`` and see that it did what it must."""
    started = time.perf_counter()
    found = run_tool(drill, "advance")
    done = [row["function"] for row in found["done"]]
    check(done == expected, f"{step}: did {done}, expected {expected}")
    for row in found["done"]:
        drill.note(row["function"], 1, row["gas"], 0)
    if drill.steps:
        drill.steps[-1]["seconds"] = round(time.perf_counter() - started, 1)
    standing: dict[str, Any] = found["standing"]
    return standing


def end(drill: Drill) -> None:
    """Freeze, claim, wait, finalize: until escape is open."""
    story, params = drill.story, drill.zone.params
    story.begin("freeze and closing batch")
    standing = run_tool(drill, "status")
    check(standing["mode"] == "live", f"the zone is {standing['mode']}")
    check(not any(s["is_due"] for s in standing["steps"]), "somebody could freeze a living zone")
    check(run_tool(drill, "advance")["done"] == [], "something could be done too early")
    pass_time(drill, params.silence_seconds, params.silence_blocks)
    standing = advance(drill, "freeze", ["freezeSilent", "postBond", "claim", "claim"])
    check(standing["mode"] == "frozen", f"the zone is {standing['mode']}")
    check(standing["closing_batch"] == 5, f"the closing batch is {standing['closing_batch']}")
    pass_time(drill, params.window_seconds, params.window_blocks)
    standing = advance(drill, "finalize", ["finalize", "finalize"])
    check(standing["mode"] == "escape", f"the zone is {standing['mode']}")
    check(not standing["is_abandoned"], "the closing batch was abandoned")
    found = run_command(drill, ["verify"])
    check(found["ok"], f"the verifier objects: {found['report']}")
    last = found["report"]["last_batch"]
    check(last == standing["closing_batch"], f"the verifier replayed {last} batches")
    story.done("freeze and closing batch", f"batch {standing['final_batch']} is final")


def end_abandoned(drill: Drill) -> None:
    """Freeze, find that nobody can compute the closing batch, and abandon what is lost."""
    story, params = drill.story, drill.zone.params
    story.begin("freeze and abandon")
    pass_time(drill, params.silence_seconds, params.silence_blocks)
    standing = advance(drill, "freeze", ["freezeSilent"])
    check(standing["mode"] == "frozen", f"the zone is {standing['mode']}")
    found = run_tool(drill, "advance", is_ok=False)
    check("batch 3 cannot be replayed" in found["error"], f"nothing is missing: {found}")
    pass_time(drill, params.closing_seconds, params.closing_blocks)
    standing = advance(drill, "abandon", ["abandon"])
    check(standing["is_abandoned"], "nothing was abandoned")
    check(standing["final_batch"] == LAST_FINAL, f"ended at batch {standing['final_batch']}")
    story.done("freeze and abandon", f"escape is open at batch {standing['final_batch']}")


def leave(drill: Drill) -> None:
    """Pay everybody; what waits for a result first, and then the rest."""
    story = drill.story
    story.begin("everybody leaves")
    started = time.perf_counter()
    found = run_tool(drill, "leave", is_ok=False)
    waiting = [item for item in found["left"] if item["state"] != "waits for a result"]
    check(not waiting, f"{len(waiting)} payments failed: {waiting[:3]}")
    check(bool(found["left"]) != drill.is_lost, "outcome tokens wait for their result, if any")
    note_payments(drill, found["done"], time.perf_counter() - started)
    vector = int.from_bytes(to_vector(THREE_WAY), "big")
    drill.resolver.setResult(1, RESOLVED, vector, sender=ape_accounts.test_accounts[0])
    started = time.perf_counter()
    found = run_tool(drill, "leave")
    check(found["left"] == [], f"{len(found['left'])} payments are left")
    note_payments(drill, found["done"], time.perf_counter() - started, " with a result")
    again = run_tool(drill, "leave")
    check(again == {"done": [], "left": []}, "something was paid twice")
    kinds = ("exit", "with", "refund")
    paid = sum(row["count"] for row in drill.steps if row["step"].startswith(kinds))
    story.done("everybody leaves", f"{paid:,} payments to {len(drill.owners):,} owners")


def note_payments(
    drill: Drill, rows: list[dict[str, Any]], seconds: float, suffix: str = ""
) -> None:
    """Add up transactions by their function."""
    for function in dict.fromkeys(row["function"] for row in rows):
        mine = [row for row in rows if row["function"] == function]
        items, gas = (sum(row[name] for row in mine) for name in ("items", "gas"))
        drill.note(
            function + suffix, items, gas, seconds if function == rows[-1]["function"] else 0
        )


def compare(drill: Drill) -> None:
    """Every owner has what was owed; the vault has what nobody was owed."""
    drill.story.begin("what is left")
    owners = {owner.address for owner in drill.owners}
    for owner in drill.owners:
        for asset in (NATIVE, USD, SHARE):
            have = (
                drill.rpc.balance(owner.address) // GWEI
                if asset == NATIVE
                else drill.tokens[asset].balanceOf(owner.address)
            )
            got = have - drill.before[owner.address, asset]
            due = drill.due[owner.address, asset]
            check(got == due, f"{owner.address} got {got} atoms of asset {asset}, was owed {due}")
    others = {address for address, _ in drill.due if address not in owners}
    vault = drill.zone.vault
    for asset in (NATIVE, USD, SHARE):
        left = vault.outstanding(asset)
        check(left == 0, f"the vault still owes {left} atoms of asset {asset}")
    left = drill.tokens[USD].balanceOf(vault.address)
    check(
        left == DONATION, f"the vault holds {left} dollars' atoms, expected the gift of {DONATION}"
    )
    for held in (drill.tokens[SHARE].balanceOf(vault.address), drill.rpc.balance(vault.address)):
        check(held == 0, f"the vault holds {held}, expected 0")
    drill.story.done(
        "what is left",
        f"the vault owes nothing and holds the gift; {len(others)} fee accounts were paid too",
    )


def print_costs(drill: Drill) -> None:
    """Print time and gas of what it took to leave."""
    print(f"\n{'transaction':<26}{'count':>8}{'gas':>14}{'gas each':>10}{'seconds':>9}")
    for row in drill.steps:
        each = row["gas"] // max(row["count"], 1)
        print(
            f"{row['step']:<26}{row['count']:>8,}{row['gas']:>14,}{each:>10,}{row['seconds']:>9.1f}"
        )
