//! Images as a container runtime will read them: written to disk and taken apart again.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use sha2::{Digest, Sha256};
use testbed::image::{Image, ImageError, catalog};

/// A directory of one test, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("testbed-image-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn files(&self) -> Vec<String> {
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut files: Vec<String> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| name(entry.unwrap()))
            .collect();
        files.sort_unstable();
        files
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug, PartialEq)]
struct Entry {
    kind: tar::EntryType,
    mode: u32,
    link: Option<String>,
    contents: Vec<u8>,
}

/// Every entry by its name, having checked what must hold for all of them.
fn untar(bytes: &[u8]) -> BTreeMap<String, Entry> {
    let mut archive = tar::Archive::new(bytes);
    let mut entries = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry
            .path()
            .unwrap()
            .to_str()
            .unwrap()
            .trim_end_matches('/')
            .to_owned();
        let header = entry.header().clone();
        assert_eq!(
            (
                header.mtime().unwrap(),
                header.uid().unwrap(),
                header.gid().unwrap()
            ),
            (0, 0, 0),
            "{name}"
        );
        let link = entry
            .link_name()
            .unwrap()
            .map(|link| link.to_str().unwrap().to_owned());
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).unwrap();
        let (kind, mode) = (header.entry_type(), header.mode().unwrap());
        let before = entries.insert(
            name.clone(),
            Entry {
                kind,
                mode,
                link,
                contents,
            },
        );
        assert_eq!(before, None, "{name} is there twice");
    }
    entries
}

fn sha256(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

/// An image as a runtime sees it.
struct Parsed {
    index: Value,
    manifest: Value,
    config: Value,
    layer: BTreeMap<String, Entry>,
    manifest_digest: String,
}

/// Follows the digests from the index to the layer and checks each digest and size.
fn read(path: &Path) -> Parsed {
    let outer = untar(&fs::read(path).unwrap());
    assert_eq!(outer.len(), 6, "{:?}", outer.keys());
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    assert_eq!(
        json(&outer["oci-layout"].contents)["imageLayoutVersion"],
        "1.0.0"
    );
    let blob = |descriptor: &Value| -> &[u8] {
        let digest = descriptor["digest"].as_str().unwrap();
        let contents = &outer[&format!("blobs/{}", digest.replace(':', "/"))].contents;
        assert_eq!(sha256(contents), digest);
        assert_eq!(descriptor["size"], contents.len());
        contents
    };
    let index = json(&outer["index.json"].contents);
    let manifest = json(blob(&index["manifests"][0]));
    let config = json(blob(&manifest["config"]));
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    let layer = blob(&manifest["layers"][0]);
    assert_eq!(config["rootfs"]["diff_ids"][0], sha256(layer));
    let manifest_digest = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    // As a docker-archive it says the same.
    let path = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap();
        format!("blobs/{}", digest.replace(':', "/"))
    };
    assert_eq!(
        json(&outer["manifest.json"].contents),
        serde_json::json!([{
            "Config": path(&manifest["config"]),
            "RepoTags": [index["manifests"][0]["annotations"]["io.containerd.image.name"]],
            "Layers": [path(&manifest["layers"][0])],
        }])
    );
    Parsed {
        layer: untar(layer),
        index,
        manifest,
        config,
        manifest_digest,
    }
}

fn sample() -> Image {
    Image::builder("localhost/sample:1")
        .program("/bin/ls", "/usr/bin/ls")
        .file("/etc/passwd", "/etc/passwd")
        .text("/etc/motd", "hello\n", 0o600)
        .symlink("ls", "/usr/bin/dir")
        .dir("/tmp")
        .entrypoint(["/usr/bin/ls"])
        .user("65532:65532")
        .cmd(["-l", "/"])
        .env("COLOUR", "none")
        .label("purpose", "test")
}

