"""Owner ids: order, who may register whom, kinds, fees, the end of the table."""

from tests.contracts.driver import OKB, reverts
from tradezone.protocol import messages
from tradezone.protocol.enums import OWNER_CONTRACT, OWNER_USER, PROTOCOL_OWNER

ZERO = "0x" + "00" * 20
FEE = OKB // 100


def raw(account) -> bytes:
    return bytes.fromhex(account.address[2:])


def test_the_protocol_is_owner_1_and_the_first_message(zone, protocol_owner):
    assert zone.owner_registry.idOf(protocol_owner) == PROTOCOL_OWNER
    assert zone.owner_registry.ownerOf(PROTOCOL_OWNER) == protocol_owner
    first = zone.messages()[0]
    assert first.kind == messages.REGISTER_OWNER
    assert first.payload == zone.payload(
        messages.REGISTER_OWNER,
        owner=PROTOCOL_OWNER,
        address=raw(protocol_owner),
        referrer=0,
        kind=OWNER_USER,
    )


def test_anyone_registers_anyone_and_ids_follow_each_other(zone, alice, bob, carol):
    owners = zone.owner_registry
    next_id = owners.count() + 1
    receipt = owners.register(alice, sender=carol)
    owners.register(bob, sender=carol)
    assert [owners.idOf(a) for a in (alice, bob, carol)] == [next_id, next_id + 1, 0]
    assert owners.ownerOf(next_id) == alice
    assert owners.kindOf(next_id) == OWNER_USER
    event = owners.OwnerRegistered.from_receipt(receipt)[0]
    assert (event.owner, event.account, event.kind) == (next_id, alice, OWNER_USER)
    assert zone.body(event.inboxIndex) == {
        "owner": next_id,
        "address": raw(alice),
        "referrer": 0,
        "kind": OWNER_USER,
    }


def test_an_address_has_one_id(zone, alice):
    owner = zone.owner_registry.register(alice, sender=alice).return_value
    for register in (
        lambda: zone.owner_registry.register(alice, sender=alice),
        lambda: zone.owner_registry.registerSelfAsContract(sender=alice),
    ):
        with reverts(zone.owner_registry.AlreadyRegistered, account=alice.address, owner=owner):
            register()


def test_the_zero_address_owns_nothing(zone, alice):
    with reverts(zone.owner_registry.ZeroAddress):
        zone.owner_registry.register(ZERO, sender=alice)
    with reverts(zone.owner_registry.ZeroAddress):
        zone.owner_registry.registerMany([alice, ZERO], sender=alice)


def test_register_if_new_returns_the_id_it_finds(zone, alice):
    count = zone.owner_registry.count()
    first = zone.owner_registry.registerIfNew(alice, sender=alice)
    messages_so_far = zone.inbox.count()
    second = zone.owner_registry.registerIfNew(alice, sender=alice)
    assert first.return_value == second.return_value == count + 1
    assert zone.inbox.count() == messages_so_far


def test_a_list_is_registered_without_those_known_already(zone, alice, bob, carol):
    zone.owner_registry.register(bob, sender=alice)
    count = zone.owner_registry.count()
    receipt = zone.owner_registry.registerMany([alice, bob, carol, alice], sender=alice)
    assert receipt.return_value == 2
    assert zone.owner_registry.idOf(alice) == count + 1
    assert zone.owner_registry.idOf(carol) == count + 2


def test_a_contract_owner_is_one_by_its_own_call_only(zone, alice, project):
    wallet = alice.deploy(project.HostileRecipient)
    calldata = zone.owner_registry.registerSelfAsContract.encode_input()
    wallet.execute(zone.owner_registry, calldata, sender=alice)
    owner = zone.owner_registry.idOf(wallet)
    assert zone.owner_registry.kindOf(owner) == OWNER_CONTRACT
    assert zone.body(zone.inbox.count() - 1)["kind"] == OWNER_CONTRACT


def test_code_at_an_address_does_not_make_it_a_contract_owner(zone, alice, project):
    wallet = alice.deploy(project.HostileRecipient)
    owner = zone.owner_registry.register(wallet, sender=alice).return_value
    assert zone.owner_registry.kindOf(owner) == OWNER_USER


def test_the_fee_is_exact_and_burned(paid_zone, alice, bob):
    owners = paid_zone.owner_registry
    for sent in (0, FEE - 1, FEE + 1):
        with reverts(owners.WrongFee, sent=sent, expected=FEE):
            owners.register(alice, sender=alice, value=sent)
    with reverts(owners.WrongFee, sent=0, expected=FEE):
        owners.registerSelfAsContract(sender=alice)
    assert owners.feeFor(alice) == FEE
    before = owners.balance
    owners.register(alice, sender=alice, value=FEE)
    owners.registerIfNew(bob, sender=alice, value=FEE)
    assert owners.balance == before + 2 * FEE
    assert owners.feeFor(alice) == 0


def test_a_known_owner_costs_no_fee(paid_zone, protocol_owner, alice):
    owners = paid_zone.owner_registry
    with reverts(owners.WrongFee, sent=FEE, expected=0):
        owners.registerIfNew(protocol_owner, sender=alice, value=FEE)
    owners.registerIfNew(protocol_owner, sender=alice)


def test_a_list_pays_for_the_new_ones_and_gets_the_rest_back(paid_zone, alice, bob, carol):
    owners = paid_zone.owner_registry
    owners.register(bob, sender=alice, value=FEE)
    with reverts(owners.WrongFee, sent=FEE, expected=2 * FEE):
        owners.registerMany([alice, bob, carol], sender=alice, value=FEE)
    before = alice.balance
    receipt = owners.registerMany([alice, bob, carol], sender=alice, value=5 * FEE)
    assert before - alice.balance == 2 * FEE + receipt.total_fees_paid


def test_a_caller_that_refuses_its_refund_registers_nobody(paid_zone, alice, bob, project):
    wallet = alice.deploy(project.HostileRecipient)
    wallet.refuse(sender=alice)
    calldata = paid_zone.owner_registry.registerMany.encode_input([bob])
    with reverts(paid_zone.owner_registry.RefundFailed, to=wallet.address, amount=FEE):
        wallet.execute(paid_zone.owner_registry, calldata, sender=alice, value=2 * FEE)
    assert paid_zone.owner_registry.idOf(bob) == 0


def test_the_table_has_an_end(core, alice, bob, carol):
    owners = core.owner_registry
    owners.registerMany([alice, bob], sender=alice)
    with reverts(owners.RegistryFull, maxOwners=3):
        owners.register(carol, sender=carol)


def test_a_deposit_for_an_owner_beyond_the_end_is_refused(core, alice, bob, carol):
    core.owner_registry.registerMany([alice, bob], sender=alice)
    with reverts(core.owner_registry.RegistryFull, maxOwners=3):
        core.vault.depositNative(carol, sender=carol, value=OKB)
    core.vault.depositNative(alice, sender=carol, value=OKB)


def test_unknown_ids_are_refused(zone):
    unknown = zone.owner_registry.count() + 1
    for view in (zone.owner_registry.ownerOf, zone.owner_registry.kindOf):
        for owner in (0, unknown):
            with reverts(zone.owner_registry.UnknownOwner, owner=owner):
                view(owner)
