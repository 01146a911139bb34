# pragma version 0.4.3
"""
@title Slot auction
@license Apache-2.0
@notice Implements ISlotAuction, which says what it does, what it assumes and how it fails. The rules
        are in docs/spec/slots.md.
@dev Prices are stored in gwei and times in seconds, several to a word: a purchase writes five words.
     Custom errors are those of the interface; `raw_revert` is how Vyper raises them.

     Every price is below 2^54 gwei (MAX_PRICE), every rate below 2^16, so no product overflows.
"""

# ------------------------------------------------------------------------------------ interfaces

struct Venue:
    deployer: address
    owner: uint32
    access: uint8
    markets: uint16
    name: String[32]


interface VenueRegistry:
    def venueOf(venue: uint32) -> Venue: view


# ----------------------------------------------------------------------------------------- types

struct KindTerms:
    startMultiple: uint16
    floorShare: uint16
    decay: uint16
    baseSlots: uint16
    supply: uint32
    roundSeconds: uint32
    minFloor: uint256


struct LicenceTerms:
    termDays: uint16
    renewalDays: uint16
    graceDays: uint16
    idleDays: uint16


struct Round:
    number: uint64
    begin: uint64
    length: uint64
    start: uint256
    floor: uint256


struct Licence:
    kind: uint8
    venue: uint32
    market: uint32
    expires: uint64
    idleSince: uint64
    graceDays: uint16
    idleDays: uint16
    renewalPrice: uint256


struct Slot:
    state: uint8
    kind: uint8
    venue: uint32
    licence: uint32


# ---------------------------------------------------------------------------------------- events

event LicenceBought:
    licence: indexed(uint32)
    venue: indexed(uint32)
    kind: indexed(uint8)
    buyer: address
    round: uint64
    price: uint256
    renewalPrice: uint256
    expires: uint64


event LicenceRenewed:
    licence: indexed(uint32)
    venue: indexed(uint32)
    payer: address
    price: uint256
    renewalPrice: uint256
    expiresBefore: uint64
    expires: uint64


event LicenceReclaimed:
    licence: indexed(uint32)
    venue: indexed(uint32)
    market: indexed(uint32)
    kind: uint8
    by: address


event SlotOccupied:
    market: indexed(uint32)
    venue: indexed(uint32)
    kind: indexed(uint8)
    licence: uint32


event SlotReleased:
    market: indexed(uint32)
    venue: indexed(uint32)
    kind: indexed(uint8)
    licence: uint32


event RefundCredited:
    account: indexed(address)
    amount: uint256
    before: uint256
    refund: uint256


event RefundCollected:
    account: indexed(address)
    to: indexed(address)
    amount: uint256


event ProceedsCollected:
    treasury: indexed(address)
    amount: uint256


event KindTermsChanged:
    kind: indexed(uint8)
    before: KindTerms
    terms: KindTerms


event LicenceTermsChanged:
    before: LicenceTerms
    terms: LicenceTerms


# ------------------------------------------------------------------------------------- constants

KINDS: constant(uint8) = 4  # spot, perp, outcome, simulated
BPS: constant(uint256) = 10_000
ONE_GWEI: constant(uint256) = 10**9
DAY: constant(uint256) = 86_400
# Gwei. About half of all coin there is: a start price stops rising here.
MAX_PRICE: constant(uint256) = 10**16
# Licences of one venue in one kind: what every loop over them is bounded by.
MAX_LICENCES: constant(uint256) = 16
# After so many unsold rounds the floor is the least there is.
MAX_DECAY: constant(uint256) = 256
# Clearing prices that a renewal price is the mean of; 64 bits each in one word.
HISTORY: constant(uint256) = 4

