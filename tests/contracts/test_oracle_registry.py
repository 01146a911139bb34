"""Price providers: bonds, keys over time, feeds and what the zone is told of them, evidence."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from coincurve import PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts._markets_deployment import oracle_config
from tests.contracts.driver import (
    DAY,
    OKB,
    Outbox,
    attempt,
    constructor_error,
    error_data,
    reverts,
    tries,
)
from tradezone.protocol.actions import (
    LEAF_PRICE,
    PRICE_BYTES,
    PRICE_TYPE,
    domain_separator,
    layout_bytes,
    unpack,
)
from tradezone.protocol.enums import OUTBOX_INCIDENT, OUTBOX_WITHDRAWAL
from tradezone.protocol.errors import Code
from tradezone.protocol.hashing import keccak
from tradezone.protocol.limits import (
    MAX_FEED_PRICE,
    MAX_HEARTBEAT,
    MAX_PROVIDERS,
    MIN_BREAKER,
    MIN_DEVIATION,
    MIN_HEARTBEAT,
    PPM,
    SECP256K1_HALF_ORDER,
)
from tradezone.protocol.messages import ORACLE_SET, ORACLE_SET_BODY, PRICE, PRICE_BODY

VENUE, OTHER = 3, 4
NOBODY = "0x0000000000000000000000000000000000000000"
METADATA, URI = keccak(b"who we are"), "https://example.org/provider.json"
SELECTION = {
    "providers": [1, 2, 3],
    "quorum": 2,
    "heartbeat": 2_000,
    "deviation": 5_000,
    "breaker": 50_000,
}
TWO_PRICES, DEVIATION = int(Code.TWO_PRICES), int(Code.DEVIATION)


@pytest.fixture
def oracles(markets):
    return markets.oracles


@pytest.fixture
def bond(markets):
    return markets.params.provider_bond


@pytest.fixture(autouse=True)
def venues(puppet_venues, alice, bob):
    puppet_venues.setDeployer(VENUE, alice, sender=alice)
    puppet_venues.setDeployer(OTHER, bob, sender=bob)
    return puppet_venues


@pytest.fixture
def providers(oracles, verifiers, bond, clock, venues):
    """Five providers, each its own signer; ids 1 to 5."""
    for account in verifiers:
        oracles.register(account, METADATA, URI, sender=account, value=bond)
    clock.pass_time(10)
    return verifiers


@pytest.fixture
def feed(oracles, providers, alice):
    """A feed of venue 3 that all providers offer; id 1."""
    oracles.openFeed(VENUE, 8, keccak(b"OKB in USD"), sender=alice)
    for number, account in enumerate(providers, 1):
        oracles.offer(number, 1, sender=account)
    return 1


@pytest.fixture
def selected(oracles, feed, alice):
    oracles.select(feed, SELECTION, sender=alice)
    return feed


def digest_of(zone, chain, price):
    """What is signed, from the engine's own definition."""
    words = b"".join(price[k].to_bytes(32, "big") for k in ("feed", "provider", "price", "time"))
    separator = domain_separator(chain.chain_id, bytes.fromhex(zone.chain.address[2:]))
    return keccak(b"\x19\x01" + separator + keccak(keccak(PRICE_TYPE.encode()) + words))


