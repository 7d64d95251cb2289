//! The tar of an OCI image layout: one layer, its configuration, the manifest and the index.
//!
//! Docker before version 25 and `crane push` know no layouts in a tar: `manifest.json`, which those who do pass over,
//! makes the same tar a docker-archive.
//!
//! The layer is streamed into its place in the tar while it is hashed; its tar header, which
//! needs the digest and the length, is filled in afterwards. So a layer is read once, written
//! once and never in memory.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use super::tree::{Node, Tree};
use super::{Config, ImageError, Written};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// `PATH` of a container whose image does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A tar consists of blocks of this many bytes.
const BLOCK: u64 = 512;

/// A piece of content, as the manifest and the index refer to it.
struct Blob {
    digest: String,
    size: u64,
}

impl Blob {
    fn of(bytes: &[u8]) -> Self {
        Self {
            digest: digest(Sha256::new_with_prefix(bytes)),
            size: bytes.len() as u64,
        }
    }

    fn path(&self) -> String {
        format!("blobs/{}", self.digest.replacen(':', "/", 1))
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": self.digest, "size": self.size })
    }
}

/// Writes the image beside `out` and renames it when it is complete.
pub(super) fn write(
    reference: &str,
    config: &Config,
    tree: &Tree,
    out: &Path,
) -> Result<Written, ImageError> {
    let part = part_of(out);
    let written = write_part(reference, config, tree, &part).and_then(|written| {
        fs::rename(&part, out).map_err(|source| failed(out, source))?;
        Ok(written)
    });
    if written.is_err() {
        // What went wrong before is what the caller has to know.
        let _ = fs::remove_file(&part);
    }
    written
}

/// A name beside `out` that no other writer uses.
fn part_of(out: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}-{count}.part", std::process::id()));
    out.with_file_name(name)
}

fn failed(path: &Path, source: io::Error) -> ImageError {
    ImageError::Write {
        path: path.to_owned(),
        source,
    }
}

fn write_part(
    reference: &str,
    config: &Config,
    tree: &Tree,
    part: &Path,
) -> Result<Written, ImageError> {
    let mut file = BufWriter::new(File::create(part).map_err(|source| failed(part, source))?);
    let layer = write_layer(&mut file, tree, part)?;
    let (manifest, size) =
        write_rest(file, reference, config, &layer).map_err(|source| failed(part, source))?;
    Ok(Written {
        digest: manifest.digest,
        size,
    })
}

fn write_layer(file: &mut BufWriter<File>, tree: &Tree, part: &Path) -> Result<Blob, ImageError> {
    let broken = |source| failed(part, source);
    file.write_all(Header::new_gnu().as_bytes())
        .map_err(broken)?;
    let mut builder = tar::Builder::new(Hashing::new(&mut *file));
    for (path, node) in tree.iter() {
        append(&mut builder, path, node, part)?;
    }
    let layer = builder.into_inner().map_err(broken)?.finish();
    fill_header(file, &layer).map_err(broken)?;
    Ok(layer)
}

/// Goes back to the header that `write_layer` left empty.
fn fill_header(file: &mut BufWriter<File>, layer: &Blob) -> io::Result<()> {
    let padding = layer.size.next_multiple_of(BLOCK) - layer.size;
    io::copy(&mut io::repeat(0).take(padding), file)?;
    let mut header = header(EntryType::Regular, 0o644, layer.size);
    header.set_path(layer.path())?;
    header.set_cksum();
    file.seek(SeekFrom::Start(0))?;
    file.write_all(header.as_bytes())?;
    file.seek(SeekFrom::End(0))?;
    Ok(())
}

