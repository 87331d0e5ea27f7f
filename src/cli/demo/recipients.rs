//! The demo's recipients, read from a CSV file: one row, one message.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// A row of the file, as it stands there: the number may be in any notation, or none at all.
#[derive(Clone, Debug, Deserialize)]
pub struct Row {
    /// The number as somebody wrote it.
    pub number: String,
    /// The text to send.
    pub text: String,
}

/// Reads a file with the header `number,text`.
pub fn read(path: &Path) -> anyhow::Result<Vec<Row>> {
    let mut reader = csv::Reader::from_path(path).with_context(|| {
        format!("the recipients {} can't be opened; name another file with --recipients", path.display())
    })?;
    let rows = reader
        .deserialize()
        .collect::<Result<Vec<Row>, _>>()
        .with_context(|| format!("{} is not a CSV file with the header `number,text`", path.display()))?;
    if rows.is_empty() {
        bail!("{} has no rows", path.display());
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_commas_in_texts_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.csv");
        std::fs::write(&path, "number,text\n+62 812,\"Kode: \"\"1\"\", jangan\"\n").unwrap();
        assert_eq!(read(&path).unwrap()[0].text, "Kode: \"1\", jangan");
        std::fs::write(&path, "number\n1\n").unwrap();
        assert!(format!("{:#}", read(&path).unwrap_err()).contains("number,text"));
        assert!(read(&folder.path().join("none.csv")).is_err());
    }
}
