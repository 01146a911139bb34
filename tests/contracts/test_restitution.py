"""Slashed stake that repays a venue's losses: from the verdict to the ledger, sold where it has to be."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.courtroom import CourtZone
from tests.contracts.driver import DAY, OKB, isolated, reverts, tries
from tests.contracts.governed import State
from tests.contracts.markets import perp_terms
from tests.contracts.test_perps import PRICE, bodies, parameter_class, perp, quote, venue
from tradezone.protocol import messages
from tradezone.protocol.enums import ACTIVE

__all__ = ["parameter_class", "perp", "quote", "venue"]  # fixtures

LEDGER = 7  # slot
SHARE = 40  # percent of the base that the jury takes


@pytest.fixture
def courtroom(trust, chain, accounts):
    found = SimpleNamespace(court=trust.court, double_head=trust.double_head)
    return CourtZone(trust.deployment, found, chain, accounts)


@pytest.fixture
def convicted(trust, courtroom, perp, venue, alice, bob, carol, rival):
    """Judge alice, deployer of the venue, for a harm in an asset; returns the case."""

    def judge(harm, share=SHARE):
        for juror in (carol, rival):
            courtroom.stake(juror, 30)
        courtroom.grow_old()
        case = courtroom.accuse(bob, alice, venue=venue, harm=harm, share=share)
        courtroom.judge_case(case, {carol: share, rival: share})
        return case

    return judge


@pytest.fixture
def finalized(trust, asserter):
    """Make a state with these ledgers final; returns the proof of each record."""
    trust.bond(asserter)

    def make(*ledgers):
        found = State()
        for slot, values in enumerate(ledgers, LEDGER):
            found.put("ledger", slot, **{"state": ACTIVE, "cash": 5} | values)
        trust.finalized_state(asserter, found)
        return [found.proof("ledger", slot) for slot, _ in enumerate(ledgers, LEDGER)]

    return make


@pytest.fixture
def proven(finalized):
    """Prove a deficit of a venue's ledger."""

    def prove(venue, asset, deficit):
        return finalized({"venue": venue, "asset": asset, "deficit": deficit})[0]

    return prove


def pool_of(trust, case):
    return trust.court.poolOf(case)


# --- from the verdict to the desk


def test_a_pool_goes_to_the_ledger_that_lost_and_the_rest_to_the_treasury(
    trust, convicted, proven, venue, quote, bob
):
    case = convicted(2)
    pool = pool_of(trust, case).amount
    assert pool == 10 * OKB * SHARE // 100 // 2  # half of what was taken
    before = trust.court.owedTo(trust.treasury)
    receipt = trust.court.compensate(case, proven(venue, 2, PRICE), sender=bob)
    event = trust.court.LedgerCompensated.from_receipt(receipt)[0]
    # One coin's worth was lost, so one coin is given.
    assert (event.deficit, event.amount, event.rest) == (PRICE, OKB, pool - OKB)
    assert trust.court.owedTo(trust.treasury) == before + pool - OKB
    assert trust.court.totalPools() == 0
    lot = trust.restitution.lotOf(1)
    assert (lot.venue, lot.asset, lot.left) == (venue, 2, OKB)
    assert trust.restitution.balance == trust.restitution.totalLeft() == OKB
    for call in (
        lambda: trust.court.compensate(case, proven(venue, 2, PRICE), sender=bob),
        lambda: trust.court.sweep(case, sender=bob),
    ):
        with reverts(trust.court.PoolOver, caseId=case):
            call()


def test_a_loss_larger_than_the_pool_gets_all_of_it(trust, convicted, proven, venue, bob):
    case = convicted(2)
    pool = pool_of(trust, case).amount
    trust.court.compensate(case, proven(venue, 2, 10**6 * PRICE), sender=bob)
    assert trust.restitution.lotOf(1).left == pool


