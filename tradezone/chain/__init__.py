"""The L1 side of a zone: what comes in (`InboxWatcher`), what goes out (`Poster`), and what anyone can
read of it with nothing but a node and an address (`ChainReader`).

No Ape, no web framework; the standard library speaks JSON-RPC. ``docs/spec/chain.md`` says what each part
guarantees.
"""

from __future__ import annotations

from .deployment import Deployment
from .errors import (
    AbiError,
    ChainError,
    CursorError,
    DeploymentError,
    DeposedError,
    DivergedError,
    IncompleteLogsError,
    ReorgError,
    RevertedError,
    RpcError,
    RpcUnreachableError,
    TransactionFailedError,
    WrongChainError,
)
from .exit import Owed, Standing, ZoneEnd
from .follower import Compared, Follower
from .poster import BatchFolder, Claimed, Finalized, Posted, Poster, PosterStatus
from .reader import ChainReader, Claim
from .rpc import KeySender, NodeSender, Receipt, Rpc, Sender
from .takeover import Office, TakeoverReport, prepare_takeover
from .watcher import InboxWatcher
from .withdrawals import BatchFiles, FinalState, RecordProof, Withdrawal, WithdrawalProof

__all__ = [
    "AbiError",
    "BatchFiles",
    "BatchFolder",
    "ChainError",
    "ChainReader",
    "Claim",
    "Claimed",
    "Compared",
    "CursorError",
    "Deployment",
    "DeploymentError",
    "DeposedError",
    "DivergedError",
    "FinalState",
    "Finalized",
    "Follower",
    "InboxWatcher",
    "IncompleteLogsError",
    "KeySender",
    "NodeSender",
    "Office",
    "Owed",
    "Posted",
    "Poster",
    "PosterStatus",
    "Receipt",
    "RecordProof",
    "ReorgError",
    "RevertedError",
    "Rpc",
    "RpcError",
    "RpcUnreachableError",
    "Sender",
    "Standing",
    "TakeoverReport",
    "TransactionFailedError",
    "Withdrawal",
    "WithdrawalProof",
    "WrongChainError",
    "ZoneEnd",
    "prepare_takeover",
]
