//! Packet sockets on a wire of their own: a pair of veth links, one frame at a time. What changes the links, and says what
//! became of them, is iproute2 and procfs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use mooring_kernel::{
    Ears, Host, Inbox, LinuxHost, MacAddress, More, PacketError, PacketSocket, Ready, Received,
    Waker, wait,
};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::Uid;

const BROADCAST: MacAddress = MacAddress([0xff; 6]);
const STRANGER: MacAddress = MacAddress([2, 0, 0, 0, 0, 9]);
const ARP: u16 = 0x0806;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const ROUTER_ADVERTISEMENT: u8 = 134;

/// Long enough for a frame to cross a veth on a busy machine.
const SOON: Duration = Duration::from_secs(5);

/// Two links that are one wire, `near` and `far`, up and without addresses.
struct Wire {
    near: u32,
    far: u32,
    near_mac: MacAddress,
}

/// Tells `story` in a network namespace of its own, which belongs to a thread. Only without root it is not told.
#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn on_a_wire(story: fn(&Wire)) {
    if !Uid::effective().is_root() {
        eprintln!("SKIPPED: a network namespace of its own takes root");
        return;
    }
    let told = thread::spawn(move || story(&Wire::fresh()));
    if let Err(panic) = told.join() {
        std::panic::resume_unwind(panic);
    }
}

// === impl Wire ===

impl Wire {
    fn fresh() -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("unshare");
        ip("link add near type veth peer name far");
        for end in ["near", "far"] {
            // Without an IPv6 address of its own the kernel says nothing.
            ip(&format!("link set {end} addrgenmode none up"));
        }
        let links = LinuxHost::new().links().expect("links");
        let find = |name: &str| {
            let mut links = links.iter();
            let link = links.find(|link| link.name.to_string() == name);
            link.unwrap_or_else(|| panic!("no link {name}"))
        };
        let wire = Self {
            near: find("near").index,
            far: find("far").index,
            near_mac: find("near").mac.expect("a veth has a MAC"),
        };
        let (near, far) = (wire.hear(Ears::Arp), wire.speak());
        insist(&near, &far, &frame(BROADCAST, ARP, 0));
        insist(&far, &near, &frame(BROADCAST, ARP, 0));
        wire
    }

    fn hear(&self, ears: Ears) -> PacketSocket {
        PacketSocket::open(self.near, ears).expect("a socket on near")
    }

    /// A socket sends frames of any kind, whatever it hears.
    fn speak(&self) -> PacketSocket {
        PacketSocket::open(self.far, Ears::Arp).expect("a socket on far")
    }
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.expect("ip(8)");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {complaint}");
}

/// Frames of the shortest length; `note` is what tells one from another.
fn frame(to: MacAddress, ethertype: u16, note: u8) -> Vec<u8> {
    let mut frame = [&to.0[..], &STRANGER.0, &ethertype.to_be_bytes()].concat();
    frame.resize(59, 0);
    frame.push(note);
    frame
}

fn icmpv6(to: MacAddress, kind: u8) -> Vec<u8> {
    let mut frame = frame(to, IPV6, 0);
    frame[14] = 0x60;
    frame[20] = 58;
    frame[54] = kind;
    frame
}

/// With an 802.1Q tag.
fn tagged(frame: &[u8], vlan: u16) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(12);
    [addresses, &[0x81, 0x00], &vlan.to_be_bytes(), rest].concat()
}

/// The next word of the socket's, which has to come soon.
fn next(socket: &PacketSocket) -> Result<Vec<u8>, Received> {
    let mut buffer = [0; 2048];
    let ready = wait(&[socket], None, Some(SOON)).expect("wait");
    assert_eq!(ready.sockets, [0], "nothing came");
    match socket.receive(&mut buffer).expect("receive") {
        Received::Frame(length) => Ok(buffer[..length].to_vec()),
        other => Err(other),
    }
}

/// Sends `frame` until it is heard: a link that came up takes its time to let the first one through.
fn insist(from: &PacketSocket, to: &PacketSocket, frame: &[u8]) {
    let mut buffer = [0; 2048];
    let deadline = Instant::now() + SOON;
    while Instant::now() < deadline {
        // It may be refused as well as lost.
        let _ = from.send(frame);
        wait(&[to], None, Some(Duration::from_millis(50))).expect("wait");
        if to.receive(&mut buffer) == Ok(Received::Frame(frame.len())) {
            assert_eq!(buffer[..frame.len()], *frame);
            return;
        }
    }
    panic!("nothing came");
}

