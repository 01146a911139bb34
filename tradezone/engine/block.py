"""Blocks: the order of leaves inside them, and the loop that runs the machine.

The machine is a sequence of steps; ``machine.pc`` names the next one. ``run`` and the step executor
(``tradezone.verifier.stepper``) call the same ``step``, so what is fast here and what can be disputed on
chain are the same functions.
"""

from __future__ import annotations

from tradezone.protocol import actions as A
from tradezone.protocol import steps as P
from tradezone.protocol.enums import CLOSED
from tradezone.protocol.errors import Code
from tradezone.protocol.events import RESTARTED
from tradezone.protocol.limits import MAX_BLOCK_LEAVES, MAX_INBOX_MARK, MAX_TIME, RESTART_GAP

from . import (
    access,
    assets,
    envelopes,
    forced,
    heaps,
    inbox,
    markets,
    matching,
    orders,
    outcome,
    plans,
    quota,
    quotes,
    tasks,
    timers,
)
from ._jit import i64, jit, jit_inline
from .ahead import look_ahead, look_ahead_match, look_ahead_release
from .codec import class_of, emit_note, is_block_mark, leaf_size, leaf_start, read64
from .envelopes import reject_leaf
from .memory import BATCH_OPEN, EVENT_LIMIT, ZONE_ENDS
from .perps import adl, closing, liquidation, pools, prices
from .perps import orders as perp_orders
from .perps.liquidation import begin_sweep
from .tables import T_AGENDA, T_MACHINE, T_POOL, touch
from .timers import is_timer_due

_MALFORMED = int(Code.MALFORMED)
_UNEXPECTED = int(Code.UNEXPECTED_LEAF)

_prices_dispatch = prices.dispatch
_pools_dispatch = pools.dispatch
_perp_orders_dispatch = perp_orders.dispatch
_liquidation_dispatch = liquidation.dispatch
_adl_dispatch = adl.dispatch
_closing_dispatch = closing.dispatch