/// Everything behind the layer. Returns the manifest and the size of the whole file.
fn write_rest(
    file: BufWriter<File>,
    reference: &str,
    config: &Config,
    layer: &Blob,
) -> io::Result<(Blob, u64)> {
    let config_bytes = config_json(config, layer).to_string();
    let config = Blob::of(config_bytes.as_bytes());
    let manifest_bytes = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(CONFIG),
        "layers": [layer.descriptor(LAYER)],
    })
    .to_string();
    let manifest = Blob::of(manifest_bytes.as_bytes());
    let index_bytes = index_json(reference, &manifest).to_string();
    let docker_bytes = json!([{
        "Config": config.path(),
        "RepoTags": [reference],
        "Layers": [layer.path()],
    }])
    .to_string();

    let mut tar = tar::Builder::new(file);
    for (path, bytes) in [
        (config.path(), config_bytes.as_str()),
        (manifest.path(), &manifest_bytes),
        ("index.json".to_owned(), &index_bytes),
        ("manifest.json".to_owned(), &docker_bytes),
        ("oci-layout".to_owned(), r#"{"imageLayoutVersion":"1.0.0"}"#),
    ] {
        let mut header = header(EntryType::Regular, 0o644, bytes.len() as u64);
        tar.append_data(&mut header, path, bytes.as_bytes())?;
    }
    let mut file = tar.into_inner()?;
    file.flush()?;
    let size = file.get_ref().metadata()?.len();
    Ok((manifest, size))
}

fn config_json(config: &Config, layer: &Blob) -> Value {
    let mut env: Vec<String> = config
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !config.env.iter().any(|(name, _)| name == "PATH") {
        env.insert(0, format!("PATH={DEFAULT_PATH}"));
    }
    json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {
            "User": config.user,
            "Entrypoint": config.entrypoint,
            "Cmd": config.cmd,
            "Env": env,
            "Labels": config.labels,
        },
        // Digests of uncompressed layers: the same as in the manifest.
        "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
    })
}

fn index_json(reference: &str, manifest: &Blob) -> Value {
    let mut descriptor = manifest.descriptor(MANIFEST);
    descriptor["platform"] = json!({ "architecture": architecture(), "os": "linux" });
    // The first is what `ctr images import` names the image by, the second is everybody else's.
    descriptor["annotations"] = json!({
        "io.containerd.image.name": reference,
        "org.opencontainers.image.ref.name": reference,
    });
    json!({ "schemaVersion": 2, "manifests": [descriptor] })
}

/// This machine's architecture by its name in Go, as OCI has it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

fn append<W: Write>(
    tar: &mut tar::Builder<W>,
    path: &str,
    node: &Node,
    part: &Path,
) -> Result<(), ImageError> {
    let broken = |source| failed(part, source);
    match node {
        Node::Dir { mode } => {
            let mut header = header(EntryType::Directory, *mode, 0);
            tar.append_data(&mut header, format!("{path}/"), io::empty())
                .map_err(broken)
        }
        Node::Link { target } => {
            let mut header = header(EntryType::Symlink, 0o777, 0);
            tar.append_link(&mut header, path, target).map_err(broken)
        }
        Node::Text { contents, mode } => {
            let mut header = header(EntryType::Regular, *mode, contents.len() as u64);
            tar.append_data(&mut header, path, contents.as_bytes())
                .map_err(broken)
        }
        Node::Copy { source, mode } => append_copy(tar, path, source, *mode, part),
    }
}

fn append_copy<W: Write>(
    tar: &mut tar::Builder<W>,
    path: &str,
    source: &Path,
    mode: u32,
    part: &Path,
) -> Result<(), ImageError> {
    let unreadable = |error| ImageError::Read {
        path: source.to_owned(),
        source: error,
    };
    let mut file = File::open(source).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(ImageError::NotAFile {
            path: source.to_owned(),
        });
    }
    let size = metadata.len();
    let mut header = header(EntryType::Regular, mode, size);
    let mut bytes = (&mut file).take(size);
    tar.append_data(&mut header, path, &mut bytes)
        .map_err(|error| failed(part, error))?;
    let missing = bytes.limit();
    let more = file.read(&mut [0]).map_err(unreadable)?;
    // The length stands in the entry's header already, so nothing can be mended here.
    if missing != 0 || more != 0 {
        return Err(ImageError::Changed {
            path: source.to_owned(),
        });
    }
    Ok(())
}

/// The fields that are the same for every entry, so that the same input gives the same bytes.
fn header(entry_type: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(entry_type);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}

fn digest(hash: Sha256) -> String {
    hash.finalize()
        .iter()
        .fold("sha256:".to_owned(), |text, byte| {
            format!("{text}{byte:02x}")
        })
}

/// Hashes and counts what passes.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Hashing<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            size: 0,
        }
    }

    fn finish(self) -> Blob {
        Blob {
            digest: digest(self.hash),
            size: self.size,
        }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
