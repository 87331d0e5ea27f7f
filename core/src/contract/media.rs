//! The suite of the store of files.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::fixture::{now, session, tenant};
use super::suite::checks;
use crate::domain::{MediaDetail, MediaId, MediaLimits, MediaRecord, MediaState, SessionId, TenantId};
use crate::port::{IntakeError, MEDIA_PIECE, MediaIntake, MediaStore, PiecePut, pieces_of, read_media};

type Store = Arc<dyn MediaStore>;

/// Checks what a store of files promises. `make` gives an empty one each time it is called.
pub async fn media_store(make: impl AsyncFn() -> Arc<dyn MediaStore>) {
    checks!(
        "media store",
        make,
        [
            a_file_is_read_back_whole,
            an_id_is_used_once,
            pieces_are_kept_until_the_file_is_final,
            nothing_of_one_tenant_is_anothers,
            a_file_is_removed_with_its_pieces,
            a_tenants_files_take_no_more_than_they_may,
            pieces_that_come_at_once_take_no_more_either,
            what_is_awaited_is_listed_by_session_and_age,
            old_files_are_swept_and_kept_ones_are_not,
            an_intake_counts_judges_and_bounds,
        ]
    );
}

const LIMITS: MediaLimits =
    MediaLimits { image: 1000, video: 1000, audio: 1000, document: 1_000_000, tenant: 1_500_000 };

pub(super) fn record(tenant: &TenantId, session: Option<&SessionId>, state: MediaState) -> MediaRecord {
    MediaRecord {
        id: MediaId::new(Uuid::new_v4()),
        tenant: tenant.clone(),
        session: session.cloned(),
        state,
        size: 7,
        created_at: now(),
        expires_at: now().plus(Duration::from_mins(1)),
        detail: MediaDetail {
            mime_type: "application/pdf".into(),
            filename: Some("tagihan \u{1f600}.pdf".to_owned().into()),
            sha256: std::array::from_fn(|at| u8::try_from(at * 8).unwrap()),
            source: Some("how to fetch it".to_owned().into()),
        },
    }
}

/// Where no bound is in the way.
const ROOM: u64 = 1 << 40;

async fn put(store: &Store, file: &MediaRecord, at: u32, bytes: &'static [u8], allowed: u64) -> PiecePut {
    store.put_piece(file.id, at, Bytes::from_static(bytes), allowed).await.unwrap()
}

async fn entered(store: &Store, record: MediaRecord) -> MediaRecord {
    assert!(store.enter_media(&record).await.unwrap());
    record
}

async fn there(store: &Store, record: &MediaRecord) -> Option<MediaRecord> {
    store.media(&record.tenant, record.id).await.unwrap()
}

async fn a_file_is_read_back_whole(store: Store) {
    let (tenant, session) = (tenant(), session());
    for state in MediaState::ALL {
        for session in [None, Some(&session)] {
            let record = entered(&store, record(&tenant, session, state)).await;
            assert_eq!(there(&store, &record).await, Some(record));
        }
    }
}

async fn an_id_is_used_once(store: Store) {
    let first = entered(&store, record(&tenant(), None, MediaState::Filling)).await;
    let again = MediaRecord { id: first.id, ..record(&tenant(), None, MediaState::Ready) };
    assert!(!store.enter_media(&again).await.unwrap());
    assert_eq!(there(&store, &first).await, Some(first));
    assert_eq!(there(&store, &again).await, None);
}

async fn pieces_are_kept_until_the_file_is_final(store: Store) {
    let file = entered(&store, record(&tenant(), None, MediaState::Filling)).await;
    let large = Bytes::from((0..MEDIA_PIECE).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<_>>());
    for piece in [b"first", b"again"] {
        assert_eq!(put(&store, &file, 1, piece, ROOM).await, PiecePut::Done);
    }
    assert_eq!(store.put_piece(file.id, 0, large.clone(), ROOM).await.unwrap(), PiecePut::Done);
    let ready = MediaRecord { state: MediaState::Ready, size: 99, ..file.clone() };
    assert!(store.settle_media(&ready).await.unwrap());
    assert_eq!(there(&store, &file).await, Some(ready.clone()));
    for late in [MediaState::Lost, MediaState::Ready] {
        assert!(!store.settle_media(&MediaRecord { state: late, size: 1, ..file.clone() }).await.unwrap());
    }
    assert_eq!(put(&store, &file, 0, b"late", ROOM).await, PiecePut::Gone);
    assert_eq!(there(&store, &file).await, Some(ready));
    assert_eq!(store.piece(file.id, 0).await.unwrap(), Some(large));
    assert_eq!(store.piece(file.id, 1).await.unwrap(), Some(Bytes::from("again")));
    assert_eq!(store.piece(file.id, 2).await.unwrap(), None);
    let nobodys = record(&tenant(), None, MediaState::Filling);
    assert_eq!(put(&store, &nobodys, 0, b"x", ROOM).await, PiecePut::Gone);
}

