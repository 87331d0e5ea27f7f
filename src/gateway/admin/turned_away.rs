//! What the door says to whom it does not let through.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use kurir_core::port::PortError;
use maud::html;

use super::language::Language;
use super::page::Frame;

/// Why a request to the admin page goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// A script asks, and nobody is signed in.
    NotSignedIn,
    /// They may look and change nothing.
    OnlyLooking,
    /// Another site has made the request up.
    FromElsewhere,
    /// The page is of another sign-in, or has no token at all.
    Stale,
    /// The form can't be read.
    BadForm,
    /// The form is too large.
    TooLarge,
    /// The form took too long.
    TooSlow,
    /// Too many passwords are being checked.
    Busy,
    /// The store does not answer.
    StoreDown,
}

struct Words {
    title: &'static str,
    not_signed_in: &'static str,
    only_looking: &'static str,
    from_elsewhere: &'static str,
    stale: &'static str,
    bad_form: &'static str,
    too_large: &'static str,
    too_slow: &'static str,
    busy: &'static str,
    store_down: &'static str,
    back: &'static str,
}

const ID: Words = Words {
    title: "Tidak dapat dilakukan",
    not_signed_in: "Anda belum masuk, atau waktu masuk Anda sudah habis. Silakan masuk lagi.",
    only_looking: "Akun Anda hanya boleh melihat. Mintalah admin untuk mengubah ini.",
    from_elsewhere: "Permintaan ini datang dari situs lain, jadi tidak dijalankan.",
    stale: "Halaman ini sudah usang. Muat ulang halaman, lalu coba lagi.",
    bad_form: "Formulir tidak dapat dibaca. Muat ulang halaman, lalu coba lagi.",
    too_large: "Formulir terlalu besar.",
    too_slow: "Formulir terlalu lama sampai. Coba lagi.",
    busy: "Terlalu banyak yang sedang masuk. Coba lagi beberapa detik lagi.",
    store_down: "Basis data tidak menjawab. Coba lagi sebentar lagi.",
    back: "Kembali",
};

const EN: Words = Words {
    title: "Not possible",
    not_signed_in: "You are not signed in, or no longer. Please sign in again.",
    only_looking: "Your account may only look. Ask an admin to change this.",
    from_elsewhere: "This request comes from another site, so it was not carried out.",
    stale: "This page is out of date. Reload it and try again.",
    bad_form: "The form can't be read. Reload the page and try again.",
    too_large: "The form is too large.",
    too_slow: "The form took too long to arrive. Try again.",
    busy: "Too many people are signing in. Try again in a few seconds.",
    store_down: "The database does not answer. Try again soon.",
    back: "Back",
};

impl TurnedAway {
    /// What a failed call of the store comes to.
    #[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
    pub fn of_store(error: PortError) -> Self {
        tracing::warn!(error = %error.chain(), "the admin page could not use the store");
        Self::StoreDown
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::NotSignedIn => StatusCode::UNAUTHORIZED,
            Self::OnlyLooking | Self::FromElsewhere | Self::Stale => StatusCode::FORBIDDEN,
            Self::BadForm => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy | Self::StoreDown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn words(self, of: &Words) -> &'static str {
        match self {
            Self::NotSignedIn => of.not_signed_in,
            Self::OnlyLooking => of.only_looking,
            Self::FromElsewhere => of.from_elsewhere,
            Self::Stale => of.stale,
            Self::BadForm => of.bad_form,
            Self::TooLarge => of.too_large,
            Self::TooSlow => of.too_slow,
            Self::Busy => of.busy,
            Self::StoreDown => of.store_down,
        }
    }

    /// The page that says so.
    pub fn page(self, frame: &Frame) -> Response {
        let words = match frame.language() {
            Language::Id => &ID,
            Language::En => &EN,
        };
        let body = html! {
            p .problem role="alert" { (self.words(words)) }
            p { a href="/admin" { (words.back) } }
        };
        let mut response = frame.bare(words.title, &body);
        *response.status_mut() = self.status();
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