fn receive_nothing(socket: &PacketSocket) {
    let mut buffer = [0; 2048];
    let received = socket.receive(&mut buffer).expect("receive");
    assert_eq!(received, Received::Nothing);
}

/// The groups that the kernel lets through on the link of that name.
fn groups(name: &str) -> BTreeSet<String> {
    let listed = fs::read_to_string("/proc/thread-self/net/dev_mcast").expect("dev_mcast");
    let rows = listed
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[1] == name)
        .map(|row| row[4].to_owned())
        .collect()
}

#[test]
fn an_arp_request_crosses_the_wire_as_it_was_sent() {
    on_a_wire(|wire| {
        let (near, far) = (wire.hear(Ears::Arp), wire.speak());
        receive_nothing(&near);
        let request = frame(BROADCAST, ARP, 1);
        far.send(&request).unwrap();
        assert_eq!(next(&near), Ok(request));
        let to_us = frame(wire.near_mac, ARP, 2);
        far.send(&to_us).unwrap();
        assert_eq!(next(&near), Ok(to_us));
        receive_nothing(&near);
    });
}

#[test]
fn each_socket_hears_its_own_kind_only() {
    on_a_wire(|wire| {
        let (arp, ndp, far) = (wire.hear(Ears::Arp), wire.hear(Ears::Ndp), wire.speak());
        let group = MacAddress([0x33, 0x33, 0xff, 0, 0, 1]);
        let request = frame(BROADCAST, ARP, 3);
        let solicitation = icmpv6(group, SOLICITATION);
        let advertisement = icmpv6(wire.near_mac, ADVERTISEMENT);
        for other in [
            frame(BROADCAST, IPV4, 0),
            frame(BROADCAST, IPV6, 0),
            icmpv6(group, ROUTER_ADVERTISEMENT),
            frame(BROADCAST, 0x88cc, 0),
        ] {
            far.send(&other).unwrap();
        }
        for frame in [&solicitation, &request, &advertisement] {
            far.send(frame).unwrap();
        }
        // A veth keeps the order, so that what was sent before would have come before.
        assert_eq!(next(&arp), Ok(request));
        assert_eq!(next(&ndp), Ok(solicitation));
        assert_eq!(next(&ndp), Ok(advertisement));
        receive_nothing(&arp);
        receive_nothing(&ndp);
    });
}

#[test]
fn frames_for_others_and_other_vlans_are_not_heard() {
    on_a_wire(|wire| {
        let (near, far) = (wire.hear(Ears::Arp), wire.speak());
        let request = frame(BROADCAST, ARP, 4);
        far.send(&frame(STRANGER, ARP, 0)).unwrap();
        far.send(&tagged(&request, 5)).unwrap();
        // VLAN 0 is a priority and no VLAN.
        far.send(&tagged(&request, 0)).unwrap();
        assert_eq!(next(&near), Ok(request));
        receive_nothing(&near);
    });
}

#[test]
fn own_frames_are_not_heard() {
    on_a_wire(|wire| {
        let (near, beside, far) = (wire.hear(Ears::Arp), wire.hear(Ears::Arp), wire.speak());
        let own = frame(BROADCAST, ARP, 5);
        near.send(&own).unwrap();
        assert_eq!(next(&far), Ok(own), "it left");
        receive_nothing(&near);
        receive_nothing(&beside);
    });
}

#[test]
fn groups_are_joined_and_left_as_they_are_wanted() {
    on_a_wire(|wire| {
        let mut near = wire.hear(Ears::Ndp);
        let before = groups("near");
        let of = |last| MacAddress([0x33, 0x33, 0xff, 0, 0, last]);
        let listed = |more: &[&str]| -> BTreeSet<String> {
            let more = more.iter().map(|group| (*group).to_owned());
            before.iter().cloned().chain(more).collect()
        };
        for _ in 0..2 {
            near.set_groups(&[of(1), of(2)].into()).unwrap();
            assert_eq!(groups("near"), listed(&["3333ff000001", "3333ff000002"]));
        }
        near.set_groups(&[of(2), of(3)].into()).unwrap();
        assert_eq!(groups("near"), listed(&["3333ff000002", "3333ff000003"]));

        let refused = near.set_groups(&[of(4), STRANGER].into());
        let not_a_group = PacketError::NotAGroup {
            link: wire.near,
            group: STRANGER,
        };
        assert_eq!(refused, Err(not_a_group));
        assert_eq!(
            groups("near"),
            listed(&["3333ff000002", "3333ff000003"]),
            "nothing changed"
        );

        let mut beside = wire.hear(Ears::Ndp);
        beside.set_groups(&[of(2)].into()).unwrap();
        near.set_groups(&BTreeSet::new()).unwrap();
        assert_eq!(groups("near"), listed(&["3333ff000002"]), "another's stays");
        drop(beside);
        // Programs that other tests start hold it too, from fork to exec.
        let deadline = Instant::now() + SOON;
        while groups("near") != before {
            assert!(Instant::now() < deadline, "it does not end with its socket");
            thread::sleep(Duration::from_millis(5));
        }
    });
}