async fn nothing_of_one_tenant_is_anothers(store: Store) {
    let file = entered(&store, record(&tenant(), None, MediaState::Ready)).await;
    let other = tenant();
    assert_eq!(store.media(&other, file.id).await.unwrap(), None);
    assert!(!store.remove_media(&other, file.id).await.unwrap());
    store.keep_media(&other, file.id, now().plus(Duration::from_hours(5))).await.unwrap();
    assert_eq!(there(&store, &file).await, Some(file));
}

async fn a_file_is_removed_with_its_pieces(store: Store) {
    let file = entered(&store, record(&tenant(), None, MediaState::Filling)).await;
    assert_eq!(put(&store, &file, 0, b"x", ROOM).await, PiecePut::Done);
    assert!(store.remove_media(&file.tenant, file.id).await.unwrap());
    assert!(!store.remove_media(&file.tenant, file.id).await.unwrap());
    assert_eq!(there(&store, &file).await, None);
    assert_eq!(store.piece(file.id, 0).await.unwrap(), None);
    assert_eq!(put(&store, &file, 0, b"x", ROOM).await, PiecePut::Gone);
}

async fn a_tenants_files_take_no_more_than_they_may(store: Store) {
    let tenant = tenant();
    let mut files = Vec::new();
    for state in [MediaState::Filling, MediaState::Awaited, MediaState::Filling, MediaState::Filling] {
        let expires_at = now().minus(Duration::from_secs(1));
        files.push(entered(&store, MediaRecord { expires_at, ..record(&tenant, None, state) }).await);
    }
    for file in &files[..3] {
        assert_eq!(put(&store, file, 0, b"1234", 12).await, PiecePut::Done);
    }
    let full = PiecePut::Full { used: 12 };
    assert_eq!(put(&store, &files[3], 0, b"x", 12).await, full);
    assert_eq!(store.piece(files[3].id, 0).await.unwrap(), None);
    assert_eq!(put(&store, &files[0], 0, b"4321", 12).await, PiecePut::Done, "the same piece takes no more room");
    assert_eq!(put(&store, &files[0], 0, b"54321", 12).await, full);
    let other = entered(&store, record(&self::tenant(), None, MediaState::Filling)).await;
    assert_eq!(put(&store, &other, 0, b"x", 12).await, PiecePut::Done, "each tenant's for itself");
    // Whatever goes gives back what it took.
    let unkept = MediaRecord { state: MediaState::Unkept, ..files[1].clone() };
    assert!(store.settle_media(&unkept).await.unwrap());
    assert_eq!(store.piece(files[1].id, 0).await.unwrap(), None);
    assert_eq!(put(&store, &files[3], 0, b"12345", 12).await, PiecePut::Full { used: 8 });
    assert_eq!(put(&store, &files[3], 0, b"1234", 12).await, PiecePut::Done);
    assert!(store.remove_media(&tenant, files[0].id).await.unwrap());
    assert_eq!(put(&store, &files[3], 1, b"x", 12).await, PiecePut::Full { used: 8 });
    // A ready file goes on taking its room.
    let ready = MediaRecord { state: MediaState::Ready, ..files[2].clone() };
    assert!(store.settle_media(&ready).await.unwrap());
    assert_eq!(put(&store, &files[3], 1, b"x", 12).await, PiecePut::Full { used: 8 });
    assert_eq!(store.sweep_media(now(), 10).await.unwrap(), 3);
    let last = entered(&store, record(&tenant, None, MediaState::Filling)).await;
    assert_eq!(put(&store, &last, 0, b"1234567890123", 12).await, PiecePut::Full { used: 0 });
    assert_eq!(put(&store, &last, 0, b"123456789012", 12).await, PiecePut::Done);
}

async fn pieces_that_come_at_once_take_no_more_either(store: Store) {
    let tenant = tenant();
    let mut files = Vec::new();
    for _ in 0..20 {
        files.push(entered(&store, record(&tenant, None, MediaState::Filling)).await);
    }
    let mut running = JoinSet::new();
    for file in files {
        let store = Arc::clone(&store);
        running.spawn(async move { put(&store, &file, 0, b"1234", 30).await });
    }
    let puts = running.join_all().await;
    assert_eq!(puts.iter().filter(|put| **put == PiecePut::Done).count(), 7, "{puts:?}");
    assert!(puts.contains(&PiecePut::Full { used: 28 }), "{puts:?}");
}

