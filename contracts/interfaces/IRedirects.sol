// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title IRedirects
/// @notice Where an account wants to be paid instead of at its own address: because a token refuses to
/// pay it there (a blacklist), or because it is a contract that takes no coin. Only the account itself
/// decides, in a transaction or by a signature that anybody hands in.
///
/// A redirect holds for all that the zone pays the account from then on, until it is changed. Whose
/// money it is does not change.
///
/// Signatures are EIP-712, of
/// `Redirect(address account,address to,uint256 nonce,uint256 deadline)` in the domain
/// {name "TradeZone", version "1", chainId, verifyingContract: this}; an account with code signs by
/// ERC-1271.
interface IRedirects {
    /* EVENTS */

    /// @notice An account is paid elsewhere from now on.
    /// @param to where; zero = at its own address again.
    event Redirected(address indexed account, address indexed before, address indexed to);

    /* ERRORS */

    error SignatureExpired(uint256 deadline);
    /// @notice The account did not sign this, with its present nonce, here.
    error BadSignature(address account);

    /* WRITES */

    /// @notice Have the caller paid at `to`; zero = at its own address again.
    function redirect(address to) external;

    /// @notice Have an account paid at `to`, by its signature. Anyone may call.
    /// @param deadline L1 seconds until which the signature holds.
    function redirectBySig(address account, address to, uint256 deadline, bytes calldata signature)
        external;

    /* VIEWS */

    /// @notice Where an account is paid.
    function payeeOf(address account) external view returns (address);

    /// @notice Digest to be signed with the account's present nonce.
    function digestOf(address account, address to, uint256 deadline) external view returns (bytes32);
}
