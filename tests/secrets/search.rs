//! Searches what a program has said for what it must never say (docs/LOGGING.md).

/// What must not be found.
#[derive(Default)]
pub struct Secrets {
    words: Vec<(&'static str, String)>,
    codes: Vec<String>,
    numbers: Vec<String>,
}

/// How many of a number's last digits give it away, whatever stands before and between them.
const TAIL: usize = 9;

/// Characters of a 256-bit key in base64, without its padding.
const BASE64_KEY: usize = 43;

/// Characters of a 256-bit key in hexadecimal digits.
const HEX_KEY: usize = 64;

/// So many small numbers in a row are the bytes of something.
const BYTES: usize = 16;

impl Secrets {
    /// A text or key that is not to be found as it stands, nor escaped as logs escape.
    pub fn word(&mut self, what: &'static str, word: &str) {
        assert!(word.len() > 1, "{what}: {word:?} would be found anywhere");
        let debug = format!("{word:?}");
        let json = serde_json::to_string(word).expect("a text is JSON");
        for form in [word, &debug[1..debug.len() - 1], &json[1..json.len() - 1]] {
            if !self.words.iter().any(|(_, known)| known == form) {
                self.words.push((what, form.to_owned()));
            }
        }
    }

    /// A one-time password: digits.
    pub fn code(&mut self, code: &str) {
        assert!(code.len() >= 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code:?} is no code");
        self.codes.push(code.to_owned());
    }

    /// A phone number, by its international digits: neither in any notation nor as a LID of the simulator, which is the
    /// number with other digits before it.
    pub fn number(&mut self, digits: &str) {
        assert!(digits.len() >= TAIL && digits.bytes().all(|byte| byte.is_ascii_digit()), "{digits:?} is no number");
        self.numbers.push(digits[digits.len() - TAIL..].to_owned());
        self.word("LID", &format!("1{digits:0>14}"));
    }

    /// Each secret with what it is, as it could stand in a log.
    pub fn planted(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let words = self.words.iter().map(|(what, word)| (*what, word.as_str()));
        let codes = self.codes.iter().map(|code| ("code", code.as_str()));
        words.chain(codes).chain(self.numbers.iter().map(|number| ("number", number.as_str())))
    }

    /// Everything that should not be in `output`, with its line.
    pub fn found_in(&self, output: &str) -> Vec<String> {
        let mut found = Vec::new();
        for line in output.lines() {
            let mut complain = |what: &str| found.push(format!("{what}: {line}"));
            for (what, word) in &self.words {
                if line.contains(word.as_str()) {
                    complain(what);
                }
            }
            let rest = without_ids(line);
            let runs = || rest.split(|c: char| !c.is_ascii_digit());
            if self.codes.iter().any(|code| runs().any(|run| run.contains(code.as_str()))) {
                complain("code");
            }
            let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
            if self.numbers.iter().any(|number| digits.contains(number.as_str())) {
                complain("number");
            }
            if looks_like_a_key(line) {
                complain("something like a key");
            }
        }
        found
    }
}

/// Takes out moments, UUIDs and other ids, whose digits would look like codes by chance: words of at least 20
/// characters that consist of nothing but hexadecimal digits and their punctuation, with at least one letter or dash.
fn without_ids(line: &str) -> String {
    let part_of_id = |c: char| c.is_ascii_hexdigit() || matches!(c, '-' | ':' | 'T' | 'Z' | '.');
    let is_id = |word: &str| {
        let moment = word.len() >= 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T';
        let uuid = word.len() == 36 && word.bytes().filter(|byte| *byte == b'-').count() == 4;
        let nonce = word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        moment || uuid || nonce
    };
    let mut rest = String::with_capacity(line.len());
    for piece in line.split_inclusive(|c: char| !part_of_id(c)) {
        let word = piece.trim_end_matches(|c: char| !part_of_id(c));
        if is_id(word) {
            rest.push('#');
            rest.push_str(&piece[word.len()..]);
        } else {
            rest.push_str(piece);
        }
    }
    rest
}

fn looks_like_a_key(line: &str) -> bool {
    let mut base64 = 0;
    let mut hex = 0;
    for c in line.chars() {
        if c == '=' && base64 >= BASE64_KEY {
            return true;
        }
        base64 = if c.is_ascii_alphanumeric() || matches!(c, '+' | '/') { base64 + 1 } else { 0 };
        hex = if c.is_ascii_hexdigit() { hex + 1 } else { 0 };
        if hex >= HEX_KEY {
            return true;
        }
    }
    let mut row = 0;
    line.split([',', '[', ']']).any(|part| {
        row = if part.trim().parse::<u8>().is_ok() { row + 1 } else { 0 };
        row >= BYTES
    })
}

#[test]
fn it_finds_each_kind_of_secret_in_each_form() {
    let mut secrets = Secrets::default();
    secrets.word("text", "Kata \"sandi\" 👋\u{202a} Anda");
    secrets.code("592233");
    secrets.number("6281234560002");
    let key = "GVLUrrNOUNCNoM1hAGZ1g8bQi0c+/yLhXhmXQ1P0qkw=";
    for (what, line) in [
        ("text", "body=Kata \"sandi\" 👋\u{202a} Anda!"),
        ("text", r#"body="Kata \"sandi\" 👋\u{202a} Anda""#),
        ("text", "{\"body\":\"Kata \\\"sandi\\\" 👋\u{202a} Anda\"}"),
        ("code", "2026-11-21T14:59:21.616558Z  INFO job: code=592233"),
        ("code", r#"{"timestamp":"2026-11-21T14:59:21.616558Z","code":592233}"#),
        ("code", "code=[592233] job=01a1fe9e-8c18-7428-9356-e5fbf20abfb3"),
        ("number", "to=+62 812-3456-0002"),
        ("number", "to=081234560002"),
        ("number", "jid=6281234560002:3@s.whatsapp.net"),
        ("number", "query /v1/x?to=%2B6281234560002"),
        ("LID", "jid=106281234560002@lid"),
        ("something like a key", &format!("key=1:{key}")),
        ("something like a key", &format!("key={}", "0f".repeat(32))),
        ("something like a key", &format!("key={:?}", [7u8; 32])),
    ] {
        let found = secrets.found_in(&format!("harmless\n{line}\nharmless"));
        assert!(found.contains(&format!("{what}: {line}")), "{what} in {line:?}: {found:?}");
    }
}

#[test]
fn ids_moments_and_masked_numbers_are_no_secrets() {
    let mut secrets = Secrets::default();
    for code in ["616558", "742893", "935637", "036863"] {
        secrets.code(code);
    }
    secrets.number("6281234560002");
    for line in [
        "2026-11-21T14:59:21.616558Z  INFO job{session=demo-1 job=01a1fe9e-8c18-7428-9356-3742893bfb30}: job state=sent",
        r#"{"timestamp":"2026-11-21T14:59:21.616558Z","job":"01a1fe9e-8c18-7428-9356-3742893bfb30"}"#,
        "request{request=99c63698d7c8b0eda97b364f63bf7428 path=\"/v1/sessions\"}",
        "session demo-1 is linked to the simulated phone 6281…02 as its device 1",
        "simulator started websocket_address=127.0.0.1:39153 control_address=127.0.0.1:36777",
        "path=/tmp/.tmpAbC123/encryption.keys buckets=[1, 2, 3, 4]",
    ] {
        assert_eq!(secrets.found_in(line), [""; 0], "{line}");
    }
}
