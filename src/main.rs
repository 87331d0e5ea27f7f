//! The `kurir` program.

fn main() -> std::process::ExitCode {
    kurir::cli::main()
}
