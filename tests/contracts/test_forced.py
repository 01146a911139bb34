"""Forced operations on L1: who may send one, what it says to the zone, what answers it, and what it costs."""

import pytest
from eth_abi import encode
from eth_account.messages import encode_typed_data

from scripts._deployment import NOBODY
from tests.contracts.driver import DAY, GWEI, Outbox, error_of, reverts
from tradezone.protocol import enums, messages
from tradezone.protocol.errors import Code

WITHDRAW, CLOSE, CANCEL = (
    messages.FORCED_WITHDRAW,
    messages.FORCED_CLOSE,
    messages.FORCED_CANCEL_ALL,
)
APPROVE, REVOKE, REDIRECT = (
    messages.FORCED_APPROVE_KEY,
    messages.FORCED_REVOKE_KEY,
    messages.FORCED_REDIRECT,
)
AGENT = "0x" + "a9" * 20
OPERATIONS = {
    WITHDRAW: ("ForceWithdraw", {"account": 5, "asset": 1, "amount": 10**12}),
    CLOSE: ("ForceClose", {"account": 5, "market": 4, "position": 77}),
    CANCEL: ("ForceCancelAll", {"account": 5}),
    APPROVE: (
        "ForceApproveKey",
        {
            "agent": AGENT,
            "onlyAccount": 5,
            "onlyVenue": 2,
            "scope": 1,
            "expires": 1 << 40,
            "maxNotional": 10**9,
            "name": b"agent\0\0\0",
        },
    ),
    REVOKE: ("ForceRevokeKey", {"revokedKey": 3 << 32 | 9}),
    REDIRECT: ("ForceRedirect", {"to": AGENT}),
}


def types_of(kind):
    """(name, type) of the fields behind owner and address."""
    return [
        (name, form) for name, form, _ in messages.BODIES[kind] if name not in ("owner", "address")
    ]


def fields_of(kind, **changes):
    values = OPERATIONS[kind][1] | changes
    return encode([form for _, form in types_of(kind)], [values[n] for n, _ in types_of(kind)])


def sign(
    zone, owner, kind, deadline, *, signer=None, nonce=None, contract=None, chain_id=None, **changes
):
    """The owner's signature as a wallet makes it."""
    primary, values = OPERATIONS[kind]
    body = {
        "domain": {
            "name": "TradeZone",
            "version": "1",
            "chainId": chain_id or zone.forced.provider.chain_id,
            "verifyingContract": (contract or zone.forced).address,
        },
        "types": {
            primary: [
                {"name": "owner", "type": "address"},
                *({"name": name, "type": form} for name, form in types_of(kind)),
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ]
        },
        "primaryType": primary,
        "message": {
            "owner": owner.address,
            **(values | changes),
            "nonce": zone.forced.nonces(owner) if nonce is None else nonce,
            "deadline": deadline,
        },
    }
    return (signer or owner).sign_message(encode_typed_data(full_message=body)).encode_rsv()


@pytest.fixture
def known(zone, alice, bob):
    for who in (alice, bob):
        zone.owner_registry.register(who, sender=who)
    return zone


@pytest.fixture
def deadline(clock):
    return clock.time + DAY


def submit(zone, who, kind=CANCEL, *, value=None, **changes):
    value = zone.forced.bond() + zone.forced.surcharge() if value is None else value
    return zone.forced.submit(kind, fields_of(kind, **changes), sender=who, value=value)


def index_of(zone, receipt):
    return zone.forced.Submitted.from_receipt(receipt)[0].index


def answered(zone, asserter, index, **values):
    """A final claim on a state whose outbox has one record for a message; and its proof."""
    outbox = Outbox()
    kind = {"kind": enums.OUTBOX_FORCED_RESULT, "inbox": index, "owner": 2, "time": 1}
    outbox.put(4, **(kind | values))
    zone.bond(asserter)
    return zone.finalized(asserter, outbox.root), outbox.proof(4)