#[test]
fn a_link_that_filters_groups_lets_through_what_was_joined() {
    on_a_wire(|wire| {
        // A veth passes every group; a macvlan filters by a hash of 256 values, under which some are one.
        ip("link add filtering link near type macvlan mode bridge");
        ip("link set filtering addrgenmode none up");
        let links = LinuxHost::new().links().expect("links");
        let of_macvlan = |kind: &Option<String>| kind.as_deref() == Some("macvlan");
        let link = links.iter().find(|link| of_macvlan(&link.kind));
        let mut socket = PacketSocket::open(link.expect("a macvlan").index, Ears::Ndp).unwrap();
        let far = wire.speak();
        let wanted: BTreeSet<_> = (0..16)
            .map(|last| MacAddress([0x33, 0x33, 0xff, 7, 7, last]))
            .collect();
        let heard = |socket: &PacketSocket| {
            for group in &wanted {
                far.send(&icmpv6(*group, SOLICITATION)).unwrap();
            }
            // The kernel hands groups to a macvlan later, in the order in which they came; everybody's is the last.
            far.send(&icmpv6(BROADCAST, SOLICITATION)).unwrap();
            let mut heard = BTreeSet::new();
            loop {
                let frame = next(socket).expect("a frame");
                if frame[..6] == BROADCAST.0 {
                    return heard;
                }
                heard.insert(MacAddress(frame[..6].try_into().unwrap()));
            }
        };
        assert!(heard(&socket).len() < wanted.len() / 2);
        socket.set_groups(&wanted).unwrap();
        assert_eq!(heard(&socket), wanted);
    });
}

#[test]
fn a_link_that_goes_down_and_up_is_told_and_heard_again() {
    on_a_wire(|wire| {
        let (near, far) = (wire.hear(Ears::Arp), wire.speak());
        ip("link set near down");
        assert_eq!(next(&near), Err(Received::LinkDown));
        receive_nothing(&near);
        let down = Err(PacketError::LinkDown { link: wire.near });
        assert_eq!(near.send(&frame(BROADCAST, ARP, 0)), down);
        assert_eq!(next(&near), Err(Received::LinkDown), "so sending found");
        ip("link set near up");
        insist(&far, &near, &frame(BROADCAST, ARP, 6));
    });
}

#[test]
fn a_link_that_was_down_takes_a_frame_at_once_and_is_told_all_the_same() {
    on_a_wire(|wire| {
        let (near, far) = (wire.hear(Ears::Arp), wire.speak());
        ip("link set near down");
        ip("link set near up");
        let announcement = frame(BROADCAST, ARP, 7);
        near.send(&announcement).unwrap();
        assert_eq!(next(&near), Err(Received::LinkDown));
        receive_nothing(&near);
        insist(&near, &far, &announcement);
    });
}

#[test]
fn a_socket_may_be_opened_before_its_link_is_up() {
    on_a_wire(|wire| {
        let far = wire.speak();
        ip("link set near down");
        let near = wire.hear(Ears::Arp);
        assert_eq!(next(&near), Err(Received::LinkDown));
        ip("link set near up");
        insist(&far, &near, &frame(BROADCAST, ARP, 8));
    });
}

#[test]
fn a_new_name_of_the_link_changes_nothing() {
    on_a_wire(|wire| {
        let (near, far) = (wire.hear(Ears::Arp), wire.speak());
        // Some kernels rename only what is down.
        ip("link set near down");
        ip("link set near name other");
        ip("link set other up");
        assert_eq!(next(&near), Err(Received::LinkDown));
        insist(&far, &near, &frame(BROADCAST, ARP, 9));
        insist(&near, &far, &frame(BROADCAST, ARP, 10));
    });
}

#[test]
fn a_deleted_link_is_told_and_takes_nothing_more() {
    on_a_wire(|wire| {
        let mut near = wire.hear(Ears::Ndp);
        let group = MacAddress([0x33, 0x33, 0xff, 0, 0, 1]);
        near.set_groups(&[group].into()).unwrap();
        ip("link delete near");
        assert_eq!(next(&near), Err(Received::LinkDown));
        receive_nothing(&near);
        let gone = PacketError::NoSuchLink { link: wire.near };
        assert_eq!(near.send(&frame(BROADCAST, ARP, 0)), Err(gone.clone()));
        assert_eq!(
            near.set_groups(&[BROADCAST, group].into()),
            Err(gone.clone())
        );
        assert_eq!(near.set_groups(&BTreeSet::new()), Ok(()));
        let opened = PacketSocket::open(wire.near, Ears::Arp);
        assert_eq!(opened.unwrap_err(), gone);
    });
}