_step_envelope = envelopes.step_envelope
_step_item = envelopes.step_item
_step_item_done = envelopes.step_item_done
_step_transfer = envelopes.step_transfer
_step_withdraw = envelopes.step_withdraw
_step_approve_key = envelopes.step_approve_key
_step_revoke_key = envelopes.step_revoke_key
_step_revoke_walk = envelopes.step_revoke_walk
_step_create_account = envelopes.step_create_account
_step_message = inbox.step_message
_forced_dispatch = forced.dispatch
_step_list_balance = markets.step_list_balance
_step_update_due = markets.step_update_due
_step_resolve_market = markets.step_resolve_market
_step_door = access.step_door
_step_interface = access.step_interface
_step_access = access.step_access
_step_access_walk = access.step_access_walk
_step_approve_interface = access.step_approve_interface
_step_grant_access = access.step_grant_access
_step_credential = access.step_credential
_step_access_find = access.step_access_find
_step_access_write = access.step_access_write
_step_faucet = assets.step_faucet
_step_issue = assets.step_issue
_step_open_balance = assets.step_open_balance
_step_close_balance = assets.step_close_balance
_step_credit = quota.step_credit
_step_place = orders.step_place
_step_place_check = orders.step_place_check
_step_place_walk = orders.step_place_walk
_step_place_open = orders.step_place_open
_step_place_lock = orders.step_place_lock
_step_place_timer = orders.step_place_timer
_step_rest = orders.step_rest
_step_join = orders.step_join
_step_find = orders.step_find
_step_find_walk = orders.step_find_walk
_step_cancel = orders.step_cancel
_step_amend = orders.step_amend
_step_amend_check = orders.step_amend_check
_step_amend_hold = orders.step_amend_hold
_step_amend_move = orders.step_amend_move
_step_remove_level = orders.step_remove_level
_step_remove_bucket = orders.step_remove_bucket
_step_remove_timer = orders.step_remove_timer
_step_remove_order = orders.step_remove_order
_step_release = matching.step_release
_step_requeue = matching.step_requeue
_step_take = matching.step_take
_step_fok_walk = matching.step_fok_walk
_step_match = matching.step_match
_step_note_price = matching.step_note_price
_step_fee_extra = matching.step_fee_extra
_step_fee_referrer = matching.step_fee_referrer
_step_fees = matching.step_fees
_step_fill_done = matching.step_fill_done
_step_stp_taker = matching.step_stp_taker
_step_take_pop = matching.step_take_pop
_step_dispose = matching.step_dispose
_step_queue_sift = heaps.step_queue_sift
_step_timer_sift = heaps.step_timer_sift
_step_timers = timers.step_timers
_step_timer_due = timers.step_timer_due
_step_cancel_all = tasks.step_cancel_all
_step_dead_man = tasks.step_dead_man
_step_dead_man_due = tasks.step_dead_man_due
_step_task = tasks.step_task
_step_payout = tasks.step_payout
_step_quote_pull = quotes.step_quote_pull
_step_quote_walk = quotes.step_quote_walk
_step_quote_one = quotes.step_quote_one
_step_quote_place = quotes.step_quote_place
_step_place_hold = outcome.step_place_hold
_step_hold_open = outcome.step_hold_open
_step_split = outcome.step_split
_step_split_check = outcome.step_split_check
_step_split_pay = outcome.step_split_pay
_step_split_market = outcome.step_split_market
_step_merge = outcome.step_merge
_step_merge_check = outcome.step_merge_check
_step_merge_pay = outcome.step_merge_pay
_step_merge_market = outcome.step_merge_market
_step_redeem = outcome.step_redeem
_step_pay_open = outcome.step_pay_open
_step_pay_holding = outcome.step_pay_holding
_step_place_plan = plans.step_place_plan
_step_plan_parent = plans.step_plan_parent
_step_parent_walk = plans.step_parent_walk
_step_plan_open = plans.step_plan_open
_step_arm_plan = plans.step_arm_plan
_step_arm = plans.step_arm
_step_children = plans.step_children
_step_cancel_plan = plans.step_cancel_plan
_step_plan_leave = plans.step_plan_leave
_step_plan_level = plans.step_plan_level
_step_plan_ring = plans.step_plan_ring
_step_remove_plan = plans.step_remove_plan
_step_trigger = plans.step_trigger
_step_fire = plans.step_fire
_step_siblings = plans.step_siblings
_step_plan_sent = plans.step_plan_sent
_step_plan_refused = plans.step_plan_refused


@jit
def step_idle(s, d, io):
    """IDLE: a block mark opens the next block; anything else is recorded and passed over."""
    m = s.machine[0]
    seq = i64(m.seq)
    if seq >= io.end_seq:  # the batch is over: what its header says of the inbox holds
        m.phase = inbox.DRAINING
        m.inbox_end = io.header_inbox
        m.pc = P.MESSAGE
        touch(d, T_MACHINE, 0)
        return
    at = leaf_start(io, seq)
    number, time = i64(0), i64(0)
    if is_block_mark(io, seq):
        number, time = read64(io.leaf, at + 1), read64(io.leaf, at + 9)
    is_in_header = (
        number >= io.header_first_block
        and number <= io.header_last_block
        and time >= io.header_start
        and time <= io.header_end
    )
    if is_in_header and number == m.block + 1 and time >= m.time and time <= MAX_TIME:
        begin_agenda(s, d, io, m, time)
        m.block = number
        m.time = time
        m.seq = seq + 1
        m.block_first = seq + 1
        m.block_end = seq + 1
        m.steps = 0
        m.met = 0
        m.action = 0
        m.pc = P.SCAN
    else:
        reject_leaf(s, d, io, 0, 1, _UNEXPECTED)
        m.pc = P.IDLE
    touch(d, T_MACHINE, 0)


