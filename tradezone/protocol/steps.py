"""Step numbers: the values of ``machine.pc``. ``docs/spec/steps.md`` says what each reads and writes."""

from __future__ import annotations

from typing import Final

# block
IDLE: Final = 0
SCAN: Final = 1
LEAF: Final = 2
SWEEP: Final = 3
CLOSE: Final = 4
# inbox
MESSAGE: Final = 10
LIST_BALANCE: Final = 11
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
BOOK_INSERT: Final = 46
FIND: Final = 47
FIND_WALK: Final = 48
CANCEL: Final = 49
AMEND: Final = 50
AMEND_MOVE: Final = 51
REMOVE_LEVEL: Final = 52
REMOVE_BUCKET: Final = 53
REMOVE_ORDER: Final = 54
# release and matching
RELEASE: Final = 60
TAKE: Final = 61
FOK_WALK: Final = 62
MATCH: Final = 63
FEES: Final = 64
STP_TAKER: Final = 65
TAKE_POP: Final = 66
DISPOSE: Final = 67
# access, doors, interfaces, quota
DOOR: Final = 100
INTERFACE: Final = 101
ACCESS: Final = 102
ACCESS_WALK: Final = 103
APPROVE_INTERFACE: Final = 104
GRANT_ACCESS: Final = 105
ACCESS_FIND: Final = 106
ACCESS_WRITE: Final = 107
CREDENTIAL: Final = 108
QUOTA_CREDIT: Final = 109
# assets and balances
FAUCET: Final = 110
ISSUE: Final = 111
OPEN_BALANCE: Final = 112
CLOSE_BALANCE: Final = 113
# markets
UPDATE_DUE: Final = 114
RESOLVE_MARKET: Final = 115
# outcomes
PLACE_HOLD: Final = 130
SPLIT: Final = 131
SPLIT_CHECK: Final = 132
SPLIT_PAY: Final = 133
SPLIT_MARKET: Final = 134
MERGE: Final = 135
MERGE_CHECK: Final = 136
MERGE_MARKET: Final = 137
MERGE_PAY: Final = 138
REDEEM: Final = 139
# plans
PLACE_PLAN: Final = 140
PLAN_PARENT: Final = 141
PARENT_WALK: Final = 142
PLAN_OPEN: Final = 143
ARM_PLAN: Final = 144
ARM: Final = 145
CHILDREN: Final = 146
CANCEL_PLAN: Final = 147
PLAN_LEVEL: Final = 148
PLAN_RING: Final = 149
REMOVE_PLAN: Final = 150
TRIGGER: Final = 151
FIRE: Final = 152
PLAN_SENT: Final = 153
PLAN_REFUSED: Final = 154

NAMES: Final = {
    value: name
    for name, value in list(globals().items())
    if name.isupper() and isinstance(value, int)
}
STEP_RECORDS: Final = 12  # most records one step reads or writes