MIN_MULTIPLE: constant(uint256) = 11_000
MAX_MULTIPLE: constant(uint256) = 40_000
MIN_SHARE: constant(uint256) = 1_000
MIN_DECAY: constant(uint256) = 100
MAX_DECAY_BPS: constant(uint256) = 5_000
MAX_BASE: constant(uint256) = 64
MAX_SUPPLY: constant(uint256) = 4_096
MIN_ROUND: constant(uint256) = 3_600
MAX_ROUND: constant(uint256) = 7 * DAY
LEAST_FLOOR: constant(uint256) = 10**15  # wei
MOST_FLOOR: constant(uint256) = 10**23  # wei
MIN_TERM: constant(uint256) = 30
MAX_TERM: constant(uint256) = 730
MIN_NOTICE: constant(uint256) = 7  # days before anything of a licence runs out
MAX_RENEWAL: constant(uint256) = 60
MAX_GRACE: constant(uint256) = 90
MAX_IDLE: constant(uint256) = 180

NOWHERE: constant(uint8) = 0
BASE: constant(uint8) = 1
LICENSED: constant(uint8) = 2
LOST: constant(uint8) = 3

# ------------------------------------------------------------------------------------ immutables

registry: public(immutable(address))
treasury: public(immutable(address))
governance: public(immutable(address))

# --------------------------------------------------------------------------------------- storage

proceeds: public(uint256)
refunds: public(uint256)
refundOf: public(HashMap[address, uint256])

licenceCount: public(uint32)
outstanding: public(HashMap[uint8, uint32])
baseSlotsUsed: public(HashMap[uint32, HashMap[uint8, uint16]])

# kind -> KindTerms: multiple 16 | share 16 | decay 16 | base 16 | supply 32 | round 32 | floor 64
_terms: HashMap[uint8, uint256]
# kind -> the round that runs or is next, unless it passed unsold: number 40 | begin 40 | length 32 |
# start 64 | floor 64
_rounds: HashMap[uint8, uint256]
# kind -> last clearing prices, newest lowest
_history: HashMap[uint8, uint256]
# kind 8 | venue 32 | market 32 | expires 40 | idle since 40 | grace 16 | idle 16 | renewal 64
_licences: HashMap[uint32, uint256]
_licences_of: HashMap[uint32, HashMap[uint8, DynArray[uint32, MAX_LICENCES]]]
# market -> state 8 | kind 8 | venue 32 | licence 32
_slots: HashMap[uint32, uint256]
_licence_terms: LicenceTerms


