//! All limits in one table: what each is, where it is kept, what happens over it and when its place is down. `kurir limits`
//! prints it, `docs/LIMITS.md` has it with the defaults, and a test keeps the two together.

use std::fmt::Write as _;
use std::time::Duration;

use kurir_core::domain::FailReason;
use kurir_core::policy::RESTRICTED_REST;
use serde::Serialize;

use super::read::show_span;
use super::{Config, WhenDown};

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LimitRow {
    /// Its name.
    pub limit: &'static str,
    /// The settings that make it; none for what others decide.
    pub settings: &'static [&'static str],
    /// Its value in this configuration.
    pub value: String,
    /// Where its state is kept.
    pub kept: &'static str,
    /// What happens over it.
    pub over: &'static str,
    /// The reason that events tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<FailReason>,
    /// What happens while that place is down.
    pub down: &'static str,
}

const OWNER: &str = "the owner; saved with every intent";
const STORE_DOWN: &str = "no intents, nothing is sent";
const NEXT_DAY: &str = "parked until the sender's next day; waits if that is within `worker.max_wait`";

fn pace(every: Duration, burst: u32) -> String {
    if every.is_zero() { "none".to_owned() } else { format!("1 per {}, {burst} at once", show_span(every)) }
}

fn a_day(count: u32) -> String {
    if count == 0 { "none".to_owned() } else { format!("{count} a day") }
}

/// The limits of a configuration.
pub fn limit_table(config: &Config) -> Vec<LimitRow> {
    let mut rows = of_senders(config);
    rows.extend(of_recipients(config));
    rows.extend(of_others(config));
    rows.extend(of_codes(config));
    rows
}

fn of_senders(config: &Config) -> Vec<LimitRow> {
    let sender = &config.limits.sender;
    let warm_up = sender.warm_up.to_string();
    vec![
        LimitRow {
            limit: "sender: pace and burst",
            settings: &["limits.sender.every", "limits.sender.burst"],
            value: pace(sender.every, sender.burst.get()),
            kept: OWNER,
            over: "waits in line, OTPs first; `expired` as soon as its turn would come after its deadline; a pool's goes to another sender",
            reason: Some(FailReason::SenderLimited),
            down: STORE_DOWN,
        },
        LimitRow {
            limit: "sender: daily cap",
            settings: &["limits.sender.per_day"],
            value: a_day(sender.per_day),
            kept: OWNER,
            over: NEXT_DAY,
            reason: Some(FailReason::SenderDailyCap),
            down: STORE_DOWN,
        },
        LimitRow {
            limit: "sender: warm-up of a new number",
            settings: &["limits.sender.warm_up", "limits.sender.warmed_up"],
            value: if warm_up.is_empty() { "none".to_owned() } else { warm_up },
            kept: "the session's status (when its number was first linked); the count like the daily cap",
            over: NEXT_DAY,
            reason: Some(FailReason::SenderWarmingUp),
            down: STORE_DOWN,
        },
        LimitRow {
            limit: "sender: new recipients",
            settings: &["limits.sender.cold_per_day"],
            value: a_day(sender.cold_per_day),
            kept: "the owner; saved with every intent, and the recipient with it (table `met`)",
            over: NEXT_DAY,
            reason: Some(FailReason::SenderColdContacts),
            down: STORE_DOWN,
        },
        LimitRow {
            limit: "sender: share of the day kept for OTPs",
            settings: &["limits.sender.otp_reserve"],
            value: format!("{} %", sender.otp_reserve),
            kept: OWNER,
            over: "bulk jobs meet the caps above earlier by this share",
            reason: None,
            down: STORE_DOWN,
        },
    ]
}

