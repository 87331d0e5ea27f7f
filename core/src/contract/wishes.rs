//! The suite of the operators' wishes.

use std::sync::Arc;

use super::fixture::{session, worker};
use super::suite::checks;
use crate::port::Wishes;

/// Checks what the wishes promise. `make` gives an instance without any.
pub async fn wishes(make: impl AsyncFn() -> Arc<dyn Wishes>) {
    use self as wishes;
    checks!("wishes", make, [wishes::pins_are_kept_changed_and_taken_back, wishes::workers_are_drained_and_resumed]);
}

async fn pins_are_kept_changed_and_taken_back(wishes: Arc<dyn Wishes>) {
    assert!(wishes.pins().await.unwrap().is_empty());
    let (one, two, here, there) = (session(), session(), worker(), worker());
    wishes.pin(&one, Some(&here)).await.unwrap();
    wishes.pin(&two, Some(&here)).await.unwrap();
    wishes.pin(&two, Some(&there)).await.unwrap();
    assert_eq!(wishes.pins().await.unwrap(), [(one.clone(), here), (two.clone(), there.clone())].into());
    wishes.pin(&one, None).await.unwrap();
    wishes.pin(&one, None).await.unwrap();
    assert_eq!(wishes.pins().await.unwrap(), [(two, there)].into());
    assert!(wishes.drained().await.unwrap().is_empty());
}

async fn workers_are_drained_and_resumed(wishes: Arc<dyn Wishes>) {
    let (one, two) = (worker(), worker());
    for name in [&one, &two, &one] {
        wishes.drain(name, true).await.unwrap();
    }
    assert_eq!(wishes.drained().await.unwrap(), [one.clone(), two.clone()].into());
    wishes.drain(&one, false).await.unwrap();
    wishes.drain(&one, false).await.unwrap();
    assert_eq!(wishes.drained().await.unwrap(), [two].into());
    assert!(wishes.pins().await.unwrap().is_empty());
}
