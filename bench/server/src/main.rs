//! The program itself, optimised like the rest of the benchmarks.

fn main() -> std::process::ExitCode {
    vidimus::cli::main()
}
