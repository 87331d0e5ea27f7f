//! The suite of the durable store: sessions, Signal state, ledger and outbox share it, and one transaction.

use std::sync::Arc;

use super::suite::checks;
use super::{
    fixture, keys, ledger, ledger_guard, outbox, sessions, sessions_guard, sessions_pools, spending, state,
    state_guard, state_scan, suppressions, templates,
};
use crate::domain::{EventId, Fence, LedgerEntry, OutboxEvent, SessionId, SessionRecord, TenantId};
use crate::port::{
    Created, KeyStore, Ledger, LedgerWrite, NewSession, Outbox, SessionStore, StateStore, SuppressionList,
    TemplateStore, Written,
};

/// The ports of one store: what is written through one is seen through the others.
#[derive(Clone)]
pub struct Stores {
    /// The sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// Their Signal state.
    pub state: Arc<dyn StateStore>,
    /// The jobs.
    pub ledger: Arc<dyn Ledger>,
    /// The events that wait.
    pub outbox: Arc<dyn Outbox>,
    /// The API keys.
    pub keys: Arc<dyn KeyStore>,
    /// The templates.
    pub templates: Arc<dyn TemplateStore>,
    /// Who wants no bulk messages.
    pub suppressions: Arc<dyn SuppressionList>,
}

/// A session that a check has created and claimed.
pub(super) struct Owned {
    pub(super) tenant: TenantId,
    pub(super) id: SessionId,
    pub(super) fence: Fence,
}

impl Stores {
    /// Creates a session without events.
    pub(super) async fn created(&self, tenant: &TenantId, id: &SessionId) -> SessionRecord {
        let new = NewSession::new(id.clone(), tenant.clone(), fixture::now());
        match self.sessions.create(new).await.unwrap() {
            Created::New(record) => record,
            Created::Exists(_) => panic!("a session with a random id was there already"),
        }
    }

    /// Claims a session once more and gives the fence of the new owner.
    pub(super) async fn claim(&self, id: &SessionId) -> Fence {
        let record = self.sessions.claim(id, &fixture::worker()).await.unwrap().expect("the session was created");
        Fence { session: id.clone(), epoch: record.epoch }
    }

    /// Creates and claims a session.
    pub(super) async fn owned(&self) -> Owned {
        let (tenant, id) = (fixture::tenant(), fixture::session());
        self.created(&tenant, &id).await;
        let fence = self.claim(&id).await;
        Owned { tenant, id, fence }
    }

    /// Creates a session and claims it twice: the first fence is void, the second one good.
    pub(super) async fn taken_over(&self) -> (Fence, Owned) {
        let owned = self.owned().await;
        let fence = self.claim(&owned.id).await;
        (owned.fence, Owned { fence, ..owned })
    }

    /// All that waits in the outbox.
    pub(super) async fn waiting(&self) -> Vec<OutboxEvent> {
        let soon = fixture::now().plus(std::time::Duration::from_hours(1));
        self.outbox.pending(soon, 10_000).await.unwrap()
    }

    /// The ids of all that waits in the outbox.
    pub(super) async fn waiting_ids(&self) -> Vec<EventId> {
        self.waiting().await.iter().map(|event| event.id).collect()
    }

    /// Writes one entry that spends nothing and has no events.
    pub(super) async fn write(&self, fence: Option<&Fence>, entry: &LedgerEntry) -> Written {
        let write = LedgerWrite { fence: fence.cloned(), entry: entry.clone(), spent: None, events: Vec::new() };
        let answers = self.ledger.write(vec![write]).await.unwrap();
        assert_eq!(answers.len(), 1, "one answer for each write");
        answers[0]
    }

    /// One entry.
    pub(super) async fn entry(&self, entry: &LedgerEntry) -> Option<LedgerEntry> {
        let mut found = self.ledger.get(std::slice::from_ref(&entry.key)).await.unwrap();
        assert_eq!(found.len(), 1, "one answer for each key");
        found.remove(0)
    }
}

