//! `wsfix completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::error::Error;
use super::exit::Exit;
use super::ui::Ui;

/// Prints a shell's completions.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  wsfix completions bash > ~/.local/share/bash-completion/completions/wsfix
  wsfix completions zsh > \"${fpath[1]}/_wsfix\"
  wsfix completions fish > ~/.config/fish/completions/wsfix.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs, ui: &Ui) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Args::command(), "wsfix", &mut script);
    ui.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
