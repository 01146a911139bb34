"""Two sequencers: the first is killed, time passes, the second takes over from L1 and published files alone.

Trading goes on under another key; a stranger replays the whole zone over the boundary of the epochs; the first one hears
that it is deposed; what it had acknowledged and not committed never was.
"""

from __future__ import annotations

import shutil

import pytest

from tests.contracts.courtroom import key_of
from tests.contracts.driver import Clock
from tests.e2e.conftest import SEQUENCER, STRANGER, TAKER
from tests.e2e.running_zone import RunningZone
from tests.e2e.test_operate import open_node, wait_for
from tests.e2e.test_scripts import do, fails, misused  # noqa: F401 -- fixtures
from tradezone.chain import ChainError, ChainReader, DeposedError, Office, prepare_takeover
from tradezone.client import build_place
from tradezone.protocol.limits import RESTART_POST
from tradezone.sequencer import RecoveryError
from tradezone.verifier import verify


@pytest.fixture
def clock(chain):
    return Clock(chain)


@pytest.fixture
def standbys(spare, do):  # noqa: F811
    """The sequencer and a stranger are bonded, and the sequencer lives."""
    do("register", "join", "sequencer", account=SEQUENCER)
    do("register", "join", "sequencer", account=STRANGER)
    trade(spare, "50.5")
    spare.publish()
    spare.pass_time(1)
    spare.poster(with_data=True).post()
    return spare


def market_of(zone):
    return zone.market(1, zone.asset(1, "OKB"), zone.asset(2, "USDT"))