#[test]
fn only_an_ethernet_link_can_be_opened() {
    on_a_wire(|wire| {
        let error = |link| PacketSocket::open(link, Ears::Arp).unwrap_err();
        let (link, hardware) = (1, 772);
        assert_eq!(error(link), PacketError::NotEthernet { link, hardware });
        for link in [0, wire.near.max(wire.far) + 1, u32::MAX] {
            assert_eq!(error(link), PacketError::NoSuchLink { link });
        }
    });
}

#[test]
fn a_frame_of_a_wrong_length_is_refused() {
    on_a_wire(|wire| {
        let far = wire.speak();
        for length in [13, 1600] {
            let sent = far.send(&vec![0; length]);
            let link = wire.far;
            assert_eq!(sent, Err(PacketError::FrameLength { link, length }));
        }
    });
}

#[test]
fn a_long_frame_is_cut_to_the_buffer() {
    on_a_wire(|wire| {
        let (near, far) = (wire.hear(Ears::Arp), wire.speak());
        far.send(&frame(BROADCAST, ARP, 11)).unwrap();
        let mut buffer = [0; 20];
        wait(&[&near], None, Some(SOON)).unwrap();
        assert_eq!(near.receive(&mut buffer), Ok(Received::Frame(20)));
        receive_nothing(&near);
    });
}

#[test]
fn frames_are_counted_and_those_without_room_too() {
    on_a_wire(|wire| {
        let (near, far) = (wire.hear(Ears::Arp), wire.speak());
        let burst = 2_000;
        for _ in 0..burst {
            far.send(&frame(BROADCAST, ARP, 0)).unwrap();
        }
        let count = near.statistics().unwrap();
        assert_eq!(
            (count.passed, count.dropped),
            (burst, 0),
            "a tenth of a second"
        );
        let count = near.statistics().unwrap();
        assert_eq!((count.passed, count.dropped), (0, 0), "counted anew");
        for _ in 0..10 * burst {
            far.send(&frame(BROADCAST, ARP, 0)).unwrap();
        }
        let count = near.statistics().unwrap();
        assert_eq!(count.passed, 10 * burst);
        assert!((1..count.passed).contains(&count.dropped), "{count:?}");
    });
}

#[test]
fn many_frames_are_taken_and_sent_in_one_go_and_in_order() {
    on_a_wire(|wire| {
        let (near, far) = (wire.hear(Ears::Arp), wire.speak());
        let mut inbox = Inbox::new();
        assert_eq!(near.receive_many(&mut inbox), Ok(More::No));
        assert_eq!(inbox.frames().count(), 0);
        let frames: Vec<_> = (0..50).map(|note| frame(BROADCAST, ARP, note)).collect();
        assert_eq!(far.send_many(&frames), frames.len());
        assert_eq!(near.receive_many(&mut inbox), Ok(More::Perhaps));
        let mut heard: Vec<Vec<u8>> = inbox.frames().map(<[u8]>::to_vec).collect();
        assert_eq!(near.receive_many(&mut inbox), Ok(More::No));
        heard.extend(inbox.frames().map(<[u8]>::to_vec));
        assert_eq!(heard, frames);
        assert_eq!(near.receive_many(&mut inbox), Ok(More::No));
        assert_eq!(inbox.frames().count(), 0, "not those from before");
        assert_eq!(far.send_many(&[]), 0);
    });
}

#[test]
fn of_many_frames_those_are_sent_that_can_be() {
    on_a_wire(|wire| {
        let (near, far) = (wire.hear(Ears::Arp), wire.speak());
        let [one, two] = [1, 2].map(|note| frame(BROADCAST, ARP, note));
        let wrong = vec![0; 1600];
        let frames = [
            wrong.clone(),
            one.clone(),
            wrong.clone(),
            two.clone(),
            wrong,
        ];
        assert_eq!(far.send_many(&frames), 2);
        assert_eq!(next(&near), Ok(one.clone()));
        assert_eq!(next(&near), Ok(two.clone()));

        let pair = [one, two];
        ip("link set near down");
        assert_eq!(near.send_many(&pair), 0);
        assert_eq!(next(&near), Err(Received::LinkDown));
        ip("link set near up");
        insist(&near, &far, &frame(BROADCAST, ARP, 3));
        ip("link set near down");
        ip("link set near up");
        assert_eq!(near.send_many(&pair), 2, "at once");
        assert_eq!(next(&near), Err(Received::LinkDown), "and it is told");
        let mut inbox = Inbox::new();
        ip("link set near down");
        assert_eq!(near.receive_many(&mut inbox), Ok(More::No));
        ip("link delete near");
        assert_eq!(near.receive_many(&mut inbox), Ok(More::No));
        assert_eq!(near.send_many(&pair), 0);
    });
}

