use super::*;

#[test]
fn prints_and_reads_back_the_same() {
    let mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x0b]);
    assert_eq!(mac.to_string(), "52:54:00:77:00:0b");
    assert_eq!("52:54:00:77:00:0b".parse(), Ok(mac));
    assert_eq!("52:54:00:77:00:0B".parse(), Ok(mac));
}

#[test]
fn refuses_what_is_no_mac() {
    for text in [
        "",
        "52:54:00:77:00",
        "52:54:00:77:00:0b:0c",
        "52:54:00:77:00:b",
        "52-54-00-77-00-0b",
        "52:54:00:77:00:0g",
        "52:54:00:77:00:+b",
        "52:54:00:77:00:0b ",
    ] {
        assert_eq!(text.parse::<Mac>(), Err(MacError(text.to_owned())));
    }
}