@jit
def begin_agenda(s, d, io, m, time):
    """Clear what the agenda keeps for one block; a gap since the last block begins a restart."""
    g = s.agenda[0]
    if g.removed != 0:
        g.removed = 0
        touch(d, T_AGENDA, 0)
    if m.block > 0 and time - m.time > RESTART_GAP:
        g.restart_time = time
        touch(d, T_AGENDA, 0)
        emit_note(d, io, RESTARTED, m.seq, 0, 0, 0, 0, 0, 0, time - m.time)


@jit
def step_scan(s, d, io):
    """SCAN: one leaf; the block ends at the next mark, the end of the batch, or when it is full."""
    m = s.machine[0]
    end = i64(m.block_end)
    if end - m.block_first >= MAX_BLOCK_LEAVES or end >= io.end_seq or is_block_mark(io, end):
        m.phase = A.CLASS_PRICES
        m.seq = m.block_first
        m.pc = P.LEAF
    else:
        m.block_end = end + 1
    touch(d, T_MACHINE, 0)


@jit
def scan_on(s, io, most):
    """Do up to ``most`` SCAN steps that find no end of the block, in one go; returns how many."""
    m = s.machine[0]
    end, last = i64(m.block_end), min(m.block_first + MAX_BLOCK_LEAVES, i64(io.end_seq))
    last = min(last, end + most)
    while end < last and not is_block_mark(io, end):
        end += 1
    count = end - m.block_end
    m.block_end = end
    m.steps += count
    return count


@jit
def pass_over(s, io, most):
    """Do up to ``most`` LEAF steps that meet leaves of other classes, in one go; returns how many."""
    m = s.machine[0]
    seq, last = i64(m.seq), i64(m.block_end)
    last = min(last, seq + most)
    while seq < last and class_of(io, seq) != m.phase:
        seq += 1
    count = seq - m.seq
    m.seq = seq
    m.steps += count
    return count


@jit
def end_class(s, d, m):
    """Behind the last leaf of a class: timers, tasks or the release, if there are any, and the next class."""
    phase = i64(m.phase)
    if phase == A.CLASS_TAKE:
        m.pc = P.RELEASE
    elif phase == A.CLASS_PRICES and is_timer_due(s, i64(m.time)):
        m.value3 = 0
        m.pc = P.TIMERS
    elif phase == A.CLASS_PRICES and s.agenda[0].perps != 0:
        m.value3 = 0
        m.pc = P.TICK
    elif phase == A.CLASS_CANCEL and (s.agenda[0].task_first != 0 or s.agenda[0].sweep_left != 0):
        m.pc = P.TASK
    elif phase == A.CLASS_POST and (s.agenda[0].perps != 0 or s.head[T_POOL].high_water > 1):
        begin_sweep(s, d, m)
    else:
        m.phase = phase + 1


@jit
def step_leaf(s, d, io):
    """LEAF: the leaf under the cursor, if its class is the phase's; at the end the next phase."""
    m = s.machine[0]
    touch(d, T_MACHINE, 0)
    seq = i64(m.seq)
    if seq >= m.block_end:
        m.seq = m.block_first
        end_class(s, d, m)
        return
    if class_of(io, seq) != m.phase:
        m.seq = seq + 1
        return
    if m.phase != A.CLASS_PRICES:
        m.pc = P.ENVELOPE
        return
    at, size = leaf_start(io, seq), leaf_size(io, seq)
    kind = i64(io.leaf[at]) if size > 0 else i64(0)
    if kind == A.LEAF_INBOX and size == A.INBOX_MARK_BYTES:
        end = read64(io.leaf, at + 1)
        if end > m.inbox and end <= min(m.inbox + MAX_INBOX_MARK, io.header_inbox):
            m.inbox_end = end
            m.pc = P.MESSAGE
        else:
            reject_leaf(s, d, io, 0, 1, _UNEXPECTED)
    elif kind == A.LEAF_PRICE and size == A.PRICE_BYTES:
        m.pc = P.PRICE_LEAF
    elif kind == A.LEAF_CREDENTIAL and size == A.CREDENTIAL_BYTES:
        m.pc = P.CREDENTIAL
    else:
        reject_leaf(s, d, io, 0, 1, _MALFORMED)


