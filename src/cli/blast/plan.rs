//! What a file asks for: a message for each row, with an id that the row itself decides.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;

use anyhow::{Context as _, bail};
use csv::{ReaderBuilder, StringRecord};
use kurir_core::domain::{Content, Secret};
use serde_json::{Value, json};
use uuid::Uuid;

use super::BlastArgs;

/// Namespace of the ids (UUID version 5). Fixed for ever: a blast that is begun again must be recognised.
const NAMESPACE: Uuid = Uuid::from_u128(0x6b75_7269_7200_4e53_8a01_626c_6173_7400);

/// The names that the column of the numbers may have.
const NUMBERS: [&str; 3] = ["to", "number", "phone"];

/// A message to hand in.
pub(super) struct Row {
    /// Where it stands in the file.
    pub line: u64,
    pub id: Uuid,
    /// As the file has it.
    pub to: String,
    /// The message, but for its id.
    pub body: Value,
}

impl Row {
    /// The id of its message. One that ended before it came into the queue is never sent under its id, so there is another
    /// one for each turn, always the same.
    pub fn id_in(&self, turn: u32) -> Uuid {
        if turn == 0 { self.id } else { Uuid::new_v5(&self.id, &turn.to_be_bytes()) }
    }
}

/// A row of which no message can be made.
pub(super) struct Bad {
    pub line: u64,
    pub to: String,
    pub reason: &'static str,
}

pub(super) struct Plan {
    /// The same for the same text to the same target under the same name.
    pub blast: Uuid,
    pub rows: Vec<Row>,
    pub bad: Vec<Bad>,
}

/// Hashes the parts so that no two lists of parts are alike.
fn derive(namespace: Uuid, parts: &[&str]) -> Uuid {
    let text = serde_json::to_vec(parts).unwrap_or_default();
    Uuid::new_v5(&namespace, &text)
}

impl Plan {
    pub fn read(args: &BlastArgs) -> anyhow::Result<Self> {
        let name = args.file.display();
        let file = File::open(&args.file).with_context(|| format!("{name} can't be read"))?;
        let mut reader = ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(file);
        let head = reader.headers().with_context(|| format!("{name} has no head"))?.clone();
        let columns = Columns::of(&head, args.text.as_deref()).with_context(|| name.to_string())?;
        let target = args
            .session
            .as_deref()
            .map_or_else(|| ("pool", args.pool.clone().unwrap_or_default()), |session| ("session", session.to_owned()));
        let text = args.text.as_deref().unwrap_or_default();
        let blast = derive(NAMESPACE, &[&args.name, target.0, &target.1, text]);
        let mut plan = Self { blast, rows: Vec::new(), bad: Vec::new() };
        let mut seen = HashSet::new();
        for record in reader.records() {
            let record = record.with_context(|| format!("{name} is no good CSV"))?;
            let line = record.position().map_or(0, csv::Position::line);
            let to = record.get(columns.number).unwrap_or_default().to_owned();
            let content = match columns.content(&head, &record, args.text.as_deref()) {
                Ok(_) if to.is_empty() => Err("no_number"),
                other => other,
            };
            let (content, said) = match content {
                Ok(content) => content,
                Err(reason) => {
                    plan.bad.push(Bad { line, to, reason });
                    continue;
                }
            };
            // However people write a number, it is the same one: two rows for it that say the same are one message.
            let digits: String = to.chars().filter(char::is_ascii_alphanumeric).collect();
            let id = derive(blast, &[&digits, said.expose()]);
            if !seen.insert(id) {
                plan.bad.push(Bad { line, to, reason: "duplicate" });
                continue;
            }
            let mut body = json!({"to": to, "lane": "bulk", "content": content});
            body[target.0] = target.1.clone().into();
            plan.rows.push(Row { line, id, to, body });
        }
        if plan.rows.is_empty() && plan.bad.is_empty() {
            bail!("{name} has no rows");
        }
        Ok(plan)
    }
}

/// Which column is what.
struct Columns {
    number: usize,
    /// The text of each row, if there is none for all.
    text: Option<usize>,
}

/// A message's content, and the text that comes of it.
type Said = (Value, Secret<String>);