/// Checks what the four ports of a store promise. `make` gives an empty store each time it is called.
pub async fn stores(make: impl AsyncFn() -> Stores) {
    checks!(
        "store",
        make,
        [
            sessions::a_new_session_is_as_created,
            sessions::creating_again_changes_nothing,
            sessions::get_of_an_unknown_session_is_none,
            sessions::pages_hold_every_session_once_in_bytewise_order,
            sessions::a_list_of_one_tenant_holds_only_its_own,
            sessions::every_claim_mints_the_next_epoch,
            sessions::claims_in_parallel_mint_different_epochs,
            sessions::an_update_is_read_back_whole,
            sessions::an_update_keeps_what_the_owner_does_not_write,
            sessions::a_rest_stops_what_runs_and_nothing_else,
            sessions::want_is_kept_and_tells_whether_there_is_such_a_session,
            sessions_guard::an_old_owner_updates_nothing,
            sessions_guard::an_epoch_never_minted_updates_nothing,
            sessions_guard::delete_needs_the_wish,
            sessions_guard::an_old_owner_deletes_nothing,
            sessions_guard::delete_removes_the_session_with_its_state_only,
            sessions_guard::a_session_created_anew_is_empty,
            sessions_pools::a_pool_is_its_first_users,
            sessions_pools::one_of_many_who_want_a_new_pool_gets_it,
            sessions_pools::a_session_joins_changes_and_leaves_its_pool,
            sessions_pools::nobody_joins_a_pool_that_is_nobodys,
            state::a_value_is_read_back_byte_for_byte,
            state::get_answers_in_order,
            state::the_last_put_of_a_place_wins,
            state::deletes_come_after_puts,
            state::areas_and_sessions_are_apart,
            state::a_large_value_fits,
            state::a_batch_of_five_hundred_is_one,
            state::batches_of_one_session_follow_each_other,
            state::readers_see_a_batch_whole,
            state::an_empty_batch_is_done,
            state_guard::an_old_owner_applies_nothing,
            state_guard::a_fenced_batch_leaves_the_others_alone,
            state_guard::an_old_owner_wipes_nothing,
            state_guard::wipe_empties_one_session_only,
            state_guard::expired_values_go_at_their_moment,
            state_guard::an_expired_value_is_readable_until_removed,
            state_guard::a_new_put_replaces_the_expiry,
            state_guard::an_old_owner_expires_nothing,
            state_guard::a_session_that_is_not_there_is_fenced,
            state_scan::scan_gives_an_area_in_bytewise_order,
            state_scan::a_prefix_is_no_pattern,
            state_scan::a_prefix_minds_case,
            state_scan::a_prefix_may_be_any_text,
            state_scan::scan_stays_in_its_area_and_session,
            ledger::an_entry_is_read_back_whole,
            ledger::every_state_and_reason_is_kept,
            ledger::get_answers_in_order,
            ledger::tenants_with_the_same_job_id_are_apart,
            ledger::by_message_finds_within_the_session,
            ledger::by_message_follows_the_entry,
            ledger::the_open_entries_of_a_session,
            ledger::five_hundred_writes_in_one_call,
            ledger::forget_spares_open_and_recent_entries,
            ledger::forget_keeps_its_limit,
            ledger_guard::a_stale_version_conflicts,
            ledger_guard::two_writes_of_one_call_see_each_other,
            ledger_guard::an_old_owner_writes_nothing,
            ledger_guard::fenced_comes_before_conflict,
            ledger_guard::refused_writes_leave_the_others_alone,
            ledger_guard::the_gateway_writes_without_a_fence,
            ledger_guard::events_enter_only_with_their_entry,
            ledger_guard::one_of_eight_writers_wins,
            ledger_guard::a_cancellation_and_an_intent_exclude_each_other,
            ledger_guard::writers_of_many_entries_never_lock_each_other_out,
            spending::what_is_spent_is_saved_with_the_session,
            spending::a_later_state_stays_whatever_the_order_of_the_writes,
            spending::an_old_owner_spends_nothing,
            spending::recipients_are_known_once_they_were_met,
            spending::who_was_met_outlives_the_job_and_goes_with_the_session,
            outbox::events_wait_in_the_order_of_writing,
            outbox::events_are_read_back_whole,
            outbox::young_events_are_left_alone,
            outbox::pending_keeps_its_limit,
            outbox::published_events_are_gone,
            outbox::adding_again_changes_nothing,
            outbox::an_event_told_twice_does_not_stop_its_fact,
            outbox::session_writes_bring_their_events,
            outbox::five_hundred_events_at_once,
            keys::a_key_is_read_back_whole,
            keys::an_id_is_used_once,
            keys::each_tenant_has_its_keys,
            keys::a_key_ends_and_never_later_than_it_would,
            templates::a_template_is_read_back_whole,
            templates::a_templates_name_is_used_once_by_each_tenant,
            templates::a_template_put_again_keeps_when_it_was_made,
            templates::pages_hold_every_template_once_in_bytewise_order,
            templates::a_removed_template_is_gone,
            suppressions::a_suppression_is_read_back_whole,
            suppressions::each_number_is_suppressed_for_its_tenant_alone,
            suppressions::wishes_of_one_call_see_each_other_and_what_is_there,
            suppressions::a_release_needs_the_right_to_it,
            suppressions::pages_hold_every_number_once,
            suppressions::a_thousand_wishes_in_one_call,
            suppressions::a_reply_counts_from_whom_got_a_bulk_message,
            suppressions::who_got_a_bulk_message_goes_with_the_session,
        ]
    );
}
