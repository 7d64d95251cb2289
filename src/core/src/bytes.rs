//! Reading bytes from the front.

/// There are fewer bytes than were to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooShort;

/// Takes the next `N` bytes off `rest`.
///
/// # Errors
/// [`TooShort`] if there are fewer.
pub(crate) fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], TooShort> {
    let (taken, behind) = rest.split_first_chunk().ok_or(TooShort)?;
    *rest = behind;
    Ok(*taken)
}
