//! The way back from an edit.

use sha2::{Digest, Sha256};

/// How an edit is taken back: the one place that changed, and what tells the texts before and after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    /// Where the edit is, in bytes from the start.
    pub offset: usize,
    /// What was there before.
    pub removed: String,
    /// What is there now.
    pub inserted: String,
    /// SHA-256 of the text before, in lower-case hexadecimal digits.
    pub before_sha256: String,
    /// SHA-256 of the text after.
    pub after_sha256: String,
}

/// What a text is to an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The text before it.
    Before,
    /// The text after it.
    After,
    /// Neither: somebody wrote as well.
    Other,
}

impl Undo {
    /// Of the edit that makes `after` of `before`.
    pub fn of(before: &str, after: &str) -> Self {
        let common = |a: &mut dyn Iterator<Item = (char, char)>| {
            a.take_while(|(one, other)| one == other)
                .map(|(one, _)| one.len_utf8())
                .sum::<usize>()
        };
        let start = common(&mut before.chars().zip(after.chars()));
        let (old, new) = (&before[start..], &after[start..]);
        let end = common(&mut old.chars().rev().zip(new.chars().rev()));
        Self {
            offset: start,
            removed: old[..old.len() - end].to_owned(),
            inserted: new[..new.len() - end].to_owned(),
            before_sha256: sha256(before),
            after_sha256: sha256(after),
        }
    }

    /// Which side of the edit a text is.
    pub fn side(&self, text: &str) -> Side {
        let hash = sha256(text);
        if hash == self.after_sha256 {
            Side::After
        } else if hash == self.before_sha256 {
            Side::Before
        } else {
            Side::Other
        }
    }

    /// The text before the edit, made from the one after it; `None` if `text` is not that, or the result is not the text
    /// that was there.
    pub fn restore(&self, text: &str) -> Option<String> {
        let (head, tail) = text.split_at_checked(self.offset)?;
        let tail = tail.strip_prefix(self.inserted.as_str())?;
        let restored = format!("{head}{}{tail}", self.removed);
        (self.side(text) == Side::After && sha256(&restored) == self.before_sha256)
            .then_some(restored)
    }
}

/// SHA-256 in lower-case hexadecimal digits.
pub(super) fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_edit_is_the_one_place_that_changed() {
        let undo = Undo::of("a: no # é\nb: é\n", "a: yes # é\nb: é\n");
        assert_eq!(
            (undo.offset, undo.removed.as_str(), undo.inserted.as_str()),
            (3, "no", "yes")
        );
    }

    #[test]
    fn a_text_that_somebody_else_changed_is_not_restored() {
        let undo = Undo::of("a: 1\nb: 2\n", "a: 3\nb: 2\n");
        assert_eq!(undo.side("a: 3\nb: 4\n"), Side::Other);
        assert_eq!(undo.restore("a: 3\nb: 4\n"), None);
        assert_eq!(undo.restore("a: 1\nb: 2\n"), None);
    }

    proptest! {
        #[test]
        fn what_was_edited_is_restored_to_the_byte(before in "[ab\u{e9}\n]{0,12}", after in "[ab\u{e9}\n]{0,12}") {
            let undo = Undo::of(&before, &after);
            prop_assert_eq!(undo.restore(&after), Some(before));
        }
    }
}
