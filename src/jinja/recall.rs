//! Remembers renders between commands: what is noted of a render stands for it as long as its template would be told the
//! same.

use std::cell::LazyCell;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::jinja::trace::{self, Asked, Recorder};
use crate::jinja::{Host, Library, RenderError, Rendered, Scope, Template};
use crate::notes::{self, Notes};

/// Where renders are noted.
#[derive(Clone, Copy)]
pub struct Noted<'a> {
    pub notes: &'a Notes,
    pub key: &'a str,
    /// Otherwise only the effects on the host are wanted.
    pub keeps_text: bool,
}

/// A render as it is noted.
#[derive(Serialize, Deserialize)]
struct Note {
    /// Of what does not depend on the node: the text and the macros.
    sum: String,
    asked: Vec<Asked>,
    text: String,
    map: Vec<(u32, usize, usize, bool)>,
}

impl Library {
    /// Renders a template of a package, unless an earlier render is noted that would come to the same; that has the same
    /// effects on the host.
    pub fn render_noted<H: Host + 'static>(
        &self,
        template: &Template,
        package: &str,
        scope: impl FnOnce() -> Scope,
        host: impl Fn() -> H,
        noted: Noted<'_>,
    ) -> (Arc<H>, Result<Rendered, RenderError>) {
        let scope = LazyCell::new(scope);
        let named = |name: &str| scope.values.get(name).map(trace::of_value);
        let sum = notes::digest(&format!("{}\0{package}\0{}", self.shared.digest, template.source()));
        if let Some(note) = noted.notes.find::<Note>(noted.key).filter(|note| note.sum == sum) {
            let host = host();
            if trace::holds(&note.asked, named, &host) {
                return (Arc::new(host), Ok(Rendered { text: note.text, map: template.map_of(note.map) }));
            }
        }
        let host = Arc::new(host());
        let recorder = Arc::new(Recorder::new(host.clone()));
        let rendered = self.render_for(template, &scope, recorder.clone(), Some(recorder.clone()));
        if let (Ok(rendered), Some(asked)) = (&rendered, recorder.asked()) {
            let (text, map) = match noted.keeps_text {
                true => (rendered.text.clone(), template.written(&rendered.map)),
                false => Default::default(),
            };
            noted.notes.keep(noted.key, &Note { sum, asked, text, map });
        }
        (host, rendered)
    }
}
