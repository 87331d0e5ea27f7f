//! Pages of what a store lists. It is asked for one more than a page has, which tells whether there is another page.

/// Cuts what was found to a page of `limit`; tells the place of its last one if there is more behind it.
pub(super) fn cut<T, P>(found: &mut Vec<T>, limit: u32, place: impl FnOnce(&T) -> P) -> Option<P> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    found.last().filter(|_| more).map(place)
}
