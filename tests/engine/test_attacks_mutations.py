"""Every attack succeeds once its rule is gone: rules are taken out of the model one by one, and the test fails.

A mutation replaces one piece of one function of the model; the attack then runs against the model alone, without
the invariants, so it is the attack's own assertion that sees the difference.
"""

from __future__ import annotations
import __future__

import inspect
import textwrap
from typing import Any, NamedTuple

import pytest

from tests.engine import (
    test_attacks_books,
    test_attacks_keys,
    test_attacks_money,
    test_attacks_outcomes,
)
from tests.engine.attacks import (
    build_door,
    build_event,
    build_gated,
    build_race,
    build_slow,
    build_toys,
)
from tests.model import (
    access,
    engine,
    envelopes,
    inbox,
    matching,
    orders,
    outcome,
    phases,
    plans,
    state,
    tasks,
)
from tests.model.world import Zone, build_world

SETUPS = {
    "zone": lambda zone: zone,
    "slow": build_slow,
    "toys": build_toys,
    "world": build_world,
    "event": lambda zone: build_event(build_world(zone)),
    "race": lambda zone: build_race(build_world(zone)),
    "door": lambda zone: build_door(build_world(zone)),
    "gated": lambda zone: build_gated(build_world(zone)),
}
SUITES = (test_attacks_books, test_attacks_keys, test_attacks_money, test_attacks_outcomes)
WITHOUT = {
    "fees_of_a_toy_market_are_paid_in_toys",  # what stops it is that an order knows no other asset
    "the_table_of_typed_actions_is_whole",  # not an attack
}


class Mutation(NamedTuple):
    """A rule of the model that is gone: in `function` of `where`, `old` is replaced by `new`."""

    attack: str
    where: Any
    function: str
    old: str
    new: str
    parameters: dict[str, Any]


def gone(attack, where, function, old, new="pass", **parameters):
    return Mutation(attack, where, function, old, new, parameters)


