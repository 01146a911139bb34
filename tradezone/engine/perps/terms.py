"""Terms of a perpetual that LIST_PERP and SET_PERP carry: bounds, tiers, writing them down (``docs/spec/perps.md``)."""

from __future__ import annotations

from tradezone.engine._jit import i64, jit
from tradezone.engine.codec import emit, read32, read64
from tradezone.engine.tables import T_FUND, T_MARKET, T_TIER, touch
from tradezone.protocol.events import MARGIN_TIER, PERP_TERMS
from tradezone.protocol.limits import (
    MARGIN_RISE,
    MAX_FUNDING_CAP,
    MAX_IMPACT,
    MAX_INTEREST,
    MAX_OPEN_VALUE,
    MAX_POSITION_VALUE,
    MAX_TIERS,
    MIN_BAND,
    MIN_IMPACT,
    MIN_MMR,
    PPM,
)

# offsets inside the parameters that both messages end with
(_FUNDING_CAP, _INTEREST, _IMPACT, _BAND_LISTING, _BAND_BASIS, _OI_LOWER, _OI_UPPER, _LOSS_CAP, _TIERS) = (
    0, 4, 8, 16, 20, 24, 32, 40, 48,
)  # fmt: skip
_TIER_BYTES = 16


# --- tiers of a message ----------------------------------------------------------------------------


@jit
def read_lower(source, at, tier):
    """Notional where a tier of a message begins."""
    return read64(source, at + _TIERS + _TIER_BYTES * tier)


@jit
def read_imr(source, at, tier):
    """Return the initial rate of a tier of a message."""
    return read32(source, at + _TIERS + _TIER_BYTES * tier + 8)


@jit
def read_mmr(source, at, tier):
    """Maintenance rate of a tier of a message."""
    return read32(source, at + _TIERS + _TIER_BYTES * tier + 12)


@jit
def count_tiers(source, at):
    """How many tiers a message carries: those behind the last that is not all zero are not used."""
    count = i64(MAX_TIERS)
    while count > 0 and (
        read_lower(source, at, count - 1) == 0
        and read_imr(source, at, count - 1) == 0
        and read_mmr(source, at, count - 1) == 0
    ):
        count -= 1
    return count


@jit
def are_tiers_good(source, at):
    """Bounds of the tiers."""
    count = count_tiers(source, at)
    if count == 0 or read_lower(source, at, 0) != 0:
        return False
    for tier in range(count):
        imr, mmr = read_imr(source, at, tier), read_mmr(source, at, tier)
        if mmr < MIN_MMR or 3 * mmr > 2 * imr or imr > PPM:
            return False
        if tier > 0:
            lower = read_lower(source, at, tier)
            if lower <= read_lower(source, at, tier - 1) or lower > MAX_POSITION_VALUE:
                return False
            if imr < read_imr(source, at, tier - 1) or mmr < read_mmr(source, at, tier - 1):
                return False
    return True


@jit
def are_parameters_good(source, at, band):
    """Bounds of all that both messages carry; ``band`` is the market's."""
    impact = read64(source, at + _IMPACT)
    listing, basis = read32(source, at + _BAND_LISTING), read32(source, at + _BAND_BASIS)
    cap, lower, upper = (
        read32(source, at + _FUNDING_CAP),
        read64(source, at + _OI_LOWER),
        read64(source, at + _OI_UPPER),
    )
    if impact < MIN_IMPACT or impact > MAX_IMPACT:
        return False
    if basis < MIN_BAND or basis > band or listing < MIN_BAND or listing > band:
        return False
    if cap < 1 or cap > MAX_FUNDING_CAP or read32(source, at + _INTEREST) > MAX_INTEREST:
        return False
    if lower >= upper or upper > MAX_OPEN_VALUE or read64(source, at + _LOSS_CAP) > MAX_OPEN_VALUE:
        return False
    return are_tiers_good(source, at)


# --- a rise of maintenance -------------------------------------------------------------------------


@jit
def get_lower(t, tier):
    """Notional where a tier in force begins."""
    if tier == 0:
        return i64(0)
    if tier == 1:
        return i64(t.lower1)
    if tier == 2:
        return i64(t.lower2)
    return i64(t.lower3)


@jit
def get_mmr(t, tier):
    """Maintenance rate of a tier in force."""
    if tier == 0:
        return i64(t.mmr0)
    if tier == 1:
        return i64(t.mmr1)
    if tier == 2:
        return i64(t.mmr2)
    return i64(t.mmr3)


@jit
def add_slice(whole, part, notional, lower, upper, rate):
    """Add a tier's part of a notional times its rate to whole * PPM + part, part < PPM."""
    size = min(notional, upper) - lower
    if size <= 0:
        return whole, part
    part += size % PPM * rate
    return whole + size // PPM * rate + part // PPM, part % PPM


