"""Intake's checks over a state that is written by hand: scopes, quota and credentials, without the engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradezone.client import (
    Asset,
    ClientError,
    Market,
    NonceSource,
    OutcomeMarket,
    PrivateKey,
    Signer,
    build_amend,
    build_cancel,
    build_place,
    build_plan,
    build_quote,
    readdress_credential,
    sign_credential,
    sign_price,
)
from tradezone.engine.memory import allocate_state, get_tables
from tradezone.engine.signatures import SECP256K1_ORDER
from tradezone.protocol.actions import (
    ACTIONS,
    AMEND,
    CANCEL_ALL,
    CLASS_CANCEL,
    CLASS_TAKE,
    NOOP,
    PLACE,
    Credential,
    Envelope,
    SignedPrice,
    domain_separator,
)
from tradezone.protocol.enums import (
    ACCESS_CREDENTIAL,
    ACCESS_LIST,
    ACCOUNT_USER,
    ACTIVE,
    APPROVAL_ACCESS,
    SCOPE_OWNER,
    SCOPE_TRADE,
)
from tradezone.protocol.errors import Code
from tradezone.protocol.limits import (
    MAX_FEED_PRICE,
    MAX_PROVIDERS,
    MAX_TIME,
    MICRO,
    PRICE_AHEAD,
    QUOTA_DAILY,
    QUOTA_OVERDRAFT,
    QUOTA_START,
    QUOTA_TRICKLE,
)
from tradezone.sequencer.clock import ManualClock
from tradezone.sequencer.credentials import find_access, get_access_bucket, get_address
from tradezone.sequencer.errors import EnvelopeRejectedError
from tradezone.sequencer.intake import Accepted, Intake
from tradezone.sequencer.quota import HAS_DEPOSITED, OwnerQuota, get_cost, get_room, is_over_quota

START = 1_767_225_600_000
DAY = 86_400_000
SEPARATOR = domain_separator(196, bytes.fromhex("5a" * 20))
USD, OKB = Asset(1, "USD", 6), Asset(2, "OKB", 8)
MARKET = Market(1, OKB, USD, 1_000_000, 100, 1_000_000, 1_000_000)
OUTCOME = OutcomeMarket(2, "Final", 3, USD, 1_000_000, 10_000, 10**6)

OWNER, ACCOUNT, OWNER_KEY, AGENT_KEY, VENUE = 2, 3, 4, 5, 6
MAIN, AGENT, PROVIDER = (PrivateKey(bytes([n]) * 32) for n in (1, 2, 3))


def set_address(record, name, address):
    number = int.from_bytes(address, "big")
    for i, bits in enumerate((64, 64, 32)):
        record[f"{name}{i}"] = number >> 64 * i & (1 << bits) - 1


class HandMadeEngine:
    """What intake asks of an engine: tables and the machine's clock."""

    def __init__(self):
        self.tables = get_tables(allocate_state())
        self.machine = self.tables["machine"][0]
        self.machine["time"] = START - 1
        for number in (3, 10):  # owners and venues
            self.tables["head"][number]["high_water"] = 10


@pytest.fixture
def engine():
    engine = HandMadeEngine()
    owner, account = engine.tables["owner"][OWNER], engine.tables["account"][ACCOUNT]
    set_address(owner, "address", MAIN.address)
    owner["quota"], owner["flags"] = QUOTA_START * MICRO, HAS_DEPOSITED
    account["state"], account["kind"], account["owner"] = ACTIVE, ACCOUNT_USER, OWNER
    for slot, key, scope in (
        (OWNER_KEY, MAIN, SCOPE_TRADE | SCOPE_OWNER),
        (AGENT_KEY, AGENT, SCOPE_TRADE),
    ):
        record = engine.tables["key"][slot]
        record["state"], record["scope"], record["owner"] = ACTIVE, scope, OWNER
        set_address(record, "address", key.address)
    venue = engine.tables["venue"][VENUE]
    set_address(venue, "credential_provider", PROVIDER.address)
    venue["min_class"], venue["regions"] = 2, 1 << 12 | 1 << 62
    return engine


@pytest.fixture
def intake(engine):
    return Intake(engine, SEPARATOR, ManualClock(START))


NONCES = NonceSource(lambda: START)


def signer(key=MAIN, slot=OWNER_KEY):
    return Signer(key, ACCOUNT, slot, SEPARATOR, nonces=NONCES)