MUTATIONS = [
    # books
    gone(
        "a_flood_of_timers_goes_on_over_blocks_and_nothing_expired_trades",
        engine.Model,
        "_serve_timers",
        " and served < limits.BLOCK_TIMERS",
        "",
    ),
    gone(
        "reduce_only_orders_never_show_more_than_can_be_closed",
        orders,
        "_check_outcome",
        "        lots = min(lots, closable)\n",
        "",
    ),
    gone(
        "a_reduce_only_order_cannot_be_amended_into_an_opening_one",
        orders,
        "_replace",
        "require(not order.is_reduce_only or lots <= cover, Code.NOTHING_TO_REDUCE)",
    ),
    gone(
        "an_own_order_placed_later_cannot_call_a_waiting_one_back",
        matching,
        "meet_own",
        "if maker.seq > taker.seq:",
        "if False:",
    ),
    gone(
        "a_waiting_taker_cannot_be_withdrawn",
        matching,
        "take",
        " and not taker.flags & enums.ORDER_CANCELLED_WAITING",
        "",
        way="cancel",
    ),
    gone(
        "a_waiting_taker_cannot_be_withdrawn",
        matching,
        "take",
        " and not taker.flags & enums.ORDER_CANCELLED_WAITING",
        "",
        way="cancel all",
    ),
    gone(
        "a_waiting_taker_cannot_be_withdrawn",
        matching,
        "take",
        " and not taker.flags & enums.ORDER_CANCELLED_WAITING",
        "",
        way="dead man",
    ),
    gone(
        "a_waiting_taker_cannot_be_withdrawn",
        orders,
        "amend",
        "require(order.state != enums.WAITING, Code.ORDER_WAITING)",
        way="amend",
    ),
    gone(
        "an_amend_cannot_take_ahead_of_the_delay",
        orders,
        "wait",
        "max(book.last_release, zone.time + market.taker_delay)",
        "zone.time",
        mode=2,
    ),
    gone(
        "an_amend_cannot_take_ahead_of_the_delay",
        orders,
        "_replace",
        "require(not book.is_crossed_by(order.side, price), Code.POST_ONLY_WOULD_CROSS)",
        mode=1,
    ),
    gone(
        "a_cancel_overtakes_a_mixed_envelope",
        engine,
        "get_class",
        "2 if tifs <= set(POST_TIFS)",
        "2 if tifs & set(POST_TIFS)",
    ),
    gone(
        "an_order_that_expires_while_it_waits_never_trades",
        matching,
        "take",
        "if taker.is_expired(zone.time):",
        "if False:",
    ),
    gone(
        "an_expired_quote_is_not_met_however_late_its_timer_is",
        matching,
        "take",
        "if maker.is_expired(zone.time):",
        "if False:",
    ),
    gone(
        "no_setting_of_self_trades_touches_somebody_elses_order",
        matching,
        "is_own",
        "return maker.owner == taker.owner",
        "return True",
        mode=0,
    ),
    gone(
        "no_setting_of_self_trades_touches_somebody_elses_order",
        matching,
        "is_own",
        "return maker.owner == taker.owner",
        "return True",
        mode=1,
    ),
    gone(
        "no_setting_of_self_trades_touches_somebody_elses_order",
        matching,
        "is_own",
        "return maker.owner == taker.owner",
        "return True",
        mode=2,
    ),
    gone(
        "no_setting_of_self_trades_touches_somebody_elses_order",
        matching,
        "is_own",
        "return maker.owner == taker.owner",
        "return True",
        mode=3,
    ),
    gone(
        "an_account_never_fills_against_itself",
        matching,
        "is_own",
        "return maker.account == taker.account",
        "return False",
        mode=0,
    ),
    gone(
        "an_account_never_fills_against_itself",
        matching,
        "is_own",
        "return maker.account == taker.account",
        "return False",
        mode=1,
    ),
    gone(
        "an_account_never_fills_against_itself",
        matching,
        "is_own",
        "return maker.account == taker.account",
        "return False",
        mode=2,
    ),
    gone(
        "an_account_never_fills_against_itself",
        matching,
        "is_own",
        "return maker.account == taker.account",
        "return False",
        mode=3,
    ),
    gone(
        "an_own_order_does_not_prop_up_a_fill_or_kill",
        matching,
        "can_fill",
        "if is_own(taker, maker):",
        "if False:",
    ),
    gone(
        "a_ladder_of_thirty_does_not_cross_itself_or_its_old_self",
        orders,
        "_pull",
        "cancel_resting(zone, order, enums.CANCEL_QUOTE)",
    ),
    gone(
        "a_taker_meets_no_more_makers_in_a_block_than_the_bound",
        matching,
        "take",
        "if met == limits.MAX_FILLS:",
        "if False:",
    ),
    gone(
        "a_block_releases_no_more_than_its_meetings",
        matching,
        "release",
        " or zone.met >= limits.BLOCK_MEETINGS",
        "",
    ),
    gone(
        "a_flooded_bucket_stops_one_name_and_nothing_else",
        orders,
        "admit",
        "require(len(chain) < limits.MAX_BUCKET_LENGTH, Code.BUCKET_FULL)",
    ),
    gone(
        "an_old_id_does_not_name_the_order_that_took_its_slot",
        state.State,
        "find_order",
        " and order.id == order_id",
        "",
    ),
    gone(
        "an_old_id_does_not_name_the_order_that_took_its_slot",
        plans,
        "cancel_plan",
        ' and plan.id == item["plan"]',
        "",
    ),
    gone(
        "a_thousand_cancels_do_not_keep_another_accounts_cancel_all_waiting",
        tasks,
        "run",
        "zone.removed < limits.BLOCK_REMOVALS",
        "zone.removed < 500",
    ),
    gone(
        "one_account_has_one_cancel_all_at_a_time",
        tasks,
        "cancel_all",
        "require(zone.accounts[account_id].task is None, Code.BUSY)",
    ),
    gone(
        "a_stale_band_cannot_be_crossed_in_one_sweep",
        orders,
        "admit",
        "require(tif == enums.TIF_MARKET, Code.PRICE_BAND)",
    ),
    gone(
        "what_was_admitted_under_a_wider_band_does_not_trade_outside_the_new_one",
        matching,
        "take",
        "if phases.is_outside(zone, market, taker.side, price):\n            orders.end",
        "if False:\n            orders.end",
        is_taker=True,
    ),
    gone(
        "what_was_admitted_under_a_wider_band_does_not_trade_outside_the_new_one",
        matching,
        "take",
        "elif phases.is_outside(zone, market, maker.side, price):",
        "elif False:",
        is_taker=False,
    ),
    gone(
        "the_anchor_moves_one_band_a_window_however_many_fills",
        phases,
        "move_anchor",
        "elif zone.time >= book.band_time + limits.BAND_WINDOW:",
        "elif True:",
    ),
    gone(
        "a_slide_rests_behind_the_best_price_and_never_takes",
        orders,
        "slide",
        "require(1 <= price <= market.max_price, Code.POST_ONLY_WOULD_CROSS)",
        "price = 1",
    ),
    # money
    gone(
        "nobody_gains_from_rounding_however_many_fills",
        matching,
        "fill",
        "min(ceil_div(base * market.taker_fee, PPM), t.room)",
        "base * market.taker_fee // PPM",
        side=1,
        maker_fee=200,
    ),
    gone(
        "nobody_gains_from_rounding_however_many_fills",
        matching,
        "fill",
        "min(base * -market.maker_fee // PPM, most)",
        "ceil_div(base * -market.maker_fee, PPM)",
        side=0,
        maker_fee=-200,
    ),
    gone(
        "a_buyers_dust_fills_cost_no_more_than_the_fee_that_was_locked",
        matching,
        "get_side",
        "Side(order, pays, 0, 0, 0, order.locked - pays - after)",
        "Side(order, pays, 0, 0, 0, 1 << 60)",
    ),
    gone(
        "a_wash_trade_costs_the_protocols_share_whatever_the_rebate",
        matching,
        "fill",
        "-min(base * -market.maker_fee // PPM, most)",
        "-(base * -market.maker_fee // PPM)",
    ),
    gone(
        "a_wash_trade_costs_the_protocols_share_whatever_the_rebate",
        matching,
        "fill",
        "most = t.fee - get_least(market, t.fee) - ",
        "most = t.fee - ",
    ),
    gone(
        "a_referrer_gets_a_part_of_the_fee_and_not_a_part_of_the_trade",
        matching,
        "fill",
        " - get_referral(market, t.fee)\n",
        "\n",
    ),
    gone(
        "quota_cannot_be_bought_below_what_the_protocol_gets",
        matching,
        "share_fees",
        "quota.reward(owner, zone.assets[market.quote], get_least(market, fee))",
        "quota.reward(owner, zone.assets[market.quote], 2 * fee)",
    ),
    gone(
        "fees_in_play_money_buy_no_quota",
        inbox,
        "set_asset",
        'body["quotaRate"] == body["quotaDeposit"] == 0',
        "True",
    ),
    gone(
        "what_others_submit_costs_the_owner_no_quota",
        envelopes,
        "admit",
        "require(signer is not None and signer == key.address, Code.BAD_SIGNATURE)",
    ),
    gone(
        "what_others_submit_costs_the_owner_no_quota",
        envelopes,
        "run_envelope",
        "zone.owners[key.owner].quota -= len(errors) * limits.MICRO",
    ),
    gone(
        "no_listing_lets_a_toy_meet_a_real_asset",
        inbox,
        "list_market",
        "require(is_real or is_simulated, Code.NOT_SAME_KIND)",
        way="a real base for a toy",
    ),
    gone(
        "no_listing_lets_a_toy_meet_a_real_asset",
        inbox,
        "list_market",
        "require(is_real or is_simulated, Code.NOT_SAME_KIND)",
        way="a toy for a real quote",
    ),
    gone(
        "no_listing_lets_a_toy_meet_a_real_asset",
        inbox,
        "list_market",
        "require(is_real or is_simulated, Code.NOT_SAME_KIND)",
        way="toys of another venue",
    ),
    gone(
        "no_listing_lets_a_toy_meet_a_real_asset",
        inbox,
        "list_market",
        "require(is_real or is_simulated, Code.NOT_SAME_KIND)",
        way="toys of two venues",
    ),
    gone(
        "no_listing_lets_a_toy_meet_a_real_asset",
        inbox,
        "list_guest",
        "require(is_real or is_own, Code.NOT_SAME_KIND)",
        way="a door to them",
    ),
    gone(
        "no_listing_lets_a_toy_meet_a_real_asset",
        inbox,
        "list_event",
        "require(is_kind, Code.NOT_SAME_KIND)",
        way="an event of another venue",
    ),
    gone(
        "no_action_turns_a_toy_into_a_real_asset",
        envelopes,
        "withdraw",
        "require(not asset.is_simulated, Code.NOT_SAME_KIND)",
    ),
    gone(
        "no_action_turns_a_toy_into_a_real_asset",
        envelopes,
        "transfer",
        "require(is_same_owner, Code.KEY_NOT_OF_OWNER)",
    ),
    gone(
        "no_action_turns_a_toy_into_a_real_asset",
        access,
        "claim_faucet",
        "require(asset.is_simulated, Code.NOT_SAME_KIND)",
    ),
    gone(
        "no_action_turns_a_toy_into_a_real_asset",
        access,
        "issue",
        "require(asset.is_simulated, Code.NOT_SAME_KIND)",
    ),
    gone(
        "no_action_turns_a_toy_into_a_real_asset",
        access,
        "issue",
        "require(zone.venues[asset.venue].owner == issuer, Code.NOT_VENUE_OWNER)",
    ),
    gone(
        "no_action_turns_a_toy_into_a_real_asset",
        inbox,
        "deposit",
        "require(not asset.is_simulated, Code.NOT_SAME_KIND)",
    ),
    gone(
        "a_faucet_gives_once_an_interval_whatever_is_closed_or_opened",
        access,
        "close_balance",
        "        and may_claim\n",
        "",
    ),
    gone(
        "a_faucet_gives_once_an_interval_whatever_is_closed_or_opened",
        access,
        "claim_faucet",
        " and is_main",
        "",
    ),
    gone(
        "an_issue_cannot_pass_the_cap_and_fills_nobodys_list",
        access,
        "issue",
        "require(asset.total + amount <= asset.cap, Code.ASSET_CAP)",
    ),
    gone(
        "an_interface_takes_nothing_that_was_not_approved",
        access,
        "_is_approved",
        " and approval.value >= fee",
        "",
    ),
    gone(
        "an_interface_takes_nothing_that_was_not_approved",
        access,
        "_is_approved",
        " and approval.is_timely(zone.time)",
        "",
    ),
    gone(
        "an_interface_takes_nothing_that_was_not_approved",
        access,
        "approve_interface",
        'body["maxFee"] <= limits.MAX_INTERFACE_FEE\n        and ',
        "",
    ),
    gone(
        "an_interface_takes_nothing_that_was_not_approved",
        access,
        "approve_interface",
        '        and body["interface"] != account_id,\n',
        "        and True,\n",
    ),
    gone(
        "a_plan_pays_no_interface_whose_approval_is_gone_when_it_fires",
        access,
        "check_interface",
        "if interface == 0 and fee == 0:",
        "if zone.leaf == 0 or (interface == 0 and fee == 0):",
    ),
    gone(
        "a_guest_venue_takes_its_fee_from_its_traders_and_none_of_the_homes",
        matching,
        "share_fees",
        "pot = t.fee + m.fee\n",
        "pot = t.fee + m.fee - t.extra\n",
        side=0,
    ),
    gone(
        "a_door_cannot_raise_its_fee_on_those_who_came_through_it",
        matching,
        "fill",
        "base * maker.interface_fee",
        "base * zone.markets[maker.door].guest_fee",
    ),
    gone(
        "a_door_cannot_raise_its_fee_on_those_who_came_through_it",
        access,
        "check_interface",
        "require(_is_approved(zone, account, taker, door.guest_fee), Code.INTERFACE_NOT_APPROVED)",
    ),
    gone(
        "a_guest_venue_can_close_its_door_and_not_the_book",
        orders,
        "admit",
        "is_open = phases.admits(zone, door, tif=tif, is_reduce_only=is_reduce_only)",
        "is_open = True",
    ),
    gone(
        "fee_accounts_cannot_lose_the_balance_that_fees_go_to",
        access,
        "close_balance",
        "zone.accounts[account].kind == enums.ACCOUNT_USER\n        and ",
        "",
    ),
    # keys
    gone(
        "an_agent_signs_no_typed_action",
        envelopes,
        "check_burnt",
        "require(is_in_scope, Code.KEY_SCOPE)",
        action=10,
    ),
    gone(
        "an_agent_signs_no_typed_action",
        envelopes,
        "check_burnt",
        "require(is_in_scope, Code.KEY_SCOPE)",
        action=11,
    ),
    gone(
        "an_agent_signs_no_typed_action",
        envelopes,
        "check_burnt",
        "require(is_in_scope, Code.KEY_SCOPE)",
        action=12,
    ),
    gone(
        "an_agent_signs_no_typed_action",
        envelopes,
        "check_burnt",
        "require(is_in_scope, Code.KEY_SCOPE)",
        action=13,
    ),
    gone(
        "an_agent_signs_no_typed_action",
        envelopes,
        "check_burnt",
        "require(is_in_scope, Code.KEY_SCOPE)",
        action=14,
    ),
    gone(
        "an_agent_signs_no_typed_action",
        envelopes,
        "check_burnt",
        "require(is_in_scope, Code.KEY_SCOPE)",
        action=19,
    ),
    gone(
        "an_agent_signs_no_typed_action",
        envelopes,
        "check_burnt",
        "require(is_in_scope, Code.KEY_SCOPE)",
        action=21,
    ),
    gone(
        "an_agent_signs_no_typed_action",
        envelopes,
        "check_burnt",
        "require(is_in_scope, Code.KEY_SCOPE)",
        action=24,
    ),
    gone(
        "an_agent_signs_no_typed_action",
        envelopes,
        "check_burnt",
        "require(is_in_scope, Code.KEY_SCOPE)",
        action=25,
    ),
    gone(
        "an_agent_signs_no_typed_action",
        envelopes,
        "check_burnt",
        "require(is_in_scope, Code.KEY_SCOPE)",
        action=26,
    ),
    gone(
        "an_agent_signs_no_typed_action",
        envelopes,
        "check_burnt",
        "require(is_in_scope, Code.KEY_SCOPE)",
        action=27,
    ),
    gone(
        "an_agent_signs_no_typed_action",
        envelopes,
        "check_burnt",
        "require(is_in_scope, Code.KEY_SCOPE)",
        action=28,
    ),
    gone(
        "no_agent_key_is_made_beyond_its_terms",
        envelopes,
        "approve_key",
        "require(is_good, Code.BAD_KEY)",
        terms={"scope": 3},
    ),
    gone(
        "an_agent_stays_in_its_venue",
        state.State,
        "may_sign_for",
        "return key.venue == 0 or key.venue in venues",
        "return True",
    ),
    gone(
        "an_agent_stays_in_its_venue",
        orders,
        "admit",
        "require(key.venue in (0, named.venue), Code.KEY_VENUE)",
    ),
    gone(
        "an_agent_stays_in_its_venue",
        plans,
        "place_plan",
        "require(key.venue in (0, named.venue), Code.KEY_VENUE)",
    ),
    gone(
        "an_agent_stays_in_its_venue",
        tasks,
        "cancel_all",
        "require(key.venue == 0 or (market is not None and market.venue == key.venue), Code.KEY_VENUE)",
    ),
    gone(
        "an_agent_stays_below_its_notional",
        orders,
        "admit",
        "require(is_within, Code.KEY_NOTIONAL)",
    ),
    gone(
        "an_agent_stays_below_its_notional",
        orders,
        "_replace",
        "require(key.max_notional == 0 or notional <= key.max_notional, Code.KEY_NOTIONAL)",
    ),
    gone(
        "an_agent_stays_below_its_notional",
        plans,
        "place_plan",
        "require(key.max_notional == 0 or notional <= key.max_notional, Code.KEY_NOTIONAL)",
    ),
    gone(
        "an_agent_stays_in_its_account",
        envelopes,
        "check_burnt",
        "require(key.account in (0, envelope.account), Code.KEY_ACCOUNT)",
    ),
    gone(
        "an_agent_stays_in_its_account",
        envelopes,
        "admit",
        "require(key.owner == account.owner, Code.KEY_NOT_OF_OWNER)",
    ),
    gone(
        "an_agent_ends_when_it_expires_or_is_revoked",
        envelopes,
        "check_burnt",
        "require(key.expires == 0 or zone.time < key.expires, Code.KEY_EXPIRED)",
    ),
    gone(
        "an_agent_ends_when_it_expires_or_is_revoked",
        envelopes,
        "admit",
        " and key.id == envelope.key",
        "",
    ),
    gone(
        "a_nonce_is_used_once_also_across_a_revoked_and_approved_key",
        envelopes,
        "admit",
        "require(nonce > key.cells[nonce % limits.NONCE_CELLS], Code.NONCE_USED)",
    ),
    gone(
        "a_nonce_is_used_once_also_across_a_revoked_and_approved_key",
        envelopes,
        "admit",
        "require(is_near, Code.NONCE_OUT_OF_WINDOW)",
    ),
    gone(
        "another_accounts_switch_and_orders_cannot_be_touched",
        envelopes,
        "admit",
        "require(key.owner == account.owner, Code.KEY_NOT_OF_OWNER)",
    ),
    gone(
        "another_accounts_switch_and_orders_cannot_be_touched",
        orders,
        "_find_own",
        "require(is_own, Code.NOT_ORDER_OWNER)",
    ),
    gone(
        "a_sub_account_is_not_a_way_out_of_the_owner",
        envelopes,
        "transfer",
        "require(is_same_owner, Code.KEY_NOT_OF_OWNER)",
    ),
    gone(
        "a_credential_is_of_its_subject_its_provider_and_its_time",
        access,
        "_admit_credential",
        'require(body["subject"] == owner.address, Code.OWNER_MISMATCH)',
    ),
    gone(
        "a_credential_is_of_its_subject_its_provider_and_its_time",
        access,
        "_admit_credential",
        " and signer == provider",
        "",
    ),
    gone(
        "a_credential_is_of_its_subject_its_provider_and_its_time",
        access,
        "_admit_credential",
        ' and (old is None or body["issued"] > old.issued)',
        " and True",
    ),
    gone(
        "a_credential_is_of_its_subject_its_provider_and_its_time",
        access,
        "_admit_credential",
        'and venue.regions >> body["region"] & 1 == 1\n',
        "and True\n",
    ),
    gone(
        "a_credential_is_of_its_subject_its_provider_and_its_time",
        access,
        "_admit_credential",
        "venue.min_class <= ",
        "0 <= ",
    ),
    gone(
        "a_credential_is_of_its_subject_its_provider_and_its_time",
        access,
        "_admit_credential",
        'zone.time < body["expires"] <= limits.MAX_TIME',
        'body["expires"]',
    ),
    gone(
        "no_order_outlives_its_credential",
        orders,
        "admit",
        "min(e for e in (expires, earliest) if e) if expires or earliest else 0",
        "expires",
    ),
    gone(
        "a_plan_asks_for_access_when_it_fires",
        orders,
        "admit",
        "if not is_reduce_only:\n        ways",
        "if not is_reduce_only and not is_plan:\n        ways",
    ),
    gone(
        "a_revoked_list_stops_new_orders_and_locks_nobody_in",
        access,
        "check_access",
        "require(record is not None, Code.ACCESS_DENIED)\n            if",
        "if record and",
    ),
    gone(
        "a_list_is_kept_by_its_venue_only",
        access,
        "_require_own_venue",
        "require(venue.owner == zone.accounts[account].owner, Code.NOT_VENUE_OWNER)",
    ),
    gone(
        "access_counts_for_every_account_of_an_owner_and_for_no_other",
        orders,
        "admit",
        "access.check_access(zone, account.owner, *ways)",
        "access.check_access(zone, account_id, *ways)",
    ),
    gone(
        "an_order_is_not_re_placed_as_a_new_one_after_access_was_withdrawn",
        orders,
        "_replace",
        "access.check_access(zone, zone.accounts[order.account].owner, *ways)",
    ),
    # outcomes
    gone(
        "a_round_trip_of_sets_gives_back_what_it_took",
        outcome,
        "merge",
        "require(unlocked >= lots, Code.NOT_ENOUGH_SETS)",
    ),
    gone(
        "the_same_lots_are_not_sold_twice",
        outcome,
        "get_unlocked",
        "holding.unlocked(side)",
        "holding.held(1 - side)",
    ),
    gone(
        "caps_are_not_passed_by_splitting_trading_or_waiting",
        outcome,
        "split",
        "require(cap == 0 or (held + lots) * event.unit <= cap, Code.ACCOUNT_CAP)",
    ),
    gone(
        "caps_are_not_passed_by_splitting_trading_or_waiting",
        outcome,
        "split",
        "require(cap == 0 or after * event.unit <= cap, Code.OPEN_INTEREST_CAP)",
    ),
    gone(
        "caps_are_not_passed_by_splitting_trading_or_waiting",
        outcome,
        "check_entry_caps",
        "require(cap == 0 or open_lots * market.unit < cap, Code.OPEN_INTEREST_CAP)",
    ),
    gone(
        "caps_are_not_passed_by_splitting_trading_or_waiting",
        outcome,
        "find_capped",
        "return taker",
        "return None",
    ),
    gone("selling_every_outcome_to_oneself_makes_no_money", outcome, "merge", "event.sets -= lots"),
    gone(
        "an_event_is_resolved_once_and_by_a_whole_vector",
        outcome,
        "resolve",
        "require(event.state == enums.GROUP_OPEN, Code.EVENT_SETTLED)",
    ),
    gone(
        "an_event_is_resolved_once_and_by_a_whole_vector",
        outcome,
        "is_payout_vector",
        " and not any(parts[outcomes:])",
        "",
    ),
    gone(
        "nothing_trades_behind_a_resolution",
        matching,
        "take",
        "if not may_take(zone, taker) or (is_fok and market.has_caps):",
        "if False:",
    ),
    gone(
        "no_holding_is_paid_twice_or_to_another",
        outcome,
        "pay",
        "del zone.accounts[holding.account].holdings[market.slot]",
    ),
    gone(
        "void_pays_the_vector_of_the_listing_and_not_the_cost",
        outcome,
        "resolve",
        "payouts = event.void_payouts",
        'payouts = b"\\x13\\x88\\x13\\x88".ljust(32, b"\\0")',
    ),
    gone(
        "payouts_of_many_holders_go_on_over_blocks_and_pay_everybody",
        outcome,
        "sweep",
        " and visited < limits.PAYOUT_SWEEP",
        "",
    ),
    gone(
        "one_block_that_reaches_both_legs_fires_one",
        plans,
        "fire",
        "cancel(zone, sibling, enums.CANCEL_SIBLING)",
    ),
    gone(
        "a_leg_never_closes_more_than_its_parent_opened",
        plans,
        "settle_children",
        "plan.lots = min(plan.lots, parent.filled)",
        is_gone=False,
    ),
    gone(
        "a_leg_never_closes_more_than_its_parent_opened",
        plans,
        "settle_children",
        "plan.lots = min(plan.lots, parent.filled)",
        is_gone=True,
    ),
    gone(
        "a_leg_of_a_parent_that_filled_nothing_never_fires",
        plans,
        "place_plan",
        "if parent is None or parent.filled > 0:",
        "if True:",
    ),
    gone(
        "a_position_stop_closes_what_is_held_and_no_more",
        orders,
        "_check_outcome",
        "        lots = min(lots, closable)\n",
        "",
    ),
    gone(
        "a_storm_of_stops_is_bounded_in_every_block",
        plans,
        "run_triggers",
        " and zone.met < limits.BLOCK_MEETINGS",
        "",
    ),
    gone(
        "a_plan_that_has_expired_sends_nothing_however_late_its_timer_is",
        orders,
        "admit",
        "require(expires == 0 or expires > zone.time, Code.ORDER_EXPIRED)",
    ),
    gone(
        "plans_lock_nothing_and_are_bounded_by_account",
        plans,
        "place_plan",
        "require(len(account.plans) < limits.MAX_PLANS, Code.TOO_MANY_PLANS)",
    ),
    gone(
        "plans_lock_nothing_and_are_bounded_by_account",
        orders,
        "admit",
        "require(zone.free(account_id, pay) >= lock, Code.INSUFFICIENT_BALANCE)",
        "require(is_plan or zone.free(account_id, pay) >= lock, Code.INSUFFICIENT_BALANCE)",
    ),
    gone(
        "nobody_is_sniped_after_an_outage",
        phases,
        "get_restart_phases",
        "if zone.restart_time:",
        "if False:",
    ),
    gone(
        "nobody_is_sniped_after_an_outage",
        matching,
        "take",
        "if not may_take(zone, taker) or (is_fok and market.has_caps):",
        "if False:",
    ),
    gone(
        "a_gap_cannot_be_made_by_many_short_ones",
        phases,
        "open_block",
        "gap > limits.RESTART_GAP",
        "gap >= limits.RESTART_GAP",
    ),
    gone(
        "nothing_fills_behind_the_end_of_a_session",
        phases,
        "get_phases",
        "if market.calendar and not",
        "if False and not",
    ),
    gone(
        "nothing_fills_behind_the_end_of_a_session",
        matching,
        "take",
        "if not may_take(zone, taker) or (is_fok and market.has_caps):",
        "if False:",
    ),
    gone(
        "a_market_that_closes_takes_nothing_from_that_moment",
        phases,
        "get_phases",
        "if market.closes and zone.time >= market.closes:",
        "if False:",
    ),
    gone(
        "a_wound_down_venue_lets_everybody_out_and_nobody_in",
        phases,
        "get_phases",
        "if state == enums.VENUE_WOUND_DOWN:",
        "if False:",
    ),
    gone(
        "a_wound_down_venue_lets_everybody_out_and_nobody_in",
        phases,
        "get_phases",
        "if state == enums.VENUE_REDUCE_ONLY:",
        "if False:",
    ),
]


