use proptest::prelude::*;

use super::*;
use ArpSetting::{Announce, Ignore};

fn value(files: &[(&str, &str)], interface: &str, setting: ArpSetting) -> Option<(String, i32)> {
    let files: Vec<SysctlFile> = files
        .iter()
        .map(|(path, text)| SysctlFile::parse(*path, text))
        .collect();
    set_by(&files, interface, setting).map(|set| (set.path.to_owned(), set.value))
}

fn one(text: &str, interface: &str) -> Option<i32> {
    value(&[("/etc/sysctl.d/a.conf", text)], interface, Ignore).map(|(_, value)| value)
}

#[test]
fn every_way_of_writing_a_key_is_read() {
    for text in [
        "net.ipv4.conf.all.arp_ignore=1",
        "  net.ipv4.conf.all.arp_ignore = 1  ",
        "-net.ipv4.conf.all.arp_ignore = 1",
        "net/ipv4/conf/all/arp_ignore=1",
        "/net/ipv4/conf/all/arp_ignore=1",
        "net.ipv4.conf.*.arp_ignore=1",
        "net.ipv4.conf.[a-b]ll.arp_ignore=1",
        "net.ipv4.conf.a?l.arp_ignore=1",
        "net.ipv4.conf.all.arp_ignore=0\nnet.ipv4.conf.all.arp_ignore=1",
    ] {
        assert_eq!(one(text, "all"), Some(1), "{text}");
    }
    for text in [
        "",
        "# net.ipv4.conf.all.arp_ignore=1",
        "; net.ipv4.conf.all.arp_ignore=1",
        "net.ipv4.conf.all.arp_ignore",
        "net.ipv4.conf.all.arp_ignore=one",
        "net.ipv4.conf.all.arp_ignores=1",
        "net.ipv6.conf.all.arp_ignore=1",
        "net.ipv4.conf.all=1",
        "net.ipv4.conf.[!a]ll.arp_ignore=1",
    ] {
        assert_eq!(one(text, "all"), None, "{text}");
    }
}

#[test]
fn a_vlan_interface_can_be_named_with_a_slash() {
    for text in [
        "net.ipv4.conf.eth0/100.arp_ignore=2",
        "net/ipv4/conf/eth0.100/arp_ignore=2",
    ] {
        assert_eq!(one(text, "eth0.100"), Some(2), "{text}");
        assert_eq!(one(text, "eth0"), None, "{text}");
    }
}

#[test]
fn a_line_for_exactly_this_key_wins_over_a_pattern() {
    let text = "net.ipv4.conf.eth0.arp_ignore=1\nnet.ipv4.conf.*.arp_ignore=0";
    assert_eq!(one(text, "eth0"), Some(1));
    assert_eq!(one(text, "eth1"), Some(0));
    let exempt = "net.ipv4.conf.*.arp_ignore=0\n-net.ipv4.conf.eth0.arp_ignore";
    assert_eq!(one(exempt, "eth0"), None);
    assert_eq!(one(exempt, "all"), Some(0));
}

#[test]
fn the_last_name_wins_and_a_directory_of_rank_hides_its_namesakes() {
    let line = |value| format!("net.ipv4.conf.all.arp_ignore={value}");
    let (zero, one, two) = (line(0), line(1), line(2));
    for (files, expected) in [
        (
            vec![
                ("/etc/sysctl.d/10-a.conf", &zero),
                ("/usr/lib/sysctl.d/50-b.conf", &one),
            ],
            ("/usr/lib/sysctl.d/50-b.conf", 1),
        ),
        (
            vec![
                ("/usr/lib/sysctl.d/50-b.conf", &one),
                ("/etc/sysctl.d/50-b.conf", &zero),
            ],
            ("/etc/sysctl.d/50-b.conf", 0),
        ),
        (
            vec![
                ("/run/sysctl.d/50-b.conf", &one),
                ("/usr/lib/sysctl.d/50-b.conf", &zero),
            ],
            ("/run/sysctl.d/50-b.conf", 1),
        ),
        (
            vec![("/etc/sysctl.conf", &two), ("/etc/sysctl.d/zz.conf", &one)],
            ("/etc/sysctl.conf", 2),
        ),
    ] {
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (*path, text.as_str()))
            .collect();
        let expected = Some((expected.0.to_owned(), expected.1));
        assert_eq!(value(&files, "all", Ignore), expected, "{files:?}");
    }
    let masked = [
        ("/etc/sysctl.d/50-b.conf", "# nothing any more\n"),
        ("/usr/lib/sysctl.d/50-b.conf", zero.as_str()),
    ];
    assert_eq!(value(&masked, "all", Ignore), None);
}

#[test]
fn the_line_is_counted_from_1_and_settings_are_told_apart() {
    let file = SysctlFile::parse(
        "/etc/sysctl.d/a.conf",
        "# x\n\nnet.ipv4.ip_forward=1\nnet.ipv4.conf.all.arp_announce=2\n",
    );
    assert_eq!(file.lines.len(), 1);
    let files = [file];
    assert_eq!(set_by(&files, "all", Ignore), None);
    let set = set_by(&files, "all", Announce).expect("a line");
    assert_eq!((set.line.number, set.value), (4, 2));
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".{0,120}") {
        let _ = SysctlFile::parse("/etc/sysctl.d/a.conf", &text);
    }

    #[test]
    fn any_key_is_read_without_panic(key in "[-a-z.*?!/\\[\\]=# ]{0,40}", interface in "[a-z0-9.]{0,8}") {
        let text = format!("{key}\nnet.ipv4.conf.{key}.arp_ignore=1\nnet/ipv4/conf/{key}/arp_ignore=1");
        let _ = one(&text, &interface);
    }

    #[test]
    fn a_pattern_without_wildcards_fits_itself_alone(text in "[a-z.]{0,8}", other in "[a-z.]{0,8}") {
        prop_assert_eq!(matches(&text, &other), text == other);
    }

    #[test]
    fn a_star_stands_for_any_text(before in "[a-z]{0,4}", inside in "[a-z.]{0,6}", after in "[a-z]{0,4}") {
        let (pattern, text) = (format!("{before}*{after}"), format!("{before}{inside}{after}"));
        prop_assert!(matches(&pattern, &text));
    }
}
