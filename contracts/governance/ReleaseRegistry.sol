// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IReleaseRegistry} from "../interfaces/IReleaseRegistry.sol";
import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

/// @title ReleaseRegistry
/// @notice Implements {IReleaseRegistry}, which says what it does, what it assumes and how it fails.
contract ReleaseRegistry is IReleaseRegistry, AccessManaged {
    /* STORAGE */

    address[] private _deployments;
    mapping(address deployment => Release release) private _releases;

    /* CONSTRUCTOR */

    /// @param authority_ access manager.
    constructor(address authority_) AccessManaged(authority_) {}

    /* WRITES */

    /// @inheritdoc IReleaseRegistry
    function endorse(address deployment, bytes32 manifest) external restricted {
        if (deployment.code.length == 0) revert NoCode(deployment);
        if (_releases[deployment].endorsedAt != 0) revert AlreadyEndorsed(deployment);
        bytes32 codeHash = deployment.codehash;
        _releases[deployment] = Release(manifest, codeHash, uint64(block.timestamp), 0);
        _deployments.push(deployment);
        emit Endorsed(deployment, manifest, codeHash);
    }

    /// @inheritdoc IReleaseRegistry
    function retire(address deployment, bytes32 reason) external restricted {
        if (!isEndorsed(deployment)) revert NotEndorsed(deployment);
        _releases[deployment].retiredAt = uint64(block.timestamp);
        emit Retired(deployment, reason);
    }

    /* VIEWS */

    /// @inheritdoc IReleaseRegistry
    function isEndorsed(address deployment) public view returns (bool) {
        Release memory release = _releases[deployment];
        return release.endorsedAt != 0 && release.retiredAt == 0
            && deployment.codehash == release.codeHash;
    }

    /// @inheritdoc IReleaseRegistry
    function releaseOf(address deployment) external view returns (Release memory) {
        return _releases[deployment];
    }

    /// @inheritdoc IReleaseRegistry
    function deployments() external view returns (address[] memory) {
        return _deployments;
    }
}
