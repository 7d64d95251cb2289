use proptest::prelude::*;

use super::*;

fn service(namespace: Option<&str>, name: &str) -> Subject {
    Subject::Service {
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    }
}

#[test]
fn services_are_named_as_kubectl_names_them() {
    for (text, expected) in [
        ("web", service(None, "web")),
        (" web ", service(None, "web")),
        ("shop/web", service(Some("shop"), "web")),
        ("svc/web", service(None, "web")),
        ("service/web", service(None, "web")),
        ("Services/web", service(None, "web")),
        ("svc/10-77-0-200", service(None, "10-77-0-200")),
        ("1web", service(None, "1web")),
    ] {
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }
}

#[test]
fn an_address_may_be_spelt_in_any_way() {
    for (text, expected) in [
        ("10.77.0.200", "10.77.0.200"),
        ("::ffff:10.77.0.200", "10.77.0.200"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:0DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("10-77-0-200", "10.77.0.200"),
        ("xip/10-77-0-200", "10.77.0.200"),
        ("externalip/10.77.0.200", "10.77.0.200"),
        ("2001-0db8-0000-0000-0000-0000-0000-0001", "2001:db8::1"),
    ] {
        let expected = Subject::Address(expected.parse().expect("an address"));
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_neither_is_refused_with_what_to_write() {
    for (text, part) in [
        ("", "nothing is named"),
        ("10.0.0.1/24", "is a range"),
        ("fe80::1%eth0", "has a zone"),
        ("10.0.0.256", "is not an IP address"),
        ("010.0.0.1", "is not an IP address"),
        ("10.0.0.1:80", "without a port"),
        ("10.0.0.300/24", "is not an IP address"),
        ("xip/web", "is not an IP address"),
        ("deployment.apps/web", "is neither a Service nor"),
        (
            "svc/shop/web",
            "\"shop/web\" cannot be the name of a Service",
        ),
        ("a/b/c", "is neither a Service nor"),
        ("Web", "\"Web\" cannot be the name of a Service"),
        ("web.shop", "\"web.shop\" cannot be the name of a Service"),
        ("-web", "cannot be the name of a Service"),
        ("Shop/web", "\"Shop\" cannot be the name of a namespace"),
        ("shop/", "\"\" cannot be the name of a Service"),
        ("/web", "\"\" cannot be the name of a namespace"),
        ("[10.0.0.1]", "cannot be the name"),
    ] {
        let problem = text.parse::<Subject>().expect_err(text).to_string();
        assert!(problem.contains(part), "{text}: {problem}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_in_one_line(text in any::<String>()) {
        match text.parse::<Subject>() {
            Ok(subject) => prop_assert_eq!(subject.to_string().parse::<Subject>(), Ok(subject)),
            Err(problem) => {
                let message = problem.to_string();
                prop_assert!(!message.contains('\n') && message.len() < 1000, "{}", message);
            }
        }
    }

    #[test]
    fn what_looks_like_an_argument_is_read_or_refused(text in "(svc/|xip/|shop/)?[a-c0-9.:/%\\[\\]-]{0,40}") {
        if let Ok(subject) = text.parse::<Subject>() {
            // `svc/NAME` may have the form of an address; by itself that is one.
            let again = subject.to_string().parse::<Subject>();
            let same = again.as_ref() == Ok(&subject) || matches!(again, Ok(Subject::Address(_)));
            prop_assert!(same, "{:?}", again);
        }
    }

    #[test]
    fn every_address_leads_to_itself(number: u128, v4: u32) {
        for ip in [IpAddr::from(number.to_be_bytes()), IpAddr::from(v4.to_be_bytes())] {
            let subject = Ok(Subject::Address(ip.to_canonical()));
            prop_assert_eq!(&ip.to_string().parse(), &subject);
            prop_assert_eq!(&object_name::of(ip).parse(), &subject);
        }
    }
}
