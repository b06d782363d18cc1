//! The `vidimus` program.

/// Serving and checking are many small allocations on many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    vidimus::cli::main()
}
