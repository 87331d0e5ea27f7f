//! Where to go after the sign-in: a path of the admin page and no other place.

use std::fmt::Write as _;

/// Where the admin page begins.
pub(super) const HOME: &str = "/admin";

/// Longest path that is remembered, in bytes.
const LONGEST: usize = 1000;

/// A path below `/admin`, with its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LocalPath(String);

impl LocalPath {
    /// Reads it; `None`: it leads, or might lead, somewhere else, or back to the sign-in.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(HOME)?;
        // Browsers take a backslash for a slash, and read over white space.
        let plain = text.len() <= LONGEST && text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\' && b != b'#');
        let begins = rest.is_empty() || rest.starts_with(['/', '?']);
        let path = rest.split('?').next().unwrap_or_default();
        // They also climb by dots that are written as escapes.
        let climbs =
            path.to_ascii_lowercase().contains("%2e") || path.split('/').any(|part| part == "." || part == "..");
        let doubled = path.contains("//");
        let doors = ["/sign-in", "/sign-out"].contains(&path.trim_end_matches('/'));
        (plain && begins && !climbs && !doubled && !doors).then(|| Self(text.to_owned()))
    }

    /// The path, with its query.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as the value of a parameter.
    pub fn escaped(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                // Writing into a String can't fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
        text
    }
}

impl Default for LocalPath {
    /// The first page.
    fn default() -> Self {
        Self(HOME.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_below_admin() {
        for good in ["/admin", "/admin/", "/admin?x=1", "/admin/sessions/toko-1?tab=a%20b&u=http://x.example/"] {
            assert_eq!(LocalPath::parse(good).unwrap().as_str(), good);
        }
        let long = format!("/admin/{}", "x".repeat(LONGEST));
        for bad in [
            "",
            "/",
            "//evil.example",
            "//evil.example/admin",
            "https://evil.example/admin",
            "/administrator",
            "/v1/sessions",
            "/admin/../v1",
            "/admin/..",
            "/admin/./x",
            "/admin/%2e%2E/x",
            "/admin/.%2e/x",
            "/admin//evil.example",
            "/admin\\..\\x",
            "/admin/\t/x",
            "/admin/x\r\nSet-Cookie: a=b",
            "/admin/é",
            "admin",
            "javascript:alert(1)",
            "/admin#x",
            "/admin/sign-in",
            "/admin/sign-in?next=/admin/sign-in",
            "/admin/sign-out/",
            &long,
        ] {
            assert_eq!(LocalPath::parse(bad), None, "{bad:?}");
        }
        assert_eq!(LocalPath::parse("/admin/a?b=c&d=%20").unwrap().escaped(), "/admin/a%3Fb%3Dc%26d%3D%2520");
    }
}
