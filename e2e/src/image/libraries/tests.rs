use std::io::Cursor;

use super::*;

fn set(paths: &[&str]) -> BTreeSet<PathBuf> {
    paths.iter().map(PathBuf::from).collect()
}

#[test]
fn reads_ldd_for_one_program() {
    let output = "\tlinux-vdso.so.1 (0x00007f823c02b000)\n\
                  \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f823bd1c000)\n\
                  \t/lib64/ld-linux-x86-64.so.2 (0x00007f823c02d000)\n";
    assert_eq!(
        read_ldd(output, &[Path::new("/usr/sbin/nft")]).unwrap(),
        set(&[
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib64/ld-linux-x86-64.so.2"
        ])
    );
}

#[test]
fn reads_ldd_for_several_programs() {
    let output = "/a:\n\tlibc.so.6 => /lib/libc.so.6 (0x01)\n\
                  /b:\n\tstatically linked\n\
                  /c:\n\tlibm.so.6 => /lib/libm.so.6 (0x01)\n\tlibc.so.6 => /lib/libc.so.6 (0x02)\n";
    let programs = ["/a", "/b", "/c"].map(Path::new);
    assert_eq!(
        read_ldd(output, &programs).unwrap(),
        set(&["/lib/libc.so.6", "/lib/libm.so.6"])
    );
}

#[test]
fn a_library_that_is_not_installed_is_named_with_its_program() {
    let output = "/a:\n\tlibc.so.6 => /lib/libc.so.6 (0x01)\n/b:\n\tlibx.so.1 => not found\n";
    let error = read_ldd(output, &["/a", "/b"].map(Path::new)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/b needs libx.so.1, which is not installed on this machine"
    );
}

#[test]
fn a_program_that_ldd_says_nothing_about_is_foreign() {
    // ldd writes "not a dynamic executable" to its standard error.
    let output = "/a:\n/b:\n\tlibc.so.6 => /lib/libc.so.6 (0x01)\n";
    let error = read_ldd(output, &["/a", "/b"].map(Path::new)).unwrap_err();
    assert!(matches!(error, ImageError::Foreign { path } if path == Path::new("/a")));
}

/// An ELF file whose program headers have these types.
fn elf(kinds: &[u32]) -> Vec<u8> {
    let mut file = vec![0; 64];
    file[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
    file[32] = 64;
    file[54] = 56;
    file[56] = u8::try_from(kinds.len()).unwrap();
    for kind in kinds {
        file.extend(kind.to_le_bytes());
        file.extend([0; 52]);
    }
    file
}

#[test]
fn tells_dynamic_from_static_programs() {
    let ask = |bytes: Vec<u8>| has_dynamic_section(&mut Cursor::new(bytes));
    assert_eq!(ask(elf(&[1, 1, 4])).unwrap(), Some(false));
    assert_eq!(ask(elf(&[6, 3, 1, 2])).unwrap(), Some(true));
    assert_eq!(ask(vec![b'#'; 100]).unwrap(), None);
    assert_eq!(
        ask(b"#!/bin/sh".to_vec()).unwrap_err().kind(),
        io::ErrorKind::UnexpectedEof
    );
}

#[test]
fn this_program_needs_the_c_library() {
    let me = std::env::current_exe().unwrap();
    let libraries = needed_by(&[me]).unwrap();
    assert!(
        libraries.iter().any(|path| path.ends_with("libc.so.6")),
        "{libraries:?}"
    );
    assert!(libraries.iter().all(|path| path.is_file()), "{libraries:?}");
}

#[test]
fn a_script_is_no_program() {
    let error = needed_by(&[PathBuf::from("/etc/passwd")]).unwrap_err();
    assert!(matches!(error, ImageError::NotAProgram { .. }), "{error}");
}
