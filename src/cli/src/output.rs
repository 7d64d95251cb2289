//! Where results and messages go. A reader that went away (`| head`) is no error.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::args::Color;
use crate::style::Style;

/// Standard output for results, standard error for messages.
pub(crate) struct Output {
    /// Paints what goes to standard output.
    pub style: Style,
    messages: Style,
}

impl Output {
    /// With colour as asked for.
    pub(crate) fn new(color: Color) -> Self {
        Self {
            style: Style::new(color, io::stdout().is_terminal()),
            messages: Style::new(color, io::stderr().is_terminal()),
        }
    }

    /// A line of the result.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// A line about something that has happened already, and that no failing terminal may turn into an error.
    pub(crate) fn note_result(&mut self, text: &str) {
        let _ = self.line(text);
    }

    /// The result as it is.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        quietly(stdout.write_all(bytes).and_then(|()| stdout.flush()))
    }

    /// Something to know.
    pub(crate) fn warning(&mut self, text: &str) {
        self.message(&self.messages.warning("warning:"), text);
    }

    /// Something went wrong.
    pub(crate) fn error(&mut self, text: &str) {
        self.message(&self.messages.error("error:"), text);
    }

    /// A message without a mark.
    pub(crate) fn note(&mut self, text: &str) {
        self.message("", text);
    }

    /// Asks a question on the terminal, or says that there is none.
    pub(crate) fn confirm(&mut self, question: &str) -> Option<bool> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return None;
        }
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "{question} [y/N] ");
        let _ = stderr.flush();
        let mut answer = String::new();
        let _ = stdin.lock().read_line(&mut answer);
        Some(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
    }

    fn message(&self, mark: &str, text: &str) {
        let space = if mark.is_empty() { "" } else { " " };
        let _ = writeln!(io::stderr(), "{mark}{space}{text}");
    }
}

fn quietly(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