def mutate(monkeypatch, where, name, old, new):
    """Put the function `name` of a module or class in its place with one piece replaced."""
    function = getattr(where, name)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{name} has {old!r} {source.count(old)} times"
    flags = __future__.annotations.compiler_flag
    code = compile(source.replace(old, new), f"<mutated {name}>", "exec", flags, dont_inherit=True)
    made: dict[str, Any] = {}
    exec(code, function.__globals__, made)
    monkeypatch.setattr(where, name, made[name])
    for handlers in (envelopes.HANDLERS, inbox.HANDLERS):
        for kind, handler in handlers.items():
            if handler is function:
                monkeypatch.setitem(handlers, kind, made[name])


def find_attack(name):
    (attack,) = (found for suite in SUITES if (found := getattr(suite, f"test_{name}", None)))
    return attack


def run_attack(attack, parameters, monkeypatch):
    zone = Zone()
    values = dict(parameters)
    for name in inspect.signature(attack).parameters:
        if name == "monkeypatch":
            values[name] = monkeypatch
        elif name not in values:
            values[name] = SETUPS[name](zone)
    zone.is_checking = False
    attack(**values)


FAILURES = (AssertionError, ValueError, LookupError, AttributeError)


@pytest.mark.parametrize(
    "mutation", MUTATIONS, ids=[f"{n}-{m.attack}-{m.function}" for n, m in enumerate(MUTATIONS)]
)
def test_without_its_rule_the_attack_succeeds(monkeypatch, mutation):
    attack = find_attack(mutation.attack)
    mutate(monkeypatch, mutation.where, mutation.function, mutation.old, mutation.new)
    with pytest.raises(FAILURES):
        run_attack(attack, mutation.parameters, monkeypatch)


def test_every_attack_has_a_rule_that_is_taken_out():
    """But for those of which no single rule of the model is what stops them."""
    attacks = {
        name.removeprefix("test_")
        for suite in SUITES
        for name in vars(suite)
        if name.startswith("test_")
    }
    assert attacks - {mutation.attack for mutation in MUTATIONS} == WITHOUT
