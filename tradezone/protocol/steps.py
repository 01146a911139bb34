"""Step numbers: the values of ``machine.pc``. ``docs/spec/steps.md`` says what each reads and writes."""

from __future__ import annotations

from typing import Final

# block
IDLE: Final = 0
SCAN: Final = 1
LEAF: Final = 2
CLOSE: Final = 4
# timers, tasks, payout sweep
TIMERS: Final = 5
TIMER_DUE: Final = 6
TASK: Final = 7
PAYOUT: Final = 8
# inbox
MESSAGE: Final = 10
LIST_BALANCE: Final = 11
FORCED_WITHDRAW: Final = 12
FORCED_CLOSE: Final = 13
FORCED_SEND: Final = 14
FORCED_CANCEL: Final = 15
FORCED_KEY: Final = 16
FORCED_REDIRECT: Final = 17
FORCED_ANSWER: Final = 18
# envelope
ENVELOPE: Final = 20
ITEM: Final = 21
ITEM_DONE: Final = 22
TRANSFER: Final = 23
WITHDRAW: Final = 24
APPROVE_KEY: Final = 25
REVOKE_KEY: Final = 26
REVOKE_WALK: Final = 27
CREATE_ACCOUNT: Final = 28
# orders
PLACE: Final = 40
PLACE_WALK: Final = 41
PLACE_OPEN: Final = 42
PLACE_LOCK: Final = 43
REST: Final = 44
JOIN: Final = 45
PLACE_CHECK: Final = 46
FIND: Final = 47
FIND_WALK: Final = 48
CANCEL: Final = 49
AMEND: Final = 50
AMEND_MOVE: Final = 51
REMOVE_LEVEL: Final = 52
REMOVE_BUCKET: Final = 53
REMOVE_ORDER: Final = 54
REMOVE_TIMER: Final = 55
PLACE_TIMER: Final = 56
AMEND_CHECK: Final = 57
AMEND_HOLD: Final = 58
PLACE_HOLD: Final = 59
# release and matching
RELEASE: Final = 60
TAKE: Final = 61
FOK_WALK: Final = 62
MATCH: Final = 63
FEES: Final = 64
STP_TAKER: Final = 65
TAKE_POP: Final = 66
DISPOSE: Final = 67
QUEUE_SIFT: Final = 68
TIMER_SIFT: Final = 69
REQUEUE: Final = 70
NOTE_PRICE: Final = 71
FEE_EXTRA: Final = 72
FEE_REFERRER: Final = 73
FILL_DONE: Final = 79
QUOTA_CREDIT: Final = 74
# door, interface, access of an order
DOOR: Final = 75
INTERFACE: Final = 76
ACCESS: Final = 77
ACCESS_WALK: Final = 78
# many orders
CANCEL_ALL: Final = 80
DEAD_MAN: Final = 81
DEAD_MAN_DUE: Final = 85
QUOTE_PULL: Final = 82
QUOTE_WALK: Final = 83
QUOTE_ONE: Final = 84
QUOTE_PLACE: Final = 86
# plans
CHILDREN: Final = 90
ARM: Final = 91
TRIGGER: Final = 92
PLAN_SENT: Final = 93
PLAN_REFUSED: Final = 94
PLAN_LEAVE: Final = 95
# permissions
APPROVE_INTERFACE: Final = 104
GRANT_ACCESS: Final = 105
ACCESS_FIND: Final = 106
ACCESS_WRITE: Final = 107
CREDENTIAL: Final = 108
# assets and balances
FAUCET: Final = 110
ISSUE: Final = 111
OPEN_BALANCE: Final = 112
CLOSE_BALANCE: Final = 113
# updates of markets
UPDATE_DUE: Final = 120
RESOLVE_MARKET: Final = 121
# outcomes
SPLIT: Final = 131
SPLIT_CHECK: Final = 132
SPLIT_PAY: Final = 133
SPLIT_MARKET: Final = 134
MERGE: Final = 135
MERGE_CHECK: Final = 136
MERGE_MARKET: Final = 137
MERGE_PAY: Final = 138
REDEEM: Final = 139
# placing and leaving of plans
PLACE_PLAN: Final = 140
PLAN_PARENT: Final = 141
PARENT_WALK: Final = 142
PLAN_OPEN: Final = 143
ARM_PLAN: Final = 144
CANCEL_PLAN: Final = 147
PLAN_LEVEL: Final = 148
PLAN_RING: Final = 149
REMOVE_PLAN: Final = 150
FIRE: Final = 152
SIBLINGS: Final = 153
# holdings
HOLD_OPEN: Final = 156
PAY_OPEN: Final = 157
PAY_HOLDING: Final = 158
# perpetuals: prices and the mark tick
PRICE_LEAF: Final = 160
TICK: Final = 161
TICK_FEED: Final = 162
TICK_STATE: Final = 163
TICK_IMPACT: Final = 164
TICK_MARK: Final = 165
TICK_FUNDING: Final = 166
LIST_PERP: Final = 167
# pools
TOUCH: Final = 170
TOUCH_POSITION: Final = 171
POOL_FIND: Final = 172
POOL_OPEN: Final = 173
POSITION_OPEN: Final = 174
PULL: Final = 175
POOL_RELEASE: Final = 176
POSITION_CLOSE: Final = 177
POOL_CLOSE: Final = 178
ALLOWANCE: Final = 179
LEVERAGE: Final = 180
ADJUST_MARGIN: Final = 181
FUND: Final = 182
DEFUND: Final = 183
CHECK: Final = 184
# orders and fills of perpetuals
PERP_TERMS: Final = 189
PLACE_PERP: Final = 190
PLACE_MARGIN: Final = 191
AMEND_PERP: Final = 192
PERP_CHECK: Final = 193
PERP_TRADE: Final = 194
PERP_SIDE: Final = 195
PERP_FEES: Final = 196
PERP_TAKE: Final = 197
PERP_FILL: Final = 198
PERP_DONE: Final = 199
# sweep, queue, forced orders, takeover
SWEEP: Final = 200
JUDGE: Final = 201
VISIT: Final = 202
VISIT_WALK: Final = 203
FORCE: Final = 204
TAKEOVER: Final = 205
TAKEOVER_TRADE: Final = 206
REGISTER: Final = 207
# jobs
JOB: Final = 210
JOB_LOOK: Final = 211
ADL_CROSS: Final = 212
ADL_SNAP: Final = 213
ADL_LEVEL: Final = 214
ADL_FILL: Final = 215
ADL_BANK: Final = 216
CONCLUDE: Final = 217
SETTLE_LOSER: Final = 218
SETTLE_WINNER: Final = 219
SETTLE_END: Final = 220
SETTLE_BEGIN: Final = 221
# the end of the zone
CLOSING: Final = 230
CLOSING_POOL: Final = 231
CLOSING_LEDGER: Final = 232

NAMES: Final = {
    value: name
    for name, value in list(globals().items())
    if name.isupper() and isinstance(value, int)
}
STEP_RECORDS: Final = 12  # most records one step reads or writes
