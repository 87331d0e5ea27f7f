//! A browser: it keeps cookies, sends forms with their hidden fields, and follows no redirect by itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use kurir::gateway::admin::{NewUser, UserDesk};
use kurir_core::domain::{Secret, UserName, UserRecord, UserRole};
use kurir_core::memory::SeededEntropy;

use crate::fixture::{Answer, Fixture, PATIENCE, tenant};

/// The password of the users of these tests.
pub const PASSWORD: &str = "kata sandi panjang";

pub struct Browser<'f> {
    it: &'f Fixture,
    pub cookies: RefCell<BTreeMap<String, String>>,
    /// Sent with every request.
    pub headers: Vec<(&'static str, String)>,
}

pub fn user_name(text: &str) -> UserName {
    UserName::new(text).unwrap()
}

/// Enters a user of `acme` or another tenant.
pub fn add_user(it: &Fixture, name: &str, whose: &str, role: UserRole) -> UserRecord {
    let desk = UserDesk::new(it.stores.clone(), it.clock.clone(), Arc::new(SeededEntropy::new(9)));
    let new =
        NewUser { name: user_name(name), tenant: tenant(whose), role, password: Secret::new(PASSWORD.to_owned()) };
    it.runtime.block_on(desk.add(new)).unwrap()
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

impl<'f> Browser<'f> {
    pub fn new(it: &'f Fixture) -> Self {
        let language = ("Accept-Language", "en".to_owned());
        Self { it, cookies: RefCell::default(), headers: vec![language] }
    }

    /// A browser in which this user has signed in.
    pub fn of(it: &'f Fixture, user: &str) -> Self {
        let browser = Self::new(it);
        let answer = browser.sign_in(user, PASSWORD);
        assert_eq!(answer.status, 303, "{}", answer.text());
        browser
    }

    /// A request with what is in the browser, and these headers.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .build()
            .into();
        let mut request = ureq::http::Request::builder().method(method).uri(self.it.url(path));
        let own = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        let pairs: Vec<_> = self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !pairs.is_empty() {
            request = request.header("Cookie", pairs.join("; "));
        }
        let answer = match body {
            Some(body) => agent.run(request.body(body.as_bytes().to_vec()).unwrap()),
            None => agent.run(request.body(()).unwrap()),
        };
        let mut answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let bytes = answer.body_mut().read_to_vec().unwrap();
        let answer = Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), bytes };
        self.keep(&answer);
        answer
    }

    fn keep(&self, answer: &Answer) {
        let mut cookies = self.cookies.borrow_mut();
        for line in answer.headers.get_all("set-cookie") {
            let (pair, attributes) = line.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    /// Sends a form as it is.
    pub fn form(&self, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
        let body: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let kind = [("Content-Type", "application/x-www-form-urlencoded")];
        self.send("POST", path, &[&kind, headers].concat(), Some(&body.join("&")))
    }

    /// Sends a form of a page, with the token that the page has.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.token();
        self.form(path, &[], &[&[("csrf", token.as_str())], fields].concat())
    }

    /// The token in the pages of this sign-in.
    pub fn token(&self) -> String {
        let page = self.get("/admin/password");
        assert_eq!(page.status, 200, "{}", page.text());
        let text = page.text();
        let (_, behind) = text.split_once("name=\"csrf\" value=\"").expect("every form has a token");
        behind.split('"').next().unwrap().to_owned()
    }

    pub fn sign_in(&self, user: &str, password: &str) -> Answer {
        self.form("/admin/sign-in", &[], &[("user", user), ("password", password), ("next", "")])
    }

    /// Whether the browser is signed in.
    pub fn is_in(&self) -> bool {
        let answer = self.get("/admin/password");
        assert!([200, 303].contains(&answer.status), "{}", answer.text());
        answer.status == 200
    }
}