fn of_recipients(config: &Config) -> Vec<LimitRow> {
    let recipient = &config.limits.recipient;
    let down = match recipient.when_down {
        WhenDown::Wait => "`wait`: OTPs wait and ask again every second, until they expire",
        WhenDown::Allow => "`allow`: OTPs go without it, until the workers give their sessions up",
    };
    let row = |limit, settings, value| LimitRow {
        limit,
        settings,
        value,
        kept: "Redis, for the whole fleet; one process alone: memory, forgotten at its end",
        over: "parked until it may go; `expired` if that is past the deadline",
        reason: Some(FailReason::RecipientLimited),
        down,
    };
    let every = recipient.otp_every;
    let every = if every.is_zero() { "none".to_owned() } else { format!("1 per {}", show_span(every)) };
    let per_day = recipient.otp_per_day;
    let per_day = if per_day == 0 { "none".to_owned() } else { format!("{per_day} in 24 h") };
    vec![
        row("recipient: one OTP per span", &["limits.recipient.otp_every", "limits.recipient.when_down"], every),
        row("recipient: OTPs in 24 hours", &["limits.recipient.otp_per_day", "limits.recipient.when_down"], per_day),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn of_others(config: &Config) -> Vec<LimitRow> {
    let (numbers, retry) = (&config.limits.numbers, &config.retry);
    vec![
        LimitRow {
            limit: "number checks of a session",
            settings: &["limits.numbers.every", "limits.numbers.burst"],
            value: pace(numbers.every, numbers.burst.get()),
            kept: "the owner's memory; begins anew with a new owner",
            over: "waits for its turn",
            reason: None,
            down: "WhatsApp does not answer: parked (`no_answer`)",
        },
        LimitRow {
            limit: "WhatsApp: no new chats (463, 475, timelock, quota)",
            settings: &[],
            value: format!("as long as WhatsApp says, else {}", show_span(RESTRICTED_REST)),
            kept: "WhatsApp; until when: saved with the result, and in the session's status",
            over: "the sender rests, `session.limited`; jobs are parked until the end of the rest",
            reason: Some(FailReason::SenderRestricted),
            down: "WhatsApp does not say until when: the span on the left",
        },
        LimitRow {
            limit: "WhatsApp: too fast (429)",
            settings: &["retry.backoff_base", "retry.backoff_max"],
            value: format!(
                "at random up to {}; the job's own pause doubled, at most {}",
                show_span(retry.backoff_base * 2),
                show_span(retry.backoff_max)
            ),
            kept: "until when: saved with the result, and in the session's status",
            over: "the sender rests, `session.limited`; jobs wait or are parked until the end of the rest",
            reason: Some(FailReason::RateLimited),
            down: STORE_DOWN,
        },
        LimitRow {
            limit: "attempts on the wire",
            settings: &["retry.otp_attempts", "retry.bulk_attempts"],
            value: format!("{} of an OTP, {} of a bulk job", retry.otp_attempts, retry.bulk_attempts),
            kept: "the job's entry in the ledger",
            over: "`failed`, or `uncertain`",
            reason: None,
            down: STORE_DOWN,
        },
        LimitRow {
            limit: "gateway: requests of an API key",
            settings: &["gateway.key_rate", "gateway.key_burst"],
            value: if config.gateway.key_rate == 0 {
                "none".to_owned()
            } else {
                format!("{} a second, {} at once", config.gateway.key_rate, config.gateway.key_burst)
            },
            kept: "the gateway's memory; each gateway counts by itself",
            over: "429 with `Retry-After`",
            reason: None,
            down: "",
        },
        LimitRow {
            limit: "gateway: messages that wait in a queue",
            settings: &["gateway.queue_cap_otp", "gateway.queue_cap_bulk"],
            value: {
                let shown = |cap: u32| if cap == 0 { "none".to_owned() } else { cap.to_string() };
                let gateway = &config.gateway;
                format!("{} otp, {} bulk a lane", shown(gateway.queue_cap_otp), shown(gateway.queue_cap_bulk))
            },
            kept: "the queue; its depth is looked at once a second",
            over: "429 `queue_full` with `Retry-After`; rows of a batch beyond it are refused",
            reason: None,
            down: "no such cap",
        },
        LimitRow {
            limit: "gateway: size of a request, connections",
            settings: &["gateway.body_limit", "gateway.max_connections"],
            value: format!("{} bytes, {}", config.gateway.body_limit, config.gateway.max_connections),
            kept: "the gateway's memory",
            over: "413; the longest idle connection ends for a new one, else that waits",
            reason: None,
            down: "",
        },
        LimitRow {
            limit: "gateway: streams of events",
            settings: &["gateway.max_streams", "gateway.streams_per_key"],
            value: format!("{}, {} of one key", config.gateway.max_streams, config.gateway.streams_per_key),
            kept: "the gateway's memory; each gateway counts by itself",
            over: "429 with `Retry-After`",
            reason: None,
            down: "",
        },
        LimitRow {
            limit: "admin page: wrong passwords",
            settings: &[],
            value: "5 of one name, 20 from one address".to_owned(),
            kept: "the gateway's memory; each gateway counts by itself",
            over: "429 with `Retry-After`: 2s, doubled with each further one, at most 5m; forgotten after 30m",
            reason: None,
            down: "",
        },
        LimitRow {
            limit: "admin page: a sign-in",
            settings: &["admin.session_idle", "admin.session_max"],
            value: format!(
                "{} without use, {} in all",
                show_span(config.admin.session_idle),
                show_span(config.admin.session_max)
            ),
            kept: "the store, for the whole fleet",
            over: "back to the sign-in",
            reason: None,
            down: "503: nobody comes in",
        },
        LimitRow {
            limit: "size of a file",
            settings: &["media.image_mib", "media.video_mib", "media.audio_mib", "media.document_mib"],
            value: {
                let media = &config.media;
                let (image, video, audio, other) =
                    (media.image_mib, media.video_mib, media.audio_mib, media.document_mib);
                format!("{image} MiB a picture, {video} a film, {audio} a sound, {other} any other")
            },
            kept: "–",
            over: "413 `media_too_large`; one that comes in is not kept, one at an address is not sent",
            reason: Some(FailReason::MediaUnsuitable),
            down: "",
        },
        LimitRow {
            limit: "what a tenant's files take together",
            settings: &["media.tenant_mib"],
            value: match config.media.tenant_mib {
                0 => "none".to_owned(),
                most => format!("{most} MiB"),
            },
            kept: "the store, counted with every piece of a file",
            over: "413 `media_quota`; one that comes in is not kept, one at an address is tried again",
            reason: Some(FailReason::MediaUnavailable),
            down: "503: no files are taken",
        },
        LimitRow {
            limit: "jobs in a queue",
            settings: &[],
            value: "1,000,000".to_owned(),
            kept: "RabbitMQ, by a policy",
            over: "the broker refuses the publish; the gateway answers 503",
            reason: None,
            down: "nothing is published, taken or sent",
        },
        LimitRow {
            limit: "deliveries of a job",
            settings: &[],
            value: "20".to_owned(),
            kept: "RabbitMQ, by a policy",
            over: "dead letters, by the broker: without an event",
            reason: None,
            down: "nothing is published, taken or sent",
        },
    ]
}

fn of_codes(config: &Config) -> Vec<LimitRow> {
    let verify = &config.verify;
    let row = |limit, settings, value, over| LimitRow {
        limit,
        settings,
        value,
        kept: "the store, for the whole fleet, each tenant's for itself",
        over,
        reason: None,
        down: "503: no codes are sent or compared",
    };
    let an_hour = |count: u32| if count == 0 { "none".to_owned() } else { format!("{count} an hour") };
    let countries = match (verify.countries_allowed.to_string(), verify.countries_blocked.to_string()) {
        (allowed, blocked) if allowed.is_empty() && blocked.is_empty() => "none".to_owned(),
        (allowed, blocked) if allowed.is_empty() => format!("all but {blocked}"),
        (allowed, blocked) if blocked.is_empty() => format!("{allowed} only"),
        (allowed, blocked) => format!("{allowed} only, not {blocked}"),
    };
    let blocked = if verify.block_after == 0 {
        "none".to_owned()
    } else {
        let (window, block) = (show_span(verify.conversion_window), show_span(verify.block_for));
        format!("{} lost in {window} and none approved: {block}", verify.block_after)
    };
    vec![
        row(
            "verification: codes given back",
            &["verify.max_checks"],
            verify.max_checks.to_string(),
            "the verification ends as `max_attempts_reached`",
        ),
        row(
            "verification: sendings of its code",
            &["verify.max_sends", "verify.resend_every"],
            format!("{}, 1 per {}", verify.max_sends, show_span(verify.resend_every)),
            "429 `max_send_attempts_reached`, `resend_too_soon`",
        ),
        row(
            "codes to a number",
            &["verify.per_recipient"],
            an_hour(verify.per_recipient),
            "429 `recipient_limit_reached`",
        ),
        row("codes to a prefix", &["verify.per_prefix"], an_hour(verify.per_prefix), "429 `prefix_limit_reached`"),
        row("codes to a country", &["verify.per_country"], an_hour(verify.per_country), "429 `country_limit_reached`"),
        row("codes asked for by an address", &["verify.per_ip"], an_hour(verify.per_ip), "429 `ip_limit_reached`"),
        row(
            "countries that get codes",
            &["verify.countries_allowed", "verify.countries_blocked"],
            countries,
            "403 `country_not_allowed`",
        ),
        row(
            "prefixes whose codes never come back",
            &["verify.block_after", "verify.conversion_window", "verify.block_for"],
            blocked,
            "403 `prefix_blocked`, `verification.prefix_blocked`",
        ),
    ]
}

/// The table as `docs/LIMITS.md` has it.
pub fn limits_in_markdown(rows: &[LimitRow]) -> String {
    let mut text = String::from("| limit | default | settings | kept in | over it | when that place is down |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    for LimitRow { limit, settings, value, kept, over, reason, down } in rows {
        let settings: Vec<_> = settings.iter().map(|key| format!("`{key}`")).collect();
        let settings = if settings.is_empty() { "–".to_owned() } else { settings.join(", ") };
        let reason = reason.map_or_else(String::new, |reason| format!(" (`{reason}`)"));
        let down = if down.is_empty() { "–" } else { down };
        // Writing into a text can't fail.
        let _ = writeln!(text, "| {limit} | {value} | {settings} | {kept} | {over}{reason} | {down} |");
    }
    text
}
