//! Nothing that is secret can be read from the tables, and nothing that was changed there is believed.

use bytes::Bytes;
use kurir_core::domain::{
    Account, EventId, EventKind, Initiator, KeyId, Locale, OutboxEvent, PhoneNumber, QrCode, Secret, SenderPace,
    SessionState, SessionStatus, Spent, Suppression, Template, TemplateName, TemplateTexts, Timestamp,
};
use kurir_core::port::{
    Ledger, LedgerWrite, Outbox, PortError, SessionStore, StateBatch, StateKey, StatePut, StateStore, SuppressionList,
    TemplateStore, Written,
};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _};
use uuid::Uuid;

use kurir::adapters::postgres::PostgresStore;

use crate::database::{Database, entry, owned, session_id, tenant, with_database};

const SECRETS: [&str; 7] =
    ["QRTEXT-7f3a", "6281299998888", "SIGNALKEY-51c2", "METADATA-9b0d", "BODY-2e77", "NOTE-4d11", "TEMPLATE-8c20"];

fn template_name() -> TemplateName {
    TemplateName::new("greeting").unwrap()
}

/// Writes one of everything with a secret in it.
async fn fill(store: &PostgresStore) -> kurir_core::domain::LedgerEntry {
    let [qr, number, key, metadata, body, note, text] = SECRETS;
    let id = session_id("sealed");
    let fence = owned(store, &id).await;
    let recipient = PhoneNumber::from_digits(number.to_owned()).unwrap();
    let mut status = SessionStatus {
        state: SessionState::AwaitingScan,
        qr: Some(QrCode { text: Secret::new(qr.to_owned()), expires_at: Timestamp::from_millis(9) }),
        ..SessionStatus::created(Timestamp::from_millis(5))
    };
    status.link(Account { number: recipient.clone(), device: 3 }, Timestamp::from_millis(6));
    let event = OutboxEvent {
        id: EventId(Uuid::new_v4()),
        tenant: tenant(),
        session: Some(id.clone()),
        kind: EventKind::SessionQr,
        at: Timestamp::from_millis(5),
        body: body.as_bytes().to_vec(),
    };
    assert_eq!(store.update(&fence, &status, &[event]).await.unwrap(), Written::Done);
    let puts = ["a", "b"].map(|name| StatePut {
        at: StateKey::new("identity", name),
        value: Bytes::from(format!("{key} {name}")),
        expires_at: None,
    });
    let batch = StateBatch { puts: puts.to_vec(), deletes: vec![] };
    assert_eq!(store.apply(vec![(fence.clone(), batch)]).await.unwrap(), [Written::Done]);
    let mut job = entry(&id);
    job.metadata.insert("order".into(), metadata.to_owned());
    let by = Initiator::Api(KeyId::new("k1").unwrap());
    let wish = Suppression { number: recipient.clone(), by, note: Some(note.into()), since: Timestamp::from_millis(7) };
    store.suppress(&tenant(), &[wish]).await.unwrap();
    let locale = Locale::new("id").unwrap();
    let texts = TemplateTexts::new(locale.clone(), [(locale, text.to_owned())].into()).unwrap();
    let (created_at, updated_at) = (Timestamp::from_millis(8), Timestamp::from_millis(9));
    let template = Template { name: template_name(), texts, created_at, updated_at };
    assert!(store.add_template(&tenant(), &template).await.unwrap());
    let bulk = Some(recipient.clone());
    let spent = Some(Spent { pace: SenderPace::default(), met: Some(recipient), bulk });
    let write = LedgerWrite { fence: Some(fence), entry: job.clone(), spent, events: vec![] };
    assert_eq!(store.write(vec![write]).await.unwrap(), [Written::Done]);
    job
}

