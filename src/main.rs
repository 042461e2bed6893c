//! The program. Everything is in the library, where tests can reach it.

fn main() -> std::process::ExitCode {
    transcriptord::cli::run(std::env::args_os().skip(1))
}
