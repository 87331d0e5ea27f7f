//! Pure arithmetic: when, where and how often. Time and randomness are arguments; nothing here reads a clock.

mod backoff;
mod budget;
mod calling_codes;
mod code;
mod conversion;
mod country;
mod delay;
mod fallback;
mod pace;
mod placement;
mod reach;
mod resend;
mod roll_call;
mod verdict;
mod warm_up;
mod webhook;
mod window;
mod zone;

pub use backoff::Backoff;
pub use budget::{Budget, DayLeft, DayRule, Over};
pub use code::{draw_code, tidied_code};
pub use conversion::counted;
pub use country::{Countries, CountryRule, NoSuchCountry, calling_code};
pub use delay::{DELAY_STEPS, delay_step};
pub use fallback::{OnItsWay, on_its_way};
pub use pace::{PaceRule, Pacer};
pub use placement::{Candidate, place};
pub use reach::{Allowed, BadAllowance, Reach};
pub use resend::{NotAgain, send_again};
pub use roll_call::RollCall;
pub use verdict::{AttemptRule, RESTRICTED_REST, rest, verdict};
pub use warm_up::{WarmUp, WarmUpError};
pub use webhook::WebhookRule;
pub use window::window_of;
pub use zone::{UnknownZone, Zone};
