//! Turns an object store into one with transactions: logs and views that are written stay in memory until a commit.
//!
//! Data files go to the store at once, where nobody looks for them before a log names them. So every operation of Delta
//! Lake runs unchanged inside of a transaction, and what it commits is seen by this connection alone.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::map::IndexMap;
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// The folder of a table that holds its log.
pub const LOG: &str = "_delta_log";
/// How the name of an object ends that holds the query of a view.
pub const VIEW: &str = ".view.sql";

/// A store as one connection sees it. Clones see the same.
#[derive(Debug, Clone)]
pub struct Overlay {
    store: Arc<dyn ObjectStore>,
    staged: Arc<Mutex<Staged>>,
}

/// What a transaction has done so far.
#[derive(Debug, Default)]
pub struct Staged {
    /// Commits of logs, and views, in the order in which they came.
    pub objects: IndexMap<Path, (Bytes, DateTime<Utc>)>,
    /// Tables (folders) and views that are no more, as they were before the transaction.
    pub dropped: BTreeSet<Path>,
    /// Data files that nobody needs unless a log of `objects` names them.
    pub written: BTreeSet<Path>,
}

impl Staged {
    fn hides(&self, path: &Path) -> bool {
        self.dropped.iter().any(|dropped| path == dropped || path.prefix_matches(dropped))
    }

    fn below(&self, prefix: Option<&Path>) -> Vec<ObjectMeta> {
        let is_below = |path: &&Path| prefix.is_none_or(|prefix| path.prefix_matches(prefix) && *path != prefix);
        let staged = self.objects.iter().filter(|(path, _)| is_below(path));
        staged.map(|(path, (bytes, when))| meta(path, bytes, *when)).collect()
    }
}

impl Overlay {
    pub fn new(store: Arc<dyn ObjectStore>) -> Overlay {
        Overlay { store, staged: Arc::default() }
    }

    /// Takes out what was done, which ends the transaction.
    pub fn take(&self) -> Staged {
        std::mem::take(&mut self.lock())
    }

    /// Takes out what was done, but for what was made at these places.
    pub fn take_but(&self, places: &[Path]) -> Staged {
        let is_kept = |path: &Path| places.iter().any(|place| path == place || path.prefix_matches(place));
        let mut staged = self.lock();
        let done = std::mem::take(&mut *staged);
        let (kept, objects) = done.objects.into_iter().partition(|(path, _)| is_kept(path));
        let (files, written) = done.written.into_iter().partition(is_kept);
        *staged = Staged { objects: kept, dropped: BTreeSet::new(), written: files };
        Staged { objects, dropped: done.dropped, written }
    }

    /// Hides a table or a view, with all that was staged for it.
    pub fn drop_all(&self, path: &Path) {
        let mut staged = self.lock();
        staged.objects.retain(|other, _| other != path && !other.prefix_matches(path));
        staged.dropped.insert(path.clone());
    }

    fn lock(&self) -> MutexGuard<'_, Staged> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, path: &Path) -> Found {
        let staged = self.lock();
        match staged.objects.get(path) {
            Some((bytes, when)) => Found::Staged(bytes.clone(), *when),
            // The files of a table that is dropped may be read still, by what comes in its place.
            None if is_kept(path) && staged.hides(path) => Found::Hidden,
            None => Found::Below,
        }
    }
}

/// Where an object is looked for.
enum Found {
    Staged(Bytes, DateTime<Utc>),
    Hidden,
    /// In the store, if anywhere.
    Below,
}

/// Whether an object is kept back until the commit.
fn is_kept(path: &Path) -> bool {
    path.as_ref().ends_with(VIEW) || path.parts().any(|part| part.as_ref() == LOG)
}

fn meta(path: &Path, bytes: &Bytes, when: DateTime<Utc>) -> ObjectMeta {
    ObjectMeta { location: path.clone(), last_modified: when, size: bytes.len() as u64, e_tag: None, version: None }
}

fn not_found(path: &Path) -> Error {
    Error::NotFound { path: path.to_string(), source: "it was dropped in this transaction".into() }
}