def credential(**changes):
    fields = {
        "venue": VENUE,
        "owner": OWNER,
        "subject": MAIN.address,
        "region": 12,
        "class_": 2,
        "issued": START - 5,
        "expires": START + 5,
        **changes,
    }
    return sign_credential(PROVIDER, SEPARATOR, **fields)


def resigned(leaf, key=PROVIDER, **changes):
    """The same credential with fields that the client would not sign."""
    return key.sign(replace(Credential.from_leaf(leaf), **changes), SEPARATOR).to_leaf()


def reject(intake, leaf, received=None):
    with pytest.raises(EnvelopeRejectedError) as caught:
        intake.admit_one(leaf, received)
    return caught.value


TRADES = [
    lambda s: s.place(build_place(MARKET, "buy", 60, 1)),
    lambda s: s.amend(build_amend(MARKET, order=5, size=1)),
    lambda s: s.cancel(build_cancel(5)),
    lambda s: s.cancel_all(MARKET),
    lambda s: s.mass_quote(build_quote(MARKET, "buy", 60, 1, client_id="b1")),
    lambda s: s.dead_man(5_000),
    lambda s: s.place_plan(build_plan(MARKET, "sell", "stop", 50, 1)),
    lambda s: s.split(3, 1),
    lambda s: s.merge(3, 1),
    lambda s: s.cancel_plan(5),
    lambda s: s.redeem(OUTCOME),
    lambda s: s.leverage(4, 5),
    lambda s: s.check(9, VENUE, USD),
    lambda s: s.noop(),
]
OWNERS_OWN = [
    lambda s: s.transfer(8, USD, 1),
    lambda s: s.withdraw(USD, 1),
    lambda s: s.approve_key(AGENT.address, START + 9),
    lambda s: s.revoke_key(5),
    lambda s: s.create_account(),
    lambda s: s.approve_interface(12, "0.01%"),
    lambda s: s.faucet(USD),
    lambda s: s.issue(USD, 9, 1),
    lambda s: s.grant_access(VENUE, OWNER),
    lambda s: s.revoke_access(VENUE, OWNER),
    lambda s: s.open_balance(USD),
    lambda s: s.close_balance(USD),
    lambda s: s.allowance(VENUE, USD, 1),
    lambda s: s.take_margin(VENUE, USD, 1),
    lambda s: s.fund(VENUE, USD, 1),
    lambda s: s.defund(VENUE, USD, 1),
]


# --- scopes -----------------------------------------------------------------------------------------


def test_the_two_lists_are_all_actions():
    leaves = [make(signer()) for make in (*TRADES, *OWNERS_OWN)]
    assert sorted(Envelope.from_leaf(leaf).action for leaf in leaves) == list(ACTIONS)


@pytest.mark.parametrize("make", [*TRADES, *OWNERS_OWN])
def test_the_owner_key_may_sign_every_action(intake, make):
    assert intake.admit_one(make(signer())).signer == MAIN.address


@pytest.mark.parametrize("make", TRADES)
def test_an_agent_may_sign_every_trade_action(intake, make):
    assert intake.admit_one(make(signer(AGENT, AGENT_KEY))).signer == AGENT.address


@pytest.mark.parametrize("make", OWNERS_OWN)
def test_an_agent_may_sign_nothing_else(intake, make):
    error = reject(intake, make(signer(AGENT, AGENT_KEY)))
    assert error.code == Code.KEY_SCOPE
    assert "has scope 1, too little for action" in str(error)


def test_a_spoiled_signature_is_refused(intake):
    leaf = signer().dead_man(0)
    assert reject(intake, leaf[:-1] + b"\0").code == Code.BAD_SIGNATURE
    other = Envelope.from_leaf(leaf)
    error = reject(intake, AGENT.sign(other, SEPARATOR).to_leaf())
    assert (error.code, error.recovered, error.expected) == (
        Code.BAD_SIGNATURE,
        AGENT.address,
        MAIN.address,
    )


# --- quota ------------------------------------------------------------------------------------------


def set_quota(engine, actions, flags=HAS_DEPOSITED, trickle_time=START, quota_day=0):
    record = engine.tables["owner"][OWNER]
    record["quota"], record["flags"] = actions * MICRO, flags
    record["trickle_time"], record["quota_day"] = trickle_time, quota_day


def test_an_envelope_costs_an_action_an_item(engine, intake):
    set_quota(engine, 2)
    orders = [build_place(MARKET, "buy", 60, 1)] * 3
    error = reject(intake, signer().place(*orders))
    assert error.code == Code.QUOTA_EXCEEDED
    assert "owner 2 has 2 actions left, the envelope costs 3" in str(error)
    assert intake.admit_one(signer().place(*orders[:2]))