@jit
def get_old_sum(t, notional):
    """Maintenance of a notional by the tiers in force, ppm of an atom, as (whole, part)."""
    whole, part = i64(0), i64(0)
    count = i64(t.tiers)
    for tier in range(count):
        upper = get_lower(t, tier + 1) if tier + 1 < count else i64(notional)
        whole, part = add_slice(
            whole, part, i64(notional), get_lower(t, tier), upper, get_mmr(t, tier)
        )
    return whole, part


@jit
def get_new_sum(source, at, notional):
    """Maintenance of a notional by the tiers of a message, ppm of an atom, as (whole, part)."""
    whole, part = i64(0), i64(0)
    count = count_tiers(source, at)
    for tier in range(count):
        upper = read_lower(source, at, tier + 1) if tier + 1 < count else i64(notional)
        whole, part = add_slice(
            whole,
            part,
            i64(notional),
            read_lower(source, at, tier),
            upper,
            read_mmr(source, at, tier),
        )
    return whole, part


@jit
def get_rise(t, source, at, notional):
    """0: maintenance of a notional does not rise, 1: by MARGIN_RISE at most, 2: by more."""
    old, old_part = get_old_sum(t, notional)
    new, new_part = get_new_sum(source, at, notional)
    if new < old or (new == old and new_part <= old_part):
        return i64(0)
    # old * (PPM + MARGIN_RISE), in digits of base PPM; the new one is (new, new_part, 0).
    last = old_part * MARGIN_RISE
    middle = old_part + old % PPM * MARGIN_RISE % PPM + last // PPM
    first = old + old // PPM * MARGIN_RISE + old % PPM * MARGIN_RISE // PPM + middle // PPM
    middle %= PPM
    if new < first or (new == first and new_part <= middle):
        return i64(1)
    return i64(2)


@jit
def get_most_rise(t, source, at):
    """Return the greatest ``get_rise`` over the notionals at which one of the two functions bends."""
    most = get_rise(t, source, at, i64(MAX_POSITION_VALUE))
    for tier in range(1, i64(t.tiers)):
        most = max(most, get_rise(t, source, at, get_lower(t, tier)))
    for tier in range(1, count_tiers(source, at)):
        most = max(most, get_rise(t, source, at, read_lower(source, at, tier)))
    return most


# --- writing them down -----------------------------------------------------------------------------


@jit
def set_parameters(s, d, market, source, at):
    """Write down what both messages carry."""
    k, t = s.market[market], s.tier[market]
    k.funding_cap = read32(source, at + _FUNDING_CAP)
    k.interest = read32(source, at + _INTEREST)
    k.band_listing = read32(source, at + _BAND_LISTING)
    k.band_basis = read32(source, at + _BAND_BASIS)
    k.max_leverage = 100 * PPM // read_imr(source, at, 0)
    t.impact_notional = read64(source, at + _IMPACT)
    t.oi_lower = read64(source, at + _OI_LOWER)
    t.oi_upper = read64(source, at + _OI_UPPER)
    t.tiers = count_tiers(source, at)
    t.lower1, t.lower2, t.lower3 = (
        read_lower(source, at, 1),
        read_lower(source, at, 2),
        read_lower(source, at, 3),
    )
    t.imr0, t.mmr0 = read_imr(source, at, 0), read_mmr(source, at, 0)
    t.imr1, t.mmr1 = read_imr(source, at, 1), read_mmr(source, at, 1)
    t.imr2, t.mmr2 = read_imr(source, at, 2), read_mmr(source, at, 2)
    t.imr3, t.mmr3 = read_imr(source, at, 3), read_mmr(source, at, 3)
    s.fund[market].loss_cap = read64(source, at + _LOSS_CAP)
    touch(d, T_MARKET, market)
    touch(d, T_TIER, market)
    touch(d, T_FUND, market)


@jit
def emit_tier(d, io, leaf, market, tier, lower, imr, mmr):
    """MARGIN_TIER: one tier of a perpetual."""
    emit(
        d, io, MARGIN_TIER, leaf, market, 0, mmr, lower, 0,
        0, 0, tier, 0, imr, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip


@jit
def emit_perp_terms(s, d, io, leaf, market):
    """PERP_TERMS and a MARGIN_TIER for each tier."""
    k, t = s.market[market], s.tier[market]
    emit(
        d, io, PERP_TERMS, leaf, market, k.feed, k.band_listing, k.funding_cap, k.interest,
        0, 0, t.tiers, 0, k.band_basis, t.oi_lower, t.oi_upper, t.impact_notional,
        s.fund[market].loss_cap, 0, 0,
    )  # fmt: skip
    emit_tier(d, io, leaf, market, 0, 0, t.imr0, t.mmr0)
    if t.tiers > 1:
        emit_tier(d, io, leaf, market, 1, t.lower1, t.imr1, t.mmr1)
    if t.tiers > 2:
        emit_tier(d, io, leaf, market, 2, t.lower2, t.imr2, t.mmr2)
    if t.tiers > 3:
        emit_tier(d, io, leaf, market, 3, t.lower3, t.imr3, t.mmr3)
