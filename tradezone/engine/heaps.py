"""Binary heaps in the state: books by release (table ``queue``), timed things by time (table ``timer``).

Node i stands before nodes 2i and 2i + 1; the size is the table head's ``in_use``; a node beyond it is zero. The
subject of a node knows its place. One exchange a step: ``push``, ``take_out`` and ``rekey`` do what needs no
exchange and say where to sift from; ``step_sift`` exchanges until the node stands where it belongs, then goes
to ``return2``. So the layout is one function of the heap's history (``docs/spec/blocks.md``).
"""

from __future__ import annotations

from tradezone.protocol import steps as P
from tradezone.protocol.enums import TIMER_ACCOUNT, TIMER_ORDER, TIMER_PLAN

from ._jit import i64, jit
from .tables import (
    T_ACCOUNT,
    T_BOOK,
    T_HEAD,
    T_MACHINE,
    T_MARKET,
    T_ORDER,
    T_PLAN,
    T_QUEUE,
    T_TIMER,
    touch,
)


@jit
def heap_size(s, heap):
    """Nodes of a heap."""
    return i64(s.head[heap].in_use)


@jit
def is_sooner(time, seq, other_time, other_seq):
    """Whether key (time, seq) stands before the other; keys are never equal."""
    return time < other_time or (time == other_time and seq < other_seq)


@jit
def is_node_sooner(s, heap, a, b):
    """Whether node ``a`` stands before node ``b``."""
    if heap == T_QUEUE:
        p, q = s.queue[a], s.queue[b]
        return is_sooner(i64(p.release), i64(p.seq), i64(q.release), i64(q.seq))
    x, y = s.timer[a], s.timer[b]
    return is_sooner(i64(x.time), i64(x.seq), i64(y.time), i64(y.seq))


@jit
def set_place(s, d, kind, subject, node):
    """Tell the subject of a timer where its node is; 0 = it has none."""
    if kind == TIMER_ORDER:
        s.order[subject].timer = node
        touch(d, T_ORDER, subject)
    elif kind == TIMER_PLAN:
        s.plan[subject].timer = node
        touch(d, T_PLAN, subject)
    elif kind == TIMER_ACCOUNT:
        s.account[subject].timer = node
        touch(d, T_ACCOUNT, subject)
    else:
        s.market[subject].timer = node
        touch(d, T_MARKET, subject)


@jit
def put_book(s, d, node, release, seq, book):
    """Write a node of the release queue; its book learns its place."""
    q = s.queue[node]
    q.release = release
    q.seq = seq
    q.book = book
    touch(d, T_QUEUE, node)
    s.book[book].queue = node
    touch(d, T_BOOK, book)


@jit
def put_timer(s, d, node, time, seq, kind, subject):
    """Write a node of the timers; its subject learns its place."""
    t = s.timer[node]
    t.time = time
    t.seq = seq
    t.kind = kind
    t.subject = subject
    touch(d, T_TIMER, node)
    set_place(s, d, kind, subject, node)


@jit
def exchange(s, d, heap, a, b):
    """Exchange two nodes."""
    if heap == T_QUEUE:
        p, q = s.queue[a], s.queue[b]
        release, seq, book = i64(p.release), i64(p.seq), i64(p.book)
        put_book(s, d, a, i64(q.release), i64(q.seq), i64(q.book))
        put_book(s, d, b, release, seq, book)
    else:
        x, y = s.timer[a], s.timer[b]
        time, number, kind, subject = i64(x.time), i64(x.seq), i64(x.kind), i64(x.subject)
        put_timer(s, d, a, i64(y.time), i64(y.seq), i64(y.kind), i64(y.subject))
        put_timer(s, d, b, time, number, kind, subject)


@jit
def grow(s, d, heap):
    """Place of the next node: one behind the last."""
    h = s.head[heap]
    h.in_use += 1
    touch(d, T_HEAD, heap)
    return i64(h.in_use)


@jit
def sift_from(s, m, heap, node, back):
    """Go on with ``back``, by way of the sift if the heap is more than this node."""
    if heap_size(s, heap) <= 1 or node == 0:
        m.pc = back
    else:
        m.cursor = node
        m.return2 = back
        m.pc = P.QUEUE_SIFT if heap == T_QUEUE else P.TIMER_SIFT


@jit
def sift_new(s, m, heap, node, back):
    """Go on with ``back``, by way of the sift if a node at the end does not belong there."""
    if node == 1 or not is_node_sooner(s, heap, node, node >> 1):
        m.pc = back
    else:
        m.cursor = node
        m.return2 = back
        m.pc = P.QUEUE_SIFT if heap == T_QUEUE else P.TIMER_SIFT


@jit
def push_book(s, d, m, book, back):
    """Put a book with a key into the release queue."""
    k = s.book[book]
    node = grow(s, d, T_QUEUE)
    put_book(s, d, node, i64(k.release), i64(k.release_seq), book)
    sift_new(s, m, T_QUEUE, node, back)


@jit
def rekey_book(s, d, m, book, back):
    """Give a book's node the book's new key."""
    k = s.book[book]
    node = i64(k.queue)
    put_book(s, d, node, i64(k.release), i64(k.release_seq), book)
    sift_from(s, m, T_QUEUE, node, back)


@jit
def take_out(s, d, m, heap, node, back):
    """Take a node out: the last one takes its place. The caller clears the subject's own place."""
    h = s.head[heap]
    last = i64(h.in_use)
    h.in_use = last - 1
    touch(d, T_HEAD, heap)
    if heap == T_QUEUE:
        q = s.queue[last]
        if node != last:
            put_book(s, d, node, i64(q.release), i64(q.seq), i64(q.book))
        q.release = 0
        q.seq = 0
        q.book = 0
        touch(d, T_QUEUE, last)
    else:
        t = s.timer[last]
        if node != last:
            put_timer(s, d, node, i64(t.time), i64(t.seq), i64(t.kind), i64(t.subject))
        t.time = 0
        t.seq = 0
        t.kind = 0
        t.subject = 0
        touch(d, T_TIMER, last)
    sift_from(s, m, heap, node if node != last else i64(0), back)


@jit
def sift(s, d, m, heap):
    """Move the node under the cursor one place towards where it belongs; there, go back."""
    node = i64(m.cursor)
    size = heap_size(s, heap)
    touch(d, T_MACHINE, 0)
    if node > 1 and is_node_sooner(s, heap, node, node >> 1):
        exchange(s, d, heap, node, node >> 1)
        m.cursor = node >> 1
        return
    child = node * 2
    if child <= size:
        if child < size and is_node_sooner(s, heap, child + 1, child):
            child += 1
        if is_node_sooner(s, heap, child, node):
            exchange(s, d, heap, node, child)
            m.cursor = child
            return
    m.cursor = 0
    m.pc = m.return2


@jit
def step_queue_sift(s, d, io):
    """QUEUE_SIFT: one exchange in the release queue, or back."""
    sift(s, d, s.machine[0], T_QUEUE)


@jit
def step_timer_sift(s, d, io):
    """TIMER_SIFT: one exchange among the timers, or back."""
    sift(s, d, s.machine[0], T_TIMER)