fn range_of(wanted: Option<&GetRange>, length: u64) -> Range<u64> {
    match wanted {
        None => 0..length,
        Some(GetRange::Bounded(range)) => range.start.min(length)..range.end.min(length),
        Some(GetRange::Offset(start)) => (*start).min(length)..length,
        Some(GetRange::Suffix(size)) => length.saturating_sub(*size)..length,
    }
}

impl std::fmt::Display for Overlay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Overlay({})", self.store)
    }
}

#[async_trait]
impl ObjectStore for Overlay {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if !is_kept(location) {
            self.lock().written.insert(location.clone());
            return self.store.put_opts(location, payload, options).await;
        }
        if options.mode == PutMode::Create && self.head(location).await.is_ok() {
            let source = "it is there already".into();
            return Err(Error::AlreadyExists { path: location.to_string(), source });
        }
        let mut staged = self.lock();
        staged.objects.shift_remove(location);
        staged.objects.insert(location.clone(), (payload.into(), Utc::now()));
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.lock().written.insert(location.clone());
        self.store.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (bytes, when) = match self.find(location) {
            Found::Below => return self.store.get_opts(location, options).await,
            Found::Hidden => return Err(not_found(location)),
            Found::Staged(bytes, when) => (bytes, when),
        };
        let range = range_of(options.range.as_ref(), bytes.len() as u64);
        let part = bytes.slice(range.start as usize..range.end as usize);
        let payload = GetResultPayload::Stream(stream::once(async move { Ok(part) }).boxed());
        Ok(GetResult { payload, meta: meta(location, &bytes, when), range, attributes: Default::default() })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let overlay = self.clone();
        let delete = move |location: Path| {
            let overlay = overlay.clone();
            async move {
                match overlay.find(&location) {
                    Found::Hidden => {}
                    Found::Below if !is_kept(&location) => overlay.store.delete(&location).await?,
                    Found::Staged(..) | Found::Below => {
                        let mut staged = overlay.lock();
                        staged.objects.shift_remove(&location);
                        staged.dropped.insert(location.clone());
                    }
                }
                Ok(location)
            }
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let staged = self.lock().below(prefix);
        let overlay = self.clone();
        let listed = self.store.list(prefix);
        let listed = listed.try_filter(move |meta| {
            let shown = matches!(overlay.find(&meta.location), Found::Below);
            async move { shown }
        });
        if staged.is_empty() {
            return listed.boxed();
        }
        // Readers of a log want it in order.
        let merged = async move {
            let mut all: Vec<ObjectMeta> = match listed.try_collect().await {
                Err(Error::NotFound { .. }) => Vec::new(),
                listed => listed?,
            };
            all.extend(staged);
            all.sort_by(|a, b| a.location.cmp(&b.location));
            Ok::<_, Error>(stream::iter(all.into_iter().map(Ok)))
        };
        stream::once(merged).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut listed = self.store.list_with_delimiter(prefix).await?;
        listed.objects.retain(|meta| matches!(self.find(&meta.location), Found::Below));
        let depth = prefix.map_or(0, |prefix| prefix.parts().count());
        let staged = self.lock();
        let mut folders: BTreeSet<Path> =
            listed.common_prefixes.into_iter().filter(|path| !staged.hides(path)).collect();
        for meta in staged.below(prefix) {
            match meta.location.parts().count() {
                parts if parts > depth + 1 => drop(folders.insert(meta.location.parts().take(depth + 1).collect())),
                _ => listed.objects.push(meta),
            }
        }
        Ok(ListResult { common_prefixes: folders.into_iter().collect(), objects: listed.objects })
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        if !is_kept(to) {
            self.lock().written.insert(to.clone());
            return self.store.copy_opts(from, to, options).await;
        }
        let bytes = self.get(from).await?.bytes().await?;
        let mode = if options.mode == CopyMode::Create { PutMode::Create } else { PutMode::Overwrite };
        self.put_opts(to, bytes.into(), mode.into()).await.map(drop)
    }
}