#[test]
fn what_goes_in_comes_out() {
    let scratch = Scratch::new();
    let out = scratch.path("sample.tar");
    let written = sample().write(&out).unwrap();
    assert_eq!(written.size, fs::metadata(&out).unwrap().len());
    let image = read(&out);
    assert_eq!(image.manifest_digest, written.digest);

    let file = |path: &str| &image.layer[path];
    assert_eq!(file("usr/bin/ls").contents, fs::read("/bin/ls").unwrap());
    assert_eq!(file("usr/bin/ls").mode, 0o755);
    assert_eq!(
        file("etc/passwd").contents,
        fs::read("/etc/passwd").unwrap()
    );
    assert_eq!(file("etc/passwd").mode, 0o644);
    assert_eq!(
        (file("etc/motd").contents.as_slice(), file("etc/motd").mode),
        (&b"hello\n"[..], 0o600)
    );
    assert_eq!(file("usr/bin/dir").link.as_deref(), Some("ls"));
    assert_eq!(file("usr/bin/dir").kind, tar::EntryType::Symlink);
    for (dir, mode) in [
        ("tmp", 0o1777),
        ("etc", 0o755),
        ("usr", 0o755),
        ("usr/bin", 0o755),
    ] {
        assert_eq!(
            (file(dir).kind, file(dir).mode),
            (tar::EntryType::Directory, mode),
            "{dir}"
        );
    }
}

#[test]
fn a_dynamic_program_brings_its_libraries_and_a_static_one_none() {
    let scratch = Scratch::new();
    let out = scratch.path("dynamic.tar");
    sample().write(&out).unwrap();
    let image = read(&out);
    let with_end = |end: &str| {
        image
            .layer
            .keys()
            .filter(|path| path.ends_with(end))
            .count()
    };
    assert_eq!(with_end("/libc.so.6"), 1, "{:?}", image.layer.keys());
    assert_eq!(
        with_end("/libselinux.so.1"),
        1,
        "a library of ls that is not the C library"
    );
    let loader = image
        .layer
        .keys()
        .find(|path| path.contains("/ld-linux"))
        .unwrap();
    assert_eq!(
        image.layer[loader].contents,
        fs::read(format!("/{loader}")).unwrap()
    );

    let out = scratch.path("static.tar");
    catalog::pause(Path::new("/bin/busybox"))
        .write(&out)
        .unwrap();
    assert_eq!(
        read(&out).layer.keys().collect::<Vec<_>>(),
        ["bin", "bin/busybox"]
    );
}

#[test]
fn the_runtime_learns_name_and_start_command() {
    let scratch = Scratch::new();
    let out = scratch.path("sample.tar");
    sample().write(&out).unwrap();
    let image = read(&out);
    let annotations = &image.index["manifests"][0]["annotations"];
    assert_eq!(
        annotations["io.containerd.image.name"],
        "localhost/sample:1"
    );
    assert_eq!(
        annotations["org.opencontainers.image.ref.name"],
        "localhost/sample:1"
    );
    assert_eq!(
        image.manifest["layers"][0]["mediaType"],
        "application/vnd.oci.image.layer.v1.tar"
    );
    let config = &image.config["config"];
    assert_eq!(config["Entrypoint"], serde_json::json!(["/usr/bin/ls"]));
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Cmd"], serde_json::json!(["-l", "/"]));
    assert_eq!(config["Labels"], serde_json::json!({"purpose": "test"}));
    let env = config["Env"].as_array().unwrap();
    assert!(
        env[0]
            .as_str()
            .unwrap()
            .starts_with("PATH=/usr/local/sbin:"),
        "{env:?}"
    );
    assert_eq!(env[1], "COLOUR=none");
    let platform = &image.index["manifests"][0]["platform"];
    assert_eq!(image.config["architecture"], platform["architecture"]);
    assert_eq!(image.config["os"], "linux");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let scratch = Scratch::new();
    let (first, second) = (scratch.path("1.tar"), scratch.path("2.tar"));
    let digest = sample().write(&first).unwrap().digest;
    assert_eq!(sample().write(&second).unwrap().digest, digest);
    assert!(
        fs::read(&first).unwrap() == fs::read(&second).unwrap(),
        "the bytes differ"
    );

    let other = scratch.path("3.tar");
    assert_ne!(
        sample()
            .text("/more", "", 0o644)
            .write(&other)
            .unwrap()
            .digest,
        digest
    );
}