@jit
def step_close(s, d, io):
    """CLOSE: the block is done."""
    m = s.machine[0]
    m.seq = m.block_end
    m.pc = P.IDLE
    touch(d, T_MACHINE, 0)


@jit
def dispatch_perps(s, d, io, pc):
    """Run a step of perpetuals."""
    if pc < P.TOUCH:
        _prices_dispatch(s, d, io, pc)
    elif pc < P.PERP_TERMS:
        _pools_dispatch(s, d, io, pc)
    elif pc < P.SWEEP:
        _perp_orders_dispatch(s, d, io, pc)
    elif pc < P.JOB:
        _liquidation_dispatch(s, d, io, pc)
    elif pc < P.CLOSING:
        _adl_dispatch(s, d, io, pc)
    else:
        _closing_dispatch(s, d, io, pc)


@jit
def dispatch_cold(s, d, io, pc):
    """Run a step that is rare, or whose own work is long: one call more is not felt."""
    if pc == P.TRANSFER:
        _step_transfer(s, d, io)
    elif pc == P.WITHDRAW:
        _step_withdraw(s, d, io)
    elif pc == P.APPROVE_KEY:
        _step_approve_key(s, d, io)
    elif pc == P.REVOKE_KEY:
        _step_revoke_key(s, d, io)
    elif pc == P.REVOKE_WALK:
        _step_revoke_walk(s, d, io)
    elif pc == P.CREATE_ACCOUNT:
        _step_create_account(s, d, io)
    elif pc == P.MESSAGE:
        _step_message(s, d, io)
    elif pc >= P.FORCED_WITHDRAW and pc <= P.FORCED_ANSWER:
        _forced_dispatch(s, d, io, pc)
    elif pc == P.LIST_BALANCE:
        _step_list_balance(s, d, io)
    elif pc == P.UPDATE_DUE:
        _step_update_due(s, d, io)
    elif pc == P.RESOLVE_MARKET:
        _step_resolve_market(s, d, io)
    elif pc == P.DOOR:
        _step_door(s, d, io)
    elif pc == P.INTERFACE:
        _step_interface(s, d, io)
    elif pc == P.ACCESS:
        _step_access(s, d, io)
    elif pc == P.ACCESS_WALK:
        _step_access_walk(s, d, io)
    elif pc == P.APPROVE_INTERFACE:
        _step_approve_interface(s, d, io)
    elif pc == P.GRANT_ACCESS:
        _step_grant_access(s, d, io)
    elif pc == P.CREDENTIAL:
        _step_credential(s, d, io)
    elif pc == P.ACCESS_FIND:
        _step_access_find(s, d, io)
    elif pc == P.ACCESS_WRITE:
        _step_access_write(s, d, io)
    elif pc == P.FAUCET:
        _step_faucet(s, d, io)
    elif pc == P.ISSUE:
        _step_issue(s, d, io)
    elif pc == P.OPEN_BALANCE:
        _step_open_balance(s, d, io)
    elif pc == P.CLOSE_BALANCE:
        _step_close_balance(s, d, io)
    elif pc == P.PLACE_TIMER:
        _step_place_timer(s, d, io)
    elif pc == P.AMEND_CHECK:
        _step_amend_check(s, d, io)
    elif pc == P.AMEND_HOLD:
        _step_amend_hold(s, d, io)
    elif pc == P.AMEND_MOVE:
        _step_amend_move(s, d, io)
    elif pc == P.REMOVE_TIMER:
        _step_remove_timer(s, d, io)
    elif pc == P.FOK_WALK:
        _step_fok_walk(s, d, io)
    elif pc == P.FEE_EXTRA:
        _step_fee_extra(s, d, io)
    elif pc == P.FEE_REFERRER:
        _step_fee_referrer(s, d, io)
    elif pc == P.STP_TAKER:
        _step_stp_taker(s, d, io)
    elif pc == P.TIMER_SIFT:
        _step_timer_sift(s, d, io)
    elif pc == P.TIMERS:
        _step_timers(s, d, io)
    elif pc == P.TIMER_DUE:
        _step_timer_due(s, d, io)
    elif pc == P.CANCEL_ALL:
        _step_cancel_all(s, d, io)
    elif pc == P.DEAD_MAN:
        _step_dead_man(s, d, io)
    elif pc == P.DEAD_MAN_DUE:
        _step_dead_man_due(s, d, io)
    elif pc == P.TASK:
        _step_task(s, d, io)
    elif pc == P.PAYOUT:
        _step_payout(s, d, io)
    elif pc == P.HOLD_OPEN:
        _step_hold_open(s, d, io)
    elif pc == P.SPLIT:
        _step_split(s, d, io)
    elif pc == P.SPLIT_CHECK:
        _step_split_check(s, d, io)
    elif pc == P.SPLIT_PAY:
        _step_split_pay(s, d, io)
    elif pc == P.SPLIT_MARKET:
        _step_split_market(s, d, io)
    elif pc == P.MERGE:
        _step_merge(s, d, io)
    elif pc == P.MERGE_CHECK:
        _step_merge_check(s, d, io)
    elif pc == P.MERGE_PAY:
        _step_merge_pay(s, d, io)
    elif pc == P.MERGE_MARKET:
        _step_merge_market(s, d, io)
    elif pc == P.REDEEM:
        _step_redeem(s, d, io)
    elif pc == P.PAY_OPEN:
        _step_pay_open(s, d, io)
    elif pc == P.PAY_HOLDING:
        _step_pay_holding(s, d, io)
    elif pc == P.PLACE_PLAN:
        _step_place_plan(s, d, io)
    elif pc == P.PLAN_PARENT:
        _step_plan_parent(s, d, io)
    elif pc == P.PARENT_WALK:
        _step_parent_walk(s, d, io)
    elif pc == P.PLAN_OPEN:
        _step_plan_open(s, d, io)
    elif pc == P.ARM_PLAN:
        _step_arm_plan(s, d, io)
    elif pc == P.ARM:
        _step_arm(s, d, io)
    elif pc == P.CHILDREN:
        _step_children(s, d, io)
    elif pc == P.CANCEL_PLAN:
        _step_cancel_plan(s, d, io)
    elif pc == P.PLAN_LEAVE:
        _step_plan_leave(s, d, io)
    elif pc == P.PLAN_LEVEL:
        _step_plan_level(s, d, io)
    elif pc == P.PLAN_RING:
        _step_plan_ring(s, d, io)
    elif pc == P.REMOVE_PLAN:
        _step_remove_plan(s, d, io)
    elif pc == P.TRIGGER:
        _step_trigger(s, d, io)
    elif pc == P.FIRE:
        _step_fire(s, d, io)
    elif pc == P.SIBLINGS:
        _step_siblings(s, d, io)
    elif pc == P.PLAN_SENT:
        _step_plan_sent(s, d, io)
    elif pc == P.PLAN_REFUSED:
        _step_plan_refused(s, d, io)
    elif pc == P.IDLE:
        step_idle(s, d, io)
    elif pc == P.CLOSE:
        step_close(s, d, io)
    elif pc >= P.PRICE_LEAF:
        dispatch_perps(s, d, io, pc)
    else:
        raise ValueError("machine.pc names no step")


