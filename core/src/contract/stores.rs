//! The suite of the durable store: sessions, Signal state, ledger and outbox share it, and one transaction.

use std::sync::Arc;

use super::suite::checks;
use super::{
    activity, alerts, event_log, fixture, index, keys, ledger, ledger_guard, outbox, requests, session_desk, sessions,
    sessions_guard, sessions_pools, spending, state, state_guard, state_scan, suppressions, templates, users,
    verifications, verify_counts, webhooks,
};
use crate::domain::{EventId, Fence, LedgerEntry, OutboxEvent, SessionId, SessionRecord, TenantId};
use crate::port::{
    AlertBook, Created, EventLog, KeyStore, Ledger, LedgerWrite, MediaStore, MessageIndex, NewSession, Outbox,
    RequestLog, SessionStore, StateStore, SuppressionList, TemplateStore, UserStore, Verifications, WebhookStore,
    Written,
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
    /// The jobs, by what they are looked for.
    pub index: Arc<dyn MessageIndex>,
    /// The requests that may be repeated.
    pub requests: Arc<dyn RequestLog>,
    /// The verifications.
    pub verifications: Arc<dyn Verifications>,
    /// The log of events.
    pub log: Arc<dyn EventLog>,
    /// The webhooks.
    pub webhooks: Arc<dyn WebhookStore>,
    /// The templates.
    pub templates: Arc<dyn TemplateStore>,
    /// Who wants no bulk messages.
    pub suppressions: Arc<dyn SuppressionList>,
    /// The users of the admin page.
    pub users: Arc<dyn UserStore>,
    /// Which alerts stand.
    pub alerts: Arc<dyn AlertBook>,
    /// The files that came in.
    pub media: Arc<dyn MediaStore>,
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

/// Checks what the ports of a store promise. `make` gives an empty store each time it is called.
#[expect(clippy::too_many_lines, reason = "a list of promises")]
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
            sessions::whoever_lets_go_of_a_stopped_session_is_not_its_owner_any_more,
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
            sessions_guard::files_that_came_in_go_under_their_sessions_fence,
            sessions_pools::a_pool_is_its_first_users,
            sessions_pools::one_of_many_who_want_a_new_pool_gets_it,
            sessions_pools::a_session_joins_changes_and_leaves_its_pool,
            sessions_pools::nobody_joins_a_pool_that_is_nobodys,
            session_desk::a_described_session_is_read_back_whole,
            session_desk::labels_are_merged_and_bounded,
            session_desk::a_sessions_own_limits_replace_those_before,
            session_desk::a_note_is_read_back_whole_and_goes_with_its_session,
            session_desk::filters_find_what_fits_all_of_them,
            session_desk::a_restart_counts_and_wants_running,
            session_desk::a_tenant_has_one_default_and_it_goes_with_its_session,
            session_desk::pools_are_listed_and_go_when_nobody_is_in_them,
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
            outbox::the_backlog_is_counted,
            alerts::an_alert_stands_from_its_event_to_the_other_one,
            alerts::of_many_who_raise_an_alert_one_does,
            keys::a_key_is_read_back_whole,
            keys::an_id_is_used_once,
            keys::each_tenant_has_its_keys,
            keys::a_key_ends_and_never_later_than_it_would,
            index::pages_hold_every_message_once_the_newest_first,
            index::a_message_is_found_by_what_it_is,
            index::what_a_message_is_found_by_stays_while_its_state_moves,
            index::a_message_is_found_by_whatsapps_id_of_it,
            index::messages_are_counted_by_state,
            index::the_history_is_kept_with_the_entry,
            activity::moments_are_counted_in_the_step_they_are_in,
            activity::what_waits_is_told_with_its_oldest,
            requests::a_request_is_carried_out_once_and_answered_the_same,
            requests::names_are_the_tenants_own,
            requests::a_dead_run_is_taken_over_with_its_seed,
            requests::a_run_that_did_nothing_leaves_nothing,
            requests::one_of_many_at_once_carries_it_out,
            requests::what_is_old_is_forgotten_and_its_name_is_free,
            verifications::a_verification_is_read_back_whole,
            verifications::one_is_open_to_a_number_and_its_end_makes_room,
            verifications::of_many_who_enter_one_is_new,
            verifications::of_many_who_write_one_version_one_is_done,
            verifications::events_come_with_their_write_only,
            verifications::a_code_goes_with_the_end,
            verifications::tenants_have_their_own,
            verifications::pages_are_filtered_and_newest_first,
            verifications::late_ones_are_counted_by_status,
            verifications::what_is_due_comes_in_order_and_ends_are_never_due,
            verifications::ended_ones_are_forgotten_and_open_ones_are_not,
            verify_counts::a_limit_holds_within_its_window,
            verify_counts::who_is_over_one_limit_is_counted_by_none,
            verify_counts::many_at_once_do_not_exceed_a_limit,
            verify_counts::a_prefix_counts_and_is_blocked_by_losses,
            verify_counts::one_approval_keeps_a_prefix_open,
            verify_counts::prefixes_are_listed_and_unblocked,
            verify_counts::losses_at_once_block_once,
            event_log::events_are_read_back_whole_and_in_order,
            event_log::an_event_is_kept_once,
            event_log::what_links_a_session_is_left_out,
            event_log::a_filter_lets_through_what_it_names,
            event_log::pages_tell_how_far_they_went,
            event_log::entries_are_found_by_their_positions,
            event_log::a_moment_has_its_position,
            event_log::the_oldest_are_forgotten_and_positions_go_on,
            event_log::a_reader_misses_nothing_that_is_appended_beside_it,
            webhooks::a_webhook_is_read_back_whole,
            webhooks::a_change_is_made_once_and_a_cursor_never_goes_back,
            webhooks::a_cursor_moves_once_with_its_deliveries,
            webhooks::a_delivery_is_with_one_until_its_claim_ends,
            webhooks::claims_at_the_same_time_share_the_deliveries,
            webhooks::attempts_are_remembered_and_health_is_kept,
            webhooks::a_webhook_is_disabled_once_and_its_deliveries_end,
            webhooks::a_delivery_is_tried_anew_when_somebody_wants_it,
            webhooks::ended_deliveries_are_forgotten_and_all_go_with_their_webhook,
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
            users::a_user_is_read_back_whole,
            users::a_users_name_is_used_once_in_the_fleet,
            users::each_tenant_has_its_users,
            users::a_new_role_leaves_sign_ins_and_a_new_password_ends_them,
            users::a_removed_user_is_gone_with_their_sign_ins,
            users::a_sign_in_begins_with_the_password_of_now_only,
            users::a_sign_in_is_prolonged_never_shortened_and_ends_once,
            users::old_sign_ins_are_forgotten_within_the_limit,
            users::no_sign_in_outlives_a_password_that_changes_meanwhile,
        ]
    );
}
