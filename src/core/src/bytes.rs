//! Reading bytes from the front.

use super::Malformed;

/// Takes the next `N` bytes off `rest`.
///
/// # Errors
/// [`Malformed::TooShort`] if there are fewer.
pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (taken, behind) = rest.split_first_chunk().ok_or(Malformed::TooShort)?;
    *rest = behind;
    Ok(*taken)
}
