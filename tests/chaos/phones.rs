//! What the phones have shown. Every job has a recipient of its own, so whatever else that phone shows is too much: also
//! the copy of a second sender, or under a second id, which the simulator's audit takes for another message.

use std::collections::BTreeMap;

use serde_json::Value;

/// A message at a phone.
#[derive(Debug)]
pub struct Arrival {
    pub id: String,
    /// The sender's account, which is told when something is wrong.
    #[allow(dead_code, reason = "read by Debug only")]
    from: String,
    shown: u64,
}

/// What arrived, by phone.
pub struct Phones(BTreeMap<String, Vec<Arrival>>);

impl Phones {
    /// From the simulator's audit.
    pub fn of(audit: &Value) -> Self {
        let mut phones: BTreeMap<String, Vec<Arrival>> = BTreeMap::new();
        for arrival in audit["arrived"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            phones.entry(text(&arrival["phone"])).or_default().push(Arrival {
                id: text(&arrival["id"]),
                from: text(&arrival["from"]["account"]),
                shown: arrival["shown"].as_u64().unwrap(),
            });
        }
        Self(phones)
    }

    /// What arrived at this phone; the phone is done with.
    pub fn take(&mut self, phone: &str) -> Vec<Arrival> {
        self.0.remove(phone).unwrap_or_default()
    }

    /// The phones that nobody has taken.
    pub fn left(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|(phone, arrivals)| format!("{phone} {arrivals:?}"))
    }
}

/// How many messages a phone has shown, whoever sent them and under whatever ids.
pub fn shown(arrivals: &[Arrival]) -> u64 {
    arrivals.iter().map(|arrival| arrival.shown).sum()
}

#[test]
fn one_id_of_two_senders_is_shown_twice() {
    let arrival = |phone: &str, from: &str| serde_json::json!({"id": "m", "phone": phone, "from": {"account": from, "device": 1}, "shown": 1});
    let mut phones = Phones::of(&serde_json::json!({
        "arrived": [arrival("62811", "1"), arrival("62812", "1"), arrival("62811", "2"), arrival("62813", "1")]
    }));
    assert_eq!([shown(&phones.take("62811")), shown(&phones.take("62812")), shown(&phones.take("6289"))], [2, 1, 0]);
    assert_eq!(phones.left().count(), 1);
}
