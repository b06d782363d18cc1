//! The `vidimus` program.

fn main() -> std::process::ExitCode {
    vidimus::cli::main()
}