#[test]
fn a_long_path_survives() {
    let scratch = Scratch::new();
    let out = scratch.path("long.tar");
    let path = format!("{}/file", ["a-rather-long-name"; 12].join("/"));
    Image::builder("localhost/long:1")
        .text(path.as_str(), "x", 0o644)
        .write(&out)
        .unwrap();
    assert_eq!(read(&out).layer[&path].contents, b"x");
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let out = scratch.path("sample.tar");
    fs::write(&out, "the image of before").unwrap();
    // A directory passes every check until it is copied.
    let error = sample().file("/etc", "/zzz").write(&out).unwrap_err();
    assert!(matches!(error, ImageError::NotAFile { .. }), "{error}");
    assert_eq!(scratch.files(), ["sample.tar"]);
    assert_eq!(fs::read_to_string(&out).unwrap(), "the image of before");

    let nowhere = scratch.path("no/such/dir.tar");
    let error = sample().write(&nowhere).unwrap_err();
    assert!(error.to_string().contains("no/such/dir.tar"), "{error}");
}

#[test]
fn kube_proxy_finds_every_program_that_it_calls() {
    let scratch = Scratch::new();
    // Any program can stand in: what is checked is what lies around it.
    let controlplane = Path::new("/bin/ls");
    let programs = catalog::HostPrograms::debian();
    for (iptables, multi) in [
        (catalog::Iptables::Nft, "xtables-nft-multi"),
        (catalog::Iptables::Legacy, "xtables-legacy-multi"),
    ] {
        let out = scratch.path("kube-proxy.tar");
        catalog::kube_proxy(controlplane, &programs, iptables)
            .write(&out)
            .unwrap();
        let image = read(&out);
        for name in [
            "kube-proxy",
            "xtables-nft-multi",
            "xtables-legacy-multi",
            "ipset",
            "nft",
        ] {
            let dir = if name == "kube-proxy" {
                "usr/local/bin"
            } else {
                "usr/sbin"
            };
            assert_eq!(image.layer[&format!("{dir}/{name}")].mode, 0o755, "{name}");
        }
        for family in ["iptables", "ip6tables"] {
            for verb in ["", "-save", "-restore"] {
                let link = &image.layer[&format!("usr/sbin/{family}{verb}")].link;
                assert_eq!(link.as_deref(), Some(multi), "{family}{verb}");
            }
        }
        let conntrack_match = format!(
            "{}/libxt_conntrack.so",
            programs
                .xtables_modules
                .to_str()
                .unwrap()
                .trim_start_matches('/')
        );
        assert!(
            image.layer.contains_key(&conntrack_match),
            "{conntrack_match}"
        );
        let protocols = &image.layer["etc/protocols"].contents;
        assert!(String::from_utf8_lossy(protocols).contains("tcp\t6"));
    }
}

#[test]
fn a_file_that_grows_is_not_copied_half() {
    let scratch = Scratch::new();
    // /proc files say that they are empty and are not: the same as growing between two looks.
    assert_eq!(
        File::open("/proc/self/status")
            .unwrap()
            .metadata()
            .unwrap()
            .len(),
        0
    );
    let error = Image::builder("localhost/grow:1")
        .file("/proc/self/status", "/status")
        .write(&scratch.path("grow.tar"))
        .unwrap_err();
    assert!(matches!(error, ImageError::Changed { .. }), "{error}");
}

/// An image's entrypoint as process 1 of namespaces of its own, as a runtime starts it.
struct Container {
    unshare: Killed,
    process_1: Pid,
}