def test_what_waits_for_its_block_counts(engine, intake):
    set_quota(engine, 2)
    answers = intake.admit([signer().noop() for _ in range(4)])
    assert [isinstance(answer, Accepted) for answer in answers] == [True, True, False, False]
    assert answers[3].code == Code.QUOTA_EXCEEDED
    intake.forget_pending()
    assert intake.admit_one(signer().noop())


def test_a_refused_envelope_charges_nothing(engine, intake):
    set_quota(engine, 1)
    leaf = signer().noop()
    assert reject(intake, leaf[:-65] + AGENT.sign_digest(bytes(32))).code == Code.BAD_SIGNATURE
    assert intake.admit_one(leaf)


@pytest.mark.parametrize("make", TRADES)
def test_what_takes_risk_away_goes_on_credit(engine, intake, make):
    set_quota(engine, -10)
    leaf = make(signer())
    on_credit = Envelope.from_leaf(leaf).action in (2, 3, 4, 6, 9, 22, 23)
    answer = intake.admit([leaf])[0]
    assert isinstance(answer, Accepted) is on_credit


def test_an_amend_that_places_anew_goes_on_no_credit(engine, intake):
    set_quota(engine, 0)
    shrink, move = (
        build_amend(MARKET, order=5, size=1),
        build_amend(MARKET, order=5, size=1, mode="post_only"),
    )
    assert intake.admit_one(signer().amend(shrink))
    assert reject(intake, signer().amend(shrink, move)).code == Code.QUOTA_EXCEEDED


def test_credit_ends(engine, intake):
    set_quota(engine, 5 - QUOTA_OVERDRAFT)
    assert intake.admit_one(signer().cancel_all())
    assert reject(intake, signer().cancel_all()).code == Code.QUOTA_EXCEEDED


def test_beyond_the_quota_there_is_one_action_now_and_then(engine, intake):
    set_quota(engine, 0, trickle_time=START - QUOTA_TRICKLE)
    first, second, double = signer().noop(), signer().noop(), signer().redeem(OUTCOME, OUTCOME)
    assert reject(intake, signer().place(*[build_place(MARKET, "buy", 60, 1)] * 2))
    assert intake.admit_one(first)
    assert reject(intake, second).code == Code.QUOTA_EXCEEDED  # the first one waits for its block
    assert intake.admit_one(double)  # on credit
    set_quota(engine, 0, trickle_time=START - QUOTA_TRICKLE + 1)
    intake.forget_pending()
    assert reject(intake, second).code == Code.QUOTA_EXCEEDED


def test_an_owner_without_a_deposit_is_filled_up_daily(engine, intake):
    today = START // DAY
    set_quota(engine, 0, flags=0, quota_day=today)
    assert reject(intake, signer().noop()).code == Code.QUOTA_EXCEEDED
    set_quota(engine, 0, flags=0, quota_day=today - 1)
    assert intake.admit_one(signer().noop())
    set_quota(engine, 0, flags=HAS_DEPOSITED, quota_day=today - 1)
    assert reject(intake, signer().noop()).code == Code.QUOTA_EXCEEDED


@given(
    st.integers(-2 * QUOTA_OVERDRAFT * MICRO, 2 * QUOTA_START * MICRO),
    st.sampled_from([0, 1]),
    st.integers(0, 3),
    st.integers(0, 3 * QUOTA_TRICKLE),
    st.sampled_from(ACTIONS),
    st.integers(1, 30),
    st.integers(0, 3),
    st.integers(0, 3 * DAY),
)
def test_the_check_is_that_of_the_specification(
    quota, flags, day, trickle, action, items, leaf_class, time
):
    owner = OwnerQuota(quota, flags, day, trickle)
    cost = items * (5 if action == CANCEL_ALL else 1) * MICRO
    assert get_cost(action, items) == cost
    filled = quota if flags or time // DAY <= day else max(quota, QUOTA_DAILY * MICRO)
    on_credit = action in (3, 4, 22, 6, 9, 23) or (action == AMEND and leaf_class == CLASS_CANCEL)
    floor = -QUOTA_OVERDRAFT * MICRO if on_credit else 0
    passes = filled - cost >= floor or (cost == MICRO and time >= trickle + QUOTA_TRICKLE)
    assert is_over_quota(owner, action, items, leaf_class, time) is not passes
    assert get_room(owner, action, leaf_class, time) == filled - floor