/// In how many rows of the schema's columns of a type some bytes stand.
async fn rows_with(connection: &mut PgConnection, schema: &str, kind: &str, bytes: &[u8]) -> i64 {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text FROM information_schema.columns \
         WHERE table_schema = $1 AND data_type = $2 AND table_name NOT LIKE '\\_sqlx%'",
    )
    .bind(schema)
    .bind(kind)
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    assert!(columns.len() > 3, "the columns of type {kind} were not found");
    let mut found = 0;
    for (table, column) in columns {
        let cast = if kind == "text" { format!("convert_to({column}, 'UTF8')") } else { column };
        let count = format!("SELECT count(*) FROM {table} WHERE position($1 IN {cast}) > 0");
        found +=
            sqlx::query_scalar::<_, i64>(AssertSqlSafe(count)).bind(bytes).fetch_one(&mut *connection).await.unwrap();
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_in_any_column() {
    with_database(async |database| {
        let (store, schema) = database.store().await;
        fill(&store).await;
        let mut connection = database.connection(Some(&schema)).await;
        for kind in ["bytea", "text"] {
            for secret in SECRETS {
                let found = rows_with(&mut connection, &schema, kind, secret.as_bytes()).await;
                assert_eq!(found, 0, "{secret} can be read in a {kind} column");
            }
        }
        // The search finds what is there: the session's id as text, the version of the sealing key in the bytes.
        assert!(rows_with(&mut connection, &schema, "text", b"sealed").await >= 5);
        assert!(rows_with(&mut connection, &schema, "bytea", &1_u32.to_be_bytes()).await >= 5);
    })
    .await;
}

fn assert_corrupt<T: std::fmt::Debug>(what: &str, answer: Result<T, PortError>) {
    let error = answer.expect_err(what);
    assert!(matches!(error, PortError::Corrupt { system: "PostgreSQL", .. }), "{what}: {}", error.chain());
    for secret in SECRETS {
        assert!(!error.chain().contains(secret), "{what} tells a secret");
    }
}

async fn assert_all_corrupt(store: &PostgresStore, job: &kurir_core::domain::LedgerEntry) {
    let id = session_id("sealed");
    assert_corrupt("a session", SessionStore::get(store, &id).await);
    assert_corrupt("the list", store.list(None, None, 10).await);
    assert_corrupt("a value", StateStore::get(store, &id, &[StateKey::new("identity", "a")]).await);
    assert_corrupt("a scan", store.scan(&id, "identity", "").await);
    assert_corrupt("an entry", Ledger::get(store, std::slice::from_ref(&job.key)).await);
    assert_corrupt("an entry by message", store.by_message(&id, std::slice::from_ref(&job.message_id)).await);
    assert_corrupt("the outbox", store.pending(Timestamp::from_millis(i64::MAX), 10).await);
    let number = PhoneNumber::from_digits(SECRETS[1].to_owned()).unwrap();
    assert_corrupt("a template", store.template(&tenant(), &template_name()).await);
    assert_corrupt("a suppressed number", store.suppression(&tenant(), &number).await);
    // Under another key nobody would be found; that must not look like an empty list.
    assert_corrupt("a look into the list", store.suppressed(&[(tenant(), number)]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_corruption_and_not_an_empty_store() {
    with_database(async |database| {
        let (store, schema) = database.store().await;
        let job = fill(&store).await;
        assert_all_corrupt(&database.open(&schema, 2).await, &job).await;
        // The right key beside a newer one still opens all.
        assert_eq!(read_back(&store).await, read_back(&with_newer_key(database, &schema).await).await);
    })
    .await;
}

async fn with_newer_key(database: &Database, schema: &str) -> PostgresStore {
    struct Fixed;
    impl kurir_core::port::Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }
    let keyring = crate::database::keyring(&[(1, 1), (2, 9)]);
    PostgresStore::connect(database.options(schema), keyring, std::sync::Arc::new(Fixed)).await.unwrap()
}

async fn read_back(store: &PostgresStore) -> Vec<(String, Bytes)> {
    store.scan(&session_id("sealed"), "identity", "").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_moved_or_changed_in_the_tables_is_not_believed() {
    with_database(async |database| {
        let (store, schema) = database.store().await;
        fill(&store).await;
        let mut connection = database.connection(Some(&schema)).await;
        let id = session_id("sealed");
        let (a, b) = (StateKey::new("identity", "a"), StateKey::new("identity", "b"));
        connection
            .execute("UPDATE state SET value = (SELECT value FROM state WHERE key = 'a') WHERE key = 'b'")
            .await
            .unwrap();
        assert_corrupt("a moved value", StateStore::get(&store, &id, std::slice::from_ref(&b)).await);
        assert!(StateStore::get(&store, &id, std::slice::from_ref(&a)).await.unwrap()[0].is_some());
        connection.execute("UPDATE state SET value = set_byte(value, 20, 255 - get_byte(value, 20))").await.unwrap();
        assert_corrupt("a changed value", StateStore::get(&store, &id, &[a]).await);
        connection.execute("UPDATE state SET value = 'abc'").await.unwrap();
        assert_corrupt("a value cut short", StateStore::get(&store, &id, &[b]).await);
        connection.execute("UPDATE session SET wanted = 'flying'").await.unwrap();
        assert_corrupt("an unknown word", SessionStore::get(&store, &id).await);
    })
    .await;
}
