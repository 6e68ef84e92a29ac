//! Writes the lines FIRST … END - 1 by log4rs or file-rotate, which rotate their file:
//! write KIND FOLDER NAME FIRST END. In slices, a moment apart: a trial needs time in which things
//! happen.
use std::io::Write;
use std::time::Duration;

const BYTES: usize = 100_000; // a file, about

fn log4rs(folder: &str) -> Box<dyn FnMut(&str)> {
    use log4rs::append::rolling_file::policy::compound::{
        roll::fixed_window::FixedWindowRoller, trigger::size::SizeTrigger, CompoundPolicy,
    };
    use log4rs::append::rolling_file::RollingFileAppender;
    use log4rs::config::{Appender, Config, Root};
    use log4rs::encode::pattern::PatternEncoder;

    let roller = FixedWindowRoller::builder()
        .build(&format!("{folder}/app.{{}}.log.gz"), 1000)
        .unwrap();
    let policy = CompoundPolicy::new(Box::new(SizeTrigger::new(BYTES as u64)), Box::new(roller));
    let file = RollingFileAppender::builder()
        .encoder(Box::new(PatternEncoder::new("{d} {l} {t} - {m}{n}")))
        .build(format!("{folder}/app.log"), Box::new(policy))
        .unwrap();
    let config = Config::builder()
        .appender(Appender::builder().build("file", Box::new(file)))
        .build(Root::builder().appender("file").build(log::LevelFilter::Info))
        .unwrap();
    log4rs::init_config(config).unwrap();
    Box::new(|text| log::info!("{text}"))
}

fn file_rotate(folder: &str) -> Box<dyn FnMut(&str)> {
    use file_rotate::{compression::Compression, suffix::AppendCount, ContentLimit, FileRotate};

    let mut file = FileRotate::new(
        format!("{folder}/app.log"),
        AppendCount::new(1000),
        ContentLimit::BytesSurpassed(BYTES),
        Compression::OnRotate(2),
        None,
    );
    Box::new(move |text| writeln!(file, "{text}").unwrap())
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (name, first, end) = (&args[3], args[4].parse::<u64>().unwrap(), args[5].parse().unwrap());
    let mut write = if args[1] == "log4rs" { log4rs(&args[2]) } else { file_rotate(&args[2]) };
    let padding = "x".repeat(60);
    for n in first..end {
        write(&format!("{name} #{n}. {padding} {n};"));
        if n % 50 == 49 {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
