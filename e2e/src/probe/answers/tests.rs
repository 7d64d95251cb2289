use super::*;

const N1: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x0b]);
const N2: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x0c]);

fn answers(heard: &[(Mac, u64)]) -> Answers {
    let mut answers = Answers::none(IpAddr::from([10, 77, 0, 200]));
    for &(mac, micros) in heard {
        answers.record(mac, Duration::from_micros(micros));
    }
    answers
}

#[test]
fn counts_each_mac_once_and_keeps_its_first_time() {
    let heard = answers(&[(N2, 400), (N1, 900), (N2, 300_400)]);
    assert_eq!(
        heard.responders,
        [
            Responder {
                mac: N2,
                replies: 2,
                first: Duration::from_micros(400)
            },
            Responder {
                mac: N1,
                replies: 1,
                first: Duration::from_micros(900)
            },
        ]
    );
    assert_eq!(heard.macs(), [N1, N2]);
}

#[test]
fn says_nobody_one_or_how_many() {
    assert_eq!(answers(&[]).to_string(), "nobody answers for 10.77.0.200");
    assert_eq!(
        answers(&[(N1, 440)]).to_string(),
        "one MAC answers for 10.77.0.200:\n  52:54:00:77:00:0b (1 reply, the first after 0.4 ms)"
    );
    assert_eq!(
        answers(&[(N1, 440), (N2, 1200), (N2, 9000)])
            .with_names(|mac| (mac == N2).then(|| "n2".to_owned()))
            .to_string(),
        "2 different MACs answer for 10.77.0.200:\
         \n  52:54:00:77:00:0b (1 reply, the first after 0.4 ms)\
         \n  n2 52:54:00:77:00:0c (2 replies, the first after 1.2 ms)"
    );
}