def test_fractions_of_an_action_are_kept():
    owner = OwnerQuota(MICRO - 1, HAS_DEPOSITED, 0, START)
    assert is_over_quota(owner, NOOP, 1, CLASS_CANCEL, START)
    assert not is_over_quota(owner._replace(quota=MICRO), PLACE, 1, CLASS_TAKE, START)


# --- credentials ------------------------------------------------------------------------------------


def put_access(engine, slot, venue, owner, mode, issued, follows=0):
    record = engine.tables["approval"][slot]
    record["state"], record["kind"] = ACTIVE, APPROVAL_ACCESS
    record["subject"], record["account"], record["value"] = venue, owner, mode
    record["issued"], record["bucket_next"] = issued, follows
    engine.tables["bucket"][get_access_bucket(venue, owner, mode)]["first"] = slot


def test_a_credential_of_the_venues_provider_is_let_in(intake):
    leaf = credential()
    assert intake.admit_one(leaf, START) == Accepted(leaf, PROVIDER.address, START)


def test_credentials_and_envelopes_come_in_any_order(intake):
    leaves = [signer().noop(), credential(), b"", signer().noop(), credential(issued=START - 4)]
    answers = intake.admit(leaves)
    assert [isinstance(answer, Accepted) for answer in answers] == [True, True, False, True, True]
    assert [a.signer for a in answers if isinstance(a, Accepted)] == [
        *(MAIN.address, PROVIDER.address),
        *(MAIN.address, PROVIDER.address),
    ]


@pytest.mark.parametrize(
    ("leaf", "code", "text"),
    [
        (credential(venue=0), Code.VENUE_NOT_FOUND, "there is no venue 0"),
        (credential(venue=10), Code.VENUE_NOT_FOUND, "there is no venue 10"),
        (credential(venue=2**32 - 1), Code.VENUE_NOT_FOUND, "there is no venue 4294967295"),
        (credential(owner=0), Code.OWNER_NOT_FOUND, "there is no owner 0"),
        (credential(owner=10), Code.OWNER_NOT_FOUND, "there is no owner 10"),
        (credential(owner=3), Code.OWNER_MISMATCH, "owner 3 is 0x00"),
        (credential(subject=AGENT.address), Code.OWNER_MISMATCH, "subject is 0x"),
        (credential(venue=7), Code.BAD_SIGNATURE, "venue 7 has no credential provider"),
        (credential(issued=START + 1), Code.BAD_CREDENTIAL, "it holds from"),
        (credential(expires=START), Code.BAD_CREDENTIAL, "it holds from"),
        (credential(expires=MAX_TIME + 1), Code.BAD_CREDENTIAL, "it holds from"),
        (credential(region=13), Code.BAD_CREDENTIAL, "venue 6 does not admit region 13"),
        (resigned(credential(), region=63), Code.BAD_CREDENTIAL, "does not admit region 63"),
        (resigned(credential(), region=2**32 - 1), Code.BAD_CREDENTIAL, "does not admit region"),
        (credential(class_=1), Code.BAD_CREDENTIAL, "class is 1, venue 6 asks for 2 or more"),
        (resigned(credential(), class_=1 << 15), Code.BAD_CREDENTIAL, "class is 32768"),
    ],
)
def test_a_credential_that_the_zone_would_not_take_is_refused(intake, leaf, code, text):
    error = reject(intake, leaf)
    assert error.code == code
    assert text in str(error)


def test_the_last_region_and_millisecond_count(intake):
    assert intake.admit_one(credential(region=62, issued=START, expires=START + 1))


def test_a_credential_that_somebody_else_signed_is_answered_with_address_and_digest(intake):
    leaf = resigned(credential(), AGENT)
    error = reject(intake, leaf)
    assert error.code == Code.BAD_SIGNATURE
    assert (error.recovered, error.expected) == (AGENT.address, PROVIDER.address)
    assert error.digest == Credential.from_leaf(leaf).digest(SEPARATOR)
    assert "the provider is 0x" in str(error)


@pytest.mark.parametrize("part", ["high s", "v", "r"])
def test_a_signature_against_the_rules_recovers_nobody(intake, part):
    leaf = credential()
    r, s, v = leaf[-65:-33], int.from_bytes(leaf[-33:-1], "big"), leaf[-1]
    if part == "high s":
        s, v = SECP256K1_ORDER - s, 55 - v
    elif part == "v":
        v += 2
    else:
        r = bytes(32)
    error = reject(intake, leaf[:-65] + r + s.to_bytes(32, "big") + bytes([v]))
    assert (error.code, error.recovered) == (Code.BAD_SIGNATURE, b"")


