//! What was looked at a moment ago. Pages of several readers, asked for again and again, share one look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kurir_core::domain::TenantId;

/// How many tenants are remembered; beyond that it begins anew.
const REMEMBERED: usize = 1000;

/// A look and when it was taken, on the clock that never goes back. Whoever looks holds the lock; the others wait for it.
type Slot<T> = Arc<tokio::sync::Mutex<Option<(Duration, Arc<T>)>>>;

/// The latest look of each tenant.
pub(super) struct Looks<T> {
    fresh: Duration,
    known: Mutex<HashMap<TenantId, Slot<T>>>,
}

impl<T> Looks<T> {
    /// With looks that are believed for so long.
    pub fn new(fresh: Duration) -> Self {
        Self { fresh, known: Mutex::default() }
    }

    fn slot(&self, tenant: &TenantId) -> Slot<T> {
        // Nothing panics while it holds the lock.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED && !known.contains_key(tenant) {
            known.clear();
        }
        Arc::clone(known.entry(tenant.clone()).or_default())
    }

    /// The latest look, or another one if that is too old at `now`. A look that fails is not remembered.
    pub async fn get<E>(
        &self,
        tenant: &TenantId,
        now: Duration,
        look: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, E> {
        let slot = self.slot(tenant);
        let mut known = slot.lock().await;
        if let Some((at, look)) = known.as_ref()
            && now.saturating_sub(*at) < self.fresh
        {
            return Ok(Arc::clone(look));
        }
        let look = Arc::new(look.await?);
        *known = Some((now, Arc::clone(&look)));
        Ok(look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_look_is_shared_until_it_is_old_and_each_tenant_has_its_own() {
        let looks = Looks::new(Duration::from_secs(3));
        let (a, b) = (TenantId::new("a").unwrap(), TenantId::new("b").unwrap());
        let at = Duration::from_secs;
        let look = async |tenant: &TenantId, now, what: Result<u32, u32>| {
            looks.get(tenant, at(now), async { what }).await.map(|look| *look)
        };
        assert_eq!(look(&a, 10, Err(0)).await, Err(0));
        assert_eq!(look(&a, 10, Ok(1)).await, Ok(1));
        assert_eq!(look(&a, 12, Ok(2)).await, Ok(1));
        assert_eq!(look(&b, 12, Ok(3)).await, Ok(3));
        assert_eq!(look(&a, 13, Err(4)).await, Err(4));
        assert_eq!(look(&a, 13, Ok(5)).await, Ok(5));
    }
}
