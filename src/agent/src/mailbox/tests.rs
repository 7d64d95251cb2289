use std::thread;
use std::time::{Duration, Instant};

use mooring_kernel::{real_time, wait_for};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::*;

/// Whether the receiver was woken, until it clears that.
fn is_woken<T>(mailbox: &Mailbox<T>) -> bool {
    mooring_kernel::wait(&[], Some(mailbox.waker()), Some(Duration::ZERO))
        .unwrap()
        .woken
}

#[test]
fn what_is_sent_wakes_and_comes_in_turn() {
    let (sender, mut mailbox) = mailbox().unwrap();
    assert_eq!((mailbox.take(), is_woken(&mailbox)), (None, false));
    sender.send(1);
    sender.clone().send(2);
    assert!(is_woken(&mailbox));
    mailbox.waker().clear();
    let urgent = sender.urgent();
    urgent.send(3);
    urgent.send(4);
    let mut taken: Vec<i32> = std::iter::from_fn(|| mailbox.take()).collect();
    let place = |of| taken.iter().position(|one| *one == of);
    assert!(place(1) < place(2) && place(3) < place(4), "{taken:?}");
    taken.sort_unstable();
    assert_eq!(taken, [1, 2, 3, 4]);
    drop(sender);
    assert!(!mailbox.is_deserted());
    drop(urgent);
    assert!(mailbox.is_deserted());
}

#[test]
fn nobody_waits_for_a_sender_that_does_not_get_on() {
    let (sender, mut mailbox) = mailbox().unwrap();
    sender.send("before");
    // As it is while a sender that has the lock was interrupted.
    let lanes = Arc::clone(&sender.lanes);
    let locked = lanes.others.lock().unwrap();
    assert_eq!(mailbox.take(), None);
    sender.urgent().send("by the other lane");
    assert_eq!(mailbox.take(), Some("by the other lane"));
    assert_eq!(mailbox.take(), None);
    drop(locked);
    assert_eq!(mailbox.take(), Some("before"));
}

#[test]
fn no_message_is_missed_by_who_sleeps_until_it_is_woken() {
    const EACH: usize = 20_000;
    let (sender, mut mailbox) = mailbox().unwrap();
    let send = |sender: Sender<usize>| {
        thread::spawn(move || {
            for number in 0..EACH {
                sender.send(number);
            }
        })
    };
    let senders = [sender.clone(), sender.urgent(), sender].map(send);
    let mut received = 0;
    while received < 3 * EACH {
        mailbox.waker().clear();
        while mailbox.take().is_some() {
            received += 1;
        }
        if received < 3 * EACH {
            let asleep = wait_for(&[], mailbox.waker(), Duration::from_secs(20));
            asleep.unwrap();
            assert!(is_woken(&mailbox), "{received} came, and then nothing");
        }
    }
    for sender in senders {
        sender.join().unwrap();
    }
    assert!(mailbox.is_deserted());
}

#[test]
fn what_nobody_receives_is_dropped() {
    let (sender, mailbox) = mailbox().unwrap();
    let message = Arc::new(());
    sender.send(Arc::clone(&message));
    drop(mailbox);
    assert_eq!(Arc::strong_count(&message), 1);
    sender.send(Arc::clone(&message));
    sender.urgent().send(Arc::clone(&message));
    assert_eq!(Arc::strong_count(&message), 1);
}

/// From now on the calling thread runs on the first processor that it may run on.
fn stay_on_the_first_processor() {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let first = (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu) == Ok(true));
    let mut one = CpuSet::new();
    one.set(first.unwrap()).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
}

#[test]
fn a_sender_gets_on_beside_a_real_time_receiver_on_the_same_processor() {
    const MESSAGES: usize = 200_000;
    let (sender, mut mailbox) = mailbox().unwrap();
    let receiving = thread::spawn(move || {
        stay_on_the_first_processor();
        // Who may not have it tests less.
        let _ = real_time(1);
        let (mut received, mut longest) = (0, Duration::ZERO);
        while !mailbox.is_deserted() {
            let begin = Instant::now();
            while mailbox.take().is_some() {
                received += 1;
            }
            longest = longest.max(begin.elapsed());
            thread::sleep(Duration::from_micros(100));
        }
        (received, longest)
    });
    let sending = thread::spawn(move || {
        stay_on_the_first_processor();
        (0..MESSAGES).for_each(|number| sender.send(number));
    });
    sending.join().unwrap();
    let (received, longest) = receiving.join().unwrap();
    assert_eq!(received, MESSAGES);
    // It stood still for 0.95 s: that is what the kernel lets it have of each second.
    assert!(longest < Duration::from_millis(500), "{longest:?}");
}
