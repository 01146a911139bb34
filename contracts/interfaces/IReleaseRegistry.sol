// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title IReleaseRegistry
/// @notice Which deployments governance stands behind. Contracts of custody never change; a new version
/// is another deployment, and users go there by themselves. An endorsement moves nothing and nobody.
///
/// Assumptions for safety: none for anybody's money. Wallets that follow it trust the core class.
interface IReleaseRegistry {
    /// @notice A deployment.
    struct Release {
        bytes32 manifest; // hash of the published list of its contracts, parameters and sources
        bytes32 codeHash; // of the chain contract when it was endorsed
        uint64 endorsedAt; // seconds
        uint64 retiredAt; // seconds; 0 = stands
    }

    /* EVENTS */

    event Endorsed(address indexed deployment, bytes32 manifest, bytes32 codeHash);
    event Retired(address indexed deployment, bytes32 reason);

    /* ERRORS */

    error NoCode(address deployment);
    error AlreadyEndorsed(address deployment);
    error NotEndorsed(address deployment);

    /* WRITES */

    /// @notice Endorse a deployment by its state chain. Only the core class.
    function endorse(address deployment, bytes32 manifest) external;

    /// @notice Say that a deployment should no longer be used. Only the core class.
    function retire(address deployment, bytes32 reason) external;

    /* VIEWS */

    /// @notice Whether a deployment is endorsed, not retired, and still the same code.
    function isEndorsed(address deployment) external view returns (bool);

    /// @notice A deployment that was endorsed.
    function releaseOf(address deployment) external view returns (Release memory);

    /// @notice All deployments that were ever endorsed, oldest first.
    function deployments() external view returns (address[] memory);
}