def test_a_ledger_of_native_coin_is_paid_at_once(trust, convicted, proven, venue, alice, bob):
    trust.perps.listPerp(perp_terms(quote=1), sender=alice)
    case = convicted(1)
    pool = pool_of(trust, case).amount
    trust.court.compensate(case, proven(venue, 1, 10**18), sender=bob)
    assert trust.vault.balance == pool
    assert bodies(trust, messages.SLASH) == [{"venue": venue, "asset": 1, "amount": pool // 10**9}]
    assert trust.restitution.balance == 0


def test_what_shows_no_loss_of_the_venue_moves_nothing(trust, convicted, finalized, venue, bob):
    case = convicted(2)
    wrong = [
        {"venue": venue, "asset": 2, "deficit": 0},
        {"venue": venue + 1, "asset": 2, "deficit": 5},
        {"venue": venue, "asset": 1, "deficit": 5},
        {"venue": venue, "asset": 2, "deficit": 5, "state": 0},
    ]
    *proofs, good = finalized(*wrong, {"venue": venue, "asset": 2, "deficit": 5})
    for slot, (proof, values) in enumerate(zip(proofs, wrong, strict=True), LEDGER):
        named = {name: values[name] for name in ("venue", "asset", "deficit")}
        with reverts(trust.court.NoDeficit, slot=slot, **named):
            trust.court.compensate(case, proof, sender=bob)
    elsewhere = (good[0] + 1, good[1], good[2])
    with reverts(trust.court.WrongRoot):
        trust.court.compensate(case, elsewhere, sender=bob)
    assert pool_of(trust, case).paid == 0
    trust.court.compensate(case, good, sender=bob)


def test_without_a_price_or_a_ledger_the_pool_waits_for_the_treasury(
    trust, convicted, proven, venue, deployer, project, bob, clock
):
    """A deployer cannot get a slash back by a token of its own: stake has no price in it."""
    own = deployer.deploy(project.TestToken, "Own", "OWN", 6)
    trust.asset_registry.registerAsset(
        own, 1, 10**17, sender=deployer, value=trust.params.asset_bond
    )
    case = convicted(3)
    proof = proven(venue, 3, 10**9)
    with reverts(trust.restitution.NoPrice, asset=3):
        trust.court.compensate(case, proof, sender=bob)
    clock.pass_both(31 * DAY, 20)
    with reverts(trust.court.PoolOver, caseId=case):
        trust.court.compensate(case, proof, sender=bob)
    before = trust.court.owedTo(trust.treasury)
    pool = pool_of(trust, case).amount
    trust.court.sweep(case, sender=bob)
    assert trust.court.owedTo(trust.treasury) == before + pool


# --- the sale


@pytest.fixture
def lot(trust, perp, venue, bob):
    return trust.restitution.give(venue, 2, sender=bob, value=3 * OKB).return_value


def test_gifts_need_a_real_ledger_and_coin(trust, venue, quote, alice, bob):
    desk = trust.restitution
    with reverts(desk.NothingGiven):
        desk.give(venue, 2, sender=bob)
    with reverts(desk.NoLedger, venue=venue, asset=2):
        desk.give(venue, 2, sender=bob, value=1)
    bond = trust.params.asset_bond
    trust.asset_registry.registerSimulated(venue, "PLAY", 6, 10**15, sender=alice, value=bond)
    trust.perps.listPerp(perp_terms(quote=3), sender=alice)
    with reverts(desk.NoLedger, venue=venue, asset=3):
        desk.give(venue, 3, sender=bob, value=1)
    trust.perps.listPerp(perp_terms(quote=1), sender=alice)
    with reverts(desk.NothingGiven):
        desk.give(venue, 1, sender=bob, value=10**9 - 1)


def test_the_price_falls_from_the_double_to_a_quarter_in_three_days(trust, lot, clock):
    desk = trust.restitution
    start = desk.lotOf(lot).since
    costs = []
    for days, quarters in ((1, 17 / 3), (2, 10 / 3), (3, 1), (9, 1)):
        clock.pass_time(start + days * DAY - clock.time)
        costs.append(desk.costOf(lot, OKB))
        assert costs[-1] == -(-round(PRICE * quarters * 3) // 12)
    assert costs == sorted(costs, reverse=True)
    assert desk.costOf(lot, 1) == 1  # nothing is had for nothing


def test_a_buyer_pays_the_ledger_and_gets_the_coin(trust, lot, venue, quote, carol, clock):
    desk = trust.restitution
    clock.pass_time(3 * DAY)
    cost = desk.costOf(lot, OKB)
    assert cost == PRICE // 4
    quote.mint(carol, 10 * PRICE, sender=carol)
    with reverts(desk.TooDear, atoms=cost, most=cost - 1):
        desk.buy(lot, OKB, cost - 1, sender=carol)
    for wrong in (0, 3 * OKB + 1):
        with reverts(desk.NotSoMuch, lot=lot, asked=wrong, left=3 * OKB):
            desk.buy(lot, wrong, 2**63, sender=carol)
    with reverts(desk.UnknownLot, lot=lot + 1):
        desk.buy(lot + 1, 1, 1, sender=carol)
    quote.approve(desk, cost, sender=carol)
    before = carol.balance
    receipt = desk.buy(lot, OKB, cost, sender=carol)
    assert carol.balance == before + OKB - receipt.total_fees_paid
    assert (quote.balanceOf(trust.vault), quote.balanceOf(desk)) == (cost, 0)
    assert trust.vault.outstanding(2) == cost
    assert bodies(trust, messages.SLASH) == [{"venue": venue, "asset": 2, "amount": cost}]
    assert (desk.lotOf(lot).left, desk.totalLeft(), desk.balance) == (2 * OKB, 2 * OKB, 2 * OKB)


def test_a_buyer_that_refuses_coin_buys_nothing(trust, lot, quote, project, carol, clock):
    desk = trust.restitution
    clock.pass_time(3 * DAY)
    wallet = carol.deploy(project.HostileRecipient)
    quote.mint(wallet, PRICE, sender=carol)
    wallet.execute(quote, quote.approve.encode_input(desk, PRICE), sender=carol)
    wallet.refuse(sender=carol)
    call = desk.buy.encode_input(lot, OKB, PRICE)
    with reverts(desk.TransferFailed, to=wallet.address, amount=OKB):
        wallet.execute(desk, call, sender=carol)
    # Nor does calling back help: one purchase at a time.
    wallet.call_back(desk, call, sender=carol)
    wallet.execute(desk, call, sender=carol)
    assert wallet.is_success() is False
    assert desk.lotOf(lot).left == 2 * OKB
    assert quote.balanceOf(trust.vault) == trust.vault.outstanding(2) == PRICE // 4


def test_nothing_else_takes_coin_out(trust, lot, clock):
    desk = trust.restitution
    clock.force_coin(desk, OKB)
    assert desk.totalLeft() == 3 * OKB
    assert desk.balance == 4 * OKB
    writes = {
        abi.name
        for abi in desk.contract_type.abi
        if abi.type == "function" and abi.stateMutability not in ("view", "pure")
    }
    assert writes == {"give", "buy"}


@pytest.mark.hypothesis
@settings(
    max_examples=tries(10),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    parts=st.lists(st.tuples(st.integers(1, 2 * OKB), st.integers(0, 2 * DAY)), max_size=5),
)
def test_coin_and_atoms_are_conserved_over_any_purchases(
    trust, lot, quote, carol, clock, chain, parts
):
    desk = trust.restitution
    with isolated(chain):
        quote.mint(carol, 10**6 * PRICE, sender=carol)
        quote.approve(desk, 10**6 * PRICE, sender=carol)
        left, paid = 3 * OKB, 0
        for amount, wait in parts:
            clock.pass_time(wait + 1)
            if amount > left:
                continue
            paid += desk.buy(lot, amount, 2**63, sender=carol).return_value
            left -= amount
            assert paid * 4 * OKB >= (3 * OKB - left) * PRICE  # never below a quarter
        assert desk.balance == desk.totalLeft() == desk.lotOf(lot).left == left
        assert quote.balanceOf(trust.vault) == trust.vault.outstanding(2) == paid