# --- what is said to the zone ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OPERATIONS)
def test_an_operation_of_the_caller_is_the_message_that_the_zone_reads(known, alice, kind):
    receipt = submit(known, alice, kind)
    index = index_of(known, receipt)
    message = known.messages()[index]
    assert (message.kind, message.sender) == (kind, bytes.fromhex(known.forced.address[2:]))
    body = known.body(index)
    assert body.pop("owner") == known.owner_registry.idOf(alice)
    assert body.pop("address") == bytes.fromhex(alice.address[2:])
    wanted = {
        name: bytes.fromhex(value[2:]) if isinstance(value, str) else value
        for name, value in OPERATIONS[kind][1].items()
    }
    assert body == wanted
    operation = known.forced.operationOf(index)
    assert (operation.payer, operation.isAnswered) == (alice.address, False)


@pytest.mark.parametrize("kind", OPERATIONS)
def test_a_relayer_hands_in_what_the_owner_signed_and_pays(known, alice, carol, deadline, kind):
    signature = sign(known, alice, kind, deadline)
    call = (alice, kind, fields_of(kind), deadline, signature)
    receipt = known.forced.submitBySig(*call, sender=carol, value=known.forced.bond())
    index = index_of(known, receipt)
    assert known.body(index)["address"] == bytes.fromhex(alice.address[2:])
    assert known.forced.operationOf(index).payer == carol
    with reverts(known.forced.BadSignature, owner=alice.address):  # a signature counts once
        known.forced.submitBySig(*call, sender=carol, value=known.forced.bond())


def test_nobody_else_acts_for_an_owner(known, paid_zone, alice, bob, carol, deadline):
    """Another's signature; another nonce, deadline, deployment, chain, kind, amount or account."""
    wrong = (
        sign(known, alice, WITHDRAW, deadline, signer=bob),
        sign(known, bob, WITHDRAW, deadline),
        sign(known, alice, WITHDRAW, deadline, nonce=1),
        sign(known, alice, WITHDRAW, deadline + 1),
        sign(known, alice, WITHDRAW, deadline, contract=paid_zone.forced),
        sign(known, alice, WITHDRAW, deadline, chain_id=1),
        sign(known, alice, WITHDRAW, deadline, amount=1),
        sign(known, alice, WITHDRAW, deadline, account=6),
        sign(known, alice, CLOSE, deadline),
        sign(known, alice, WITHDRAW, deadline)[:-1],
        b"",
    )
    fields, bond = fields_of(WITHDRAW), known.forced.bond()
    for signature in wrong:
        with reverts(known.forced.BadSignature, owner=alice.address):
            known.forced.submitBySig(
                alice, WITHDRAW, fields, deadline, signature, sender=carol, value=bond
            )
    assert not [m for m in known.messages() if m.kind in messages.FORCED_KINDS]


def test_a_signature_holds_until_its_deadline(known, alice, clock, deadline):
    signature = sign(known, alice, CANCEL, deadline)
    clock.pass_time(DAY + 1)
    with reverts(known.forced.SignatureExpired, deadline=deadline):
        known.forced.submitBySig(
            alice, CANCEL, fields_of(CANCEL), deadline, signature, sender=alice, value=GWEI
        )


def test_what_is_no_operation_is_refused(known, alice, carol):
    forced, bond = known.forced, known.forced.bond()
    with reverts(forced.NotAnOwner, account=carol.address):
        submit(known, carol)
    for kind in (0, messages.DEPOSIT, 15, 22, messages.HEARTBEAT, 255):
        with reverts(forced.UnknownKind, kind=kind):
            forced.submit(kind, bytes(32), sender=alice, value=bond)
    with reverts(forced.BadFields, length=64, expected=32):
        forced.submit(CANCEL, bytes(64), sender=alice, value=bond)
    with reverts(forced.BadFields, length=0, expected=96):
        forced.submit(WITHDRAW, b"", sender=alice, value=bond)
    with reverts(forced.ZeroAmount):
        submit(known, alice, WITHDRAW, amount=0)
    with reverts(forced.BadFields, length=64, expected=32):
        forced.digestOf(alice, CANCEL, bytes(64), 0)
    wide = forced.submit.encode_input(CANCEL, b"\1" + bytes(31))  # does not fit its type
    assert error_of(forced, wide, alice) == b""


def test_no_other_contract_says_such_a_thing(known, alice):
    with reverts(known.inbox.KindNotAllowed):
        known.inbox.enqueue(WITHDRAW, bytes(40), sender=alice)
    bitmap = known.inbox.kindsOf(known.forced)
    assert bitmap == sum(1 << kind for kind in messages.FORCED_KINDS)


