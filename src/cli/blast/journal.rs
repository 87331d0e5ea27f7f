//! What is known of the rows of a blast, kept in a file: a line for each thing that was learned, the last one counts. It has
//! ids and states, nobody's number and no text.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// Where a row stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Standing {
    /// A message's state, or `refused`.
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<String>,
    /// How often its message had to take another id, because the one before ended outside of the queue.
    #[serde(default, skip_serializing_if = "is_first")]
    pub turn: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
const fn is_first(turn: &u32) -> bool {
    *turn == 0
}

impl Standing {
    /// As the gateway tells a message.
    pub fn of(message: &Value) -> Self {
        let text = |field: &str| message[field].as_str().map(str::to_owned);
        Self {
            state: text("state").unwrap_or_default(),
            reason: text("reason"),
            session: text("session"),
            sent_at: text("sent_at"),
            delivered_at: text("delivered_at"),
            read_at: text("read_at"),
            turn: 0,
        }
    }

    /// The gateway does not take it, for this reason; nor would it the next time.
    pub fn refused(code: &str) -> Self {
        Self { state: "refused".to_owned(), reason: Some(code.to_owned()), ..Self::default() }
    }

    /// Whether the gateway has it.
    pub fn is_taken(&self) -> bool {
        self.state != "refused"
    }
}

#[derive(Serialize, Deserialize)]
struct Head {
    blast: Uuid,
}

#[derive(Serialize, Deserialize)]
struct Line {
    id: Uuid,
    #[serde(flatten)]
    standing: Standing,
}

pub(super) struct Journal {
    file: File,
}

impl Journal {
    /// Opens the file of a blast, or begins it; gives what is known.
    pub fn open(path: &Path, blast: Uuid) -> anyhow::Result<(Self, HashMap<Uuid, Standing>)> {
        let name = path.display();
        let mut known = HashMap::new();
        // Where the whole lines end: a line that was cut off with its process is written over.
        let mut whole = 0;
        match File::open(path) {
            Ok(file) => {
                let mut reader = BufReader::new(file);
                let mut line = String::new();
                while reader.read_line(&mut line).with_context(|| format!("{name} can't be read"))? > 0 {
                    if !line.ends_with('\n') {
                        break;
                    }
                    if whole == 0 {
                        let head = serde_json::from_str::<Head>(&line);
                        let head =
                            head.with_context(|| format!("{name} is not what a blast left; name another --state"))?;
                        if head.blast != blast {
                            bail!(
                                "{name} is of a blast with another text, target or name; name another --state for this one"
                            );
                        }
                    } else if let Ok(Line { id, standing }) = serde_json::from_str(&line) {
                        known.insert(id, standing);
                    }
                    whole += line.len() as u64;
                    line.clear();
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("{name} can't be read")),
        }
        let opened = OpenOptions::new().create(true).write(true).truncate(false).open(path);
        let mut file = opened.with_context(|| format!("{name} can't be written"))?;
        file.set_len(whole)?;
        file.seek(SeekFrom::End(0))?;
        let mut journal = Self { file };
        if whole == 0 {
            journal.line(&Head { blast })?;
        }
        Ok((journal, known))
    }

    /// Notes what is known of a row now. Handed to the system at once: a killed process loses nothing of it.
    pub fn note(&mut self, id: Uuid, standing: &Standing) -> anyhow::Result<()> {
        self.line(&Line { id, standing: standing.clone() })
    }

    fn line(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).context("what is known of the blast can't be noted")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_again_and_a_torn_line_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.blast");
        let (blast, one, two) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let standing = |state: &str| Standing { state: state.to_owned(), ..Standing::default() };
        let (mut journal, known) = Journal::open(&path, blast).unwrap();
        assert!(known.is_empty());
        journal.note(one, &standing("queued")).unwrap();
        journal.note(one, &standing("sent")).unwrap();
        drop(journal);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"id\":\"0000").unwrap();
        let (mut journal, known) = Journal::open(&path, blast).unwrap();
        assert_eq!(known, HashMap::from([(one, standing("sent"))]));
        journal.note(two, &Standing::refused("bad_number")).unwrap();
        let (_, known) = Journal::open(&path, blast).unwrap();
        assert_eq!(known.len(), 2);
        assert!(!known[&two].is_taken());
        let error = Journal::open(&path, two).err().expect("another blast");
        assert!(error.to_string().contains("--state"), "{error}");
        std::fs::write(&path, "to,text\n1,a\n").unwrap();
        assert!(Journal::open(&path, blast).is_err(), "somebody's own file is not touched");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "to,text\n1,a\n");
    }
}
