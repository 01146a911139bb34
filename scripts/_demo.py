"""The demonstration's steps: a whole exchange on a local chain, from a stake to a withdrawal with a proof.

Everything a user would meet is real: the contracts on anvil, the signatures, the journal, the batches and claims
on L1, the verifier in a process of its own that knows nothing but the RPC address and the published files. Exit
status 0 only if every check held; the figures are left in ``.demo/summary.json``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from ape import accounts as ape_accounts
from ape import project
from ape.logging import logger

from scripts._deployment import OKB, Deployment, ZoneParams, deploy_zone
from scripts._story import Story

if TYPE_CHECKING:
    from tradezone.chain import Poster, Rpc
    from tradezone.sequencer import Sequencer
    from tradezone.testing import Group, OrderFlow, RunCheck, Trader

FOLDER: Final = Path(".demo")
USD_DECIMALS: Final = 6
SHARE: Final = 10**18  # token units of one share: the quantum of AAPL, so an atom is a share
TICK_VALUE: Final = 10_000  # one cent in atoms of the dollar
BATCH_BLOCKS: Final = 4_000
WITHDRAWN: Final = 1_000 * 10**USD_DECIMALS  # atoms
TAKER_FEE: Final = 500  # ppm
MAKER_FEE: Final = 200
# what the published data allows: orders that left outside of the recorded window stay as ghosts
LEVEL_1_SHARE: Final = 9_990  # basis points of rows
SKIPPED_QUEUES: Final = 8  # aggressors in the data that pass over the head of the queue


class DemoError(click.ClickException):
    """A check did not hold."""


def check(is_true: bool, text: str) -> None:
    """Stop the demonstration if something does not hold."""
    if not is_true:
        raise DemoError(text)


@dataclass
class Demo:
    """What the steps hand on to each other."""

    story: Story
    rpc: Rpc
    zone: Deployment
    sequencer: Sequencer
    poster: Poster
    summary: dict[str, Any] = field(default_factory=dict)


def run_demo(provider: Any, messages: int) -> None:
    """Run all steps against a local chain; DemoError names the first check that does not hold."""
    from tradezone.chain import Rpc
    from tradezone.testing import build_groups, fetch_flow, get_funding

    logger.set_level("WARNING")  # one line a transaction would bury the story
    started = time.perf_counter()
    story = Story()
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    FOLDER.mkdir()
    rpc = Rpc(provider.uri)
    print(f"chain {rpc.chain_id()} at {provider.uri}")

    story.begin("order flow")
    flow = fetch_flow()
    if messages:
        flow = flow.head(messages)
    groups = list(build_groups(flow))
    story.done("order flow", f"{flow.name}: {len(flow.intentions):,} intentions")
    makers = 1 + max(d.account for g in groups for d in g.envelopes)
    funding = get_funding(groups, makers)

    demo = start_zone(story, rpc)
    usd, aapl = open_market(demo)
    traders = deposit(demo, usd, aapl, funding)
    trade(demo, flow, groups, traders)
    withdraw(demo, usd, traders[0])
    verify(demo)
    demo.summary["seconds"] = round(time.perf_counter() - started, 1)
    (FOLDER / "summary.json").write_text(json.dumps(demo.summary, indent=2) + "\n")
    story.close()
    print(f"\nall of it held, in {demo.summary['seconds']} s; figures in {FOLDER}/summary.json")


# --- L1 --------------------------------------------------------------------------------------------


def start_zone(story: Story, rpc: Rpc) -> Demo:
    """Deploy the root of trust and start a sequencer at the genesis that it names."""
    from tradezone.chain import KeySender, Poster
    from tradezone.client import PrivateKey, to_checksum_address
    from tradezone.engine import Engine
    from tradezone.protocol.actions import domain_separator
    from tradezone.protocol.hashing import keccak
    from tradezone.sequencer import BatchLimits, SequencerConfig, recover

    story.begin("root of trust")
    tests = ape_accounts.test_accounts
    secret = keccak(b"exchange os demo: sequencer")
    key = PrivateKey(secret)
    params = ZoneParams.local(
        Engine().commit_root(), to_checksum_address(key.address), tests[2].address
    )
    zone = deploy_zone(tests[0], project, params)
    tests[0].transfer(to_checksum_address(key.address), 100 * OKB)
    story.done("root of trust", f"{len(zone.addresses)} contracts, chain {zone.chain.address}")
    config = SequencerConfig(
        domain_separator(rpc.chain_id(), bytes.fromhex(zone.chain.address[2:]))
    )
    limits = BatchLimits(blocks=BATCH_BLOCKS, milliseconds=3_600_000)
    sequencer = recover(FOLDER / "zone", config, key, limits=limits).sequencer
    poster = Poster(rpc, zone.chain.address, KeySender(rpc, secret), FOLDER / "zone")
    poster.post_bond()
    return Demo(story, rpc, zone, sequencer, poster)


def open_market(demo: Demo) -> tuple[Any, Any]:
    """Let a deployer stake, create a venue and list AAPL/USD on it."""
    story, zone = demo.story, demo.zone
    deployer = ape_accounts.test_accounts[1]
    story.begin("venue")
    stake = zone.params.venue_stake
    zone.staking.stake(sender=deployer, value=stake)
    usd = deployer.deploy(project.TestToken, "Demo dollar", "USD", USD_DECIMALS)
    aapl = deployer.deploy(project.TestToken, "Demo share", "AAPL", 18)
    bond = zone.params.asset_bond
    most = (1 << 62) - 1
    zone.asset_registry.registerAsset(usd.address, 1, most, sender=deployer, value=bond)
    zone.asset_registry.registerAsset(aapl.address, SHARE, most, sender=deployer, value=bond)
    zone.venue_registry.createVenue("nasdaq-replay", 0, sender=deployer)
    terms = {
        "venue": 1,
        "base": 3,
        "quote": 2,
        "lotSize": 1,
        "tickValue": TICK_VALUE,
        "minNotional": 0,
        "maxNotional": 1_000_000 * TICK_VALUE * 1_000_000,
        "maxLots": 1_000_000,
        "maxPrice": 1_000_000,
        "takerFee": TAKER_FEE,
        "makerFee": MAKER_FEE,
        "protocolShare": 200_000,
        "insuranceShare": 100_000,
        "takerDelay": 0,
        "effectiveAt": 0,
    }
    zone.listings.listSpot(terms, sender=deployer)
    story.done("venue", f"stake {stake // OKB} OKB, venue 1, market 1 AAPL/USD")
    return usd, aapl


def deposit(demo: Demo, usd: Any, aapl: Any, funding: list[Any]) -> list[Trader]:
    """Let every trader deposit, and the zone hear of it; returns the traders with their zone accounts."""
    from tradezone.chain import InboxWatcher
    from tradezone.client import to_checksum_address
    from tradezone.protocol.events import DEPOSITED, KEY_APPROVED, OWNER_REGISTERED
    from tradezone.protocol.limits import PPM
    from tradezone.testing import Trader, get_address, get_secret

    story, zone = demo.story, demo.zone
    story.begin("deposits")
    funder = ape_accounts.test_accounts[3]
    vault = zone.vault.address
    calls: list[tuple[str, Any]] = []
    for token, unit in ((usd, 1), (aapl, SHARE)):
        calls.append(
            (token.address, token.mint.encode_input(funder.address, 10**15 * unit * 10**6))
        )
        calls.append((token.address, token.approve.encode_input(vault, (1 << 256) - 1)))
    secrets = [get_secret(n) for n in range(len(funding))]
    for secret, needs in zip(secrets, funding, strict=True):
        to = to_checksum_address(get_address(secret))
        quote = needs.quote * TICK_VALUE
        quote += quote * max(TAKER_FEE, MAKER_FEE) // PPM + 2 * WITHDRAWN
        calls.append((vault, zone.vault.deposit.encode_input(2, quote, to)))
        if needs.lots:
            calls.append((vault, zone.vault.deposit.encode_input(3, needs.lots * SHARE, to)))
    for n, (to, data) in enumerate(calls, 1):
        transaction = {"from": funder.address, "to": to, "data": "0x" + bytes(data).hex()}
        hash_ = demo.rpc.request("eth_sendTransaction", {**transaction, "gas": hex(600_000)})
        story.progress(n, len(calls), "transactions")
    receipt = None
    while receipt is None:
        receipt = demo.rpc.request("eth_getTransactionReceipt", hash_)
    check(int(receipt["status"], 16) == 1, f"deposit transaction {hash_} reverted")

    sequencer = demo.sequencer
    watcher = InboxWatcher(demo.rpc, zone.inbox.address, FOLDER / "inbox.json", confirmations=0)
    while found := watcher.poll():
        sequencer.offer_messages(found)
    blocks = sequencer.close_until_idle()
    events = [event for block in blocks for event in block.events]
    accounts = {int(e["order"]): int(e["account"]) for e in events if e["kind"] == OWNER_REGISTERED}
    keys = {int(e["account"]): int(e["order"]) for e in events if e["kind"] == KEY_APPROVED}
    deposits = sum(e["kind"] == DEPOSITED for e in events)
    check(deposits == len(calls) - 4, f"{deposits} deposits arrived, expected {len(calls) - 4}")
    traders = []
    for secret in secrets:
        owner = zone.owner_registry.idOf("0x" + get_address(secret).hex())
        account = accounts[owner]
        traders.append(Trader(account, keys[account], secret))
    story.done("deposits", f"{deposits} deposits of {len(traders)} traders")
    return traders


# --- trading ---------------------------------------------------------------------------------------


def trade(demo: Demo, flow: OrderFlow, groups: list[Group], traders: list[Trader]) -> None:
    """Send the flow through intake, journal and engine; post batches and claims as they come."""
    from tradezone.protocol.actions import PLACE
    from tradezone.protocol.events import FILL
    from tradezone.sequencer import Accepted
    from tradezone.testing import RunCheck, presign

    story, sequencer = demo.story, demo.sequencer
    story.begin("signing")
    start = sequencer.time + 1
    signed = []
    for n, leaves in enumerate(presign(groups, traders, sequencer.config.separator, start), 1):
        signed.append(leaves)
        if n % 500 == 0 or n == len(groups):
            story.progress(n, len(groups), "groups")
    envelopes = sum(map(len, signed))
    orders = sum(d.items for g in groups for d in g.envelopes if d.action == PLACE)
    story.done("signing", f"{envelopes:,} envelopes of {len(traders)} accounts")

    story.begin("trading")
    run = RunCheck(flow)
    fills = failed = 0
    busy = 0.0
    for n, leaves in enumerate(signed, 1):
        began = time.perf_counter()
        answers = sequencer.admit_and_submit(leaves)
        for answer in answers:
            check(isinstance(answer, Accepted), f"intake refused an envelope: {answer}")
        block = sequencer.close_block()
        busy += time.perf_counter() - began
        check(block is not None, "a group of envelopes made no block")
        failed += sum(int(result) >> 16 for result in block.results)
        fills += int((block.events["kind"] == FILL).sum())
        run.apply(block.events)
        if n % 200 == 0 or n == len(signed):
            story.progress(n, len(signed), "groups")
    actions = sum(d.items for g in groups for d in g.envelopes)
    demo.summary |= {
        "flow": flow.name,
        "orders": orders,
        "actions": actions,
        "fills": fills,
        "envelopes": envelopes,
        "blocks": sequencer.block,
        "orders_per_s": round(orders / busy),
        "actions_per_s": round(actions / busy),
    }
    rate = f"{round(orders / busy):,} orders/s, {round(actions / busy):,} with cancels and amends"
    story.done("trading", f"{orders:,} orders, {fills:,} fills, {rate}")

    story.begin("books and makers")
    compare(demo, run, failed)


def compare(demo: Demo, run: RunCheck, failed: int) -> None:
    """Compare the books after every message, and the makers of every aggressor, with what was published."""
    report = run.close()
    rows, ten, makers = report.rows_1, report.rows_10, report.aggressors
    demo.summary |= {
        "book_rows": rows.total + ten.total,
        "book_rows_equal": rows.equal + ten.equal,
        "ten_level_rows": ten.total,
        "ten_level_rows_equal": ten.equal,
        "level_1_rows": rows.total,
        "level_1_rows_equal": rows.equal,
        "fills_checked": makers.total,
        "fills_equal": makers.equal,
    }
    check(failed == 0 and report.refused == 0, f"{failed} items failed, {report.refused} refused")
    check(ten.equal == ten.total, f"{ten.equal} of {ten.total} ten-level rows are equal")
    check(rows.is_at_least(LEVEL_1_SHARE), f"only {rows.equal} of {rows.total} rows are equal")
    missed = makers.total - makers.equal
    check(missed <= SKIPPED_QUEUES, f"only {makers.equal} of {makers.total} have the makers")
    demo.story.done(
        "books and makers",
        f"{ten.equal:,}/{ten.total:,} ten-level rows, {rows.equal:,}/{rows.total:,} level-1 rows, "
        f"{makers.equal:,}/{makers.total:,} aggressors",
    )


# --- leaving and checking --------------------------------------------------------------------------


def withdraw(demo: Demo, usd: Any, trader: Trader) -> None:
    """Let a trader withdraw: signed action, outbox record, final root, proof on L1, tokens."""
    from tradezone.client import PrivateKey, to_checksum_address
    from tradezone.protocol.actions import WITHDRAW, WITHDRAW_BODY, Envelope, pack
    from tradezone.protocol.events import WITHDRAWN as WITHDRAWN_EVENT

    story, sequencer = demo.story, demo.sequencer
    story.begin("batches and claims")
    now = max(sequencer.clock.now(), sequencer.time)
    envelope = Envelope(
        account=trader.account,
        key=trader.key,
        nonce=now + 3_600_000,  # above every nonce of the flow
        expires_after=now + 60_000,
        action=WITHDRAW,
        body=pack(WITHDRAW_BODY, {"asset": 2, "amount": WITHDRAWN}),
    )
    leaf = PrivateKey(trader.secret).sign(envelope, sequencer.config.separator).to_leaf()
    sequencer.submit([sequencer.intake.admit_one(leaf)])
    block = sequencer.close_block()
    events = [e for e in block.events if e["kind"] == WITHDRAWN_EVENT]
    check(len(events) == 1, "the withdrawal did not reach the outbox")
    message = int(events[0]["order"])
    sequencer.publish_batch()
    posted = demo.poster.post()
    claimed = demo.poster.claim()
    params = demo.zone.params
    demo.rpc.request("evm_increaseTime", params.window_seconds + 1)
    demo.rpc.request("anvil_mine", hex(params.window_blocks + 1))
    final = demo.poster.finalize()
    check(len(final) == len(claimed) > 0, f"{len(final)} of {len(claimed)} claims became final")
    batches = posted[-1].last
    demo.summary |= {"batches": batches, "l1_root": "0x" + claimed[-1].state_root.hex()}
    story.done("batches and claims", f"{batches} batches, {len(final)} final claims")

    story.begin("withdrawal")
    proof = run_tool(demo, "prove", "withdrawal", "--id", str(message))
    owner = to_checksum_address(PrivateKey(trader.secret).address)
    before = usd.balanceOf(owner)
    stranger = ape_accounts.test_accounts[4]
    siblings = [bytes.fromhex(s[2:]) for s in proof["siblings"]]
    words = [bytes.fromhex(w[2:]) for w in proof["words"]]
    arguments = (bytes.fromhex(proof["claim"][2:]), (message, words, siblings))
    receipt = demo.zone.withdrawals.withdraw(*arguments, sender=stranger)
    received = usd.balanceOf(owner) - before
    demo.summary["withdrawn"] = received
    check(received == WITHDRAWN, f"the trader got {received} token units, expected {WITHDRAWN}")
    story.done(
        "withdrawal", f"{received / 10**USD_DECIMALS:,.2f} USD on L1, {receipt.gas_used:,} gas"
    )


def verify(demo: Demo) -> None:
    """Let a stranger replay everything in a process of its own."""
    demo.story.begin("verification by a stranger")
    found = run_tool(demo, "verify", "--json")
    report = found["report"]
    demo.summary["verified_root"] = report["root"]
    check(bool(found["ok"]), f"the verifier found faults: {report}")
    check(
        report["root"] == demo.summary["l1_root"],
        f"the verifier got root {report['root']}, L1 has {demo.summary['l1_root']}",
    )
    figure = f"{report['leaves']:,} leaves, {report['signatures']:,} signatures, root equal"
    demo.story.done("verification by a stranger", figure)


def run_tool(demo: Demo, *arguments: str) -> Any:
    """Run ``tradezone`` in a process that knows the RPC address and the published files only."""
    command = [sys.executable, "-m", "tradezone.cli", *arguments]
    command += ["--rpc", demo.rpc.url, "--chain", demo.zone.chain.address]
    command += ["--data", str(FOLDER / "zone" / "batches")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DemoError(f"`tradezone {' '.join(arguments)}` failed: {done.stderr or done.stdout}")
    return json.loads(done.stdout)
