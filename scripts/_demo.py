"""The demonstration's steps: a whole exchange on a local chain, from a stake to a withdrawal with a proof.

Everything a user would meet is real: the contracts on anvil, the zone as ``tradezone serve`` runs it, which hears L1 by
itself and is spoken to through its gateway alone, the signatures, the journal, the batches and claims on L1, the verifier in a
process of its own that knows nothing but the RPC address and the published files. Exit status 0 only if every check held;
the figures are left in ``.demo/summary.json``.
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
    from collections.abc import Callable

    from tradezone.chain import Poster, Rpc
    from tradezone.client.zone import BlockingZone
    from tradezone.service.replay import Replay
    from tradezone.testing import Group, OrderFlow, RunCheck, Trader

FOLDER: Final = Path(".demo")
USD_DECIMALS: Final = 6
SHARE: Final = 10**18  # token units of one share: the quantum of AAPL, so an atom is a share
TICK_VALUE: Final = 10_000  # one cent in atoms of the dollar
BATCH_BLOCKS: Final = 4_000
BATCH_MS: Final = 30_000
PATIENCE_S: Final = 300.0  # for the service to do what it does by itself
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
    service: subprocess.Popen[bytes]
    client: BlockingZone
    replay: Replay  # of the journal, beside the service: every event, from genesis on
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
    try:
        usd, aapl = open_market(demo)
        traders = deposit(demo, usd, aapl, funding)
        trade(demo, flow, groups, traders)
        withdraw(demo, usd, traders[0])
        verify(demo)
    finally:
        stop_service(demo)
    demo.summary["seconds"] = round(time.perf_counter() - started, 1)
    (FOLDER / "summary.json").write_text(json.dumps(demo.summary, indent=2) + "\n")
    story.close()
    print(f"\nall of it held, in {demo.summary['seconds']} s; figures in {FOLDER}/summary.json")


# --- L1 --------------------------------------------------------------------------------------------


def start_zone(story: Story, rpc: Rpc) -> Demo:
    """Deploy the root of trust and start a zone, as a service, at the genesis that it names."""
    from tradezone.chain import KeySender, Poster
    from tradezone.client import PrivateKey, to_checksum_address
    from tradezone.client.zone import BlockingZone
    from tradezone.engine import Engine
    from tradezone.protocol.hashing import keccak
    from tradezone.sequencer.recovery import SnapshotPoint
    from tradezone.service import load_config
    from tradezone.service.replay import Replay

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

    story.begin("service")
    path = write_config(rpc, zone, secret)
    service = subprocess.Popen(
        [sys.executable, "-m", "tradezone.cli", "serve", "--config", str(path)],
        stderr=(FOLDER / "zone.log").open("wb"),
    )
    try:
        url = find_service(service)
        poster = Poster(rpc, zone.chain.address, KeySender(rpc, secret), FOLDER / "zone")
        poster.post_bond()
        separator = load_config(path).domain.separator
        replay = Replay(FOLDER / "zone", separator, SnapshotPoint(Engine()))
        demo = Demo(story, rpc, zone, service, BlockingZone(url), replay, poster)
    except BaseException:
        service.kill()
        raise
    story.done("service", f"tradezone serve at {url}, process {service.pid}")
    return demo


def write_config(rpc: Rpc, zone: Deployment, secret: bytes) -> Path:
    """Write the key and ``zone.yaml`` of the service; return the path of the latter."""
    key = FOLDER / "sequencer.key"
    key.touch(0o600)
    key.write_text(secret.hex())
    path = FOLDER / "zone.yaml"
    path.write_text(
        f"""\
name: demo
data: zone
domain: {{chain_id: {rpc.chain_id()}, contract: "{zone.chain.address}"}}
sequencer: {{key_file: sequencer.key, idle_block_ms: 500}}
batches: {{blocks: {BATCH_BLOCKS}, milliseconds: {BATCH_MS}, snapshot_batches: 0}}
gateway: {{port: 0, requests_per_minute: 10000000}}
l1: {{rpc: "{rpc.url}", inbox: "{zone.inbox.address}", poll_ms: 200, confirmations: 0}}
"""
    )
    return path


def find_service(service: subprocess.Popen[bytes]) -> str:
    """Wait until the service listens, and return its address."""
    from tradezone.service import read_lock

    def look() -> str:
        check(service.poll() is None, f"the service ended: see {FOLDER}/zone.log")
        body = read_lock(FOLDER / "zone") or {}
        return f"http://{body['host']}:{body['port']}" if "port" in body else ""

    return wait_for(look, "the service did not start")


def wait_for(look: Callable[[], Any], text: str) -> Any:
    """Wait until ``look`` returns something, and return it. DemoError with ``text`` if it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := look()):
        check(time.monotonic() < deadline, text)
        time.sleep(0.05)
    return found


