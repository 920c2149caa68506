//! Compares texts and paths with shell patterns, by the rules of Python's `fnmatch` and `pathlib`.

/// Whether a text as a whole fits a pattern of `*`, `?`, `[abc]`, `[a-z]` and `[!abc]`. Case counts.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut letter) = (0, 0);
    // Where to go on when the letters after the last `*` do not fit: that `*` takes one letter more.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(at) == Some(&'*') {
            at += 1;
            retry = Some((at, letter));
        } else if letter == text.len() && at == pattern.len() {
            return true;
        } else if let Some(length) = text.get(letter).and_then(|letter| one(&pattern[at..], *letter)) {
            at += length;
            letter += 1;
        } else if let Some((star, taken)) = retry.filter(|(_, taken)| *taken < text.len()) {
            retry = Some((star, taken + 1));
            (at, letter) = (star, taken + 1);
        } else {
            return false;
        }
    }
}

/// The length of the first item of a pattern, if it fits the letter.
fn one(pattern: &[char], letter: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => match class(pattern) {
            Some((set, length)) => in_class(set, letter).then_some(length),
            None => (letter == '[').then_some(1),
        },
        literal => (*literal == letter).then_some(1),
    }
}

/// The inside of `[…]` and the length of the whole. A `]` right after the start is a letter of the class.
fn class(pattern: &[char]) -> Option<(&[char], usize)> {
    let first = if pattern.get(1) == Some(&'!') { 2 } else { 1 };
    let end = (first + 1..pattern.len()).find(|at| pattern[*at] == ']')?;
    Some((&pattern[1..end], end + 1))
}

fn in_class(set: &[char], letter: char) -> bool {
    let (negated, mut set) = match set {
        ['!', rest @ ..] => (true, rest),
        set => (false, set),
    };
    let mut found = false;
    while let [first, rest @ ..] = set {
        (found, set) = match rest {
            ['-', last, rest @ ..] => (found || (*first..=*last).contains(&letter), rest),
            _ => (found || *first == letter, rest),
        };
    }
    found != negated
}

/// Whether a path fits a pattern folder by folder; `**` stands for any number of folders.
pub fn fits_path(pattern: &str, path: &str) -> bool {
    let parts = |text| -> Vec<&str> { str::split(text, '/').filter(|part| !part.is_empty() && *part != ".").collect() };
    parts_fit(&parts(pattern), &parts(path))
}

fn parts_fit(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], path) => path.is_empty(),
        (["**", rest @ ..], path) => (0..=path.len()).any(|skipped| parts_fit(rest, &path[skipped..])),
        ([first, rest @ ..], [folder, below @ ..]) => fits(first, folder) && parts_fit(rest, below),
        (_, []) => false,
    }
}

/// A path and every folder that it is in, the project's folder (an empty text) last.
pub fn with_folders(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        (!path.is_empty()).then_some(folder)
    })
}

#[cfg(test)]
mod tests {
    use super::{fits, fits_path, with_folders};

    #[test]
    fn wildcards_and_classes_fit_as_in_a_shell() {
        for (pattern, text) in [
            ("*", ""),
            ("stg_*", "stg_orders"),
            ("s?g", "stg"),
            ("*a*b", "xaxbb"),
            ("[!s]*", "raw"),
            ("[a-c]x", "bx"),
            ("[]]", "]"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("stg_*", "Stg_orders"), ("?", ""), ("a*b", "abc"), ("[!s]*", "stg"), ("[a", "a")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_star_in_a_path_stays_in_its_folder() {
        assert!(fits_path("./models/*/stg_*.sql", "models/staging/stg_orders.sql"));
        assert!(!fits_path("models/*.sql", "models/staging/stg_orders.sql"));
        assert!(fits_path("**/stg_orders.sql", "models/staging/stg_orders.sql"));
        assert!(fits_path("models/staging/", "models/staging"));
    }

    #[test]
    fn the_folders_of_a_path_go_up_to_the_project() {
        assert_eq!(with_folders("a/b/c").collect::<Vec<_>>(), ["a/b/c", "a/b", "a", ""]);
    }
}