@jit_inline
def dispatch(s, d, io, pc):
    """Run the step ``pc``. A new step function gets its line here if orders and fills pass through it,
    else in ``dispatch_cold``.

    This is copied into its callers: Numba clears a stack slot for every call that a function holds each
    time the function is entered, and ``run`` is entered once a run.
    """
    if pc == P.LEAF:
        step_leaf(s, d, io)
    elif pc == P.ENVELOPE:
        look_ahead(s, d, io)
        _step_envelope(s, d, io)
    elif pc == P.ITEM:
        _step_item(s, d, io)
    elif pc == P.ITEM_DONE:
        _step_item_done(s, d, io)
    elif pc == P.PLACE:
        _step_place(s, d, io)
    elif pc == P.PLACE_WALK:
        _step_place_walk(s, d, io)
    elif pc == P.PLACE_OPEN:
        _step_place_open(s, d, io)
    elif pc == P.PLACE_LOCK:
        _step_place_lock(s, d, io)
    elif pc == P.REST:
        _step_rest(s, d, io)
    elif pc == P.FIND:
        _step_find(s, d, io)
    elif pc == P.FIND_WALK:
        _step_find_walk(s, d, io)
    elif pc == P.CANCEL:
        _step_cancel(s, d, io)
    elif pc == P.REMOVE_LEVEL:
        _step_remove_level(s, d, io)
    elif pc == P.REMOVE_BUCKET:
        _step_remove_bucket(s, d, io)
    elif pc == P.REMOVE_ORDER:
        _step_remove_order(s, d, io)
    elif pc == P.MATCH:
        look_ahead_match(s, d, io)
        _step_match(s, d, io)
    elif pc == P.FEES:
        _step_fees(s, d, io)
    elif pc == P.JOIN:
        _step_join(s, d, io)
    elif pc == P.RELEASE:
        _step_release(s, d, io)
    elif pc == P.TAKE:
        look_ahead_release(s, d, io)
        _step_take(s, d, io)
    elif pc == P.TAKE_POP:
        _step_take_pop(s, d, io)
    elif pc == P.DISPOSE:
        _step_dispose(s, d, io)
    elif pc == P.SCAN:
        step_scan(s, d, io)
    elif pc == P.AMEND:
        _step_amend(s, d, io)
    elif pc == P.QUEUE_SIFT:
        _step_queue_sift(s, d, io)
    elif pc == P.REQUEUE:
        _step_requeue(s, d, io)
    elif pc == P.PLACE_CHECK:
        _step_place_check(s, d, io)
    elif pc == P.QUOTA_CREDIT:
        _step_credit(s, d, io)
    elif pc == P.FILL_DONE:
        _step_fill_done(s, d, io)
    elif pc == P.NOTE_PRICE:
        _step_note_price(s, d, io)
    elif pc == P.QUOTE_PULL:
        _step_quote_pull(s, d, io)
    elif pc == P.QUOTE_WALK:
        _step_quote_walk(s, d, io)
    elif pc == P.QUOTE_ONE:
        _step_quote_one(s, d, io)
    elif pc == P.QUOTE_PLACE:
        _step_quote_place(s, d, io)
    elif pc == P.PLACE_HOLD:
        _step_place_hold(s, d, io)
    else:
        dispatch_cold(s, d, io, pc)