# --- the answer --------------------------------------------------------------------------------------


def test_a_sequencer_that_skips_an_operation_commits_nothing_more(known, alice, clock):
    index = index_of(known, submit(known, alice))
    clock.pass_time(known.params.inbox_lag + 1)
    with reverts(known.chain.InboxLagging):
        known.commit(known.header(inbox_index=index))
    with reverts(known.chain.WrongInboxHash):  # nor one that reads something else in its place
        known.commit(known.header(inbox_hash=bytes(32)))
    known.commit()
    assert known.chain.tip().inboxIndex > index


def test_a_proved_answer_returns_the_bond_once(known, alice, carol, asserter):
    index = index_of(known, submit(known, alice, WITHDRAW))
    values = {"kind": enums.OUTBOX_WITHDRAWAL, "amount": 10**6, "recipient": alice.address}
    claim, proof = answered(known, asserter, index, **values)
    known.forced.prove(claim, proof, sender=carol)
    operation = known.forced.operationOf(index)
    assert (operation.isAnswered, operation.status, operation.amount) == (True, 0, 10**6)
    with reverts(known.forced.AlreadyAnswered, index=index):
        known.forced.prove(claim, proof, sender=carol)
    before = alice.balance
    known.forced.collect(alice, sender=carol)
    assert alice.balance == before + known.forced.bond()
    with reverts(known.forced.NothingOwed, account=alice.address):
        known.forced.collect(alice, sender=carol)
    assert known.forced.balance == 0


def test_a_payer_that_takes_no_coin_keeps_its_claim(
    known, project, alice, carol, asserter, deadline
):
    wallet, forced, bond = alice.deploy(project.HostileRecipient), known.forced, known.forced.bond()
    call = (alice, CANCEL, fields_of(CANCEL), deadline, sign(known, alice, CANCEL, deadline))
    receipt = wallet.execute(
        forced, forced.submitBySig.encode_input(*call), sender=carol, value=bond
    )
    claim, proof = answered(known, asserter, index_of(known, receipt))
    forced.prove(claim, proof, sender=carol)
    wallet.refuse(sender=alice)
    with reverts(forced.PaymentFailed, to=wallet.address, amount=bond):
        forced.collect(wallet, sender=carol)
    assert forced.owed(wallet) == forced.balance == bond
    wallet.accept(sender=alice)
    forced.collect(wallet, sender=carol)
    assert (wallet.balance, forced.balance) == (bond, 0)


@pytest.mark.parametrize("missing", range(4))
def test_an_address_or_bond_of_nothing_is_not_deployed(known, project, deployer, missing):
    arguments = [known.inbox, known.chain, known.owner_registry, 1]
    arguments[missing] = 0 if missing == 3 else NOBODY
    with reverts(known.forced.BadParameter):
        deployer.deploy(project.ForcedOperations, *arguments)


def test_two_answers_of_a_wrong_state_return_one_bond(known, alice, asserter):
    """The zone never writes two; if a root had them, the first that is proved counts."""
    index = index_of(known, submit(known, alice))
    outbox = Outbox()
    for slot in (4, 5):
        outbox.put(slot, kind=enums.OUTBOX_FORCED_RESULT, inbox=index, owner=2, time=1)
    known.bond(asserter)
    claim = known.finalized(asserter, outbox.root)
    known.forced.prove(claim, outbox.proof(5), sender=alice)
    with reverts(known.forced.AlreadyAnswered, index=index):
        known.forced.prove(claim, outbox.proof(4), sender=alice)
    assert known.forced.owed(alice) == known.forced.bond()


def test_a_deposit_that_was_sent_back_is_no_answer(known, alice, asserter):
    """Its record is a withdrawal with the index of the deposit, which nobody sent through here."""
    submit(known, alice)
    known.vault.depositNative(alice, sender=alice, value=1000 * GWEI)
    index = known.inbox.count() - 1
    claim, proof = answered(known, asserter, index, kind=enums.OUTBOX_WITHDRAWAL, amount=1000)
    with reverts(known.forced.NotAnOperation, index=index):
        known.forced.prove(claim, proof, sender=alice)


