"""Blocks: the order of leaves inside them, and the loop that runs the machine.

The machine is a sequence of steps; ``machine.pc`` names the next one. ``run`` and the step executor
(``tradezone.verifier.stepper``) call the same ``step``, so what is fast here and what can be disputed on
chain are the same functions.
"""

from __future__ import annotations

from tradezone.protocol import actions as A
from tradezone.protocol import steps as P
from tradezone.protocol.enums import CANCEL_EXPIRED, RESTING
from tradezone.protocol.errors import Code
from tradezone.protocol.limits import EXPIRY_SWEEP, MAX_BLOCK_LEAVES, MAX_INBOX_MARK, MAX_TIME

from . import envelopes, inbox, matching, orders
from ._jit import i64, jit, jit_inline
from .ahead import look_ahead, look_ahead_match, look_ahead_release
from .codec import class_of, is_block_mark, leaf_size, leaf_start, read64
from .envelopes import reject_leaf
from .memory import EVENT_LIMIT
from .orders import begin_remove
from .tables import T_MACHINE, T_ORDER, touch

_MALFORMED = int(Code.MALFORMED)
_UNEXPECTED = int(Code.UNEXPECTED_LEAF)

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
_step_list_balance = inbox.step_list_balance
_step_place = orders.step_place
_step_place_walk = orders.step_place_walk
_step_place_open = orders.step_place_open
_step_place_lock = orders.step_place_lock
_step_rest = orders.step_rest
_step_join = orders.step_join
_step_book_insert = orders.step_book_insert
_step_find = orders.step_find
_step_find_walk = orders.step_find_walk
_step_cancel = orders.step_cancel
_step_amend = orders.step_amend
_step_amend_move = orders.step_amend_move
_step_remove_level = orders.step_remove_level
_step_remove_bucket = orders.step_remove_bucket
_step_remove_order = orders.step_remove_order
_step_release = matching.step_release
_step_take = matching.step_take
_step_fok_walk = matching.step_fok_walk
_step_match = matching.step_match
_step_fees = matching.step_fees
_step_stp_taker = matching.step_stp_taker
_step_take_pop = matching.step_take_pop
_step_dispose = matching.step_dispose


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
def step_leaf(s, d, io):
    """LEAF: the leaf under the cursor, if its class is the phase's; at the end the next phase."""
    m = s.machine[0]
    touch(d, T_MACHINE, 0)
    seq = i64(m.seq)
    if seq >= m.block_end:
        m.seq = m.block_first
        if m.phase == A.CLASS_PRICES:
            orders_seen = i64(s.head[T_ORDER].high_water) - 1
            m.count = min(EXPIRY_SWEEP, orders_seen)
            m.pc = P.SWEEP
        elif m.phase == A.CLASS_TAKE:
            m.cursor = m.release_first
            m.pc = P.RELEASE
        else:
            m.phase += 1
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
        reject_leaf(s, d, io, 0, 1, _UNEXPECTED)
    else:
        reject_leaf(s, d, io, 0, 1, _MALFORMED)


@jit
def step_sweep(s, d, io):
    """SWEEP: one order slot; an expired resting order leaves."""
    m = s.machine[0]
    if m.count == 0:
        m.phase = A.CLASS_CANCEL
        m.pc = P.LEAF
    else:
        if m.expiry_cursor < 1 or m.expiry_cursor >= s.head[T_ORDER].high_water:
            m.expiry_cursor = 1
        slot = i64(m.expiry_cursor)
        m.expiry_cursor = slot + 1
        m.count -= 1
        o = s.order[slot]
        if o.state == RESTING and o.expires != 0 and o.expires <= m.time:
            m.order = slot
            begin_remove(m, CANCEL_EXPIRED, P.SWEEP)
    touch(d, T_MACHINE, 0)


@jit
def step_close(s, d, io):
    """CLOSE: the block is done."""
    m = s.machine[0]
    m.seq = m.block_end
    m.pc = P.IDLE
    touch(d, T_MACHINE, 0)


@jit
def dispatch_cold(s, d, io, pc):
    """Run a step that is rare, or whose own work is long: one call more is not felt."""
    if pc == P.BOOK_INSERT:
        _step_book_insert(s, d, io)
    elif pc == P.AMEND:
        _step_amend(s, d, io)
    elif pc == P.AMEND_MOVE:
        _step_amend_move(s, d, io)
    elif pc == P.FOK_WALK:
        _step_fok_walk(s, d, io)
    elif pc == P.STP_TAKER:
        _step_stp_taker(s, d, io)
    elif pc == P.SWEEP:
        step_sweep(s, d, io)
    elif pc == P.IDLE:
        step_idle(s, d, io)
    elif pc == P.CLOSE:
        step_close(s, d, io)
    elif pc == P.MESSAGE:
        _step_message(s, d, io)
    elif pc == P.LIST_BALANCE:
        _step_list_balance(s, d, io)
    elif pc == P.TRANSFER:
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
    return io.is_batch_end == 0 or m.inbox >= io.header_inbox


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
