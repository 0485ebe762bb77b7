//! The process entry: parse, run, exit code.

use std::process::ExitCode;

use wsfix::cli::{self, Args, Ui};

fn main() -> ExitCode {
    let args = Args::from_command_line(); // prints usage errors itself and exits 2
    cli::explain_panics(&args.global);
    let ui = Ui::new(&args.global);
    match cli::run(args, &ui) {
        Ok(exit) => exit.into(),
        Err(error) => ui.fail(&error).into(), // the only place where an error is printed
    }
}