#[test]
fn waiting_ends_with_a_frame_a_call_or_the_time() {
    on_a_wire(|wire| {
        let (arp, ndp, far) = (wire.hear(Ears::Arp), wire.hear(Ears::Ndp), wire.speak());
        let waker = Waker::new().unwrap();
        let sockets = [&arp, &ndp];
        let ready = |patience| wait(&sockets, Some(&waker), patience).unwrap();

        let started = Instant::now();
        let patience = Duration::from_millis(30);
        assert!(ready(Some(patience)).is_empty());
        assert!(started.elapsed() >= patience);
        assert_eq!(ready(Some(Duration::ZERO)), Ready::default());

        far.send(&icmpv6(wire.near_mac, SOLICITATION)).unwrap();
        let second = Ready {
            sockets: vec![1],
            woken: false,
        };
        assert_eq!(ready(None), second);
        assert_eq!(ready(Some(Duration::MAX)), second, "as long as it is there");
        assert!(next(&ndp).is_ok());

        let other = waker.clone();
        let waking = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            other.wake();
            other.wake();
        });
        let woken = Ready {
            sockets: Vec::new(),
            woken: true,
        };
        assert_eq!(ready(None), woken);
        waking.join().unwrap();
        assert_eq!(ready(None), woken, "until it is taken back");
        waker.clear();
        waker.clear();
        assert!(ready(Some(Duration::ZERO)).is_empty());
    });
}

/// Every file of Rust in the crate.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Lines without their comments in which `word` stands alone, by number from 1.
fn lines_with(text: &str, word: &str) -> Vec<usize> {
    let in_word = |character: char| character.is_alphanumeric() || character == '_';
    let code = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    code.enumerate()
        .filter(|(_, line)| line.split(|c| !in_word(c)).any(|found| found == word))
        .map(|(at, _)| at + 1)
        .collect()
}

#[test]
fn one_module_has_unsafe_code_and_says_why_it_is_safe() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let system = root.join("src/system.rs");
    let mut excepted = Vec::new();
    for file in sources(&root.join("src")) {
        let text = fs::read_to_string(&file).expect("a source");
        let unsafe_lines = lines_with(&text, "unsafe");
        if file != system {
            assert!(unsafe_lines.is_empty(), "{file:?}: {unsafe_lines:?}");
        }
        excepted.extend(
            lines_with(&text, "unsafe_code")
                .iter()
                .map(|_| file.clone()),
        );
    }
    assert_eq!(excepted, [root.join("src/lib.rs")], "one exception");

    let text = fs::read_to_string(&system).expect("system.rs");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let unsafe_lines = lines_with(&text, "unsafe");
    assert!(!unsafe_lines.is_empty(), "this test looks at nothing");
    for number in unsafe_lines {
        let above = lines[..number - 1].iter().rev();
        let comment: Vec<&&str> = above.take_while(|line| line.starts_with("//")).collect();
        let says = |line: &&&str| line.contains("SAFETY:") || line.contains("# Safety");
        assert!(comment.iter().any(says), "system.rs:{number} has no SAFETY");
    }
}

/// The sections of a manifest under `prefix`, without the prefix.
fn lints(manifest: &str, prefix: &str) -> String {
    let mut inside = false;
    let mut found = Vec::new();
    for line in manifest.lines().filter(|line| !line.trim().is_empty()) {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.starts_with(prefix);
        }
        if inside && !line.starts_with('#') {
            found.push(line.replace(prefix, ""));
        }
    }
    found.join("\n")
}

#[test]
fn the_lints_are_those_of_the_workspace_but_for_unsafe_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("a manifest");
    let workspace = lints(&read("../../Cargo.toml"), "workspace.lints.");
    let own = lints(&read("Cargo.toml"), "lints.");
    let forbidden = "unsafe_code = \"forbid\"";
    assert!(workspace.contains(forbidden), "{workspace}");
    let expected = workspace.replace(forbidden, "unsafe_code = \"deny\"");
    assert_eq!(own, expected);
}
