//! /etc/nsswitch.conf with the services that packages add to it, as their scripts would with dh_installnss. Pure.
//!
//! Source: nsswitch.conf(5), dh_installnss(1).

use crate::effect::NameService;

/// Adds services to the lines of their databases. A service that is there already stays where it is; a database without a
/// line gets one.
#[must_use]
pub fn add_services(text: &str, services: &[NameService]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for service in services {
        let database = format!("{}:", service.database);
        match lines.iter_mut().find(|line| line.trim_start().starts_with(&database)) {
            Some(line) => *line = add_service(line, service),
            None => lines.push(format!("{database:<16}{}", service.service)),
        }
    }
    lines.join("\n") + "\n"
}

fn add_service(line: &str, added: &NameService) -> String {
    let (code, comment) = line.split_once('#').map_or((line, None), |(code, comment)| (code, Some(comment)));
    let database = code.split(':').next().unwrap_or_default().trim();
    // A `[STATUS=action]` belongs to the service before it.
    let mut words: Vec<String> = Vec::new();
    for word in code.split(':').nth(1).unwrap_or_default().split_whitespace() {
        match words.last_mut() {
            Some(last) if word.starts_with('[') => *last = format!("{last} {word}"),
            _ => words.push(word.to_owned()),
        }
    }
    let name = |word: &String| word.split_whitespace().next().unwrap_or_default().to_owned();
    let new = added.service.split_whitespace().next().unwrap_or_default();
    if words.iter().any(|word| name(word) == new) {
        return line.to_owned();
    }
    let place = |services: &str| services.split(',').find_map(|service| words.iter().position(|w| name(w) == service));
    let at = match added.position.split_once('=') {
        Some(("before", services)) => place(services).unwrap_or(0),
        Some(("after", services)) => place(services).map_or(words.len(), |at| at + 1),
        _ if added.position == "first" => 0,
        _ => words.len(),
    };
    words.insert(at, added.service.clone());
    let line = format!("{:<16}{}", format!("{database}:"), words.join(" "));
    comment.map_or(line.clone(), |comment| format!("{line} #{comment}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_go_where_they_belong_once() {
        let service = |database: &str, service: &str, position: &str| NameService {
            database: database.into(),
            service: service.into(),
            position: position.into(),
        };
        let text = "# comment\npasswd:         files\nhosts:          files dns [!UNAVAIL=return] # x\n";
        let services = [
            service("passwd", "systemd", "last"),
            service("passwd", "systemd", "last"),
            service("hosts", "resolve [!UNAVAIL=return]", "before=dns"),
            service("hosts", "myhostname", "after=dns"),
            service("gshadow", "systemd", "last"),
            service("hosts", "mymachines", "first"),
        ];
        assert_eq!(
            add_services(text, &services),
            "# comment\npasswd:         files systemd\n\
             hosts:          mymachines files resolve [!UNAVAIL=return] dns [!UNAVAIL=return] myhostname # x\n\
             gshadow:        systemd\n"
        );
    }
}