def test_a_venue_without_a_provider_is_signed_for_by_nobody(engine, intake):
    set_address(engine.tables["venue"][VENUE], "credential_provider", bytes(20))
    leaf = credential()
    for spoiled in (leaf, leaf[:-65] + bytes(65)):
        assert reject(intake, spoiled).code == Code.BAD_SIGNATURE


def test_a_credential_of_another_size_is_malformed(intake):
    for leaf in (credential()[:-1], credential() + b"\0", b"\5"):
        error = reject(intake, leaf)
        assert error.code == Code.MALFORMED
        assert f"a credential is 116 bytes, was {len(leaf)}" in str(error)


def test_a_credential_is_let_in_once(intake):
    leaf = credential()
    assert intake.admit_one(leaf)
    error = reject(intake, leaf)
    assert error.code == Code.BAD_CREDENTIAL
    assert "waits for its block" in str(error)
    assert reject(intake, credential(issued=START - 6)).code == Code.BAD_CREDENTIAL
    assert intake.admit_one(credential(issued=START - 4))


def test_only_a_newer_credential_replaces_one(engine, intake):
    put_access(engine, 9, VENUE, OWNER, ACCESS_CREDENTIAL, START - 5)
    error = reject(intake, credential())
    assert error.code == Code.BAD_CREDENTIAL
    assert f"it was issued at {START - 5} ms, the zone has one of {START - 5} ms" in str(error)
    assert intake.admit_one(credential(issued=START - 4))


def test_a_copy_for_another_venue_is_another_credential(engine, intake):
    venue = engine.tables["venue"]
    venue[7] = venue[VENUE]
    leaf = credential()
    answers = intake.admit([leaf, readdress_credential(leaf, 7), readdress_credential(leaf, 7)])
    assert [isinstance(answer, Accepted) for answer in answers] == [True, True, False]


def test_records_of_a_bucket_are_told_apart(engine):
    put_access(engine, 9, VENUE, OWNER, ACCESS_CREDENTIAL, 5)
    put_access(engine, 11, VENUE, 8, ACCESS_CREDENTIAL, 6, follows=9)
    bucket = get_access_bucket(VENUE, OWNER, ACCESS_CREDENTIAL)
    engine.tables["bucket"][bucket]["first"] = 11
    tables = engine.tables
    assert int(find_access(tables, VENUE, OWNER, ACCESS_CREDENTIAL)["issued"]) == 5
    assert find_access(tables, VENUE, OWNER, ACCESS_LIST) is None
    assert find_access(tables, VENUE + 1, OWNER, ACCESS_CREDENTIAL) is None


def test_a_walk_through_a_bucket_ends(engine):
    put_access(engine, 9, VENUE, 8, ACCESS_CREDENTIAL, 5, follows=9)
    bucket = get_access_bucket(VENUE, OWNER, ACCESS_CREDENTIAL)
    engine.tables["bucket"][bucket]["first"] = 9
    assert find_access(engine.tables, VENUE, OWNER, ACCESS_CREDENTIAL) is None


def test_an_address_is_read_from_its_limbs(engine):
    address = bytes(range(0xEC, 0x100))
    record = engine.tables["owner"][9]
    set_address(record, "redirect", address)
    assert get_address(record, "redirect") == address
    assert np.any(record["redirect0"])


# --- prices -----------------------------------------------------------------------------------------

FEED, SPEAKER = 3, 77  # a feed, and the id of the provider in its place 1


@pytest.fixture
def feed(engine):
    record = engine.tables["feed"][FEED]
    record["state"], record["providers"] = ACTIVE, 2
    for place, number, key in ((0, 5, AGENT), (1, SPEAKER, PROVIDER)):
        provider = engine.tables["provider"][FEED * MAX_PROVIDERS + place]
        provider["provider"] = number
        set_address(provider, "signer", key.address)
    record["price1"], record["time1"] = 4_000, START - 10
    return record


def test_the_client_signs_what_intake_takes(intake, feed):
    fields = {"feed": FEED, "provider": SPEAKER, "price": 5_000, "time": START}
    leaf = sign_price(PROVIDER, SEPARATOR, **fields)
    assert leaf == price()
    assert intake.admit_one(leaf)
    for wrong in ({"price": 0}, {"price": MAX_FEED_PRICE + 1}, {"time": 0}, {"feed": 1 << 32}):
        with pytest.raises(ClientError):
            sign_price(PROVIDER, SEPARATOR, **(fields | wrong))
    with pytest.raises(ClientError, match="a domain separator is 32 bytes"):
        sign_price(PROVIDER, b"", **fields)


