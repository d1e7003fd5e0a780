//! `esker lsp`, as an editor sees it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stories::Lab;

use crate::client::{Client, uri};

/// An answer takes less.
const AT_ONCE: Duration = Duration::from_millis(100);

fn folder_with(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    fs_err::write(&file, text).expect("the configuration");
    (folder, file)
}

fn codes(diagnostics: &[Value]) -> Vec<&str> {
    diagnostics.iter().map(|d| d["code"].as_str().expect("a code")).collect()
}

fn labels(completions: &Value) -> Vec<&str> {
    completions.as_array().expect("a list").iter().map(|item| item["label"].as_str().expect("a label")).collect()
}

/// The line and the column, in UTF-16 units, of `|`; and the text without it.
fn marked(text: &str) -> (usize, usize, String) {
    let (before, _) = text.split_once('|').expect("a mark");
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count(), line.encode_utf16().count(), text.replacen('|', "", 1))
}

/// Gives a file a text with a mark, and asks about the mark.
fn asked(client: &mut Client, file: &Path, method: &str, text: &str) -> Value {
    let (line, character, text) = marked(text);
    client.change(file, &text);
    client.ask_at(method, file, line, character)
}

/// An answer, once it is as wanted or everybody has waited long enough.
fn repeated(mut ask: impl FnMut() -> Value, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let answer = ask();
        if is_wanted(&answer) || start.elapsed() > Duration::from_secs(60) {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

const SOUND: &str = "{ pkgs, ... }: {\n  networking.hostName = \"edited\";\n  services.nginx.enable = true;\n}\n";

/// A server that has studied a configuration.
fn studied(file: &Path, text: &str) -> Client {
    let mut client = Client::start(&Lab::open("editors"));
    // What is wrong with the text as it is opened tells when it was studied.
    client.open(file, &text.replacen("networking.hostName", "networking.hostNam", 1));
    client.diagnostics(file, |found| codes(found) == ["unknown-option"]);
    client.change(file, text);
    client.diagnostics(file, <[Value]>::is_empty);
    client
}

#[test]
fn what_is_wrong_is_told_while_it_is_typed() {
    // The file says something else: what counts is what the editor has.
    let (_folder, file) = folder_with("configuration.nix", "{ services.nonsense = 1; }");
    let mut client = studied(&file, SOUND);
    client.change(&file, "{ a = ; }");
    let found = client.diagnostics(&file, |found| !found.is_empty());
    assert_eq!(codes(&found), ["syntax"], "{found:?}");
    assert_eq!(found[0]["range"]["start"], json!({ "line": 0, "character": 6 }));
    client.change(&file, "{ pkgs, ... }: { environment.systemPackages = [ pkg.vim ]; }");
    let found = client.diagnostics(&file, |found| codes(found) == ["undefined-variable"]);
    assert!(found[0]["message"].as_str().is_some_and(|text| text.contains("pkg")), "{found:?}");
    // Behind a character of two UTF-16 units.
    client.change(&file, "{\n  /* 😀 */ services.nginx.enable = \"yes\"; }");
    let found = client.diagnostics(&file, |found| codes(found).contains(&"option-type"));
    assert_eq!(found[0]["range"]["start"]["line"], json!(1), "{found:?}");
    let (_folder, toml) = folder_with("configuration.toml", "");
    client.open(&toml, "networking.hostName = 5\n");
    client.diagnostics(&toml, |found| codes(found).contains(&"option-type"));
    client.change(&toml, "networking.hostName = \n");
    client.diagnostics(&toml, |found| codes(found).contains(&"syntax"));
}

#[test]
fn options_and_packages_are_completed_explained_and_found() {
    let (_folder, file) = folder_with("configuration.nix", "{ }");
    let mut client = studied(&file, SOUND);
    let complete = "textDocument/completion";
    let found = asked(&mut client, &file, complete, "{ services.nginx.ena|\n");
    assert_eq!(labels(&found), ["enable"], "a text that is not whole");
    let item = &found[0];
    assert_eq!(item["detail"], "boolean");
    assert!(item["documentation"]["value"].as_str().is_some_and(|text| text.contains("Default: `false`")), "{item}");
    assert_eq!(item["textEdit"]["range"]["start"], json!({ "line": 0, "character": 17 }));
    let found = asked(&mut client, &file, complete, "{ services = { # 😀\n  openssh.| }; }");
    assert!(labels(&found).contains(&"ports"), "{found}");
    let found = asked(&mut client, &file, complete, "{ users.users.me = { isNormal|User = true; }; }");
    assert_eq!(labels(&found), ["isNormalUser"]);
    let vim = "{ pkgs, ... }: { environment.systemPackages = with pkgs; [ vim-tin| ]; }";
    // The packages' names come after the options.
    let found = repeated(|| asked(&mut client, &file, complete, vim), |found| !labels(found).is_empty());
    assert_eq!(labels(&found), ["vim-tiny"]);
    assert!(found[0]["detail"].as_str().is_some_and(|text| !text.is_empty()), "{found}");
    let found = asked(&mut client, &file, complete, "{ pkgs, ... }: { x = pkgs.vim-tin|; }");
    assert_eq!(labels(&found), ["vim-tiny"]);

    let found = asked(&mut client, &file, "textDocument/hover", "{ networking.host|Name = \"x\"; }");
    let text = found["contents"]["value"].as_str().expect("a text");
    for words in ["**networking.hostName**", "Type: ", "Default: "] {
        assert!(text.contains(words), "{text}");
    }
    let places = asked(&mut client, &file, "textDocument/definition", "{ services.nginx.ena|ble = true; }");
    let place = places[0]["uri"].as_str().expect("a place");
    assert!(place.ends_with("/services/nginx.nix"), "{places}");

    let (_folder, toml) = folder_with("configuration.toml", "");
    client.open(&toml, "");
    let found = asked(&mut client, &toml, complete, "[services.openssh]\nenab|");
    assert_eq!(labels(&found), ["enable"]);
    let found = asked(&mut client, &toml, complete, "environment.systemPackages = [\"vim-tin|\"]");
    assert_eq!(labels(&found), ["vim-tiny"]);
}

#[test]
fn a_hover_shows_the_value_of_what_is_not_saved() {
    let (_folder, file) = folder_with("configuration.nix", "{ }");
    let mut client = studied(&file, SOUND);
    let text = |found: &Value| found["contents"]["value"].as_str().expect("a text").to_owned();
    let hover = || client.ask_at("textDocument/hover", &file, 1, 16);
    let found = repeated(hover, |found| text(found).contains("Value: "));
    assert!(text(&found).contains("Value: `\"edited\"`"), "{found}");
}

#[test]
fn local_names_are_found_and_renamed_and_texts_formatted() {
    let (_folder, file) = folder_with("part.nix", "");
    let mut client = Client::start(&Lab::open("editors"));
    client.open(&file, "");
    let text = "let x = \"😀\"; in { /* 😀 */ a = |x; x = 1; b = (x: x) 1; }";
    let places = asked(&mut client, &file, "textDocument/definition", text);
    assert_eq!(places[0]["range"]["start"], json!({ "line": 0, "character": 4 }));
    let (line, character, _) = marked(text);
    let position = json!({ "line": line, "character": character });
    let mut rename = |name: &str| {
        let document = json!({ "uri": uri(&file) });
        client.ask("textDocument/rename", json!({ "textDocument": document, "position": position, "newName": name }))
    };
    let edits = rename("y")["result"]["changes"][uri(&file)].take();
    let edits: Vec<_> =
        edits.as_array().expect("edits").iter().map(|edit| edit["range"]["start"]["character"].clone()).collect();
    assert_eq!(edits, [json!(4), json!(character)]);
    assert_eq!(rename("if")["error"]["message"], "`if` is no name");
    client.change(&file, "{a=1;}");
    let request = json!({ "textDocument": { "uri": uri(&file) }, "options": { "tabSize": 2, "insertSpaces": true } });
    let formatted = client.ask("textDocument/formatting", request);
    assert_eq!(formatted["result"][0]["newText"], "{ a = 1; }\n");
}

#[test]
fn an_answer_comes_at_once_on_the_server_example() {
    let lab = Lab::open("editors");
    let server =
        fs_err::read_to_string(lab.repository().join("examples/server/configuration.nix")).expect("the example");
    let (_folder, file) = folder_with("configuration.nix", SOUND);
    let mut client = studied(&file, SOUND);
    let mut fastest = Duration::MAX;
    // Other programs may be in the way of some of them.
    for number in 0..10 {
        let text = server.trim_end().strip_suffix('}').expect("a set").to_owned();
        let start = Instant::now();
        let found =
            asked(&mut client, &file, "textDocument/completion", &format!("{text}# {number}\n services.nginx.|"));
        fastest = fastest.min(start.elapsed());
        assert!(labels(&found).contains(&"virtualHosts"), "{found}");
    }
    assert!(fastest < AT_ONCE, "it took {fastest:?}");
}

#[test]
fn what_makes_no_sense_is_refused_and_the_end_is_orderly() {
    let lab = Lab::open("editors");
    let mut client = Client::start(&lab);
    let refused = client.ask("textDocument/hover", json!({ "nonsense": true }));
    assert_eq!(refused["error"]["code"], json!(-32602), "{refused}");
    let refused = client.ask("esker/nonsense", json!({}));
    assert_eq!(refused["error"]["code"], json!(-32601), "{refused}");
    let unknown =
        json!({ "textDocument": { "uri": "file:///not/open.nix" }, "position": { "line": 0, "character": 0 } });
    assert_eq!(client.ask("textDocument/hover", unknown)["error"]["code"], json!(-32602));
    client.tell("textDocument/didOpen", json!({ "nonsense": true }));
    client.tell("textDocument/didChange", json!([]));
    assert_eq!(client.ask("shutdown", Value::Null)["result"], Value::Null);
    client.tell("exit", Value::Null);
    assert!(client.end().success());

    let mut client = Client::start(&lab);
    client.tell("exit", Value::Null);
    assert_eq!(client.end().code(), Some(1), "an exit without a shutdown");
    let mut client = Client::start(&lab);
    client.send("this is no JSON");
    assert_eq!(client.end().code(), Some(1), "what is none of the protocol's messages");
}
