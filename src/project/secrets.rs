//! Finds what a profile holds that must not be shown: the values of its passwords, tokens and keys.

use std::sync::LazyLock;

use fancy_regex::Regex;
use serde_json::Value as Json;

use crate::jinja::JsonMap;

/// Parts of the names of settings that are secret.
const WORDS: [&str; 6] = ["secret", "token", "passw", "private_key", "credential", "connection_string"];

/// What an entry of `secrets` says besides the secret itself.
const OPEN_KEYS: [&str; 9] =
    ["type", "name", "provider", "scope", "region", "endpoint", "persistent", "url_style", "use_ssl"];

/// A shorter value says nothing, but hiding it would hide much.
const SHORTEST: usize = 4;

/// A setting with its value, in YAML or in the text of a connection, and the password of an address.
static WRITTEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let words = WORDS.join("|");
    let setting = format!(r#"\w*(?:{words}|key_id)\w*["']?[ \t]*[:=][ \t]*("[^"]*"|'[^']*'|[^\s,\[\]{{}}"']+)"#);
    Regex::new(&format!(r"(?i){setting}|://[^/\s:@]*:([^@\s/]+)@")).ok()
});

/// The secret values of a target.
pub fn of_target(settings: &JsonMap) -> Vec<String> {
    let mut found = Vec::new();
    settings.iter().for_each(|(name, value)| collect(value, is_secret(name), &mut found));
    found
}

fn is_secret(name: &str) -> bool {
    WORDS.iter().any(|word| name.to_lowercase().contains(word))
}

fn collect(value: &Json, hidden: bool, found: &mut Vec<String>) {
    match value {
        Json::String(text) if hidden => found.extend((text.len() >= SHORTEST).then(|| text.clone())),
        Json::String(text) => found.extend(places(text).map(|place| text[place].to_string())),
        Json::Array(items) => items.iter().for_each(|item| collect(item, hidden, found)),
        Json::Object(map) => map.iter().for_each(|(name, value)| {
            collect(value, is_secret(name) || (hidden && !OPEN_KEYS.contains(&name.as_str())), found);
        }),
        _ => {}
    }
}

/// Lines of a profile with every written secret replaced by as many stars. What Jinja fills in is left.
pub fn masked(text: &str) -> String {
    let mut masked = text.to_string();
    for place in places(text) {
        let stars = "*".repeat(place.len());
        masked.replace_range(place, &stars);
    }
    masked
}

fn places(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> {
    let found = WRITTEN.iter().flat_map(move |pattern| pattern.captures_iter(text).flatten());
    let values = found.filter_map(|captures| captures.get(1).or(captures.get(2)));
    values.filter(|value| !value.as_str().contains("{{") && value.as_str().len() >= SHORTEST).map(|value| value.range())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{masked, of_target};

    #[test]
    fn passwords_and_keys_are_secret_and_what_stands_beside_them_is_not() {
        let settings = json!({
            "path": "shop.duckdb",
            "motherduck_token": "abcd-1",
            "secrets": [{"type": "s3", "name": "store", "region": "eu-west-1", "key_id": "abcd-2", "secret": "abcd-3"}],
            "attach": [{"path": "postgres://me:abcd-4@host/db"}, {"path": "host=a password=abcd-5 user=me"}],
        });
        let found = of_target(settings.as_object().unwrap());
        assert_eq!(found, ["abcd-1", "abcd-2", "abcd-3", "abcd-4", "abcd-5"]);
    }

    #[test]
    fn an_excerpt_of_a_profile_shows_no_password() {
        let line = "dev: {type: postgres, Password: \"a b c\", key_id: abcd, secrets: [{x: 1}], token: \"{{ env_var('T') }}\"}";
        let shown =
            "dev: {type: postgres, Password: *******, key_id: ****, secrets: [{x: 1}], token: \"{{ env_var('T') }}\"}";
        assert_eq!(masked(line), shown);
    }
}