def test_a_refusal_burns_the_bond_and_is_kept(known, alice, asserter):
    index = index_of(known, submit(known, alice, CLOSE))
    claim, proof = answered(known, asserter, index, status=int(Code.MARKET_CLOSED))
    known.forced.prove(claim, proof, sender=alice)
    assert known.forced.operationOf(index).status == Code.MARKET_CLOSED
    assert known.forced.owed(alice) == 0
    assert known.forced.balance == known.forced.bond()


def test_an_answer_of_another_index_kind_or_root_is_none(known, alice, bob, asserter):
    mine = index_of(known, submit(known, alice))
    claim, proof = answered(known, asserter, mine + 1)
    with reverts(known.forced.NotAnOperation, index=mine + 1):
        known.forced.prove(claim, proof, sender=bob)
    for values in ({"kind": enums.OUTBOX_INCIDENT}, {"kind": enums.OUTBOX_INSOLVENCY}):
        outbox = Outbox()
        outbox.put(4, inbox=mine, owner=2, time=1, **values)
        other = known.finalized(asserter, outbox.root)
        with reverts(known.forced.NotAnOperation, index=mine):
            known.forced.prove(other, outbox.proof(4), sender=bob)
    outbox = Outbox()
    outbox.put(4, inbox=mine, owner=2, time=1, kind=enums.OUTBOX_FORCED_RESULT)
    with reverts(known.forced.WrongRoot):  # of a root that is not the claim's
        known.forced.prove(claim, outbox.proof(4), sender=bob)
    assert not known.forced.operationOf(mine).isAnswered


def test_bonds_go_back_without_an_answer_only_at_the_end(known, alice, asserter, clock):
    index = index_of(known, submit(known, alice))
    with reverts(known.forced.NotEnded):
        known.forced.reclaim(index, sender=alice)
    silence, closing = known.chain.silence(), known.chain.closing()
    clock.pass_both(silence.time + 1, silence.blocks + 1)
    known.chain.freezeSilent(sender=alice)
    with reverts(known.inbox.InboxClosed):
        submit(known, alice)
    with reverts(known.forced.NotEnded):
        known.forced.reclaim(index, sender=alice)
    clock.pass_both(closing.time + 1, closing.blocks + 1)
    known.chain.abandon(sender=alice)
    known.forced.reclaim(index, sender=alice)
    assert known.forced.owed(alice) == known.forced.bond()
    with reverts(known.forced.AlreadyAnswered, index=index):
        known.forced.reclaim(index, sender=alice)
    with reverts(known.forced.NotAnOperation, index=0):
        known.forced.reclaim(0, sender=alice)


# --- the price ---------------------------------------------------------------------------------------


def test_too_little_is_refused_and_too_much_comes_back(known, alice):
    bond = known.forced.bond()
    with reverts(known.forced.BondTooSmall, sent=bond - 1, needed=bond):
        submit(known, alice, value=bond - 1)
    submit(known, alice, value=3 * bond)
    assert known.forced.balance == bond


def test_an_owner_has_so_many_a_day_and_relayers_cannot_use_them_up(known, alice, bob, clock):
    most = known.forced.PER_OWNER()
    for _ in range(most):
        submit(known, alice)
    with reverts(known.forced.RateLimited):
        submit(known, alice)
    submit(known, bob)
    clock.pass_time(known.forced.PERIOD())
    submit(known, alice)


def test_a_flood_doubles_its_own_price_and_drains(known, accounts, clock):
    forced, bond = known.forced, known.forced.bond()
    crowd = accounts[4:10]
    for who in crowd:
        if not known.owner_registry.idOf(who):
            known.owner_registry.register(who, sender=who)
    each = forced.PER_OWNER()
    sent = 0
    for who in crowd:
        for _ in range(each):
            submit(known, who)
            sent += 1
    assert sent > forced.LEVEL()
    assert forced.surcharge() == bond
    known.owner_registry.register(known.deployer, sender=known.deployer)
    with reverts(forced.BondTooSmall, sent=bond, needed=2 * bond):
        submit(known, known.deployer, value=bond)
    clock.pass_time(sent * forced.DRAIN())
    assert forced.surcharge() == 0
