//! Somebody who reads the admin page: signed in through the form, with a browser that keeps cookies and runs no scripts.

use std::sync::Arc;

use kurir::gateway::admin::{NewUser, UserDesk, UserFault};
use kurir_core::domain::{Secret, UserName, UserRole};
use kurir_core::memory::SeededEntropy;

use crate::fixture::{Answer, Fixture, PATIENCE, tenant};

const PASSWORD: &str = "a long enough password";

pub struct Reader<'a> {
    it: &'a Fixture,
    cookie: String,
    language: &'static str,
}

impl<'a> Reader<'a> {
    /// A user of this tenant, entered and signed in.
    pub fn new(it: &'a Fixture, of: &str, role: UserRole) -> Self {
        Self::named(it, &format!("{of}-{role}"), of, role)
    }

    fn named(it: &'a Fixture, name: &str, of: &str, role: UserRole) -> Self {
        let desk = UserDesk::new(it.stores.clone(), it.clock.clone(), Arc::new(SeededEntropy::new(3)));
        let password = Secret::new(PASSWORD.to_owned());
        let user = NewUser { name: UserName::new(name).unwrap(), tenant: tenant(of), role, password };
        match it.runtime.block_on(desk.add(user)) {
            // Who signs in a second time is there already.
            Ok(_) | Err(UserFault::NameTaken) => {}
            Err(fault) => panic!("{name}: {fault}"),
        }
        let mut reader = Self { it, cookie: String::new(), language: "id" };
        let answer = reader.send("/admin/sign-in", &[("user", name), ("password", PASSWORD)]);
        assert_eq!(answer.status, 303, "{}", answer.text());
        let cookie = answer.header("set-cookie").expect("a cookie for who signed in");
        cookie.split(';').next().unwrap().clone_into(&mut reader.cookie);
        reader
    }

    /// The same reader, who reads English.
    pub fn in_english(&self) -> Self {
        Self { it: self.it, cookie: self.cookie.clone(), language: "en" }
    }

    /// Sends fields with what shows that the form is one of this sign-in's.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_from("/admin/messages", path, fields)
    }

    /// A page, whatever its status.
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    /// A page that must be there.
    pub fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    /// A part of a page, as a script asks for it.
    pub fn part(&self, path: &str) -> String {
        let answer = self.ask("GET", path, &[("X-Requested-With", "fetch")], "");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    /// Sends a form with the mark that forms of this page carry.
    pub fn post_from(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let shown = self.page(page);
        let mark = shown.split_once("name=\"csrf\" value=\"").and_then(|(_, rest)| rest.split('"').next());
        let mark = mark.unwrap_or_else(|| panic!("no form on {page}: {shown}"));
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", mark)]).collect();
        self.send(path, &fields)
    }

    /// Sends a form as it is.
    pub fn send(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.ask("POST", path, &[("Content-Type", "application/x-www-form-urlencoded")], &body)
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let cookies = format!("kurir_lang={}; {}", self.language, self.cookie);
        let mut request =
            ureq::http::Request::builder().method(method).uri(self.it.url(path)).header("Cookie", cookies);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = if body.is_empty() {
            agent.run(request.body(()).unwrap())
        } else {
            agent.run(request.body(body.to_owned()).unwrap())
        };
        let mut answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let bytes = answer.body_mut().read_to_vec().unwrap();
        Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), bytes }
    }
}

/// What a table's row says, its cells one after the other: the row in which `word` stands.
pub fn row(page: &str, word: &str) -> Vec<String> {
    let rows = page.split("<tr>").map(|row| row.split("</tr>").next().unwrap_or_default());
    let found = rows.filter(|row| row.contains("<th scope=\"row\"")).find(|row| row.contains(word));
    let found = found.unwrap_or_else(|| panic!("no row with {word:?} in {page}"));
    let cells = found.split("</td>").flat_map(|part| part.split("</th>"));
    cells.map(words).filter(|cell| !cell.is_empty()).collect()
}

/// A markup's words.
pub fn words(markup: &str) -> String {
    let texts = markup
        .split('<')
        .enumerate()
        .map(|(n, part)| if n == 0 { part } else { part.split_once('>').map_or("", |(_, text)| text) });
    texts.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Fixture {
    /// An admin of `acme`.
    pub fn admin(&self) -> Reader<'_> {
        Reader::named(self, "budi", "acme", UserRole::Admin)
    }

    /// Somebody of `acme` who may only look.
    pub fn viewer(&self) -> Reader<'_> {
        Reader::named(self, "siti", "acme", UserRole::Viewer)
    }

    /// An admin of `other`.
    pub fn stranger(&self) -> Reader<'_> {
        Reader::named(self, "eko", "other", UserRole::Admin)
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
