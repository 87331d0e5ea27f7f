//! What the processes said, from their starts to their ends, the killed ones too.

use serde_json::Value;

/// All that one process wrote to its outputs.
pub struct Words {
    pub who: String,
    pub said: String,
}

/// What no process of kurir may ever say, whatever breaks around it.
const DEFECTS: [&str; 3] = ["panicked at", "defect of kurir", "fatal runtime error"];

/// The lines that tell of a defect of kurir.
pub fn defects(words: &[Words]) -> Vec<String> {
    let mut found = Vec::new();
    for Words { who, said } in words {
        let lines: Vec<&str> = said.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            if DEFECTS.iter().any(|defect| line.contains(defect)) {
                // The words of a panic stand in the line after its place.
                let next = lines.get(at + 1).filter(|next| !next.starts_with('{'));
                found.push(format!("{who}: {line} {}", next.unwrap_or(&"")).trim_end().to_owned());
            }
        }
    }
    found
}

/// How many writes under old epochs the stores refused, as the workers say: to compare, not to prove anything by.
pub fn refused(words: &[Words]) -> u64 {
    let lines = words.iter().flat_map(|words| words.said.lines());
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told = lines.filter(|line| line["message"] == "writes under an old epoch were refused");
    told.filter_map(|line| line["refused"].as_u64()).sum()
}

#[test]
fn a_panic_is_found_with_its_words() {
    let said = "{\"message\":\"worker started\"}\n\nthread 'worker' (7) panicked at workers/src/x.rs:1:2:\nno way\n{\"level\":\
                \"ERROR\",\"error\":\"the session's task panicked; this is a defect of kurir\"}\n{\"message\":\"writes \
                under an old epoch were refused\",\"refused\":3}";
    let words = [Words { who: "worker-1".into(), said: said.into() }];
    let found = defects(&words);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0], "worker-1: thread 'worker' (7) panicked at workers/src/x.rs:1:2: no way");
    assert!(found[1].contains("defect of kurir"));
    assert_eq!(refused(&words), 3);
}
