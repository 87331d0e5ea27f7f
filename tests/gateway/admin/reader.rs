//! Somebody with a browser: signs in through the form, keeps the cookie, sends forms as pages have them.

use std::sync::Arc;

use kurir::gateway::admin::{NewUser, UserDesk};
use kurir_core::domain::{Secret, UserName, UserRole};
use kurir_core::memory::SeededEntropy;

use crate::fixture::{Answer, Fixture, tenant};

const PASSWORD: &str = "kata-sandi-uji";

pub struct Reader<'a> {
    it: &'a Fixture,
    cookie: String,
    language: &'static str,
}

impl Fixture {
    /// Adds a user and signs them in.
    pub fn reader(&self, name: &str, of: &str, role: UserRole) -> Reader<'_> {
        let desk = UserDesk::new(self.stores.clone(), self.clock.clone(), Arc::new(SeededEntropy::new(11)));
        let (password, user) = (Secret::new(PASSWORD.to_owned()), UserName::new(name).unwrap());
        let new = NewUser { name: user, tenant: tenant(of), role, password };
        self.runtime.block_on(desk.add(new)).unwrap();
        let mut reader = Reader { it: self, cookie: String::new(), language: "id" };
        let answer = reader.send("/admin/sign-in", &[("user", name), ("password", PASSWORD)]);
        assert_eq!(answer.status, 303, "{}", answer.text());
        let cookie = answer.header("set-cookie").expect("a cookie").split(';').next().unwrap();
        cookie.clone_into(&mut reader.cookie);
        reader
    }

    /// An admin of `acme`.
    pub fn admin(&self) -> Reader<'_> {
        self.reader("budi", "acme", UserRole::Admin)
    }

    /// Somebody of `acme` who may only look.
    pub fn viewer(&self) -> Reader<'_> {
        self.reader("siti", "acme", UserRole::Viewer)
    }

    /// An admin of `other`.
    pub fn stranger(&self) -> Reader<'_> {
        self.reader("eko", "other", UserRole::Admin)
    }
}

impl Reader<'_> {
    /// The same reader, who reads English.
    pub fn in_english(&self) -> Self {
        Self { it: self.it, cookie: self.cookie.clone(), language: "en" }
    }

    pub fn get(&self, path: &str) -> Answer {
        let headers = [("Cookie", self.cookie.as_str()), ("Accept-Language", self.language)];
        self.it.get_with(path, &headers)
    }

    /// A page that has to be there.
    pub fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    /// Sends fields, and nothing beside them.
    pub fn send(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = form_urlencoded::Serializer::new(String::new());
        let body = body.extend_pairs(fields).finish();
        let headers = [
            ("Cookie", self.cookie.as_str()),
            ("Accept-Language", self.language),
            ("Sec-Fetch-Site", "same-origin"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        self.it.call("POST", path, &headers, body.as_bytes())
    }

    /// Sends fields with what shows that the form is one of this sign-in's, as a page of it has it.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mark = hidden(&self.page("/admin/messages"), "csrf").expect("a page with a form").to_owned();
        let mut with_mark = vec![("csrf", mark.as_str())];
        with_mark.extend_from_slice(fields);
        self.send(path, &with_mark)
    }
}

/// The value of a page's first hidden field of this name.
pub fn hidden<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(&format!("type=\"hidden\" name=\"{name}\" value=\""))?;
    rest.split('"').next()
}

/// All values of a page's hidden fields of this name.
pub fn all_hidden(page: &str, name: &str) -> Vec<String> {
    let mark = format!("type=\"hidden\" name=\"{name}\" value=\"");
    page.split(mark.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

/// Checks that an answer leads on to a place, and gives it.
pub fn leads(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location").expect("a place").to_owned()
}