impl Container {
    /// `None`, with the reason printed, when this process may not make namespaces.
    fn start(image: &Image, scratch: &Scratch) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            skip("starting a container needs root");
            return None;
        }
        let (out, root) = (scratch.path("image.tar"), scratch.path("root"));
        image.write(&out).unwrap();
        let parsed = read(&out);
        unpack(&parsed.layer, &root);
        fs::create_dir_all(root.join("dev")).unwrap();
        let list = |key: &str| -> Vec<String> {
            serde_json::from_value(parsed.config["config"][key].clone()).unwrap()
        };
        let start = r#"mount --rbind /dev "$0/dev" && cd / && exec chroot "$0" "$@""#;
        let env = list("Env").into_iter().map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        });
        let unshare = Command::new("unshare")
            .args([
                "--mount",
                "--pid",
                "--net",
                "--uts",
                "--fork",
                "--kill-child",
            ])
            .args(["sh", "-c", start])
            .arg(&root)
            .args(list("Entrypoint"))
            .env_clear()
            .envs(env)
            .spawn()
            .unwrap();
        let unshare = Killed(unshare);
        let process_1 = wait_for("the entrypoint", || process_1_of(unshare.0.id()));
        Some(Self { unshare, process_1 })
    }

    /// Asks it to stop, and says how that went and how long it took.
    fn stop(mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        kill(self.process_1, Signal::SIGTERM).unwrap();
        let status = wait_for("the end of the container", || {
            self.unshare.0.try_wait().unwrap()
        });
        (status, start.elapsed())
    }
}

/// Ends with everything in its namespaces when dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The child of `unshare` as soon as it is the entrypoint and has a child of its own, or a socket that listens: the first
/// thing that an entrypoint does is to set its traps.
fn process_1_of(unshare: u32) -> Option<Pid> {
    let children = |pid: &str| fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok();
    let child = children(&unshare.to_string())?;
    let pid = child.split_whitespace().next()?;
    let command = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    let started = match command.trim() {
        "busybox" => !children(pid)?.is_empty(),
        "web" => fs::read_to_string(format!("/proc/{pid}/net/tcp6"))
            .is_ok_and(|sockets| sockets.contains(" 0A ")),
        _ => false,
    };
    started.then(|| Pid::from_raw(pid.parse().unwrap()))
}

fn unpack(layer: &BTreeMap<String, Entry>, root: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir(root).unwrap();
    for (path, entry) in layer {
        let path = root.join(path);
        match (&entry.kind, &entry.link) {
            (tar::EntryType::Directory, _) => fs::create_dir(&path).unwrap(),
            (_, Some(target)) => std::os::unix::fs::symlink(target, &path).unwrap(),
            _ => {
                fs::write(&path, &entry.contents).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(entry.mode)).unwrap();
            }
        }
    }
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match look() {
            Some(found) => return found,
            None => assert!(Instant::now() < deadline, "{what} did not come in 10 s"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}

#[test]
fn as_process_1_pause_and_web_stop_when_asked() {
    let busybox = Path::new("/bin/busybox");
    let server = testbed::setup::web_server().unwrap();
    for image in [catalog::pause(busybox), catalog::web(&server, busybox)] {
        let scratch = Scratch::new();
        let Some(container) = Container::start(&image, &scratch) else {
            return;
        };
        let (status, time) = container.stop();
        assert_eq!(status.code(), Some(0), "{}", image.reference());
        assert!(
            time < Duration::from_secs(2),
            "{} took {time:?}",
            image.reference()
        );
    }
}

#[test]
fn web_tells_its_host_name() {
    let scratch = Scratch::new();
    let server = testbed::setup::web_server().unwrap();
    let image = catalog::web(&server, Path::new("/bin/busybox"));
    let Some(container) = Container::start(&image, &scratch) else {
        return;
    };
    let pid = container.process_1.to_string();
    // In the container's network and host name, with a program that is not the server's own.
    let inside = |arguments: &[&str]| {
        let enter = ["-t", &pid, "--net", "--uts"];
        let output = Command::new("nsenter")
            .args(enter)
            .args(arguments)
            .output()
            .unwrap();
        output
            .status
            .success()
            .then(|| String::from_utf8(output.stdout).unwrap())
    };
    inside(&["ip", "link", "set", "lo", "up"]).unwrap();
    let host_name = inside(&["hostname"]).unwrap();
    for address in ["127.0.0.1", "[::1]"] {
        let url = format!("http://{address}:{}/", catalog::WEB_PORT);
        let page = wait_for("the page", || {
            inside(&["busybox", "wget", "-q", "-O", "-", &url])
        });
        assert_eq!(page, host_name, "{url}");
    }
}