def price(key=PROVIDER, **changes):
    fields = {"feed": FEED, "provider": SPEAKER, "price": 5_000, "time": START, **changes}
    return key.sign(SignedPrice(**fields), SEPARATOR).to_leaf()


def test_a_newer_price_of_a_places_signer_is_let_in_whoever_hands_it_in(intake, feed):
    leaf = price()
    assert intake.admit_one(leaf, START) == Accepted(leaf, PROVIDER.address, START)
    assert intake.admit_one(price(time=START + PRICE_AHEAD), START)


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"feed": 0}, Code.FEED_NOT_FOUND, "feed 0 has no provider 77"),
        ({"feed": 4}, Code.FEED_NOT_FOUND, "feed 4 has no provider 77"),
        ({"feed": 2**32 - 1}, Code.FEED_NOT_FOUND, "feed 4294967295 has no provider 77"),
        ({"provider": 6}, Code.FEED_NOT_FOUND, "feed 3 has no provider 6"),
        ({"price": 0}, Code.BAD_PRICE, "price is 0, expected 1 to"),
        ({"price": 2**64 - 1}, Code.BAD_PRICE, "price is 18446744073709551615"),
        ({"time": START + PRICE_AHEAD + 1}, Code.BAD_PRICE, "ms after now"),
        ({"time": 2**64 - 1}, Code.BAD_PRICE, "ms after now"),
        ({"time": START - 11}, Code.PRICE_TOO_OLD, "provider 77 has spoken at"),
        ({"time": START - 10, "price": 4_000}, Code.PRICE_TOO_OLD, "provider 77 has spoken at"),
        ({"provider": 5, "time": 0}, Code.PRICE_TOO_OLD, "provider 5 has spoken at 0 ms"),
    ],
)
def test_a_price_that_the_zone_would_not_take_is_refused(intake, feed, changes, code, text):
    key = AGENT if changes.get("provider") == 5 else PROVIDER
    error = reject(intake, price(key, **changes))
    assert error.code == code
    assert text in str(error)


def test_a_price_that_somebody_else_signed_is_answered_with_address_and_digest(intake, feed):
    leaf = price(AGENT)
    error = reject(intake, leaf)
    assert error.code == Code.BAD_SIGNATURE
    assert (error.recovered, error.expected) == (AGENT.address, PROVIDER.address)
    assert error.digest == SignedPrice.from_leaf(leaf).digest(SEPARATOR)
    assert "the provider's key is 0x" in str(error)


def test_a_price_of_another_size_is_malformed(intake, feed):
    for leaf in (price()[:-1], price() + b"\0", b"\3"):
        error = reject(intake, leaf)
        assert error.code == Code.MALFORMED
        assert f"a price is 90 bytes, was {len(leaf)}" in str(error)


def test_a_price_is_let_in_once_and_its_contradiction_once(intake, feed):
    assert intake.admit_one(price())
    assert "waits for its block" in str(reject(intake, price()))
    assert reject(intake, price(time=START - 1)).code == Code.PRICE_TOO_OLD
    assert intake.admit_one(price(price=6_000))  # two prices of one time: the zone must hear of it
    assert reject(intake, price(price=6_000)).code == Code.PRICE_TOO_OLD
    assert reject(intake, price(price=7_000)).code == Code.PRICE_TOO_OLD
    assert intake.admit_one(price(time=START + 1))


def test_a_contradiction_of_the_zones_own_price_is_let_in_once_an_incident(engine, intake, feed):
    double = price(time=START - 10)
    assert intake.admit_one(double)
    intake.forget_pending()
    engine.tables["provider"][FEED * MAX_PROVIDERS + 1]["incident"] = START
    error = reject(intake, double)
    assert error.code == Code.PRICE_TOO_OLD
    assert "an incident is written down" in str(error)


def test_prices_credentials_and_envelopes_come_in_any_order(intake, feed):
    answers = intake.admit([price(), signer().noop(), credential(), price(time=START + 1)])
    assert [a.signer for a in answers if isinstance(a, Accepted)] == [
        *(PROVIDER.address, MAIN.address),
        *(PROVIDER.address, PROVIDER.address),
    ]
