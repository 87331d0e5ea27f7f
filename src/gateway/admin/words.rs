//! The frame's words. What a page alone says stands with that page.

use axum::http::Uri;
use kurir_core::domain::{SessionState, Timestamp, UserRole};

use super::language::Language;
use super::preferences::Theme;

/// The words of one language.
pub(super) struct Words {
    pub skip: &'static str,
    pub navigation: &'static str,
    pub sign_out: &'static str,
    pub password: &'static str,
    pub language: &'static str,
    pub colours: &'static str,
    pub back: &'static str,
    pub more: &'static str,
    pub none: &'static str,
    pub actions: &'static str,
    pub cancel: &'static str,
    admin: &'static str,
    viewer: &'static str,
    themes: [&'static str; 3],
}

const ID: Words = Words {
    skip: "Langsung ke isi",
    navigation: "Navigasi utama",
    sign_out: "Keluar",
    password: "Kata sandi",
    language: "Bahasa",
    colours: "Warna",
    back: "Kembali",
    more: "Berikutnya",
    none: "Belum ada.",
    actions: "Tindakan",
    cancel: "Batal",
    admin: "admin",
    viewer: "hanya melihat",
    themes: ["otomatis", "terang", "gelap"],
};

const EN: Words = Words {
    skip: "Skip to the content",
    navigation: "Main navigation",
    sign_out: "Sign out",
    password: "Password",
    language: "Language",
    colours: "Colours",
    back: "Back",
    more: "Next",
    none: "Nothing yet.",
    actions: "Actions",
    cancel: "Cancel",
    admin: "admin",
    viewer: "viewer",
    themes: ["automatic", "light", "dark"],
};

/// The words of this language.
pub(super) const fn of(language: Language) -> &'static Words {
    match language {
        Language::Id => &ID,
        Language::En => &EN,
    }
}

impl Words {
    /// What a user is.
    pub const fn role(&self, role: UserRole) -> &'static str {
        match role {
            UserRole::Admin => self.admin,
            UserRole::Viewer => self.viewer,
        }
    }

    /// What colours are called.
    pub const fn theme(&self, theme: Theme) -> &'static str {
        match theme {
            Theme::Auto => self.themes[0],
            Theme::Light => self.themes[1],
            Theme::Dark => self.themes[2],
        }
    }
}

/// A session's state, for people.
pub(super) const fn state(language: Language, state: SessionState) -> &'static str {
    let (id, en) = match state {
        SessionState::Created => ("baru", "new"),
        SessionState::AwaitingScan => ("menunggu pindai", "waiting for a scan"),
        SessionState::ScanTimedOut => ("tidak dipindai", "not scanned"),
        SessionState::Paired => ("tertaut, menyambung", "linked, connecting"),
        SessionState::Connected => ("terhubung", "connected"),
        SessionState::Disconnected => ("terputus", "disconnected"),
        SessionState::LoggedOut => ("keluar dari perangkat", "logged out"),
        SessionState::Banned => ("diblokir WhatsApp", "banned by WhatsApp"),
        SessionState::Outdated => ("versi ditolak WhatsApp", "version refused by WhatsApp"),
    };
    language.of_two(id, en)
}

/// A moment, as a machine-readable `time` element holds it and as people read it (UTC, to the second).
pub(super) fn moment(at: Timestamp) -> maud::Markup {
    let exact = at.to_rfc3339();
    let plain = exact.get(..19).unwrap_or(&exact).replace('T', " ");
    maud::html! { time datetime=(exact) { (plain) " UTC" } }
}

macro_rules! notices {
    ($($name:ident = $word:literal, $id:literal, $en:literal;)*) => {
        /// What was just done, told on the page that follows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Notice { $($name),* }

        impl Notice {
            /// As it stands in an address: `?done=…`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)* _ => None }
            }

            /// In words.
            pub const fn words(self, language: Language) -> &'static str {
                match self { $(Self::$name => language.of_two($id, $en)),* }
            }
        }
    };
}

notices! {
    Created = "created", "Sesi dibuat.", "The session was created.";
    Told = "told", "Perintah diterima; sesi akan melaksanakannya.", "The session was told.";
    Moved = "moved", "Sesi akan pindah.", "The session is to move.";
    Removed = "removed", "Dihapus.", "Removed.";
    Saved = "saved", "Disimpan.", "Saved.";
    Added = "added", "Ditambahkan.", "Added.";
    Sent = "sent", "Pesan diterima untuk dikirim.", "The message was taken.";
    Retried = "retried", "Dikirim ulang ke antrean.", "Back in the queue.";
    Dropped = "dropped", "Dibuang.", "Dropped.";
    Unchanged = "unchanged", "Tidak ada yang berubah.", "Nothing has changed.";
    Tried = "tried", "Percobaan dikirim; hasilnya ada di daftar pengiriman.", "A test is on its way; see the deliveries.";
    Again = "again", "Peristiwa akan dikirim lagi.", "The events are told again.";
    Cancelled = "cancelled", "Pesan dibatalkan.", "The message was cancelled.";
}

impl Notice {
    /// The one that an address tells.
    pub fn of(uri: &Uri) -> Option<Self> {
        let query = uri.query()?;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == "done").and_then(|(_, word)| Self::parse(&word))
    }
}
