//! What became of every row, as a file.

use std::path::Path;

use super::Blast;
use super::journal::Standing;

const HEAD: [&str; 9] = ["line", "to", "id", "state", "reason", "session", "sent_at", "delivered_at", "read_at"];

/// Writes the report, in the order of the rows. The old one is there until the new one is whole.
pub(super) fn write(path: &Path, blast: &Blast) -> anyhow::Result<()> {
    let mut rows: Vec<(u64, [String; 9])> = Vec::new();
    for (at, (row, standing)) in blast.plan.rows.iter().zip(&blast.standings).enumerate() {
        let open = Standing { state: "not_handed_in".to_owned(), ..Standing::default() };
        let standing = standing.as_ref().unwrap_or(&open);
        let told = |text: &Option<String>| text.clone().unwrap_or_default();
        rows.push((
            row.line,
            [
                row.line.to_string(),
                row.to.clone(),
                blast.id(at).to_string(),
                standing.state.clone(),
                told(&standing.reason),
                told(&standing.session),
                told(&standing.sent_at),
                told(&standing.delivered_at),
                told(&standing.read_at),
            ],
        ));
    }
    for bad in &blast.plan.bad {
        let mut fields = [const { String::new() }; 9];
        fields[0] = bad.line.to_string();
        fields[1].clone_from(&bad.to);
        "not_sent".clone_into(&mut fields[3]);
        bad.reason.clone_into(&mut fields[4]);
        rows.push((bad.line, fields));
    }
    rows.sort_by_key(|(line, _)| *line);
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let mut writer = csv::Writer::from_path(&draft)?;
    writer.write_record(HEAD)?;
    for (_, fields) in rows {
        writer.write_record(fields)?;
    }
    writer.flush()?;
    drop(writer);
    std::fs::rename(&draft, path)?;
    Ok(())
}