async fn what_is_awaited_is_listed_by_session_and_age(store: Store) {
    let (tenant, mine, other) = (tenant(), session(), session());
    let mut awaited = Vec::new();
    for age in [1_u64, 3, 2] {
        let created_at = now().minus(Duration::from_secs(age));
        let record = MediaRecord { created_at, ..record(&tenant, Some(&mine), MediaState::Awaited) };
        awaited.push(entered(&store, record).await);
    }
    for (session, state) in [(&mine, MediaState::Ready), (&mine, MediaState::Lost), (&other, MediaState::Awaited)] {
        entered(&store, record(&tenant, Some(session), state)).await;
    }
    awaited.sort_by_key(|record| record.created_at);
    assert_eq!(store.awaited_media(&mine, 10).await.unwrap(), awaited);
    assert_eq!(store.awaited_media(&mine, 1).await.unwrap(), awaited[..1]);
    let lost = MediaRecord { state: MediaState::Lost, ..awaited[0].clone() };
    assert!(store.settle_media(&lost).await.unwrap());
    assert_eq!(store.awaited_media(&mine, 10).await.unwrap(), awaited[1..]);
}

async fn old_files_are_swept_and_kept_ones_are_not(store: Store) {
    let mut files = Vec::new();
    for _ in 0..4 {
        let expires_at = now().minus(Duration::from_secs(1));
        files.push(entered(&store, MediaRecord { expires_at, ..record(&tenant(), None, MediaState::Ready) }).await);
    }
    let (soon, later) = (now().plus(Duration::from_mins(1)), now().plus(Duration::from_hours(1)));
    store.keep_media(&files[0].tenant, files[0].id, later).await.unwrap();
    // Never earlier than it was to be.
    store.keep_media(&files[0].tenant, files[0].id, soon).await.unwrap();
    let kept = MediaRecord { expires_at: later, ..files[0].clone() };
    assert_eq!(there(&store, &files[0]).await.as_ref(), Some(&kept));
    assert_eq!(store.sweep_media(now(), 2).await.unwrap(), 2);
    assert_eq!(store.sweep_media(now(), 2).await.unwrap(), 1);
    assert_eq!(store.sweep_media(now(), 2).await.unwrap(), 0);
    assert_eq!(there(&store, &files[0]).await, Some(kept));
}

async fn an_intake_counts_judges_and_bounds(store: Store) {
    let tenant = tenant();
    let take = async |declared: Option<&str>, bytes: &[u8]| {
        let record = record(&tenant, None, MediaState::Filling);
        let mut intake = MediaIntake::new(&*store, record, declared.map(str::to_owned), LIMITS);
        for piece in bytes.chunks(100_000) {
            intake.push(piece).await?;
        }
        intake.finish().await
    };
    let long: Vec<u8> = (0..600_000_u32).map(|at| u8::try_from(at % 253).unwrap()).collect();
    let file = take(Some("text/plain"), &long).await.unwrap();
    assert_eq!((file.state, file.size, file.detail.mime_type.as_str()), (MediaState::Ready, 600_000, "text/plain"));
    assert_eq!(pieces_of(file.size), 3);
    assert_eq!(there(&store, &file).await.as_ref(), Some(&file));
    assert_eq!(read_media(&*store, &file).await.unwrap(), Some(long));
    let png = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &[0; 1000]].concat();
    assert!(matches!(take(Some("text/plain"), &png).await, Err(IntakeError::Contradicts(_))));
    assert!(matches!(take(Some("image/png"), &png).await, Err(IntakeError::TooLarge(1000))));
    assert!(matches!(take(None, &vec![1; 1_000_001]).await, Err(IntakeError::TooLarge(1_000_000))));
    assert!(matches!(take(None, b"").await, Err(IntakeError::Empty)));
    assert_eq!(take(None, &png[..900]).await.unwrap().detail.mime_type, "image/png");
    // 600,900 bytes are kept, and nothing of what was refused.
    let full = take(Some("text/plain"), &vec![1; 900_000]).await;
    assert!(matches!(full, Err(IntakeError::Full { used: 600_900, allowed: 1_500_000 })), "{full:?}");
    assert_eq!(take(Some("text/plain"), &vec![1; 899_100]).await.unwrap().size, 899_100);
}