impl Columns {
    fn of(head: &StringRecord, template: Option<&str>) -> anyhow::Result<Self> {
        let place = |name: &str| head.iter().position(|column| column.eq_ignore_ascii_case(name));
        let Some(number) = NUMBERS.iter().find_map(|name| place(name)) else {
            bail!("no column with the numbers: one of the head's names must be {}", NUMBERS.join(", "));
        };
        let Some(template) = template else {
            let Some(text) = place("text") else { bail!("no column `text`, and no --text that says what to write") };
            return Ok(Self { number, text: Some(text) });
        };
        // Whether every placeholder has a column shows before the first message goes out.
        let values = head.iter().map(|name| (name.to_owned(), Secret::new(String::new()))).collect();
        if let Err(unknown) = (Content::Template { text: template.to_owned(), values }).render() {
            bail!("--text has {{{}}}, and the file no column of that name", unknown.0);
        }
        Ok(Self { number, text: None })
    }

    fn content(
        &self,
        head: &StringRecord,
        record: &StringRecord,
        template: Option<&str>,
    ) -> Result<Said, &'static str> {
        if record.len() != head.len() {
            return Err("wrong_number_of_columns");
        }
        let Some(template) = template else {
            let text = self.text.and_then(|at| record.get(at)).unwrap_or_default();
            if text.is_empty() {
                return Err("no_text");
            }
            return Ok((json!({"type": "text", "text": text}), Secret::new(text.to_owned())));
        };
        let used = |name: &str| template.contains(&format!("{{{name}}}"));
        let values: BTreeMap<String, String> = head
            .iter()
            .zip(record)
            .filter(|(name, _)| used(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let secrets = values.iter().map(|(name, value)| (name.clone(), Secret::new(value.clone()))).collect();
        let content = Content::Template { text: template.to_owned(), values: secrets };
        let said = content.render().map_err(|_| "missing_value")?;
        Ok((json!({"type": "template", "text": template, "values": values}), said))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: BlastArgs,
    }

    fn plan(csv: &str, more: &[&str]) -> anyhow::Result<Plan> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows.csv");
        std::fs::write(&file, csv).unwrap();
        let line = ["blast", file.to_str().unwrap(), "--session", "s1"].into_iter().chain(more.iter().copied());
        Plan::read(&Line::parse_from(line).args)
    }

    #[test]
    fn a_row_keeps_its_id_and_a_second_one_of_it_is_no_message() {
        let text = ["--text", "Halo {nama}"];
        let one = plan("nama,number\nSari,+62 812-1\nBudi,+62 813\nSari,(62) 8121\n", &text).unwrap();
        assert_eq!((one.rows.len(), one.bad.len(), one.bad[0].reason, one.bad[0].line), (2, 1, "duplicate", 4));
        assert_eq!(
            one.rows[0].body["content"],
            json!({"type": "template", "text": "Halo {nama}", "values": {"nama": "Sari"}})
        );
        // Rows before and behind change nothing, nor do columns that the text does not use.
        let two = plan("age,nama,to\n3,Adi,1\n4,Sari,628121\n", &text).unwrap();
        assert_eq!(two.rows[1].id, one.rows[0].id);
        assert_eq!(two.blast, one.blast);
        for other in [&["--text", "Hai {nama}"][..], &["--text", "Halo {nama}", "--name", "again"]] {
            let other = plan("nama,number\nSari,628121\n", other).unwrap();
            assert_ne!((other.blast, other.rows[0].id), (one.blast, one.rows[0].id));
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_before_anything_is_sent() {
        for (csv, more, complaint) in [
            ("nama,text\nSari,x\n", &[][..], "no column with the numbers"),
            ("to,nama\n1,Sari\n", &[], "no column `text`"),
            ("to,nama\n1,Sari\n", &["--text", "Halo {name}"], "{name}"),
            ("to,text\n", &[], "no rows"),
        ] {
            let error = format!("{:#}", plan(csv, more).err().expect("it is wrong"));
            assert!(error.contains(complaint), "{error}");
        }
        let rows = plan("to,text\n1,a\n,b\n2,\n3,c,d\n", &[]).unwrap();
        let bad: Vec<_> = rows.bad.iter().map(|bad| (bad.line, bad.reason)).collect();
        assert_eq!((rows.rows.len(), bad), (1, vec![(3, "no_number"), (4, "no_text"), (5, "wrong_number_of_columns")]));
    }
}