@jit
def step(s, d, io):
    """Run the one step that ``machine.pc`` names."""
    m = s.machine[0]
    pc = i64(m.pc)
    if pc != P.IDLE:
        m.steps += 1
    dispatch(s, d, io, pc)


@jit
def is_halted(s, io):
    """Whether the machine stands between blocks with nothing left to do in the run."""
    m = s.machine[0]
    if m.pc != P.IDLE or m.seq < io.end_seq:
        return False
    if io.is_batch_end == ZONE_ENDS:
        return s.agenda[0].closing == CLOSED
    return io.is_batch_end == BATCH_OPEN or m.inbox >= io.header_inbox


@jit
def run(state, derived, inputs, most):
    """Run up to ``most`` steps; stop when halted or when the event buffer must be drained.

    Returns the number of steps run. The machine can be left and entered again at any step.
    """
    s, d, io = state[0], derived[0], inputs[0]
    m = s.machine[0]
    steps = i64(0)
    while steps < most and io.event_count < EVENT_LIMIT:
        pc = i64(m.pc)
        if pc == P.LEAF:
            steps += pass_over(s, io, most - steps - 1)
        elif pc == P.SCAN:
            steps += scan_on(s, io, most - steps - 1)
        if pc != P.IDLE:
            m.steps += 1
        elif is_halted(s, io):
            break
        dispatch(s, d, io, pc)
        steps += 1
    return steps