def trade(zone, price):
    """A buyer takes a lot, of the maker's order that rests at 50.25."""
    import ape

    taker = ape.accounts.test_accounts[TAKER]
    zone.pass_time(1)
    zone.take_messages()
    zone.run()
    zone.sequencer.close_block(is_empty_allowed=True)
    zone.pass_time(RESTART_POST // 1_000 + 1)  # behind a gap only makers are let in for a while
    zone.clock.time_ms = zone.l1_time
    before = zone.balance(taker.address, 1)
    zone.send(
        zone.signer(taker).place(build_place(market_of(zone), "buy", price, "0.1", tif="ioc"))
    )
    zone.run()
    assert zone.balance(taker.address, 1) == before + 10**8


def open_second(zone, accounts, folder, epoch=2):
    """The second sequencer on the folder that it prepared."""
    account = accounts[STRANGER]
    secret = bytes.fromhex(account.private_key.removeprefix("0x"))
    return RunningZone(
        zone.rpc.url, zone.deployment_path, folder, secret, account.address, epoch=epoch
    )


def pass_takeover(zone):
    zone.pass_time(601, 3)


def test_a_standby_takes_over_and_trading_goes_on(
    standbys,
    accounts,
    do,  # noqa: F811
    fails,  # noqa: F811
    script,
    tool,
    deployed,
    tmp_path,
    clock,
):
    first = standbys
    committed = first.reader.batches()
    trade(first, "60")  # acknowledged
    first.publish()  # and published, and never committed
    trade(first, "61")
    void_head = first.sequencer.head
    pass_takeover(first)
    rows = script("sequencer", "list", deployment=deployed).json
    assert [(row["turn"], row["account"]) for row in rows] == [
        ("in office", accounts[SEQUENCER].address),
        ("1", accounts[STRANGER].address),
    ]

    # What a stranger has: an address of L1, and published files up to what was committed.
    files = tmp_path / "files"
    files.mkdir()
    for number in range(1, committed + 1):
        shutil.copy(first.directory / "batches" / f"{number}.batch", files)
    chain_address = first.deployment.address("chain")
    told = tool(
        *["takeover", "--rpc", first.rpc.url, "--chain", chain_address],
        *["--data", files, "--into", tmp_path / "second", "--json"],
    )
    assert told.status == 0, told.text
    assert told.json["batch"] == committed
    assert told.json["tip"] == "0x" + first.reader.header_hash(committed).hex()
    assert told.json["wrong_claims"] == 0
    again = tool(
        *["takeover", "--rpc", first.rpc.url, "--chain", chain_address],
        *["--data", files, "--into", tmp_path / "second"],
    )
    assert again.status == 1
    assert "is not empty" in again.text

    made = do("sequencer", "take-over", "--data", tmp_path / "second", account=STRANGER)
    assert (made["epoch"], made["key"]) == (2, accounts[STRANGER].address)
    assert made["first batch"] == committed + 1

    second = open_second(first, accounts, tmp_path / "second")
    try:
        assert second.sequencer.block < first.sequencer.block
        assert second.sequencer.head == first.reader.header_hash(committed) != void_head
        trade(second, "52")
        second.publish()
        second.restart()  # its own journal begins in the middle of the zone
        trade(second, "53")
        second.publish()
        second.pass_time(1)
        poster = second.poster(with_data=True)
        posted = poster.post()
        assert (posted[0].first, posted[-1].last) == (committed + 1, committed + 2)
        header = second.reader.header(committed + 1)
        assert header.epoch == 2
        poster.post_bond()
        # Nobody had claimed the last batch of the first epoch: the second knows its root.
        assert committed in [claimed.batch for claimed in poster.claim()]
    finally:
        second.sequencer.close()
    reader = ChainReader(first.rpc, chain_address)
    report = verify(tmp_path / "second" / "batches", reader, reader, reader, reader.separator())
    assert (report.is_ok, report.last_batch) == (True, committed + 2)

    # The first one: L1 takes nothing of it any more, and neither does its own service go on.
    with pytest.raises(ChainError, match="another sequencer posted it"):
        first.poster(with_data=True).post()
    assert "the sequencer of epoch 2" in fails(
        "post", "batches", "--data", first.directory, account=SEQUENCER
    )
    shutil.copytree(first.directory, tmp_path / "data")
    with pytest.raises(DeposedError, match="epoch 1 is over: L1 is in epoch 2"):
        open_node(tmp_path, first, first.rpc.url)
    # Not even when it comes into office again: its folder is of what never was.
    pass_takeover(first)
    assert do("sequencer", "take-over", account=SEQUENCER)["epoch"] == 3
    with pytest.raises(DeposedError, match=f"batch {committed + 2} on L1 is another"):
        open_node(tmp_path, first, first.rpc.url, epoch=3)


def test_a_service_that_is_deposed_while_it_runs_takes_no_more_orders(
    standbys,
    tmp_path,
    do,  # noqa: F811
):
    zone = standbys
    shutil.copytree(zone.directory, tmp_path / "data")
    node = open_node(tmp_path, zone, zone.rpc.url)
    node.start()
    try:
        wait_for(lambda: node.is_ready and node.inbox.last_poll > 0)
        assert node.pipeline.failure is None
        pass_takeover(zone)
        do("sequencer", "take-over", account=STRANGER)
        wait_for(lambda: node.pipeline.failure is not None)
        assert "epoch 1 is over" in str(node.pipeline.failure)
        assert not node.is_ready
    finally:
        node.stop()


def test_a_standby_serves_the_folder_that_it_prepared(
    standbys,
    accounts,
    tmp_path,
    do,  # noqa: F811
    monkeypatch,
):
    """As a service, with market data and history that begin where it took over."""
    zone = standbys
    home = tmp_path / "home"
    home.mkdir()
    prepare_takeover(zone.reader, zone.directory / "batches", home / "data")
    monkeypatch.setattr(zone, "secret", bytes.fromhex(accounts[STRANGER].private_key[2:]))
    with pytest.raises(DeposedError, match="the sequencer of epoch 1 is"):
        open_node(home, zone, zone.rpc.url)  # not yet
    pass_takeover(zone)
    do("sequencer", "take-over", "--data", home / "data", account=STRANGER)
    node = open_node(home, zone, zone.rpc.url, epoch=2)
    node.start()
    try:
        begin = node.report.last_block
        assert begin > 1
        wait_for(lambda: node.views.history_block > begin)
        assert node.pipeline.failure is None
    finally:
        node.stop()
    node = open_node(home, zone, zone.rpc.url, epoch=2)
    try:
        node.start()
        assert node.report.last_block > begin
    finally:
        node.stop()


def test_a_folder_that_is_behind_takes_nothing_over(standbys, tmp_path, fails):  # noqa: F811
    zone = standbys
    prepare_takeover(zone.reader, zone.directory / "batches", tmp_path / "second")
    trade(zone, "54")
    zone.publish()
    zone.pass_time(1)
    zone.poster(with_data=True).post()
    pass_takeover(zone)
    text = fails("sequencer", "take-over", "--data", tmp_path / "second", account=STRANGER)
    assert "a batch was committed since" in text


def test_files_that_are_missing_or_wrong_make_no_folder(standbys, tmp_path):
    zone = standbys
    files = tmp_path / "files"
    shutil.copytree(zone.directory / "batches", files)
    last = zone.reader.batches()
    (files / f"{last}.batch").unlink()
    with pytest.raises(ChainError, match=f"batch {last} cannot be replayed"):
        prepare_takeover(zone.reader, files, tmp_path / "second")
    assert not (tmp_path / "second").exists()


def test_nobody_takes_over_too_early_or_without_a_bond(standbys, fails):  # noqa: F811
    assert "TooEarly" in fails("sequencer", "take-over", account=STRANGER)
    pass_takeover(standbys)
    assert "NotAStandby" in fails("sequencer", "take-over", account=TAKER)


def test_an_operator_rotates_its_key_and_goes_on_in_its_own_folder(
    standbys,
    accounts,
    do,  # noqa: F811
    fails,  # noqa: F811
    tmp_path,
):
    zone = standbys
    zone.sequencer.close()
    key = accounts[TAKER].address
    agreed = do("register", "consent", "sequencer", accounts[SEQUENCER].address, account=TAKER)[
        "consent"
    ]
    given = ("sequencer", "rotate", "--key", key, "--consent", agreed, "--data", zone.directory)
    assert "this is" in fails(*given, account=STRANGER)
    made = do(*given, account=SEQUENCER)
    assert (made["epoch"], made["key"], made["operator"]) == (2, key, accounts[SEQUENCER].address)
    secret = key_of(accounts[TAKER])
    zone.key = secret
    with pytest.raises(RecoveryError, match="one epoch has one key"):
        zone.start()
    zone.epoch = 2
    zone.start()
    trade(zone, "55")
    zone.publish()
    zone.pass_time(1)
    poster = zone.poster(address=key, with_data=True)
    (posted,) = poster.post()
    assert zone.reader.header(posted.last).epoch == 2
    inbox = zone.deployment.address("inbox")
    Office(zone.rpc, inbox, 2, secret.address, zone.directory).check()
    # What was published before the next rotation and not posted is lost, and the folder with it.
    trade(zone, "56")
    zone.publish()
    given = ("sequencer", "rotate", "--data", zone.directory)
    assert "post them in their epoch first" in fails(*given, account=SEQUENCER)
    assert do("sequencer", "rotate", account=SEQUENCER)["epoch"] == 3
    office = Office(zone.rpc, inbox, 3, key_of(accounts[SEQUENCER]).address, zone.directory)
    with pytest.raises(DeposedError, match=f"batch {posted.last + 1} was published in epoch 2"):
        office.check()