def fetch_state(demo: Demo) -> dict[str, Any]:
    """Return where the service stands, by its own word."""
    state: dict[str, Any] = demo.client.fetch("/v1/zone")["state"]
    return state


def stop_service(demo: Demo) -> None:
    """End the service as an operator does, unless it has ended already."""
    if demo.service.poll() is not None:
        return
    demo.client.close()
    demo.service.terminate()
    status = demo.service.wait(PATIENCE_S)
    check(status == 0, f"the service ended with status {status}: see {FOLDER}/zone.log")


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
    from tradezone.client import to_checksum_address
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

    messages = int(zone.inbox.count())
    wait_for(
        lambda: int(fetch_state(demo)["inbox"]) >= messages,
        f"the service did not hear {messages} inbox messages",
    )
    traders = []
    for secret in secrets:
        owner = demo.client.fetch(f"/v1/owners/0x{get_address(secret).hex()}")
        traders.append(Trader(owner["main_account"], int(owner["keys"][0]["id"]), secret))
    deposits = len(calls) - 4
    story.done("deposits", f"{deposits} deposits of {len(traders)} traders, heard from L1")
    return traders


# --- trading ---------------------------------------------------------------------------------------


def trade(demo: Demo, flow: OrderFlow, groups: list[Group], traders: list[Trader]) -> None:
    """Send the flow through the gateway, a group at a time, and see every group share a block."""
    from tradezone.protocol.actions import PLACE
    from tradezone.protocol.events import FILL
    from tradezone.testing import RunCheck, presign

    story = demo.story
    story.begin("signing")
    start = int(fetch_state(demo)["time"]) + 1
    signed = []
    for n, leaves in enumerate(presign(groups, traders, demo.client.separator, start), 1):
        signed.append(leaves)
        if n % 500 == 0 or n == len(groups):
            story.progress(n, len(groups), "groups")
    envelopes = sum(map(len, signed))
    orders = sum(d.items for g in groups for d in g.envelopes if d.action == PLACE)
    story.done("signing", f"{envelopes:,} envelopes of {len(traders)} accounts")

    story.begin("trading")
    failed, began = 0, time.perf_counter()
    for n, leaves in enumerate(signed, 1):
        answers = demo.client.send_all(leaves)
        for answer in answers:
            check(answer["status"] == "executed", f"the zone refused an envelope: {answer}")
            failed += int(answer["result"]) >> 16
        blocks = {answer["block"] for answer in answers}
        check(len(blocks) == 1, f"a group of envelopes came into blocks {sorted(blocks)}")
        if n % 200 == 0 or n == len(signed):
            story.progress(n, len(signed), "groups")
    busy = time.perf_counter() - began
    last = int(fetch_state(demo)["block"])

    run, fills = RunCheck(flow), 0
    for block in demo.replay.run(last):
        fills += int((block.events["kind"] == FILL).sum())
        run.apply(block.events)
    actions = sum(d.items for g in groups for d in g.envelopes)
    demo.summary |= {
        "flow": flow.name,
        "orders": orders,
        "actions": actions,
        "fills": fills,
        "envelopes": envelopes,
        "groups": len(signed),
        "blocks": last,
        "orders_per_s": round(orders / busy),
        "actions_per_s": round(actions / busy),
        "group_ms": round(1_000 * busy / len(signed), 2),
    }
    each = f"each group answered, on disk, in {1_000 * busy / len(signed):.1f} ms"
    story.done("trading", f"{orders:,} orders, {fills:,} fills; {each}")

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

    story = demo.story
    story.begin("batches and claims")
    now = int(fetch_state(demo)["time"])
    envelope = Envelope(
        account=trader.account,
        key=trader.key,
        nonce=now + 3_600_000,  # above every nonce of the flow
        expires_after=now + 60_000,
        action=WITHDRAW,
        body=pack(WITHDRAW_BODY, {"asset": 2, "amount": WITHDRAWN}),
    )
    leaf = PrivateKey(trader.secret).sign(envelope, demo.client.separator).to_leaf()
    answer = demo.client.send(leaf)
    last = int(answer["block"])
    blocks = [block.events for block in demo.replay.run(last)]
    events = [e for rows in blocks for e in rows if e["kind"] == WITHDRAWN_EVENT]
    check(len(events) == 1, "the withdrawal did not reach the outbox")
    message = int(events[0]["order"])
    wait_for(lambda: is_published(last), "the batch with the withdrawal was not published")
    stop_service(demo)
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


def is_published(block: int) -> bool:
    """Whether a batch that holds a block lies on disk, whole."""
    from tradezone.sequencer import read_published

    published = read_published(FOLDER / "zone" / "batches")
    if not published or not published[-1].state_root:
        return False
    header = published[-1].header
    return header.first_block + header.blocks > block


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