@deploy
def __init__(
    registry_: address,
    treasury_: address,
    governance_: address,
    kind_terms: KindTerms[4],
    first_prices: uint256[4],
    licence_terms: LicenceTerms,
):
    """
    @param registry_ Contract that knows venues and their markets.
    @param treasury_ Gets the proceeds.
    @param governance_ May change parameters inside their bounds.
    @param kind_terms Parameters of spot, perp, outcome, simulated.
    @param first_prices What counts as the last clearing price of each before there is one, wei.
    @param licence_terms Parameters of licences.
    """
    for account: address in [registry_, treasury_, governance_]:
        if account == empty(address):
            raw_revert(method_id("ZeroAddress()"))
    registry = registry_
    treasury = treasury_
    governance = governance_
    self._require_licence_terms(licence_terms)
    self._licence_terms = licence_terms
    log LicenceTermsChanged(before=empty(LicenceTerms), terms=licence_terms)
    for i: uint256 in range(4):
        kind: uint8 = convert(i + 1, uint8)
        terms: KindTerms = kind_terms[i]
        self._require_kind_terms(terms)
        first: uint256 = first_prices[i]
        self._require_gwei(first)
        self._require_bounds("firstPrice", first, terms.minFloor, MOST_FLOOR)
        self._terms[kind] = self._pack_terms(terms)
        begin: uint256 = 0 if terms.supply == 0 else block.timestamp
        length: uint256 = convert(terms.roundSeconds, uint256)
        start: uint256 = 0
        least: uint256 = 0
        start, least = self._after_sale(first // ONE_GWEI, terms)
        self._rounds[kind] = self._pack_round(1, begin, length, start, least)
        log KindTermsChanged(kind=kind, before=empty(KindTerms), terms=terms)


# ------------------------------------------------------------------------------- writes: buyers

@external
@payable
@nonreentrant
def buy(venue: uint32, kind: uint8, maxPrice: uint256) -> uint32:
    self._require_kind(kind)
    self._require_deployer(venue)
    terms: KindTerms = self._unpack_terms(self._terms[kind])
    round: Round = self._round_at(kind, block.timestamp, terms)
    gwei_price: uint256 = self._price_in(kind, round, block.timestamp, terms.supply)
    price: uint256 = gwei_price * ONE_GWEI
    if len(self._licences_of[venue][kind]) == MAX_LICENCES:
        raw_revert(
            abi_encode(
                venue,
                kind,
                MAX_LICENCES,
                method_id=method_id("TooManyLicences(uint32,uint8,uint256)"),
            )
        )

    # The slot is gone; the next round waits for the end of this one.
    out: uint32 = self.outstanding[kind] + 1
    self.outstanding[kind] = out
    begin: uint256 = convert(round.begin + round.length, uint256)
    if out >= terms.supply:
        begin = 0
    start: uint256 = 0
    least: uint256 = 0
    start, least = self._after_sale(gwei_price, terms)
    self._rounds[kind] = self._pack_round(
        convert(round.number, uint256) + 1,
        begin,
        convert(terms.roundSeconds, uint256),
        start,
        least,
    )
    self._history[kind] = (self._history[kind] << 64) | gwei_price

    licence: uint32 = self.licenceCount + 1
    self.licenceCount = licence
    rules: LicenceTerms = self._licence_terms
    expires: uint256 = block.timestamp + convert(rules.termDays, uint256) * DAY
    renewal: uint256 = self._next_price(kind, gwei_price, terms)
    self._licences[licence] = self._pack_licence(
        Licence(
            kind=kind,
            venue=venue,
            market=0,
            expires=convert(expires, uint64),
            idleSince=convert(block.timestamp, uint64),
            graceDays=rules.graceDays,
            idleDays=rules.idleDays,
            renewalPrice=renewal * ONE_GWEI,
        )
    )
    self._licences_of[venue][kind].append(licence)
    log LicenceBought(
        licence=licence,
        venue=venue,
        kind=kind,
        buyer=msg.sender,
        round=round.number,
        price=price,
        renewalPrice=renewal * ONE_GWEI,
        expires=convert(expires, uint64),
    )
    self._take_payment(price, maxPrice)
    return licence


@external
@payable
@nonreentrant
def renew(licence: uint32, maxPrice: uint256) -> uint64:
    entry: Licence = self._licence_at(licence)
    rules: LicenceTerms = self._licence_terms
    ahead: uint64 = convert(convert(rules.renewalDays, uint256) * DAY, uint64)
    since: uint64 = entry.expires - ahead
    until: uint64 = self._grace_end(entry)
    if block.timestamp < convert(since, uint256) or block.timestamp >= convert(until, uint256):
        raw_revert(
            abi_encode(
                licence, since, until, method_id=method_id("NotRenewable(uint32,uint64,uint64)")
            )
        )
    price: uint256 = entry.renewalPrice
    before: uint64 = entry.expires
    terms: KindTerms = self._unpack_terms(self._terms[entry.kind])
    entry.expires = before + convert(convert(rules.termDays, uint256) * DAY, uint64)
    entry.graceDays = rules.graceDays
    entry.idleDays = rules.idleDays
    entry.renewalPrice = self._next_price(entry.kind, price // ONE_GWEI, terms) * ONE_GWEI
    self._licences[licence] = self._pack_licence(entry)
    log LicenceRenewed(
        licence=licence,
        venue=entry.venue,
        payer=msg.sender,
        price=price,
        renewalPrice=entry.renewalPrice,
        expiresBefore=before,
        expires=entry.expires,
    )
    self._take_payment(price, maxPrice)
    return entry.expires


@external
@nonreentrant
def reclaim(licence: uint32):
    entry: Licence = self._licence_at(licence)
    since: uint64 = self._reclaimable_from(entry)
    if block.timestamp < convert(since, uint256):
        raw_revert(
            abi_encode(licence, since, method_id=method_id("NotReclaimable(uint32,uint64)"))
        )
    self._licences[licence] = 0
    self._forget(entry.venue, entry.kind, licence)
    if entry.market != 0:
        self._slots[entry.market] = self._pack_slot(LOST, entry.kind, entry.venue, licence)
    self.outstanding[entry.kind] -= 1
    self._resume(entry.kind, self._unpack_terms(self._terms[entry.kind]))
    log LicenceReclaimed(
        licence=licence, venue=entry.venue, market=entry.market, kind=entry.kind, by=msg.sender
    )


@external
@nonreentrant
def collectRefund(to: address) -> uint256:
    if to == empty(address):
        raw_revert(method_id("ZeroAddress()"))
    amount: uint256 = self.refundOf[msg.sender]
    if amount == 0:
        raw_revert(abi_encode(msg.sender, method_id=method_id("NothingToCollect(address)")))
    self.refundOf[msg.sender] = 0
    self.refunds -= amount
    log RefundCollected(account=msg.sender, to=to, amount=amount)
    self._pay(to, amount)
    return amount


@external
@nonreentrant
def collectProceeds() -> uint256:
    amount: uint256 = self.proceeds
    if amount == 0:
        raw_revert(abi_encode(treasury, method_id=method_id("NothingToCollect(address)")))
    self.proceeds = 0
    log ProceedsCollected(treasury=treasury, amount=amount)
    self._pay(treasury, amount)
    return amount


# ----------------------------------------------------------------------- writes: market registry

@external
@nonreentrant
def occupy(venue: uint32, kind: uint8, market: uint32) -> uint32:
    self._require_registry()
    self._require_kind(kind)
    if market == 0:
        raw_revert(method_id("ZeroMarket()"))
    if self._slots[market] != 0:
        raw_revert(abi_encode(market, method_id=method_id("AlreadyOccupied(uint32)")))
    licence: uint32 = 0
    used: uint16 = self.baseSlotsUsed[venue][kind]
    if used < self._unpack_terms(self._terms[kind]).baseSlots:
        self.baseSlotsUsed[venue][kind] = used + 1
        self._slots[market] = self._pack_slot(BASE, kind, venue, 0)
    else:
        licence = self._idle_licence(venue, kind)
        if licence == 0:
            raw_revert(abi_encode(venue, kind, method_id=method_id("NoFreeSlot(uint32,uint8)")))
        entry: Licence = self._unpack_licence(self._licences[licence])
        entry.market = market
        self._licences[licence] = self._pack_licence(entry)
        self._slots[market] = self._pack_slot(LICENSED, kind, venue, licence)
    log SlotOccupied(market=market, venue=venue, kind=kind, licence=licence)
    return licence


@external
@nonreentrant
def release(market: uint32):
    self._require_registry()
    slot: Slot = self._unpack_slot(self._slots[market])
    if slot.state == NOWHERE:
        raw_revert(abi_encode(market, method_id=method_id("UnknownMarket(uint32)")))
    self._slots[market] = 0
    if slot.state == BASE:
        self.baseSlotsUsed[slot.venue][slot.kind] -= 1
    elif slot.state == LICENSED:
        entry: Licence = self._unpack_licence(self._licences[slot.licence])
        entry.market = 0
        entry.idleSince = convert(block.timestamp, uint64)
        self._licences[slot.licence] = self._pack_licence(entry)
    log SlotReleased(market=market, venue=slot.venue, kind=slot.kind, licence=slot.licence)


# ---------------------------------------------------------------------------- writes: governance

@external
@nonreentrant
def setKindTerms(kind: uint8, terms: KindTerms):
    self._require_governance()
    self._require_kind(kind)
    self._require_kind_terms(terms)
    before: KindTerms = self._unpack_terms(self._terms[kind])
    round: Round = self._round_at(kind, block.timestamp, before)
    # The round as it is now, by the terms until now.
    self._rounds[kind] = self._pack_round(
        convert(round.number, uint256),
        convert(round.begin, uint256),
        convert(round.length, uint256),
        round.start,
        round.floor,
    )
    self._terms[kind] = self._pack_terms(terms)
    if self.outstanding[kind] >= terms.supply:
        self._rounds[kind] = self._pack_round(
            convert(round.number, uint256),
            0,
            convert(round.length, uint256),
            round.start,
            round.floor,
        )
    else:
        self._resume(kind, terms)
    log KindTermsChanged(kind=kind, before=before, terms=terms)


@external
@nonreentrant
def setLicenceTerms(terms: LicenceTerms):
    self._require_governance()
    self._require_licence_terms(terms)
    before: LicenceTerms = self._licence_terms
    self._licence_terms = terms
    log LicenceTermsChanged(before=before, terms=terms)


# ----------------------------------------------------------------------------------------- views

@external
@view
def kindTerms(kind: uint8) -> KindTerms:
    self._require_kind(kind)
    return self._unpack_terms(self._terms[kind])


@external
@view
def licenceTerms() -> LicenceTerms:
    return self._licence_terms


@external
@view
def roundAt(kind: uint8, time: uint64) -> Round:
    self._require_kind(kind)
    terms: KindTerms = self._unpack_terms(self._terms[kind])
    round: Round = self._round_at(kind, convert(time, uint256), terms)
    self._require_remembered(time, round.begin)
    round.start *= ONE_GWEI
    round.floor *= ONE_GWEI
    return round


@external
@view
def priceAt(kind: uint8, time: uint64) -> uint256:
    return self._quote(kind, convert(time, uint256))


@external
@view
def price(kind: uint8) -> uint256:
    return self._quote(kind, block.timestamp)


@external
@view
def meanPrice(kind: uint8) -> uint256:
    self._require_kind(kind)
    return self._mean(kind) * ONE_GWEI


@external
@view
def licenceOf(licence: uint32) -> Licence:
    return self._unpack_licence(self._licences[licence])


@external
@view
def licencesOf(venue: uint32, kind: uint8) -> DynArray[uint32, MAX_LICENCES]:
    return self._licences_of[venue][kind]


@external
@view
def reclaimableFrom(licence: uint32) -> uint64:
    return self._reclaimable_from(self._licence_at(licence))


@external
@view
def isSlotFree(venue: uint32, kind: uint8) -> bool:
    self._require_kind(kind)
    if self.baseSlotsUsed[venue][kind] < self._unpack_terms(self._terms[kind]).baseSlots:
        return True
    return self._idle_licence(venue, kind) != 0


@external
@view
def slotOf(market: uint32) -> Slot:
    return self._unpack_slot(self._slots[market])


# ------------------------------------------------------------------------------ internal: auction

@internal
@view
def _quote(kind: uint8, time: uint256) -> uint256:
    self._require_kind(kind)
    terms: KindTerms = self._unpack_terms(self._terms[kind])
    round: Round = self._round_at(kind, time, terms)
    self._require_remembered(convert(time, uint64), round.begin)
    return self._price_in(kind, round, time, terms.supply) * ONE_GWEI


@internal
@view
def _round_at(kind: uint8, time: uint256, terms: KindTerms) -> Round:
    """
    @notice The round that runs at `time`, or else begins next; prices in gwei.
    @dev Unsold rounds are never written: they follow from the last one that was.
    """
    round: Round = self._unpack_round(self._rounds[kind])
    end: uint256 = convert(round.begin + round.length, uint256)
    if round.begin == 0 or time < end:
        return round
    length: uint256 = convert(terms.roundSeconds, uint256)
    unsold: uint256 = 1 + (time - end) // length
    least: uint256 = terms.minFloor // ONE_GWEI
    current: uint256 = round.floor
    previous: uint256 = current
    for _: uint256 in range(min(unsold, MAX_DECAY), bound=MAX_DECAY):
        previous = current
        current = max(current * (BPS - convert(terms.decay, uint256)) // BPS, least)
        if current == previous:
            break
    if unsold > MAX_DECAY:
        previous = least
        current = least
    round.number += convert(unsold, uint64)
    round.begin = convert(end + (unsold - 1) * length, uint64)
    round.length = convert(length, uint64)
    round.start = self._start_from(previous, current, terms)
    round.floor = current
    return round


@internal
@view
def _price_in(kind: uint8, round: Round, time: uint256, supply: uint32) -> uint256:
    """
    @notice Price at `time` inside a round, gwei, rounded up.
    """
    if round.begin == 0:
        raw_revert(abi_encode(kind, supply, method_id=method_id("SoldOut(uint8,uint32)")))
    begin: uint256 = convert(round.begin, uint256)
    if time < begin:
        raw_revert(abi_encode(kind, round.begin, method_id=method_id("RoundSold(uint8,uint64)")))
    span: uint256 = convert(round.length, uint256) - 1
    return round.start - (round.start - round.floor) * (time - begin) // span


@internal
@pure
def _start_from(reference: uint256, least: uint256, terms: KindTerms) -> uint256:
    raised: uint256 = reference * convert(terms.startMultiple, uint256) // BPS
    return max(min(raised, MAX_PRICE), least)


@internal
@pure
def _after_sale(paid: uint256, terms: KindTerms) -> (uint256, uint256):
    """
    @notice Start and floor of the round after a sale; gwei.
    """
    least: uint256 = max(
        paid * convert(terms.floorShare, uint256) // BPS, terms.minFloor // ONE_GWEI
    )
    return self._start_from(paid, least, terms), least


@internal
def _resume(kind: uint8, terms: KindTerms):
    """
    @notice Begin the round that was due, if the kind was sold out and no longer is.
    """
    round: Round = self._unpack_round(self._rounds[kind])
    if round.begin != 0 or self.outstanding[kind] >= terms.supply:
        return
    self._rounds[kind] = self._pack_round(
        convert(round.number, uint256),
        block.timestamp,
        convert(terms.roundSeconds, uint256),
        round.start,
        round.floor,
    )


# ----------------------------------------------------------------------------- internal: licences

@internal
@view
def _next_price(kind: uint8, paid: uint256, terms: KindTerms) -> uint256:
    """
    @notice Price of the term after one that cost `paid`, gwei.
    """
    return max(min(self._mean(kind), 2 * paid), terms.minFloor // ONE_GWEI)


@internal
@view
def _mean(kind: uint8) -> uint256:
    word: uint256 = self._history[kind]
    total: uint256 = 0
    count: uint256 = 0
    for i: uint256 in range(HISTORY):
        cleared: uint256 = self._bits(word, 64 * i, 64)
        if cleared == 0:
            break
        total += cleared
        count += 1
    return total // max(count, 1)


@internal
@view
def _licence_at(licence: uint32) -> Licence:
    entry: Licence = self._unpack_licence(self._licences[licence])
    if entry.kind == 0:
        raw_revert(abi_encode(licence, method_id=method_id("UnknownLicence(uint32)")))
    return entry


@internal
@view
def _idle_licence(venue: uint32, kind: uint8) -> uint32:
    """
    @notice Oldest licence that a market can be listed on; 0 = none.
    """
    for licence: uint32 in self._licences_of[venue][kind]:
        entry: Licence = self._unpack_licence(self._licences[licence])
        if entry.market == 0 and block.timestamp < convert(entry.expires, uint256):
            return licence
    return 0


@internal
@pure
def _grace_end(entry: Licence) -> uint64:
    return entry.expires + convert(convert(entry.graceDays, uint256) * DAY, uint64)


@internal
@pure
def _reclaimable_from(entry: Licence) -> uint64:
    since: uint64 = self._grace_end(entry)
    if entry.market != 0:
        return since
    return min(since, entry.idleSince + convert(convert(entry.idleDays, uint256) * DAY, uint64))


@internal
def _forget(venue: uint32, kind: uint8, licence: uint32):
    """
    @notice Take a licence out of its venue's list; the others stay in order.
    """
    held: DynArray[uint32, MAX_LICENCES] = self._licences_of[venue][kind]
    kept: DynArray[uint32, MAX_LICENCES] = []
    for other: uint32 in held:
        if other != licence:
            kept.append(other)
    self._licences_of[venue][kind] = kept


# -------------------------------------------------------------------------------- internal: money

@internal
@payable
def _take_payment(price: uint256, limit: uint256):
    if price > limit:
        raw_revert(
            abi_encode(price, limit, method_id=method_id("PriceAboveLimit(uint256,uint256)"))
        )
    if msg.value < price:
        raw_revert(
            abi_encode(msg.value, price, method_id=method_id("NotEnoughSent(uint256,uint256)"))
        )
    self.proceeds += price
    excess: uint256 = msg.value - price
    if excess == 0:
        return
    before: uint256 = self.refundOf[msg.sender]
    self.refundOf[msg.sender] = before + excess
    self.refunds += excess
    log RefundCredited(account=msg.sender, amount=excess, before=before, refund=before + excess)


@internal
def _pay(to: address, amount: uint256):
    if not raw_call(to, b"", value=amount, revert_on_failure=False):
        raw_revert(abi_encode(to, amount, method_id=method_id("TransferFailed(address,uint256)")))


# ------------------------------------------------------------------------------- internal: checks

@internal
@pure
def _require_kind(kind: uint8):
    if kind == 0 or kind > KINDS:
        raw_revert(abi_encode(kind, method_id=method_id("UnknownKind(uint8)")))


@internal
@view
def _require_deployer(venue: uint32):
    entry: Venue = staticcall VenueRegistry(registry).venueOf(venue)
    if msg.sender != entry.deployer:
        raw_revert(
            abi_encode(
                msg.sender, entry.deployer, method_id=method_id("NotDeployer(address,address)")
            )
        )


@internal
@view
def _require_registry():
    if msg.sender != registry:
        raw_revert(
            abi_encode(
                msg.sender, registry, method_id=method_id("NotVenueRegistry(address,address)")
            )
        )


@internal
@view
def _require_governance():
    if msg.sender != governance:
        raw_revert(
            abi_encode(
                msg.sender, governance, method_id=method_id("NotGovernance(address,address)")
            )
        )


@internal
@view
def _require_remembered(time: uint64, begin: uint64):
    if time < begin and convert(time, uint256) < block.timestamp:
        raw_revert(abi_encode(time, begin, method_id=method_id("PastTime(uint64,uint64)")))


@internal
@pure
def _require_gwei(amount: uint256):
    if amount % ONE_GWEI != 0:
        raw_revert(abi_encode(amount, method_id=method_id("NotWholeGwei(uint256)")))


@internal
@pure
def _require_bounds(parameter: String[16], given: uint256, lowest: uint256, highest: uint256):
    if given < lowest or given > highest:
        raw_revert(
            abi_encode(
                parameter,
                given,
                lowest,
                highest,
                method_id=method_id("OutOfBounds(string,uint256,uint256,uint256)"),
            )
        )


@internal
@pure
def _require_kind_terms(terms: KindTerms):
    self._require_bounds(
        "startMultiple", convert(terms.startMultiple, uint256), MIN_MULTIPLE, MAX_MULTIPLE
    )
    self._require_bounds("floorShare", convert(terms.floorShare, uint256), MIN_SHARE, BPS)
    self._require_bounds("decay", convert(terms.decay, uint256), MIN_DECAY, MAX_DECAY_BPS)
    self._require_bounds("baseSlots", convert(terms.baseSlots, uint256), 0, MAX_BASE)
    self._require_bounds("supply", convert(terms.supply, uint256), 0, MAX_SUPPLY)
    self._require_bounds("roundSeconds", convert(terms.roundSeconds, uint256), MIN_ROUND, MAX_ROUND)
    self._require_bounds("minFloor", terms.minFloor, LEAST_FLOOR, MOST_FLOOR)
    self._require_gwei(terms.minFloor)


@internal
@pure
def _require_licence_terms(terms: LicenceTerms):
    term: uint256 = convert(terms.termDays, uint256)
    self._require_bounds("termDays", term, MIN_TERM, MAX_TERM)
    self._require_bounds(
        "renewalDays", convert(terms.renewalDays, uint256), MIN_NOTICE, min(MAX_RENEWAL, term)
    )
    self._require_bounds("graceDays", convert(terms.graceDays, uint256), MIN_NOTICE, MAX_GRACE)
    self._require_bounds("idleDays", convert(terms.idleDays, uint256), MIN_NOTICE, MAX_IDLE)


# ------------------------------------------------------------------------------ internal: packing

@internal
@pure
def _bits(word: uint256, at: uint256, width: uint256) -> uint256:
    return (word >> at) & ((1 << width) - 1)


@internal
@pure
def _pack_terms(terms: KindTerms) -> uint256:
    return (
        convert(terms.startMultiple, uint256)
        | (convert(terms.floorShare, uint256) << 16)
        | (convert(terms.decay, uint256) << 32)
        | (convert(terms.baseSlots, uint256) << 48)
        | (convert(terms.supply, uint256) << 64)
        | (convert(terms.roundSeconds, uint256) << 96)
        | ((terms.minFloor // ONE_GWEI) << 128)
    )


@internal
@pure
def _unpack_terms(word: uint256) -> KindTerms:
    return KindTerms(
        startMultiple=convert(self._bits(word, 0, 16), uint16),
        floorShare=convert(self._bits(word, 16, 16), uint16),
        decay=convert(self._bits(word, 32, 16), uint16),
        baseSlots=convert(self._bits(word, 48, 16), uint16),
        supply=convert(self._bits(word, 64, 32), uint32),
        roundSeconds=convert(self._bits(word, 96, 32), uint32),
        minFloor=self._bits(word, 128, 64) * ONE_GWEI,
    )


@internal
@pure
def _pack_round(
    number: uint256, begin: uint256, length: uint256, start: uint256, least: uint256
) -> uint256:
    return number | (begin << 40) | (length << 80) | (start << 112) | (least << 176)


@internal
@pure
def _unpack_round(word: uint256) -> Round:
    return Round(
        number=convert(self._bits(word, 0, 40), uint64),
        begin=convert(self._bits(word, 40, 40), uint64),
        length=convert(self._bits(word, 80, 32), uint64),
        start=self._bits(word, 112, 64),
        floor=self._bits(word, 176, 64),
    )


@internal
@pure
def _pack_licence(entry: Licence) -> uint256:
    return (
        convert(entry.kind, uint256)
        | (convert(entry.venue, uint256) << 8)
        | (convert(entry.market, uint256) << 40)
        | (convert(entry.expires, uint256) << 72)
        | (convert(entry.idleSince, uint256) << 112)
        | (convert(entry.graceDays, uint256) << 152)
        | (convert(entry.idleDays, uint256) << 168)
        | ((entry.renewalPrice // ONE_GWEI) << 184)
    )


@internal
@pure
def _unpack_licence(word: uint256) -> Licence:
    return Licence(
        kind=convert(self._bits(word, 0, 8), uint8),
        venue=convert(self._bits(word, 8, 32), uint32),
        market=convert(self._bits(word, 40, 32), uint32),
        expires=convert(self._bits(word, 72, 40), uint64),
        idleSince=convert(self._bits(word, 112, 40), uint64),
        graceDays=convert(self._bits(word, 152, 16), uint16),
        idleDays=convert(self._bits(word, 168, 16), uint16),
        renewalPrice=self._bits(word, 184, 64) * ONE_GWEI,
    )


@internal
@pure
def _pack_slot(state: uint8, kind: uint8, venue: uint32, licence: uint32) -> uint256:
    return (
        convert(state, uint256)
        | (convert(kind, uint256) << 8)
        | (convert(venue, uint256) << 16)
        | (convert(licence, uint256) << 48)
    )


@internal
@pure
def _unpack_slot(word: uint256) -> Slot:
    return Slot(
        state=convert(self._bits(word, 0, 8), uint8),
        kind=convert(self._bits(word, 8, 8), uint8),
        venue=convert(self._bits(word, 16, 32), uint32),
        licence=convert(self._bits(word, 48, 32), uint32),
    )
