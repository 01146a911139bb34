// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRedirects} from "../interfaces/IRedirects.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title Redirects
/// @notice Implements {IRedirects}, which says what it does, what it assumes and how it fails.
contract Redirects is IRedirects, EIP712, Nonces {
    /* CONSTANTS */

    bytes32 private constant _REDIRECT_TYPE_HASH =
        keccak256("Redirect(address account,address to,uint256 nonce,uint256 deadline)");

    /* STORAGE */

    /// @dev Zero = the account itself.
    mapping(address account => address to) private _redirects;

    /* CONSTRUCTOR */

    constructor() EIP712("TradeZone", "1") {}

    /* WRITES */

    /// @inheritdoc IRedirects
    function redirect(address to) external {
        _redirect(msg.sender, to);
    }

    /// @inheritdoc IRedirects
    function redirectBySig(address account, address to, uint256 deadline, bytes calldata signature)
        external
    {
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        bytes32 digest = digestOf(account, to, deadline);
        _useNonce(account);
        if (!SignatureChecker.isValidSignatureNowCalldata(account, digest, signature)) {
            revert BadSignature(account);
        }
        _redirect(account, to);
    }

    /* VIEWS */

    /// @inheritdoc IRedirects
    function payeeOf(address account) external view returns (address) {
        address to = _redirects[account];
        return to == address(0) ? account : to;
    }

    /// @inheritdoc IRedirects
    function digestOf(address account, address to, uint256 deadline) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(abi.encode(_REDIRECT_TYPE_HASH, account, to, nonces(account), deadline))
        );
    }

    /* INTERNAL */

    function _redirect(address account, address to) private {
        address before = _redirects[account];
        _redirects[account] = to;
        emit Redirected(account, before, to);
    }
}