@pytest.fixture
def sign(zone, chain):
    def make(account, price):
        key = PrivateKey(bytes.fromhex(account.private_key.removeprefix("0x")))
        signature = key.sign_recoverable(digest_of(zone, chain, price), hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    return make


def price_at(clock, value=100, provider=1, feed=1, ago=0):
    time = (clock.time - ago) * 1000 + 7
    return {"feed": feed, "provider": provider, "price": value, "time": time}


def told(markets, index=-1):
    """The newest message in the inbox, as its kind and fields."""
    logs = list(
        markets.inbox.Message.range(0, markets.inbox.provider.get_block("latest").number + 1)
    )
    log = sorted(logs, key=lambda entry: entry.index)[index]
    layout = {ORACLE_SET: ORACLE_SET_BODY, PRICE: PRICE_BODY}[log.kind]
    assert len(log.payload) == layout_bytes(layout)
    return log.kind, unpack(layout, bytes(log.payload))


def count(markets):
    """Messages in the inbox."""
    return markets.inbox.count()


def signers(body):
    return [
        (body[f"provider{i}"], "0x" + body[f"signer{i}"].hex())
        for i in range(MAX_PROVIDERS)
        if body[f"provider{i}"]
    ]


# --- providers


def test_anyone_becomes_a_provider_for_the_bond(oracles, bond, alice, bob, clock):
    receipt = oracles.register(bob, METADATA, URI, sender=alice, value=bond)
    assert receipt.return_value == oracles.providerCount() == 1
    entry = oracles.providerOf(1)
    assert (entry.account, entry.bond, entry.metadata) == (alice, bond, METADATA)
    assert oracles.keyAt(1, receipt.timestamp) == bob
    assert oracles.keyAt(1, receipt.timestamp - 1) == NOBODY
    assert oracles.isSelectable(1)
    assert oracles.balance == bond


def test_the_bond_is_exact_and_the_key_is_somebody(oracles, bond, alice):
    for sent in (0, bond - 1, bond + 1):
        with reverts(oracles.WrongBond, sent=sent, expected=bond):
            oracles.register(alice, METADATA, URI, sender=alice, value=sent)
    with reverts(oracles.ZeroAddress):
        oracles.register(NOBODY, METADATA, URI, sender=alice, value=bond)


def test_only_the_account_acts_for_a_provider(oracles, providers, feed, bob):
    account = providers[0].address
    for call in (
        lambda: oracles.rotate(1, bob, sender=bob),
        lambda: oracles.setMetadata(1, METADATA, URI, sender=bob),
        lambda: oracles.offer(1, 1, sender=bob),
        lambda: oracles.retract(1, 1, sender=bob),
        lambda: oracles.exit(1, sender=bob),
        lambda: oracles.withdrawBond(1, sender=bob),
    ):
        with reverts(oracles.NotProvider, caller=bob.address, account=account):
            call()


def test_unknown_providers_are_refused(oracles, alice):
    for call in (
        lambda: oracles.providerOf(1),
        lambda: oracles.rotate(1, alice, sender=alice),
        lambda: oracles.topUp(1, sender=alice, value=1),
        lambda: oracles.retract(1, 1, sender=alice),
        lambda: oracles.withdrawBond(0, sender=alice),
    ):
        with reverts(oracles.UnknownProvider):
            call()


def test_metadata_is_replaced(oracles, providers):
    oracles.setMetadata(1, keccak(b"new"), URI, sender=providers[0])
    assert oracles.providerOf(1).metadata == keccak(b"new")


def test_a_new_key_is_valid_two_days_later_and_the_old_one_until_then(
    oracles, providers, bob, carol, clock
):
    receipt = oracles.rotate(1, bob, sender=providers[0])
    start = receipt.timestamp + 2 * DAY
    assert oracles.keyAt(1, start - 1) == providers[0]
    assert oracles.keyAt(1, start) == bob
    with reverts(oracles.RotationPending, provider=1, **{"from": start}):
        oracles.rotate(1, carol, sender=providers[0])
    clock.set_next(start)
    with reverts(oracles.SameKey, provider=1, signer=bob.address):
        oracles.rotate(1, bob, sender=providers[0])
    oracles.rotate(1, carol, sender=providers[0])
    assert oracles.keyCount(1) == 3
    assert tuple(oracles.keyOf(1, 1)) == (bob, start)
    assert oracles.keyAt(1, start) == bob
    with reverts(oracles.ZeroAddress):
        clock.pass_time(3 * DAY)
        oracles.rotate(1, NOBODY, sender=providers[0])


def test_who_leaves_has_no_key_any_more_and_gets_the_bond_after_unbonding(
    oracles, providers, bond, clock, markets
):
    account = providers[0]
    with reverts(oracles.NotLeaving, provider=1):
        oracles.withdrawBond(1, sender=account)
    receipt = oracles.exit(1, sender=account)
    assert oracles.keyAt(1, receipt.timestamp + DAY) == NOBODY
    assert oracles.keyAt(1, receipt.timestamp + DAY - 1) == account
    assert not oracles.isSelectable(1)
    for call in (
        lambda: oracles.rotate(1, account, sender=account),
        lambda: oracles.exit(1, sender=account),
        lambda: oracles.topUp(1, sender=account, value=1),
        lambda: oracles.setMetadata(1, METADATA, URI, sender=account),
        lambda: oracles.offer(1, 1, sender=account),
    ):
        with reverts(oracles.Leaving, provider=1):
            call()
    until = receipt.timestamp + 21 * DAY, receipt.block_number + 40
    clock.pass_time(22 * DAY)
    with reverts(oracles.BondLocked, untilTime=until[0], untilBlock=until[1]):
        oracles.withdrawBond(1, sender=account)
    clock.pass_blocks(40)
    before = account.balance
    receipt = oracles.withdrawBond(1, sender=account)
    assert account.balance == before + bond - receipt.total_fees_paid
    with reverts(oracles.BondTooSmall, provider=1, asked=1, bond=0):
        oracles.withdrawBond(1, sender=account)


def test_a_key_that_is_not_valid_yet_never_becomes_so_after_an_exit(oracles, providers, bob):
    receipt = oracles.rotate(1, bob, sender=providers[0])
    start = receipt.timestamp + 2 * DAY
    oracles.exit(1, sender=providers[0])
    assert oracles.keyAt(1, start - 1) == providers[0]
    assert oracles.keyAt(1, start) == NOBODY
    assert oracles.keyCount(1) == 2


def test_a_bond_that_cannot_be_paid_stays(oracles, project, alice, bond, clock):
    wallet = alice.deploy(project.HostileRecipient)
    call = oracles.register.encode_input(alice, METADATA, URI)
    wallet.execute(oracles, call, sender=alice, value=bond)
    wallet.execute(oracles, oracles.exit.encode_input(1), sender=alice)
    clock.pass_both(22 * DAY, 40)
    wallet.refuse(sender=alice)
    with reverts(oracles.TransferFailed, to=wallet.address, amount=bond):
        wallet.execute(oracles, oracles.withdrawBond.encode_input(1), sender=alice)
    assert oracles.providerOf(1).bond == bond
    wallet.call_back(oracles, oracles.withdrawBond.encode_input(1), sender=alice)
    wallet.execute(oracles, oracles.withdrawBond.encode_input(1), sender=alice)
    assert wallet.is_success() is False
    assert (wallet.balance, oracles.balance) == (bond, 0)


def test_the_court_takes_for_the_treasury_and_a_short_bond_can_be_filled_up(
    oracles, providers, court, treasury, bond, alice, bob
):
    for thief in (alice, treasury, providers[0]):
        with reverts(oracles.NotCourt, caller=thief.address, court=court.address):
            oracles.slash(1, 1, sender=thief)
    for wrong in (0, bond + 1):
        with reverts(oracles.BondTooSmall, provider=1, asked=wrong, bond=bond):
            oracles.slash(1, wrong, sender=court)
    with reverts(oracles.UnknownProvider, provider=9):
        oracles.slash(9, 1, sender=court)
    oracles.slash(1, 7, sender=court)
    assert (oracles.providerOf(1).bond, oracles.collectable()) == (bond - 7, 7)
    assert not oracles.isSelectable(1)
    before = treasury.balance
    oracles.collect(sender=bob)
    assert treasury.balance == before + 7
    with reverts(oracles.NothingToCollect):
        oracles.collect(sender=bob)
    for wrong in (0, 8):
        with reverts(oracles.WrongBond, sent=wrong, expected=7):
            oracles.topUp(1, sender=bob, value=wrong)
    oracles.topUp(1, sender=bob, value=7)
    assert oracles.isSelectable(1)
    assert oracles.balance == 5 * bond


# --- feeds


def test_a_deployer_opens_feeds_for_its_venue_only(oracles, alice, bob):
    assert oracles.openFeed(VENUE, 8, METADATA, sender=alice).return_value == 1
    entry = oracles.feedOf(1)
    assert (entry.venue, entry.decimals, entry.count) == (VENUE, 8, 0)
    with reverts(oracles.NotDeployer, caller=bob.address, deployer=alice.address):
        oracles.openFeed(VENUE, 8, METADATA, sender=bob)
    with reverts(oracles.UnknownFeed, feed=2):
        oracles.feedOf(2)


def test_a_venue_has_64_feeds_and_the_zone_as_many_as_its_table(oracles, alice, bob):
    for _ in range(64):
        oracles.openFeed(VENUE, 8, METADATA, sender=alice)
    with reverts(oracles.TooManyFeeds, venue=VENUE, limit=64):
        oracles.openFeed(VENUE, 8, METADATA, sender=alice)
    for _ in range(6):
        oracles.openFeed(OTHER, 8, METADATA, sender=bob)
    with reverts(oracles.FeedsFull, maxFeeds=70):
        oracles.openFeed(OTHER, 8, METADATA, sender=bob)


def test_an_offer_binds_until_the_notice_after_its_end(oracles, providers, alice, clock):
    with reverts(oracles.UnknownFeed, feed=1):
        oracles.offer(1, 1, sender=providers[0])
    oracles.openFeed(VENUE, 8, METADATA, sender=alice)
    with reverts(oracles.NotOffered, provider=1, feed=1):
        oracles.retract(1, 1, sender=providers[0])
    since = oracles.offer(1, 1, sender=providers[0]).timestamp
    with reverts(oracles.AlreadyOffered, provider=1, feed=1):
        oracles.offer(1, 1, sender=providers[0])
    until = oracles.retract(1, 1, sender=providers[0]).timestamp + DAY
    assert tuple(oracles.offerOf(1, 1)) == (since, until)
    with reverts(oracles.NotOffered, provider=1, feed=1):
        oracles.retract(1, 1, sender=providers[0])
    clock.pass_time(9 * DAY)
    oracles.offer(1, 1, sender=providers[0])
    assert tuple(oracles.offerOf(1, 1)) == (since, 0)


def test_an_opened_feed_reaches_the_zone_with_nobody_who_could_sign(oracles, markets, alice):
    """The zone takes feeds in the order of their ids, whoever selects providers first."""
    oracles.openFeed(VENUE, 8, METADATA, sender=alice)
    kind, body = told(markets)
    assert (kind, body["feed"], body["venue"], body["quorum"]) == (ORACLE_SET, 1, VENUE, 1)
    nobody = 2**31 - 1
    mute = keccak(bytes(12) + bytes.fromhex(oracles.address[2:]) + nobody.to_bytes(32, "big"))[12:]
    assert signers(body) == [(nobody, "0x" + mute.hex())]


def test_a_selection_is_told_to_the_zone_byte_for_byte(oracles, markets, feed, providers, alice):
    receipt = oracles.select(feed, SELECTION, sender=alice)
    kind, body = told(markets)
    assert kind == ORACLE_SET
    expected = {"feed": 1, "venue": VENUE, "quorum": 2}
    expected |= {"heartbeat": 2_000, "deviation": 5_000, "breaker": 50_000}
    assert {key: body[key] for key in expected} == expected
    assert signers(body) == [(i + 1, providers[i].address.lower()) for i in range(3)]
    assert oracles.providersOf(feed) == [1, 2, 3]
    entry = oracles.feedOf(feed)
    assert (entry.quorum, entry.count, entry.effectiveAt) == (2, 3, receipt.timestamp)


def test_eight_providers_fit(oracles, markets, feed, accounts, alice, bond, clock):
    clock.force_coin(alice, 20 * bond)
    for number in range(6, 10):
        oracles.register(accounts[number], METADATA, URI, sender=alice, value=bond)
        oracles.offer(number, 1, sender=alice)
    with reverts(oracles.ProvidersOutOfRange, given=9, limit=MAX_PROVIDERS):
        oracles.select(feed, SELECTION | {"providers": list(range(1, 10))}, sender=alice)
    most = SELECTION | {"providers": list(range(1, 9)), "quorum": 5}
    oracles.select(feed, most, sender=alice)
    _, body = told(markets)
    assert [number for number, _ in signers(body)] == list(range(1, 9))


def test_a_later_selection_counts_after_the_notice_and_is_told_then(
    oracles, markets, selected, alice, bob, clock
):
    change = SELECTION | {"providers": [2, 4, 5], "quorum": 3}
    before = count(markets)
    receipt = oracles.select(selected, change, sender=alice)
    effective = receipt.timestamp + DAY
    with reverts(oracles.SelectionPending, feed=1, effectiveAt=effective):
        oracles.select(selected, SELECTION, sender=alice)
    clock.set_next(effective - 1)
    with reverts(oracles.NothingNew, feed=1):
        oracles.announce(selected, sender=bob)
    assert count(markets) == before
    clock.set_next(effective)
    oracles.announce(selected, sender=bob)
    _, body = told(markets)
    assert ([number for number, _ in signers(body)], body["quorum"]) == ([2, 4, 5], 3)
    oracles.select(selected, SELECTION, sender=alice)


def test_a_key_that_changes_while_a_selection_waits_is_told_with_the_old_selection(
    oracles, markets, selected, providers, alice, bob, clock
):
    start = oracles.rotate(2, bob, sender=providers[1]).timestamp + 2 * DAY
    clock.set_next(start - 100)
    oracles.select(selected, SELECTION | {"providers": [2, 4, 5], "quorum": 3}, sender=alice)
    clock.set_next(start)
    oracles.announce(selected, sender=bob)
    _, body = told(markets)
    assert body["quorum"] == 2
    assert signers(body)[1] == (2, bob.address.lower())


def test_selections_obey_the_bounds_of_the_protocol(oracles, feed, providers, alice, bob, court):
    def refused(error, change, **values):
        with reverts(error, **values):
            oracles.select(feed, SELECTION | change, sender=alice)

    refused(oracles.ProvidersOutOfRange, {"providers": []}, given=0, limit=MAX_PROVIDERS)
    for count, quorum in ((1, 0), (1, 2), (2, 1), (3, 1), (3, 4), (4, 2), (5, 2), (5, 6)):
        refused(
            oracles.OutOfBounds,
            {"providers": list(range(1, count + 1)), "quorum": quorum},
            term="quorum",
            given=quorum,
            lowest=count // 2 + 1,
            highest=count,
        )
    for term, lowest, highest in (
        ("heartbeat", MIN_HEARTBEAT, MAX_HEARTBEAT),
        ("deviation", MIN_DEVIATION, PPM),
        ("breaker", MIN_BREAKER, PPM),
    ):
        for value in (lowest - 1, highest + 1):
            refused(
                oracles.OutOfBounds,
                {term: value},
                term=term,
                given=value,
                lowest=lowest,
                highest=highest,
            )
    refused(oracles.ProvidersNotRising, {"providers": [1, 1, 2]}, before=1, provider=1)
    refused(oracles.ProvidersNotRising, {"providers": [2, 1, 3]}, before=2, provider=1)
    refused(oracles.ProvidersNotRising, {"providers": [0, 1, 2]}, before=0, provider=0)
    refused(oracles.NotSelectable, {"providers": [1, 2, 6]}, provider=6)
    oracles.slash(1, 1, sender=court)
    refused(oracles.NotSelectable, {}, provider=1)
    oracles.topUp(1, sender=bob, value=1)
    oracles.exit(2, sender=providers[1])
    refused(oracles.NotSelectable, {}, provider=2)
    oracles.retract(3, 1, sender=providers[2])
    refused(oracles.NotOffered, {"providers": [1, 3, 4]}, provider=3, feed=1)
    with reverts(oracles.NotDeployer, caller=bob.address, deployer=alice.address):
        oracles.select(feed, SELECTION, sender=bob)
    with reverts(oracles.UnknownFeed, feed=9):
        oracles.select(9, SELECTION, sender=alice)


def test_a_venue_cannot_name_a_provider_that_did_not_offer(oracles, providers, alice):
    oracles.openFeed(VENUE, 8, METADATA, sender=alice)
    with reverts(oracles.NotOffered, provider=1, feed=1):
        oracles.select(1, SELECTION, sender=alice)


def test_a_feed_goes_with_its_venue(oracles, selected, venues, alice, bob):
    venues.setDeployer(VENUE, bob, sender=bob)
    with reverts(oracles.NotDeployer, caller=alice.address, deployer=bob.address):
        oracles.select(selected, SELECTION, sender=alice)
    oracles.select(selected, SELECTION, sender=bob)


def test_a_rotation_is_announced_once_when_the_key_counts(
    oracles, markets, selected, providers, bob, carol, clock
):
    with reverts(oracles.NothingNew, feed=1):
        oracles.announce(selected, sender=bob)
    start = oracles.rotate(2, bob, sender=providers[1]).timestamp + 2 * DAY
    with reverts(oracles.NothingNew, feed=1):
        oracles.announce(selected, sender=bob)
    clock.set_next(start)
    oracles.announce(selected, sender=carol)
    _, body = told(markets)
    assert signers(body)[1] == (2, bob.address.lower())
    assert signers(body)[0] == (1, providers[0].address.lower())
    with reverts(oracles.NothingNew, feed=1):
        oracles.announce(selected, sender=carol)


def test_who_has_left_keeps_its_place_with_an_address_that_cannot_sign(
    oracles, markets, selected, providers, bob, clock
):
    """The zone refuses a set with a zero signer, and the quorum is over all places."""
    receipt = oracles.exit(2, sender=providers[1])
    clock.set_next(receipt.timestamp + DAY)
    oracles.announce(selected, sender=bob)
    _, body = told(markets)
    mute = keccak(bytes(12) + bytes.fromhex(oracles.address[2:]) + (2).to_bytes(32, "big"))[12:]
    assert signers(body)[1] == (2, "0x" + mute.hex())
    assert body["quorum"] == 2


def test_nobody_takes_the_key_of_another_provider(oracles, providers, bond, alice, bob, clock):
    """A set that names one signer twice is refused by the zone: it would keep every old key."""
    holder = providers[0].address
    with reverts(oracles.KeyTaken, signer=holder, holder=1):
        oracles.register(holder, METADATA, URI, sender=bob, value=bond)
    with reverts(oracles.KeyTaken, signer=holder, holder=1):
        oracles.rotate(2, holder, sender=providers[1])
    oracles.rotate(1, bob, sender=providers[0])
    with reverts(oracles.KeyTaken, signer=bob.address, holder=1):
        oracles.rotate(2, bob, sender=providers[1])
    clock.pass_time(2 * DAY)
    with reverts(oracles.KeyTaken, signer=holder, holder=1):
        oracles.rotate(2, holder, sender=providers[1])
    oracles.rotate(1, holder, sender=providers[0])
    assert oracles.providerOfKey(bob) == oracles.providerOfKey(holder) == 1


def test_a_feed_without_a_selection_has_nothing_to_tell(oracles, feed, bob):
    with reverts(oracles.NothingNew, feed=1):
        oracles.announce(feed, sender=bob)
    with reverts(oracles.UnknownFeed, feed=2):
        oracles.announce(2, sender=bob)


# --- prices


def test_a_price_is_signed_as_the_engine_reads_it(
    oracles, zone, chain, providers, sign, clock, selected
):
    price = price_at(clock, 12_345)
    assert oracles.domainSeparator() == zone.chain.domainSeparator()
    assert oracles.priceDigest(price) == digest_of(zone, chain, price)
    signature = sign(providers[0], price)
    assert oracles.checkPrice(price, signature) == providers[0]
    assert 1 + 4 + 4 + 8 + 8 + len(signature) == PRICE_BYTES
    assert LEAF_PRICE == 3


def test_a_price_counts_with_the_key_of_its_own_time(oracles, providers, sign, clock, bob):
    start = oracles.rotate(1, bob, sender=providers[0]).timestamp + 2 * DAY
    for signer, other, time in (
        (providers[0], bob, start * 1000 - 1),
        (bob, providers[0], (start + DAY) * 1000),
    ):
        price = {"feed": 1, "provider": 1, "price": 5, "time": time}
        assert oracles.checkPrice(price, sign(signer, price)) == signer
        with reverts(oracles.WrongSigner, signer=other.address, expected=signer.address):
            oracles.checkPrice(price, sign(other, price))


def test_who_signs_answers_for_a_key_as_long_as_the_zone_may_take_it(oracles, providers, sign, bob):
    """The zone hears of a new key when somebody announces it; what the old one signs until then is evidence."""
    start = oracles.rotate(1, bob, sender=providers[0]).timestamp + 2 * DAY
    for time in (start * 1000, (start + DAY) * 1000 - 1):
        price = {"feed": 1, "provider": 1, "price": 5, "time": time}
        for signer in (providers[0], bob):
            assert oracles.checkPrice(price, sign(signer, price)) == signer


def test_a_signed_price_is_forced_into_the_zone_once(
    oracles, markets, selected, providers, sign, clock, carol
):
    price = price_at(clock, 12_345)
    signature = sign(providers[0], price)
    receipt = oracles.submitPrice(price, signature, sender=carol)
    kind, body = told(markets)
    assert kind == PRICE
    assert body == price | {"signer": bytes.fromhex(providers[0].address[2:])}
    event = SimpleNamespace(**oracles.PriceTold.from_receipt(receipt)[0].event_arguments)
    assert (event.provider, event.feed, event.price, event.time) == (1, 1, 12_345, price["time"])
    with reverts(oracles.OutOfBounds, term="time"):
        oracles.submitPrice(price, signature, sender=carol)
    older = price | {"time": price["time"] - 1}
    with reverts(oracles.OutOfBounds, term="time"):
        oracles.submitPrice(older, sign(providers[0], older), sender=carol)
    # Another provider's times are its own.
    other = older | {"provider": 2}
    oracles.submitPrice(other, sign(providers[1], other), sender=carol)


def test_what_the_zone_would_refuse_is_not_forced(oracles, selected, providers, sign, clock, bob):
    for change in ({"price": 0}, {"price": MAX_FEED_PRICE + 1}, {"time": (clock.time + 60) * 1000}):
        price = price_at(clock) | change
        with reverts(oracles.OutOfBounds, term=next(iter(change))):
            oracles.submitPrice(price, sign(providers[0], price), sender=bob)
    price = price_at(clock, feed=2)
    with reverts(oracles.UnknownFeed, feed=2):
        oracles.submitPrice(price, sign(providers[0], price), sender=bob)
    price = price_at(clock)
    with reverts(oracles.WrongSigner, signer=bob.address, expected=providers[0].address):
        oracles.submitPrice(price, sign(bob, price), sender=bob)


@pytest.mark.parametrize("name", ["feed", "provider", "price", "time"])
def test_a_signature_covers_every_field(oracles, providers, sign, clock, name):
    price = price_at(clock)
    signature = sign(providers[0], price)
    with reverts(oracles.WrongSigner):
        oracles.checkPrice(price | {name: price[name] + 1}, signature)


def test_other_forms_of_a_signature_are_refused(oracles, providers, sign, clock):
    order = 2 * SECP256K1_HALF_ORDER + 1
    price = price_at(clock)
    good = sign(providers[0], price)
    high = good[:32] + (order - int.from_bytes(good[32:64], "big")).to_bytes(32, "big")
    for bad in (
        good[:64],
        good + b"\0",
        good[:64] + bytes([good[64] - 27]),
        high + bytes([55 - good[64]]),
        bytes(65),
        b"",
    ):
        call = oracles.checkPrice.encode_input(price, bad)
        assert attempt(oracles, call, providers[0])[0] is False


# --- equivocation


def test_two_prices_for_one_moment_are_recorded_once_and_lock_the_bond(
    oracles, providers, sign, clock, bob, bond
):
    a, b = price_at(clock, 100), price_at(clock, 101)
    receipt = oracles.proveEquivocation(
        a, sign(providers[0], a), b, sign(providers[0], b), sender=bob
    )
    event = SimpleNamespace(**oracles.EquivocationRecorded.from_receipt(receipt)[0].event_arguments)
    words = b"".join(v.to_bytes(32, "big") for v in (1, 1, a["time"]))
    assert event.nullifier == keccak(words) == receipt.return_value
    assert (event.provider, event.feed, event.time) == (1, 1, a["time"])
    assert (event.priceA, event.priceB, event.reporter) == (100, 101, bob)
    assert (event.signatureA, event.signatureB) == (sign(providers[0], a), sign(providers[0], b))
    assert oracles.isEquivocationRecorded(keccak(words))
    entry = oracles.providerOf(1)
    assert (entry.equivocations, entry.lockTime, entry.bond) == (1, receipt.timestamp, bond)
    c = a | {"price": 102}
    for first, second in ((a, b), (b, a), (a, c)):
        with reverts(oracles.AlreadyRecorded, nullifier=keccak(words)):
            oracles.proveEquivocation(
                first, sign(providers[0], first), second, sign(providers[0], second), sender=bob
            )


def test_recorded_evidence_holds_a_bond_that_is_leaving_until_the_court_had_time(
    oracles, providers, sign, clock, bob, court, bond
):
    """A15 for providers: evidence in the last moment of an exit."""
    account = providers[0]
    a, b = price_at(clock, 100, ago=1), price_at(clock, 101, ago=1)
    oracles.exit(1, sender=account)
    clock.pass_both(14 * DAY - 60, 40)
    receipt = oracles.proveEquivocation(a, sign(account, a), b, sign(account, b), sender=bob)
    clock.pass_time(8 * DAY)
    until = receipt.timestamp + 21 * DAY, receipt.block_number + 30
    with reverts(oracles.BondLocked, untilTime=until[0], untilBlock=until[1]):
        oracles.withdrawBond(1, sender=account)
    oracles.slash(1, bond // 2, sender=court)
    clock.pass_both(21 * DAY, 30)
    oracles.withdrawBond(1, sender=account)
    assert oracles.balance == 4 * bond + oracles.collectable()


def test_what_proves_nothing_is_refused(oracles, providers, sign, clock, bob):
    a, b = price_at(clock, 100), price_at(clock, 101)

    def refused(error, first, second, by=(providers[0], providers[0]), **values):
        with reverts(error, **values):
            oracles.proveEquivocation(
                first, sign(by[0], first), second, sign(by[1], second), sender=bob
            )

    for name in ("feed", "provider", "time"):
        refused(oracles.NotSameMoment, a, b | {name: b[name] + 1})
    refused(oracles.SamePrice, a, dict(a), price=100)
    for one, two in ((providers[1], providers[0]), (providers[0], providers[1])):
        refused(
            oracles.WrongSigner,
            a,
            b,
            (one, two),
            signer=providers[1].address,
            expected=providers[0].address,
        )
    before = price_at(clock, 100, ago=30 * DAY)
    clock.pass_time(10)
    oldest = (clock.time + 5 - 14 * DAY) * 1000
    clock.set_next(clock.time + 5)
    refused(
        oracles.EvidenceTooOld,
        before,
        before | {"price": 5},
        time=before["time"],
        oldest=oldest,
    )


def test_prices_of_a_moment_before_registration_or_after_the_exit_prove_nothing(
    oracles, providers, sign, clock, bob
):
    before = price_at(clock, 100, ago=1_000)
    end = oracles.exit(1, sender=providers[0]).timestamp + 2 * DAY
    after = {"feed": 1, "provider": 1, "price": 100, "time": end * 1000}
    for price in (before, after):
        other = price | {"price": 9}
        with reverts(oracles.WrongSigner, signer=providers[0].address, expected=NOBODY):
            oracles.proveEquivocation(
                price, sign(providers[0], price), other, sign(providers[0], other), sender=bob
            )


# --- incidents


@pytest.fixture
def final(zone, asserter):
    """Make a state with these outbox records final; returns the claim and the outbox."""
    zone.bond(asserter)

    def make(*records):
        outbox = Outbox()
        for slot, record in enumerate(records, 1):
            outbox.put(slot, **record)
        return zone.finalized(asserter, outbox.root), outbox

    return make


def incident(clock, **changes):
    values = {"kind": OUTBOX_INCIDENT, "asset": TWO_PRICES, "owner": 1, "market": 1, "venue": VENUE}
    return values | {"time": clock.time * 1000, "amount": 5} | changes


def test_an_incident_of_a_final_state_is_counted_once(
    oracles, selected, final, clock, bob, zone, asserter
):
    records = [incident(clock), incident(clock, asset=DEVIATION), incident(clock, asset=DEVIATION)]
    claim, outbox = final(*records)
    receipt = oracles.recordIncident(claim, outbox.proof(1), sender=bob)
    event = SimpleNamespace(**oracles.IncidentRecorded.from_receipt(receipt)[0].event_arguments)
    assert (event.provider, event.feed, event.code, event.id) == (1, 1, TWO_PRICES, 1)
    assert (event.amount, event.count) == (5, 1)
    for slot in (2, 3):
        oracles.recordIncident(claim, outbox.proof(slot), sender=bob)
    assert [oracles.incidentsOf(1, code) for code in (TWO_PRICES, DEVIATION, 0)] == [1, 2, 0]
    assert oracles.isIncidentRecorded(1)
    assert not oracles.isIncidentRecorded(4)
    with reverts(oracles.IncidentRecordedBefore, id=1):
        oracles.recordIncident(claim, outbox.proof(1), sender=bob)
    again = zone.finalized(asserter, outbox.root)
    with reverts(oracles.IncidentRecordedBefore, id=2):
        oracles.recordIncident(again, outbox.proof(2), sender=bob)


def test_an_incident_needs_a_final_root_and_a_proof_bound_to_its_place(
    oracles, zone, selected, final, clock, bob, asserter
):
    """A1, A2 for incidents."""
    claim, outbox = final(incident(clock), incident(clock))
    number, words, siblings = outbox.proof(1)
    for bad in (
        (2, words, siblings),
        (number, words, siblings[:-1]),
        (number, words, [*siblings, bytes(32)]),
        (number, words[:1], siblings),
        (number, [words[0], bytes(32)], siblings),
    ):
        call = oracles.recordIncident.encode_input(claim, bad)
        assert attempt(oracles, call, bob)[0] is False
    pending = zone.claim(asserter, claim, outbox.root)
    with reverts(zone.chain.ClaimNotFinal, claim=pending):
        oracles.recordIncident(pending, outbox.proof(1), sender=bob)


def test_other_records_are_no_incidents_of_a_provider(oracles, selected, final, clock, bob):
    claim, outbox = final(
        incident(clock, kind=OUTBOX_WITHDRAWAL),
        incident(clock, asset=TWO_PRICES - 1),
        incident(clock, asset=DEVIATION + 1),
        incident(clock, owner=4, venue=OTHER),
        incident(clock, market=2),
        incident(clock, owner=9),
        incident(clock, time=(clock.time - DAY) * 1000),
    )
    wrong = ((1, OUTBOX_WITHDRAWAL, 134), (2, 3, 133), (3, 3, 136))
    for slot, kind, code in wrong:
        with reverts(oracles.NotAnIncident, id=slot, kind=kind, code=code):
            oracles.recordIncident(claim, outbox.proof(slot), sender=bob)
    for slot in (4, 5, 6, 7):
        with reverts(oracles.NotObliged):
            oracles.recordIncident(claim, outbox.proof(slot), sender=bob)


def test_nobody_is_blamed_after_the_end_of_an_offer_and_nobody_shakes_blame_off(
    oracles, selected, final, clock, bob, providers
):
    until = oracles.retract(1, 1, sender=providers[0]).timestamp + DAY
    records = [incident(clock, time=(until - 1) * 1000), incident(clock, time=until * 1000)]
    claim, outbox = final(*records)
    oracles.recordIncident(claim, outbox.proof(1), sender=bob)
    with reverts(oracles.NotObliged, provider=1, feed=1, time=until * 1000):
        oracles.recordIncident(claim, outbox.proof(2), sender=bob)
    oracles.offer(1, 1, sender=providers[0])
    oracles.recordIncident(claim, outbox.proof(2), sender=bob)


def test_who_leaves_is_bound_until_the_notice_is_over(
    oracles, selected, final, clock, bob, providers
):
    until = oracles.exit(1, sender=providers[0]).timestamp + DAY
    records = [incident(clock, time=(until - 1) * 1000), incident(clock, time=until * 1000)]
    claim, outbox = final(*records)
    oracles.recordIncident(claim, outbox.proof(1), sender=bob)
    with reverts(oracles.NotObliged, provider=1, feed=1, time=until * 1000):
        oracles.recordIncident(claim, outbox.proof(2), sender=bob)


def test_a_rotation_that_counts_before_the_exit_still_does(oracles, providers, bob, clock):
    start = oracles.rotate(1, bob, sender=providers[0]).timestamp + 2 * DAY
    clock.set_next(start - DAY // 2)
    end = oracles.exit(1, sender=providers[0]).timestamp + DAY
    assert [oracles.keyAt(1, t) for t in (start - 1, start, end - 1, end)] == [
        providers[0],
        bob,
        bob,
        NOBODY,
    ]


# --- construction


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("inbox", NOBODY),
        ("venues", NOBODY),
        ("court", NOBODY),
        ("treasury", NOBODY),
        ("bond", 0),
        ("bond", 2**128),
        ("noticeSeconds", 0),
        ("keySeconds", DAY - 1),
        ("unbondingSeconds", 17 * DAY - 1),
        ("caseSeconds", 0),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(
    oracles, markets, deployer, project, name, value
):
    config = oracle_config(markets.addresses, markets.params)
    assert constructor_error(deployer, project.OracleRegistry, config) is None
    found = constructor_error(deployer, project.OracleRegistry, config | {name: value})
    assert found == error_data("BadConfig(string)", name)


def test_parameters_can_be_read_back(oracles, markets):
    config = oracles.config()
    for name, value in oracle_config(markets.addresses, markets.params).items():
        assert getattr(config, name) == value


def test_bond_and_keys_outlive_what_was_signed(markets):
    params = replace(markets.params)
    lasts = params.evidence_seconds + params.key_seconds + params.notice_seconds
    assert params.provider_unbonding.time >= lasts
    assert params.key_seconds >= params.notice_seconds


def test_forced_coin_changes_nothing(oracles, providers, clock, treasury, bond):
    clock.force_coin(oracles, OKB)
    assert oracles.collectable() == 0
    with reverts(oracles.NothingToCollect):
        oracles.collect(sender=providers[0])
    assert oracles.balance == 5 * bond + OKB


# --- any order of things


@pytest.mark.hypothesis
@settings(max_examples=tries(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    waits=st.lists(st.integers(1, 5 * DAY), min_size=1, max_size=6), probe=st.integers(0, 30 * DAY)
)
def test_a_provider_has_at_each_time_the_key_that_it_had_then(
    oracles, accounts, alice, bond, clock, chain, waits, probe
):
    snapshot = chain.snapshot()
    try:
        start = oracles.register(accounts[6], METADATA, URI, sender=alice, value=bond).timestamp
        keys = [(start, accounts[6].address)]
        for i, wait in enumerate(waits):
            clock.pass_time(wait)
            signer = accounts[7 + i]
            call = oracles.rotate.encode_input(1, signer)
            if not attempt(oracles, call, alice)[0]:
                assert keys[-1][0] > clock.time
                continue
            time = oracles.rotate(1, signer, sender=alice).timestamp
            keys.append((time + 2 * DAY, signer.address))
        times = [start - 1, start + probe, *(time for time, _ in keys)]
        for time in times:
            expected = [address for begin, address in keys if begin <= time] or [NOBODY]
            assert oracles.keyAt(1, time) == expected[-1]
    finally:
        chain.restore(snapshot)
