use std::os::unix::fs::symlink;

use mooring_core::node::ArpSetting;
use mooring_core::node::sysctl_files::set_by;

use super::*;

/// A root directory of a node; it is removed when dropped.
struct Root(PathBuf);

impl Root {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("mooring-agent-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        for directory in ["etc/sysctl.d", "usr/lib/sysctl.d", "run/sysctl.d"] {
            fs::create_dir_all(path.join(directory)).unwrap();
        }
        Self(path)
    }

    fn file(&self, path: &str, text: &str) {
        fs::write(self.0.join(path), text).unwrap();
    }

    fn set_by(&self, interface: &str) -> Option<(String, usize, i32)> {
        let files = read(&self.0);
        let found = set_by(&files, interface, ArpSetting::Ignore)?;
        Some((found.path.to_owned(), found.line.number, found.value))
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const ZERO: &str = "net.ipv4.conf.all.arp_ignore = 0\n";
const ONE: &str = "# by hand\nnet.ipv4.conf.all.arp_ignore = 1\n";

#[test]
fn files_are_named_as_on_the_node() {
    let root = Root::new("named");
    root.file("etc/sysctl.d/50-cni.conf", ZERO);
    root.file("etc/sysctl.d/99-notes.txt", ONE);
    let expected = ("/etc/sysctl.d/50-cni.conf".to_owned(), 1, 0);
    assert_eq!(root.set_by("all"), Some(expected));
    assert_eq!(root.set_by("eth0"), None);
}

#[test]
fn sysctl_conf_comes_last_also_when_a_link_leads_to_it() {
    let root = Root::new("last");
    root.file("etc/sysctl.d/99-zz.conf", ZERO);
    root.file("etc/sysctl.conf", ONE);
    symlink("../sysctl.conf", root.0.join("etc/sysctl.d/99-sysctl.conf")).unwrap();
    let expected = ("/etc/sysctl.conf".to_owned(), 2, 1);
    assert_eq!(root.set_by("all"), Some(expected));
}

#[test]
fn a_link_to_null_masks_the_file_of_its_name() {
    let root = Root::new("masked");
    root.file("usr/lib/sysctl.d/50-cni.conf", ZERO);
    assert!(root.set_by("all").is_some());
    symlink("/dev/null", root.0.join("etc/sysctl.d/50-cni.conf")).unwrap();
    assert_eq!(root.set_by("all"), None);
}

#[test]
fn links_stay_inside_the_root() {
    let root = Root::new("inside");
    let outside = std::env::temp_dir().join(format!("mooring-outside-{}.conf", std::process::id()));
    fs::write(&outside, ZERO).unwrap();
    let climbing = Path::new("../../../../../../../..").join(outside.strip_prefix("/").unwrap());
    symlink(&outside, root.0.join("etc/sysctl.d/1.conf")).unwrap();
    symlink(climbing, root.0.join("etc/sysctl.d/2.conf")).unwrap();
    symlink("3.conf", root.0.join("etc/sysctl.d/3.conf")).unwrap();
    assert_eq!(root.set_by("all"), None);
    symlink("/usr/lib/sysctl.d/own", root.0.join("etc/sysctl.d/4.conf")).unwrap();
    root.file("usr/lib/sysctl.d/own", ONE);
    let expected = ("/etc/sysctl.d/4.conf".to_owned(), 2, 1);
    assert_eq!(root.set_by("all"), Some(expected));
    fs::remove_file(outside).unwrap();
}

#[test]
fn a_directory_that_is_a_link_is_read_once_under_each_name_and_a_missing_root_is_empty() {
    let root = Root::new("merged");
    root.file("usr/lib/sysctl.d/10.conf", ZERO);
    symlink("usr/lib", root.0.join("lib")).unwrap();
    let expected = ("/usr/lib/sysctl.d/10.conf".to_owned(), 1, 0);
    assert_eq!(root.set_by("all"), Some(expected));
    let nowhere = read(Path::new("/nowhere/at/all"));
    assert!(nowhere.iter().all(|file| file.lines.is_empty()));
}
