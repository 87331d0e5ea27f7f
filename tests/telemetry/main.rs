//! What is counted, as operators meet it: in the documentation, in the shipped dashboard and alerts, and from a process.

mod shipped;

const BEGIN: &str = "<!-- table of metrics: written by `KURIR_BLESS=1`, compared by a test -->\n";
const END: &str = "<!-- end of the table -->";

#[test]
fn the_table_in_the_documentation_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATIONS.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the table begins with a mark");
    let (table, after) = rest.split_once(END).expect("the table ends with a mark");
    let expected = kurir::telemetry::series_in_markdown();
    if std::env::var_os("KURIR_BLESS").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(table, expected, "docs/OPERATIONS.md is out of step; run this test with KURIR_BLESS=1");
}
