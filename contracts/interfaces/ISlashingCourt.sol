// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title ISlashingCourt
/// @notice What the staking vault's `court` is. The vault never calls it; it names the duties that the
/// vault's users rely on, and what deployments and tools can ask.
///
/// Assumptions that the vault makes of a court:
/// - It calls `openCase` only for an accusation that stands behind a bond or a proof, and calls
///   `closeCase` as soon as it has ruled.
/// - One act is punished once: it keeps a nullifier for each piece of evidence.
/// - It hands what it takes to whom its rules name, never to itself by discretion.
///
/// What the vault does not leave to it: an id of a case is used once; a case ends after the vault's own
/// `caseSeconds`; a slash takes from the accused only, and never from behind another venue.
interface ISlashingCourt {
    /// @notice Vault whose stake it judges about.
    function staking() external view returns (address);

    /// @notice Longest time from accusation to verdict with appeal, seconds; at most `caseSeconds` of
    /// the vault.
    function longestCase() external view returns (uint64);
}
