//! The evaluation behind the editor: a thread that studies a configuration and then answers questions about it, until the
//! next study is asked for.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use module::OptionDoc;
use system::study::{Finding, Study, Unsaved};
use system::{Configuration, Found, Session, SessionOptions, SystemError};

/// What the thread is asked.
pub(crate) enum Job {
    /// To evaluate a configuration anew.
    Study(Task),
    /// For the value of an option of the configuration studied last.
    Value {
        /// The option.
        path: Vec<String>,
        /// Where to.
        reply: Sender<Option<String>>,
    },
}

/// A configuration, with texts that are not saved.
pub(crate) struct Task {
    pub(crate) configuration: Configuration,
    pub(crate) unsaved: Unsaved,
}

/// What the thread found.
pub(crate) enum News {
    /// Options and mistakes of a configuration.
    Studied {
        /// The configuration's file.
        configuration: PathBuf,
        /// Its options.
        options: Arc<Vec<OptionDoc>>,
        /// What is wrong.
        findings: Vec<Finding>,
    },
    /// The packages that there are.
    Packages(Arc<Vec<Found>>),
    /// Why a configuration could not be studied.
    Failed(String),
}

/// Works until nobody asks any more.
pub(crate) fn work(options: SessionOptions, jobs: &Receiver<Job>, news: &Sender<News>) {
    let mut worker = Worker { session: None, options: Some(options), packages_of: None, jobs, news };
    let mut next = None;
    loop {
        let job = match next.take() {
            Some(task) => Ok(Job::Study(task)),
            None => jobs.recv(),
        };
        match job {
            Ok(Job::Study(task)) => match worker.study(&newest(task, jobs)) {
                Ok(following) => next = following,
                // Who is told is gone together with who asks.
                Err(error) => drop(news.send(News::Failed(words(&error)))),
            },
            Ok(Job::Value { reply, .. }) => drop(reply.send(None)),
            Err(_) => return,
        }
    }
}

/// The last of the studies that wait: the others are of older texts.
fn newest(mut task: Task, jobs: &Receiver<Job>) -> Task {
    while let Ok(job) = jobs.try_recv() {
        match job {
            Job::Study(newer) => task = newer,
            Job::Value { reply, .. } => drop(reply.send(None)),
        }
    }
    task
}

/// An error with its causes.
fn words(error: &SystemError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

struct Worker<'c> {
    session: Option<Session>,
    options: Option<SessionOptions>,
    /// The lock whose packages were told.
    packages_of: Option<PathBuf>,
    jobs: &'c Receiver<Job>,
    news: &'c Sender<News>,
}

impl Worker<'_> {
    /// Studies a configuration and answers questions about it; returns the study that is asked for next.
    fn study(&mut self, task: &Task) -> Result<Option<Task>, SystemError> {
        if let Some(options) = self.options.take() {
            self.session = Some(Session::open(options)?);
        }
        let Some(session) = &self.session else { return Ok(None) };
        let Task { configuration, unsaved } = task;
        let target = system::host_system();
        let is_new = self.packages_of.as_ref() != Some(&configuration.lock);
        let following = session.study(configuration, &target, unsaved, |study| {
            let _ = self.news.send(News::Studied {
                configuration: configuration.file.clone(),
                options: Arc::new(study.options.clone()),
                findings: study.findings.clone(),
            });
            if is_new {
                // Without packages there is everything but their names.
                let packages = session.packages(configuration, &target).unwrap_or_default();
                let _ = self.news.send(News::Packages(Arc::new(packages)));
            }
            self.answer(study)
        })?;
        self.packages_of = Some(configuration.lock.clone());
        Ok(following)
    }

    fn answer(&self, study: &Study<'_>) -> Option<Task> {
        loop {
            match self.jobs.recv().ok()? {
                Job::Study(task) => return Some(task),
                Job::Value { path, reply } => {
                    let path: Vec<&str> = path.iter().map(String::as_str).collect();
                    // Who asked may have given up.
                    let _ = reply.send(study.value(&path));
                }
            }
        }
    }
}
