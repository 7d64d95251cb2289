//! All that was measured.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::asker::Delays;

use crate::knobs::Knobs;

/// What became of one address in one run.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) product: &'static str,
    pub(crate) case: String,
    pub(crate) run: usize,
    /// The node that something was done to.
    pub(crate) node: String,
    /// Whether that could cost the address anything.
    pub(crate) concerned: bool,
    pub(crate) address: IpAddr,
    /// The host that answered in the end.
    pub(crate) owner: String,
    pub(crate) outage: Duration,
    pub(crate) is_over: bool,
    /// The longest gap before anything was done.
    pub(crate) noise: Duration,
    /// The longest time in which nobody answered on the wire.
    pub(crate) silence: Duration,
    pub(crate) failed: usize,
    pub(crate) requests: usize,
    /// How often two answered at once, and for how long at the longest.
    pub(crate) overlaps: usize,
    pub(crate) overlap: Duration,
}

/// Everything, and the file that gets it.
pub(crate) struct Figures {
    mode: &'static str,
    file: File,
    samples: Vec<Sample>,
}

/// One case of one product.
pub(crate) struct Summary<'a> {
    product: &'a str,
    case: &'a str,
    runs: usize,
    /// Of each address of each run.
    all: Delays,
    /// Of the address of each run that had it worst.
    worst: Delays,
    /// On the wire, of each address of each run.
    silences: Delays,
    /// The longest gap of an address that nothing was done to.
    others: Duration,
    /// The longest gap before anything was done.
    noise: Duration,
    overlaps: usize,
    overlap: Duration,
}

// === impl Sample ===

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (length, end) = (
            self.outage.as_millis(),
            if self.is_over { "" } else { " and more" },
        );
        write!(f, "{} {length} ms{end} ({})", self.address, self.owner)
    }
}

// === impl Figures ===

impl Figures {
    pub(crate) fn new(knobs: &Knobs) -> Self {
        println!("each address of each run: {}", knobs.json.display());
        Self {
            mode: knobs.proxy.as_str(),
            file: File::create(&knobs.json).unwrap(),
            samples: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, sample: Sample) {
        let line = json!({
            "product": sample.product, "mode": self.mode, "case": sample.case, "run": sample.run,
            "node": sample.node, "concerned": sample.concerned, "address": sample.address,
            "owner": sample.owner, "outage_ms": millis(sample.outage),
            "silence_ms": millis(sample.silence), "is_over": sample.is_over,
            "noise_ms": millis(sample.noise), "failed": sample.failed, "requests": sample.requests,
            "overlaps": sample.overlaps, "overlap_ms": millis(sample.overlap),
        });
        writeln!(self.file, "{line}").unwrap();
        self.samples.push(sample);
    }

    /// Of one case; `None` if it was not measured.
    pub(crate) fn summary<'a>(&'a self, product: &'a str, case: &'a str) -> Option<Summary<'a>> {
        let mut samples = self.samples.clone();
        samples.retain(|sample| sample.product == product && sample.case == case);
        let runs = samples.iter().map(|sample| sample.run).max()?;
        let concerned = samples.iter().filter(|sample| sample.concerned);
        let outages: Vec<(usize, Duration)> = concerned
            .map(|sample| (sample.run, sample.outage))
            .collect();
        let of_run = |run| {
            let mut outages = outages.iter().filter(move |(of, _)| *of == run);
            outages.by_ref().map(|(_, outage)| *outage).max()
        };
        let delays = |of: Vec<Duration>| {
            let number = of.len();
            Delays::new(of, number)
        };
        let silences = samples.iter().filter(|sample| sample.concerned);
        let silences = silences.map(|sample| sample.silence);
        let noise = samples.iter().map(|sample| sample.noise).max();
        let others = samples.iter().filter(|sample| !sample.concerned);
        Some(Summary {
            product,
            case,
            runs,
            all: delays(outages.iter().map(|(_, outage)| *outage).collect()),
            worst: delays((1..=runs).filter_map(of_run).collect()),
            silences: delays(silences.collect()),
            others: others.map(|sample| sample.outage).max().unwrap_or_default(),
            noise: noise.unwrap_or_default(),
            overlaps: samples.iter().map(|sample| sample.overlaps).sum(),
            overlap: samples
                .iter()
                .map(|sample| sample.overlap)
                .max()
                .unwrap_or_default(),
        })
    }

    fn summaries(&self) -> Vec<Summary<'_>> {
        let mut cases: Vec<(&str, &str)> = Vec::new();
        for sample in &self.samples {
            let case = (sample.product, sample.case.as_str());
            if !cases.contains(&case) {
                cases.push(case);
            }
        }
        let summaries = cases.into_iter();
        summaries
            .filter_map(|(product, case)| self.summary(product, case))
            .collect()
    }

    /// For how many milliseconds two answered at once, by case.
    pub(crate) fn overlaps(&self, product: &str) -> Vec<(String, f64)> {
        let summaries = self.summaries().into_iter();
        summaries
            .filter(|summary| summary.product == product)
            .map(|summary| (summary.case.to_owned(), millis(summary.overlap)))
            .collect()
    }

    /// How many times as long MetalLB's outages are as Mooring's.
    pub(crate) fn ratio(&self, case: &str) -> Option<f64> {
        let median = |product| Some(self.summary(product, case)?.median());
        Some(median("metallb")? / median("mooring")?)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = "median     p99     max    worst     p99   silent  others   noise overlap";
        writeln!(f, "{:<35} {:>4} {:>4}   {words}", "in ms", "runs", "n")?;
        let summaries = self.summaries();
        for summary in &summaries {
            writeln!(f, "{summary}")?;
        }
        for summary in &summaries {
            writeln!(f, "{}", summary.json(self.mode))?;
        }
        Ok(())
    }
}

