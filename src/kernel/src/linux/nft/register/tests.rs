use super::{Part, Registers};
use crate::IpFamily;

#[test]
fn a_register_holds_what_was_loaded_last() {
    let mut registers = Registers::default();
    assert_eq!(registers.holds(1), Part::Other);
    registers.load(1, 4, Part::Destination);
    assert_eq!(registers.holds(1), Part::Destination);
    registers.load(1, 2, Part::DestinationPort);
    assert_eq!(registers.holds(1), Part::DestinationPort);
}

#[test]
fn a_register_of_words_is_the_same_as_the_one_that_it_is_part_of() {
    let mut registers = Registers::default();
    registers.load(8, 4, Part::Destination);
    registers.load(9, 1, Part::Protocol);
    assert_eq!(registers.holds(1), Part::Destination);
    assert_eq!(registers.holds(9), Part::Protocol);
    registers.load(2, 2, Part::DestinationPort);
    assert_eq!(registers.holds(12), Part::DestinationPort);
    assert_eq!(registers.holds(1), Part::Destination);
}

#[test]
fn a_part_that_was_written_over_is_gone() {
    let mut registers = Registers::default();
    registers.load(1, 16, Part::Destination);
    registers.load(11, 1, Part::Protocol);
    assert_eq!(registers.holds(1), Part::Other);
    registers.load(1, 16, Part::Destination);
    assert_eq!(registers.holds(11), Part::Other);
    registers.load(u32::MAX, u32::MAX, Part::Other);
    assert_eq!(registers.holds(1), Part::Destination);
}

#[test]
fn a_part_is_told_by_where_it_lies_and_how_long_it_is() {
    let part = Part::of_payload;
    let (v4, v6) = (IpFamily::V4, IpFamily::V6);
    assert_eq!(part(v4, 1, 16, 4), Part::Destination);
    assert_eq!(part(v4, 1, 16, 3), Part::Other, "a subnet");
    assert_eq!(part(v4, 1, 12, 4), Part::Other, "the source");
    assert_eq!(part(v6, 1, 24, 16), Part::Destination);
    assert_eq!(part(v6, 1, 16, 4), Part::Other);
    assert_eq!(part(v4, 1, 9, 1), Part::Protocol);
    assert_eq!(part(v6, 1, 6, 1), Part::Protocol);
    assert_eq!(part(v4, 2, 2, 2), Part::DestinationPort);
    assert_eq!(part(v4, 2, 0, 2), Part::Other, "the source");
    assert_eq!(part(v4, 0, 2, 2), Part::Other, "the link");
}
