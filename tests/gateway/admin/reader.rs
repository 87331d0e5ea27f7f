//! Somebody who reads the admin page: signed in through the form, with a browser that keeps cookies and runs no scripts.

use std::sync::Arc;

use kurir::compose::{NewUser, UserDesk};
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
        let name = format!("{of}-{role}");
        let desk = UserDesk::new(it.stores.clone(), it.clock.clone(), Arc::new(SeededEntropy::new(3)));
        let password = Secret::new(PASSWORD.to_owned());
        let user = NewUser { name: UserName::new(&name).unwrap(), tenant: tenant(of), role, password };
        it.runtime.block_on(desk.add(user)).unwrap();
        let mut reader = Self { it, cookie: String::new(), language: "id" };
        let answer = reader.send("/admin/sign-in", &[("user", &name), ("password", PASSWORD)]);
        assert_eq!(answer.status, 303, "{}", answer.text());
        let cookie = answer.header("set-cookie").expect("a cookie for who signed in");
        reader.cookie = cookie.split(';').next().unwrap().to_owned();
        reader
    }

    pub fn in_english(mut self) -> Self {
        self.language = "en";
        self
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