impl Drop for Figures {
    fn drop(&mut self) {
        // What was measured before something went wrong counts all the same.
        if std::thread::panicking() {
            println!("\n{self}");
        }
    }
}

// === impl Summary ===

impl Summary<'_> {
    pub(crate) fn median(&self) -> f64 {
        millis(self.all.median())
    }

    pub(crate) fn p99(&self) -> f64 {
        millis(self.all.percentile(99))
    }

    pub(crate) fn longest(&self) -> f64 {
        millis(self.all.percentile(100))
    }

    /// The longest gap of an address that nothing was done to.
    pub(crate) fn longest_of_others(&self) -> f64 {
        millis(self.others)
    }

    /// Of the times in which nobody answered on the wire.
    pub(crate) fn median_silence(&self) -> f64 {
        millis(self.silences.median())
    }

    fn json(&self, mode: &str) -> Value {
        json!({
            "product": self.product, "mode": mode, "case": self.case, "runs": self.runs,
            "addresses": self.all.asked(), "median_ms": self.median(), "p99_ms": self.p99(),
            "max_ms": self.longest(),
            "silence_median_ms": self.median_silence(),
            "silence_max_ms": millis(self.silences.percentile(100)),
            "worst_median_ms": millis(self.worst.median()),
            "worst_p99_ms": millis(self.worst.percentile(99)),
            "others_ms": self.longest_of_others(), "noise_ms": millis(self.noise),
            "overlaps": self.overlaps, "overlap_ms": millis(self.overlap),
        })
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            product,
            case,
            runs,
            all,
            ..
        } = self;
        let (number, overlaps) = (all.asked(), self.overlaps);
        let [
            half,
            most,
            max,
            worst_half,
            worst,
            silent,
            others,
            noise,
            overlap,
        ] = [
            all.median(),
            all.percentile(99),
            all.percentile(100),
            self.worst.median(),
            self.worst.percentile(99),
            self.silences.median(),
            self.others,
            self.noise,
            self.overlap,
        ]
        .map(|time| time.as_millis());
        write!(
            f,
            "{product:<8} {case:<26} {runs:>4} {number:>4}  {half:>7} {most:>7} {max:>7}  {worst_half:>7} {worst:>7}  {silent:>7} \
             {others:>7} {noise:>7} {overlap:>4} ({overlaps})"
        )
    }
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}
