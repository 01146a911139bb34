// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// Ids of governance (docs/spec/governance.md). 0 always means "none".

/// @dev A class of decision that is a vote.
type ClassId is uint8;

/// @dev A bounded value of ProtocolLimits.
type LimitId is uint8;

/// @dev A payment of the treasury, numbered from 1.
type StreamId is uint64;

using {equalClass as ==, differClass as !=} for ClassId global;
using {equalLimit as ==} for LimitId global;

ClassId constant PARAMETER = ClassId.wrap(1);
ClassId constant ORDINARY = ClassId.wrap(2);
ClassId constant CORE = ClassId.wrap(3);
ClassId constant CONSTITUTIONAL = ClassId.wrap(4);

function equalClass(ClassId a, ClassId b) pure returns (bool) {
    return ClassId.unwrap(a) == ClassId.unwrap(b);
}

function differClass(ClassId a, ClassId b) pure returns (bool) {
    return ClassId.unwrap(a) != ClassId.unwrap(b);
}

function equalLimit(LimitId a, LimitId b) pure returns (bool) {
    return LimitId.unwrap(a) == LimitId.unwrap(b);
}
