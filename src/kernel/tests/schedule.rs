//! Priorities and locked memory, as procfs tells them. Without the capabilities the kernel has to refuse, with the reason.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use mooring_kernel::{ScheduleError, boot_time, lock_memory, real_time};

const CAP_IPC_LOCK: u32 = 14;
const CAP_SYS_NICE: u32 = 23;
const SCHED_OTHER: &str = "0";
const SCHED_FIFO: &str = "1";

/// A line of `/proc/self/status`.
fn status(field: &str) -> String {
    let text = fs::read_to_string("/proc/thread-self/status").expect("procfs");
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.expect("the field").trim().to_owned()
}

fn kibibytes(field: &str) -> u64 {
    let text = status(field);
    let number = text.split(' ').next().expect("a number");
    number.parse().expect("a number")
}

fn may(capability: u32) -> bool {
    let effective = u64::from_str_radix(&status("CapEff"), 16).expect("a mask");
    effective & (1 << capability) != 0
}

/// Policy and real-time priority of the calling thread: fields 41 and 40 of proc_pid_stat(5).
fn scheduling() -> (String, String) {
    let text = fs::read_to_string("/proc/thread-self/stat").expect("procfs");
    let (_, fields) = text.rsplit_once(") ").expect("a name in parentheses");
    // The first of these is field 3.
    let fields: Vec<&str> = fields.split(' ').collect();
    (fields[41 - 3].to_owned(), fields[40 - 3].to_owned())
}

/// Runs a test of this file again without any capability; true in there.
fn is_without_capabilities(test: &str) -> bool {
    const MARK: &str = "WITHOUT_CAPABILITIES";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let program = std::env::current_exe().expect("this program");
    let output = Command::new("setpriv")
        .args(["--bounding-set=-all", "--inh-caps=-all", "--"])
        .arg(program)
        .args(["--exact", test])
        .env(MARK, "1")
        .output()
        .expect("setpriv(1)");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
    false
}

#[test]
fn a_thread_takes_real_time_and_its_children_do_not_inherit_it() {
    let outcome = thread::spawn(|| {
        let taken = real_time(7);
        let here = scheduling();
        let child = thread::spawn(scheduling).join().expect("a thread");
        (taken, here, child)
    });
    let (taken, here, child) = outcome.join().expect("a thread");
    let usual = (SCHED_OTHER.to_owned(), "0".to_owned());
    if may(CAP_SYS_NICE) {
        assert_eq!(taken, Ok(()));
        assert_eq!(here, (SCHED_FIFO.to_owned(), "7".to_owned()));
    } else {
        let refused = ScheduleError::PriorityNotPermitted { priority: 7 };
        assert_eq!(taken, Err(refused));
        assert_eq!(here, usual);
    }
    assert_eq!(child, usual);
    assert_eq!(scheduling(), usual, "the others go on as they were");
}

#[test]
fn priorities_that_do_not_exist_are_refused() {
    for priority in [0, 100, 255] {
        let refused = ScheduleError::NoSuchPriority { priority };
        assert_eq!(real_time(priority), Err(refused));
    }
}

#[test]
fn without_the_capability_the_reason_names_it() {
    if !is_without_capabilities("without_the_capability_the_reason_names_it") {
        return;
    }
    assert!(!may(CAP_SYS_NICE) && !may(CAP_IPC_LOCK));
    let error = real_time(1).expect_err("nobody may");
    assert_eq!(error, ScheduleError::PriorityNotPermitted { priority: 1 });
    assert!(error.to_string().contains("CAP_SYS_NICE"), "{error}");
    let error = lock_memory().expect_err("nobody may");
    assert_eq!(error, ScheduleError::LockingNotPermitted);
    assert!(error.to_string().contains("CAP_IPC_LOCK"), "{error}");
}

#[test]
fn locked_memory_takes_room_only_where_it_was_touched() {
    let before = kibibytes("VmRSS");
    let locked = lock_memory();
    if !may(CAP_IPC_LOCK) {
        assert_eq!(locked, Err(ScheduleError::LockingNotPermitted));
        return;
    }
    assert_eq!(locked, Ok(()));
    let mut room: Vec<u8> = Vec::with_capacity(64 << 20);
    let untouched = kibibytes("VmRSS");
    assert!(
        untouched < before + (16 << 10),
        "{before} KiB, {untouched} KiB"
    );
    assert!(kibibytes("VmLck") > 64 << 10, "it is locked all the same");
    room.resize(32 << 20, 1);
    assert!(kibibytes("VmRSS") > untouched + (30 << 10));
}

#[test]
fn the_time_since_the_boot_goes_on_and_is_that_of_procfs() {
    let uptime = fs::read_to_string("/proc/uptime").expect("procfs");
    let uptime: f64 = uptime
        .split(' ')
        .next()
        .expect("a number")
        .parse()
        .expect("a number");
    let (here, clock) = (boot_time(), Instant::now());
    assert!(
        (here.as_secs_f64() - uptime).abs() < 5.0,
        "{here:?}, {uptime} s"
    );
    thread::sleep(Duration::from_millis(20));
    let (passed, by_clock) = (boot_time() - here, clock.elapsed());
    assert!(passed >= Duration::from_millis(20), "{passed:?}");
    assert!(
        passed < by_clock + Duration::from_secs(1),
        "{passed:?}, {by_clock:?}"
    );
}
